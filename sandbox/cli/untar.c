/* untar.c - see untar.h. */
#include "sandbox/cli/untar.h"

#include "base/fd.h"
#include "base/io.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define MODE_KEPT 0777u

/* A directory's mode and time are set last: a file made in it changes the one and may be forbidden
 * by the other. */
struct dir_late {
    char *path; /* owned, below dirfd */
    mode_t mode;
    struct timespec mtime;
};

struct untar {
    const struct untar_ask *ask;
    struct archive *a;
    struct err *e; /* a failure of ask->read is kept here */
    int read_err;
    uint64_t left; /* of ask->max_bytes */
    bool over;     /* there was not enough of it */
    char first[NAME_MAX + 1];
    char path[PATH_MAX];
    struct dir_late *dirs;
    size_t ndirs;
    mode_t umask;
};

static int open_beneath(int dirfd, const char *path, uint64_t flags, mode_t mode)
{
    /* No O_NOFOLLOW: with O_PATH it would let a last link through. */
    const struct open_how how = {
        .flags = flags | O_CLOEXEC,
        .mode = flags & O_CREAT ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };

    return (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
}

/* The next component; "." and empty ones count for nothing. */
static size_t component(const char **p)
{
    for (;;) {
        size_t len;

        *p += strspn(*p, "/");
        len = strcspn(*p, "/");
        if (len != 1 || **p != '.')
            return len;
        ++*p;
    }
}

const char *untar_name(const char *path, char *first, size_t room)
{
    const char *p = path, *rest;
    bool dot = path[0] == '.' && (path[1] == '/' || path[1] == '\0');
    size_t len, n;

    if (*path == '/' || *path == '\0')
        return NULL;
    for (const char *q = path; (n = component(&q)) > 0; q += n)
        if (n == 2 && q[0] == '.' && q[1] == '.')
            return NULL;
    len = dot ? 1 : component(&p);
    if (len == 0 || len >= room)
        return NULL;
    if (*first == '\0') {
        memcpy(first, p, len);
        first[len] = '\0';
    } else if (strlen(first) != len || memcmp(first, p, len) != 0) {
        return NULL;
    }
    rest = p + len;
    (void)component(&rest);
    return rest;
}

/* Where an archive's name goes: ask->root in place of its first component. */
static int place(struct untar *u, const char *name, char out[PATH_MAX])
{
    const char *below = name ? untar_name(name, u->first, sizeof(u->first)) : NULL;
    int n;

    if (!below)
        return -EXDEV;
    n = snprintf(out, PATH_MAX, "%s%s%s", u->ask->root, *below ? "/" : "", below);
    return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* Opens the directory that holds path; *last is then its last component, without a slash. */
static int open_parent(struct untar *u, char *path, const char **last)
{
    char *slash;
    size_t len = strlen(path);
    int fd;

    while (len && path[len - 1] == '/')
        path[--len] = '\0';
    slash = strrchr(path, '/');
    *last = slash ? slash + 1 : path;
    if (!slash)
        return fcntl(u->ask->dirfd, F_DUPFD_CLOEXEC, 0);
    *slash = '\0';
    fd = open_beneath(u->ask->dirfd, path, O_PATH | O_DIRECTORY, 0);
    *slash = '/';
    return fd;
}

static int remember_dir(struct untar *u, const char *path, mode_t mode, struct timespec mtime)
{
    struct dir_late *grown = realloc(u->dirs, (u->ndirs + 1) * sizeof(*grown));

    if (!grown)
        return -ENOMEM;
    u->dirs = grown;
    grown[u->ndirs] = (struct dir_late){ strdup(path), mode, mtime };
    return grown[u->ndirs++].path ? 0 : -ENOMEM;
}

static struct timespec mtime_of(struct archive_entry *entry)
{
    struct timespec t = { .tv_sec = archive_entry_mtime(entry),
                          .tv_nsec = archive_entry_mtime_nsec(entry) };

    if (!archive_entry_mtime_is_set(entry) || t.tv_nsec < 0 || t.tv_nsec > 999999999)
        t = (struct timespec){ .tv_nsec = UTIME_OMIT };
    return t;
}

static int make_dir(struct untar *u, int parent, const char *last, struct archive_entry *entry)
{
    mode_t mode = archive_entry_perm(entry) & MODE_KEPT & ~u->umask;

    if (strcmp(u->path, ".") == 0)
        return 0; /* the directory that we were given stays as it is */
    if (mkdirat(parent, last, 0700) == 0)
        return remember_dir(u, u->path, mode, mtime_of(entry));
    if (errno != EEXIST)
        return -errno;

    auto_fd int fd = open_beneath(parent, last, O_PATH | O_DIRECTORY, 0);

    return fd < 0 ? -errno : 0;
}

static int charge(struct untar *u, uint64_t bytes)
{
    if (bytes > u->left) {
        u->over = true;
        return -E2BIG;
    }
    u->left -= bytes;
    return 0;
}

/* The blocks of [at, at + len) that are not counted yet; archives name places in rising order, and
 * where one does not, a block is counted twice. */
static int charge_data(struct untar *u, la_int64_t at, size_t len, uint64_t *counted)
{
    uint64_t from = (uint64_t)at & ~(uint64_t)(UNTAR_BLOCK - 1), end = (uint64_t)at + len;

    end = (end + UNTAR_BLOCK - 1) & ~(uint64_t)(UNTAR_BLOCK - 1);
    if (*counted && from == *counted - UNTAR_BLOCK)
        from = *counted;
    *counted = end;
    return end > from ? charge(u, end - from) : 0;
}

static int copy_data(struct untar *u, int fd, la_int64_t size)
{
    const void *block;
    size_t len;
    la_int64_t at;
    uint64_t counted = 0;
    int got;

    while ((got = archive_read_data_block(u->a, &block, &len, &at)) == ARCHIVE_OK) {
        const uint8_t *p = block;

        if (at < 0 || at > size || (la_int64_t)len > size - at)
            return -EBADMSG;

        int err = len ? charge_data(u, at, len, &counted) : 0;

        if (err)
            return err;
        while (len) {
            ssize_t n = pwrite(fd, p, len, at);

            if (n < 0 && errno != EINTR)
                return -errno;
            if (n > 0) {
                p += n;
                at += n;
                len -= (size_t)n;
            }
        }
    }
    if (got != ARCHIVE_EOF)
        return u->read_err ? u->read_err : -EBADMSG;
    return ftruncate(fd, size) ? -errno : 0; /* a hole at the end */
}

/* Removes what is in the way, unless it is a directory. */
static int clear_way(int parent, const char *last)
{
    return unlinkat(parent, last, 0) == 0 || errno == ENOENT ? 0 : -errno;
}

static int make_file(struct untar *u, int parent, const char *last, struct archive_entry *entry)
{
    struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, mtime_of(entry) };
    la_int64_t size = archive_entry_size(entry);
    int err = clear_way(parent, last);
    auto_fd int fd = err ? -1 : open_beneath(parent, last, O_WRONLY | O_CREAT | O_EXCL, 0600);

    if (err)
        return err;
    if (fd < 0)
        return -errno;
    if (size < 0)
        return -EBADMSG;
    err = copy_data(u, fd, size);
    if (err) {
        unlinkat(parent, last, 0); /* half a file is worse than none */
        return err;
    }
    if (fchmod(fd, archive_entry_perm(entry) & MODE_KEPT & ~u->umask) || futimens(fd, times))
        return -errno;
    return 0;
}

static int make_symlink(int parent, const char *last, struct archive_entry *entry)
{
    struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, mtime_of(entry) };
    const char *to = archive_entry_symlink(entry);
    int err = to ? clear_way(parent, last) : -EBADMSG;

    if (err)
        return err;
    if (symlinkat(to, parent, last))
        return -errno;
    (void)utimensat(parent, last, times, AT_SYMLINK_NOFOLLOW);
    return 0;
}

static int make_hardlink(struct untar *u, int parent, const char *last, const char *target)
{
    char path[PATH_MAX];
    const char *name;
    int err = place(u, target, path);
    auto_fd int from = err ? -1 : open_parent(u, path, &name);

    if (err)
        return err;
    if (from < 0)
        return -errno;
    err = clear_way(parent, last);
    if (err)
        return err;
    return linkat(from, name, parent, last, 0) ? -errno : 0;
}

static int make(struct untar *u, struct archive_entry *entry)
{
    const char *target = archive_entry_hardlink(entry), *last;
    char path[PATH_MAX];
    int err = place(u, archive_entry_pathname(entry), u->path);

    if (!err)
        err = charge(u, UNTAR_BLOCK);
    if (err)
        return err;
    memcpy(path, u->path, sizeof(path));

    auto_fd int parent = open_parent(u, path, &last);

    if (parent < 0)
        return -errno;
    if (target)
        return make_hardlink(u, parent, last, target);
    switch (archive_entry_filetype(entry)) {
    case AE_IFDIR: return make_dir(u, parent, last, entry);
    case AE_IFREG: return make_file(u, parent, last, entry);
    case AE_IFLNK: return make_symlink(parent, last, entry);
    default: return -EOPNOTSUPP;
    }
}

static int fail(struct untar *u, struct archive_entry *entry, int err)
{
    const char *name = archive_entry_pathname(entry);

    if (!name)
        name = "?";
    if (u->over)
        return err_set(u->e, E2BIG,
                       "\"%.100s\" would make it more than allowed; what came before "
                       "it is in %s",
                       name, u->ask->shown);
    switch (-err) {
    case EXDEV:
        return err_set(u->e, EPERM, "refused: \"%.100s\" leads outside %s", name, u->ask->shown);
    case ELOOP:
        return err_set(u->e, EPERM, "refused: \"%.100s\" goes through a symbolic link", name);
    case EOPNOTSUPP:
        return err_set(u->e, EPERM, "refused: \"%.100s\" is neither file, directory nor link",
                       name);
    case EBADMSG: return err_set(u->e, EBADMSG, "the sandbox sent a damaged archive");
    default:
        if (u->read_err)
            return u->read_err;
        return err_set(u->e, -err, "%s/%.100s: %s", u->ask->shown, u->path, strerror(-err));
    }
}

static void finish_dirs(struct untar *u)
{
    while (u->ndirs) {
        struct dir_late *d = &u->dirs[--u->ndirs];
        struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, d->mtime };
        auto_fd int fd =
            d->path ? open_beneath(u->ask->dirfd, d->path, O_RDONLY | O_DIRECTORY, 0) : -1;

        if (fd >= 0) {
            (void)!futimens(fd, times);
            (void)!fchmod(fd, d->mode);
        }
        free(d->path);
    }
    free(u->dirs);
}

static la_ssize_t read_block(struct archive *a, void *arg, const void **bytes)
{
    struct untar *u = arg;
    ssize_t n = u->ask->read(u->ask->arg, bytes, u->e);

    if (n < 0) {
        u->read_err = (int)n;
        archive_set_error(a, (int)-n, "read");
        return -1;
    }
    return n;
}

int untar(const struct untar_ask *ask, struct err *e)
{
    struct untar *u = calloc(1, sizeof(*u));
    struct archive_entry *entry;
    int got, err = 0;

    if (!u)
        return err_set(e, ENOMEM, "out of memory");
    u->ask = ask;
    u->e = e;
    u->left = ask->max_bytes;
    u->umask = umask(0);
    umask(u->umask);
    u->a = archive_read_new();
    if (!u->a || archive_read_support_format_tar(u->a) != ARCHIVE_OK ||
        archive_read_open(u->a, u, NULL, read_block, NULL) != ARCHIVE_OK)
        err = u->read_err ? u->read_err : err_set(e, EBADMSG, "the sandbox sent no archive");
    while (!err) {
        got = archive_read_next_header(u->a, &entry);
        if (got == ARCHIVE_EOF)
            break;
        if (got != ARCHIVE_OK && got != ARCHIVE_WARN) {
            err = u->read_err ? u->read_err
                              : err_set(e, EBADMSG, "the sandbox sent a damaged archive");
            break;
        }
        err = make(u, entry);
        if (err)
            err = fail(u, entry, err);
    }
    finish_dirs(u);
    archive_read_free(u->a);
    free(u);
    return err;
}
