/*
 * console.h - virtio console with ports (virtio 1.2 section 5.3): the wire.
 *
 * Each port is a connected stream socket on the host. Nothing is buffered here: bytes for the guest
 * stay in the socket until the guest has opened the port and offers buffers, bytes from the guest
 * stay in its ring while the socket is full. A peer that goes away closes its port, for good.
 */
#ifndef VMM_VIRTIO_CONSOLE_H
#define VMM_VIRTIO_CONSOLE_H

#include "base/launch.h"
#include "vmm/virtio/virtio.h"

/* Takes the descriptors of all nports (1..VMM_PORTS_MAX) ports on success. */
struct virtio_dev *console_new(struct host *host, const struct vmm_launch_port *ports,
                               unsigned nports, struct err *e);

/* The device takes up to VMM_SPARES_MAX more connections of port 0, to be used one after the other.
 */
must_check int console_add_spares(struct virtio_dev *dev, const int32_t *fds, unsigned n,
                                  struct err *e);

#endif
