// Models, samplers and their loops, encodings and evaluations.
#include "check.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <thread>
#ifdef WITH_RANGES
#include <ranges>
#endif

using haploom::Encoding;
using haploom::Evaluation;
using haploom::Haplotype;
using haploom::Haplotypes;
using haploom::Layout;
using haploom::Model;
using haploom::Options;
using haploom::Packing;
using haploom::Panel;
using haploom::Sampler;
using Bytes = std::vector<std::uint8_t>;

static_assert(!std::is_copy_constructible_v<Model> && std::is_nothrow_move_constructible_v<Model>);
static_assert(!std::is_copy_constructible_v<Sampler> && std::is_nothrow_move_assignable_v<Sampler>);
static_assert(!std::is_copy_constructible_v<Haplotypes> && std::is_nothrow_move_constructible_v<Haplotypes>);
static_assert(std::is_same_v<std::iterator_traits<Haplotypes::iterator>::iterator_category, std::input_iterator_tag>);
#ifdef WITH_RANGES
static_assert(std::ranges::input_range<Haplotypes> && !std::ranges::forward_range<Haplotypes>);
static_assert(std::ranges::random_access_range<const Haplotype>);
#endif

// Whether a loop that cannot begin says why.
static bool refuses(Haplotypes haplotypes, haploom_status status) {
#ifdef HAPLOOM_EXCEPTIONS
    try {
        for (const auto &haplotype : haplotypes) (void)haplotype;
    } catch (const haploom::Exception &exception) {
        return exception.error().status() == status && haplotypes.error() != nullptr;
    }
    return false;
#else
    std::size_t n = 0;
    for (const auto &haplotype : haplotypes) n += haplotype.size();
    return n == 0 && haplotypes.error() && haplotypes.error()->status() == status;
#endif
}

static void model_files() {
    const Model &model = markov();
    CHECK(model.kind() == "markov" && model.sites().size() == 800);
    CHECK(model.save("markov.safetensors"));
    const Bytes bytes = take(model.to_bytes());
    CHECK(!bytes.empty() && take(take(Model::open("markov.safetensors")).to_bytes()) == bytes);
    Model copy = take(Model::from_bytes(bytes));
    CHECK(take(copy.to_bytes()) == bytes);
    CHECK(failed(Model::open("/nowhere/model"), HAPLOOM_IO, "/nowhere/model"));
    CHECK(failed(Model::from_bytes(haploom::Span<const std::uint8_t>(bytes.data(), bytes.size() - 1)),
                 HAPLOOM_MODEL_CORRUPT));
    CHECK(failed(Model::train(demo(), "perceptron"), HAPLOOM_INVALID_ARGUMENT, "perceptron"));
    CHECK(take(Model::train(demo(), "bernoulli")).kind() == "bernoulli");
    std::size_t known = 0;
    for (const haploom::Info &info : rbm().info()) {
        CHECK(!info.name.empty());
        known += !info.value.empty();
    }
    CHECK(known > 3 && known <= rbm().info().size());

    const std::vector<float> known_well = take(rbm().conditionals(demo()));
    CHECK(known_well.size() == demo().haplotypes() * 800);
    CHECK(std::all_of(known_well.begin(), known_well.end(), [](float p) { return p >= 0 && p <= 1; }));
    std::vector<float> own(known_well.size());
    CHECK(rbm().conditionals(demo(), own, "threads=2") && own == known_well);
    CHECK(failed(rbm().conditionals(demo(), haploom::Span<float>(own.data(), 5)), HAPLOOM_INVALID_ARGUMENT));

    // A view of a model that moved; and what is left behind.
    const haploom::SitesView sites = copy.sites();
    const std::string_view name = copy.info()[0].name;
    Model moved = std::move(copy);
    CHECK(sites.get() == moved.sites().get() && sites[799].position == model.sites()[799].position);
    CHECK(name == model.info()[0].name);
    CHECK(!copy && copy.kind().empty() && copy.sites().empty() && copy.info().empty() && copy.labels().empty());
    CHECK(failed(copy.to_bytes(), HAPLOOM_INVALID_ARGUMENT) && failed(copy.save("x"), HAPLOOM_INVALID_ARGUMENT));
    CHECK(failed(copy.conditionals(demo()), HAPLOOM_INVALID_ARGUMENT));
    CHECK(failed(Sampler::make(copy), HAPLOOM_INVALID_ARGUMENT, "model"));
    CHECK(failed(Model::train(Panel(), "markov"), HAPLOOM_INVALID_ARGUMENT, "panel"));
    Model &self = moved;
    moved = std::move(self);
    CHECK(moved.kind() == "markov");
}

// A model that knows labels, and streams of several of them.
static void labels() {
    CHECK(markov().labels().empty());
    const char *tiny = "updates=2,looks=1,batch=8,latent=4";
    const Model model = take(Model::train(few_sites(), "gan", tiny));
    CHECK(model.kind() == "gan" && model.labels().size() == 3);
    double sum = 0;
    std::string names;
    for (const haploom::Label &label : model.labels()) {
        CHECK(label.share > 0);
        sum += label.share;
        names.append(label.name).append(" ");
    }
    CHECK(names == "AFR EAS EUR " && std::abs(sum - 1) < 1e-9);
    Sampler sampler = take(Sampler::make(model, Options().set("label", "EUR=6,AFR=4")));
    CHECK(sampler.end() == 10);
    std::size_t n = 0;
    for (const auto &haplotype : sampler.haplotypes()) n += haplotype.size() > 0;
    CHECK(n == 10 && sampler.seek(0));
    const Panel people = take(sampler.panel(10));
    CHECK(people.samples()[2].label == "EUR" && people.samples()[3].label == "AFR");
    CHECK(failed(sampler.panel(2), HAPLOOM_INVALID_ARGUMENT, "10 haplotypes"));
    CHECK(failed(Sampler::make(model, Options().set("label", "EUR=6,XXX=4")), HAPLOOM_UNKNOWN_NAME, "XXX"));
    CHECK(failed(Sampler::make(model, Options().set("label", "EUR=6,AFR")), HAPLOOM_INVALID_OPTION, "AFR"));
    CHECK(take(Sampler::make(model, Options().set("label", "EUR"))).end() == std::uint64_t{1} << 48);
}

// Haplotypes number 0 to n - 1 of the Markov model, a byte for each allele.
static Bytes first_haplotypes(std::size_t n) {
    Sampler sampler = take(Sampler::make(markov()));
    Bytes bytes(sampler.buffer_size(n));
    CHECK(bytes.size() == n * 800 && take(sampler.next(bytes)) == n);
    return bytes;
}

static void loops() {
    const Bytes expected = first_haplotypes(1000);
    const Sampler of_bits = take(Sampler::make(markov(), "packing=bits"));
    CHECK(of_bits.packing() == Packing::bits && of_bits.layout() == Layout::haplotypes);
    CHECK(of_bits.buffer_size(3) == 300 && of_bits.buffer_size(~std::size_t{0}) == 0);
    for (const char *packing : {"bytes", "bits"}) {
        Sampler sampler = take(Sampler::make(markov(), Options().set("packing", packing)));
        std::uint64_t n = 0;
        auto haplotypes = sampler.haplotypes(1000);
        for (const auto &haplotype : haplotypes) {
            CHECK(haplotype.number() == n && haplotype.size() == 800);
            const std::uint8_t *row = &expected[n * 800];
            CHECK(haplotype[0] == row[0] && haplotype[799] == row[799]);
            CHECK(std::equal(haplotype.begin(), haplotype.end(), row));
            CHECK(haplotype.row().size() == (haplotype.packing() == Packing::bits ? 100 : 800));
            ++n;
        }
        CHECK(n == 1000 && !haplotypes.error() && sampler.position() == 1000);
    }

    // Leaving early puts the sampler where the loop was; the next loop goes on from there.
    Sampler sampler = take(Sampler::make(markov()));
    for (const auto &haplotype : sampler.haplotypes())
        if (haplotype.number() == 4) break;
    CHECK(sampler.position() == 5);
    CHECK(sampler.haplotypes(1).begin()->number() == 5 && sampler.position() == 6);
    {
        // The range may be moved, and the sampler object too: what counts is the handle.
        Haplotypes range = sampler.haplotypes(3);
        auto at = range.begin();
        Haplotypes elsewhere = std::move(range);
        Sampler moved = std::move(sampler);
        CHECK(at->number() == 6 && (++at)->number() == 7);
        at++;
        CHECK((*at).number() == 8 && at != elsewhere.end());
        CHECK(std::memcmp(at->row().data(), &expected[8 * 800], 800) == 0);
        CHECK(++at == elsewhere.end() && !elsewhere.error() && !range.error() && range.begin() == range.end());
        sampler = std::move(moved);
    }
    CHECK(sampler.position() == 9);
    // Not a single step.
    { Haplotypes untouched = sampler.haplotypes(3); }
    for (const auto &haplotype : sampler.haplotypes(0)) CHECK(haplotype.size() == 12345);
    CHECK(sampler.position() == 9);

    // The stream's end is the loop's, without an error.
    Sampler finite = take(Sampler::make(markov(), "haplotypes=500"));
    std::size_t n = 0;
    auto all = finite.haplotypes();
    for (const auto &haplotype : all) n += haplotype.size() / 800;
    CHECK(n == 500 && !all.error() && finite.position() == 500);
    for (const auto &haplotype : finite.haplotypes()) CHECK(haplotype.size() == 12345);
    Bytes buffer(800);
    CHECK(take(finite.next(buffer)) == 0);
    CHECK(failed(finite.seek(501), HAPLOOM_INVALID_ARGUMENT, "500") && finite.seek(499));
    CHECK(take(finite.next(buffer)) == 1 && std::memcmp(buffer.data(), &expected[499 * 800], 800) == 0);
    CHECK(take(finite.next(buffer)) == 0 && finite.seek(0));
    CHECK(failed(finite.next(haploom::Span<std::uint8_t>(buffer.data(), 799)), HAPLOOM_INVALID_ARGUMENT, "800"));

    // Loops are over haplotypes, not over sites; and over a sampler, not over none.
    Sampler by_site = take(Sampler::make(markov(), "layout=sites,packing=bits"));
    CHECK(by_site.layout() == Layout::sites);
    CHECK(refuses(by_site.haplotypes(3), HAPLOOM_INVALID_ARGUMENT));
    CHECK(by_site.position() == 0);
    Bytes rows(by_site.buffer_size(1000));
    CHECK(rows.size() == 800 * 125 && take(by_site.next(rows)) == 1000);
    for (std::size_t s = 0; s < 800; ++s)
        for (std::size_t h = 0; h < 1000; ++h) CHECK((rows[s * 125 + h / 8] >> h % 8 & 1) == expected[h * 800 + s]);
    Sampler gone = std::move(by_site);
    CHECK(refuses(by_site.haplotypes(3), HAPLOOM_INVALID_ARGUMENT));
    CHECK(refuses(by_site.haplotypes(0), HAPLOOM_INVALID_ARGUMENT) == false);
#ifdef WITH_RANGES
    Sampler stream = take(Sampler::make(markov()));
    std::uint64_t sum = 0;
    for (std::uint64_t number : stream.haplotypes() | std::views::take(7) | std::views::transform(&Haplotype::number))
        sum += number;
    CHECK(sum == 21);
#endif
}

static void samplers() {
    // A region, and a start panel.
    Sampler part = take(Sampler::make(markov(), "region=1:1-500000"));
    CHECK(part.sites().size() < 800 && part.sites().back().position <= 500000);
    const Panel start = take(Panel::demo(haploom::Demo::held_out));
    CHECK(take(take(Sampler::make(rbm(), start, "sample_sweeps=1")).panel(4)).haplotypes() == 4);
    CHECK(failed(Sampler::make(rbm(), take(part.panel(2))), HAPLOOM_NO_OVERLAP));
    CHECK(failed(Sampler::make(markov(), "region=7"), HAPLOOM_REGION, "7"));
    CHECK(failed(Sampler::make(markov(), "sample_sweeps=1"), HAPLOOM_UNKNOWN_OPTION, "sample_sweeps"));
    CHECK(failed(Model::train(demo(), "markov", "checkpoint=folder"), HAPLOOM_UNKNOWN_OPTION, "checkpoint"));

    Sampler sampler = take(Sampler::make(markov()));
    const Panel people = take(sampler.panel(10, "prefix=NEW"));
    CHECK(people.haplotypes() == 10 && people.samples()[4].name == "NEW_4" && sampler.position() == 10);
    CHECK(take(people.bytes()) == first_haplotypes(10));
    CHECK(failed(sampler.panel(3), HAPLOOM_INVALID_ARGUMENT));
    CHECK(sampler.seek(0) && sampler.write(10, "new.bcf", "prefix=NEW"));
    CHECK(take(Panel::open("new.bcf")).fingerprint() == people.fingerprint());

    CHECK(demo().write("real.bcf") && sampler.seek(0));
    double written = 0;
    Options options = Options("prefix=NEW").on_progress([&](const haploom::Event &event) {
        if (event.kind() == HAPLOOM_EVENT_MEASURED && event.text() == "written") written = event.value();
    });
    CHECK(sampler.augment(10, "real.bcf", "augmented.bcf", options));
    const Panel augmented = take(Panel::open("augmented.bcf"));
    CHECK(written == 800 && augmented.haplotypes() == demo().haplotypes() + 10);
    CHECK(take(augmented.bytes({demo().haplotypes()})) == first_haplotypes(10));
    CHECK(failed(sampler.augment(2, "/nowhere", "x.bcf"), HAPLOOM_IO, "/nowhere"));

    Sampler moved = std::move(sampler);
    CHECK(!sampler && sampler.sites().empty() && sampler.position() == 0 && sampler.buffer_size(5) == 0);
    Bytes buffer(800);
    CHECK(failed(sampler.next(buffer), HAPLOOM_INVALID_ARGUMENT) && failed(sampler.seek(1), HAPLOOM_INVALID_ARGUMENT));
    CHECK(failed(sampler.fill(1, buffer), HAPLOOM_INVALID_ARGUMENT));
    CHECK(failed(sampler.panel(2), HAPLOOM_INVALID_ARGUMENT));
    CHECK(failed(sampler.write(2, "x.bcf"), HAPLOOM_INVALID_ARGUMENT));
    CHECK(failed(sampler.augment(2, "real.bcf", "x.bcf"), HAPLOOM_INVALID_ARGUMENT));
    Sampler &self = moved;
    moved = std::move(self);
    CHECK(moved.sites().size() == 800);
    Sampler adopted(moved.release(), Layout::haplotypes, Packing::bytes);
    CHECK(adopted.seek(3) && adopted.haplotypes(1).begin()->number() == 3);
}

// A wanted number of haplotypes, into a part of a matrix.
static void filling() {
    const Bytes expected = first_haplotypes(40);
    const std::size_t sites = 800;

    // Columns of bits behind 3 bytes of others, and before 1 more.
    const std::size_t real = 3, stride = real + 3 + 1;
    Sampler by_site = take(Sampler::make(markov(), "layout=sites,packing=bits,haplotypes=40"));
    Bytes matrix(sites * stride, 0xa5);
    const haploom::Span<std::uint8_t> columns(matrix.data() + real, matrix.size() - real);
    CHECK(take(by_site.fill(20, columns, stride)) == 20 && by_site.position() == 20);
    for (std::size_t s = 0; s < sites; ++s) {
        const std::uint8_t *row = &matrix[s * stride];
        CHECK(row[0] == 0xa5 && row[1] == 0xa5 && row[2] == 0xa5 && row[stride - 1] == 0xa5);
        for (std::size_t h = 0; h < 20; ++h) CHECK((row[real + h / 8] >> h % 8 & 1) == expected[h * sites + s]);
        CHECK(row[real + 2] >> 4 == 0);
    }

    // What does not fit is refused, says what would, and changes neither buffer nor stream.
    const Bytes before = matrix;
    CHECK(failed(by_site.fill(20, columns, 2), HAPLOOM_INVALID_ARGUMENT, "a row fills 3 bytes"));
    const std::size_t needed = (sites - 1) * stride + 3;
    const haploom::Span<std::uint8_t> short_by_one(columns.data(), needed - 1);
    CHECK(failed(by_site.fill(20, short_by_one, stride), HAPLOOM_INVALID_ARGUMENT, std::to_string(needed)));
    CHECK(failed(by_site.fill(20, columns, ~std::size_t{0}), HAPLOOM_INVALID_ARGUMENT));
    CHECK(failed(by_site.fill(20, {}), HAPLOOM_INVALID_ARGUMENT));
    CHECK(by_site.position() == 20 && matrix == before);
    CHECK(take(by_site.fill(20, {columns.data(), needed}, stride)) == 20);
    CHECK((matrix[real] & 1) == expected[20 * sites]);

    // The stream's end: fewer, then none.
    CHECK(by_site.seek(30) && take(by_site.fill(20, columns, stride)) == 10 && by_site.position() == 40);
    CHECK((matrix[real + 1] & 3) == (expected[38 * sites] | expected[39 * sites] << 1));
    CHECK(take(by_site.fill(20, columns, stride)) == 0 && take(by_site.fill(20, {})) == 0);

    // Without gaps it is what next() gives; rows of haplotypes, a byte each, further apart.
    Sampler sampler = take(Sampler::make(markov()));
    Bytes rows(sampler.buffer_size(40));
    CHECK(take(sampler.fill(40, rows)) == 40 && rows == expected && sampler.seek(7));
    Bytes apart(2 * 1000, 77);
    CHECK(take(sampler.fill(2, apart, 1000)) == 2 && std::memcmp(&apart[1000], &expected[8 * sites], sites) == 0);
    CHECK(apart[799] == expected[7 * sites + 799] && apart[800] == 77 && apart[999] == 77 && apart[1999] == 77);
    CHECK(take(sampler.fill(0, {})) == 0 && sampler.position() == 9);
    CHECK(failed(sampler.fill(1, apart, 799), HAPLOOM_INVALID_ARGUMENT, "799"));
}

// A sampler at work refuses other calls, and goes on as if they had not been.
static void reentering() {
    Sampler sampler = take(Sampler::make(markov()));
    Bytes buffer(800);
    int refused = 0;
    const Options options = Options().on_progress([&](const haploom::Event &) {
        const char *says = "in use by another call";
        CHECK(failed(sampler.next(buffer), HAPLOOM_INVALID_ARGUMENT, says));
        CHECK(failed(sampler.fill(1, buffer), HAPLOOM_INVALID_ARGUMENT, says));
        CHECK(failed(sampler.seek(0), HAPLOOM_INVALID_ARGUMENT, says));
        CHECK(failed(sampler.panel(2), HAPLOOM_INVALID_ARGUMENT, says));
        CHECK(refuses(sampler.haplotypes(1), HAPLOOM_INVALID_ARGUMENT));
        CHECK(sampler.sites().size() == 800);
        ++refused;
    });
    CHECK(sampler.write(10, "reentered.bcf", options) && refused > 0 && sampler.position() == 10);
    CHECK(take(take(Panel::open("reentered.bcf")).bytes()) == first_haplotypes(10));
    CHECK(take(sampler.next(buffer)) == 1);
}

// The cancel handle of the options that a sampler was made with stops each of its calls.
static void cancelling_a_sampler() {
    const haploom::Cancel cancel;
    Sampler sampler = take(Sampler::make(markov(), Options().cancel_with(cancel)));
    const std::size_t n = 2000;
    Bytes buffer(sampler.buffer_size(n));
    CHECK(take(sampler.next(buffer)) == n);
    // Whenever the other thread asks, the call at that time or the next one stops, and the stream is where that began.
    std::thread other([&] { cancel.request(); });
    std::uint64_t before = 0;
    haploom::Result<std::size_t> made = n;
    while (made) {
        before = sampler.position();
        made = sampler.next(buffer);
    }
    other.join();
    CHECK(failed(made, HAPLOOM_CANCELLED) && sampler.position() == before && before % n == 0);
    CHECK(failed(sampler.fill(n, buffer), HAPLOOM_CANCELLED) && failed(sampler.panel(10), HAPLOOM_CANCELLED));
    CHECK(failed(sampler.write(10, "cancelled.bcf"), HAPLOOM_CANCELLED));
    CHECK(failed(Panel::open("cancelled.bcf"), HAPLOOM_IO));
    CHECK(refuses(sampler.haplotypes(n), HAPLOOM_CANCELLED));
    cancel.reset();
    CHECK(sampler.position() == before && sampler.seek(0) && take(sampler.next(buffer)) == n);
    CHECK(std::equal(buffer.begin(), buffer.begin() + 800 * 10, first_haplotypes(10).begin()));
}

static void encodings() {
    Encoding encoding = take(Encoding::make(rbm(), demo(), "components=3"));
    CHECK(encoding.haplotypes() == demo().haplotypes() && encoding.hidden_units() == 20 && encoding.components() == 3);
    const auto hidden = encoding.hidden(), projections = encoding.projections();
    CHECK(hidden.rows() == encoding.haplotypes() && hidden.columns() == 20 && hidden[0].size() == 20);
    CHECK(hidden.data() == haploom_encoding_hidden(encoding.get()) && hidden[7][3] == hidden.data()[7 * 20 + 3]);
    CHECK(projections.columns() == 3 && std::isfinite(projections[encoding.haplotypes() - 1][2]));
    const auto values = encoding.singular_values();
    CHECK(values.size() == 3 && values[0] >= values[1] && values[1] >= values[2] && values[2] >= 0);
    CHECK(failed(Encoding::make(markov(), demo()), HAPLOOM_INVALID_ARGUMENT));
    Encoding moved = std::move(encoding);
    CHECK(moved.hidden().data() == hidden.data());
    CHECK(encoding.haplotypes() == 0 && encoding.hidden().rows() == 0 && encoding.singular_values().empty());
    CHECK(encoding.projections().columns() == 0);
}

static void evaluations() {
    Sampler sampler = take(Sampler::make(markov()));
    const Panel artificial = take(sampler.panel(400));
    const Panel held_out = take(Panel::demo(haploom::Demo::held_out));
    const char *quick = "aats_draws=1,aats_most=200,triplets=100,transport_most=200";
    Evaluation evaluation = take(Evaluation::make(demo(), artificial, held_out, quick));
    const Evaluation::Sizes sizes = evaluation.sizes();
    CHECK(sizes.real == demo().haplotypes() && sizes.artificial == 400 && sizes.sites == 800);
    CHECK(sizes.held_out > 0 && sizes.held_out <= 600);
    CHECK(evaluation.metrics().size() > 5);
    for (const haploom::Metric &metric : evaluation.metrics()) {
        CHECK(!metric.name.empty() && !metric.title.empty());
        const haploom::Metric same = take(evaluation.metric(std::string(metric.name)));
        CHECK(same.title == metric.title && (same.value == metric.value || std::isnan(metric.value)));
    }
    const haploom::Metric ld = take(evaluation.metric("ld_r"));
    CHECK(ld.value > 0 && ld.value <= 1 && ld.floor > 0);
    CHECK(std::isfinite(take(evaluation.metric("privacy_loss")).value));
    CHECK(failed(evaluation.metric("beauty"), HAPLOOM_UNKNOWN_NAME, "ld_r"));
    CHECK(contains(evaluation.json(), "\"ld_r\"") && evaluation.table().size() > 100);
    const Evaluation without = take(Evaluation::make(demo(), artificial, quick));
    CHECK(without.sizes().held_out == 0 && std::isnan(take(without.metric("ld_r")).floor));

    Evaluation moved = std::move(evaluation);
    CHECK(moved.metrics().size() > 5 && evaluation.metrics().empty() && evaluation.json().empty());
    CHECK(evaluation.table().empty() && evaluation.sizes().real == 0);
    CHECK(failed(evaluation.metric("ld_r"), HAPLOOM_INVALID_ARGUMENT));
    CHECK(failed(Evaluation::make(demo(), Panel()), HAPLOOM_INVALID_ARGUMENT));
}

void models() {
    model_files();
    labels();
    loops();
    samplers();
    filling();
    reentering();
    cancelling_a_sampler();
    encodings();
    evaluations();
}
