// Panels, sites, samples, and the views of them.
#include "check.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <iterator>
#include <numeric>
#ifdef WITH_RANGES
#include <ranges>
#include <span>
#endif

using haploom::Layout;
using haploom::Panel;
using haploom::Sample;
using haploom::Samples;
using haploom::SamplesView;
using haploom::Site;
using haploom::Sites;
using haploom::SitesView;
using haploom::Span;
using haploom::Window;
using Bytes = std::vector<std::uint8_t>;

static_assert(!std::is_copy_constructible_v<Panel> && !std::is_copy_assignable_v<Panel>);
static_assert(std::is_nothrow_move_constructible_v<Panel> && std::is_nothrow_move_assignable_v<Panel>);
static_assert(std::is_trivially_copyable_v<SitesView> && std::is_trivially_copyable_v<Span<int>>);
static_assert(std::is_convertible_v<const Bytes &, Span<const std::uint8_t>>);
static_assert(!std::is_convertible_v<const Bytes &, Span<std::uint8_t>>);
static_assert(!std::is_convertible_v<std::vector<float> &, Span<double>>);
#ifdef WITH_RANGES
static_assert(std::ranges::random_access_range<SitesView> && std::ranges::sized_range<SamplesView>);
static_assert(std::ranges::view<SitesView> && std::ranges::borrowed_range<SamplesView>);
static_assert(std::ranges::contiguous_range<Span<float>> && std::ranges::view<Span<float>>);
static_assert(std::is_convertible_v<Span<const float>, std::span<const float>>);
static_assert(std::is_convertible_v<std::span<float>, Span<const float>>);
#endif

static void spans() {
    int array[] = {1, 2, 3};
    Span<int> span = array;
    span[1] = 5;
    CHECK(span.size() == 3 && array[1] == 5 && std::accumulate(span.begin(), span.end(), 0) == 9);
    const std::array<double, 2> two = {1.5, 2.5};
    Span<const double> constant = two;
    CHECK(constant.data() == two.data() && constant.size() == 2 && !constant.empty() && Span<int>().empty());
    const float numbers[] = {1, 2, 3, 4, 5, 6};
    haploom::Rows<float> rows(numbers, 2, 3);
    CHECK(rows.rows() == 2 && rows.columns() == 3 && rows[1][2] == 6 && rows[1].size() == 3 && rows.data() == numbers);
#ifdef WITH_RANGES
    std::span<int> standard = span;
    Span<const int> back = standard;
    CHECK(back.data() == array && back.size() == 3);
#endif
}

static void sites_of_a_panel() {
    const SitesView sites = demo().sites();
    CHECK(sites.size() == 800 && !sites.empty() && sites.get() == haploom_panel_sites(demo().get()));
    std::size_t n = 0;
    std::uint64_t last = 0;
    for (auto site : sites) {
        CHECK(site.contig == "1" && site.position > last && site.reference.size() == 1 && site.alternate.size() == 1);
        last = site.position;
        ++n;
    }
    CHECK(n == 800 && sites.back().position == last && sites.front().position == sites[0].position);
    // A binary search, as in any sorted container.
    const auto at = std::lower_bound(sites.begin(), sites.end(), std::uint64_t{2000000},
                                     [](const Site &site, std::uint64_t position) { return site.position < position; });
    CHECK(at->position >= 2000000 && (at - 1)->position < 2000000 && at[0].position == (*at).position);
    const Site fifth = sites[5];
    const std::string reference(fifth.reference), alternate(fifth.alternate);
    CHECK(sites.find("1", fifth.position, reference, alternate) == std::size_t{5});
    CHECK(!sites.find("1", fifth.position, alternate, reference));
    CHECK(!sites.find("2", fifth.position, reference, alternate));
    CHECK(!sites.find("1", last + 1, reference, alternate) && !SitesView().find("1", 1, "A", "C"));
    auto i = sites.begin();
    CHECK((i + 5) - i == 5 && (5 + i)->position == sites[5].position && i < i + 1 && i + 1 > i && i <= i && i >= i);
    CHECK(i++->position == sites[0].position && i->position == sites[1].position);
    CHECK((--i)->position == sites[0].position && i == sites.begin() && i != sites.end());
    CHECK(i--->position == sites[0].position && (i += 2)->position == sites[1].position && (i -= 1) == sites.begin());
    const std::vector<Site> copies(sites.begin(), sites.end());
    CHECK(copies.size() == 800 && copies[799].position == last);
    CHECK(SitesView().empty() && SitesView().begin() == SitesView().end() && SitesView(nullptr).empty());
#ifdef WITH_RANGES
    auto early = sites | std::views::filter([](const Site &site) { return site.position < 20000; });
    CHECK(std::ranges::distance(early | std::views::take(1)) == 1 && early.front().position == sites[0].position);
    CHECK((*std::ranges::lower_bound(sites, 2000000U, {}, &Site::position)).position == at->position);
    CHECK((*(sites | std::views::reverse).begin()).position == last);
#endif
}

static void samples_of_a_panel() {
    const SamplesView samples = demo().samples();
    CHECK(samples.size() == 600);
    std::size_t haplotype = 0;
    for (const Sample &sample : samples) {
        CHECK(sample.ploidy == 2 && sample.first_haplotype == haplotype && sample.label && sample.label->size() == 3);
        haplotype += sample.ploidy;
    }
    CHECK(haplotype == demo().haplotypes());
    const std::string name(samples[17].name);
    CHECK(samples.find(name) == std::size_t{17} && !samples.find("nobody") && !SamplesView().find(name));
}

static void alleles() {
    const Panel &panel = demo();
    const std::size_t haplotypes = panel.haplotypes(), sites = panel.sites().size();
    const Bytes rows = take(panel.bytes());
    CHECK(rows.size() == haplotypes * sites);
    const Bytes turned = take(panel.bytes({}, Layout::sites));
    const Bytes bits = take(panel.bits());
    const Bytes turned_bits = take(panel.bits({}, Layout::sites));
    const std::vector<double> frequencies = take(panel.frequencies());
    for (std::size_t s = 0; s < sites; ++s) {
        std::size_t carriers = 0;
        for (std::size_t h = 0; h < haplotypes; ++h) {
            const std::uint8_t allele = rows[h * sites + s];
            carriers += allele;
            CHECK(allele == turned[s * haplotypes + h]);
            CHECK(allele == (bits[h * ((sites + 7) / 8) + s / 8] >> s % 8 & 1));
            CHECK(allele == (turned_bits[s * ((haplotypes + 7) / 8) + h / 8] >> h % 8 & 1));
        }
        CHECK(std::abs(frequencies[s] - static_cast<double>(carriers) / static_cast<double>(haplotypes)) < 1e-12);
    }

    // A window, and the rest from somewhere on.
    const Bytes window = take(panel.bytes({3, 2, 10, 5}));
    CHECK(window.size() == 10 && std::memcmp(window.data() + 5, &rows[4 * sites + 10], 5) == 0);
    CHECK(take(panel.bytes({haplotypes - 1})).size() == sites);
    CHECK(take(panel.bits({0, Window::rest, sites - 9, Window::rest})).size() == haplotypes * 2);
    CHECK(failed(panel.bytes({haplotypes, 1}), HAPLOOM_INVALID_ARGUMENT));
    CHECK(failed(panel.bytes({haplotypes + 1}), HAPLOOM_INVALID_ARGUMENT));
    CHECK(failed(panel.bits({0, 1, sites - 1, 2}), HAPLOOM_INVALID_ARGUMENT));
    CHECK(failed(panel.bytes({Window::rest, Window::rest, 1, Window::rest - 1}), HAPLOOM_INVALID_ARGUMENT));

    // A buffer of one's own, with room between the rows.
    Bytes own(2 * 100, 77);
    CHECK(panel.to_bytes({3, 2, 10, 5}, own, 100, 2));
    CHECK(own[0] == window[0] && own[102] == window[6] && own[1] == 77 && own[99] == 77);
    CHECK(panel.to_bits({0, 2, 0, 8}, own, 100));
    CHECK(own[100] == bits[(sites + 7) / 8] && own[99] == 77);
    CHECK(failed(panel.to_bytes({3, 2, 10, 5}, Span<std::uint8_t>(own.data(), 9), 5, 1), HAPLOOM_INVALID_ARGUMENT));
    CHECK(failed(panel.to_bits({}, own, 1000), HAPLOOM_INVALID_ARGUMENT));

    // The same panel from each of them.
    const std::string fingerprint = panel.fingerprint();
    CHECK(fingerprint.size() == 64);
    const SitesView at = panel.sites();
    CHECK(take(Panel::from_bytes(at, panel.samples(), rows)).fingerprint() == fingerprint);
    CHECK(take(Panel::from_bytes(at, {}, turned, Layout::sites)).fingerprint() == fingerprint);
    CHECK(take(Panel::from_bits(at, {}, bits, haplotypes)).fingerprint() == fingerprint);
    CHECK(take(Panel::from_bits(at, {}, turned_bits, haplotypes, Layout::sites)).fingerprint() == fingerprint);
    const Panel nameless = take(Panel::from_bytes(at, {}, rows, haplotypes, sites, 1));
    CHECK(nameless.samples()[1].name == "sample_1");
    // Every second haplotype, by the stride.
    CHECK(take(Panel::from_bytes(at, {}, rows, haplotypes / 2, 2 * sites, 1)).haplotypes() == haplotypes / 2);
    const std::size_t two_rows = 2 * ((sites + 7) / 8);
    CHECK(take(take(Panel::from_bits(at, {}, bits, haplotypes / 2, Layout::haplotypes, two_rows)).bits({1, 1})) ==
          take(panel.bits({2, 1})));
    const Span<const std::uint8_t> short_bits(bits.data(), bits.size() - 1), short_rows(rows.data(), rows.size() - 1);
    CHECK(failed(Panel::from_bits(at, {}, short_bits, haplotypes), HAPLOOM_INVALID_ARGUMENT, "fewer"));
    CHECK(failed(Panel::from_bytes(at, {}, short_rows, haplotypes, sites, 1), HAPLOOM_INVALID_ARGUMENT, "fewer"));
    CHECK(failed(Panel::from_bytes(at, {}, rows, haplotypes, ~std::size_t{0}, 1), HAPLOOM_INVALID_ARGUMENT));
    CHECK(failed(Panel::from_bytes(at, {}, rows, ~std::size_t{0}, sites, 1), HAPLOOM_INVALID_ARGUMENT));
    CHECK(failed(Panel::from_bits(at, {}, bits, ~std::size_t{0}, Layout::sites), HAPLOOM_INVALID_ARGUMENT));
    CHECK(!Panel::from_bytes(at, {}, Span<const std::uint8_t>()) && !Panel::from_bytes({}, {}, rows));
}

static void own_sites_and_samples() {
    const std::vector<Site> described = {
        {"2", 100, "rs1", "A", "C"}, {"2", 150, "", "AT", "A"}, {"X", 3, "rs3", "G", "T"}};
    Sites sites = take(Sites::make(described));
    CHECK(sites.view().size() == 3 && sites.view()[1].position == 150 && sites.view()[1].id.empty());
    CHECK(sites.view()[1].reference == "AT" && sites.view()[2].contig == "X" && sites.view()[0].id == "rs1");
    // Texts need no 0 at their end.
    const std::string_view line = "1 1000 A G";
    const Site parsed[] = {{line.substr(0, 1), 1000, {}, line.substr(7, 1), line.substr(9, 1)}};
    const Sites from_line = take(Sites::make(parsed));
    CHECK(from_line.view()[0].contig == "1" && from_line.view()[0].alternate == "G");
    CHECK(failed(Sites::make({}), HAPLOOM_EMPTY));
    const std::vector<Site> unsorted = {described[1], described[0]};
    CHECK(failed(Sites::make(unsorted), HAPLOOM_UNSORTED));

    Sample haploid;
    haploid.name = "her";
    haploid.ploidy = 1;
    Sample him;
    him.name = "him";
    him.label = "ABC";
    const Sample people[] = {haploid, him};
    Samples samples = take(Samples::make(people));
    CHECK(samples.view()[0].ploidy == 1 && !samples.view()[0].label && *samples.view()[1].label == "ABC");
    CHECK(samples.view()[1].first_haplotype == 1);
    const Sample twice[] = {him, him};
    CHECK(failed(Samples::make(twice), HAPLOOM_DUPLICATE, "him"));

    const Bytes alleles = {0, 1, 0, 1, 1, HAPLOOM_MISSING_ALLELE, 0, 0, 1};
    Panel panel = take(Panel::from_bytes(sites, samples, alleles));
    CHECK(panel.haplotypes() == 3 && panel.missing() == 1 && panel.unphased() == 0 && panel.samples()[0].name == "her");
    CHECK(take(panel.bytes()) == alleles);
    CHECK(failed(panel.bits(), HAPLOOM_MISSING));
    const Bytes two = {0, 1, 0, 2, 1, 0};
    CHECK(failed(Panel::from_bytes(sites, {}, two), HAPLOOM_INVALID_ARGUMENT));

    Sample alone = him;
    alone.ploidy = 1;
    CHECK(failed(panel.with_samples(take(Samples::make(Span<const Sample>(&alone, 1)))), HAPLOOM_INVALID_ARGUMENT));
    Sample third = him;
    third.name = "third";
    third.ploidy = 1;
    const Sample renamed[] = {third, him};
    const Samples names = take(Samples::make(renamed));
    const Panel other_names = take(panel.with_samples(names));
    CHECK(other_names.samples().find("third") == std::size_t{0} && other_names.fingerprint() == panel.fingerprint());

    // Moved from, and to itself.
    Sites moved = std::move(sites);
    CHECK(!sites && sites.view().empty() && moved.view().size() == 3);
    Sites &same = moved;
    moved = std::move(same);
    CHECK(moved.view().size() == 3);
    CHECK(failed(Panel::from_bytes(sites, {}, alleles, 1, 1, 1), HAPLOOM_INVALID_ARGUMENT, "sites"));
    Samples people_moved = std::move(samples);
    CHECK(samples.view().empty() && people_moved.view().size() == 2);
    Sites adopted(moved.release());
    CHECK(adopted && !moved && adopted.view().size() == 3);
}

static void files() {
    const Panel part = take(demo().select("region=1:1-500000"));
    CHECK(part.sites().size() < 800 && part.sites().back().position <= 500000);
    CHECK(part.write("part.bcf"));
    Panel back = take(Panel::open("part.bcf"));
    CHECK(back.fingerprint() == part.fingerprint());
    const Panel smaller = take(Panel::open(std::string("part.bcf"), "region=1:1-100000"));
    CHECK(!smaller.sites().empty() && smaller.sites().size() < part.sites().size());
    CHECK(part.write("part.txt", haploom::Options().set("format", "vcf").set("index", false)));
    CHECK(take(Panel::open("part.txt")).fingerprint() == part.fingerprint());
    CHECK(failed(part.write("part.txt"), HAPLOOM_UNKNOWN_FORMAT));
    CHECK(failed(Panel::open("part.bcf", "region=7:1-2"), HAPLOOM_REGION));
    CHECK(failed(demo().select("samples=nobody"), HAPLOOM_UNKNOWN_NAME, "nobody"));
    CHECK(failed(Panel::demo(static_cast<haploom::Demo>(99)), HAPLOOM_INVALID_ARGUMENT));

    // The bytes of a file, which errors call as they are told to.
    std::ifstream file("part.bcf", std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const Bytes bytes(text.begin(), text.end());
    CHECK(take(Panel::open_bytes(bytes, "memory")).fingerprint() == part.fingerprint());
    CHECK(take(Panel::open_bytes(bytes, "memory", "region=1:1-100000")).fingerprint() == smaller.fingerprint());
    CHECK(failed(Panel::open_bytes({bytes.data(), bytes.size() / 2}, "memory"), HAPLOOM_TRUNCATED, "memory"));
    CHECK(failed(Panel::open_bytes({}, "nothing"), HAPLOOM_TRUNCATED, "nothing"));
    CHECK(failed(Panel::open_bytes(bytes, "memory", "epochs=3"), HAPLOOM_UNKNOWN_OPTION, "epochs"));
}

static void appending() {
    const Panel train = take(Panel::demo(haploom::Demo::train)), held_out = take(Panel::demo(haploom::Demo::held_out));
    const Panel both = take(train.append(held_out));
    CHECK(held_out.samples().size() == 300 && both.samples().size() == 900 && both.haplotypes() == 1800);
    CHECK(both.samples()[600].name == held_out.samples()[0].name && both.samples()[600].first_haplotype == 1200);
    CHECK(take(both.bytes({0, 1200})) == take(train.bytes()) && take(both.bytes({1200})) == take(held_out.bytes()));
    CHECK(failed(train.append(train), HAPLOOM_DUPLICATE, std::string(train.samples()[0].name)));
    const Panel part = take(held_out.select("region=1:1-500000"));
    CHECK(failed(train.append(part), HAPLOOM_NO_OVERLAP));
    CHECK(failed(train.append(Panel()), HAPLOOM_INVALID_ARGUMENT));
    CHECK(failed(Panel().append(train), HAPLOOM_INVALID_ARGUMENT));
}

static void owners() {
    Panel panel = take(Panel::demo());
    // Views follow the handle, not the object.
    const SitesView sites = panel.sites();
    const std::string_view name = panel.samples()[0].name;
    const std::string first(name);
    const std::uint64_t position = sites[0].position;
    Panel moved = std::move(panel);
    CHECK(sites[0].position == position && sites.get() == moved.sites().get() && name == first);
    std::vector<Panel> many;
    many.push_back(std::move(moved));
    many.push_back(Panel());
    many.reserve(100);
    std::swap(many[0], many[1]);
    CHECK(sites[0].position == position && sites.get() == many[1].sites().get());

    // Moved from: nothing there, and every call says so.
    CHECK(!panel && panel.get() == nullptr && panel.haplotypes() == 0 && panel.sites().empty());
    CHECK(panel.samples().empty() && panel.missing() == 0 && panel.unphased() == 0 && panel.fingerprint().empty());
    CHECK(failed(panel.bytes(), HAPLOOM_INVALID_ARGUMENT, "NULL") && failed(panel.bits(), HAPLOOM_INVALID_ARGUMENT));
    CHECK(failed(panel.frequencies(), HAPLOOM_INVALID_ARGUMENT) && failed(panel.select({}), HAPLOOM_INVALID_ARGUMENT));
    CHECK(failed(panel.write("x.bcf"), HAPLOOM_INVALID_ARGUMENT));
    CHECK(failed(panel.with_samples({}), HAPLOOM_INVALID_ARGUMENT));
    panel = take(Panel::demo(haploom::Demo::held_out));
    CHECK(panel && panel.haplotypes() == 600);
    Panel &self = panel;
    panel = std::move(self);
    CHECK(panel.haplotypes() == 600);

    haploom_panel *handle = panel.release();
    CHECK(!panel && haploom_panel_haplotypes(handle) == 600);
    Panel adopted(handle);
    CHECK(adopted.get() == handle && adopted.haplotypes() == 600);
}

void panels() {
    spans();
    sites_of_a_panel();
    samples_of_a_panel();
    alleles();
    own_sites_and_samples();
    files();
    appending();
    owners();
}
