/*
 * initrd.h - writes the guest's first file system: a cpio archive, format newc, uncompressed
 * (Documentation/driver-api/early-userspace/buffer-format.rst).
 *
 * The same input gives the same bytes: owner 0, time 0, inode numbers counted from 1.
 */
#ifndef SANDBOX_IMAGE_INITRD_H
#define SANDBOX_IMAGE_INITRD_H

#include "sandbox/image/kernel_modules.h"

/* The archive's growing bytes; owned. Zero-initialised to start. */
struct cpio {
    uint8_t *data;
    size_t len, room;
    uint32_t inode;
};

void cpio_fini(struct cpio *c);
must_check int cpio_add(struct cpio *c, const char *path, uint32_t mode, const void *data,
                        size_t len, struct err *e);
/* A character device node. */
must_check int cpio_add_chardev(struct cpio *c, const char *path, uint32_t mode, uint32_t major,
                                uint32_t minor, struct err *e);
must_check int cpio_end(struct cpio *c, struct err *e);

/* /init, /modules/NAME.ko and /modules/order (one line each, in load order), /dev/console,
 * and the directories an init mounts on. */
must_check int initrd_make(const void *init, size_t init_len, const struct module_list *modules,
                           struct cpio *out, struct err *e);

/* Has an initrd that was made here a module of this name? */
bool initrd_has_module(int initrd, const char *name);

#endif
