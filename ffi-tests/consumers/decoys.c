/* A program that has functions of htslib's and zlib's names, and must never see one of them called: decoys FILE */
#include <haploom.h>
#include <stdio.h>
#include <stdlib.h>

#define DECOY(name) \
    void name(void) { \
        fprintf(stderr, "the program's %s was called\n", #name); \
        abort(); \
    }
DECOY(hts_open) DECOY(hts_open_format) DECOY(hts_hopen) DECOY(hts_close) DECOY(hts_set_log_level) DECOY(hts_log)
DECOY(hts_get_log_level) DECOY(hts_detect_format) DECOY(hts_detect_format2) DECOY(hts_version) DECOY(hopen) DECOY(hclose)
DECOY(hread2) DECOY(bcf_hdr_read) DECOY(bcf_hdr_init) DECOY(bcf_hdr_parse) DECOY(bcf_read) DECOY(bcf_init)
DECOY(bcf_unpack) DECOY(bcf_destroy) DECOY(vcf_parse) DECOY(vcf_read) DECOY(bgzf_open) DECOY(bgzf_hopen) DECOY(bgzf_read)
DECOY(bgzf_close) DECOY(bgzf_mt) DECOY(bgzf_thread_pool) DECOY(hts_tpool_init) DECOY(kputs) DECOY(ksprintf)
DECOY(inflate) DECOY(inflateInit_) DECOY(inflateInit2_) DECOY(inflateEnd) DECOY(inflateReset) DECOY(deflate)
DECOY(deflateInit2_) DECOY(crc32) DECOY(adler32) DECOY(libdeflate_alloc_decompressor) DECOY(libdeflate_crc32)
DECOY(libdeflate_deflate_decompress) DECOY(libdeflate_free_decompressor)

int main(int argc, char **argv) {
    haploom_panel *panel;
    if (argc != 2) return 2;
    if (haploom_panel_open(argv[1], NULL, &panel) != HAPLOOM_OK) return 1;
    haploom_panel_free(panel);
    return 0;
}
