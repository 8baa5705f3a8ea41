/*
 * virtio.h - what a virtio device is, apart from how it is attached.
 *
 * A device fills a const struct virtio_ops and knows its queues; the transport (pci.c) owns
 * registers, status and interrupts and never looks inside a device. Neither writes to the other's
 * table.
 *
 * Threads: start and reset run on the vCPU that asked for them, notify on the I/O thread; all with
 * dev->lock held. So a device touches the event loop from notify and from its own loop callbacks
 * only. A callback that has news for the guest (a readable socket, a timer) notes it under the lock
 * and calls dev->serve. config_read and features read only what start-up fixed or atomics.
 *
 * A device whose queues another process serves (kick and call are set) is the one exception to who
 * rings whom: the guest's doorbells and that process's interrupts go past this one, inside the
 * kernel. It looks at dev->running whenever notify is called, and sees to it that the other process
 * follows.
 */
#ifndef VMM_VIRTIO_VIRTIO_H
#define VMM_VIRTIO_VIRTIO_H

#include "base/virtq.h"
#include "vmm/host.h"

#include <pthread.h>

/* Device types, virtio 1.2 section 5. */
#define VIRTIO_ID_BLOCK   2u
#define VIRTIO_ID_CONSOLE 3u
#define VIRTIO_ID_ENTROPY 4u
#define VIRTIO_ID_BALLOON 5u
#define VIRTIO_ID_FS      26u

/* Feature bits of the transport and the rings, section 6; offered for every device. */
#define VIRTIO_F_INDIRECT_DESC (1ull << 28)
#define VIRTIO_F_EVENT_IDX     (1ull << 29)
#define VIRTIO_F_VERSION_1     (1ull << 32)

#define VIRTIO_QUEUES_MAX 18u /* a console of eight ports */

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

    /* The guest said DRIVER_OK: queues and features are final until reset; notify follows on the
     * I/O thread. May be NULL. */
    void (*start)(struct virtio_dev *dev);

    /*
     * Serve every queue that has work. VIRTQ_EMPTY: until there was none, and the doorbell is armed
     * (virtq_wait) where the device waits for the guest. VIRTQ_CHAIN: enough for one turn, call
     * again after other devices had theirs. VIRTQ_BAD_GUEST asks for NEEDS_RESET.
     */
    enum virtq_verdict (*notify)(struct virtio_dev *dev);

    /* Forget the guest's state, keep the host's (files, sockets). */
    void (*reset)(struct virtio_dev *dev);

    /* May another process still use the guest's memory? Asked behind reset, which is over when this
     * is not so any more and stopped was called. NULL: none does. */
    bool (*busy)(const struct virtio_dev *dev);

    /* Give the host's state back, and dev itself. */
    void (*free)(struct virtio_dev *dev);
};

struct virtio_dev {
    const struct virtio_ops *ops;
    struct host *host;    /* borrowed from the machine, outlives the device */
    struct virtq *queues; /* nqueues of them, owned by the device */
    uint16_t nqueues;     /* fixed when the device is made; at most VIRTIO_QUEUES_MAX */
    uint64_t features;    /* negotiated; valid from start to reset */
    pthread_mutex_t lock; /* guards queues and the device's own state */
    void *transport;      /* the transport's; a device does not look */

    /* Of a device that another process serves, else NULL: an eventfd for each queue that the guest
     * rings, and one that is its interrupt. Arrays and descriptors are the device's. */
    const int *kick, *call;
    bool running; /* … whether the driver wants it to; set before notify, which comes in any case */

    /* Set by the transport. All but serve are called with the lock held. */

    /* Asks for a used-buffer interrupt, after virtq_push; applies the notification rules of the
     * queue (EVENT_IDX, NO_INTERRUPT). */
    void (*interrupt)(struct virtio_dev *dev, uint16_t queue);
    /* The device's config space reads differently now. */
    void (*config_changed)(struct virtio_dev *dev);
    /* Nobody uses the guest's memory any more; see busy. */
    void (*stopped)(struct virtio_dev *dev);
    /* On the I/O thread, without the lock: runs notify if there is a driver to be served. */
    void (*serve)(struct virtio_dev *dev);
};

/* The part that is the same for every device: lock and pointers. The transport's functions do
 * nothing until there is a transport. */
void virtio_dev_init(struct virtio_dev *dev, const struct virtio_ops *ops, struct host *host,
                     struct virtq *queues, uint16_t nqueues);
void virtio_dev_fini(struct virtio_dev *dev);

void virtio_dev_lock(struct virtio_dev *dev);
void virtio_dev_unlock(struct virtio_dev *dev);

#endif
