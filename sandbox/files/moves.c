/* moves.c - entries that get another name, or one more. */
#include "sandbox/files/server.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct move {
    uint64_t from_dir, to_dir;
    struct place from, to;
    unsigned flags;
};

/* Is it a directory now? Asked of the host: the decision is about what will be moved. */
static int is_dir(int parent, const char *name, bool *dir)
{
    struct stat st;

    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW))
        return -errno;
    *dir = S_ISDIR(st.st_mode);
    return 0;
}

/* One name, which parent holds, becomes the other. */
static int judge_one(struct server *s, const struct place *from, const struct place *to, int parent)
{
    bool dir = false;
    int err = judge(s, from, FILE_READ); /* first: else the host's answer tells what is there */

    if (!err)
        err = is_dir(parent, from->name, &dir);
    if (!err)
        err = judge_rename(s, from, to, dir);
    if (err)
        return err;
    return dir ? climb_dir(from, to, parent) : climb_link(s, from, to, parent);
}

static int judge_move(struct server *s, const struct move *m, int from, int to)
{
    int err = judge_one(s, &m->from, &m->to, from);

    return err || !(m->flags & RENAME_EXCHANGE) ? err : judge_one(s, &m->to, &m->from, to);
}

/* Our table follows. That a name cannot be kept is no reason to fail what has happened. */
static void follow(struct server *s, const struct move *m)
{
    struct nodes *t = &s->nodes;
    uint32_t a = vnode_find(t, (uint32_t)m->from_dir, m->from.name);
    uint32_t b = vnode_find(t, (uint32_t)m->to_dir, m->to.name);

    if (a == b && a)
        return;
    vnode_opened(t, (uint32_t)m->from_dir); /* what leaves one may have been all that held it */
    vnode_opened(t, (uint32_t)m->to_dir);
    if (b)
        vnode_opened(t, b); /* it outlives its name */
    if (a && vnode_move(t, a, (uint32_t)m->to_dir, m->to.name))
        vnode_gone(t, a);
    else if (!a && b)
        vnode_gone(t, b);
    if (b && m->flags & RENAME_EXCHANGE && vnode_move(t, b, (uint32_t)m->from_dir, m->from.name))
        vnode_gone(t, b);
    if (b)
        vnode_closed(t, b);
    vnode_closed(t, (uint32_t)m->to_dir);
    vnode_closed(t, (uint32_t)m->from_dir);
}

static int rename_entry(struct server *s, struct move *m)
{
    struct parting was = { 0 };
    int err;

    if (!m->from.live->writable)
        return -EROFS;
    if (m->from.live != m->to.live)
        return -EXDEV;
    if (m->flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE))
        return -EINVAL;

    auto_fd int from = place_parent(&m->from);
    auto_fd int to = place_parent(&m->to);

    if (from < 0 || to < 0)
        return from < 0 ? from : to;
    err = judge_move(s, m, from, to);
    if (err)
        return err;
    if (!(m->flags & RENAME_EXCHANGE))
        was = part(&m->to, to);
    if (was.known) { /* a file onto another name of itself: nothing happens */
        const struct parting self = part(&m->from, from);

        was.known = !self.known || self.ino != was.ino;
    }
    if (syscall(SYS_renameat2, from, m->from.name, to, m->to.name, m->flags))
        return -errno;
    parted(s, m->to.live, &was);
    follow(s, m);
    return 0;
}

static int rename_message(struct server *s, struct message *m, uint64_t to_dir, unsigned flags)
{
    struct move v = { .from_dir = m->h.nodeid, .to_dir = to_dir, .flags = flags };
    const char *from = message_name(m), *to = message_name(m);
    int err = message_done(m) ? place_in(s, v.from_dir, from, &v.from) : -EINVAL;

    if (!err)
        err = place_in(s, v.to_dir, to, &v.to);
    return err ? err : rename_entry(s, &v);
}

int op_rename(struct server *s, struct message *m, struct answer *a)
{
    struct fuse_rename_in in;

    (void)a;
    return message_take(m, &in, sizeof(in)) ? rename_message(s, m, in.newdir, 0) : -EINVAL;
}

int op_rename2(struct server *s, struct message *m, struct answer *a)
{
    struct fuse_rename2_in in;

    (void)a;
    return message_take(m, &in, sizeof(in)) ? rename_message(s, m, in.newdir, in.flags) : -EINVAL;
}

/* What must not be read or written must not get a name under which it could be. */
static int judge_link(struct server *s, const struct place *from, const struct place *to)
{
    int err = judge(s, from, FILE_READ);

    if (!err)
        err = judge(s, from, FILE_HARDLINK);
    if (!err)
        err = judge_leaf(s, to, FILE_HARDLINK);
    return err ? err : judge_leaf(s, to, FILE_CREATE);
}

static int link_named(struct server *s, uint64_t old_node, const struct place *to)
{
    struct place from;
    int err = place_of(s, old_node, &from);

    if (!err)
        err = judge_link(s, &from, to);
    if (err)
        return err;

    auto_fd int old = place_parent(&from);
    auto_fd int new = place_parent(to);

    if (old < 0 || new < 0)
        return old < 0 ? old : new;
    err = climb_link(s, &from, to, old);
    if (!err)
        err = usage_add(&to->live->usage, 0, 1); /* a name takes room, too */
    if (err)
        return err;
    /* Not followed when it is a link. */
    if (linkat(old, from.name, new, to->name, 0)) {
        err = -errno;
        usage_take_back(&to->live->usage, 0, 1);
    }
    return err;
}

int op_link(struct server *s, struct message *m, struct answer *a)
{
    const struct vnode *old;
    struct fuse_link_in in;
    struct place to;
    int err;

    if (!message_take(m, &in, sizeof(in)))
        return -EINVAL;
    err = place_named(s, m, &to);
    old = vnode_get(&s->nodes, in.oldnodeid);
    if (!err && (!old || old->id == NODE_ROOT))
        err = old ? -EACCES : -ENOENT;
    if (err)
        return err;
    err = !to.live->writable                ? -EROFS
          : to.live != &s->live[old->mount] ? -EXDEV
          : old->gone                       ? nameless_link(s, old->id, m->h.nodeid, &to)
                                            : link_named(s, old->id, &to);
    return err ? err : answer_entry(s, m->h.nodeid, &to, a);
}
