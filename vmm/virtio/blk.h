/*
 * blk.h - virtio block device (virtio 1.2 section 5.2) over one raw file or block device.
 *
 * Whatever the guest writes into it, the file is never anything but raw sectors (L07) and never
 * grows. Without VIRTIO_BLK_F_FLUSH negotiated every write is durable when it completes; with it,
 * writes are durable after the next flush.
 */
#ifndef VMM_VIRTIO_BLK_H
#define VMM_VIRTIO_BLK_H

#include "base/launch.h"
#include "vmm/virtio/virtio.h"

/* Takes disk->fd on success. */
struct virtio_dev *blk_new(struct host *host, const struct vmm_launch_disk *disk, struct err *e);

#endif
