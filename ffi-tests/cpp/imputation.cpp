// Imputers: from a panel, a model and both, in memory and of files; paintings.
#include "check.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <thread>

using haploom::Imputed;
using haploom::Imputer;
using haploom::Model;
using haploom::Options;
using haploom::Panel;
using Alleles = std::vector<std::int8_t>;
using Numbers = std::vector<std::size_t>;

static_assert(!std::is_copy_constructible_v<Imputer> && std::is_nothrow_move_constructible_v<Imputer>);

// Held-out people, and what of them is typed: each tenth site, from the fifth.
struct Target {
    Panel people, array;
    std::vector<std::uint8_t> truth;
    Numbers typed;
    Alleles alleles;
    std::size_t haplotypes = 0, sites = 0;
};

static Target make_target() {
    Target target;
    target.people = take(Panel::demo(haploom::Demo::held_out));
    target.truth = take(target.people.bytes());
    target.haplotypes = target.people.haplotypes();
    target.sites = target.people.sites().size();
    std::vector<haploom::Site> sites;
    for (std::size_t s = 5; s < target.sites; s += 10) {
        target.typed.push_back(s);
        sites.push_back(target.people.sites()[s]);
    }
    std::vector<std::uint8_t> bytes;
    for (std::size_t h = 0; h < target.haplotypes; ++h)
        for (std::size_t s : target.typed) {
            bytes.push_back(target.truth[h * target.sites + s]);
            target.alleles.push_back(static_cast<std::int8_t>(bytes.back()));
        }
    target.array = take(Panel::from_bytes(take(haploom::Sites::make(sites)), target.people.samples(), bytes));
    CHECK(target.array.write("target.bcf"));
    return target;
}

static const Target &target() {
    static const Target made = make_target();
    return made;
}

// The mean squared distance of dosages from the truth, over all sites.
static double distance(const std::vector<float> &dosages) {
    double sum = 0;
    for (std::size_t i = 0; i < dosages.size(); ++i) sum += std::pow(dosages[i] - target().truth[i], 2);
    return sum / static_cast<double>(dosages.size());
}

static void in_memory() {
    const Target &t = target();
    const Imputer imputer = take(Imputer::make(demo()));
    CHECK(imputer.sites().size() == t.sites && imputer.sites()[7].position == demo().sites()[7].position);
    std::map<std::string, double> told;
    const Options listening = Options().on_progress([&](const haploom::Event &event) {
        if (event.kind() == HAPLOOM_EVENT_MEASURED) told[std::string(event.text())] = event.value();
    });
    const Imputed imputed = take(imputer.impute(t.alleles, t.typed, listening));
    CHECK(told["effective_size"] > 0 && told["error"] > 0 && told["error"] < 0.5);
    CHECK(told.count("artificial_weight") == 0);
    CHECK(imputed.haplotypes == t.haplotypes && imputed.sites == t.sites && imputed.typed_sites == t.typed.size());
    CHECK(imputed.dosages.size() == t.haplotypes * t.sites && imputed.left_out.size() == t.alleles.size());
    CHECK(std::all_of(imputed.dosages.begin(), imputed.dosages.end(), [](float d) { return d >= 0 && d <= 1; }));
    CHECK(imputed.dosages_of(3).data() == &imputed.dosages[3 * t.sites] && imputed.dosages_of(3).size() == t.sites);
    CHECK(imputed.left_out_of(3).data() == &imputed.left_out[3 * t.typed.size()]);

    // Nearer to the truth than a site's frequency.
    const Imputer by_frequency = take(Imputer::make(take(Model::train(demo(), "bernoulli"))));
    const Imputed plain = take(by_frequency.impute(t.alleles, t.typed));
    const std::vector<double> frequencies = take(demo().frequencies());
    for (std::size_t s = 0; s < t.sites; ++s) CHECK(std::fabs(plain.dosages[s] - frequencies[s]) < 0.01);
    CHECK(distance(imputed.dosages) < 0.6 * distance(plain.dosages));

    // Buffers of ours: rows apart, what lies between is not read; threads and the rest of the call change nothing.
    const std::size_t stride = t.typed.size() + 3, few = 7;
    Alleles apart(few * stride - 3, 77);
    for (std::size_t h = 0; h < few; ++h)
        std::copy_n(&t.alleles[h * t.typed.size()], t.typed.size(), &apart[h * stride]);
    std::vector<float> dosages(few * t.sites, -1), left_out(few * t.typed.size(), -1);
    const Imputer threaded = take(Imputer::make(demo(), "threads=2"));
    CHECK(threaded.impute(apart, few, stride, t.typed, dosages, left_out, "threads=2"));
    CHECK(std::equal(dosages.begin(), dosages.end(), imputed.dosages.begin()));
    CHECK(std::equal(left_out.begin(), left_out.end(), imputed.left_out.begin()));
    std::fill(dosages.begin(), dosages.end(), -1.0F);
    CHECK(imputer.impute(t.alleles, few, 0, t.typed, dosages, {}));
    CHECK(std::equal(dosages.begin(), dosages.end(), imputed.dosages.begin()));

    // A missing allele is imputed as any other site, and has nothing to be held against.
    Alleles holes(t.alleles.begin(), t.alleles.begin() + static_cast<std::ptrdiff_t>(t.typed.size()));
    holes[2] = Imputer::missing;
    const Imputed filled = take(imputer.impute(holes, t.typed));
    CHECK(std::isnan(filled.left_out[2]) && std::isfinite(filled.left_out[1]));
    CHECK(std::fabs(filled.dosages[t.typed[2]] - imputed.left_out[2]) < 1e-4);

    // Nothing typed is no haplotype in one call, and the frequency of the panel in the other.
    CHECK(take(imputer.impute(Alleles(), Numbers())).haplotypes == 0);
    CHECK(imputer.impute(Alleles(), 1, 0, Numbers(), dosages, {}));
    CHECK(std::fabs(dosages[3] - frequencies[3]) < 0.01);

    // What is wrong is said, and buffers stay as they are.
    const std::vector<float> before = dosages;
    CHECK(failed(imputer.impute(Alleles(t.typed.size() + 1), t.typed), HAPLOOM_INVALID_ARGUMENT, "no haplotypes"));
    CHECK(failed(imputer.impute(t.alleles, t.haplotypes + 1, 0, t.typed, dosages, {}), HAPLOOM_INVALID_ARGUMENT,
                 "alleles"));
    CHECK(failed(imputer.impute(t.alleles, few + 1, 0, t.typed, dosages, {}), HAPLOOM_INVALID_ARGUMENT, "dosages"));
    CHECK(failed(imputer.impute(t.alleles, few, 0, t.typed, dosages, haploom::Span<float>(left_out.data(), 3)),
                 HAPLOOM_INVALID_ARGUMENT, "left_out"));
    CHECK(failed(imputer.impute(t.alleles, few, 3, t.typed, dosages, {}), HAPLOOM_INVALID_ARGUMENT, "stride"));
    CHECK(failed(imputer.impute(t.alleles, ~std::size_t{0}, 0, t.typed, dosages, {}), HAPLOOM_INVALID_ARGUMENT));
    CHECK(failed(imputer.impute(Alleles{0, 2}, Numbers{3, 4}), HAPLOOM_INVALID_ARGUMENT, "allele 2"));
    CHECK(failed(imputer.impute(Alleles{0, 1}, Numbers{4, 3}), HAPLOOM_INVALID_ARGUMENT, "rise"));
    CHECK(failed(imputer.impute(Alleles{0, 1}, Numbers{3, t.sites}), HAPLOOM_INVALID_ARGUMENT));
    CHECK(failed(imputer.impute(t.alleles, t.typed, "epochs=3"), HAPLOOM_UNKNOWN_OPTION, "epochs"));
    CHECK(dosages == before);
}

static void what_from() {
    const Target &t = target();
    const Alleles two(t.alleles.begin(), t.alleles.begin() + static_cast<std::ptrdiff_t>(2 * t.typed.size()));
    const Options quick("impute_chains=4,impute_sweeps=4");
    const Imputer from_model = take(Imputer::make(rbm(), quick));
    CHECK(from_model.sites().size() == t.sites);
    CHECK(take(from_model.impute(two, t.typed)).dosages.size() == 2 * t.sites);
    CHECK(failed(Imputer::make(markov()), HAPLOOM_INVALID_ARGUMENT, "markov"));

    // Both: the weight that artificial haplotypes get is told, or given.
    double weight = -1;
    const Options listening = Options().on_progress([&](const haploom::Event &event) {
        if (event.kind() == HAPLOOM_EVENT_MEASURED && event.text() == "artificial_weight") weight = event.value();
    });
    Imputer both = take(Imputer::make(demo(), rbm(), "artificial=50"));
    CHECK(both.impute(two, t.typed, listening) && weight >= 0 && weight <= 1);
    const Imputer ignoring = take(Imputer::make(demo(), rbm(), "artificial=50,artificial_weight=0"));
    const Imputed alone = take(take(Imputer::make(demo())).impute(two, t.typed));
    const Imputed same = take(ignoring.impute(two, t.typed));
    for (std::size_t i = 0; i < same.dosages.size(); ++i) CHECK(std::fabs(same.dosages[i] - alone.dosages[i]) < 1e-4);
    CHECK(failed(Imputer::make(demo(), Model()), HAPLOOM_INVALID_ARGUMENT, "model is empty"));
    CHECK(failed(Imputer::make(Panel(), rbm()), HAPLOOM_INVALID_ARGUMENT, "panel is empty"));
    CHECK(failed(Imputer::make(Panel()), HAPLOOM_INVALID_ARGUMENT));
    CHECK(failed(Imputer::make(Model()), HAPLOOM_INVALID_ARGUMENT));
    CHECK(failed(Imputer::make(demo(), "map=/nowhere.map"), HAPLOOM_IO, "/nowhere.map"));
    CHECK(failed(Imputer::make(demo(), "epochs=3"), HAPLOOM_UNKNOWN_OPTION, "epochs"));

    // It outlives what it was made of; what is left behind when it moves is empty.
    const haploom::SitesView sites = both.sites();
    Imputer moved = std::move(both);
    CHECK(sites.get() == moved.sites().get() && sites[3].position == demo().sites()[3].position);
    CHECK(!both && both.sites().empty());
    CHECK(failed(both.impute(two, t.typed), HAPLOOM_INVALID_ARGUMENT, "imputer"));
    CHECK(failed(both.impute_file("target.bcf", "x.bcf"), HAPLOOM_INVALID_ARGUMENT, "imputer"));
    CHECK(failed(both.paint_file("target.bcf", "x.tsv"), HAPLOOM_INVALID_ARGUMENT, "imputer"));
}

static void files() {
    const Target &t = target();
    const Imputer imputer = take(Imputer::make(demo()));
    std::map<std::string, double> told;
    const Options options = Options("overlap=20").on_progress([&](const haploom::Event &event) {
        if (event.kind() == HAPLOOM_EVENT_MEASURED) told[std::string(event.text())] = event.value();
    });
    CHECK(imputer.impute_file("target.bcf", "imputed.bcf", options));
    const double people = static_cast<double>(t.people.samples().size()), typed = static_cast<double>(t.typed.size());
    CHECK(told["people"] == people && told["typed"] == typed && told["typed_only"] == 0 && told["missing"] == 0);
    CHECK(told["imputed"] == static_cast<double>(t.sites) - typed && told["left_out_r2"] > 0.1);
    // Typed alleles are as they were, and most of the others right.
    const Panel imputed = take(Panel::open("imputed.bcf"));
    const std::vector<std::uint8_t> alleles = take(imputed.bytes());
    CHECK(imputed.haplotypes() == t.haplotypes && imputed.sites().size() == t.sites);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < alleles.size(); ++i) wrong += alleles[i] != t.truth[i];
    for (std::size_t h = 0; h < t.haplotypes; ++h)
        for (std::size_t s : t.typed) CHECK(alleles[h * t.sites + s] == t.truth[h * t.sites + s]);
    CHECK(wrong > 0 && wrong < alleles.size() / 10);
    CHECK(failed(imputer.impute_file("/nowhere.bcf", "x.bcf"), HAPLOOM_IO, "/nowhere.bcf"));
    CHECK(failed(imputer.impute_file("target.bcf", "x.hap"), HAPLOOM_UNKNOWN_FORMAT, "x.hap"));
    CHECK(failed(imputer.impute_file("target.bcf", "x.bcf", "region=1:1-9"), HAPLOOM_EMPTY));
    CHECK(failed(Panel::open("x.bcf"), HAPLOOM_IO));

    told.clear();
    const Options painting = Options("contigs=match").on_progress([&](const haploom::Event &event) {
        if (event.kind() == HAPLOOM_EVENT_MEASURED) told[std::string(event.text())] = event.value();
    });
    CHECK(imputer.paint_file("target.bcf", "painting.tsv", painting));
    std::ifstream table("painting.tsv");
    std::string line;
    std::size_t lines = 0;
    CHECK(std::getline(table, line) && contains(line, "sample\thaplotype\t"));
    while (std::getline(table, line)) ++lines;
    CHECK(lines >= t.haplotypes && told["stretches"] == static_cast<double>(lines));
    CHECK(failed(imputer.paint_file("target.bcf", "/nowhere/x.tsv"), HAPLOOM_IO, "/nowhere"));
    CHECK(failed(take(Imputer::make(rbm())).paint_file("target.bcf", "x.tsv"), HAPLOOM_INVALID_ARGUMENT));
}

// One imputer for many threads: each gets what one thread gets.
static void many_threads() {
    const Target &t = target();
    const Imputer imputer = take(Imputer::make(demo()));
    const Alleles part(t.alleles.begin(), t.alleles.begin() + static_cast<std::ptrdiff_t>(20 * t.typed.size()));
    const std::vector<float> alone = take(imputer.impute(part, t.typed)).dosages;
    std::vector<std::thread> threads;
    for (int n = 0; n < 4; ++n)
        threads.emplace_back([&] { CHECK(take(imputer.impute(part, t.typed)).dosages == alone); });
    for (std::thread &thread : threads) thread.join();
}

void imputation() {
    in_memory();
    what_from();
    files();
    many_threads();
}
