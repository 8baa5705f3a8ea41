/*
 * io.h - whole transfers and whole files, where a short count is an error or the end.
 *
 * EINTR is retried. None of these is for non-blocking descriptors.
 */
#ifndef BASE_IO_H
#define BASE_IO_H

#include "base/err.h"

#include <sys/types.h>

/* Reads until len bytes or end of file: the count, or -errno. */
must_check ssize_t io_read_full(int fd, void *buf, size_t len);

/* As io_read_full, at an offset; the file position does not move. */
must_check ssize_t io_pread_full(int fd, void *buf, size_t len, off_t at);

/* Writes all len bytes: 0, or -errno with an unknown part written. */
must_check int io_write_full(int fd, const void *buf, size_t len);

/*
 * Reads a whole file of at most max bytes under dirfd (AT_FDCWD allowed). The result is the
 * caller's to free and has a NUL after its *len bytes. NULL with *e set on failure; -EFBIG when
 * the file is larger than max.
 */
char *io_load(int dirfd, const char *path, size_t max, size_t *len, struct err *e);

/*
 * Replaces path under dirfd by these bytes, atomically and durably (temporary file, fsync, rename,
 * fsync of the directory): a reader sees the old file or the new one, never a torn one.
 */
must_check int io_store(int dirfd, const char *path, const void *buf, size_t len, mode_t mode,
                        struct err *e);

/* As io_store, for what nobody wants back after a power cut: atomic for readers, not durable. */
must_check int io_replace(int dirfd, const char *path, const void *buf, size_t len, mode_t mode,
                          struct err *e);

#endif
