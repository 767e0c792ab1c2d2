// A progress function that throws, which is forbidden: ABI.md says what happens then, and this is what happens.
#include <haploom.h>
#include <cstdio>
#include <stdexcept>

static int32_t thrower(void *, const haploom_event *) { throw std::runtime_error("out of a progress function"); }

int main() {
    haploom_panel *panel;
    haploom_options *options;
    haploom_model *model;
    if (haploom_panel_demo(HAPLOOM_DEMO_TRAIN, &panel) != HAPLOOM_OK || haploom_options_new(&options) != HAPLOOM_OK) return 2;
    haploom_options_set_text(options, "updates=5,hidden=8,clusters=4");
    haploom_options_set_progress(options, thrower, nullptr);
    try {
        haploom_train(panel, "rbm", options, &model);
        std::puts("returned");
    } catch (const std::exception &) {
        std::puts("caught");
    }
    return 3;
}
