/* bus.c - see device.h. The table is small and sorted; a guest's access costs one binary search. */
#include "vmm/device.h"

#include <errno.h>
#include <string.h>

static void lock(struct bus *b)
{
    while (__atomic_exchange_n(&b->lock, 1, __ATOMIC_ACQUIRE))
        __builtin_ia32_pause();
}

static void unlock(struct bus *b)
{
    __atomic_store_n(&b->lock, 0, __ATOMIC_RELEASE);
}

/* How many slots begin at or below addr. */
static unsigned rank(const struct bus *b, uint64_t addr)
{
    unsigned lo = 0, hi = b->n;

    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;

        if (b->slot[mid].base <= addr)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

int bus_add(struct bus *b, uint64_t base, uint64_t len, struct device *dev)
{
    uint64_t last;
    int err = 0;

    if (!len || add_overflows(base, len - 1, &last))
        return -EINVAL;
    lock(b);

    unsigned i = rank(b, base);

    if ((i > 0 && base - b->slot[i - 1].base < b->slot[i - 1].len) ||
        (i < b->n && b->slot[i].base <= last)) {
        err = -EEXIST;
    } else if (b->n == BUS_SLOTS) {
        err = -ENOSPC;
    } else {
        memmove(&b->slot[i + 1], &b->slot[i], (b->n - i) * sizeof(b->slot[0]));
        b->slot[i] = (struct bus_slot){ .base = base, .len = len, .dev = dev };
        b->n++;
    }
    unlock(b);
    return err;
}

void bus_remove(struct bus *b, const struct device *dev, uint64_t base)
{
    lock(b);

    unsigned i = rank(b, base);

    if (i && b->slot[i - 1].base == base && b->slot[i - 1].dev == dev) {
        memmove(&b->slot[i - 1], &b->slot[i], (b->n - i) * sizeof(b->slot[0]));
        b->n--;
    }
    unlock(b);
}

/* The device that holds all of [addr, addr + len), or NULL: an access across an end is a stray. */
static struct device *find(struct bus *b, uint64_t addr, unsigned len, uint64_t *off)
{
    struct device *dev = NULL;

    lock(b);

    unsigned i = rank(b, addr);

    if (i) {
        const struct bus_slot *s = &b->slot[i - 1];

        *off = addr - s->base;
        if (*off < s->len && len <= s->len - *off)
            dev = s->dev;
    }
    unlock(b);
    if (!dev)
        __atomic_fetch_add(&b->strays, 1, __ATOMIC_RELAXED);
    return dev;
}

void bus_read(struct bus *b, uint64_t addr, void *dst, unsigned len)
{
    uint64_t off;
    struct device *dev = find(b, addr, len, &off);

    if (dev)
        dev->ops->read(dev, off, dst, len);
    else
        memset(dst, 0xff, len);
}

void bus_write(struct bus *b, uint64_t addr, const void *src, unsigned len)
{
    uint64_t off;
    struct device *dev = find(b, addr, len, &off);

    if (dev)
        dev->ops->write(dev, off, src, len);
}
