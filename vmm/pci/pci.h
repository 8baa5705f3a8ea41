/*
 * pci.h - PCI bus 0: configuration space, BARs, and the functions that sit on it.
 *
 * The configuration space of every function is one page of plain bytes. The pages are mapped
 * read-only into the guest, so that reading them never leaves KVM_RUN; a write does, and updates
 * the page before it returns. Functions are numbered 00.0, 00.1 … 01.7, so that what is present is
 * one run of pages. What is absent reads all-ones, by an exit.
 *
 * Threads: the bus calls in from any vCPU; root->lock guards configuration bytes and BARs, and is
 * held in pci_ops.decode. It is taken before any device lock, never after one.
 */
#ifndef VMM_PCI_PCI_H
#define VMM_PCI_PCI_H

#include "vmm/host.h"

#include <pthread.h>

#define PCI_FUNCTIONS   16u /* slots 0 and 1, eight functions each */
#define PCI_CONFIG_SIZE 4096ul
#define PCI_ECAM_SIZE   (256ul * PCI_CONFIG_SIZE) /* one bus */
#define PCI_BARS        6u

#define PCI_COMMAND_MEMORY 0x2u
#define PCI_COMMAND_MASTER 0x4u
#define PCI_COMMAND_NOINTX 0x400u

struct pci_function;

struct pci_ops {
    const char *name; /* logs and stats */
    /* Accesses to a BAR that decodes. [off, off + len) is inside it. Any vCPU thread. */
    void (*read)(struct pci_function *f, unsigned bar, uint64_t off, void *dst, unsigned len);
    void (*write)(struct pci_function *f, unsigned bar, uint64_t off, const void *src,
                  unsigned len);
    /* The BAR answers at gpa from now on, or (on false) no longer does. */
    void (*decode)(struct pci_function *f, unsigned bar, uint64_t gpa, bool on);
    /* Bytes of the configuration space changed: a capability's, or the command register's. */
    void (*configured)(struct pci_function *f, unsigned off, unsigned len);
    void (*free)(struct pci_function *f);
};

struct pci_bar {
    struct device dev;
    struct pci_function *f; /* the function it belongs to */
    uint32_t size;          /* a power of two, at least a page; 0: no such BAR */
    uint64_t at;            /* where it decodes; 0: nowhere */
};

struct pci_function {
    const struct pci_ops *ops;
    struct pci_root *root; /* borrowed, outlives the function */
    uint8_t *config;       /* PCI_CONFIG_SIZE bytes; a page of the root's */
    unsigned index;        /* device * 8 + function */
    uint8_t caps_end;      /* first free byte after the capabilities */
    uint8_t last_cap;      /* where the newest one begins; 0: none yet */
    uint8_t writable[256]; /* bits of config[] the guest may change */
    struct pci_bar bar[PCI_BARS];
};

struct pci_id {
    uint16_t vendor, device, subvendor, subdevice;
    uint32_t class_code; /* 24 bits: base class, subclass, interface */
    uint8_t revision;
};

/*
 * The bus with its host bridge at 00.0. BARs are placed in [mmio_base, mmio_base + mmio_len), below
 * 4 GiB, and answer nowhere else. Takes its pages from the kernel at once: nothing is allocated
 * later.
 */
struct pci_root *pci_root_new(struct host *host, uint64_t ecam_base, uint64_t mmio_base,
                              uint64_t mmio_len, struct err *e);

/* Frees the functions too. The vCPUs and the I/O thread are gone. */
void pci_root_free(struct pci_root *r);

/*
 * The machine calls start once, after the last function was added and before the first vCPU runs:
 * configuration space appears in the guest. stop takes every window and doorbell of the bus out of
 * the guest again, in the state of power-on: after it, vCPUs may still run but reach no device.
 */
must_check int pci_root_start(struct pci_root *r, struct err *e);
void pci_root_stop(struct pci_root *r);

/*
 * Puts a function in the next free place and fills its header. f->ops is set by the caller; from
 * success on the root frees f. -ENOSPC when the bus is full.
 */
must_check int pci_add(struct pci_root *r, struct pci_function *f, const struct pci_id *id,
                       struct err *e);

/* A 32-bit memory BAR, with an address assigned. Before the machine starts. */
must_check int pci_add_bar(struct pci_function *f, unsigned bar, uint32_t size, struct err *e);

/* Appends a capability of len bytes, of which the first two (id, next) are filled in here. Returns
 * its offset, or 0 when there is no room. */
uint8_t pci_add_cap(struct pci_function *f, uint8_t id, const void *body, uint8_t len);

struct host *pci_host(const struct pci_function *f);
bool pci_is_master(const struct pci_function *f); /* may it touch memory and send MSIs? */

#endif
