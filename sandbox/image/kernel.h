/*
 * kernel.h - guest kernels: unpacked once at import, never by the VMM.
 *
 *     kernels/NAME/vmlinux       ELF
 *     kernels/NAME/modules/      NAME.ko, uncompressed, and their load order; absent = built in
 *     kernels/NAME/initrd-KEY.img  cpio (newc, uncompressed): /init = carrel-init, and the modules,
 *                                in load order in /modules/order; KEY = which carrel-init
 *     kernels/NAME/kernel.json   { name, version, digest, source, pvh, modules[] }
 *     kernels/default -> NAME
 */
#ifndef SANDBOX_IMAGE_KERNEL_H
#define SANDBOX_IMAGE_KERNEL_H

#include "base/err.h"
#include "sandbox/image/image.h"

struct kernel {
    char *name;      /* owned */
    char *version;   /* owned, e.g. "6.1.0-49-cloud-amd64" */
    char digest[65]; /* SHA-256 of vmlinux */
    bool pvh;        /* has the PVH note */
    bool verity;     /* came with dm-verity, for image.verity */
    bool is_default;
};

void kernel_fini(struct kernel *k);

/* Loads by name, NULL = the default. -ENOENT with what to do. */
must_check int kernel_load(const char *name, struct kernel *out, struct err *e);

/* Opens vmlinux and the initrd, read-only, the caller's. The initrd is made when there is none yet
 * for the carrel-init that is installed now: kept when there is room and permission, else in
 * memory. -ESTALE when vmlinux is not the file that was added. */
must_check int kernel_open(const struct kernel *k, int *vmlinux, int *initrd, struct err *e);

/* The same for a kernel whose files are all there and as they were made: -ESTALE when something has
 * to be read or made first, which kernel_open does. */
must_check int kernel_open_known(const struct kernel *k, int *vmlinux, int *initrd, struct err *e);

/* Adds a kernel: an ELF vmlinux or a bzImage whose payload is gzip, xz, zstd, lz4, bzip2 or lzma.
 * modules: directory like /lib/modules/VERSION, or NULL when everything is built in. The first
 * kernel becomes the default; a kernel named "lean" takes over as default when added. */
must_check int kernel_add(const char *name, const char *image, const char *modules,
                          image_progress *say, void *arg, struct err *e);

/* Downloads a distribution's kernel package by name, unpacks it without installing it, and adds
 * it. package NULL = linux-image-cloud-amd64. */
must_check int kernel_fetch(const char *name, const char *package, image_progress *say, void *arg,
                            struct err *e);

must_check int kernel_list(struct kernel **out, size_t *n, struct err *e);
must_check int kernel_set_default(const char *name, struct err *e);
must_check int kernel_remove(const char *name, struct err *e);

/* bzImage or ELF in memory -> ELF in memory, pure; tested and fuzzed. *out is the caller's. At most
 * max bytes. */
must_check int kernel_unpack(const void *in, size_t len, size_t max, void **out, size_t *out_len,
                             struct err *e);

#endif
