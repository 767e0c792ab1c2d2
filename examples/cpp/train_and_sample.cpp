/*
 * train_and_sample: learns a panel, saves the model, and writes artificial people. Ctrl-C stops it between two steps.
 * Errors are results here; evaluate.cpp has exceptions.
 *
 * Compile: c++ -std=c++17 train_and_sample.cpp $(pkg-config --cflags --libs haploom) -o train_and_sample
 * Run:     train_and_sample panel.bcf epochs=20,seed=7 model.safetensors 1000 artificial.bcf
 */
#include <haploom.hpp>

#include <csignal>
#include <cstdlib>
#include <iostream>

static const haploom::Cancel cancel;

static int failed(const haploom::Error &error) {
    std::cerr << "\ntrain_and_sample: " << error.name() << ": " << error.message() << '\n';
    return 1;
}

static void show(const haploom::Event &event) {
    if (event.kind() == HAPLOOM_EVENT_STEP)
        std::cerr << '\r' << event.text() << ": " << event.done() << " of " << event.total() << ' ' << event.unit()
                  << ' ';
    else if (event.kind() == HAPLOOM_EVENT_NOTICE)
        std::cerr << '\n' << event.text() << '\n';
}

int main(int argc, char **argv) {
    if (argc != 6) {
        std::cerr << "usage: train_and_sample PANEL KEY=VALUE[,...] MODEL N OUT\n";
        return 2;
    }
    std::signal(SIGINT, [](int) { cancel.request(); });
    auto panel = haploom::Panel::open(argv[1], haploom::Options().on_progress(show));
    if (!panel) return failed(panel.error());
    auto model = haploom::Model::train(*panel, "rbm", haploom::Options(argv[2]).on_progress(show).cancel_with(cancel));
    if (!model) return failed(model.error());
    if (auto saved = model->save(argv[3]); !saved) return failed(saved.error());
    auto sampler = haploom::Sampler::make(*model);
    if (!sampler) return failed(sampler.error());
    auto written = sampler->write(std::strtoull(argv[4], nullptr, 10), argv[5]);
    if (!written) return failed(written.error());
    std::cout << panel->haplotypes() << " haplotypes, " << model->sites().size() << " sites: " << model->kind()
              << ", and " << sampler->position() << " artificial haplotypes\n";
}
