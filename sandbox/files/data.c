/* data.c - open files: what is in them, and how long they are. */
#include "sandbox/files/server.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <unistd.h>

/* Of open(2)'s flags these are passed on. O_TRUNC is our own doing, for its charge; O_DIRECT asks
 * for aligned memory, which a guest need not give. */
#define PASSED (O_ACCMODE | O_APPEND | O_SYNC | O_DSYNC)
#define ALWAYS (O_NONBLOCK | O_NOCTTY) /* something else could have been put there */

static bool writes(uint32_t flags)
{
    return (flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC;
}

int data_host_flags(uint32_t flags)
{
    /* Cutting a file needs a descriptor that may. */
    if (flags & O_TRUNC && (flags & O_ACCMODE) == O_RDONLY)
        flags = (flags & ~(uint32_t)O_ACCMODE) | O_RDWR;
    return (int)(flags & PASSED) | ALWAYS;
}

static int judge_open(struct server *s, const struct place *p, uint32_t flags)
{
    int err = (flags & O_ACCMODE) == O_WRONLY ? 0 : judge(s, p, FILE_READ);

    if (err || !writes(flags))
        return err;
    /* A file in the place of a directory, like a worktree's .git, may lead to another one (F04). */
    return p->live->writable ? judge_leaf(s, p, FILE_WRITE) : -EROFS;
}

int data_truncate(struct live *l, int fd, uint64_t size)
{
    struct stat st;
    uint64_t more = 0;
    int err = fstat(fd, &st) ? -errno : 0;

    if (!err && !S_ISREG(st.st_mode))
        err = -EINVAL;
    if (!err && size > INT64_MAX)
        err = -EFBIG;
    if (!err && size > (uint64_t)st.st_size)
        more = size - (uint64_t)st.st_size;
    if (!err)
        err = usage_add(&l->usage, more, 0);
    if (!err && ftruncate(fd, (off_t)size)) {
        err = -errno;
        usage_take_back(&l->usage, more, 0);
    }
    if (!err && size < (uint64_t)st.st_size)
        usage_take_back(&l->usage, (uint64_t)st.st_size - size, 0);
    return err;
}

int data_keep(struct server *s, struct live *l, int *fd, uint32_t node, uint32_t flags,
              struct fuse_open_out *out)
{
    struct stat st;
    struct handle h = { .fd = *fd,
                        .node = node,
                        .mount = (uint8_t)(l - s->live),
                        .writable = (flags & O_ACCMODE) != O_RDONLY,
                        .append = flags & O_APPEND };
    int err = fstat(*fd, &st) ? -errno : 0;

    if (!err && !S_ISREG(st.st_mode))
        err = -EACCES; /* F03 */
    if (!err && flags & O_TRUNC)
        err = data_truncate(l, *fd, 0);
    if (err)
        return err;
    h.ino = st.st_ino;
    *out = (struct fuse_open_out){ .fh = handle_new(&s->handles, &h) };
    if (!out->fh)
        return -ENFILE;
    (void)!fd_steal(fd);
    vnode_opened(&s->nodes, node);
    return 0;
}

int op_open(struct server *s, struct message *m, struct answer *a)
{
    const struct vnode *x = vnode_get(&s->nodes, m->h.nodeid);
    struct fuse_open_in in;
    struct fuse_open_out out;
    struct place p;
    int err;

    if (!message_take(m, &in, sizeof(in)) || !message_done(m))
        return -EINVAL;
    if (x && x->type != S_IFREG)
        return x->type == S_IFDIR ? -EISDIR : -EACCES; /* opening it could do something (F03) */
    err = place_of(s, m->h.nodeid, &p);
    if (!err)
        err = judge_open(s, &p, in.flags);
    if (err)
        return err;

    auto_fd int fd = place_open(&p, data_host_flags(in.flags), 0);

    err = fd < 0 ? fd : data_keep(s, p.live, &fd, (uint32_t)m->h.nodeid, in.flags, &out);
    if (err)
        return err;
    return answer_with(a, &out, sizeof(out));
}

/* A new file, or with another's doing meanwhile the one that is there. */
static int create(struct server *s, const struct place *p, const struct fuse_create_in *in)
{
    int err = judge_leaf(s, p, FILE_CREATE), fd;

    if (!err)
        err = judge_open(s, p, in->flags & ~(uint32_t)O_TRUNC);
    if (!err)
        err = p->live->writable ? usage_add(&p->live->usage, 0, 1) : -EROFS;
    if (err)
        return err;
    fd = place_open(p, data_host_flags(in->flags) | O_CREAT | O_EXCL, in->mode & 01777);
    if (fd < 0)
        usage_take_back(&p->live->usage, 0, 1);
    if (fd != -EEXIST || in->flags & O_EXCL)
        return fd;
    err = judge_open(s, p, in->flags);
    return err ? err : place_open(p, data_host_flags(in->flags), 0);
}

int op_create(struct server *s, struct message *m, struct answer *a)
{
    struct fuse_create_in in;
    struct {
        struct fuse_entry_out entry;
        struct fuse_open_out open;
    } out;
    struct place p;
    struct stat x;
    int err;

    if (!message_take(m, &in, sizeof(in)))
        return -EINVAL;
    err = place_named(s, m, &p);
    if (err)
        return err;

    auto_fd int fd = create(s, &p, &in);

    err = fd < 0 ? fd : attr_read(fd, &x);
    if (!err)
        err = entry_enter(s, m->h.nodeid, &p, &x, &out.entry);
    if (err)
        return err;
    err = data_keep(s, p.live, &fd, (uint32_t)out.entry.nodeid, in.flags, &out.open);
    if (err) {
        vnode_forget(&s->nodes, out.entry.nodeid, 1);
        return err;
    }
    return answer_with(a, &out, sizeof(out));
}

/* Leaves the first len bytes of the pieces. */
static int shorten(struct iovec *v, unsigned n, size_t len)
{
    unsigned i = 0;

    for (; i < n && len; len -= v[i++].iov_len)
        if (v[i].iov_len > len)
            v[i].iov_len = len;
    return (int)i;
}

int op_read(struct server *s, struct message *m, struct answer *a)
{
    struct fuse_read_in in;
    const struct handle *h;
    ssize_t n;

    if (!message_take(m, &in, sizeof(in)) || !message_done(m))
        return -EINVAL;
    h = handle_get(&s->handles, in.fh, m->h.nodeid, false);
    if (!h)
        return -EBADF;
    if (in.offset > INT64_MAX)
        return -EINVAL;
    if (in.size > FILES_DATA_MAX)
        in.size = FILES_DATA_MAX;
    if (in.size > a->room)
        return -EIO;
    /* F08: what became shorter meanwhile is a short read. */
    n = preadv(h->fd, a->place, shorten(a->place, a->nplace, in.size), (off_t)in.offset);
    if (n < 0)
        return -errno;
    a->len = (size_t)n;
    a->in_place = true;
    return 0;
}

/* By how much a file grows when len bytes are put at this place, or at its end. */
static int growth(int fd, bool append, uint64_t at, uint64_t len, uint64_t *more)
{
    struct stat st;
    uint64_t end, size;

    if (fstat(fd, &st))
        return -errno;
    size = (uint64_t)st.st_size;
    if (add_overflows(append ? size : at, len, &end) || end > INT64_MAX)
        return -EFBIG;
    *more = end > size ? end - size : 0;
    return 0;
}

/* What was charged and then not needed: where nothing was put, not the hole before it either. */
static void settle(struct live *l, uint64_t more, uint64_t wanted, ssize_t n)
{
    uint64_t missing = n > 0 ? wanted - (uint64_t)n : more;

    usage_take_back(&l->usage, missing < more ? missing : more, 0);
}

static int put_count(struct answer *a, ssize_t n)
{
    const struct fuse_write_out out = { .size = (uint32_t)n };

    return answer_with(a, &out, sizeof(out));
}

int op_write(struct server *s, struct message *m, struct answer *a)
{
    struct fuse_write_in in;
    const struct handle *h;
    struct live *l;
    uint64_t more = 0;
    ssize_t n;
    int err;

    if (!message_take(m, &in, sizeof(in)) || m->left || m->data_len != in.size)
        return -EINVAL;
    h = handle_get(&s->handles, in.fh, m->h.nodeid, false);
    if (!h || !h->writable)
        return -EBADF;
    l = &s->live[h->mount];
    err = growth(h->fd, h->append, in.offset, in.size, &more);
    if (!err)
        err = usage_add(&l->usage, more, 0);
    if (err)
        return err;
    n = pwritev(h->fd, m->data, (int)m->ndata, (off_t)in.offset);
    err = n < 0 ? -errno : 0;
    settle(l, more, in.size, n);
    return err ? err : put_count(a, n);
}

/* The last handle of a file without a name: its room is free again. */
static void credit(struct server *s, const struct handle *h)
{
    struct stat st;

    if (h->unlinked && handles_of_file(&s->handles, h->mount, h->ino) == 1 &&
        fstat(h->fd, &st) == 0 && st.st_nlink == 0)
        usage_take_back(&s->live[h->mount].usage, (uint64_t)st.st_size, 1);
}

void data_close(struct server *s, struct handle *h)
{
    credit(s, h);
    handle_close(&s->handles, h);
}

static int release(struct server *s, struct message *m, bool dir)
{
    struct fuse_release_in in;
    struct handle *h;
    uint32_t node;

    if (!message_take(m, &in, sizeof(in)) || !message_done(m))
        return -EINVAL;
    h = handle_get(&s->handles, in.fh, m->h.nodeid, dir);
    if (!h)
        return -EBADF;
    node = h->node;
    data_close(s, h);
    vnode_closed(&s->nodes, node);
    return 0;
}

int op_release(struct server *s, struct message *m, struct answer *a)
{
    (void)a;
    return release(s, m, false);
}

int op_releasedir(struct server *s, struct message *m, struct answer *a)
{
    (void)a;
    return release(s, m, true);
}

static int sync_handle(struct server *s, struct message *m, bool dir)
{
    struct fuse_fsync_in in;
    const struct handle *h;

    if (!message_take(m, &in, sizeof(in)) || !message_done(m))
        return -EINVAL;
    h = handle_get(&s->handles, in.fh, m->h.nodeid, dir);
    if (!h)
        return -EBADF;
    return (in.fsync_flags & FUSE_FSYNC_FDATASYNC ? fdatasync(h->fd) : fsync(h->fd)) ? -errno : 0;
}

int op_fsync(struct server *s, struct message *m, struct answer *a)
{
    (void)a;
    return sync_handle(s, m, false);
}

int op_fsyncdir(struct server *s, struct message *m, struct answer *a)
{
    (void)a;
    return sync_handle(s, m, true);
}

/* Of what was charged, what the file did not get: one that failed may have become longer, as on
 * ext4, which keeps what it found before the disk was full. */
static void take_back_missing(struct live *l, int fd, const struct fuse_fallocate_in *in,
                              uint64_t more)
{
    uint64_t missing = 0;

    if (!growth(fd, false, in->offset, in->length, &missing))
        usage_take_back(&l->usage, missing < more ? missing : more, 0);
}

/* Room beyond a file's end would be held and not be seen in its length: it is not given. */
int op_fallocate(struct server *s, struct message *m, struct answer *a)
{
    static const uint32_t known[] = { 0, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                      FALLOC_FL_ZERO_RANGE };
    struct fuse_fallocate_in in;
    const struct handle *h;
    uint64_t more = 0;
    bool takes = false;
    int err;

    (void)a;
    if (!message_take(m, &in, sizeof(in)) || !message_done(m))
        return -EINVAL;
    h = handle_get(&s->handles, in.fh, m->h.nodeid, false);
    if (!h || !h->writable)
        return -EBADF;
    for (size_t i = 0; i < array_len(known); i++)
        takes = takes || in.mode == known[i];
    if (!takes)
        return -EOPNOTSUPP;
    err = growth(h->fd, false, in.offset, in.length, &more);
    if (in.mode & FALLOC_FL_KEEP_SIZE)
        more = 0;
    if (!err)
        err = usage_add(&s->live[h->mount].usage, more, 0);
    if (!err && fallocate(h->fd, (int)in.mode, (off_t)in.offset, (off_t)in.length)) {
        err = -errno;
        take_back_missing(&s->live[h->mount], h->fd, &in, more);
    }
    return err;
}

int op_lseek(struct server *s, struct message *m, struct answer *a)
{
    struct fuse_lseek_in in;
    struct fuse_lseek_out out;
    const struct handle *h;
    off_t at;

    if (!message_take(m, &in, sizeof(in)) || !message_done(m))
        return -EINVAL;
    h = handle_get(&s->handles, in.fh, m->h.nodeid, false);
    if (!h)
        return -EBADF;
    if (in.whence != SEEK_DATA && in.whence != SEEK_HOLE)
        return -EINVAL; /* the others are the guest's own to answer */
    at = lseek(h->fd, (off_t)in.offset, (int)in.whence);
    if (at < 0)
        return -errno;
    out = (struct fuse_lseek_out){ .offset = (uint64_t)at };
    return answer_with(a, &out, sizeof(out));
}

int op_copy(struct server *s, struct message *m, struct answer *a)
{
    struct fuse_copy_file_range_in in;
    const struct handle *from, *to;
    struct live *l;
    off_t in_at, out_at;
    uint64_t more = 0;
    ssize_t n;
    int err;

    if (!message_take(m, &in, sizeof(in)) || !message_done(m))
        return -EINVAL;
    from = handle_get(&s->handles, in.fh_in, m->h.nodeid, false);
    to = handle_get(&s->handles, in.fh_out, in.nodeid_out, false);
    if (!from || !to || !to->writable || to->append)
        return -EBADF;
    if (in.off_in > INT64_MAX || in.off_out > INT64_MAX)
        return -EINVAL;
    if (in.len > FILES_DATA_MAX * 16ull)
        in.len = FILES_DATA_MAX * 16ull; /* others wait meanwhile */
    l = &s->live[to->mount];
    err = growth(to->fd, false, in.off_out, in.len, &more);
    if (!err)
        err = usage_add(&l->usage, more, 0);
    if (err)
        return err;
    in_at = (off_t)in.off_in;
    out_at = (off_t)in.off_out;
    n = copy_file_range(from->fd, &in_at, to->fd, &out_at, in.len, 0);
    err = n < 0 ? -errno : 0;
    settle(l, more, in.len, n);
    return err ? err : put_count(a, n);
}
