#ifndef HAPLOOM_H
#define HAPLOOM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef int32_t haploom_status;
#define HAPLOOM_OK 0
typedef struct haploom_options haploom_options;
typedef struct haploom_panel haploom_panel;

const char *haploom_version_string(void);
int32_t haploom_version(void);
haploom_status haploom_options_new(haploom_options **options);
haploom_status haploom_options_set_text(haploom_options *options, const char *text);
void haploom_options_free(haploom_options *options);
haploom_status haploom_panel_open(const char *path, const haploom_options *options,
                                  haploom_panel **panel);
size_t haploom_panel_haplotypes(const haploom_panel *panel);
size_t haploom_panel_sites_count(const haploom_panel *panel);
void haploom_panel_free(haploom_panel *panel);
size_t haploom_last_error(char *buffer, size_t capacity);

#ifdef __cplusplus
}
#endif

#endif
