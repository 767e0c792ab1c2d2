/**
 * @file haploom.hpp
 * @brief libhaploom for C++17 and later: haploom.h with owners, views and results. Header only; link the C library.
 *
 * What a call does, which options it reads and how it fails is in haploom.h; here is what C++ adds.
 *
 * OWNERS. Panel, Model, Sampler, Imputer, Encoding, Evaluation, Sites, Samples, Cancel and Options own a handle of the
 * library: they can be moved, not copied, and free it at their end. An empty one (made by default, or moved from) is
 * NULL to the library: calls fail with HAPLOOM_INVALID_ARGUMENT, getters answer 0 or nothing. Empty Options are the
 * defaults, and Options can be copied. get() shows the handle to functions of haploom.h, release() gives it away, and
 * the constructor takes one over.
 *
 * VIEWS. SitesView, SamplesView, InfoView, LabelsView, MetricsView, Rows, Span and the std::string_views in Site, Sample
 * and others borrow: they hold as long as the handle they came from, also when its owner is moved, and end when it is
 * freed. An owner that is a temporary does not give views. An Event and its texts end with the call of the progress
 * function, a Haplotype with the next step of its loop. The std::string_views are followed by a NUL; texts that you hand
 * over end at their first NUL, as in C.
 *
 * RESULTS. What can fail answers with a Result, which the compiler does not let you drop: test it, then take *result,
 * result->..., or result.error(). Nothing here throws of its own accord, and all of it compiles with -fno-exceptions
 * -fno-rtti. Define HAPLOOM_EXCEPTIONS (in every file of a program that shares these types) to have Result::value(),
 * which throws Exception, and loops over haplotypes that throw it where they would otherwise end with an error().
 * Memory for the containers made here is had as your standard library has it.
 *
 * THREADS. As in C: const members of one object may be called by many threads at once, others by one at a time.
 *
 * EXAMPLE. Learn a panel, hold 1,000 new haplotypes against it as they come, write 200 more to a file:
 *
 * @code
 * #include <haploom.hpp>
 * #include <cstdio>
 *
 * static int failed(const haploom::Error &error) {
 *     std::fprintf(stderr, "%s: %s\n", error.name(), error.message().c_str());
 *     return 1;
 * }
 *
 * int main(int argc, char **argv) {
 *     if (argc != 3) return 2;
 *     auto panel = haploom::Panel::open(argv[1]);
 *     if (!panel) return failed(panel.error());
 *     auto options = haploom::Options("epochs=20").set("threads", 0).on_progress([](const haploom::Event &event) {
 *         if (event.kind() == HAPLOOM_EVENT_NOTICE) std::fprintf(stderr, "%s\n", event.text().data());
 *     });
 *     auto model = haploom::Model::train(*panel, "rbm", options);
 *     if (!model) return failed(model.error());
 *     auto sampler = haploom::Sampler::make(*model, "packing=bits,seed=7");
 *     if (!sampler) return failed(sampler.error());
 *
 *     std::vector<double> artificial(sampler->sites().size());
 *     auto haplotypes = sampler->haplotypes(1000);
 *     for (const auto &haplotype : haplotypes)
 *         for (std::size_t site = 0; site < haplotype.size(); ++site) artificial[site] += haplotype[site] / 1000.0;
 *     if (haplotypes.error()) return failed(*haplotypes.error());
 *
 *     auto real = panel->frequencies();
 *     if (!real) return failed(real.error());
 *     for (std::size_t i = 0; i < 10 && i < artificial.size(); ++i) {
 *         const auto site = panel->sites()[i];
 *         std::printf("%s:%ju %.3f %.3f\n", site.contig.data(), std::uintmax_t{site.position}, (*real)[i],
 *                     artificial[i]);
 *     }
 *     auto written = sampler->write(200, argv[2]);
 *     return written ? 0 : failed(written.error());
 * }
 * @endcode
 *
 * Compile it with: c++ -std=c++17 example.cpp $(pkg-config --cflags --libs haploom)
 */

#ifndef HAPLOOM_HPP
#define HAPLOOM_HPP

#if __cplusplus < 201703L
#error "haploom.hpp needs C++17: compile with -std=c++17 or later"
#endif

#include "haploom.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>
#if __cplusplus >= 202002L
#include <version>
#endif
#ifdef __cpp_lib_ranges
#include <ranges>
#endif
#ifdef __cpp_exceptions
#include <exception>
#endif

// Files that are compiled in another manner have other types: they meet at the linker, not at run time.
#if defined(HAPLOOM_EXCEPTIONS) && !defined(__cpp_exceptions)
#error "HAPLOOM_EXCEPTIONS is defined, but exceptions are switched off: leave out one of it and -fno-exceptions"
#elif defined(HAPLOOM_EXCEPTIONS)
#include <stdexcept>
#define HAPLOOM_HPP_MANNER throwing
#elif defined(__cpp_exceptions)
#define HAPLOOM_HPP_MANNER quiet
#else
#define HAPLOOM_HPP_MANNER without_exceptions
#endif

namespace haploom {
inline namespace HAPLOOM_HPP_MANNER {

// ---- Errors and results ---------------------------------------------------------------------------------------------

/** What went wrong. */
class [[nodiscard]] Error {
public:
    /** An error of your own. */
    Error(haploom_status status, std::string message) : status_(status), message_(std::move(message)) {}

    /** What the last call that failed on this thread said; `status` is what it answered. */
    static Error last(haploom_status status) {
        std::string message(haploom_last_error(nullptr, 0), '\0');
        haploom_last_error(message.data(), message.size() + 1);
        return Error(status, std::move(message));
    }
    /** The same after a getter of haploom.h that answered with 0, NULL or NaN because it failed. */
    static Error last() { return last(haploom_last_status()); }

    /** One of the negative numbers of haploom.h, such as HAPLOOM_NO_OVERLAP. */
    haploom_status status() const noexcept { return status_; }
    /** Its name without the prefix, such as "NO_OVERLAP". Static. */
    const char *name() const noexcept { return haploom_status_name(status_); }
    /** What is wrong, where, and what to do about it: one line. */
    const std::string &message() const noexcept { return message_; }

private:
    haploom_status status_;
    std::string message_;
};

#ifdef HAPLOOM_EXCEPTIONS
/** What Result::value() throws; what() is "NAME: message". */
class Exception : public std::runtime_error {
public:
    explicit Exception(Error error)
        : std::runtime_error(std::string(error.name()) + ": " + error.message()), error_(std::move(error)) {}
    /** What went wrong. */
    const Error &error() const noexcept { return error_; }

private:
    Error error_;
};
#endif

/**
 * A T, or the Error that kept it from being made: std::expected<T, Error> for C++17. `*result` and `result->` are for a
 * result that has_value(), error() is for one that has not: an assertion, which NDEBUG takes out, as usual.
 */
template <class T> class [[nodiscard]] Result {
public:
    using value_type = T;
    /** Made of a value, or of an error: `return value;` and `return Error(...);` both do. */
    Result(T &&value) : state_(std::in_place_index<0>, std::move(value)) {}
    Result(const T &value) : state_(std::in_place_index<0>, value) {}
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

    /** Whether there is a value; so does `if (result)`. */
    bool has_value() const noexcept { return state_.index() == 0; }
    explicit operator bool() const noexcept { return has_value(); }

    /** The value of a result that has one. */
    T &operator*() & noexcept { return *checked(std::get_if<0>(&state_)); }
    const T &operator*() const & noexcept { return *checked(std::get_if<0>(&state_)); }
    T &&operator*() && noexcept { return std::move(**this); }
    T *operator->() noexcept { return &**this; }
    const T *operator->() const noexcept { return &**this; }
    /** The error of a result that has no value. */
    const Error &error() const & noexcept { return *checked(std::get_if<1>(&state_)); }
    Error &&error() && noexcept { return std::move(*checked(std::get_if<1>(&state_))); }

    /** The value, or another one. */
    template <class U> T value_or(U &&otherwise) && {
        return has_value() ? std::move(**this) : static_cast<T>(std::forward<U>(otherwise));
    }

    /** next(T), a Result too; the error passes by it. */
    template <class F> auto and_then(F &&next) && -> std::invoke_result_t<F, T &&> {
        if (!*this) return std::move(*this).error();
        return std::invoke(std::forward<F>(next), std::move(**this));
    }

    /** convert(T) as a Result; the error passes by it. */
    template <class F> auto transform(F &&convert) && -> Result<std::invoke_result_t<F, T &&>> {
        if (!*this) return std::move(*this).error();
        if constexpr (std::is_void_v<std::invoke_result_t<F, T &&>>) {
            std::invoke(std::forward<F>(convert), std::move(**this));
            return {};
        } else {
            return std::invoke(std::forward<F>(convert), std::move(**this));
        }
    }

#ifdef HAPLOOM_EXCEPTIONS
    /** The value; throws Exception if there is none. */
    [[nodiscard]] T &value() & { return or_throw(), **this; }
    [[nodiscard]] const T &value() const & { return or_throw(), **this; }
    [[nodiscard]] T value() && { return or_throw(), std::move(**this); }
#endif

private:
    template <class P> static P checked(P place) noexcept {
        assert(place != nullptr && "a haploom::Result is used as what it is not: test it first");
        return place;
    }
#ifdef HAPLOOM_EXCEPTIONS
    void or_throw() const {
        if (!*this) throw Exception(error());
    }
#endif
    std::variant<T, Error> state_;
};

/** Success, or an Error. */
template <> class [[nodiscard]] Result<void> {
public:
    using value_type = void;
    Result() = default;
    Result(Error error) : error_(std::move(error)) {}

    /** Whether all went well; so does `if (result)`. */
    bool has_value() const noexcept { return !error_; }
    explicit operator bool() const noexcept { return has_value(); }
    /** The error of a result that is one. */
    const Error &error() const & noexcept {
        assert(error_ && "a haploom::Result is used as what it is not: test it first");
        return *error_;
    }

#ifdef HAPLOOM_EXCEPTIONS
    /** Throws Exception if there is an error. */
    void value() const {
        if (error_) throw Exception(*error_);
    }
#endif

private:
    std::optional<Error> error_;
};

// ---- Views ----------------------------------------------------------------------------------------------------------

/** `size` elements in a row that somebody else owns: std::span for C++17, made of and made into one. */
template <class T> class Span {
    template <class C> using fits = std::enable_if_t<
        std::is_convertible_v<std::remove_pointer_t<decltype(std::data(std::declval<C &>()))> (*)[], T (*)[]>>;

public:
    using element_type = T;
    using value_type = std::remove_cv_t<T>;

    constexpr Span() noexcept = default;
    constexpr Span(T *data, std::size_t size) noexcept : data_(data), size_(size) {}
    /** An array, or a container with data() and size(). */
    template <class C, class = fits<C>> constexpr Span(C &of) : data_(std::data(of)), size_(std::size(of)) {}
    template <class C, class = fits<const C>>
    constexpr Span(const C &of) : data_(std::data(of)), size_(std::size(of)) {}

    constexpr T *data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_; }
    constexpr bool empty() const noexcept { return size_ == 0; }
    constexpr T &operator[](std::size_t i) const noexcept { return assert(i < size_), data_[i]; }
    constexpr T *begin() const noexcept { return data_; }
    constexpr T *end() const noexcept { return data_ + size_; }

private:
    T *data_ = nullptr;
    std::size_t size_ = 0;
};

/** A matrix that somebody else owns, rows after each other. */
template <class T> class Rows {
public:
    constexpr Rows() noexcept = default;
    constexpr Rows(const T *data, std::size_t rows, std::size_t columns) noexcept
        : data_(data), rows_(rows), columns_(columns) {}
    constexpr const T *data() const noexcept { return data_; }
    constexpr std::size_t rows() const noexcept { return rows_; }
    constexpr std::size_t columns() const noexcept { return columns_; }
    constexpr Span<const T> operator[](std::size_t row) const noexcept {
        return assert(row < rows_), Span<const T>(data_ + row * columns_, columns_);
    }

private:
    const T *data_ = nullptr;
    std::size_t rows_ = 0, columns_ = 0;
};

namespace detail {

/** Goes through what has an operator[], by number. A step makes its element anew, so references are values. */
template <class View> class Iterator {
    struct Arrow {
        decltype(std::declval<View>()[0]) item;
        const auto *operator->() const noexcept { return &item; }
    };

public:
    using difference_type = std::ptrdiff_t;
    using reference = decltype(std::declval<View>()[0]);
    using value_type = std::remove_cv_t<std::remove_reference_t<reference>>;
    using pointer = Arrow;
    using iterator_category = std::random_access_iterator_tag;  // As std::vector<bool>: binary searches need it.

    Iterator() = default;
    Iterator(View view, std::size_t i) : view_(view), i_(static_cast<difference_type>(i)) {}
    reference operator*() const { return (*this)[0]; }
    Arrow operator->() const { return Arrow{**this}; }
    reference operator[](difference_type n) const { return view_[static_cast<std::size_t>(i_ + n)]; }
    Iterator &operator++() { return *this += 1; }
    Iterator &operator--() { return *this -= 1; }
    Iterator operator++(int) { return std::exchange(*this, *this + 1); }
    Iterator operator--(int) { return std::exchange(*this, *this - 1); }
    Iterator &operator+=(difference_type n) { return i_ += n, *this; }
    Iterator &operator-=(difference_type n) { return i_ -= n, *this; }
    friend Iterator operator+(Iterator at, difference_type n) { return at += n; }
    friend Iterator operator+(difference_type n, Iterator at) { return at += n; }
    friend Iterator operator-(Iterator at, difference_type n) { return at -= n; }
    friend difference_type operator-(const Iterator &a, const Iterator &b) { return a.i_ - b.i_; }
    friend bool operator==(const Iterator &a, const Iterator &b) { return a.i_ == b.i_; }
    friend bool operator!=(const Iterator &a, const Iterator &b) { return a.i_ != b.i_; }
    friend bool operator<(const Iterator &a, const Iterator &b) { return a.i_ < b.i_; }
    friend bool operator>(const Iterator &a, const Iterator &b) { return a.i_ > b.i_; }
    friend bool operator<=(const Iterator &a, const Iterator &b) { return a.i_ <= b.i_; }
    friend bool operator>=(const Iterator &a, const Iterator &b) { return a.i_ >= b.i_; }

private:
    View view_{};
    difference_type i_ = 0;
};

inline Result<void> outcome(haploom_status status) {
    if (status != HAPLOOM_OK) return Error::last(status);
    return {};
}

}  // namespace detail

/** Things that a handle shows by number; `Of` says which. Random access; each thing is made when it is asked for. */
template <class Of> class ListView {
public:
    using handle_type = typename Of::Handle;
    using value_type = typename Of::Item;
    using iterator = detail::Iterator<ListView>;
    using const_iterator = iterator;

    ListView() = default;
    /** `handle` may be NULL: a view of nothing. */
    explicit ListView(const handle_type *handle) noexcept : handle_(handle), size_(Of::count(handle)) {}

    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    value_type operator[](std::size_t i) const { return assert(i < size_), Of::item(handle_, i); }
    value_type front() const { return (*this)[0]; }
    value_type back() const { return (*this)[size_ - 1]; }
    iterator begin() const { return iterator(*this, 0); }
    iterator end() const { return iterator(*this, size_); }
    /** The handle that it shows, for functions of haploom.h. */
    const handle_type *get() const noexcept { return handle_; }

private:
    const handle_type *handle_ = nullptr;
    std::size_t size_ = 0;
};

/** A biallelic site. Positions count from 1; `id` is empty where there is none. */
struct Site {
    std::string_view contig;
    std::uint64_t position = 0;
    std::string_view id, reference, alternate;
};

/** A person: the haplotypes are `first_haplotype` and, if `ploidy` is 2, the one after it. */
struct Sample {
    std::string_view name;
    std::uint8_t ploidy = 2;
    std::optional<std::string_view> label;
    std::size_t first_haplotype = 0;
};

/** A thing to know of a model. */
struct Info {
    std::string_view name, value;
};

/** A label that a model knows, and its share of the training haplotypes. */
struct Label {
    std::string_view name;
    double share = 0;
};

/** A number of an evaluation: its value; its floor, the same number between real and held-out people; the best that can
 *  be; its standard deviation over draws. What is not defined is NaN. `name` does not change between versions. */
struct Metric {
    std::string_view name, title, note;
    double value = std::numeric_limits<double>::quiet_NaN(), floor = value, best = value, deviation = value;
};

/** An option key. `type` is one of HAPLOOM_TYPE_... */
struct OptionKey {
    std::string_view key;
    std::int32_t type = 0;
    std::string_view default_value, bounds, group, help;
};

namespace detail {

struct SiteList {
    using Handle = haploom_sites;
    using Item = Site;
    static std::size_t count(const Handle *sites) noexcept { return sites ? haploom_sites_count(sites) : 0; }
    static Site item(const Handle *sites, std::size_t i) {
        const char *contig = "", *id = "", *reference = "", *alternate = "";
        std::uint64_t position = 0;
        haploom_sites_get(sites, i, &contig, &position, &id, &reference, &alternate);
        return {contig, position, id, reference, alternate};
    }
};

struct SampleList {
    using Handle = haploom_samples;
    using Item = Sample;
    static std::size_t count(const Handle *samples) noexcept { return samples ? haploom_samples_count(samples) : 0; }
    static Sample item(const Handle *samples, std::size_t i) {
        const char *name = "", *label = nullptr;
        Sample sample;
        haploom_samples_get(samples, i, &name, &sample.ploidy, &label, &sample.first_haplotype);
        sample.name = name;
        if (label != nullptr) sample.label = label;
        return sample;
    }
};

struct InfoList {
    using Handle = haploom_model;
    using Item = Info;
    static std::size_t count(const Handle *model) noexcept { return model ? haploom_model_info_count(model) : 0; }
    static Info item(const Handle *model, std::size_t i) {
        const char *name = "", *value = "";
        haploom_model_info(model, i, &name, &value);
        return {name, value};
    }
};

struct LabelList {
    using Handle = haploom_model;
    using Item = Label;
    static std::size_t count(const Handle *model) noexcept { return model ? haploom_model_label_count(model) : 0; }
    static Label item(const Handle *model, std::size_t i) {
        return {haploom_model_label(model, i), haploom_model_label_share(model, i)};
    }
};

struct MetricList {
    using Handle = haploom_evaluation;
    using Item = Metric;
    static std::size_t count(const Handle *of) noexcept { return of ? haploom_evaluation_count(of) : 0; }
    static Metric item(const Handle *of, std::size_t i) {
        const char *name = "", *title = "", *note = "";
        haploom_evaluation_describe(of, i, &name, &title, &note);
        Metric metric{name, title, note};
        haploom_evaluation_get(of, name, &metric.value, &metric.floor, &metric.best, &metric.deviation);
        return metric;
    }
};

struct OptionList {
    using Handle = void;
    using Item = OptionKey;
    static std::size_t count(const void *) noexcept { return haploom_option_count(); }
    static OptionKey item(const void *, std::size_t i) {
        const char *key = "", *default_value = "", *bounds = "", *group = "", *help = "";
        std::int32_t type = 0;
        haploom_option_describe(i, &key, &type, &default_value, &bounds, &group, &help);
        return {key, type, default_value, bounds, group, help};
    }
};

/** Copies out a text as haploom_last_error() does. */
template <class Copy> std::string text(Copy copy) {
    std::string text(copy(nullptr, 0), '\0');
    if (!text.empty()) copy(text.data(), text.size() + 1);
    return text;
}

/** What owns a handle. */
template <class T, void (*Free)(T *)> class Owner {
    struct Freed {
        void operator()(T *handle) const noexcept { Free(handle); }
    };

public:
    Owner() = default;
    /** Takes over a handle that haploom.h gave, or NULL. */
    explicit Owner(T *handle) noexcept : handle_(handle) {}
    /** The handle, for functions of haploom.h; it stays owned. NULL if this is empty. */
    T *get() const noexcept { return handle_.get(); }
    /** Gives the handle away: you free it. */
    [[nodiscard]] T *release() noexcept { return handle_.release(); }
    /** Whether there is a handle. */
    explicit operator bool() const noexcept { return handle_ != nullptr; }

private:
    std::unique_ptr<T, Freed> handle_;
};

/** A new T by what fills the place of its handle. */
template <class T, class Make> Result<T> made(Make make) {
    decltype(std::declval<T>().get()) handle = nullptr;
    if (haploom_status status = make(&handle); status != HAPLOOM_OK) return Error::last(status);
    return T(handle);
}

/** Whether element (rows - 1) * row_stride + (columns - 1) * column_stride is one of `size`. */
inline bool reaches(std::size_t size, std::size_t rows, std::size_t row_stride, std::size_t columns,
                    std::size_t column_stride) noexcept {
    if (rows == 0 || columns == 0) return true;  // Nothing is read; whether that will do, the library says.
    constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
    if (row_stride != 0 && (rows - 1) > most / row_stride) return false;
    if (column_stride != 0 && (columns - 1) > most / column_stride) return false;
    const std::size_t down = (rows - 1) * row_stride, across = (columns - 1) * column_stride;
    return down < size && across < size - down;
}

/** C texts in one piece of memory. */
class Texts {
public:
    void add(std::string_view text) {
        starts_.push_back(all_.size());
        all_.append(text).push_back('\0');
    }
    void add_none() { starts_.push_back(none); }
    std::vector<const char *> pointers() const {
        std::vector<const char *> pointers;
        for (std::size_t start : starts_) pointers.push_back(start == none ? nullptr : all_.data() + start);
        return pointers;
    }

private:
    static constexpr std::size_t none = std::numeric_limits<std::size_t>::max();
    std::string all_;
    std::vector<std::size_t> starts_;
};

}  // namespace detail

/** What there is to know of a model. It holds as long as the model. */
using InfoView = ListView<detail::InfoList>;
/** The labels that a model knows. It holds as long as the model. */
using LabelsView = ListView<detail::LabelList>;
/** The numbers of an evaluation. It holds as long as the evaluation. */
using MetricsView = ListView<detail::MetricList>;
/** All option keys. */
using OptionKeys = ListView<detail::OptionList>;

/** Sites, in order, of a panel, a model, a sampler, an imputer or Sites; see VIEWS for how long it holds. */
class SitesView : public ListView<detail::SiteList> {
public:
    using ListView::ListView;
    /** The number of the site with this contig, position, reference and alternate allele. See haploom_sites_find(). */
    std::optional<std::size_t> find(const std::string &contig, std::uint64_t position, const std::string &reference,
                                    const std::string &alternate) const {
        const std::size_t i =
            haploom_sites_find(get(), contig.c_str(), position, reference.c_str(), alternate.c_str());
        return i < size() ? std::optional(i) : std::nullopt;
    }
};

/** Samples, in order, of a panel or of Samples; see VIEWS for how long it holds. */
class SamplesView : public ListView<detail::SampleList> {
public:
    using ListView::ListView;
    /** The number of the sample called `name`. */
    std::optional<std::size_t> find(const std::string &name) const {
        const std::size_t i = haploom_samples_find(get(), name.c_str());
        return i < size() ? std::optional(i) : std::nullopt;
    }
};

/** Sites of your own, for Panel::from_bytes() and from_bits(). */
class Sites : public detail::Owner<haploom_sites, haploom_sites_free> {
public:
    using Owner::Owner;
    /** Copies them. See haploom_sites_new(). */
    static Result<Sites> make(Span<const Site> sites) {
        detail::Texts contigs, ids, references, alternates;
        std::vector<std::uint64_t> positions;
        for (const Site &site : sites) {
            contigs.add(site.contig);
            positions.push_back(site.position);
            ids.add(site.id);
            references.add(site.reference);
            alternates.add(site.alternate);
        }
        return detail::made<Sites>([&](haploom_sites **made) {
            return haploom_sites_new(sites.size(), contigs.pointers().data(), positions.data(), ids.pointers().data(),
                                     references.pointers().data(), alternates.pointers().data(), made);
        });
    }
    SitesView view() const & { return SitesView(get()); }
    void view() const && = delete;
    operator SitesView() const & { return view(); }
};

/** Samples of your own, for Panel::from_bytes(), from_bits() and with_samples(). */
class Samples : public detail::Owner<haploom_samples, haploom_samples_free> {
public:
    using Owner::Owner;
    /** Copies names, ploidies and labels; haplotypes are numbered anew. See haploom_samples_new(). */
    static Result<Samples> make(Span<const Sample> samples) {
        detail::Texts names, labels;
        std::vector<std::uint8_t> ploidy;
        for (const Sample &sample : samples) {
            names.add(sample.name);
            ploidy.push_back(sample.ploidy);
            sample.label ? labels.add(*sample.label) : labels.add_none();
        }
        return detail::made<Samples>([&](haploom_samples **made) {
            return haploom_samples_new(samples.size(), names.pointers().data(), ploidy.data(),
                                       labels.pointers().data(), made);
        });
    }
    SamplesView view() const & { return SamplesView(get()); }
    void view() const && = delete;
    operator SamplesView() const & { return view(); }
};

// ---- Options, progress, cancelling ----------------------------------------------------------------------------------

/** What a long call says of itself, inside the progress function. */
class Event {
public:
    explicit Event(const haploom_event *event) noexcept : event_(event) {}
    /** One of HAPLOOM_EVENT_...; let kinds that you do not know pass. */
    std::int32_t kind() const noexcept { return haploom_event_kind(event_); }
    /** The phase of a step, the name of a number, the sentence of a notice; a NUL follows it. */
    std::string_view text() const noexcept { return haploom_event_text(event_); }
    /** What a step counts; empty for other events; a NUL follows it. */
    std::string_view unit() const noexcept { return haploom_event_unit(event_); }
    /** Units done; for a number, the step at which it was measured. */
    std::uint64_t done() const noexcept { return haploom_event_done(event_); }
    /** Units in all; 0 where that is not known. */
    std::uint64_t total() const noexcept { return haploom_event_total(event_); }
    /** The number that was measured; NaN for other events. */
    double value() const noexcept { return haploom_event_value(event_); }
    const haploom_event *get() const noexcept { return event_; }

private:
    const haploom_event *event_;
};

/** A wish to stop, for Options::cancel_with(). Any thread may utter it, and signal handlers. */
class Cancel : public detail::Owner<haploom_cancel, haploom_cancel_free> {
public:
    using Owner::Owner;
    Cancel() noexcept {
        haploom_cancel *cancel = nullptr;
        haploom_cancel_new(&cancel);
        *this = Cancel(cancel);
    }
    /** Calls with these options stop with HAPLOOM_CANCELLED at their next step, until reset(). */
    void request() const noexcept { haploom_cancel_request(get()); }
    /** Takes the wish back. */
    void reset() const noexcept { haploom_cancel_reset(get()); }
};

/**
 * Options of a call: values by key, where its progress goes, and how it is stopped.
 *
 * Setting one never fails at once: the first error stays, and every call with these options answers with it. So options
 * can be written in one breath, and a text is options too: Model::train(panel, "rbm", "epochs=20,threads=0").
 *
 * A copy has the same values, first error and cancel handle, and tells the same progress function, which lives as long
 * as either of them.
 */
class Options {
public:
    /** The defaults; costs nothing. */
    Options() = default;
    /** Several keys at once, as set(assignments); NULL is the defaults, as in C. */
    Options(const char *assignments) {
        if (assignments != nullptr) set(assignments);
    }
    Options(const std::string &assignments) { set(assignments); }
    /** Takes over options that haploom_options_new() gave. */
    explicit Options(haploom_options *handle) noexcept : handle_(handle) {}

    Options(const Options &other) : progress_(other.progress_), error_(other.error_) {
        if (!other.handle_) return;
        haploom_options *copy = nullptr;
        const haploom_status status = haploom_options_copy(other.get(), &copy);
        handle_.reset(copy);
        if (status != HAPLOOM_OK) refuse(Error::last(status));
    }
    Options(Options &&) noexcept = default;
    Options &operator=(const Options &other) { return *this = Options(other); }
    Options &operator=(Options &&) noexcept = default;

    /** Sets several keys: "epochs=200,l2=0.1"; all or none of them. See haploom_options_set_text(). */
    Options &set(const std::string &assignments) & {
        return keep([&](haploom_options *to) { return haploom_options_set_text(to, assignments.c_str()); });
    }
    Options &&set(const std::string &assignments) && { return std::move(set(assignments)); }

    /** Sets a key: to a bool, a whole number, a number, or a text. See haploom_options_set_int() and its neighbours. */
    template <class T> Options &set(const std::string &key, const T &value) & {
        static_assert(!std::is_same_v<T, char> && !std::is_null_pointer_v<T>, "options take numbers, bools and texts");
        return keep([&](haploom_options *to) -> haploom_status {
            if constexpr (std::is_same_v<T, bool>) {
                return haploom_options_set_string(to, key.c_str(), value ? "true" : "false");
            } else if constexpr (std::is_integral_v<T>) {
                const auto whole = static_cast<std::int64_t>(value);
                if (std::is_unsigned_v<T> && whole < 0)  // Too large for 64 bits with a sign: let the library say so.
                    return haploom_options_set_string(to, key.c_str(), std::to_string(value).c_str());
                return haploom_options_set_int(to, key.c_str(), whole);
            } else if constexpr (std::is_floating_point_v<T>) {
                return haploom_options_set_double(to, key.c_str(), static_cast<double>(value));
            } else {
                return haploom_options_set_string(to, key.c_str(), std::string(value).c_str());
            }
        });
    }
    template <class T> Options &&set(const std::string &key, const T &value) && { return std::move(set(key, value)); }

    /** Takes a key back to its default, as if it had never been set. */
    Options &unset(const std::string &key) & {
        return keep([&](haploom_options *to) { return haploom_options_unset(to, key.c_str()); });
    }
    Options &&unset(const std::string &key) && { return std::move(unset(key)); }

    /**
     * Tells `progress(const Event &)` what calls with these options say, on the thread that made the call. It may
     * answer with a bool: true goes on, false stops the call with HAPLOOM_CANCELLED. It is kept (copied or moved)
     * inside, and called by several threads at once if these options are. It must leave alone what the call is at work
     * on: a sampler answers it with HAPLOOM_INVALID_ARGUMENT. nullptr: nobody is told.
     *
     * What it throws stops the call, and comes out of the member function that made it (not out of calls of haploom.h
     * with get(): these answer CANCELLED). Compiled with -fno-exceptions, what it throws ends the program.
     */
    template <class F> Options &on_progress(F &&progress) & {
        progress_ = nullptr;
        if constexpr (!std::is_null_pointer_v<std::decay_t<F>>) {
            progress_ = std::make_shared<Progress>([tell = std::forward<F>(progress)](const Event &event) mutable {
                if constexpr (std::is_void_v<decltype(tell(event))>) {
                    return tell(event), true;
                } else {
                    return static_cast<bool>(tell(event));
                }
            });
        }
        return keep([&](haploom_options *to) {
            return haploom_options_set_progress(to, progress_ ? &tell : nullptr, progress_.get());
        });
    }
    template <class F> Options &&on_progress(F &&progress) && {
        return std::move(on_progress(std::forward<F>(progress)));
    }

    /** Lets `cancel` stop calls with these options, and every call of a sampler that is made with them. They keep what
     *  they need of it. */
    Options &cancel_with(const Cancel &cancel) & {
        if (!cancel) return refuse(Error(HAPLOOM_INVALID_ARGUMENT, "cancel is empty (moved from?)"));
        return keep([&](haploom_options *to) { return haploom_options_set_cancel(to, cancel.get()); });
    }
    Options &&cancel_with(const Cancel &cancel) && { return std::move(cancel_with(cancel)); }
    /** Lets nothing stop them. */
    Options &cancel_with(std::nullptr_t) & {
        return keep([&](haploom_options *to) { return haploom_options_set_cancel(to, nullptr); });
    }
    Options &&cancel_with(std::nullptr_t) && { return std::move(cancel_with(nullptr)); }

    /** What was the first to fail in setting these; calls with them will answer with it. */
    Result<void> check() const {
        if (error_) return *error_;
        return {};
    }

    /** The value of a key as text, set or default. */
    Result<std::string> text(const std::string &key) const {
        if (!handle_) {
            Options defaults;
            defaults.keep([](haploom_options *) { return HAPLOOM_OK; });
            return defaults.handle_ ? defaults.text(key) : Result<std::string>(*defaults.error_);
        }
        std::string value = detail::text([&](char *buffer, std::size_t capacity) {
            return haploom_options_get(handle_.get(), key.c_str(), buffer, capacity);
        });
        if (haploom_last_status() != HAPLOOM_OK) return Error::last();
        return value;
    }

    /** All keys that there are, with types, defaults and bounds. */
    static OptionKeys keys() { return OptionKeys(nullptr); }
    /** The least and the greatest value of an option that takes numbers. See haploom_option_range(). */
    static Result<std::pair<double, double>> range(const std::string &key) {
        double least = 0, greatest = 0;
        if (haploom_status status = haploom_option_range(key.c_str(), &least, &greatest); status != HAPLOOM_OK)
            return Error::last(status);
        return std::pair(least, greatest);
    }

    /** The handle, for functions of haploom.h; NULL if nothing was set, which is the defaults. */
    haploom_options *get() const noexcept { return handle_.get(); }

    /** Calls `function(options)` of haploom.h: fails with check(), and passes on what the progress function throws. */
    template <class F> Result<void> call(F &&function) const {
        if (error_) return *error_;
#ifdef __cpp_exceptions
        Thrown thrown;
#endif
        const haploom_status status = function(static_cast<const haploom_options *>(get()));
#ifdef __cpp_exceptions
        if (thrown.what) std::rethrow_exception(thrown.what);
#endif
        return detail::outcome(status);
    }

private:
    using Progress = std::function<bool(const Event &)>;
    struct Freed {
        void operator()(haploom_options *handle) const noexcept { haploom_options_free(handle); }
    };

    Options &refuse(Error error) {
        if (!error_) error_ = std::make_shared<const Error>(std::move(error));
        return *this;
    }

    template <class F> Options &keep(F &&change) {
        haploom_options *handle = nullptr;
        haploom_status status = handle_ ? HAPLOOM_OK : haploom_options_new(&handle);
        if (handle != nullptr) handle_.reset(handle);
        if (status == HAPLOOM_OK) status = change(handle_.get());
        return status == HAPLOOM_OK ? *this : refuse(Error::last(status));
    }

#ifdef __cpp_exceptions
    /** Where a call keeps what its progress function throws: nothing unwinds through C. Progress is told on the thread
     *  that made the call, so the innermost call of this thread is the one; const options may serve several threads. */
    struct Thrown {
        std::exception_ptr what;
        Thrown *outer;
        Thrown() noexcept : outer(std::exchange(here(), this)) {}
        ~Thrown() { here() = outer; }
        Thrown(const Thrown &) = delete;
        Thrown &operator=(const Thrown &) = delete;
        static Thrown *&here() noexcept {
            thread_local Thrown *innermost = nullptr;
            return innermost;
        }
    };
    static std::int32_t tell(void *user, const haploom_event *event) noexcept {
        Thrown *here = Thrown::here();
        if (here != nullptr && here->what) return 1;
        try {
            return (*static_cast<Progress *>(user))(Event(event)) ? 0 : 1;
        } catch (...) {
            if (here != nullptr) here->what = std::current_exception();
            return 1;
        }
    }
#else
    static std::int32_t tell(void *user, const haploom_event *event) noexcept {
        return (*static_cast<Progress *>(user))(Event(event)) ? 0 : 1;
    }
#endif

    std::shared_ptr<Progress> progress_;  // The handle knows its address, and so do the copies of the handle.
    std::unique_ptr<haploom_options, Freed> handle_;
    std::shared_ptr<const Error> error_;
};

namespace detail {

/** A new T by a call with options. */
template <class T, class Make> Result<T> made(const Options &options, Make make) {
    T made;
    decltype(made.get()) handle = nullptr;
    auto done = options.call([&](const haploom_options *given) {
        const haploom_status status = make(given, &handle);
        made = T(handle);  // Owned before anything is thrown.
        return status;
    });
    if (!done) return done.error();
    return made;
}

}  // namespace detail

// ---- Panels ---------------------------------------------------------------------------------------------------------

class Model;

/** What a row is. */
enum class Layout : std::int32_t { haplotypes = HAPLOOM_HAPLOTYPE_MAJOR, sites = HAPLOOM_SITE_MAJOR };
/** How alleles lie in a row: a byte or a bit each, lowest bit first. */
enum class Packing { bytes, bits };
/** Parts of the demo panel. */
enum class Demo : std::int32_t { all = HAPLOOM_DEMO_ALL, train = HAPLOOM_DEMO_TRAIN, held_out = HAPLOOM_DEMO_HELD_OUT };

/** A part of a panel: all of it, unless you say otherwise. */
struct Window {
    static constexpr std::size_t rest = std::numeric_limits<std::size_t>::max();
    std::size_t first_haplotype = 0, haplotypes = rest;
    std::size_t first_site = 0, sites = rest;
};

/** Haplotypes x biallelic sites. Immutable. */
class Panel : public detail::Owner<haploom_panel, haploom_panel_free> {
public:
    using Owner::Owner;

    /** Reads a file. See haploom_panel_open(). */
    static Result<Panel> open(const std::string &path, const Options &options = {}) {
        return detail::made<Panel>(options, [&](const haploom_options *given, haploom_panel **panel) {
            return haploom_panel_open(path.c_str(), given, panel);
        });
    }
    /** Reads the bytes of a file in memory; `name` is what errors call it. See haploom_panel_open_bytes(). */
    static Result<Panel> open_bytes(Span<const std::uint8_t> bytes, const std::string &name,
                                    const Options &options = {}) {
        return detail::made<Panel>(options, [&](const haploom_options *given, haploom_panel **panel) {
            return haploom_panel_open_bytes(bytes.data(), bytes.size(), name.c_str(), given, panel);
        });
    }
    /** The embedded panel of 900 simulated people. See haploom_panel_demo(). */
    static Result<Panel> demo(Demo part = Demo::all) {
        return detail::made<Panel>(
            [&](haploom_panel **panel) { return haploom_panel_demo(static_cast<std::int32_t>(part), panel); });
    }

    /**
     * A panel from a byte for each allele, copied; the allele of haplotype h at site s is number h * haplotype_stride +
     * s * site_stride. An empty SamplesView makes diploid people. See haploom_panel_from_bytes(); INVALID_ARGUMENT also
     * for alleles that are too few.
     */
    static Result<Panel> from_bytes(SitesView sites, SamplesView samples, Span<const std::uint8_t> alleles,
                                    std::size_t haplotypes, std::size_t haplotype_stride, std::size_t site_stride) {
        if (!detail::reaches(alleles.size(), haplotypes, haplotype_stride, sites.size(), site_stride))
            return too_few(alleles);
        return detail::made<Panel>([&](haploom_panel **panel) {
            return haploom_panel_from_bytes(sites.get(), samples.get(), alleles.data(), haplotypes, haplotype_stride,
                                            site_stride, panel);
        });
    }
    /** A panel from a byte for each allele, rows without gaps: as many haplotypes as there are alleles for. */
    static Result<Panel> from_bytes(SitesView sites, SamplesView samples, Span<const std::uint8_t> alleles,
                                    Layout layout = Layout::haplotypes) {
        const std::size_t haplotypes = sites.empty() ? 0 : alleles.size() / sites.size();
        return layout == Layout::haplotypes
                   ? from_bytes(sites, samples, alleles, haplotypes, sites.size(), 1)
                   : from_bytes(sites, samples, alleles, haplotypes, 1, haplotypes);
    }
    /**
     * A panel from packed bits, copied, rows `stride` bytes apart (0: without gaps). An empty SamplesView makes diploid
     * people. See haploom_panel_from_bits(); INVALID_ARGUMENT also for bits that are too few.
     */
    static Result<Panel> from_bits(SitesView sites, SamplesView samples, Span<const std::uint8_t> bits,
                                   std::size_t haplotypes, Layout layout = Layout::haplotypes, std::size_t stride = 0) {
        const bool by_site = layout == Layout::sites;
        const std::size_t rows = by_site ? sites.size() : haplotypes, columns = by_site ? haplotypes : sites.size();
        const std::size_t row = columns / 8 + (columns % 8 != 0);
        if (stride == 0) stride = row;
        if (!detail::reaches(bits.size(), rows, stride, row, 1)) return too_few(bits);
        return detail::made<Panel>([&](haploom_panel **panel) {
            return haploom_panel_from_bits(sites.get(), samples.get(), bits.data(), haplotypes, stride,
                                           static_cast<std::int32_t>(layout), panel);
        });
    }

    /** Number of haplotypes. */
    std::size_t haplotypes() const noexcept { return haploom_panel_haplotypes(get()); }
    /** Its sites and its samples, in order; they hold as long as the panel. */
    SitesView sites() const & { return SitesView(haploom_panel_sites(get())); }
    void sites() const && = delete;
    SamplesView samples() const & { return SamplesView(haploom_panel_samples(get())); }
    void samples() const && = delete;
    /** Number of missing alleles. */
    std::size_t missing() const noexcept { return haploom_panel_missing(get()); }
    /** Number of unphased heterozygous genotypes. */
    std::size_t unphased() const noexcept { return haploom_panel_unphased(get()); }

    /** The alleles of a window, a byte each: 0, 1, or HAPLOOM_MISSING_ALLELE; rows without gaps. */
    Result<std::vector<std::uint8_t>> bytes(Window window = {}, Layout layout = Layout::haplotypes) const {
        if (!settle(window)) return outside(window);
        std::vector<std::uint8_t> alleles(window.haplotypes * window.sites);
        const bool by_site = layout == Layout::sites;
        auto done = to_bytes(window, alleles, by_site ? 1 : window.sites, by_site ? window.haplotypes : 1);
        if (!done) return done.error();
        return alleles;
    }
    /** The same into a buffer of yours. See haploom_panel_to_bytes(). */
    Result<void> to_bytes(Window window, Span<std::uint8_t> buffer, std::size_t haplotype_stride,
                          std::size_t site_stride) const {
        settle(window);
        return detail::outcome(haploom_panel_to_bytes(get(), window.first_haplotype, window.haplotypes,
                                                      window.first_site, window.sites, buffer.data(), buffer.size(),
                                                      haplotype_stride, site_stride));
    }
    /** The alleles of a window, packed; rows without gaps. MISSING if an allele of the window is. */
    Result<std::vector<std::uint8_t>> bits(Window window = {}, Layout layout = Layout::haplotypes) const {
        if (!settle(window)) return outside(window);
        const bool by_site = layout == Layout::sites;
        const std::size_t stride = ((by_site ? window.haplotypes : window.sites) + 7) / 8;
        std::vector<std::uint8_t> bits((by_site ? window.sites : window.haplotypes) * stride);
        auto done = to_bits(window, bits, stride, layout);
        if (!done) return done.error();
        return bits;
    }
    /** The same into a buffer of yours, rows `stride` bytes apart. See haploom_panel_to_bits(). */
    Result<void> to_bits(Window window, Span<std::uint8_t> buffer, std::size_t stride,
                         Layout layout = Layout::haplotypes) const {
        settle(window);
        return detail::outcome(haploom_panel_to_bits(get(), window.first_haplotype, window.haplotypes,
                                                     window.first_site, window.sites, buffer.data(), buffer.size(),
                                                     stride, static_cast<std::int32_t>(layout)));
    }

    /** The frequency of the alternate allele at each site. */
    Result<std::vector<double>> frequencies() const {
        std::vector<double> frequencies(sites().size());
        auto done = detail::outcome(haploom_panel_frequencies(get(), frequencies.data(), frequencies.size()));
        if (!done) return done.error();
        return frequencies;
    }
    /** The SHA-256 of the haplotypes, in hexadecimal; empty if this is. */
    std::string fingerprint() const {
        return detail::text([&](char *to, std::size_t size) { return haploom_panel_fingerprint(get(), to, size); });
    }

    /** The part that the options `region`, `samples` and `samples_file` name. See haploom_panel_select(). */
    Result<Panel> select(const Options &options) const {
        return detail::made<Panel>(options, [&](const haploom_options *given, haploom_panel **panel) {
            return haploom_panel_select(get(), given, panel);
        });
    }
    /** The same haplotypes with other samples. See haploom_panel_with_samples(). */
    Result<Panel> with_samples(SamplesView samples) const {
        return detail::made<Panel>(
            [&](haploom_panel **panel) { return haploom_panel_with_samples(get(), samples.get(), panel); });
    }
    /** A panel of these people, then those of another panel at the same sites. See haploom_panel_append(). */
    Result<Panel> append(const Panel &other) const {
        return detail::made<Panel>(
            [&](haploom_panel **both) { return haploom_panel_append(get(), other.get(), both); });
    }
    /** Writes a file, whole or not at all. See haploom_panel_write(). */
    Result<void> write(const std::string &path, const Options &options = {}) const {
        return options.call([&](const haploom_options *given) {
            return haploom_panel_write(get(), path.c_str(), given);
        });
    }

private:
    static Error too_few(Span<const std::uint8_t> given) {
        return Error(HAPLOOM_INVALID_ARGUMENT, "the buffer has " + std::to_string(given.size()) +
                                                   " bytes, fewer than haplotypes, sites and strides ask for");
    }
    /** Makes `rest` a number. Whether the window lies inside. */
    bool settle(Window &window) const {
        const std::size_t haplotypes_here = haplotypes(), sites_here = sites().size();
        const bool inside = window.first_haplotype <= haplotypes_here && window.first_site <= sites_here;
        if (window.haplotypes == Window::rest && inside) window.haplotypes = haplotypes_here - window.first_haplotype;
        if (window.sites == Window::rest && inside) window.sites = sites_here - window.first_site;
        return inside && window.haplotypes <= haplotypes_here - window.first_haplotype &&
               window.sites <= sites_here - window.first_site;
    }
    /** What the library says of a window that is not inside. */
    Error outside(Window window) const { return to_bytes(window, {}, 1, 1).error(); }
};

// ---- Models ---------------------------------------------------------------------------------------------------------

/** A trained generator of haplotypes, bound to its sites. Immutable. */
class Model : public detail::Owner<haploom_model, haploom_model_free> {
public:
    using Owner::Owner;

    /** Trains a model of a kind: "rbm", "markov" or "bernoulli". See haploom_train(). */
    static Result<Model> train(const Panel &panel, const std::string &kind = "rbm", const Options &options = {}) {
        return detail::made<Model>(options, [&](const haploom_options *given, haploom_model **model) {
            return haploom_train(panel.get(), kind.c_str(), given, model);
        });
    }
    /** Opens a model file. See haploom_model_open(). */
    static Result<Model> open(const std::string &path) {
        return detail::made<Model>([&](haploom_model **model) { return haploom_model_open(path.c_str(), model); });
    }
    /** A model from the bytes of its file, copied. See haploom_model_from_bytes(). */
    static Result<Model> from_bytes(Span<const std::uint8_t> bytes) {
        return detail::made<Model>(
            [&](haploom_model **model) { return haploom_model_from_bytes(bytes.data(), bytes.size(), model); });
    }

    /** The bytes of the model's file. */
    Result<std::vector<std::uint8_t>> to_bytes() const {
        std::size_t needed = 0;
        auto done = detail::outcome(haploom_model_to_bytes(get(), nullptr, 0, &needed));
        std::vector<std::uint8_t> bytes(needed);
        if (done) done = detail::outcome(haploom_model_to_bytes(get(), bytes.data(), bytes.size(), nullptr));
        if (!done) return done.error();
        return bytes;
    }
    /** Writes a file, whole or not at all. See haploom_model_save(). */
    Result<void> save(const std::string &path) const {
        return detail::outcome(haploom_model_save(get(), path.c_str()));
    }

    /** As train() names it; empty if this is. Static. */
    std::string_view kind() const noexcept { return *this ? haploom_model_kind(get()) : ""; }
    /** Its sites, in order; they hold as long as the model. */
    SitesView sites() const & { return SitesView(haploom_model_sites(get())); }
    void sites() const && = delete;
    /** Its size, its training, what was measured, what it may leak. */
    InfoView info() const & { return InfoView(get()); }
    void info() const && = delete;
    /** The labels that haplotypes can be asked for, by the option `label` of a sampler. See haploom_model_label(). */
    LabelsView labels() const & { return LabelsView(get()); }
    void labels() const && = delete;

    /**
     * For each haplotype of the panel and each site of the model, the probability of the alternate allele given the
     * others: rows of haplotypes. See haploom_model_conditionals().
     */
    Result<std::vector<float>> conditionals(const Panel &panel, const Options &options = {}) const {
        std::vector<float> probabilities(panel.haplotypes() * sites().size());
        auto done = conditionals(panel, probabilities, options);
        if (!done) return done.error();
        return probabilities;
    }
    /** The same into a buffer of yours, of exactly as many numbers. */
    Result<void> conditionals(const Panel &panel, Span<float> probabilities, const Options &options = {}) const {
        return options.call([&](const haploom_options *given) {
            return haploom_model_conditionals(get(), panel.get(), given, probabilities.data(), probabilities.size());
        });
    }
};

// ---- Sampling and augmentation --------------------------------------------------------------------------------------

/** An artificial haplotype in the buffer of its loop, until the next step of it. */
class Haplotype {
public:
    Haplotype() = default;
    Haplotype(std::uint64_t number, const std::uint8_t *row, std::size_t sites, Packing packing) noexcept
        : number_(number), row_(row), sites_(sites), packing_(packing) {}
    /** Its number in the stream. */
    std::uint64_t number() const noexcept { return number_; }
    /** Number of sites. */
    std::size_t size() const noexcept { return sites_; }
    /** The allele at a site: 0 or 1. */
    std::uint8_t operator[](std::size_t site) const noexcept {
        assert(site < sites_);
        if (packing_ == Packing::bytes) return row_[site];
        return static_cast<std::uint8_t>((row_[site / 8] >> (site % 8)) & 1U);
    }
    /** All alleles as they lie: a byte each, or packed, lowest bit first, the bits after the last one 0. */
    Span<const std::uint8_t> row() const noexcept {
        return {row_, packing_ == Packing::bytes ? sites_ : (sites_ + 7) / 8};
    }
    Packing packing() const noexcept { return packing_; }
    detail::Iterator<Haplotype> begin() const { return {*this, 0}; }
    detail::Iterator<Haplotype> end() const { return {*this, sites_}; }

private:
    std::uint64_t number_ = 0;
    const std::uint8_t *row_ = nullptr;
    std::size_t sites_ = 0;
    Packing packing_ = Packing::bytes;
};

namespace detail {

/** A sampler being read by a loop, in a place of its own so that its range can be moved. */
struct Reading {
    haploom_sampler *sampler;
    std::uint64_t left;  // That are not in the buffer yet.
    Layout layout;
    Packing packing;
    std::size_t sites, row;
    std::vector<std::uint8_t> buffer{};
    std::uint64_t next = 0;  // The number of the haplotype to show next.
    std::size_t shown = 0, filled = 0;
    Haplotype haplotype{};
    std::optional<Error> error{};

    ~Reading() {
        if (shown < filled) haploom_sampler_seek(sampler, next);
    }
    bool step() {
        if (shown == filled && !fill()) return false;
        haplotype = Haplotype(next++, buffer.data() + shown++ * row, sites, packing);
        return true;
    }
    bool fill() {
        shown = filled = 0;
        if (left == 0 || error) return false;
        if (layout == Layout::sites)
            return fail(Error(HAPLOOM_INVALID_ARGUMENT, "the sampler's rows are sites: make it without layout=sites"));
        // As many at a time as the library makes, if they do not take much memory.
        const std::uint64_t most = row == 0 ? 0 : std::clamp<std::uint64_t>((1U << 24) / row, 1, 480);
        const std::size_t size = static_cast<std::size_t>(std::min(left, most)) * row;
        if (buffer.size() < size) buffer.resize(size);
        next = haploom_sampler_position(sampler);
        const haploom_status status = haploom_sampler_next(sampler, buffer.data(), size, &filled);
        if (status != HAPLOOM_OK) return fail(Error::last(status));
        left = filled == 0 ? 0 : left - filled;
        return filled != 0;
    }
    bool fail(Error why) {
        error = std::move(why);
        left = 0;
#ifdef HAPLOOM_EXCEPTIONS
        throw Exception(*error);
#else
        return false;
#endif
    }
};

}  // namespace detail

/**
 * The next haplotypes of a sampler, one by one: an input range, to be gone through once. It owns the buffer that they
 * lie in, and ends after the number that was asked for, at the end of the stream, or at an error: ask error() after the
 * loop. (With HAPLOOM_EXCEPTIONS an error is thrown out of the loop instead.)
 *
 * It reads ahead, so leave the sampler alone meanwhile; at the range's end the sampler stands after the last haplotype
 * that the loop has seen. The sampler has to live as long.
 */
class Haplotypes {
public:
    class iterator {
    public:
        using difference_type = std::ptrdiff_t;
        using value_type = Haplotype;
        using pointer = const Haplotype *;
        using reference = const Haplotype &;
        using iterator_category = std::input_iterator_tag;

        iterator() = default;
        reference operator*() const noexcept { return at_->haplotype; }
        pointer operator->() const noexcept { return &at_->haplotype; }
        iterator &operator++() {
            if (!at_->step()) at_ = nullptr;
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const iterator &a, const iterator &b) noexcept { return a.at_ == b.at_; }
        friend bool operator!=(const iterator &a, const iterator &b) noexcept { return a.at_ != b.at_; }

    private:
        friend class Haplotypes;
        explicit iterator(detail::Reading *at) : at_(at != nullptr && at->step() ? at : nullptr) {}
        detail::Reading *at_ = nullptr;
    };
    using const_iterator = iterator;

    /** Steps to the next haplotype. */
    iterator begin() { return iterator(state_.get()); }
    iterator end() const noexcept { return {}; }
    /** What ended the loop too early; NULL if nothing did. */
    const Error *error() const noexcept { return state_ && state_->error ? &*state_->error : nullptr; }

private:
    friend class Sampler;
    explicit Haplotypes(std::unique_ptr<detail::Reading> state) noexcept : state_(std::move(state)) {}
    std::unique_ptr<detail::Reading> state_;
};

/** A stream of a model's haplotypes. One thread at a time may use it. */
class Sampler : public detail::Owner<haploom_sampler, haploom_sampler_free> {
public:
    /** As many as there are. */
    static constexpr std::uint64_t all = std::numeric_limits<std::uint64_t>::max();

    Sampler() = default;
    /** Takes over a sampler that was made with these options `layout` and `packing`. */
    explicit Sampler(haploom_sampler *handle, Layout layout = Layout::haplotypes,
                     Packing packing = Packing::bytes) noexcept
        : Owner(handle), layout_(layout), packing_(packing) {}

    /** Haplotypes of a model from number 0 on. See haploom_sampler_new(). */
    static Result<Sampler> make(const Model &model, const Options &options = {}) {
        return make(model, nullptr, options);
    }
    /** The same, with haplotypes that the chains of an RBM start from. */
    static Result<Sampler> make(const Model &model, const Panel &start, const Options &options = {}) {
        return make(model, start.get(), options);
    }

    /** The sites of the haplotypes: those of the model inside the region. They hold as long as the sampler. */
    SitesView sites() const & { return SitesView(haploom_sampler_sites(get())); }
    void sites() const && = delete;
    /** What the rows of next() and fill() are. */
    Layout layout() const noexcept { return layout_; }
    Packing packing() const noexcept { return packing_; }
    /** The number of the next haplotype. */
    std::uint64_t position() const noexcept { return haploom_sampler_position(get()); }
    /** The number of the haplotype at which the stream ends. See haploom_sampler_end(). */
    std::uint64_t end() const noexcept { return haploom_sampler_end(get()); }
    /** Goes to haplotype number i. INVALID_ARGUMENT past the end of the stream. */
    Result<void> seek(std::uint64_t i) { return detail::outcome(haploom_sampler_seek(get(), i)); }
    /** Bytes of a buffer that takes so many haplotypes at once; 0 where a size_t cannot say it. */
    std::size_t buffer_size(std::size_t haplotypes) const noexcept {
        return haploom_sampler_buffer_size(get(), haplotypes);
    }

    /** Fills a buffer with the next haplotypes: as many as fit, 0 at the stream's end. See haploom_sampler_next(). */
    Result<std::size_t> next(Span<std::uint8_t> buffer) {
        std::size_t n = 0;
        if (haploom_status status = haploom_sampler_next(get(), buffer.data(), buffer.size(), &n); status != HAPLOOM_OK)
            return Error::last(status);
        return n;
    }
    /**
     * Puts the next haplotypes into a buffer, rows `stride` bytes apart (0: without gaps), and leaves what is between
     * rows as it is: the buffer may be columns of a larger matrix. Answers with their number, which is smaller than
     * `haplotypes` at the stream's end. See haploom_sampler_fill().
     */
    Result<std::size_t> fill(std::size_t haplotypes, Span<std::uint8_t> buffer, std::size_t stride = 0) {
        std::size_t n = 0;
        const haploom_status status =
            haploom_sampler_fill(get(), haplotypes, buffer.data(), buffer.size(), stride, &n);
        if (status != HAPLOOM_OK) return Error::last(status);
        return n;
    }

    /** The next n haplotypes one by one, for a loop. The sampler's rows have to be haplotypes. */
    Haplotypes haplotypes(std::uint64_t n = all) & {
        const std::size_t count = sites().size();
        const std::size_t row = packing_ == Packing::bits ? count / 8 + (count % 8 != 0) : count;
        return Haplotypes(std::unique_ptr<detail::Reading>(
            new detail::Reading{get(), n, layout_, packing_, count, row}));
    }
    void haplotypes(std::uint64_t n = all) && = delete;

    /** The next haplotypes as a panel of people. See haploom_sampler_panel(). */
    Result<Panel> panel(std::size_t haplotypes, const Options &options = {}) {
        return detail::made<Panel>(options, [&](const haploom_options *given, haploom_panel **panel) {
            return haploom_sampler_panel(get(), haplotypes, given, panel);
        });
    }
    /** Writes the next haplotypes to a file, whole or not at all. See haploom_sampler_write(). */
    Result<void> write(std::size_t haplotypes, const std::string &path, const Options &options = {}) {
        return options.call([&](const haploom_options *given) {
            return haploom_sampler_write(get(), haplotypes, path.c_str(), given);
        });
    }
    /** Writes the records of a file with the next haplotypes appended as people. See haploom_augment(). */
    Result<void> augment(std::size_t haplotypes, const std::string &input, const std::string &output,
                         const Options &options = {}) {
        return options.call([&](const haploom_options *given) {
            return haploom_augment(get(), haplotypes, input.c_str(), output.c_str(), given);
        });
    }

private:
    static Result<Sampler> make(const Model &model, const haploom_panel *start, const Options &options) {
        auto made = detail::made<Sampler>(options, [&](const haploom_options *given, haploom_sampler **sampler) {
            return haploom_sampler_new(model.get(), start, given, sampler);
        });
        if (made && options.get() != nullptr) {
            made->layout_ = options.text("layout").value_or("") == "sites" ? Layout::sites : Layout::haplotypes;
            made->packing_ = options.text("packing").value_or("") == "bits" ? Packing::bits : Packing::bytes;
        }
        return made;
    }

    Layout layout_ = Layout::haplotypes;
    Packing packing_ = Packing::bytes;
};

// ---- Imputation -----------------------------------------------------------------------------------------------------

/** Haplotypes with their untyped sites filled. */
struct Imputed {
    std::size_t haplotypes = 0, sites = 0, typed_sites = 0;
    /** Expected alternate alleles, 0 to 1, at every site: a row a haplotype. */
    std::vector<float> dosages;
    /** The same at typed sites from all other typed sites alone, NaN where an allele is missing: a row a haplotype. */
    std::vector<float> left_out;

    /** The dosages of haplotype h, and what is told of its typed sites without them. */
    Span<const float> dosages_of(std::size_t h) const & { return rows(dosages, sites)[h]; }
    void dosages_of(std::size_t h) const && = delete;
    Span<const float> left_out_of(std::size_t h) const & { return rows(left_out, typed_sites)[h]; }
    void left_out_of(std::size_t h) const && = delete;

private:
    Rows<float> rows(const std::vector<float> &of, std::size_t columns) const noexcept {
        return {of.data(), haplotypes, columns};
    }
};

/** Fills untyped sites from a panel, a model or both. Immutable. */
class Imputer : public detail::Owner<haploom_imputer, haploom_imputer_free> {
public:
    using Owner::Owner;
    /** A missing allele of impute(). */
    static constexpr std::int8_t missing = -1;

    /** Imputes from a panel. See haploom_imputer_new(). */
    static Result<Imputer> make(const Panel &panel, const Options &options = {}) {
        return make(panel.get(), nullptr, options);
    }
    /** Imputes from what a model knows. */
    static Result<Imputer> make(const Model &model, const Options &options = {}) {
        return make(nullptr, model.get(), options);
    }
    /** Imputes from a panel, and from artificial haplotypes of a model as far as they help. */
    static Result<Imputer> make(const Panel &panel, const Model &model, const Options &options = {}) {
        // Without one of them the library would impute from the other.
        if (!panel) return Error(HAPLOOM_INVALID_ARGUMENT, "panel is empty (moved from?)");
        if (!model) return Error(HAPLOOM_INVALID_ARGUMENT, "model is empty (moved from?)");
        return make(panel.get(), model.get(), options);
    }

    /** The sites that are imputed, in order. They hold as long as the imputer. */
    SitesView sites() const & { return SitesView(haploom_imputer_sites(get())); }
    void sites() const && = delete;

    /**
     * Imputes haplotypes in memory. `typed`: the numbers of the typed sites among sites(), rising. `alleles`: 0, 1 or
     * `missing` for each haplotype and typed site, a row a haplotype, rows without gaps: as many haplotypes as there
     * are alleles for. See haploom_imputer_impute().
     */
    Result<Imputed> impute(Span<const std::int8_t> alleles, Span<const std::size_t> typed,
                           const Options &options = {}) const {
        const std::size_t n = typed.empty() ? 0 : alleles.size() / typed.size();
        if (n * typed.size() != alleles.size())
            return Error(HAPLOOM_INVALID_ARGUMENT, std::to_string(alleles.size()) + " alleles are no haplotypes at " +
                                                       std::to_string(typed.size()) + " typed sites");
        Imputed imputed{n, sites().size(), typed.size(), {}, {}};
        imputed.dosages.resize(n * imputed.sites);
        imputed.left_out.resize(alleles.size());
        auto done = impute(alleles, n, 0, typed, imputed.dosages, imputed.left_out, options);
        if (!done) return done.error();
        return imputed;
    }
    /**
     * The same from rows `stride` alleles apart (0: without gaps), into buffers of yours, rows without gaps: `dosages`
     * haplotypes x sites, `left_out` haplotypes x typed sites or empty. INVALID_ARGUMENT also for buffers that are too
     * small.
     */
    Result<void> impute(Span<const std::int8_t> alleles, std::size_t haplotypes, std::size_t stride,
                        Span<const std::size_t> typed, Span<float> dosages, Span<float> left_out,
                        const Options &options = {}) const {
        const std::size_t count = sites().size();
        if (stride == 0) stride = typed.size();
        if (!detail::reaches(alleles.size(), haplotypes, stride, typed.size(), 1))
            return too_small("alleles", alleles.size());
        if (!detail::reaches(dosages.size(), haplotypes, count, count, 1)) return too_small("dosages", dosages.size());
        if (!left_out.empty() && !detail::reaches(left_out.size(), haplotypes, typed.size(), typed.size(), 1))
            return too_small("left_out", left_out.size());
        return options.call([&](const haploom_options *given) {
            return haploom_imputer_impute(get(), alleles.data(), haplotypes, stride, typed.data(), typed.size(),
                                          dosages.data(), left_out.empty() ? nullptr : left_out.data(), given);
        });
    }
    /** Imputes a file of phased people into another. See haploom_imputer_impute_file(). */
    Result<void> impute_file(const std::string &target, const std::string &output, const Options &options = {}) const {
        return options.call([&](const haploom_options *given) {
            return haploom_imputer_impute_file(get(), target.c_str(), output.c_str(), given);
        });
    }
    /** Writes a table of whom the haplotypes of a file were copied from. See haploom_imputer_paint_file(). */
    Result<void> paint_file(const std::string &target, const std::string &output, const Options &options = {}) const {
        return options.call([&](const haploom_options *given) {
            return haploom_imputer_paint_file(get(), target.c_str(), output.c_str(), given);
        });
    }

private:
    static Result<Imputer> make(const haploom_panel *panel, const haploom_model *model, const Options &options) {
        return detail::made<Imputer>(options, [&](const haploom_options *given, haploom_imputer **imputer) {
            return haploom_imputer_new(panel, model, given, imputer);
        });
    }
    static Error too_small(const char *what, std::size_t size) {
        return Error(HAPLOOM_INVALID_ARGUMENT, std::string(what) + " has " + std::to_string(size) +
                                                   " elements, fewer than haplotypes and sites ask for");
    }
};

// ---- Encoding and evaluation ----------------------------------------------------------------------------------------

/** Haplotypes in the latent space of an RBM or of a variational autoencoder. Immutable. */
class Encoding : public detail::Owner<haploom_encoding, haploom_encoding_free> {
public:
    using Owner::Owner;

    /** Encodes the haplotypes of a panel. See haploom_encode(). */
    static Result<Encoding> make(const Model &model, const Panel &panel, const Options &options = {}) {
        return detail::made<Encoding>(options, [&](const haploom_options *given, haploom_encoding **encoding) {
            return haploom_encode(model.get(), panel.get(), given, encoding);
        });
    }

    /** Number of haplotypes, of hidden units, and of components: `components` of the options at most. */
    std::size_t haplotypes() const noexcept { return haploom_encoding_haplotypes(get()); }
    std::size_t hidden_units() const noexcept { return haploom_encoding_hidden_units(get()); }
    std::size_t components() const noexcept { return haploom_encoding_components(get()); }
    /** Means of the hidden units, or of a vae's latent numbers, a row a haplotype. */
    Rows<float> hidden() const & { return {haploom_encoding_hidden(get()), haplotypes(), hidden_units()}; }
    void hidden() const && = delete;
    /** Projections, a row a haplotype, the component of the largest singular value first. */
    Rows<float> projections() const & { return {haploom_encoding_projections(get()), haplotypes(), components()}; }
    void projections() const && = delete;
    /** Singular values of the weights, or standard deviations of a vae's latent distribution, one a component, falling. */
    Span<const double> singular_values() const & { return {haploom_encoding_singular_values(get()), components()}; }
    void singular_values() const && = delete;
};

/** How close artificial haplotypes are to real ones, and how much leaks. Immutable. */
class Evaluation : public detail::Owner<haploom_evaluation, haploom_evaluation_free> {
public:
    using Owner::Owner;
    /** Haplotypes of each panel (held_out: 0 without), and the sites that all share. */
    struct Sizes {
        std::size_t real = 0, artificial = 0, held_out = 0, sites = 0;
    };

    /** Compares. See haploom_evaluate(). */
    static Result<Evaluation> make(const Panel &real, const Panel &artificial, const Options &options = {}) {
        return make(real, artificial, nullptr, options);
    }
    /** Compares, with people that the model was not trained on: numbers have their floors then, leaks are measured. */
    static Result<Evaluation> make(const Panel &real, const Panel &artificial, const Panel &held_out,
                                   const Options &options = {}) {
        return make(real, artificial, held_out.get(), options);
    }

    /** All its numbers. */
    MetricsView metrics() const & { return MetricsView(get()); }
    void metrics() const && = delete;
    /** A number by its name, such as "ld_r". UNKNOWN_NAME if there is none. It holds as long as the evaluation. */
    Result<Metric> metric(const std::string &name) const & {
        const haploom_status status =
            haploom_evaluation_get(get(), name.c_str(), nullptr, nullptr, nullptr, nullptr);
        if (status == HAPLOOM_OK)
            for (Metric metric : metrics())
                if (metric.name == name) return metric;
        return Error::last(status);
    }
    void metric(const std::string &name) const && = delete;
    /** How many haplotypes and sites were compared. */
    Sizes sizes() const noexcept {
        Sizes sizes;
        haploom_evaluation_sizes(get(), &sizes.real, &sizes.artificial, &sizes.held_out, &sizes.sites);
        return sizes;
    }
    /** All of it as JSON. */
    std::string json() const {
        return detail::text([&](char *to, std::size_t size) { return haploom_evaluation_json(get(), to, size); });
    }
    /** All of it as a table for people to read. */
    std::string table() const {
        return detail::text([&](char *to, std::size_t size) { return haploom_evaluation_table(get(), to, size); });
    }

private:
    static Result<Evaluation> make(const Panel &real, const Panel &artificial, const haploom_panel *held_out,
                                   const Options &options) {
        return detail::made<Evaluation>(options, [&](const haploom_options *given, haploom_evaluation **evaluation) {
            return haploom_evaluate(real.get(), artificial.get(), held_out, given, evaluation);
        });
    }
};

// ---- Version --------------------------------------------------------------------------------------------------------

/** The version of the library that is running, as HAPLOOM_VERSION_NUMBER. */
inline std::int32_t version() noexcept { return haploom_version(); }
/** The same as text, such as "0.1.0". */
inline std::string_view version_string() noexcept { return haploom_version_string(); }
/** HAPLOOM_ABI of the library that is running. */
inline std::int32_t abi() noexcept { return haploom_abi(); }
/** Which devices option `device` takes on this machine, a line each: its name, a tab, and what it is. */
inline std::string devices() {
    return detail::text([](char *to, std::size_t size) { return haploom_devices(to, size); });
}
/** What the library was built with, in a line. */
inline std::string_view build_info() noexcept { return haploom_build_info(); }

}  // namespace HAPLOOM_HPP_MANNER
}  // namespace haploom

#ifdef __cpp_lib_ranges
template <class T> inline constexpr bool std::ranges::enable_view<haploom::Span<T>> = true;
template <class T> inline constexpr bool std::ranges::enable_borrowed_range<haploom::Span<T>> = true;
template <class Of> inline constexpr bool std::ranges::enable_view<haploom::ListView<Of>> = true;
template <class Of> inline constexpr bool std::ranges::enable_borrowed_range<haploom::ListView<Of>> = true;
template <> inline constexpr bool std::ranges::enable_view<haploom::SitesView> = true;
template <> inline constexpr bool std::ranges::enable_borrowed_range<haploom::SitesView> = true;
template <> inline constexpr bool std::ranges::enable_view<haploom::SamplesView> = true;
template <> inline constexpr bool std::ranges::enable_borrowed_range<haploom::SamplesView> = true;
#endif

#undef HAPLOOM_HPP_MANNER

#endif  // HAPLOOM_HPP
