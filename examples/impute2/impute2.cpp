/*
 * impute2: how an imputation tool takes artificial haplotypes into its reference panel, without a file between.
 * The same as impute2.c, with haploom.hpp; it prints the same.
 *
 * It reads a panel from IMPUTE2's files into its own matrix of packed bits, has a model fill columns of that matrix
 * with artificial haplotypes, and hands the matrix to its engine window by window. The engine here is a stub: for one
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

// A row is a site: first the artificial haplotypes, then the real ones, a bit each, lowest bit first.
struct Panel {
    std::vector<Site> sites;
    std::size_t artificial = 0, haplotypes = 0, stride = 0;
    std::vector<std::uint8_t> rows;

    bool allele(std::size_t site, std::size_t haplotype) const {
        return rows[site * stride + haplotype / 8] >> haplotype % 8 & 1;
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

// A .hap file: a line a site, an allele a haplotype, 0 or 1, a blank between. They go behind the artificial columns.
void read_hap(std::istream &hap, const char *path, Panel &panel) {
    const std::size_t real = panel.haplotypes - panel.artificial;
    std::string line;
    for (std::size_t site = 0; site < panel.sites.size(); ++site) {
        std::getline(hap, line);
        bool right = line.size() + 1 == 2 * real;
        for (std::size_t column = 0; right && column < real; ++column) {
            const char digit = line[2 * column];
            right = (digit == '0' || digit == '1') && (column + 1 == real || line[2 * column + 1] == ' ');
            const std::size_t bit = panel.artificial + column;
            if (digit == '1') panel.rows[site * panel.stride + bit / 8] |= static_cast<std::uint8_t>(1U << bit % 8);
        }
        if (!right) die(path, ": line ", site + 1, ": expected ", real, " alleles, 0 or 1, a blank between them");
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

// Artificial haplotypes, straight into the first columns of the matrix. The library puts its rows size / sites bytes
// apart, which is the stride, and clears what is behind its columns: so this comes before the real ones are read.
void sample(const char *model_path, const char *seed, Panel &panel) {
    const auto options =
        haploom::Options("layout=sites,packing=bits").set("haplotypes", panel.artificial).set("seed", seed);
    auto sampler = take(haploom::Sampler::make(take(haploom::Model::open(model_path)), options));
    check_sites(sampler.sites(), panel);
    const std::size_t made = take(sampler.next(panel.rows));
    if (made != panel.artificial) die("the model made ", made, " haplotypes of ", panel.artificial);
}

// The stub engine: counts the alternate alleles of both kinds, and finds the haplotype that is nearest to the target.
void engine(const Panel &panel, std::size_t first, std::size_t last, std::size_t target) {
    std::size_t real = 0, artificial = 0;
    std::vector<std::size_t> differences(panel.haplotypes);
    for (std::size_t site = first; site < last; ++site) {
        const bool wanted = panel.allele(site, target);
        for (std::size_t haplotype = 0; haplotype < panel.haplotypes; ++haplotype) {
            const bool here = panel.allele(site, haplotype);
            differences[haplotype] += here != wanted;
            (haplotype < panel.artificial ? artificial : real) += here;
        }
    }
    differences[target] = std::numeric_limits<std::size_t>::max();  // Not itself.
    const auto nearest = std::min_element(differences.begin(), differences.end());
    const auto best = static_cast<std::size_t>(nearest - differences.begin());
    std::cout << panel.sites[first].position << '\t' << panel.sites[last - 1].position << '\t' << last - first << '\t'
              << real << '\t' << artificial << '\t';
    if (best < panel.artificial) std::cout << "artificial\t" << best;
    else std::cout << "real\t" << best - panel.artificial;
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
    const auto real = static_cast<std::size_t>(
        std::count_if(line.begin(), line.end(), [](char c) { return c == '0' || c == '1'; }));
    if (real == 0) die(argv[1], ": the first line has no alleles");
    hap.clear();
    hap.seekg(0);
    const std::size_t target = whole_number(argc > 6 ? argv[6] : "0", "TARGET", 0, real - 1);
    panel.haplotypes = panel.artificial + real;
    panel.stride = (panel.haplotypes + 7) / 8;
    panel.rows.resize(panel.sites.size() * panel.stride);
    sample(argv[3], argc > 5 ? argv[5] : "1", panel);
    read_hap(hap, argv[1], panel);

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
        engine(panel, first, last, panel.artificial + target);
        site = from(end);
    }
    return std::cout.flush() ? 0 : 1;
}
