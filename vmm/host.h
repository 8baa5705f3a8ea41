/*
 * host.h - what the machine lends to devices: interrupts, doorbells, the I/O thread.
 *
 * A table of functions, so that a device test needs no KVM: the test counts interrupts and rings
 * doorbells itself. The machine's own table is in machine.c.
 */
#ifndef VMM_HOST_H
#define VMM_HOST_H

#include "base/gmem.h"
#include "base/loop.h"
#include "vmm/device.h"

struct host;

/* Windows a device may ask to map with map_readonly and map_plain: slot < HOST_WINDOWS. */
#define HOST_WINDOWS 40

/* Lines: interrupts that another process sends; of one device, one for each queue. */
#define HOST_LINES 2u

struct host_ops {
    /* Delivers one MSI to the guest's interrupt controller (KVM_SIGNAL_MSI). Any thread. */
    void (*msi)(struct host *h, uint64_t addr, uint32_t data);
    /* Makes guest writes of any width to the MMIO address at ring efd instead of leaving KVM_RUN
     * (KVM_IOEVENTFD), or stops that. */
    int (*doorbell)(struct host *h, uint64_t addr, int efd, bool on);
    /* Maps len bytes at host (whole pages) at gpa as guest-readable memory; guest writes still exit
     * (KVM_MEM_READONLY). host NULL removes it. */
    int (*map_readonly)(struct host *h, unsigned slot, uint64_t gpa, void *host, uint64_t len);
    /* From now on a signal of efd, that before it not excepted, is this MSI, inside the kernel
     * (KVM_IRQFD); or no longer, and signals wait in efd. */
    int (*line)(struct host *h, unsigned line, int efd, uint32_t addr, uint32_t data, bool on);
    /* A guest broke the rules of a device: counted, and one rate-limited line in the log. */
    void (*guest_mistake)(struct host *h, const char *device, const char *what);
    /* A process behind a device broke the rules of their wire, and was hung up on: one line in the
     * log, so at most one a connection. */
    void (*peer_mistake)(struct host *h, const char *device, const char *what);
    /*
     * Two more that only save exits: NULL, or any failure, means that the accesses are trapped
     * and come through the bus, with the same result.
     *
     * map_plain: as map_readonly, but the guest may write too; a device page without side effects.
     * swallow: guest writes inside [gpa, gpa + len) vanish without leaving KVM_RUN
     * (KVM_REGISTER_COALESCED_MMIO; the ring is never read, a full ring means a trapped write).
     */
    int (*map_plain)(struct host *h, unsigned slot, uint64_t gpa, void *host, uint64_t len);
    int (*swallow)(struct host *h, uint64_t gpa, uint64_t len, bool on);
};

struct host {
    const struct host_ops *ops;
    const struct gmem *mem; /* borrowed, outlives every device */
    struct loop *loop;      /* of the I/O thread; touched by devices from that thread only, or
                               before the machine starts */
    struct bus *mmio, *pio;
    int ram; /* borrowed: a memfd that is mem, region behind region; -1: memory is not shared, or
                the machine runs */
};

#endif
