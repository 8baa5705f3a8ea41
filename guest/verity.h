/*
 * verity.h - the image read through dm-verity: a block that is not the one the host's root hash
 * covers is never given to anybody, it ends the machine.
 */
#ifndef GUEST_VERITY_H
#define GUEST_VERITY_H

#include "base/err.h"

#include <stdint.h>

#define VERITY_DISK "/dev/dm-0"

/* Makes VERITY_DISK of the first disk: so many blocks of 4096 bytes of a file system, a superblock,
 * the tree; root is 64 hexadecimal digits. -ENODEV: this kernel has no dm-verity. */
must_check int verity_open(uint64_t blocks, const char *root, struct err *e);

#endif
