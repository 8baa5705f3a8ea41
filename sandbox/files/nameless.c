/* nameless.c - files without a name (O_TMPFILE), and the name that one may get: judged as if it
 * were made there, under that name, with all that its maker can do to it. */
#include "sandbox/files/server.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* What the policy is asked about: something in this directory. */
#define ANY_NAME "#nameless"

static int judge_all(struct server *s, const struct place *p)
{
    static const enum file_op needed[] = { FILE_CREATE, FILE_WRITE, FILE_READ };
    int err = p->live->writable ? 0 : -EROFS;

    for (size_t i = 0; !err && i < array_len(needed); i++)
        err = judge_leaf(s, p, needed[i]);
    return err;
}

/*
 * Can it get a name later? Without /proc and without a capability only since Linux 6.10, and then
 * the one end that is wrong here is the other one. Else ENOSYS: a guest's kernel asks no more, and
 * its programs are told EOPNOTSUPP, after which they take a file with a name.
 */
static int may_be_named(int fd)
{
    return linkat(fd, "", -1, "-", AT_EMPTY_PATH) && errno == ENOENT ? -ENOSYS : 0;
}

static int open_nameless(struct server *s, uint64_t node, const struct fuse_create_in *in)
{
    struct place dir;
    int err = place_of(s, node, &dir), fd;

    if (err)
        return err;
    fd = place_open(&dir, data_host_flags(in->flags) | O_TMPFILE | (int)(in->flags & O_EXCL),
                    in->mode & 01777);
    err = fd < 0 ? fd : may_be_named(fd);
    if (err && fd >= 0)
        close(fd);
    return err ? err : fd;
}

/* The descriptor becomes a node, and a handle of it. */
static int enter(struct server *s, const struct place *p, uint64_t dir, int *fd, uint32_t flags,
                 struct fuse_entry_out *entry, struct fuse_open_out *open)
{
    struct stat x;
    int err = attr_read(*fd, &x);
    uint32_t id = err ? 0 : vnode_enter_nameless(&s->nodes, (uint32_t)dir, x.st_ino);

    if (!id)
        return err ? err : -ENFILE;
    err = data_keep(s, p->live, fd, id, flags, open);
    if (err) {
        vnode_forget(&s->nodes, id, 1);
        return err;
    }
    handles_unlinked(&s->handles, (uint8_t)(p->live - s->live), x.st_ino);
    entry_fill(s, p->live, id, &x, entry);
    return 0;
}

int op_tmpfile(struct server *s, struct message *m, struct answer *a)
{
    struct fuse_create_in in;
    struct {
        struct fuse_entry_out entry;
        struct fuse_open_out open;
    } out;
    struct place p;
    int err;

    /* The text is what its maker's kernel calls it. */
    if (!message_take(m, &in, sizeof(in)) || !message_text(m) || !message_done(m))
        return -EINVAL;
    err = place_in(s, m->h.nodeid, ANY_NAME, &p);
    if (!err)
        err = judge_all(s, &p);
    if (!err)
        err = usage_add(&p.live->usage, 0, 1);
    if (err)
        return err;

    auto_fd int fd = open_nameless(s, m->h.nodeid, &in);

    err = fd < 0 ? fd
                 : enter(s, &p, m->h.nodeid, &fd, in.flags & ~(uint32_t)O_TRUNC, &out.entry,
                         &out.open);
    if (err) {
        usage_take_back(&p.live->usage, 0, 1);
        return err;
    }
    return answer_with(a, &out, sizeof(out));
}

/* One that was removed has no name either; the host's kernel tells them apart, and lets none come
 * back. One that has a name elsewhere would get a hard link. */
static int nameless_fd(struct server *s, uint32_t node)
{
    const struct handle *h = handle_of(&s->handles, node, false);
    struct stat x;
    int err = h ? attr_read(h->fd, &x) : -ESTALE;

    if (err)
        return err;
    return x.st_nlink == 0 ? h->fd : -ENOENT;
}

int nameless_link(struct server *s, uint32_t node, uint64_t to_dir, const struct place *to)
{
    int fd = nameless_fd(s, node), err;

    if (fd < 0)
        return fd;
    err = judge_all(s, to);
    if (err)
        return err;

    auto_fd int dir = place_parent(to);

    if (dir < 0)
        return dir;
    if (linkat(fd, "", dir, to->name, AT_EMPTY_PATH)) /* it was charged when it was made */
        return -errno;
    (void)!vnode_move(&s->nodes, node, (uint32_t)to_dir, to->name); /* else it gets another node */
    return 0;
}
