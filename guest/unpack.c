/* unpack.c - see unpack.h. */
#include "guest/unpack.h"

#include "base/fd.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define DEPTH_MAX 128u /* directories below the target; each costs a descriptor */
#define MODE_KEPT 01777u

/* One directory on the way to the current entry. */
struct level {
    int fd;     /* owned */
    size_t end; /* its path is the first `end` bytes of unpacker.path */
    bool timed; /* made by this archive: gets mtime when we leave it */
    struct timespec mtime;
};

struct unpacker {
    int root; /* borrowed */
    struct unpack_owner owner;
    unsigned depth;
    struct level levels[DEPTH_MAX];
    char path[TAR_PATH_MAX]; /* of the innermost level */
    struct tar_entry entry;
};

static int innermost(const struct unpacker *u)
{
    return u->depth ? u->levels[u->depth - 1].fd : u->root;
}

/* Leaves the innermost directory; its time is set last, for every file made in it changed it. */
static void leave(struct unpacker *u)
{
    struct level *l = &u->levels[--u->depth];
    struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, l->mtime };

    if (l->timed)
        (void)futimens(l->fd, times);
    fd_closep(&l->fd);
    u->path[u->depth ? u->levels[u->depth - 1].end : 0] = '\0';
}

/* Owner first: changing it clears mode bits. */
static int set_owner_and_mode(const struct unpacker *u, int fd, mode_t mode)
{
    const struct tar_entry *t = &u->entry;
    uid_t uid = u->owner.mapped ? u->owner.uid : t->uid;
    gid_t gid = u->owner.mapped ? u->owner.gid : t->gid;

    if (geteuid() == 0 && fchown(fd, uid, gid))
        return -errno;
    return fchmod(fd, mode & MODE_KEPT) ? -errno : 0;
}

/* Opens the directory `name` in the innermost one, making it when it is not there. */
static int enter(struct unpacker *u, const char *name, size_t len, bool is_entry)
{
    struct level *l = &u->levels[u->depth];
    size_t start = strlen(u->path);
    char component[256];
    auto_fd int fd = -1;
    bool made = false;

    if (u->depth == DEPTH_MAX || len >= sizeof(component) || start + len + 2 > sizeof(u->path))
        return -ENAMETOOLONG;
    memcpy(component, name, len);
    component[len] = '\0';

    if (mkdirat(innermost(u), component, 0700) == 0)
        made = true;
    else if (errno != EEXIST)
        return -errno;
    fd = openat(innermost(u), component, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (made) {
        int err = set_owner_and_mode(u, fd, is_entry ? u->entry.mode : 0755);

        if (err)
            return err;
    }
    if (start)
        u->path[start++] = '/';
    memcpy(u->path + start, component, len + 1);
    *l = (struct level){
        .fd = fd_steal(&fd), .end = start + len, .timed = made && is_entry, .mtime = u->entry.mtime
    };
    u->depth++;
    return 0;
}

/* The next component of *p: its length, 0 at the end. "." counts for nothing. */
static size_t next_component(const char **p)
{
    for (;;) {
        size_t len;

        while (**p == '/')
            ++*p;
        len = strcspn(*p, "/");
        if (len != 1 || **p != '.')
            return len;
        ++*p;
    }
}

/* Is the name one that can only lead below? */
static bool stays_below(const char *path)
{
    const char *p = path;
    size_t len;

    if (*path == '/')
        return false;
    while ((len = next_component(&p)) > 0) {
        if (len == 2 && p[0] == '.' && p[1] == '.')
            return false;
        p += len;
    }
    return true;
}

/* How many of the open levels lie on the way to path; *rest is what follows them. */
static unsigned shared_levels(const struct unpacker *u, const char *path, const char **rest)
{
    const char *p = path;
    unsigned n = 0;
    size_t start = 0;

    for (; n < u->depth; n++) {
        size_t len = next_component(&p), end = u->levels[n].end;

        if (len != end - start || memcmp(p, u->path + start, len) != 0)
            break;
        p += len;
        start = end + 1;
    }
    *rest = p;
    return n;
}

/* Makes the innermost level the directory that holds path; *name is then its last component, of
 * length *len (0: path is the target directory itself). */
static int walk(struct unpacker *u, const char *path, const char **name, size_t *len)
{
    const char *p, *after;
    unsigned shared = shared_levels(u, path, &p);
    size_t n = next_component(&p);

    /* An entry for a directory that is open: its parent is what we need. */
    if (n == 0 && shared > 0) {
        shared--;
        p = path;
        for (unsigned i = 0; i <= shared; i++) {
            p += n;
            n = next_component(&p);
        }
    }
    while (u->depth > shared)
        leave(u);
    for (;;) {
        size_t next_len;
        int err;

        after = p + n;
        next_len = n ? next_component(&after) : 0;
        if (next_len == 0)
            break;
        err = enter(u, p, n, false);
        if (err)
            return err;
        p = after;
        n = next_len;
    }
    *name = p;
    *len = n;
    return 0;
}

static int copy_data(struct tar_reader *r, int fd)
{
    static uint8_t buf[65536];
    ssize_t n;

    while ((n = tar_read(r, buf, sizeof(buf))) > 0) {
        int err = io_write_full(fd, buf, (size_t)n);

        if (err)
            return err;
    }
    return (int)n;
}

static int make_file(struct unpacker *u, struct tar_reader *r, const char *name)
{
    struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, u->entry.mtime };
    auto_fd int fd =
        openat(innermost(u), name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int err;

    if (fd < 0)
        return -errno;
    err = copy_data(r, fd);
    if (!err)
        err = set_owner_and_mode(u, fd, u->entry.mode);
    if (!err && futimens(fd, times))
        err = -errno;
    return err;
}

static int make_symlink(struct unpacker *u, const char *name)
{
    const struct tar_entry *t = &u->entry;
    struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, t->mtime };
    uid_t uid = u->owner.mapped ? u->owner.uid : t->uid;
    gid_t gid = u->owner.mapped ? u->owner.gid : t->gid;

    if (symlinkat(t->link, innermost(u), name))
        return -errno;
    if (geteuid() == 0 && fchownat(innermost(u), name, uid, gid, AT_SYMLINK_NOFOLLOW))
        return -errno;
    /* Not every filesystem keeps times of links. */
    (void)utimensat(innermost(u), name, times, AT_SYMLINK_NOFOLLOW);
    return 0;
}

/* The target is named from the root of the archive and reached by the same careful walk. */
static int make_hardlink(struct unpacker *u, const char *name)
{
    const char *p = u->entry.link;
    char component[256];
    auto_fd int dir = -1;
    size_t len;

    if (!stays_below(p))
        return -EXDEV;
    dir = fcntl(u->root, F_DUPFD_CLOEXEC, 0);
    if (dir < 0)
        return -errno;
    for (;;) {
        const char *after;
        int next;

        len = next_component(&p);
        if (len == 0 || len >= sizeof(component))
            return -EINVAL;
        memcpy(component, p, len);
        component[len] = '\0';
        after = p + len;
        if (next_component(&after) == 0)
            break;
        next = openat(dir, component, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (next < 0)
            return -errno;
        close(dir);
        dir = next;
        p = after;
    }
    return linkat(dir, component, innermost(u), name, 0) ? -errno : 0;
}

static int make(struct unpacker *u, struct tar_reader *r)
{
    const struct tar_entry *t = &u->entry;
    const char *at;
    char name[256];
    size_t len;
    int err;

    if (!stays_below(t->path))
        return -EXDEV;
    err = walk(u, t->path, &at, &len);
    if (err || len == 0)
        return err ? err : t->type == TAR_DIR ? 0 : -EISDIR;
    if (t->type == TAR_DIR)
        return enter(u, at, len, true);
    if (len >= sizeof(name))
        return -ENAMETOOLONG;
    memcpy(name, at, len);
    name[len] = '\0';
    if (unlinkat(innermost(u), name, 0) && errno != ENOENT)
        return -errno;
    switch (t->type) {
    case TAR_SYMLINK: return make_symlink(u, name);
    case TAR_HARDLINK: return make_hardlink(u, name);
    default: return make_file(u, r, name);
    }
}

int unpack(struct tar_reader *r, int dirfd, const struct unpack_owner *owner, struct err *e)
{
    static struct unpacker u; /* some 20 KiB; one archive at a time in a process */
    int got;

    u.root = dirfd;
    u.owner = *owner;
    u.depth = 0;
    u.path[0] = '\0';
    while ((got = tar_next(r, &u.entry, e)) > 0) {
        int err = make(&u, r);

        if (err == -EXDEV)
            got = err_set(e, EPERM, "\"%.128s\" leads outside the target directory", u.entry.path);
        else if (err)
            got = err_set(e, -err, "\"%.128s\": %s", u.entry.path, strerror(-err));
        if (err)
            break;
    }
    while (u.depth)
        leave(&u);
    return got;
}
