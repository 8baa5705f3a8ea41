/*
 * fs.h - virtio file system device (virtio 1.2 section 5.11), served by another process over
 * vhost-user (base/vhost.h).
 *
 * That process is lent the guest's memory, rings and doorbells, and is not asked for more than to
 * begin and to stop: no byte of a request passes through here. Both sides are strangers. A server
 * that breaks a rule, does not stop when it must, or goes away is the end of the connection: what
 * is in flight, and all that comes later, is answered here with ENOTCONN, and the machine lives on.
 */
#ifndef VMM_VIRTIO_FS_H
#define VMM_VIRTIO_FS_H

#include "base/launch.h"
#include "vmm/virtio/virtio.h"

/* Takes fd, a connected stream socket, on success. Lends host->ram to who is at its other end, and
 * waits a while for that one's first word. */
struct virtio_dev *fs_new(struct host *host, int fd, struct err *e);

#endif
