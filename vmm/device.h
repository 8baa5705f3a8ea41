/*
 * device.h - anything the guest reaches by an address: what it is, and the bus that finds it.
 *
 * The bus checks that an access lies inside a device; a device sees no other. An access is of 1 to
 * 8 bytes and need not be aligned: KVM cuts what crosses a page or is longer in two, so that 3, 5,
 * 6 or 7 arrive as well (1, 2 or 4 on the I/O bus). Reads of nothing are all-ones; writes to
 * nothing are dropped and counted.
 */
#ifndef VMM_DEVICE_H
#define VMM_DEVICE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct device;

struct device_ops {
    const char *name; /* logs and stats */
    /* [off, off + len) is inside the device, len from 1 to 8. dst is filled completely. Any vCPU
     * thread. */
    void (*read)(struct device *d, uint64_t off, void *dst, unsigned len);
    void (*write)(struct device *d, uint64_t off, const void *src, unsigned len);
};

struct device {
    const struct device_ops *ops;
};

#define BUS_SLOTS 48

/*
 * A bus: disjoint ranges, fixed or (PCI BARs) moved by the guest. Looked up by every vCPU thread
 * under its lock; the lock is not held while a device runs.
 */
struct bus {
    unsigned n;
    struct bus_slot {
        uint64_t base, len;
        struct device *dev; /* borrowed, outlives the bus */
    } slot[BUS_SLOTS];      /* sorted by base; guarded by lock */
    int lock;        /* a futex-free spin lock: held for a binary search, never across a call */
    uint64_t strays; /* accesses that found nothing; atomic */
};

/* -EEXIST when it overlaps, -ENOSPC when full. */
must_check int bus_add(struct bus *b, uint64_t base, uint64_t len, struct device *dev);
void bus_remove(struct bus *b, const struct device *dev, uint64_t base);

void bus_read(struct bus *b, uint64_t addr, void *dst, unsigned len);
void bus_write(struct bus *b, uint64_t addr, const void *src, unsigned len);

#endif
