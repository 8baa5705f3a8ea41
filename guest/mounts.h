/*
 * mounts.h - from the initramfs to the root that tools see: the image, read-only, under a writable
 * layer or, with carrel.root=ro, alone.
 *
 * Steps in the order they are called; each failure is final for the guest. Afterwards neither the
 * image nor the writable layer is reachable by a path of their own.
 */
#ifndef GUEST_MOUNTS_H
#define GUEST_MOUNTS_H

#include "guest/cmdline.h"
#include "guest/origin.h"

/* /dev, /proc and /sys of the initramfs; they move along later. */
must_check int mounts_early(struct err *e);

/* Waits for the disks on the uevent socket and mounts the root below the initramfs. *layer: the
 * writable layer's root, close-on-exec, the caller's; -1 when it is in memory. *o: image and layer
 * apart, the caller's, for as long as there are commands; it borrows c. */
must_check int mounts_root(const struct cmdline *c, int uevents, int *layer, struct origin *o,
                           struct err *e);

/* Makes that root the only one and mounts what belongs into it, with the flags of a container. */
must_check int mounts_switch(const struct cmdline *c, struct err *e);

/* In that root: each volume of the command line at its target, which is made where it can be. */
must_check int mounts_volumes(const struct cmdline *c, int uevents, struct err *e);

/* The same for live mounts: the file system device is mounted out of sight, and each of its
 * directories bound to its target. */
must_check int mounts_live(const struct cmdline *c, struct err *e);

/* A directory, with all that is missing above it. */
must_check int mounts_make_target(const char *target, struct err *e);

/* The volumes are written to no more; before the power goes. */
void mounts_rest(void);

/* The parts of /proc that steer the kernel become read-only, for root too; what was opened before
 * is not. */
must_check int mounts_close(struct err *e);

/* What a filesystem's first bytes say it is, or NULL. Pure; len as far as it was read. */
#define MOUNTS_MAGIC_BYTES 2048u
const char *mounts_fs_type(const unsigned char *head, unsigned long len);

#endif
