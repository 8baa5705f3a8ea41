/*
 * ext4.h - makes a file system in a file, and fills it. Nothing here reads one that a guest has
 * written: that is dump.h.
 *
 * A volume's quota is its size and its inodes: the guest's kernel cannot go beyond either, and
 * nothing it writes can fill the host further.
 */
#ifndef SANDBOX_VOLUME_EXT4_H
#define SANDBOX_VOLUME_EXT4_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define EXT4_BLOCK 4096u
#define EXT4_LEAST (4u << 20) /* bytes of the smallest volume */

/* The bytes that a quota comes to: whole blocks. */
uint64_t ext4_bytes(uint64_t quota);

/*
 * An empty file system in fd, a file of ours of any size, which becomes a sparse one. inodes: how
 * many files and directories there can be in it, besides its root. Exactly as many, unless there
 * are very many groups of 128 MiB with few inodes each: then up to 16 a group fewer, or as many as
 * make one block of them a group (16). hint is for a person.
 */
must_check int ext4_make(int fd, uint64_t bytes, uint64_t inodes, uint32_t uid, char hint[240],
                         struct err *e);

/* What an entry of the guest looks like. */
struct ext4_attr {
    uint32_t mode; /* permission bits */
    uint32_t uid;  /* and gid */
    int64_t mtime_ns;
};

struct ext4;

/* On what ext4_make made; fd is borrowed. */
struct ext4 *ext4_open(int fd, struct err *e);
/* Writes what waits; the file is then durable. Frees it in either case. */
must_check int ext4_close(struct ext4 *x, struct err *e);
/* The file is of no use any more. NULL is fine. */
void ext4_drop(struct ext4 *x);

#define EXT4_ROOT 2u /* inode number of the root directory */

/* -EDQUOT: the volume is full, in bytes or inodes. Names are checked by the caller: unique in their
 * directory, at most 255 bytes. */
must_check int ext4_mkdir(struct ext4 *x, uint32_t dir, const char *name, const struct ext4_attr *a,
                          uint32_t *made, struct err *e);
must_check int ext4_link(struct ext4 *x, uint32_t dir, const char *name, const char *target,
                         const struct ext4_attr *a, struct err *e);

/* A file is written from its beginning to its end. One at a time. */
must_check int ext4_create(struct ext4 *x, uint32_t dir, const char *name,
                           const struct ext4_attr *a, struct err *e);
must_check int ext4_write(struct ext4 *x, const void *buf, size_t len, struct err *e);
must_check int ext4_finish(struct ext4 *x, struct err *e);

#endif
