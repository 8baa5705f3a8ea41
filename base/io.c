/* io.c - see io.h. */
#include "base/io.h"

#include "base/failpoint.h"
#include "base/fd.h"
#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

ssize_t io_read_full(int fd, void *buf, size_t len)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = read(fd, (char *)buf + done, len - done);

        if (n == 0)
            break;
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0)
            done += (size_t)n;
    }
    return (ssize_t)done;
}

ssize_t io_pread_full(int fd, void *buf, size_t len, off_t at)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = pread(fd, (char *)buf + done, len - done, at + (off_t)done);

        if (n == 0)
            break;
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0)
            done += (size_t)n;
    }
    return (ssize_t)done;
}

int io_write_full(int fd, const void *buf, size_t len)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = write(fd, (const char *)buf + done, len - done);

        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0)
            done += (size_t)n;
    }
    return 0;
}

char *io_load(int dirfd, const char *path, size_t max, size_t *len, struct err *e)
{
    auto_fd int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;

    if (fd < 0 || fstat(fd, &st)) {
        err_sys(e, "%s", path);
        return NULL;
    }
    if (!S_ISREG(st.st_mode)) {
        err_set(e, EINVAL, "%s: not a regular file", path);
        return NULL;
    }
    if ((uint64_t)st.st_size > max) {
        err_set(e, EFBIG, "%s: larger than %zu bytes", path, max);
        return NULL;
    }

    /* One byte more than its size: a file that grows meanwhile is noticed, not followed. */
    size_t room = (size_t)st.st_size + 1;
    auto_str char *buf = malloc(room);
    ssize_t n = buf ? io_read_full(fd, buf, room) : -ENOMEM;

    if (n < 0) {
        err_set(e, (int)-n, "%s: %s", path, strerror((int)-n));
        return NULL;
    }
    if ((size_t)n == room) {
        err_set(e, EAGAIN, "%s: changed while it was read", path);
        return NULL;
    }
    buf[n] = '\0';
    *len = (size_t)n;

    char *taken = buf;

    buf = NULL;
    return taken;
}

static int store_in(int dirfd, const char *tmp, const char *path, const void *buf, size_t len,
                    mode_t mode, bool durable, struct err *e)
{
    auto_fd int fd =
        FAILPOINT("io.store.open")
            ? -1
            : openat(dirfd, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    int err;

    if (fd < 0)
        return err_sys(e, "%s", tmp);
    err = FAILPOINT("io.store.write") ? -errno : io_write_full(fd, buf, len);
    if (err)
        return err_set(e, -err, "%s: %s", tmp, strerror(-err));
    if ((durable && (FAILPOINT("io.store.sync") || fsync(fd))) || FAILPOINT("io.store.rename") ||
        renameat(dirfd, tmp, dirfd, path))
        return err_sys(e, "%s", path);
    return 0;
}

/* The directory that holds path, opened, so that the rename itself reaches the disk. */
static int open_parent(int dirfd, const char *path)
{
    char dir[4096];
    const char *slash = strrchr(path, '/');

    if (!slash)
        return openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    size_t n = slash == path ? 1 : (size_t)(slash - path);

    if (n >= sizeof(dir)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(dir, path, n);
    dir[n] = '\0';
    return openat(dirfd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int replace(int dirfd, const char *path, const void *buf, size_t len, mode_t mode,
                   bool durable, struct err *e)
{
    char tmp[4096];
    auto_fd int parent = open_parent(dirfd, path);

    if (parent < 0)
        return err_sys(e, "%s", path);
    if (snprintf(tmp, sizeof(tmp), "%s.%d.tmp", path, (int)getpid()) >= (int)sizeof(tmp))
        return err_set(e, ENAMETOOLONG, "%s: name too long", path);

    int err = store_in(dirfd, tmp, path, buf, len, mode, durable, e);

    if (err) {
        unlinkat(dirfd, tmp, 0);
        return err;
    }
    if (durable && (FAILPOINT("io.store.syncdir") || fsync(parent)))
        return err_sys(e, "%s: sync of its directory", path);
    return 0;
}

int io_store(int dirfd, const char *path, const void *buf, size_t len, mode_t mode, struct err *e)
{
    return replace(dirfd, path, buf, len, mode, true, e);
}

int io_replace(int dirfd, const char *path, const void *buf, size_t len, mode_t mode, struct err *e)
{
    return replace(dirfd, path, buf, len, mode, false, e);
}
