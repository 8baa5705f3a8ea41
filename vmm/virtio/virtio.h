/*
 * virtio.h - what a virtio device is, apart from how it is attached.
 *
 * A device fills a const struct virtio_ops and knows its queues; the transport (pci.c) owns
 * registers, status and interrupts and never looks inside a device. Neither writes to the other's
 * table.
 *
 * Threads: notify, start, reset and a device's own loop callbacks run with dev->lock held, by the
 * transport or by virtio_dev_lock; config_read and features read only what start-up fixed or
 * atomics.
 */
#ifndef VMM_VIRTIO_VIRTIO_H
#define VMM_VIRTIO_VIRTIO_H

#include "vmm/host.h"
#include "vmm/virtio/virtq.h"

#include <pthread.h>

struct virtio_dev;

struct virtio_ops {
    const char *name;     /* as in logs and stats: "blk", "console" */
    uint32_t id;          /* device type, virtio 1.2 section 5 */
    uint16_t queue_size;  /* largest the guest may choose; a power of two */
    uint16_t vectors;     /* MSI-X vectors offered: few, since each costs the guest exits */
    uint32_t config_size; /* bytes of config space */

    uint64_t (*features)(const struct virtio_dev *dev);

    /* off and len are inside the device's config space: the transport checked. */
    void (*config_read)(const struct virtio_dev *dev, uint32_t off, void *dst, uint32_t len);
    void (*config_write)(struct virtio_dev *dev, uint32_t off, const void *src,
                         uint32_t len); /* or NULL */

    /* The guest said DRIVER_OK: queues and features are final until reset. May be NULL. */
    void (*start)(struct virtio_dev *dev);

    /* Serve every queue that has work, until empty. VIRTQ_BAD_GUEST asks for NEEDS_RESET. On the
     * I/O thread. */
    enum virtq_verdict (*notify)(struct virtio_dev *dev);

    /* Forget the guest's state, keep the host's (files, sockets). */
    void (*reset)(struct virtio_dev *dev);

    /* Give the host's state back. The device is not used again. */
    void (*free)(struct virtio_dev *dev);
};

struct virtio_dev {
    const struct virtio_ops *ops;
    struct host *host;    /* borrowed from the machine, outlives the device */
    struct virtq *queues; /* nqueues of them, owned by the device */
    uint16_t nqueues;     /* fixed when the device is made */
    uint64_t features;    /* negotiated; valid from start to reset */
    pthread_mutex_t lock; /* guards queues and the device's own state */
    /* Set by the transport: asks for a used-buffer interrupt, after virtq_push; applies the
     * notification rules of the queue (EVENT_IDX, NO_INTERRUPT). config: configuration change. */
    void (*interrupt)(struct virtio_dev *dev, uint16_t queue);
    void (*config_changed)(struct virtio_dev *dev);
    void (*broken)(struct virtio_dev *dev, const char *what); /* NEEDS_RESET and silence */
};

#endif
