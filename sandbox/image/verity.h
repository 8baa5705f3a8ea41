/*
 * verity.h - the hash tree of dm-verity behind an image's file system.
 *
 * A blob is: the file system, zeroes to a whole block, dm-verity's superblock, the tree with its
 * root block first, and a last block that says where the others are. Superblock and tree are those
 * of Documentation/admin-guide/device-mapper/verity.rst (hash type 1, SHA-256, blocks of 4096
 * bytes, no salt: the same file system makes the same blob), so that veritysetup can check them.
 * The blob's digest covers them, and with it the root hash; a guest that is told the root hash
 * reads no block that is not the one it was.
 */
#ifndef SANDBOX_IMAGE_VERITY_H
#define SANDBOX_IMAGE_VERITY_H

#include "sandbox/image/data.h"

#define VERITY_BLOCK 4096u

struct verity {
    uint64_t blocks;           /* of the file system; the superblock is the next one */
    char root[DIGEST_HEX + 1]; /* lower-case hexadecimal */
};

/* Appends all of it to a file system of any size but 0; fd is open for reading and writing. */
must_check int verity_append(int fd, struct err *e);

/* What the last block says, checked to lie in the file. -ENOENT: there is no tree, as in an image
 * that an earlier Carrel made. Pure. */
must_check int verity_read(const struct data_end *end, struct verity *out, struct err *e);

#endif
