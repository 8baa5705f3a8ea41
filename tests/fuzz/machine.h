/*
 * machine.h - for fuzzers of devices: a PCI bus over calloc'd RAM, with a host that swallows
 * interrupts. Pages are never mapped, so that every access passes through the bus.
 */
#ifndef TESTS_FUZZ_MACHINE_H
#define TESTS_FUZZ_MACHINE_H

#include "vmm/pci/pci.h"
#include "vmm/virtio/pci.h"

#include <stdlib.h>
#include <string.h>

#define FUZZ_RAM  65536u
#define FUZZ_ECAM 0xe0000000ull
#define FUZZ_MMIO 0xc0000000ull
#define FUZZ_LEN  0x100000ull

struct fuzz_machine {
    struct host host;
    struct gmem mem;
    struct bus mmio, pio;
    struct loop loop;
    struct pci_root *root;
};

static void fuzz_msi(struct host *h, uint64_t addr, uint32_t data)
{
    (void)h;
    (void)data;
    if (addr >> 20 != 0xfee)
        abort();
}

static void fuzz_mistake(struct host *h, const char *device, const char *what)
{
    (void)h;
    (void)device;
    (void)what;
}

static int fuzz_line(struct host *h, unsigned line, int efd, uint32_t addr, uint32_t data, bool on)
{
    (void)efd;
    (void)on;
    if (line >= HOST_LINES)
        abort();
    fuzz_msi(h, addr, data);
    return 0;
}

static const struct host_ops fuzz_ops = {
    .msi = fuzz_msi, .line = fuzz_line, .guest_mistake = fuzz_mistake, .peer_mistake = fuzz_mistake
};

static void fuzz_open(struct fuzz_machine *m)
{
    memset(m, 0, sizeof(*m));
    m->mem.n = 1;
    m->mem.region[0] = (struct gmem_region){ aligned_alloc(4096, FUZZ_RAM), 0, FUZZ_RAM };
    if (!m->mem.region[0].host || loop_init(&m->loop, NULL))
        abort();
    memset(m->mem.region[0].host, 0, FUZZ_RAM);
    m->host = (struct host){ .ops = &fuzz_ops,
                             .mem = &m->mem,
                             .loop = &m->loop,
                             .mmio = &m->mmio,
                             .pio = &m->pio,
                             .ram = -1 };
    m->root = pci_root_new(&m->host, FUZZ_ECAM, FUZZ_MMIO, FUZZ_LEN, NULL);
    if (!m->root)
        abort();
}

static void fuzz_close(struct fuzz_machine *m)
{
    pci_root_free(m->root);
    if (m->mmio.n)
        abort();
    loop_fini(&m->loop);
    free(m->mem.region[0].host);
}

static inline void fuzz_rounds(struct fuzz_machine *m, unsigned n)
{
    while (n--)
        if (loop_once(&m->loop, 0, NULL))
            abort();
}

static inline void fuzz_w(struct fuzz_machine *m, uint64_t at, unsigned len, uint64_t v)
{
    bus_write(&m->mmio, at, &v, len);
}

/*
 * Function 1 brought to DRIVER_OK: queue i of 16 entries with its parts in the page i + 1 of RAM
 * (descriptors at 0, avail at 0x400, used at 0x800).
 */
static inline void fuzz_start(struct fuzz_machine *m, uint64_t features, unsigned queues)
{
    const uint64_t r = FUZZ_MMIO + 0xfe0;

    fuzz_w(m, FUZZ_ECAM + 0x1004, 2, 6);
    fuzz_w(m, r + 0x14, 1, 0);
    fuzz_w(m, r + 0x14, 1, 3);
    for (unsigned i = 0; i < 2; i++) {
        fuzz_w(m, r + 8, 4, i);
        fuzz_w(m, r + 0xc, 4, (features | VIRTIO_F_VERSION_1) >> (32 * i) & 0xffffffff);
    }
    fuzz_w(m, r + 0x14, 1, 0xb);
    for (unsigned i = 0; i < queues; i++) {
        fuzz_w(m, r + 0x16, 2, i);
        fuzz_w(m, r + 0x18, 2, 16);
        fuzz_w(m, r + 0x20, 4, 0x1000 * (i + 1));
        fuzz_w(m, r + 0x28, 4, 0x1000 * (i + 1) + 0x400);
        fuzz_w(m, r + 0x30, 4, 0x1000 * (i + 1) + 0x800);
        fuzz_w(m, r + 0x1c, 2, 1);
    }
    fuzz_w(m, r + 0x14, 1, 0xf);
}

static inline void fuzz_ring(struct fuzz_machine *m)
{
    fuzz_w(m, FUZZ_MMIO + 0x2000, 2, 0);
    fuzz_rounds(m, 4);
}

#endif
