// Results, options, events, cancelling, and what progress functions throw.
#include "check.hpp"

#include <atomic>
#include <chrono>
#include <set>
#include <thread>
#ifdef __cpp_exceptions
#include <stdexcept>
#endif

using haploom::Cancel;
using haploom::Error;
using haploom::Event;
using haploom::Model;
using haploom::Options;
using haploom::Panel;
using haploom::Result;

static_assert(std::is_copy_constructible_v<Options> && std::is_nothrow_move_constructible_v<Options>);
static_assert(std::is_copy_assignable_v<Options> && std::is_nothrow_move_assignable_v<Options>);
static_assert(!std::is_copy_constructible_v<Cancel> && std::is_nothrow_move_assignable_v<Cancel>);
static_assert(std::is_copy_constructible_v<Error>);

static void results() {
    auto absent = Panel::open("/nowhere/panel.bcf");
    CHECK(!absent && !absent.has_value());
    CHECK(failed(absent, HAPLOOM_IO, "/nowhere/panel.bcf"));
    CHECK(std::string(absent.error().name()) == "IO");
    CHECK(Error::last().status() == HAPLOOM_IO && Error::last().message() == absent.error().message());
    CHECK(std::string(Error(12345, "").name()) == "UNKNOWN");

    // An error passes by what comes next; a value goes in.
    bool called = false;
    auto never = Panel::open("/nowhere/panel.bcf").and_then([&](Panel &&panel) {
        called = true;
        return Model::train(panel, "markov");
    });
    CHECK(failed(never, HAPLOOM_IO) && !called);
    auto sites = Panel::demo().and_then([](Panel &&panel) { return panel.select("region=1:1-100000"); })
                     .transform([](Panel &&panel) { return panel.haplotypes(); });
    CHECK(sites && *sites == 1800);
    auto nothing = Panel::demo().transform([&](Panel &&) { called = true; });
    static_assert(std::is_same_v<decltype(nothing), Result<void>>);
    CHECK(nothing && called);
    CHECK(Options().text("epochs").value_or("") == "120");
    CHECK(Options().text("epoch").value_or("none") == "none");

    const Result<int> seven = 7;
    CHECK(*seven == 7);
    Result<std::string> text = std::string("text");
    CHECK(text->size() == 4);
    Result<std::string> copy = text;
    text = Error(HAPLOOM_EMPTY, "empty");
    CHECK(*copy == "text" && !text && text.error().message() == "empty");
    Result<void> fine;
    CHECK(fine);
    fine = Error(HAPLOOM_EMPTY, "empty");
    CHECK(failed(fine, HAPLOOM_EMPTY, "empty"));
}

static void setting() {
    Options options;
    CHECK(options.get() == nullptr);
    CHECK(take(options.text("packing")) == "bytes");
    options.set("epochs", 3).set("l2", 0.25).set("ladder", true).set("packing", "bits");
    options.set("label", std::string("AFR")).set("seed", std::uint64_t{1} << 62).set("threads", std::uint8_t{2});
    options.set("window", 5L).set("prefix", std::string_view("NEW")).set("momentum", 0.5f);
    CHECK(options.check());
    const char *values[][2] = {{"epochs", "3"},        {"l2", "0.25"},  {"ladder", "true"}, {"packing", "bits"},
                               {"label", "AFR"},       {"threads", "2"}, {"window", "5"},    {"prefix", "NEW"},
                               {"seed", "4611686018427387904"}, {"momentum", "0.5"}, {"region", ""}};
    for (auto [key, value] : values) CHECK(take(options.text(key)) == value);
    options.set("k=7,sweeps=9").set("ladder", false);
    CHECK(take(options.text("k")) == "7" && take(options.text("ladder")) == "false");
    CHECK(failed(options.text("kk"), HAPLOOM_UNKNOWN_OPTION, "kk"));
    CHECK(failed(Options().text("kk"), HAPLOOM_UNKNOWN_OPTION, "kk"));

    // A number without a fraction is a whole number; a key goes back to its default; a text may be empty.
    CHECK(take(options.set("k", 3.0).text("k")) == "3" && take(options.text("format")) == "auto");
    CHECK(take(options.unset("k").unset("packing").text("k")) == "5" && take(options.text("packing")) == "bytes");
    CHECK(take(Options("region=1").unset("region").text("region")).empty() && options.check());
    CHECK(Model::train(few_sites(), "bernoulli", Options("k=2").unset("k")));  // As if it had never been set.
    CHECK(failed(Options().unset("kk").check(), HAPLOOM_UNKNOWN_OPTION, "kk"));

    // The first error stays and comes out of every call; what was set before stays too.
    Options wrong;
    wrong.set("epochs", 3).set("epoch", 4).set("epochs", "many").set("k", 2);
    CHECK(failed(wrong.check(), HAPLOOM_UNKNOWN_OPTION, "did you mean epochs"));
    CHECK(failed(Model::train(few_sites(), "rbm", wrong), HAPLOOM_UNKNOWN_OPTION, "epoch"));
    CHECK(failed(demo().write("/nowhere/x.bcf", wrong), HAPLOOM_UNKNOWN_OPTION, "epoch"));
    CHECK(take(wrong.text("k")) == "2");
    CHECK(failed(Options("epochs=3,k").check(), HAPLOOM_INVALID_OPTION));
    CHECK(failed(Options().set("epochs", true).check(), HAPLOOM_INVALID_OPTION));
    CHECK(failed(Options().set("k", 1.5).check(), HAPLOOM_INVALID_OPTION));
    CHECK(failed(Options().set("k", 0).check(), HAPLOOM_INVALID_OPTION, "1000000"));
    CHECK(failed(Options().set("seed", ~std::uint64_t{0}).check(), HAPLOOM_INVALID_OPTION));
    CHECK(failed(Options().set("seed", -1).check(), HAPLOOM_INVALID_OPTION));
    CHECK(Options().set("ladder", std::size_t{1}).set("ladder", 0).check());
    CHECK(Model::train(few_sites(), "bernoulli", nullptr));
    CHECK(failed(Options(std::string("k=0")).check(), HAPLOOM_INVALID_OPTION));
    CHECK(failed(Model::train(demo(), "bernoulli", "k=2"), HAPLOOM_UNKNOWN_OPTION, "k"));

    // Moved from is empty, and an error goes along.
    Options moved = std::move(wrong);
    CHECK(wrong.check() && wrong.get() == nullptr && take(wrong.text("k")) == "5");
    CHECK(failed(moved.check(), HAPLOOM_UNKNOWN_OPTION));
    wrong.set("k", 3);
    CHECK(take(wrong.text("k")) == "3");
    Options &self = moved;
    moved = std::move(self);
    CHECK(take(moved.text("k")) == "2" && failed(moved.check(), HAPLOOM_UNKNOWN_OPTION));

    haploom_options *handle = nullptr;
    CHECK(haploom_options_new(&handle) == HAPLOOM_OK);
    Options adopted(handle);
    CHECK(adopted.get() == handle && adopted.set("k", 4).check());
}

static void copying() {
    const Options base("k=2,epochs=3");
    Options copy = base;
    CHECK(take(copy.set("k", 7).text("k")) == "7" && take(base.text("k")) == "2" && take(copy.text("epochs")) == "3");
    CHECK(copy.get() != base.get() && Options(Options()).get() == nullptr);
    CHECK(take(Options(base).set("epochs=4").text("epochs")) == "4" && take(base.text("epochs")) == "3");
    const Options &self = copy;
    copy = self;
    CHECK(take(copy.text("k")) == "7");
    copy = base;
    CHECK(take(copy.text("k")) == "2");

    // Errors are each one's own from then on.
    Options wrong("epoch=1");
    Options wrong_too = wrong;
    CHECK(failed(wrong_too.check(), HAPLOOM_UNKNOWN_OPTION, "epoch"));
    Options later = base;
    CHECK(!later.set("k", 0).check() && base.check());

    // The progress function and the cancel handle go along, and outlive the options they came from.
    int told = 0;
    const Cancel cancel;
    auto kept = std::make_shared<int>(0);
    {
        Options first = Options(small_rbm).cancel_with(cancel).on_progress([&told, kept](const Event &) { ++told; });
        copy = first;
        CHECK(kept.use_count() == 2);
        first.on_progress(nullptr);
        CHECK(Model::train(few_sites(), "rbm", first) && told == 0);
    }
    CHECK(Model::train(few_sites(), "rbm", copy) && told > 0);
    cancel.request();
    CHECK(failed(Model::train(few_sites(), "rbm", copy), HAPLOOM_CANCELLED));
    copy = Options();
    CHECK(kept.use_count() == 1);
}

static void introspection() {
    std::set<std::string> groups;
    bool seed = false;
    for (const auto &key : Options::keys()) {
        CHECK(!key.key.empty() && !key.help.empty() && !key.bounds.empty());
        CHECK(key.type >= HAPLOOM_TYPE_INT && key.type <= HAPLOOM_TYPE_TEXT);
        CHECK(take(Options().text(std::string(key.key))) == key.default_value);
        const bool number = key.type == HAPLOOM_TYPE_INT || key.type == HAPLOOM_TYPE_DOUBLE;
        CHECK(Options::range(std::string(key.key)).has_value() == number);
        groups.emplace(key.group);
        seed = seed || key.key == "seed";
    }
    CHECK(seed && groups.count("training, RBM") == 1 && Options::keys().size() == haploom_option_count());
    const auto [least, greatest] = take(Options::range("k"));
    CHECK(least == 1 && greatest == 1000000);
    CHECK(failed(Options::range("kk"), HAPLOOM_UNKNOWN_OPTION));
    CHECK(failed(Options::range("method"), HAPLOOM_INVALID_OPTION));
}

static void progress() {
    std::size_t steps = 0, measured = 0;
    std::uint64_t total = 0, done = 0;
    // What is captured by value lives as long as the options, wherever these are moved to.
    auto told = std::make_shared<int>(0);
    Options options = Options(small_rbm).on_progress([&, told](const Event &event) {
        ++*told;
        if (event.kind() == HAPLOOM_EVENT_STEP && event.text() == "training") {
            ++steps;
            CHECK(event.unit() == "updates" && event.done() >= done && event.get() != nullptr);
            done = event.done();
            total = event.total();
        } else if (event.kind() == HAPLOOM_EVENT_MEASURED) {
            ++measured;
            CHECK(event.value() == event.value() && !event.text().empty());
        }
    });
    CHECK(told.use_count() == 2);
    Options elsewhere = std::move(options);
    CHECK(Model::train(few_sites(), "rbm", elsewhere));
    CHECK(steps > 1 && done == total && total > 1 && *told >= static_cast<int>(steps + measured));
    elsewhere.on_progress(nullptr);
    CHECK(told.use_count() == 1);
    const int before = *told;
    CHECK(Model::train(few_sites(), "rbm", elsewhere) && *told == before);

    // Whoever answers false stops it.
    int calls = 0;
    elsewhere.on_progress([calls = 0, &seen = calls](const Event &) mutable { return seen = ++calls, calls < 3; });
    CHECK(failed(Model::train(few_sites(), "rbm", elsewhere), HAPLOOM_CANCELLED));
    CHECK(calls >= 3);
    std::function<bool(const Event &)> go_on = [](const Event &) { return true; };
    CHECK(Model::train(few_sites(), "rbm", elsewhere.on_progress(go_on)));
}

static void cancelling() {
    Cancel cancel;
    CHECK(cancel);
    Options options = Options("epochs=100000,batch=100,chains=100,hidden=20").cancel_with(cancel);
    // The other thread asks when training has told of its first step, so this does not depend on its speed.
    std::atomic<bool> started{false};
    options.on_progress([&](const Event &) { started = true; });
    std::thread other([&] {
        while (!started) std::this_thread::yield();
        cancel.request();
    });
    auto stopped = Model::train(few_sites(), "rbm", options);
    other.join();
    CHECK(failed(stopped, HAPLOOM_CANCELLED));
    // It stays asked, and serves again after a reset; the options do not need it any more.
    CHECK(failed(Model::train(few_sites(), "rbm", options.set(small_rbm)), HAPLOOM_CANCELLED));
    cancel.reset();
    CHECK(Model::train(few_sites(), "rbm", options));
    cancel.request();
    cancel = Cancel();
    CHECK(failed(Model::train(few_sites(), "rbm", options), HAPLOOM_CANCELLED));
    CHECK(Model::train(few_sites(), "rbm", options.cancel_with(nullptr)));

    Cancel moved = std::move(cancel);
    CHECK(moved && !cancel);
    cancel.request();
    cancel.reset();
    CHECK(failed(options.cancel_with(cancel).check(), HAPLOOM_INVALID_ARGUMENT, "cancel"));
}

#ifdef __cpp_exceptions
static void throwing() {
    // It stops the call, is not asked again, and comes out as it was thrown.
    int calls = 0;
    Options options = Options(small_rbm).on_progress([&](const Event &) {
        if (++calls == 2) throw std::out_of_range("two");
    });
    std::string caught;
    try {
        auto model = Model::train(few_sites(), "rbm", options);
        caught = "nothing";
    } catch (const std::out_of_range &error) {
        caught = error.what();
    }
    CHECK(caught == "two" && calls == 2);
    CHECK(Model::train(few_sites(), "rbm", options) && calls > 2);

    // Thrown at the last event of all, when the model is made: it is not leaked.
    const int all = std::exchange(calls, 0) - 2;
    options.on_progress([&](const Event &) {
        if (++calls == all) throw 4;
    });
    try {
        auto model = Model::train(few_sites(), "rbm", options);
    } catch (int four) {
        caught = std::to_string(four);
    }
    CHECK(caught == "4" && calls == all);

    // A call inside a progress function has exceptions of its own.
    Options inner = Options(small_rbm).on_progress([](const Event &) { throw 1; });
    int inside = 0;
    Options outer = Options(small_rbm).on_progress([&](const Event &) {
        try {
            auto model = Model::train(few_sites(), "rbm", inner);
        } catch (int one) {
            if (one == 1 && ++inside == 2) throw std::string("outer");
        }
    });
    try {
        auto model = Model::train(few_sites(), "rbm", outer);
    } catch (const std::string &text) {
        caught = text;
    }
    CHECK(caught == "outer" && inside == 2);

    // Two threads, the same options: each gets what was thrown on it.
    const Options shared = Options(small_rbm).on_progress([](const Event &) { throw std::this_thread::get_id(); });
    std::atomic<int> own{0};
    auto train = [&] {
        for (int i = 0; i < 3; ++i) {
            try {
                auto model = Model::train(few_sites(), "rbm", shared);
            } catch (const std::thread::id &id) {
                if (id == std::this_thread::get_id()) ++own;
            }
        }
    };
    std::thread other(train);
    train();
    other.join();
    CHECK(own == 6);

    // Out of a call of the C functions nothing comes but CANCELLED, and nothing is left for later calls.
    haploom_model *model = nullptr;
    CHECK(haploom_train(few_sites().get(), "rbm", inner.get(), &model) == HAPLOOM_CANCELLED && model == nullptr);
    CHECK(Model::train(few_sites(), "rbm", small_rbm));

    // A function of haploom.h that is called with options by oneself.
    CHECK(failed(Options().set("x_panic", true).call([](const haploom_options *given) {
        haploom_panel *panel = nullptr;
        return haploom_panel_open("/nowhere", given, &panel);
    }), HAPLOOM_INTERNAL));
    try {
        auto done = inner.call([](const haploom_options *) -> haploom_status { throw 3; });
    } catch (int three) {
        caught = std::to_string(three);
    }
    CHECK(caught == "3" && haploom_train(few_sites().get(), "rbm", inner.get(), &model) == HAPLOOM_CANCELLED);
}
#endif

#ifdef HAPLOOM_EXCEPTIONS
static void values() {
    CHECK(Panel::demo().value().haplotypes() == 1800);
    const auto panel = Panel::demo();
    CHECK(panel.value().haplotypes() == 1800);
    try {
        Panel gone = Panel::open("/nowhere/panel.bcf").value();
        CHECK(!gone);
    } catch (const haploom::Exception &exception) {
        CHECK(exception.error().status() == HAPLOOM_IO);
        CHECK(contains(exception.what(), "IO: ") && contains(exception.what(), "/nowhere/panel.bcf"));
    }
    Options("k=2").check().value();
    bool caught = false;
    try {
        Options("k=0").check().value();
    } catch (const std::exception &) {
        caught = true;
    }
    CHECK(caught);
}
#endif

void options_and_progress() {
    results();
    setting();
    copying();
    introspection();
    progress();
    cancelling();
#ifdef __cpp_exceptions
    throwing();
#endif
#ifdef HAPLOOM_EXCEPTIONS
    values();
#endif
}
