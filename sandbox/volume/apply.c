/* apply.c - see apply.h. */
#include "sandbox/volume/apply.h"

#include "base/fd.h"
#include "base/io.h"
#include "sandbox/volume/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DRAFT ".carrel-export-%d"

/* A file that another user had stays theirs, and a new one is whose the directory is, when root
 * does it. */
static int give(int dir, const char *name, int fd)
{
    struct stat st;

    if (geteuid() != 0)
        return 0;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) && fstat(dir, &st))
        return -errno;
    return fchown(fd, st.st_uid, st.st_gid) ? -errno : 0;
}

/* A guest decides about executing, its file's old mode about the rest. */
static mode_t mode_of(int dir, const char *name, const struct tree_entry *x)
{
    struct stat st;
    mode_t mode = 0644;

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
        mode = st.st_mode & 0666;
    return x->mode & 0111 ? mode | (mode & 0444) >> 2 : mode;
}

static int copy(const struct apply_ask *ask, const struct tree_entry *x, int fd)
{
    char buf[64 << 10];
    uint64_t done = 0;

    while (done < x->size) {
        size_t want = sizeof(buf) < x->size - done ? sizeof(buf) : (size_t)(x->size - done);
        ssize_t n = io_pread_full(ask->stage, buf, want, (off_t)(x->at + done));
        int err = n == (ssize_t)want ? io_write_full(fd, buf, want) : n < 0 ? (int)n : -EIO;

        if (err)
            return err;
        done += want;
    }
    return fsync(fd) ? -errno : 0;
}

static int put_file(const struct apply_ask *ask, int dir, const char *name,
                    const struct tree_entry *x)
{
    char draft[64];
    int err;

    snprintf(draft, sizeof(draft), DRAFT, (int)getpid());

    auto_fd int fd = beneath_open(dir, draft, O_WRONLY | O_CREAT | O_EXCL, 0600);

    if (fd < 0)
        return fd;
    err = copy(ask, x, fd);
    if (!err)
        err = give(dir, name, fd);
    if (!err && fchmod(fd, mode_of(dir, name, x)))
        err = -errno;
    if (!err && renameat(dir, draft, dir, name))
        err = -errno;
    if (err)
        unlinkat(dir, draft, 0);
    return err;
}

static int put_link(int dir, const char *name, const struct tree_entry *x)
{
    char draft[64];
    int err = 0;

    snprintf(draft, sizeof(draft), DRAFT, (int)getpid());
    if (symlinkat(x->link, dir, draft))
        return -errno;
    if (renameat(dir, draft, dir, name))
        err = -errno;
    if (err)
        unlinkat(dir, draft, 0);
    return err;
}

static int put_dir(int dir, const char *name)
{
    if (mkdirat(dir, name, 0755))
        return -errno;

    auto_fd int fd = beneath_open(dir, name, O_RDONLY | O_DIRECTORY, 0);

    return fd < 0 ? fd : give(dir, ".", fd);
}

static int remove_old(int dir, const char *name, const struct tree_entry *was)
{
    return unlinkat(dir, name, was->kind == TREE_DIR ? AT_REMOVEDIR : 0) ? -errno : 0;
}

/* In the way, when forced: something else of that name. */
static int clear(int dir, const char *name, const struct tree_entry *is)
{
    struct stat st;

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
        return errno == ENOENT ? 0 : -errno;
    if (S_ISDIR(st.st_mode) == (is->kind == TREE_DIR))
        return 0;
    return unlinkat(dir, name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) ? -errno : 0;
}

/* The host may have changed since it was compared. */
static int still(const struct apply_ask *ask, struct change *x)
{
    int is = ask->force ? 1 : change_host_is(ask->dirfd, change_path(x), x->was);

    if (is == 0)
        x->fate = CHANGE_CONFLICT;
    return is < 0 ? is : is ? 0 : -EBUSY;
}

static int make(const struct apply_ask *ask, struct change *x)
{
    const char *name;
    auto_fd int dir = beneath_parent(ask->dirfd, x->is->path, &name);
    int err = dir < 0 ? dir : 0;

    if (!err && ask->force)
        err = clear(dir, name, x->is);
    if (err)
        return err;
    switch (x->is->kind) {
    case TREE_FILE: return put_file(ask, dir, name, x->is);
    case TREE_LINK: return put_link(dir, name, x->is);
    case TREE_DIR: err = put_dir(dir, name); return err == -EEXIST && ask->force ? 0 : err;
    default: return -EINVAL;
    }
}

static int unmake(const struct apply_ask *ask, const struct change *x)
{
    const char *name;
    auto_fd int dir = beneath_parent(ask->dirfd, x->was->path, &name);
    int err = dir < 0 ? dir : remove_old(dir, name, x->was);

    return err == -ENOENT ? 0 : err;
}

static void conclude(struct apply_ask *ask, struct change *x, int err, struct err *e)
{
    const char *why = !err                ? NULL
                      : err == -EBUSY     ? "the host has changed it meanwhile"
                      : err == -ENOTEMPTY ? "the directory holds what is not the workspace's"
                                          : strerror(-err);

    if (!err) {
        x->fate = CHANGE_DONE;
        ask->done++;
    } else {
        if (!ask->failed++)
            err_set(e, -err, "%s: %s", change_path(x), why);
    }
    if (ask->told)
        ask->told(ask->arg, x, why);
}

int apply(struct apply_ask *ask, struct changes *c, struct err *e)
{
    ask->done = ask->failed = 0;
    /* What goes, from the inside out; then what comes, from the outside in. */
    for (size_t i = c->n; i-- > 0;) {
        struct change *x = &c->v[i];
        bool moves = x->is && x->was && (x->is->kind == TREE_DIR) != (x->was->kind == TREE_DIR);
        int err;

        if (x->fate != CHANGE_GOES || (x->is && !moves))
            continue;
        err = still(ask, x);
        if (!err)
            err = unmake(ask, x);
        if (err || !x->is)
            conclude(ask, x, err, e);
        else
            x->cleared = true;
        if (err && x->fate == CHANGE_GOES)
            x->fate = CHANGE_CONFLICT;
    }
    for (size_t i = 0; i < c->n; i++) {
        struct change *x = &c->v[i];
        int err;

        if (x->fate != CHANGE_GOES || !x->is)
            continue;
        err = x->cleared ? 0 : still(ask, x);
        conclude(ask, x, err ? err : make(ask, x), e);
    }
    return ask->failed ? -e->code : 0;
}
