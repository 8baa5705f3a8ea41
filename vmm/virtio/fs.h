/*
 * fs.h - virtio file system device (virtio 1.2 section 5.11): FUSE messages between a guest and a
 * server on one connected stream socket, as base/files.h says.
 *
 * It knows the two headers of a message and nothing else: no path, no file, no operation but the
 * three that have no reply. Both sides are strangers to it. A guest that breaks a rule has to reset
 * the device; a server that does, or goes away, is the end of the connection: what is in flight,
 * and all that comes later, is answered with ENOTCONN, and the machine lives on.
 */
#ifndef VMM_VIRTIO_FS_H
#define VMM_VIRTIO_FS_H

#include "base/launch.h"
#include "vmm/virtio/virtio.h"

/* Takes fd, a connected stream socket, on success. */
struct virtio_dev *fs_new(struct host *host, int fd, struct err *e);

#endif
