/*
 * kernel_modules.h - which modules of a distribution's kernel the guest needs, in load order.
 *
 * Works on a directory like /lib/modules/VERSION as a package holds it, that is without
 * modules.dep: what a module depends on is read from the module itself (section .modinfo).
 */
#ifndef SANDBOX_IMAGE_KERNEL_MODULES_H
#define SANDBOX_IMAGE_KERNEL_MODULES_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Reads "depends=" and "softdep=pre:" of a module (ELF, already decompressed): names separated by
 * single spaces in *out, the caller's; empty when it depends on nothing. Pure; the bytes may be
 * anything. */
must_check int modinfo_parse(const void *ko, size_t len, char **out, struct err *e);

/* One module as it goes into the initrd. Both owned. */
struct module {
    char *name; /* canonical: '-' is '_' */
    uint8_t *data;
    size_t len;
    bool verity; /* loaded for a checked image only */
};

struct module_list {
    struct module *m; /* owned, in load order */
    size_t n;
};

void module_list_fini(struct module_list *l);

/* The one that checks an image. */
#define MODULE_FOR_VERITY "dm_verity"

/* Picks what a guest needs from a directory. -ENOENT names a module that must be there and is
 * neither there nor built in. */
must_check int modules_pick(const char *dir, struct module_list *out, struct err *e);

#endif
