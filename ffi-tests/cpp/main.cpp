// Everything of haploom.hpp is used here; see haploom_hpp.sh for the ways in which it is compiled.
#include "check.hpp"

int main() {
    CHECK(haploom::version() == HAPLOOM_VERSION_NUMBER);
    CHECK(haploom::abi() == HAPLOOM_ABI);
    CHECK(haploom::version_string() == std::to_string(HAPLOOM_VERSION_MAJOR) + "." +
                                           std::to_string(HAPLOOM_VERSION_MINOR) + "." +
                                           std::to_string(HAPLOOM_VERSION_PATCH));
    CHECK(contains(std::string(haploom::build_info()), std::string(haploom::version_string())));
    CHECK(contains(haploom::devices(), "cpu\t"));
    options_and_progress();
    panels();
    models();
    imputation();
    std::puts("haploom.hpp: all as it should be");
}
