/*
 * guest.h - a guest for device tests: RAM that is an array, a PCI bus whose exits are counted, and
 * a small virtio driver.
 *
 * guest_read and guest_write go where KVM would send them: to a page mapped into the guest, to an
 * eventfd, into the void (swallow), or, as an exit, to the bus. With g->trap_all set before the bus
 * is made, nothing is mapped and every access exits.
 */
#ifndef TESTS_UNIT_GUEST_H
#define TESTS_UNIT_GUEST_H

#include "vmm/pci/pci.h"
#include "vmm/virtio/pci.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define GUEST_RAM  (4u << 20)
#define GUEST_HIGH 0x100000000ull /* the second region, of GUEST_HIGH_LEN */
#define HIGH_LEN   (64u << 10)
#define ECAM       0xe0000000ull
#define MMIO       0xd0000000ull
#define MMIO_LEN   0x100000ull
#define MSI_ADDR   0xfee00000u

#define VIRTIO_BELL  0x2000u
#define VIRTIO_TABLE 0x1400u
#define VIRTIO_ISR   0x2800u
#define VIRTIO_REGS  0xfe0u

struct guest {
    struct host host;
    struct gmem mem;
    struct bus mmio, pio;
    struct loop loop;
    struct pci_root *root;
    bool trap_all;
    unsigned exits; /* to user space */
    unsigned msis, mistakes, peer_mistakes;
    uint32_t msi[256]; /* per data value */
    const char *mistake, *peer_mistake;
    uint64_t next; /* RAM handed out so far */
    struct {
        uint64_t gpa, len;
        uint8_t *at;
        bool plain;
    } window[HOST_WINDOWS];
    struct {
        uint64_t addr;
        int efd;
    } bell[32];
    struct {
        uint64_t gpa, len;
    } hole[32];
    unsigned nholes;
    struct {
        bool on;
        int efd;
        uint32_t data;
    } line[HOST_LINES];
    bool no_lines;
};

/* ---- the host, as KVM would do it ---- */

static inline struct guest *guest_of(struct host *h)
{
    return container_of(h, struct guest, host);
}

static inline void guest_msi(struct host *h, uint64_t addr, uint32_t data)
{
    struct guest *g = guest_of(h);

    assert_int_equal(addr, MSI_ADDR);
    __atomic_fetch_add(&g->msis, 1, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&g->msi[data % 256], 1, __ATOMIC_SEQ_CST);
}

static inline int guest_doorbell(struct host *h, uint64_t addr, int efd, bool on)
{
    struct guest *g = guest_of(h);

    if (g->trap_all)
        return -ENOSYS;
    for (unsigned i = 0; i < array_len(g->bell); i++)
        if (g->bell[i].addr == (on ? 0 : addr)) {
            g->bell[i].addr = on ? addr : 0;
            g->bell[i].efd = efd;
            return 0;
        }
    return -ENOSPC;
}

/* What was signalled on lines arrives. */
static inline void guest_hear_lines(struct guest *g)
{
    eventfd_t signals;

    for (unsigned i = 0; i < HOST_LINES; i++)
        if (g->line[i].on && !eventfd_read(g->line[i].efd, &signals))
            guest_msi(&g->host, MSI_ADDR, g->line[i].data);
}

static inline int guest_line(struct host *h, unsigned line, int efd, uint32_t addr, uint32_t data,
                             bool on)
{
    struct guest *g = guest_of(h);

    if (g->no_lines)
        return -ENOSYS;
    assert_true(line < HOST_LINES);
    assert_int_equal(addr, MSI_ADDR);
    assert_true(on != g->line[line].on); /* tied once, untied once */
    g->line[line].on = on;
    g->line[line].efd = efd;
    g->line[line].data = data;
    return 0;
}

static inline int guest_map(struct host *h, unsigned slot, uint64_t gpa, void *at, uint64_t len,
                            bool plain)
{
    struct guest *g = guest_of(h);

    if (g->trap_all)
        return -EINVAL;
    assert_true(slot < HOST_WINDOWS);
    assert_int_equal(gpa % 4096, 0);
    assert_int_equal((uintptr_t)at % 4096, 0);
    assert_true(!at != !g->window[slot].at); /* mapped once, unmapped once */
    g->window[slot].gpa = gpa;
    g->window[slot].len = len;
    g->window[slot].at = at;
    g->window[slot].plain = plain;
    return 0;
}

static inline int guest_map_readonly(struct host *h, unsigned slot, uint64_t gpa, void *at,
                                     uint64_t len)
{
    return guest_map(h, slot, gpa, at, len, false);
}

static inline int guest_map_plain(struct host *h, unsigned slot, uint64_t gpa, void *at,
                                  uint64_t len)
{
    return guest_map(h, slot, gpa, at, len, true);
}

static inline int guest_swallow(struct host *h, uint64_t gpa, uint64_t len, bool on)
{
    struct guest *g = guest_of(h);

    (void)on;
    if (g->trap_all || g->nholes == array_len(g->hole))
        return -EINVAL;
    g->hole[g->nholes].gpa = gpa;
    g->hole[g->nholes++].len = len;
    return 0;
}

static inline void guest_mistake(struct host *h, const char *device, const char *what)
{
    struct guest *g = guest_of(h);

    (void)device;
    __atomic_fetch_add(&g->mistakes, 1, __ATOMIC_RELAXED);
    g->mistake = what;
}

static inline void guest_peer_mistake(struct host *h, const char *device, const char *what)
{
    struct guest *g = guest_of(h);

    (void)device;
    g->peer_mistakes++;
    g->peer_mistake = what;
}

static const struct host_ops guest_host_ops = {
    .msi = guest_msi,
    .doorbell = guest_doorbell,
    .map_readonly = guest_map_readonly,
    .line = guest_line,
    .guest_mistake = guest_mistake,
    .peer_mistake = guest_peer_mistake,
    .map_plain = guest_map_plain,
    .swallow = guest_swallow,
};

/* ---- making it ---- */

static inline uint8_t *guest_ram(size_t len)
{
    void *at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_ptr_not_equal(at, MAP_FAILED);
    return at;
}

static inline void guest_init(struct guest *g, bool trap_all)
{
    memset(g, 0, sizeof(*g));
    g->mem.n = 2;
    g->mem.region[0] = (struct gmem_region){ guest_ram(GUEST_RAM), 0, GUEST_RAM };
    g->mem.region[1] = (struct gmem_region){ guest_ram(HIGH_LEN), GUEST_HIGH, HIGH_LEN };
    g->next = 0x1000;
    g->trap_all = trap_all;
    assert_int_equal(loop_init(&g->loop, NULL), 0);
    g->host = (struct host){ .ops = &guest_host_ops,
                             .mem = &g->mem,
                             .loop = &g->loop,
                             .mmio = &g->mmio,
                             .pio = &g->pio,
                             .ram = -1 };
    g->root = pci_root_new(&g->host, ECAM, MMIO, MMIO_LEN, NULL);
    assert_non_null(g->root);
}

/* The same memory, as a file that another process can be lent. */
static inline void guest_share(struct guest *g)
{
    off_t at = 0;

    g->host.ram = memfd_create("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(ftruncate(g->host.ram, GUEST_RAM + HIGH_LEN), 0);
    for (unsigned i = 0; i < g->mem.n; i++) {
        struct gmem_region *r = &g->mem.region[i];

        assert_ptr_equal(
            mmap(r->host, r->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, g->host.ram, at),
            r->host);
        at += (off_t)r->size;
    }
}

static inline void guest_fini(struct guest *g)
{
    pci_root_free(g->root);
    for (unsigned i = 0; i < HOST_WINDOWS; i++)
        assert_null(g->window[i].at);
    for (unsigned i = 0; i < array_len(g->bell); i++)
        assert_int_equal(g->bell[i].addr, 0);
    assert_int_equal(g->mmio.n, 0);
    loop_fini(&g->loop);
    munmap(g->mem.region[0].host, GUEST_RAM);
    munmap(g->mem.region[1].host, HIGH_LEN);
    if (g->host.ram >= 0)
        close(g->host.ram);
}

/* The I/O thread, until it has nothing to do. */
static inline void guest_settle(struct guest *g)
{
    /* A round that finds nothing cannot be told from one that does; 64 rounds are plenty for a test
     * that is meant to end, and a device in a loop of its own is seen by what it did not do. */
    for (unsigned i = 0; i < 64; i++)
        assert_int_equal(loop_once(&g->loop, 0, NULL), 0);
    guest_hear_lines(g);
}

/* Has the I/O thread nothing to do? One that would spin has. */
static inline bool guest_idle(struct guest *g)
{
    struct epoll_event ev;

    return epoll_wait(g->loop.epfd, &ev, 1, 0) == 0;
}

/* ---- memory ---- */

static inline void *guest_at(struct guest *g, uint64_t gpa, uint64_t len)
{
    void *at = gmem_payload(&g->mem, (gpa_t){ gpa }, len);

    assert_non_null(at);
    return at;
}

static inline uint64_t guest_alloc(struct guest *g, uint64_t len)
{
    uint64_t at = g->next;

    g->next = (at + len + 63) & ~63ull;
    assert_true(g->next <= GUEST_RAM);
    return at;
}

static inline uint64_t guest_put(struct guest *g, const void *bytes, uint64_t len)
{
    uint64_t at = guest_alloc(g, len);

    memcpy(guest_at(g, at, len), bytes, len);
    return at;
}

/* ---- accesses to devices ---- */

static inline void guest_load(struct guest *g, uint64_t gpa, void *dst, unsigned len)
{
    for (unsigned i = 0; i < HOST_WINDOWS; i++)
        if (g->window[i].at && gpa >= g->window[i].gpa &&
            gpa - g->window[i].gpa < g->window[i].len) {
            memcpy(dst, g->window[i].at + (gpa - g->window[i].gpa), len);
            return;
        }
    g->exits++;
    bus_read(&g->mmio, gpa, dst, len);
}

static inline void guest_store(struct guest *g, uint64_t gpa, const void *src, unsigned len)
{
    for (unsigned i = 0; i < HOST_WINDOWS; i++)
        if (g->window[i].at && g->window[i].plain && gpa >= g->window[i].gpa &&
            gpa - g->window[i].gpa < g->window[i].len) {
            memcpy(g->window[i].at + (gpa - g->window[i].gpa), src, len);
            return;
        }
    for (unsigned i = 0; i < array_len(g->bell); i++)
        if (g->bell[i].addr == gpa && gpa) {
            eventfd_write(g->bell[i].efd, 1);
            return;
        }
    for (unsigned i = 0; i < g->nholes; i++)
        if (gpa >= g->hole[i].gpa && gpa + len <= g->hole[i].gpa + g->hole[i].len)
            return;
    g->exits++;
    bus_write(&g->mmio, gpa, src, len);
}

static inline uint32_t guest_r(struct guest *g, uint64_t gpa, unsigned len)
{
    uint32_t v = 0;

    guest_load(g, gpa, &v, len);
    return v;
}

static inline void guest_w(struct guest *g, uint64_t gpa, unsigned len, uint32_t v)
{
    guest_store(g, gpa, &v, len);
}

static inline uint64_t cfg(unsigned function, unsigned reg)
{
    return ECAM + function * 4096ull + reg;
}

/* ---- a ring, from the driver's side ---- */

#define D_NEXT     1u
#define D_WRITE    2u
#define D_INDIRECT 4u

struct ring {
    struct guest *g;
    uint16_t size;
    uint64_t desc, avail, used;
    uint16_t idx;  /* avail.idx as published */
    uint16_t free; /* next descriptor handed out; goes round */
    uint16_t seen; /* used entries taken */
};

struct buf {
    uint64_t at;
    uint32_t len;
    uint16_t flags; /* D_WRITE or 0 */
};

static inline void ring_init(struct guest *g, struct ring *r, uint16_t size)
{
    *r = (struct ring){ .g = g, .size = size };
    r->desc = guest_alloc(g, 16ull * size);
    r->avail = guest_alloc(g, 6 + 2ull * size);
    r->used = guest_alloc(g, 6 + 8ull * size);
    memset(guest_at(g, r->desc, 16ull * size), 0, 16ull * size);
    memset(guest_at(g, r->avail, 6 + 2ull * size), 0, 6 + 2ull * size);
    memset(guest_at(g, r->used, 6 + 8ull * size), 0, 6 + 8ull * size);
}

static inline void put_desc(struct guest *g, uint64_t table, unsigned i, uint64_t at, uint32_t len,
                            uint16_t flags, uint16_t next)
{
    struct {
        uint64_t at;
        uint32_t len;
        uint16_t flags, next;
    } d = { at, len, flags, next };

    memcpy(guest_at(g, table + 16ull * i, 16), &d, 16);
}

static inline uint16_t ring_word(struct ring *r, uint64_t gpa)
{
    return __atomic_load_n((uint16_t *)guest_at(r->g, gpa, 2), __ATOMIC_SEQ_CST);
}

static inline void ring_set_word(struct ring *r, uint64_t gpa, uint16_t v)
{
    __atomic_store_n((uint16_t *)guest_at(r->g, gpa, 2), v, __ATOMIC_SEQ_CST);
}

static inline void ring_post(struct ring *r, uint16_t head)
{
    *(uint16_t *)guest_at(r->g, r->avail + 4 + 2ull * (r->idx % r->size), 2) = head;
    ring_set_word(r, r->avail + 2, ++r->idx);
}

/* Lays a chain out in the next n descriptors and posts it: its head. */
static inline uint16_t ring_add(struct ring *r, const struct buf *b, unsigned n)
{
    uint16_t head = r->free % r->size;

    for (unsigned i = 0; i < n; i++) {
        uint16_t d = r->free++ % r->size;

        put_desc(r->g, r->desc, d, b[i].at, b[i].len,
                 (uint16_t)(b[i].flags | (i + 1 < n ? D_NEXT : 0)), r->free % r->size);
    }
    ring_post(r, head);
    return head;
}

static inline bool ring_reap(struct ring *r, uint32_t *id, uint32_t *len)
{
    uint32_t e[2] = { 0, 0 };
    bool any = ring_word(r, r->used + 2) != r->seen;

    if (any)
        memcpy(e, guest_at(r->g, r->used + 4 + 8ull * (r->seen++ % r->size), 8), 8);
    if (id)
        *id = e[0];
    if (len)
        *len = e[1];
    return any;
}

/* ---- a driver of one virtio function ---- */

struct driver {
    struct guest *g;
    unsigned function;
    uint64_t bar;
    struct ring ring[VIRTIO_QUEUES_MAX];
};

static inline uint32_t drv_r(struct driver *d, unsigned reg, unsigned len)
{
    return guest_r(d->g, d->bar + VIRTIO_REGS + reg, len);
}

static inline void drv_w(struct driver *d, unsigned reg, unsigned len, uint32_t v)
{
    guest_w(d->g, d->bar + VIRTIO_REGS + reg, len, v);
}

static inline void drv_status(struct driver *d, uint8_t v)
{
    drv_w(d, 0x14, 1, v);
}

static inline uint64_t drv_offered(struct driver *d)
{
    uint64_t f;

    drv_w(d, 0, 4, 0);
    f = drv_r(d, 4, 4);
    drv_w(d, 0, 4, 1);
    return f | (uint64_t)drv_r(d, 4, 4) << 32;
}

static inline void drv_features(struct driver *d, uint64_t f)
{
    drv_w(d, 8, 4, 0);
    drv_w(d, 0xc, 4, (uint32_t)f);
    drv_w(d, 8, 4, 1);
    drv_w(d, 0xc, 4, (uint32_t)(f >> 32));
}

static inline void drv_set_queue(struct driver *d, uint16_t i, uint16_t size, uint64_t desc,
                                 uint64_t avail, uint64_t used)
{
    uint64_t part[3] = { desc, avail, used };

    drv_w(d, 0x16, 2, i);
    drv_w(d, 0x18, 2, size);
    for (unsigned k = 0; k < 3; k++) {
        drv_w(d, 0x20 + 8 * k, 4, (uint32_t)part[k]);
        drv_w(d, 0x24 + 8 * k, 4, (uint32_t)(part[k] >> 32));
    }
    drv_w(d, 0x1a, 2, 1);
    drv_w(d, 0x1c, 2, 1);
}

/* MSI-X: vector v sends data 0x40 + v. Vector 0 is for configuration, 1 for the queues. */
static inline void drv_vectors(struct driver *d)
{
    for (unsigned v = 0; v < 2; v++) {
        uint64_t e = d->bar + VIRTIO_TABLE + 16 * v;

        guest_w(d->g, e, 4, MSI_ADDR);
        guest_w(d->g, e + 4, 4, 0);
        guest_w(d->g, e + 8, 4, 0x40 + v);
        guest_w(d->g, e + 12, 4, 0);
    }
}

static inline unsigned drv_find_cap(struct driver *d, uint8_t id)
{
    unsigned at = guest_r(d->g, cfg(d->function, 0x34), 1);

    while (at && guest_r(d->g, cfg(d->function, at), 1) != id)
        at = guest_r(d->g, cfg(d->function, at + 1), 1);
    return at;
}

/* Turns the function on and finds its registers. */
static inline void drv_open(struct guest *g, struct driver *d, unsigned function)
{
    *d = (struct driver){ .g = g, .function = function };
    guest_w(g, cfg(function, 4), 2, 6);
    d->bar = guest_r(g, cfg(function, 0x10), 4);
    guest_w(g, cfg(function, drv_find_cap(d, 0x11) + 2), 2, 0x8000);
    drv_vectors(d);
}

/* Everything a driver does up to DRIVER_OK, with all queues at this size. */
static inline void drv_start(struct driver *d, uint64_t features, uint16_t size)
{
    uint16_t n;

    drv_status(d, 0);
    drv_status(d, 1);
    drv_status(d, 3);
    drv_features(d, features | VIRTIO_F_VERSION_1);
    drv_status(d, 0xb);
    assert_int_equal(drv_r(d, 0x14, 1), 0xb);
    drv_w(d, 0x10, 2, 0);
    n = (uint16_t)drv_r(d, 0x12, 2);
    for (uint16_t i = 0; i < n; i++) {
        struct ring *r = &d->ring[i];

        ring_init(d->g, r, size);
        drv_set_queue(d, i, size, r->desc, r->avail, r->used);
        assert_int_equal(drv_r(d, 0x1c, 2), 1);
    }
    drv_status(d, 0xf);
    assert_int_equal(drv_r(d, 0x14, 1), 0xf);
    guest_settle(d->g);
}

static inline void drv_ring(struct driver *d)
{
    guest_w(d->g, d->bar + VIRTIO_BELL, 2, 0);
    guest_settle(d->g);
}

static inline bool drv_broken(struct driver *d)
{
    return drv_r(d, 0x14, 1) & 0x40;
}

/* The bus with one device on it, its driver loaded. */
static inline void guest_plug(struct guest *g, struct driver *d, struct virtio_dev *dev)
{
    assert_non_null(dev);
    assert_int_equal(virtio_pci_add(g->root, dev, NULL), 0);
    assert_int_equal(pci_root_start(g->root, NULL), 0);
    drv_open(g, d, 1);
}

#endif
