/*
 * tar.h - POSIX ustar with pax headers (pax(1), "ustar Interchange Format"), as far as copying
 * trees in and out needs it.
 *
 * Reading pulls bytes through a callback and keeps one entry; writing fills the caller's buffer.
 * Neither touches a filesystem. GNU long names are read, never written.
 */
#ifndef GUEST_TAR_H
#define GUEST_TAR_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#define TAR_BLOCK    512u
#define TAR_PATH_MAX 4096u /* bytes with the NUL: PATH_MAX */

enum tar_type { TAR_FILE = '0', TAR_HARDLINK = '1', TAR_SYMLINK = '2', TAR_DIR = '5' };

struct tar_entry {
    enum tar_type type;
    mode_t mode; /* permission bits, 07777 */
    uid_t uid;
    gid_t gid;
    uint64_t size; /* of the data that follows; 0 unless TAR_FILE */
    struct timespec mtime;
    char path[TAR_PATH_MAX]; /* as in the archive, judged by nobody; directories: no final slash */
    char link[TAR_PATH_MAX]; /* target of a hard or symbolic link */
};

/* ---- reading ---- */

struct tar_reader {
    /* Fills buf: the count, less than len only at the end of the archive's bytes, or -errno. */
    ssize_t (*read)(void *arg, void *buf, size_t len);
    void *arg;     /* borrowed */
    uint64_t left; /* data bytes of this entry not read yet */
    uint32_t pad;  /* bytes after the data up to the next block */
};

/*
 * The next entry: 1; 0 at the end of the archive; -EINVAL when the archive is damaged or cut short,
 * -EPERM for a kind of entry that is refused (devices, fifos, sparse files), else the callback's
 * error. What was not read of the entry before is skipped.
 */
must_check int tar_next(struct tar_reader *r, struct tar_entry *out, struct err *e);

/* Data of the current entry: the count, 0 at its end, -EINVAL when the archive is cut short. */
must_check ssize_t tar_read(struct tar_reader *r, void *buf, size_t len);

/* ---- writing ---- */

/* Two blocks of pax header, up to two paths in it, a ustar header. */
#define TAR_HEADER_MAX (TAR_BLOCK * 3u + 2u * (TAR_PATH_MAX + TAR_BLOCK))

/* The headers of an entry: their size, a whole number of blocks. Directories get a final slash. */
size_t tar_header(const struct tar_entry *t, uint8_t out[TAR_HEADER_MAX]);

/* How many zero bytes follow data of this size, up to the next block. */
static inline uint32_t tar_padding(uint64_t size)
{
    return (uint32_t)(-size & (TAR_BLOCK - 1));
}

#endif
