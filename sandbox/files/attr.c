/* attr.c - attributes: the host's, but for whose the files are, what a mount can hold, and its
 * numbers, which are to differ between the mounts of one session. */
#include "sandbox/files/server.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>

#define MODE_BITS   (S_IFMT | 01777u) /* no set-user-ID or set-group-ID bit is ever shown (F03) */
#define MOUNT_SHIFT 60                /* of an inode number: above what file systems give out */
#define BLOCK       4096u             /* in which STATFS counts */

int attr_read(int fd, struct stat *x)
{
    return fstatat(fd, "", x, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) ? -errno : 0;
}

uint64_t attr_ino(const struct server *s, const struct live *l, uint64_t ino)
{
    return ino ^ (uint64_t)(l - s->live + 1) << MOUNT_SHIFT;
}

void attr_fill(const struct server *s, const struct live *l, const struct stat *x,
               struct fuse_attr *out)
{
    *out = (struct fuse_attr){
        .ino = attr_ino(s, l, x->st_ino),
        .size = (uint64_t)x->st_size,
        .blocks = (uint64_t)x->st_blocks,
        .atime = (uint64_t)x->st_atim.tv_sec,
        .mtime = (uint64_t)x->st_mtim.tv_sec,
        .ctime = (uint64_t)x->st_ctim.tv_sec,
        .atimensec = (uint32_t)x->st_atim.tv_nsec,
        .mtimensec = (uint32_t)x->st_mtim.tv_nsec,
        .ctimensec = (uint32_t)x->st_ctim.tv_nsec,
        .mode = x->st_mode & MODE_BITS,
        .nlink = (uint32_t)x->st_nlink,
        .uid = s->uid,
        .gid = s->uid,
        .blksize = (uint32_t)x->st_blksize,
    };
}

void entry_fill(struct server *s, const struct live *l, uint32_t id, const struct stat *x,
                struct fuse_entry_out *out)
{
    *out = (struct fuse_entry_out){ .nodeid = id,
                                    .generation = vnode_get(&s->nodes, id)->generation,
                                    .entry_valid_nsec = FILES_VALID_NS,
                                    .attr_valid_nsec = FILES_VALID_NS };
    attr_fill(s, l, x, &out->attr);
}

int entry_enter(struct server *s, uint64_t dir, const struct place *p, const struct stat *x,
                struct fuse_entry_out *out)
{
    uint32_t id = vnode_enter(&s->nodes, (uint32_t)dir, p->name, x->st_ino, x->st_mode & S_IFMT);

    if (!id)
        return -ENFILE;
    entry_fill(s, p->live, id, x, out);
    return 0;
}

static int put_attr(struct server *s, const struct live *l, int fd, struct answer *a)
{
    struct fuse_attr_out out = { .attr_valid_nsec = FILES_VALID_NS };
    struct stat x;
    int err = attr_read(fd, &x);

    if (err)
        return err;
    attr_fill(s, l, &x, &out.attr);
    return answer_with(a, &out, sizeof(out));
}

static int root_attr(const struct server *s, struct answer *a)
{
    const struct fuse_attr_out out = {
        .attr_valid_nsec = FILES_VALID_NS,
        .attr = { .ino = NODE_ROOT, .mode = S_IFDIR | 0555, .nlink = 2 + s->nlive }
    };

    return answer_with(a, &out, sizeof(out));
}

/* fstat(2) of a file that has no name any more comes without the handle. */
static int gone_attr(struct server *s, const struct vnode *x, struct answer *a)
{
    const struct handle *h = handle_of(&s->handles, x->id, false);

    return h ? put_attr(s, &s->live[x->mount], h->fd, a) : -ESTALE;
}

int op_getattr(struct server *s, struct message *m, struct answer *a)
{
    const struct vnode *x = vnode_get(&s->nodes, m->h.nodeid);
    struct fuse_getattr_in in;
    struct place p;
    int err;

    if (!message_take(m, &in, sizeof(in)) || !message_done(m))
        return -EINVAL;
    if (!x)
        return -ENOENT;
    if (x->id == NODE_ROOT)
        return root_attr(s, a);
    if (x->gone)
        return gone_attr(s, x, a);
    err = place_of(s, x->id, &p);
    if (err)
        return err;
    if (*p.rel && !judge_visible(s, &p)) /* the roots are there, whatever is in them */
        return -EACCES;

    auto_fd int fd = place_open(&p, O_PATH | O_NOFOLLOW, 0);

    return fd < 0 ? fd : put_attr(s, p.live, fd, a);
}

/* ---- SETATTR ---- */

static struct timespec time_of(uint32_t valid, uint32_t set, uint32_t now, uint64_t sec,
                               uint32_t nsec)
{
    return (struct timespec){ .tv_sec = (time_t)sec,
                              .tv_nsec = !(valid & set)      ? UTIME_OMIT
                                         : valid & now       ? UTIME_NOW
                                         : nsec < 1000000000 ? (long)nsec
                                                             : 0 };
}

static int set(const struct server *s, struct live *l, int fd, const struct fuse_setattr_in *in)
{
    const uint32_t v = in->valid;
    const struct timespec times[2] = {
        time_of(v, FATTR_ATIME, FATTR_ATIME_NOW, in->atime, in->atimensec),
        time_of(v, FATTR_MTIME, FATTR_MTIME_NOW, in->mtime, in->mtimensec),
    };

    if ((v & FATTR_UID && in->uid != s->uid) || (v & FATTR_GID && in->gid != s->uid))
        return -EPERM; /* files belong to the tools, and on the host to its user */
    if (v & FATTR_MODE && in->mode & (S_ISUID | S_ISGID))
        return -EPERM;
    if (v & FATTR_SIZE) {
        int err = data_truncate(l, fd, in->size);

        if (err)
            return err;
    }
    if (v & FATTR_MODE && fchmod(fd, in->mode & 01777))
        return -errno;
    if (v & (FATTR_ATIME | FATTR_MTIME) && futimens(fd, times))
        return -errno;
    return 0;
}

/* Links have times only, and those are set by name, without following: utimensat does not. */
static int set_link_times(const struct place *p, const struct fuse_setattr_in *in)
{
    const struct timespec times[2] = {
        time_of(in->valid, FATTR_ATIME, FATTR_ATIME_NOW, in->atime, in->atimensec),
        time_of(in->valid, FATTR_MTIME, FATTR_MTIME_NOW, in->mtime, in->mtimensec),
    };
    auto_fd int dir = place_parent(p);

    if (in->valid & (FATTR_SIZE | FATTR_MODE))
        return -EOPNOTSUPP;
    if (dir < 0)
        return dir;
    return utimensat(dir, p->name, times, AT_SYMLINK_NOFOLLOW) ? -errno : 0;
}

/* Neither chmod nor utimensat takes a path-only descriptor on every kernel. */
static int open_to_set(const struct place *p, uint32_t valid)
{
    int fd = valid & FATTR_SIZE ? -EACCES : place_open(p, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);

    /* For its length; or its owner may only write it. */
    return fd == -EACCES ? place_open(p, O_WRONLY | O_NONBLOCK | O_NOCTTY, 0) : fd;
}

static int set_by_name(struct server *s, const struct vnode *x, const struct fuse_setattr_in *in,
                       struct answer *a)
{
    struct place p;
    int err = place_of(s, x->id, &p);

    if (!err)
        err = x->type == S_IFDIR ? judge(s, &p, FILE_WRITE) : judge_leaf(s, &p, FILE_WRITE);
    if (!err && x->type == S_IFLNK)
        err = set_link_times(&p, in);
    if (err)
        return err;

    auto_fd int fd =
        x->type == S_IFLNK ? place_open(&p, O_PATH | O_NOFOLLOW, 0) : open_to_set(&p, in->valid);

    if (fd < 0)
        return fd;
    if (x->type != S_IFLNK)
        err = set(s, p.live, fd, in);
    return err ? err : put_attr(s, p.live, fd, a);
}

int op_setattr(struct server *s, struct message *m, struct answer *a)
{
    const struct vnode *x = vnode_get(&s->nodes, m->h.nodeid);
    struct fuse_setattr_in in;
    struct handle *h = NULL;
    int err;

    if (!message_take(m, &in, sizeof(in)) || !message_done(m))
        return -EINVAL;
    if (!x || x->id == NODE_ROOT)
        return -EACCES;
    if (!s->live[x->mount].writable)
        return -EROFS;
    if (x->type != S_IFREG && x->type != S_IFDIR && x->type != S_IFLNK)
        return -EACCES; /* opening it could do something (F03) */
    if (x->gone)
        h = handle_of(&s->handles, x->id, true);
    else if (in.valid & FATTR_FH)
        h = handle_get(&s->handles, in.fh, x->id, false);
    if (x->gone && !h)
        return -ESTALE;
    if (!h || !h->writable)
        return set_by_name(s, x, &in, a);
    err = set(s, &s->live[x->mount], h->fd, &in); /* it was judged when it was opened */
    return err ? err : put_attr(s, &s->live[x->mount], h->fd, a);
}

/* ---- STATFS ---- */

int op_statfs(struct server *s, struct message *m, struct answer *a)
{
    const struct vnode *x = vnode_get(&s->nodes, m->h.nodeid);
    struct fuse_statfs_out out = {
        .st = { .bsize = BLOCK, .frsize = BLOCK, .namelen = NAME_BYTES_MAX }
    };
    struct statvfs v;

    if (x && x->id != NODE_ROOT) {
        const struct usage *u = &s->live[x->mount].usage;
        uint64_t left = u->max_bytes - u->bytes, host;

        if (fstatvfs(s->live[x->mount].root, &v))
            return -errno;
        host = (uint64_t)v.f_bavail * v.f_frsize;
        out.st.blocks = u->max_bytes / BLOCK;
        out.st.bfree = out.st.bavail = (left < host ? left : host) / BLOCK;
        out.st.files = u->max_inodes;
        out.st.ffree = u->max_inodes - u->inodes;
    }
    return answer_with(a, &out, sizeof(out));
}
