/*
 * impute2: how an imputation tool takes artificial haplotypes into its reference panel, without a file between.
 * The same as impute2.c, with haploom.hpp; it prints the same.
 *
 * It reads a panel from IMPUTE2's files into its own matrix of packed bits, has a model fill the columns behind it with
 * artificial haplotypes, and hands the matrix to its engine window by window. The engine here is a stub: for one
 * haplotype of the panel, the target, it looks for the one that differs from it at the fewest sites of the window.
 *
 * Compile: c++ -std=c++17 -O2 impute2.cpp $(pkg-config --cflags --libs haploom) -o impute2
 * Run:     haploom convert panel.bcf panel.hap && impute2 panel.hap panel.legend model.safetensors 500
 */
#include <haploom.hpp>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iostream>
#include <sstream>

constexpr std::uint64_t window_length = 1000000, buffer_length = 250000;  // Base pairs, as IMPUTE2's -int and -buffer.

struct Site {
    std::uint64_t position;
    std::string reference, alternate;
};

// A row is a site, a bit a haplotype, lowest first: the real ones, then from a whole byte on the artificial ones.
struct Panel {
    std::vector<Site> sites;
    std::size_t real = 0, artificial = 0, real_bytes = 0, stride = 0;
    std::vector<std::uint8_t> rows;

    // Haplotypes are counted without the gap between the real and the artificial columns.
    bool allele(std::size_t site, std::size_t haplotype) const {
        const std::size_t column = haplotype < real ? haplotype : haplotype - real + 8 * real_bytes;
        return rows[site * stride + column / 8] >> column % 8 & 1;
    }
};

template <class... Parts> [[noreturn]] void die(const Parts &...parts) {
    (std::cerr << "impute2: " << ... << parts) << '\n';
    std::exit(1);
}

template <class T> T take(haploom::Result<T> result) {
    if (!result) die(result.error().name(), ": ", result.error().message());
    return std::move(*result);
}

std::ifstream open_text(const char *path) {
    std::ifstream file(path);
    if (!file) die(path, ": cannot be opened");
    return file;
}

std::size_t whole_number(std::string_view text, const char *what, std::size_t least, std::size_t most) {
    std::size_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number < least || number > most)
        die(what, " is ", text, ": ", least, " to ", most, " will do");
    return number;
}

// A legend: a header, then id, position, reference and alternate allele of a site in each line.
std::vector<Site> read_legend(const char *path) {
    std::ifstream file = open_text(path);
    std::vector<Site> sites;
    std::string line, id;
    std::getline(file, line);
    for (std::size_t number = 2; std::getline(file, line); ++number) {
        Site site;
        if (!(std::istringstream(line) >> id >> site.position >> site.reference >> site.alternate))
            die(path, ": line ", number, " is not `id position a0 a1`");
        if (site.position == 0 || site.position > std::numeric_limits<std::int32_t>::max())
            die(path, ": line ", number, ": no contig has a position ", site.position);
        if (!sites.empty() && site.position < sites.back().position)
            die(path, ": line ", number, ": position ", site.position, " is out of order");
        sites.push_back(std::move(site));
    }
    if (sites.empty()) die(path, ": no sites");
    return sites;
}

// A .hap file: a line a site, an allele a haplotype, 0 or 1, a blank between.
void read_hap(std::istream &hap, const char *path, Panel &panel) {
    std::string line;
    for (std::size_t site = 0; site < panel.sites.size(); ++site) {
        std::getline(hap, line);
        bool right = line.size() + 1 == 2 * panel.real;
        for (std::size_t column = 0; right && column < panel.real; ++column) {
            const char digit = line[2 * column];
            right = (digit == '0' || digit == '1') && (column + 1 == panel.real || line[2 * column + 1] == ' ');
            if (digit == '1')
                panel.rows[site * panel.stride + column / 8] |= static_cast<std::uint8_t>(1U << column % 8);
        }
        if (!right) die(path, ": line ", site + 1, ": expected ", panel.real, " alleles, 0 or 1, a blank between them");
    }
    if (hap.peek() != std::istream::traits_type::eof())
        die(path, ": more lines than the legend has sites (", panel.sites.size(), ")");
}

// The model has to speak of the very sites of the panel: the engine has no room for others.
void check_sites(haploom::SitesView sites, const Panel &panel) {
    if (sites.size() != panel.sites.size())
        die("the model has ", sites.size(), " sites and the legend ", panel.sites.size());
    const auto same = [](const haploom::Site &theirs, const Site &ours) {
        return theirs.position == ours.position && theirs.reference == ours.reference &&
               theirs.alternate == ours.alternate;
    };
    const auto [theirs, ours] = std::mismatch(sites.begin(), sites.end(), panel.sites.begin(), same);
    if (ours != panel.sites.end())
        die("site ", ours - panel.sites.begin() + 1, " is ", theirs->position, ' ', theirs->reference, '>',
            theirs->alternate, " in the model and ", ours->position, ' ', ours->reference, '>', ours->alternate,
            " in the legend");
}

// Artificial haplotypes, straight into their columns of the matrix.
void sample(const char *model_path, const char *seed, Panel &panel) {
    const auto options = haploom::Options("layout=sites,packing=bits").set("seed", seed);
    auto sampler = take(haploom::Sampler::make(take(haploom::Model::open(model_path)), options));
    check_sites(sampler.sites(), panel);
    const haploom::Span<std::uint8_t> columns(&panel.rows[panel.real_bytes], panel.rows.size() - panel.real_bytes);
    const std::size_t made = take(sampler.fill(panel.artificial, columns, panel.stride));
    if (made != panel.artificial) die("the model made ", made, " haplotypes of ", panel.artificial);
}

// The stub engine: counts the alternate alleles of both kinds, and finds the haplotype that is nearest to the target.
void engine(const Panel &panel, std::size_t first, std::size_t last, std::size_t target) {
    std::size_t real = 0, artificial = 0;
    std::vector<std::size_t> differences(panel.real + panel.artificial);
    for (std::size_t site = first; site < last; ++site) {
        const bool wanted = panel.allele(site, target);
        for (std::size_t haplotype = 0; haplotype < differences.size(); ++haplotype) {
            const bool here = panel.allele(site, haplotype);
            differences[haplotype] += here != wanted;
            (haplotype < panel.real ? real : artificial) += here;
        }
    }
    differences[target] = std::numeric_limits<std::size_t>::max();  // Not itself.
    const auto nearest = std::min_element(differences.begin(), differences.end());
    const auto best = static_cast<std::size_t>(nearest - differences.begin());
    std::cout << panel.sites[first].position << '\t' << panel.sites[last - 1].position << '\t' << last - first << '\t'
              << real << '\t' << artificial << '\t';
    if (best < panel.real) std::cout << "real\t" << best;
    else std::cout << "artificial\t" << best - panel.real;
    std::cout << '\t' << *nearest << '\n';
}

int main(int argc, char **argv) {
    if (argc < 5 || argc > 7) {
        std::cerr << "usage: impute2 HAP LEGEND MODEL N [SEED [TARGET]]\n"
                     "N artificial haplotypes; TARGET is a haplotype of the panel, from 0\n";
        return 2;
    }
    Panel panel;
    panel.artificial = whole_number(argv[4], "N", 1, 1000000);
    panel.sites = read_legend(argv[2]);

    std::ifstream hap = open_text(argv[1]);
    std::string line;
    std::getline(hap, line);
    panel.real = static_cast<std::size_t>(
        std::count_if(line.begin(), line.end(), [](char c) { return c == '0' || c == '1'; }));
    if (panel.real == 0) die(argv[1], ": the first line has no alleles");
    hap.clear();
    hap.seekg(0);
    const std::size_t target = whole_number(argc > 6 ? argv[6] : "0", "TARGET", 0, panel.real - 1);
    panel.real_bytes = (panel.real + 7) / 8;
    panel.stride = panel.real_bytes + (panel.artificial + 7) / 8;
    panel.rows.resize(panel.sites.size() * panel.stride);
    read_hap(hap, argv[1], panel);
    sample(argv[3], argc > 5 ? argv[5] : "1", panel);

    std::cout << "first\tlast\tsites\treal_alternates\tartificial_alternates\tbest\tnumber\tdifferences\n";
    const auto from = [&](std::uint64_t position) {  // The first site at or after a position.
        const auto before = [](const Site &site, std::uint64_t at) { return site.position < at; };
        const auto at = std::lower_bound(panel.sites.begin(), panel.sites.end(), position, before);
        return static_cast<std::size_t>(at - panel.sites.begin());
    };
    for (std::size_t site = 0; site < panel.sites.size();) {
        const std::uint64_t start = (panel.sites[site].position - 1) / window_length * window_length + 1;
        const std::uint64_t end = start + window_length;
        const std::size_t first = from(start - std::min(start, buffer_length)), last = from(end + buffer_length);
        engine(panel, first, last, target);
        site = from(end);
    }
    return std::cout.flush() ? 0 : 1;
}
