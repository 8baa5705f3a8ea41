/*
 * pci.c - see pci.h. Register numbers are those of PCI Local Bus 3.0 section 6.1.
 *
 * The guest may change exactly the bits that struct pci_function.writable names; that one rule
 * makes read-only fields, BAR sizing and absent BARs come out right.
 */
#include "vmm/pci/pci.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define REG_VENDOR     0x00
#define REG_DEVICE     0x02
#define REG_COMMAND    0x04
#define REG_STATUS     0x06
#define REG_REVISION   0x08
#define REG_CLASS      0x09
#define REG_CACHE_LINE 0x0c
#define REG_LATENCY    0x0d
#define REG_HEADER     0x0e
#define REG_BAR0       0x10
#define REG_SUBVENDOR  0x2c
#define REG_SUBDEVICE  0x2e
#define REG_CAPS       0x34
#define REG_INT_LINE   0x3c
#define REG_FIRST_CAP  0x40

#define STATUS_CAPS        0x10
#define HEADER_MULTI       0x80
#define LATENCY            64 /* bus clocks: what Linux would set, and means nothing here */
#define COMMAND_CHANGEABLE (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_NOINTX)

/* The host bridge says it is QEMU's generic PCI Express one, to which no driver binds. */
#define BRIDGE_VENDOR 0x1b36
#define BRIDGE_DEVICE 0x0008
#define BRIDGE_CLASS  0x060000

#define ECAM_WINDOW 0u /* of host_ops.map_readonly; functions use the others */

#define ECAM_BYTES (PCI_FUNCTIONS * PCI_CONFIG_SIZE) /* of which the present ones are used */

struct pci_root {
    struct device ecam_dev;
    struct host *host; /* borrowed, outlives the root */
    pthread_mutex_t lock;
    uint64_t ecam_base, mmio_base, mmio_end, mmio_next;
    uint8_t *ecam; /* owned: ECAM_BYTES, what the guest reads */
    unsigned n;
    struct pci_function *function[PCI_FUNCTIONS]; /* owned; [0] is bridge */
    uint32_t swallowed;                           /* bit per function: see swallow_sizing */
    bool mapped;                                  /* ecam is in the guest */
    struct pci_function bridge;
};

/* ---- fields of a configuration space ---- */

static uint16_t get16(const struct pci_function *f, unsigned reg)
{
    uint16_t v;

    memcpy(&v, f->config + reg, sizeof(v));
    return le16toh(v);
}

static uint32_t get32(const struct pci_function *f, unsigned reg)
{
    uint32_t v;

    memcpy(&v, f->config + reg, sizeof(v));
    return le32toh(v);
}

static void put16(struct pci_function *f, unsigned reg, uint16_t v)
{
    v = htole16(v);
    memcpy(f->config + reg, &v, sizeof(v));
}

static void put32(uint8_t *at, uint32_t v)
{
    v = htole32(v);
    memcpy(at, &v, sizeof(v));
}

struct host *pci_host(const struct pci_function *f)
{
    return f->root->host;
}

bool pci_is_master(const struct pci_function *f)
{
    return __atomic_load_n(&f->config[REG_COMMAND], __ATOMIC_RELAXED) & PCI_COMMAND_MASTER;
}

/* ---- BARs ---- */

static void bar_read(struct device *d, uint64_t off, void *dst, unsigned len)
{
    struct pci_bar *b = container_of(d, struct pci_bar, dev);

    b->f->ops->read(b->f, (unsigned)(b - b->f->bar), off, dst, len);
}

static void bar_write(struct device *d, uint64_t off, const void *src, unsigned len)
{
    struct pci_bar *b = container_of(d, struct pci_bar, dev);

    b->f->ops->write(b->f, (unsigned)(b - b->f->bar), off, src, len);
}

static const struct device_ops bar_ops = { .name = "pci-bar",
                                           .read = bar_read,
                                           .write = bar_write };

/* Where the BAR should answer now; 0: nowhere. Only the window that the host bridge forwards is
 * good, so a BAR never covers RAM, the ECAM or an interrupt controller. */
static uint64_t bar_wanted(const struct pci_function *f, const struct pci_bar *b)
{
    uint64_t at = get32(f, REG_BAR0 + 4u * (unsigned)(b - f->bar));

    if (!(get16(f, REG_COMMAND) & PCI_COMMAND_MEMORY) || at < f->root->mmio_base ||
        at + b->size > f->root->mmio_end)
        return 0;
    return at;
}

static void bar_move(struct pci_function *f, struct pci_bar *b, uint64_t at)
{
    struct bus *mmio = f->root->host->mmio;

    if (b->at) {
        f->ops->decode(f, (unsigned)(b - f->bar), b->at, false);
        bus_remove(mmio, &b->dev, b->at);
        b->at = 0;
    }
    if (at && !bus_add(mmio, at, b->size, &b->dev)) {
        b->at = at;
        f->ops->decode(f, (unsigned)(b - f->bar), at, true);
    }
}

static void bars_update(struct pci_function *f)
{
    for (struct pci_bar *b = f->bar; b < f->bar + PCI_BARS; b++) {
        uint64_t at = b->size ? bar_wanted(f, b) : 0;

        if (at != b->at)
            bar_move(f, b, at);
    }
}

/* ---- configuration space, as the guest writes it ---- */

/*
 * The guest sizes six BARs and a ROM of each function by two writes each, most of them to registers
 * that are hard-wired to zero. From the function's first write on, those no longer exit.
 */
static void swallow_sizing(struct pci_root *r, struct pci_function *f)
{
    unsigned first = REG_BAR0;
    struct host *h = r->host;

    if (r->swallowed & (1u << f->index) || !h->ops->swallow)
        return;
    r->swallowed |= 1u << f->index;
    for (unsigned i = 0; i < PCI_BARS; i++)
        if (f->bar[i].size)
            first = REG_BAR0 + 4 * (i + 1);
    if (h->ops->swallow(h, r->ecam_base + f->index * PCI_CONFIG_SIZE + first, REG_CAPS - first,
                        true))
        r->swallowed &= ~(1u << f->index); /* they are trapped, then */
}

static bool overlaps(unsigned off, unsigned len, unsigned reg, unsigned n)
{
    return off < reg + n && reg < off + len;
}

static void config_write(struct pci_root *r, struct pci_function *f, unsigned off,
                         const uint8_t *src, unsigned len)
{
    bool changed = false;

    for (unsigned i = 0; i < len && off + i < sizeof(f->writable); i++) {
        uint8_t mask = f->writable[off + i];
        uint8_t old = f->config[off + i];
        uint8_t new = (uint8_t)((old & ~mask) | (src[i] & mask));

        __atomic_store_n(&f->config[off + i], new, __ATOMIC_RELAXED);
        changed |= new != old;
    }
    if (changed && (overlaps(off, len, REG_COMMAND, 2) || overlaps(off, len, REG_BAR0, 24)))
        bars_update(f);
    if (changed && f->ops->configured)
        f->ops->configured(f, off, len);
    swallow_sizing(r, f);
}

static void ecam_read(struct device *d, uint64_t off, void *dst, unsigned len)
{
    struct pci_root *r = container_of(d, struct pci_root, ecam_dev);

    if (off + len > r->n * PCI_CONFIG_SIZE) {
        memset(dst, 0xff, len); /* nobody there */
        return;
    }
    pthread_mutex_lock(&r->lock);
    memcpy(dst, r->ecam + off, len);
    pthread_mutex_unlock(&r->lock);
}

static void ecam_write(struct device *d, uint64_t off, const void *src, unsigned len)
{
    struct pci_root *r = container_of(d, struct pci_root, ecam_dev);
    uint64_t i = off / PCI_CONFIG_SIZE;

    pthread_mutex_lock(&r->lock);
    if (i < r->n)
        config_write(r, r->function[i], off % PCI_CONFIG_SIZE, src, len);
    pthread_mutex_unlock(&r->lock);
}

static const struct device_ops ecam_ops = { .name = "pci-config",
                                            .read = ecam_read,
                                            .write = ecam_write };

/* ---- making the bus ---- */

int pci_add(struct pci_root *r, struct pci_function *f, const struct pci_id *id, struct err *e)
{
    if (r->n == PCI_FUNCTIONS)
        return err_set(e, ENOSPC, "%s: the PCI bus holds %u functions", f->ops->name,
                       PCI_FUNCTIONS);
    f->root = r;
    f->index = r->n;
    f->config = r->ecam + r->n * PCI_CONFIG_SIZE;
    f->caps_end = REG_FIRST_CAP;
    f->last_cap = 0;
    put16(f, REG_VENDOR, id->vendor);
    put16(f, REG_DEVICE, id->device);
    /* Bus mastering is on and the latency timer set, as firmware leaves them: it saves the guest
     * two writes, and without a driver the device does nothing anyway. */
    put16(f, REG_COMMAND, PCI_COMMAND_MASTER | PCI_COMMAND_NOINTX);
    f->config[REG_LATENCY] = LATENCY;
    f->config[REG_REVISION] = id->revision;
    f->config[REG_CLASS] = (uint8_t)id->class_code;
    f->config[REG_CLASS + 1] = (uint8_t)(id->class_code >> 8);
    f->config[REG_CLASS + 2] = (uint8_t)(id->class_code >> 16);
    f->config[REG_HEADER] = HEADER_MULTI;
    put16(f, REG_SUBVENDOR, id->subvendor);
    put16(f, REG_SUBDEVICE, id->subdevice);
    f->writable[REG_COMMAND] = COMMAND_CHANGEABLE & 0xffu;
    f->writable[REG_COMMAND + 1] = COMMAND_CHANGEABLE >> 8;
    f->writable[REG_CACHE_LINE] = 0xff;
    f->writable[REG_INT_LINE] = 0xff;
    r->function[r->n++] = f;
    return 0;
}

int pci_add_bar(struct pci_function *f, unsigned bar, uint32_t size, struct err *e)
{
    struct pci_root *r = f->root;
    uint64_t at = (r->mmio_next + size - 1) & ~(uint64_t)(size - 1);

    if (at + size > r->mmio_end)
        return err_set(e, ENOSPC, "%s: no room for a BAR of %u bytes", f->ops->name, size);
    r->mmio_next = at + size;
    f->bar[bar] = (struct pci_bar){ .dev = { &bar_ops }, .f = f, .size = size };
    put32(f->config + REG_BAR0 + 4ul * bar, (uint32_t)at);
    put32(f->writable + REG_BAR0 + 4ul * bar, ~(size - 1));
    return 0;
}

uint8_t pci_add_cap(struct pci_function *f, uint8_t id, const void *body, uint8_t len)
{
    unsigned at = (f->caps_end + 3u) & ~3u;

    if (at + len > sizeof(f->writable) - 4)
        return 0;
    memcpy(f->config + at, body, len);
    f->config[at] = id;
    f->config[at + 1] = 0;
    f->config[f->last_cap ? f->last_cap + 1u : (unsigned)REG_CAPS] = (uint8_t)at;
    f->config[REG_STATUS] |= STATUS_CAPS;
    f->last_cap = (uint8_t)at;
    f->caps_end = (uint8_t)(at + len);
    return f->last_cap;
}

static void bridge_nothing(struct pci_function *f)
{
    (void)f;
}

/* It has no BAR, so read, write and decode are never called. */
static const struct pci_ops bridge_ops = { .name = "host-bridge", .free = bridge_nothing };

struct pci_root *pci_root_new(struct host *host, uint64_t ecam_base, uint64_t mmio_base,
                              uint64_t mmio_len, struct err *e)
{
    static const struct pci_id bridge_id = { .vendor = BRIDGE_VENDOR,
                                             .device = BRIDGE_DEVICE,
                                             .class_code = BRIDGE_CLASS };
    struct pci_root *r = calloc(1, sizeof(*r));
    void *ecam = MAP_FAILED;

    if (r)
        ecam = mmap(NULL, ECAM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (ecam == MAP_FAILED) {
        free(r);
        err_set(e, ENOMEM, "PCI bus: out of memory");
        return NULL;
    }
    r->host = host;
    r->ecam = ecam;
    r->ecam_dev.ops = &ecam_ops;
    r->ecam_base = ecam_base;
    r->mmio_base = r->mmio_next = mmio_base;
    r->mmio_end = mmio_base + mmio_len;
    pthread_mutex_init(&r->lock, NULL);
    r->bridge.ops = &bridge_ops;
    if (pci_add(r, &r->bridge, &bridge_id, e) ||
        (bus_add(host->mmio, ecam_base, PCI_ECAM_SIZE, &r->ecam_dev) &&
         err_set(e, EEXIST, "PCI bus: configuration space overlaps something"))) {
        pci_root_free(r);
        return NULL;
    }
    return r;
}

int pci_root_start(struct pci_root *r, struct err *e)
{
    struct host *h = r->host;

    (void)e;
    /* Without read-only memory in the host's KVM the same bytes are served by ecam_read. So is what
     * is absent: mapping all-ones behind it was tried, and cost more than it saved. */
    r->mapped = h->ops->map_readonly && !h->ops->map_readonly(h, ECAM_WINDOW, r->ecam_base, r->ecam,
                                                              r->n * PCI_CONFIG_SIZE);
    return 0;
}

void pci_root_stop(struct pci_root *r)
{
    struct host *h = r->host;

    pthread_mutex_lock(&r->lock);
    for (unsigned i = 0; i < r->n; i++)
        for (unsigned b = 0; b < PCI_BARS; b++)
            bar_move(r->function[i], &r->function[i]->bar[b], 0);
    if (r->mapped)
        (void)!h->ops->map_readonly(h, ECAM_WINDOW, r->ecam_base, NULL, r->n * PCI_CONFIG_SIZE);
    r->mapped = false;
    pthread_mutex_unlock(&r->lock);
}

void pci_root_free(struct pci_root *r)
{
    if (!r)
        return;
    pci_root_stop(r);
    for (unsigned i = r->n; i--;)
        r->function[i]->ops->free(r->function[i]);
    bus_remove(r->host->mmio, &r->ecam_dev, r->ecam_base);
    pthread_mutex_destroy(&r->lock);
    munmap(r->ecam, ECAM_BYTES);
    free(r);
}
