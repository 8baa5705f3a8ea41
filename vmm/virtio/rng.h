/*
 * rng.h - virtio entropy device (virtio 1.2 section 5.4): getrandom(2) for the guest, at most
 * RNG_REQUEST_MAX bytes a request and bytes_per_s a second (0: no limit).
 */
#ifndef VMM_VIRTIO_RNG_H
#define VMM_VIRTIO_RNG_H

#include "vmm/virtio/virtio.h"

#define RNG_REQUEST_MAX 65536u

struct virtio_dev *rng_new(struct host *host, uint64_t bytes_per_s, struct err *e);

#endif
