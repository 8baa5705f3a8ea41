/*
 * balloon.h - virtio memory balloon (virtio 1.2 section 5.5) with free page reporting: pages that
 * the guest says it does not use go back to the host.
 */
#ifndef VMM_VIRTIO_BALLOON_H
#define VMM_VIRTIO_BALLOON_H

#include "vmm/virtio/virtio.h"

struct virtio_dev *balloon_new(struct host *host, struct err *e);

/* How many 4 KiB pages the guest is asked to give up; it may take its time. */
void balloon_set_target(struct virtio_dev *dev, uint32_t pages);

/* What the guest says it has given up, and what was returned to the host in all. */
uint32_t balloon_actual(const struct virtio_dev *dev);
uint64_t balloon_returned_bytes(const struct virtio_dev *dev);

#endif
