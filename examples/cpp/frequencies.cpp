/*
 * frequencies: allele counts of artificial haplotypes at each site of a model. They are counted as they come, one by
 * one: however many there are, there is never a file or a matrix of them.
 *
 * Compile: c++ -std=c++17 frequencies.cpp $(pkg-config --cflags --libs haploom) -o frequencies
 * Run:     frequencies model.safetensors 100000 seed=7,region=1:1-2000000
 */
#include <haploom.hpp>

#include <cstdlib>
#include <iostream>

static int failed(const haploom::Error &error) {
    std::cerr << "frequencies: " << error.name() << ": " << error.message() << '\n';
    return 1;
}

int main(int argc, char **argv) {
    const std::uint64_t wanted = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 0;
    if (argc > 4 || wanted == 0) {
        std::cerr << "usage: frequencies MODEL N [KEY=VALUE[,...]]\n";
        return 2;
    }
    auto sampler = haploom::Model::open(argv[1]).and_then(
        [&](const haploom::Model &model) { return haploom::Sampler::make(model, argc > 3 ? argv[3] : ""); });
    if (!sampler) return failed(sampler.error());

    const auto sites = sampler->sites();
    std::vector<std::uint64_t> alternates(sites.size());
    auto haplotypes = sampler->haplotypes(wanted);
    std::uint64_t n = 0;
    for (const auto &haplotype : haplotypes) {
        for (std::size_t site = 0; site < sites.size(); ++site) alternates[site] += haplotype[site];
        ++n;
    }
    if (haplotypes.error()) return failed(*haplotypes.error());

    auto count = alternates.begin();
    for (const auto &site : sites)
        std::cout << site.contig << '\t' << site.position << '\t' << site.reference << '\t' << site.alternate << '\t'
                  << *count++ << '\t' << n << '\n';
}
