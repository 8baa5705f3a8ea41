/* pack.c - see pack.h. */
#include "guest/pack.h"

#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#define DEPTH_MAX 128u
#define CHUNK     65536u

/* One open directory on the way to where the walk is. */
struct level {
    DIR *dir;   /* owned */
    size_t end; /* its path is the first `end` bytes of entry.path */
};

struct packer {
    const struct pack_sink *to; /* borrowed */
    struct tar_entry entry;     /* entry.path is the path of where the walk is */
    bool shrank;
    unsigned depth;
    struct level levels[DEPTH_MAX];
    uint8_t buf[CHUNK];
};

static int fail(const struct packer *p, int code, struct err *e)
{
    return err_set(e, code, "\"%.128s\": %s", p->entry.path, strerror(code));
}

static int put_header(struct packer *p, const struct stat *st, enum tar_type type)
{
    size_t len;

    p->entry.type = type;
    p->entry.mode = st->st_mode & 07777;
    p->entry.uid = st->st_uid;
    p->entry.gid = st->st_gid;
    p->entry.size = type == TAR_FILE ? (uint64_t)st->st_size : 0;
    p->entry.mtime = st->st_mtim;
    len = tar_header(&p->entry, p->buf);
    return p->to->write(p->to->arg, p->buf, len);
}

/* The header promised `size` bytes: no more are sent, and missing ones are zeros. */
static int put_data(struct packer *p, int fd, uint64_t size)
{
    uint64_t left = size;
    int err = 0;

    while (left && !err) {
        ssize_t n = read(fd, p->buf, left < CHUNK ? (size_t)left : CHUNK);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        err = p->to->write(p->to->arg, p->buf, (size_t)n);
        left -= (uint64_t)n;
    }
    p->shrank |= !err && left;
    left += tar_padding(size);
    memset(p->buf, 0, left < CHUNK ? (size_t)left : CHUNK);
    while (left && !err) {
        size_t n = left < CHUNK ? (size_t)left : CHUNK;

        err = p->to->write(p->to->arg, p->buf, n);
        left -= n;
    }
    return err;
}

static int put_file(struct packer *p, int dirfd, const char *name, struct err *e)
{
    /* Opened before it is looked at again: what was a file may be a fifo by now. */
    auto_fd int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    int err;

    if (fd < 0 || fstat(fd, &st))
        return fail(p, errno, e);
    if (!S_ISREG(st.st_mode))
        return fail(p, ENOENT, e);
    err = put_header(p, &st, TAR_FILE);
    if (!err)
        err = put_data(p, fd, (uint64_t)st.st_size);
    return err ? fail(p, -err, e) : 0;
}

static int put_symlink(struct packer *p, int dirfd, const char *name, const struct stat *st,
                       struct err *e)
{
    ssize_t n = readlinkat(dirfd, name, p->entry.link, sizeof(p->entry.link) - 1);
    int err;

    if (n < 0)
        return fail(p, errno, e);
    p->entry.link[n] = '\0';
    err = put_header(p, st, TAR_SYMLINK);
    p->entry.link[0] = '\0';
    return err ? fail(p, -err, e) : 0;
}

/* Filesystems that are views of the kernel, not files somebody wrote. */
static bool is_kernel_view(int fd)
{
    struct statfs fs;

    if (fstatfs(fd, &fs))
        return false;
    switch (fs.f_type) {
    case PROC_SUPER_MAGIC:
    case SYSFS_MAGIC:
    case DEVPTS_SUPER_MAGIC:
    case CGROUP2_SUPER_MAGIC:
    case DEBUGFS_MAGIC:
    case TRACEFS_MAGIC: return true;
    default: return false;
    }
}

static int put_dir(struct packer *p, int dirfd, const char *name, struct err *e)
{
    auto_fd int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    DIR *dir;
    int err;

    if (fd < 0 || fstat(fd, &st))
        return fail(p, errno, e);
    err = put_header(p, &st, TAR_DIR);
    if (err)
        return fail(p, -err, e);
    if (is_kernel_view(fd))
        return 0;
    if (p->depth == DEPTH_MAX)
        return fail(p, ENAMETOOLONG, e);
    dir = fdopendir(fd);
    if (!dir)
        return fail(p, errno, e);
    if (fd_steal(&fd) < 0) /* closedir's now */
        return -EBADF;
    p->levels[p->depth++] = (struct level){ .dir = dir, .end = strlen(p->entry.path) };
    return 0;
}

static int put_any(struct packer *p, int dirfd, const char *name, struct err *e)
{
    struct stat st;

    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW))
        return fail(p, errno, e);
    if (S_ISREG(st.st_mode))
        return put_file(p, dirfd, name, e);
    if (S_ISDIR(st.st_mode))
        return put_dir(p, dirfd, name, e);
    if (S_ISLNK(st.st_mode))
        return put_symlink(p, dirfd, name, &st, e);
    return p->depth ? 0 : err_set(e, EINVAL, "\"%.128s\" is not a file or directory", name);
}

static void leave(struct packer *p)
{
    closedir(p->levels[--p->depth].dir);
}

/* The next entry of the innermost directory, or back to the one above it. */
static int step(struct packer *p, struct err *e)
{
    const struct level *l = &p->levels[p->depth - 1];
    const struct dirent *d;
    size_t len;
    int err;

    p->entry.path[l->end] = '\0';
    errno = 0;
    d = readdir(l->dir);
    if (!d && errno)
        return fail(p, errno, e);
    if (!d) {
        leave(p);
        return 0;
    }
    if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
        return 0;
    len = strlen(d->d_name);
    if (l->end + 1 + len + 1 >= sizeof(p->entry.path))
        return fail(p, ENAMETOOLONG, e);
    p->entry.path[l->end] = '/';
    memcpy(p->entry.path + l->end + 1, d->d_name, len + 1);
    err = put_any(p, dirfd(l->dir), d->d_name, e);
    return err == -ENOENT ? 0 : err; /* a file that went away meanwhile is no mistake */
}

/* Cuts a path into the directory to open and the last component to start from. "/" and "x/." are
 * archived as ".". */
static int cut(const char *path, char dir[TAR_PATH_MAX], char last[TAR_PATH_MAX])
{
    size_t len = strlen(path);
    const char *slash;

    if (len >= TAR_PATH_MAX)
        return -ENAMETOOLONG;
    while (len > 1 && path[len - 1] == '/')
        len--;
    memcpy(dir, path, len);
    dir[len] = '\0';
    slash = strrchr(dir, '/');
    if (!slash)
        return -EINVAL;
    memcpy(last, slash[1] ? slash + 1 : ".", slash[1] ? strlen(slash + 1) + 1 : 2);
    dir[slash == dir ? 1 : slash - dir] = '\0';
    return strcmp(last, "..") == 0 ? -EINVAL : 0;
}

int pack(const char *path, const struct pack_sink *to, struct err *e)
{
    static struct packer p; /* large; one archive at a time in a process */
    char dir[TAR_PATH_MAX];
    auto_fd int fd = -1;
    int err;

    p.to = to;
    p.shrank = false;
    p.depth = 0;
    p.entry.link[0] = '\0';
    err = cut(path, dir, p.entry.path);
    if (err)
        return err_set(e, -err, "\"%.128s\": %s", path, strerror(-err));
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, "\"%.128s\"", path);

    char name[TAR_PATH_MAX];

    memcpy(name, p.entry.path, sizeof(name));
    err = put_any(&p, fd, name, e);
    while (!err && p.depth)
        err = step(&p, e);
    while (p.depth)
        leave(&p);
    if (err)
        return err;
    memset(p.buf, 0, (size_t)2 * TAR_BLOCK);
    err = to->write(to->arg, p.buf, (size_t)2 * TAR_BLOCK);
    if (err)
        return err_set(e, -err, "writing the archive: %s", strerror(-err));
    if (p.shrank)
        return err_set(e, EAGAIN, "a file below \"%.128s\" shrank while it was read", path);
    return 0;
}
