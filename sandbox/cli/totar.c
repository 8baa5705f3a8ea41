/* totar.c - see totar.h. */
#include "sandbox/cli/totar.h"

#include "base/fd.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEPTH_MAX 128u /* directories in one another; the guest takes no more */
#define CHUNK     65536u

/* One open directory on the way to where the walk is. */
struct level {
    DIR *dir;   /* owned */
    size_t end; /* its name is the first `end` bytes of totar.name */
};

struct totar {
    struct totar_ask *ask;
    struct archive *a;
    struct err *e;
    int write_err;       /* of ask->write, whose reason is in *e then */
    char name[PATH_MAX]; /* of the entry, in the archive */
    unsigned depth;
    struct level levels[DEPTH_MAX];
    uint8_t buf[CHUNK];
};

static int fail(struct totar *t, int code)
{
    if (t->write_err)
        return t->write_err;
    return err_set(t->e, code, "%s: %s", t->name, strerror(code));
}

static int put_header(struct totar *t, const struct stat *st, const char *link)
{
    struct archive_entry *entry = archive_entry_new();
    int got;

    if (!entry)
        return err_set(t->e, ENOMEM, "out of memory");
    archive_entry_set_pathname(entry, t->name);
    archive_entry_set_filetype(entry, st->st_mode & S_IFMT);
    archive_entry_set_perm(entry, st->st_mode & 01777);
    archive_entry_set_mtime(entry, st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
    if (S_ISREG(st->st_mode))
        archive_entry_set_size(entry, st->st_size);
    if (link)
        archive_entry_set_symlink(entry, link);
    got = archive_write_header(t->a, entry);
    archive_entry_free(entry);
    if (got == ARCHIVE_OK || got == ARCHIVE_WARN)
        return 0;
    return t->write_err ? t->write_err
                        : err_set(t->e, EIO, "%s: %s", t->name, archive_error_string(t->a));
}

static int put_data(struct totar *t, int fd, uint64_t size)
{
    bool ended = false;

    for (uint64_t left = size; left;) {
        size_t want = left < CHUNK ? (size_t)left : CHUNK;
        ssize_t n = ended ? 0 : read(fd, t->buf, want);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(t, errno);
        if (n == 0) { /* the header promised more */
            t->ask->changed += !ended;
            ended = true;
            memset(t->buf, 0, want);
            n = (ssize_t)want;
        }
        if (archive_write_data(t->a, t->buf, (size_t)n) != n)
            return fail(t, EIO);
        left -= (uint64_t)n;
    }
    return 0;
}

static int add_file(struct totar *t, int at, const char *name)
{
    auto_fd int fd = openat(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    int err;

    if (fd < 0 || fstat(fd, &st))
        return fail(t, errno);
    if (!S_ISREG(st.st_mode)) {
        t->ask->skipped++;
        return 0;
    }
    err = put_header(t, &st, NULL);
    return err ? err : put_data(t, fd, (uint64_t)st.st_size);
}

static int add_symlink(struct totar *t, int at, const char *name, const struct stat *st)
{
    char link[PATH_MAX];
    ssize_t n = readlinkat(at, name, link, sizeof(link) - 1);

    if (n < 0)
        return fail(t, errno);
    link[n] = '\0';
    return put_header(t, st, link);
}

static int enter_dir(struct totar *t, int at, const char *name)
{
    auto_fd int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    int err;

    if (fd < 0 || fstat(fd, &st))
        return fail(t, errno);
    if (t->depth == DEPTH_MAX)
        return fail(t, ENAMETOOLONG);
    err = put_header(t, &st, NULL);
    if (err)
        return err;

    DIR *dir = fdopendir(fd);

    if (!dir)
        return fail(t, errno);
    (void)!fd_steal(&fd); /* closedir will close it */
    t->levels[t->depth++] = (struct level){ .dir = dir, .end = strlen(t->name) };
    return 0;
}

static int add_any(struct totar *t, int at, const char *name)
{
    struct stat st;

    if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW))
        return errno == ENOENT && t->depth ? 0 : fail(t, errno); /* it went away meanwhile */
    if (S_ISDIR(st.st_mode))
        return enter_dir(t, at, name);
    if (S_ISREG(st.st_mode))
        return add_file(t, at, name);
    if (S_ISLNK(st.st_mode))
        return add_symlink(t, at, name, &st);
    t->ask->skipped++;
    return 0;
}

/* The next entry of the innermost directory, or back to the one above it. */
static int step(struct totar *t)
{
    struct level *l = &t->levels[t->depth - 1];
    const struct dirent *de;
    size_t room = sizeof(t->name) - l->end;

    t->name[l->end] = '\0';
    errno = 0;
    de = readdir(l->dir);
    if (!de && errno)
        return fail(t, errno);
    if (!de) {
        closedir(l->dir);
        t->depth--;
        return 0;
    }
    if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
        return 0;
    if (snprintf(t->name + l->end, room, "/%s", de->d_name) >= (int)room)
        return fail(t, ENAMETOOLONG);
    return add_any(t, dirfd(l->dir), de->d_name);
}

static la_ssize_t write_block(struct archive *a, void *arg, const void *buf, size_t len)
{
    struct totar *t = arg;
    int err = t->ask->write(t->ask->arg, buf, len, t->e);

    if (err) {
        t->write_err = err;
        archive_set_error(a, -err, "write");
        return -1;
    }
    return (la_ssize_t)len;
}

int totar(struct totar_ask *ask, struct err *e)
{
    struct totar *t = calloc(1, sizeof(*t));
    int err = 0;

    if (!t)
        return err_set(e, ENOMEM, "out of memory");
    t->ask = ask;
    t->e = e;
    t->a = archive_write_new();
    snprintf(t->name, sizeof(t->name), "%s", ask->root);
    if (!t->a || archive_write_set_format_pax_restricted(t->a) != ARCHIVE_OK ||
        archive_write_set_bytes_per_block(t->a, (int)CHUNK) != ARCHIVE_OK ||
        archive_write_set_bytes_in_last_block(t->a, 1) != ARCHIVE_OK ||
        archive_write_open(t->a, t, NULL, write_block, NULL) != ARCHIVE_OK)
        err = err_set(e, ENOMEM, "out of memory");
    if (!err)
        err = add_any(t, AT_FDCWD, ask->path);
    while (!err && t->depth)
        err = step(t);
    while (t->depth)
        closedir(t->levels[--t->depth].dir);
    if (!err && archive_write_close(t->a) != ARCHIVE_OK)
        err = fail(t, EIO);
    /* After a failure the rest is not written: freeing an open archive would. */
    if (err && t->a)
        archive_write_fail(t->a);
    archive_write_free(t->a);
    free(t);
    return err;
}
