/*
 * gmem.h - guest memory: the only door between guest bytes and host code.
 *
 * Another vCPU may rewrite any guest byte at any moment. Control data is therefore copied out once
 * with gmem_read and judged in the copy; only bulk payload is handed out in place, through
 * gmem_payload. RAM is a few regions (carrel-vmm's own: below the hole that ends at 4 GiB, and
 * above 4 GiB); nothing else, no BAR and no MMIO register, is ever reachable from here (V14).
 */
#ifndef BASE_GMEM_H
#define BASE_GMEM_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A guest physical address: a struct, so that no host pointer fits in it. */
typedef struct {
    uint64_t at;
} gpa_t;

struct gmem_region {
    uint8_t *host; /* owned by who mapped it; borrowed here */
    uint64_t base; /* guest physical address of host[0] */
    uint64_t size;
};

#define GMEM_REGIONS 8 /* VHOST_REGIONS */

struct gmem {
    unsigned n; /* regions in use, none overlaps another */
    struct gmem_region region[GMEM_REGIONS];
};

/* All of [gpa, gpa + len) is RAM of one region. len 0 is covered where gpa itself is. */
bool gmem_covers(const struct gmem *m, gpa_t gpa, uint64_t len);

/* Copies len bytes out of, or into, the guest. -EFAULT outside guest RAM. */
must_check int gmem_read(const struct gmem *m, gpa_t gpa, void *dst, size_t len);
must_check int gmem_write(const struct gmem *m, gpa_t gpa, const void *src, size_t len);

/*
 * The ring indices: one aligned 16-bit little-endian word, ordered so that what the index announces
 * is seen after it. -EFAULT outside guest RAM or unaligned.
 */
must_check int gmem_load_acquire(const struct gmem *m, gpa_t gpa, uint16_t *out);
must_check int gmem_store_release(const struct gmem *m, gpa_t gpa, uint16_t value);

/* Borrows guest RAM in place for payload, never for control data. NULL outside. */
void *gmem_payload(const struct gmem *m, gpa_t gpa, uint64_t len);

#endif
