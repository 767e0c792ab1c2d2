/*
 * evaluate: how close artificial haplotypes are to real ones, as a table: name, value, floor, best.
 * Errors are exceptions here, since HAPLOOM_EXCEPTIONS is defined.
 *
 * Compile: c++ -std=c++17 evaluate.cpp $(pkg-config --cflags --libs haploom) -o evaluate
 * Run:     evaluate train.bcf artificial.bcf held_out.bcf
 */
#define HAPLOOM_EXCEPTIONS
#include <haploom.hpp>

#include <iostream>

static haploom::Evaluation evaluate(const haploom::Panel &real, const haploom::Panel &artificial,
                                    const char *held_out) {
    if (held_out == nullptr) return haploom::Evaluation::make(real, artificial).value();
    return haploom::Evaluation::make(real, artificial, haploom::Panel::open(held_out).value()).value();
}

int main(int argc, char **argv) try {
    if (argc != 3 && argc != 4) {
        std::cerr << "usage: evaluate REAL ARTIFICIAL [HELD_OUT]\n";
        return 2;
    }
    const auto real = haploom::Panel::open(argv[1]).value(), artificial = haploom::Panel::open(argv[2]).value();
    const auto evaluation = evaluate(real, artificial, argv[3]);
    std::cout.precision(9);
    std::cout << "name\tvalue\tfloor\tbest\n";
    for (const auto &metric : evaluation.metrics())
        std::cout << metric.name << '\t' << metric.value << '\t' << metric.floor << '\t' << metric.best << '\n';
} catch (const haploom::Exception &exception) {
    std::cerr << "evaluate: " << exception.what() << '\n';
    return 1;
}
