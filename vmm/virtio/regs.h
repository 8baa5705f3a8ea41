/*
 * regs.h - the registers of one virtio function: what pci.c and regs.c know of it.
 *
 * pci.c has the BAR, its pages in the guest, the doorbells and the interrupts; regs.c the common
 * configuration and the device's life from reset to DRIVER_OK. Everything here is called with the
 * device's lock held. Sections are those of virtio 1.2.
 */
#ifndef VMM_VIRTIO_REGS_H
#define VMM_VIRTIO_REGS_H

#include "vmm/pci/msix.h"
#include "vmm/virtio/virtio.h"

/* ---- the BAR ---- */

#define PAGE     0x1000u
#define BAR      0u
#define BAR_SIZE (4u * PAGE)

#define AT_DEVICE 0x0000u
#define AT_COMMON (PAGE - 0x20u) /* up to queue_notify_off in page 0, the addresses in page 1 */
#define AT_TABLE  0x1400u
#define AT_PBA    0x1800u
#define AT_BELL   0x2000u
#define AT_ISR    0x2800u

#define COMMON_LEN 0x38u
#define ADDRS_LEN  0x18u

#define NO_VECTOR 0xffffu

/* Section 2.1: device status. */
#define ACKNOWLEDGE 1u
#define DRIVER      2u
#define DRIVER_OK   4u
#define FEATURES_OK 8u
#define NEEDS_RESET 0x40u
#define FAILED      0x80u

struct virtio_pci {
    uint8_t page[2][PAGE]; /* what the guest reads; page[1] is the guest's to scribble on */
    struct pci_function f;
    struct msix msix;
    struct virtio_dev *dev;     /* owned; its lock guards all that follows */
    struct loop_source bell;    /* fd owned: an eventfd, rung by KVM or by regs_ring */
    bool live;                  /* DRIVER_OK, and not broken since */
    bool resetting;             /* since the driver wrote 0, until the device is not busy */
    uint8_t status, generation; /* as in the page */
    uint8_t isr;
    bool malformed; /* the guest tried to enable a queue that is none */
    /* In the guest now: page 0 as read-only memory, page 1 as memory, doorbells by number. */
    bool windows, plain;
    uint32_t bells_in_kvm;
    /* Of a device that another process serves: whether a queue's signals are interrupts now. */
    struct {
        bool on;
        struct msix_message to;
    } line[HOST_LINES];
    uint64_t at; /* where the BAR decodes, 0: nowhere */
    uint32_t device_select, driver_select, select;
    uint64_t driver_features;
    uint16_t config_vector;
    uint16_t vector[VIRTIO_QUEUES_MAX];
};

/* ---- regs.c ---- */

/* The driver wrote 0 to the status: what it reads is 0 when the device has stopped. Also how it
 * begins. */
void regs_reset(struct virtio_pci *p);

/* The device has stopped: the state after power-on. */
void regs_stopped(struct virtio_pci *p);

/* A write to the common configuration in page 0, at an offset of section 4.1.4.3. */
void regs_write(struct virtio_pci *p, uint64_t off, const void *src, unsigned len);

/* A write to the device's own configuration. */
void regs_write_config(struct virtio_pci *p, uint64_t off, const void *src, unsigned len);

/* Page 0 shows the status; the device's own configuration, as of a new generation. */
void regs_show_status(struct virtio_pci *p);
void regs_show_new_config(struct virtio_pci *p);

/* ---- pci.c ---- */

/* Page 1 is memory to the guest, or its accesses are trapped. */
void regs_plain_page(struct virtio_pci *p, bool on);

/* The doorbells ring in KVM, without an exit to us; as far as the host can. */
void regs_bell_in_kvm(struct virtio_pci *p, bool on);

/* Another process's interrupts follow what the guest has made of vectors, masks and the bus. */
void regs_lines(struct virtio_pci *p);

/* As if the guest had rung: the I/O thread looks after the device. */
void regs_ring(struct virtio_pci *p);

/* Section 2.1.2: the device says that it needs a reset, and does nothing until it gets one. */
void regs_break_down(struct virtio_pci *p, const char *what);

void regs_mistake(struct virtio_pci *p, const char *what);

#endif
