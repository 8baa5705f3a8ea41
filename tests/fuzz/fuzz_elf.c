/* fuzz_elf.c - any bytes as a kernel: refused, or loaded inside guest memory and entered there. */
#include "vmm/x86/elf.h"

#include <stdlib.h>
#include <string.h>

#define RAM (4u << 20)

struct bytes {
    struct elf_source s;
    const uint8_t *at;
};

static ssize_t bytes_read(const struct elf_source *s, void *buf, size_t len, uint64_t off)
{
    const struct bytes *b = (const void *)s;
    size_t n = off >= s->size ? 0 : s->size - off < len ? s->size - off : len;

    memcpy(buf, b->at + off, n);
    return (ssize_t)n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t ram[RAM];
    const struct gmem m = { .n = 1, .region = { { .host = ram, .base = 0, .size = RAM } } };
    struct bytes b = { .s = { .read = bytes_read, .size = size }, .at = data };
    struct elf_image img;

    if (elf_parse(&b.s, &img, NULL))
        return 0;
    if (img.entry < ELF_FLOOR || img.entry >= img.end || !img.nsegments)
        abort();
    for (unsigned i = 0; i < img.nsegments; i++) {
        const struct elf_segment *g = &img.segment[i];

        if (g->gpa < (i ? img.segment[i - 1].gpa + img.segment[i - 1].memsz : ELF_FLOOR) ||
            g->filesz > g->memsz || g->off > size || g->filesz > size - g->off)
            abort();
    }
    if (!elf_load(&b.s, &img, &m, NULL) && img.end > RAM)
        abort();
    return 0;
}
