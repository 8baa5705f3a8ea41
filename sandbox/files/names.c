/* names.c - entries that are looked up, made and removed. */
#include "sandbox/files/server.h"

#include "base/fd.h"
#include "sandbox/volume/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int answer_entry(struct server *s, uint64_t dir, const struct place *p, struct answer *a)
{
    auto_fd int fd = place_open(p, O_PATH | O_NOFOLLOW, 0);
    struct fuse_entry_out out;
    struct stat x;
    int err = fd < 0 ? fd : attr_read(fd, &x);

    if (!err)
        err = entry_enter(s, dir, p, &x, &out);
    if (err)
        return err;
    return answer_with(a, &out, sizeof(out));
}

/* The session's root has the mounts, and nothing else ever. */
static int lookup_mount(struct server *s, const char *name, struct answer *a)
{
    for (unsigned i = 0; name && i < s->nlive; i++) {
        struct fuse_entry_out out = { .nodeid = NODE_ROOT + 1 + i,
                                      .entry_valid_nsec = FILES_VALID_NS,
                                      .attr_valid_nsec = FILES_VALID_NS };
        struct stat x;
        int err = strcmp(s->live[i].id, name) == 0 ? attr_read(s->live[i].root, &x) : -ENOENT;

        if (err == -ENOENT)
            continue;
        if (err)
            return err;
        attr_fill(s, &s->live[i], &x, &out.attr);
        return answer_with(a, &out, sizeof(out));
    }
    return name ? -ENOENT : -EINVAL;
}

int op_lookup(struct server *s, struct message *m, struct answer *a)
{
    const char *name = message_name(m);
    struct place p;
    int err;

    if (!message_done(m))
        return -EINVAL;
    if (m->h.nodeid == NODE_ROOT)
        return lookup_mount(s, name, a);
    err = place_in(s, m->h.nodeid, name, &p);
    if (!err)
        err = judge(s, &p, FILE_READ);
    return err ? err : answer_entry(s, m->h.nodeid, &p, a);
}

int op_forget(struct server *s, struct message *m, struct answer *a)
{
    struct fuse_forget_in in;

    (void)a;
    if (message_take(m, &in, sizeof(in)))
        vnode_forget(&s->nodes, m->h.nodeid, in.nlookup);
    return 0;
}

int op_batch_forget(struct server *s, struct message *m, struct answer *a)
{
    struct fuse_batch_forget_in in;
    struct fuse_forget_one one;

    (void)a;
    if (!message_take(m, &in, sizeof(in)))
        return 0;
    for (uint32_t i = 0; i < in.count && message_take(m, &one, sizeof(one)); i++)
        vnode_forget(&s->nodes, one.nodeid, one.nlookup);
    return 0;
}

int op_readlink(struct server *s, struct message *m, struct answer *a)
{
    struct place p;
    int err = message_done(m) ? place_of(s, m->h.nodeid, &p) : -EINVAL;
    ssize_t n;

    if (!err)
        err = judge(s, &p, FILE_READ);
    if (err)
        return err;

    auto_fd int fd = place_open(&p, O_PATH | O_NOFOLLOW, 0);

    if (fd < 0)
        return fd;
    n = readlinkat(fd, "", (char *)a->data, PATH_MAX - 1); /* as it has room */
    if (n < 0)
        return errno == ENOENT ? -EINVAL : -errno; /* it is no link */
    a->len = (size_t)n;
    return 0;
}

/* ---- new ones ---- */

/* Where something is to be made: its directory, open, and its inode is charged. Else -errno. */
static int begin_new(struct place *p)
{
    auto_fd int dir = -1;
    int err = p->live->writable ? 0 : -EROFS;

    if (err)
        return err;
    dir = place_parent(p);
    if (dir < 0)
        return dir;
    err = usage_add(&p->live->usage, 0, 1);
    return err ? err : fd_steal(&dir);
}

static int end_new(struct server *s, uint64_t dir, const struct place *p, bool failed,
                   struct answer *a)
{
    int err = failed ? -errno : 0;

    if (err)
        usage_take_back(&p->live->usage, 0, 1);
    return err ? err : answer_entry(s, dir, p, a);
}

int op_mkdir(struct server *s, struct message *m, struct answer *a)
{
    struct fuse_mkdir_in in;
    struct place p;
    int err;

    if (!message_take(m, &in, sizeof(in)))
        return -EINVAL;
    err = place_named(s, m, &p);
    if (!err)
        err = judge(s, &p, FILE_CREATE);
    if (!err)
        err = judge(s, &p, FILE_READ); /* the answer shows it, and EEXIST that there is one */
    if (err)
        return err;

    auto_fd int dir = begin_new(&p);

    return dir < 0 ? dir : end_new(s, m->h.nodeid, &p, mkdirat(dir, p.name, in.mode & 01777), a);
}

/* Regular files only: device nodes, FIFOs and sockets are nothing that a host should get (F03). */
int op_mknod(struct server *s, struct message *m, struct answer *a)
{
    struct fuse_mknod_in in;
    struct place p;
    int err;

    if (!message_take(m, &in, sizeof(in)))
        return -EINVAL;
    err = place_named(s, m, &p);
    if (!err && (in.mode & S_IFMT) != S_IFREG) {
        report_denial(&s->reporter, FILE_DEVICE, "", p.full);
        err = -EPERM;
    }
    if (!err)
        err = judge_leaf(s, &p, FILE_CREATE);
    if (err)
        return err;

    auto_fd int dir = begin_new(&p);

    if (dir < 0)
        return dir;

    auto_fd int fd = place_open(&p, O_CREAT | O_EXCL | O_WRONLY, in.mode & 01777);

    errno = fd < 0 ? -fd : 0;
    return end_new(s, m->h.nodeid, &p, fd < 0, a);
}

/* What it leads to is text; whoever follows it does so in the guest. */
int op_symlink(struct server *s, struct message *m, struct answer *a)
{
    const char *name = message_name(m), *text = message_text(m);
    struct place p;
    bool inside, plain = text && *text;
    int err = place_in(s, m->h.nodeid, name, &p);

    if (!err && (!text || !message_done(m)))
        err = -EINVAL;
    for (const char *c = text; !err && *c; c++)
        plain = plain && (unsigned char)*c >= 0x20 && *c != 0x7f;
    if (!err && !plain)
        err = -EACCES;
    if (err)
        return err;
    /* An absolute one leads inside only where the mount's target is: on the host it is elsewhere.
     */
    inside = *text != '/' && link_inside(p.live->target, p.rel, text);
    err = judge_leaf(s, &p, inside ? FILE_SYMLINK_INSIDE : FILE_SYMLINK_OUTSIDE);
    if (err)
        return err;

    auto_fd int dir = begin_new(&p);

    return dir < 0 ? dir : end_new(s, m->h.nodeid, &p, symlinkat(text, dir, p.name), a);
}

/* ---- removed ones ---- */

struct parting part(const struct place *p, int parent)
{
    struct parting was = { 0 };
    struct stat x;

    if (fstatat(parent, p->name, &x, AT_SYMLINK_NOFOLLOW))
        return was;
    was.known = true;
    was.ino = x.st_ino;
    was.last = S_ISDIR(x.st_mode) || x.st_nlink == 1;
    was.bytes = S_ISREG(x.st_mode) ? (uint64_t)x.st_size : 0;
    return was;
}

void parted(struct server *s, struct live *l, const struct parting *was)
{
    uint8_t mount = (uint8_t)(l - s->live);

    if (!was->known)
        return;
    if (!was->last)
        usage_take_back(&l->usage, 0, 1); /* the name */
    else if (handles_of_file(&s->handles, mount, was->ino))
        handles_unlinked(&s->handles, mount, was->ino); /* it takes room until they are closed */
    else
        usage_take_back(&l->usage, was->bytes, 1);
}

static int remove_entry(struct server *s, struct message *m, int flags)
{
    const char *name = message_name(m);
    struct place p;
    int err = message_done(m) ? place_in(s, m->h.nodeid, name, &p) : -EINVAL;
    uint32_t id;

    if (!err)
        err = p.live->writable ? judge(s, &p, FILE_DELETE) : -EROFS;
    if (err)
        return err;

    auto_fd int dir = place_parent(&p);

    if (dir < 0)
        return dir;

    const struct parting was = part(&p, dir);

    if (unlinkat(dir, p.name, flags))
        return -errno;
    parted(s, p.live, &was);
    id = vnode_find(&s->nodes, (uint32_t)m->h.nodeid, name);
    if (id)
        vnode_gone(&s->nodes, id);
    return 0;
}

int op_unlink(struct server *s, struct message *m, struct answer *a)
{
    (void)a;
    return remove_entry(s, m, 0);
}

int op_rmdir(struct server *s, struct message *m, struct answer *a)
{
    (void)a;
    return remove_entry(s, m, AT_REMOVEDIR);
}
