/*
 * rng.h - virtio entropy device (virtio 1.2 section 5.4): getrandom(2) for the guest, at most
 * RNG_REQUEST_MAX bytes a request and bytes_per_s a second.
 */
#ifndef VMM_VIRTIO_RNG_H
#define VMM_VIRTIO_RNG_H

#include "vmm/virtio/virtio.h"

#define RNG_REQUEST_MAX 65536u

/* What bytes_per_s 0 means. Linux asks for 32 bytes at a time to seed its own generator, so a MiB a
 * second is plenty; the host's getrandom makes hundreds, all of it work that a guest could have
 * done by reading /dev/hwrng, at the price of the host's processor and not of its own. */
#define RNG_DEFAULT_PER_S (1u << 20)

struct virtio_dev *rng_new(struct host *host, uint64_t bytes_per_s, struct err *e);

#endif
