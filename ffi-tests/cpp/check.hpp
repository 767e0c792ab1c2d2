// What the tests of haploom.hpp share: a check that says where it failed, and a panel and models made once.
#ifndef CHECK_HPP
#define CHECK_HPP

#include <haploom.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>

// The standard library's ranges; clang before 16 cannot compile those of GNU's.
#if __cplusplus >= 202002L && (!defined(__clang__) || __clang_major__ >= 16)
#define WITH_RANGES
#endif

#define CHECK(what)                                                                      \
    do {                                                                                 \
        if (!(what)) {                                                                   \
            std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what);      \
            std::exit(1);                                                                \
        }                                                                                \
    } while (false)

// The value of a result that has to have one.
template <class T> T take(haploom::Result<T> result) {
    if (!result) {
        std::fprintf(stderr, "%s: %s\n", result.error().name(), result.error().message().c_str());
        std::exit(1);
    }
    return std::move(*result);
}

inline bool contains(const std::string &text, const std::string &part) { return text.find(part) != std::string::npos; }

// Whether a call failed with this status, and said this.
template <class R> bool failed(const R &result, haploom_status status, const std::string &says = "") {
    if (result) return false;
    const bool as_expected = result.error().status() == status && contains(result.error().message(), says);
    if (!as_expected) std::fprintf(stderr, "%s: %s\n", result.error().name(), result.error().message().c_str());
    return as_expected && !result.error().message().empty();
}

constexpr const char *small_rbm = "updates=6,batch=100,chains=20,hidden=20,k=1,output=plain";

inline const haploom::Panel &demo() {
    static const haploom::Panel panel = take(haploom::Panel::demo(haploom::Demo::train));
    return panel;
}
// Its first sites, on which training is a matter of a moment.
inline const haploom::Panel &few_sites() {
    static const haploom::Panel panel = take(demo().select("region=1:1-300000"));
    return panel;
}
inline const haploom::Model &markov() {
    static const haploom::Model model = take(haploom::Model::train(demo(), "markov"));
    return model;
}
inline const haploom::Model &rbm() {
    static const haploom::Model model = take(haploom::Model::train(demo(), "rbm", small_rbm));
    return model;
}

void options_and_progress();
void panels();
void models();
void imputation();

#endif
