/* list.c - directories, entry by entry. What may not be read is not in them. */
#include "sandbox/files/server.h"

#include "base/fd.h"
#include "sandbox/files/entry.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int op_opendir(struct server *s, struct message *m, struct answer *a)
{
    struct fuse_open_in in;
    struct fuse_open_out out = { 0 };
    struct place p;
    int err;

    if (!message_take(m, &in, sizeof(in)) || !message_done(m))
        return -EINVAL;
    err = place_of(s, m->h.nodeid, &p);
    if (!err && *p.rel)
        err = judge(s, &p, FILE_READ);
    if (err)
        return err;

    auto_fd int fd = place_open(&p, O_RDONLY | O_DIRECTORY, 0);
    struct handle h = {
        .fd = fd, .node = (uint32_t)m->h.nodeid, .mount = (uint8_t)(p.live - s->live), .dir = true
    };

    if (fd < 0)
        return fd;
    out.fh = handle_new(&s->handles, &h);
    if (!out.fh)
        return -ENFILE;
    (void)!fd_steal(&fd);
    vnode_opened(&s->nodes, (uint32_t)m->h.nodeid);
    return answer_with(a, &out, sizeof(out));
}

/* READDIR's answer, or READDIRPLUS's: there each entry is looked up on the way. */
struct listing {
    struct server *s;
    struct handle *h;
    struct answer *a;
    size_t room;
    bool plus;
};

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* As LOOKUP would answer. What cannot be looked up, or is us and who is above us, has no node: the
 * guest is only told of its name. */
static struct fuse_entry_out look_up(const struct listing *l, const struct place *p)
{
    struct fuse_entry_out out = { 0 };
    auto_fd int fd = place_open(p, O_PATH | O_NOFOLLOW, 0);
    struct stat x;

    if (fd >= 0 && !attr_read(fd, &x))
        (void)!entry_enter(l->s, l->h->node, p, &x, &out); /* the table is full: out stays empty */
    return out;
}

/* One entry; false: it has no room. */
static bool put(struct listing *l, const struct entry *e, const struct place *p)
{
    const size_t before = l->plus ? sizeof(struct fuse_entry_out) : 0, n = strlen(e->name);
    const size_t size = before + FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + n);
    const struct fuse_dirent d = { .ino = attr_ino(l->s, &l->s->live[l->h->mount], e->ino),
                                   .off = (uint64_t)e->next,
                                   .namelen = (uint32_t)n,
                                   .type = e->type };
    uint8_t *at = l->a->data + l->a->len;

    if (size > l->room - l->a->len)
        return false;
    memset(at, 0, size);
    if (p && l->plus) {
        const struct fuse_entry_out out = look_up(l, p);

        memcpy(at, &out, sizeof(out));
    }
    memcpy(at + before, &d, FUSE_NAME_OFFSET);
    memcpy(at + before + FUSE_NAME_OFFSET, e->name, n);
    l->a->len += size;
    return true;
}

/* The entries that one call gave; false: the answer is full, or what comes cannot be understood. */
static bool put_all(struct listing *l, const char *buf, size_t len)
{
    struct handle *h = l->h;
    struct place p;

    for (size_t at = 0; at < len;) {
        const struct entry *e = (const void *)(buf + at);
        const bool dots = is_dots(e->name);

        at += e->len;
        if (!dots && (place_in(l->s, h->node, e->name, &p) || !judge_visible(l->s, &p))) {
            h->at = e->next;
            continue;
        }
        if (!put(l, e, dots ? NULL : &p)) {
            h->at = -1; /* the descriptor stands behind what the guest will ask for next */
            return false;
        }
        h->at = e->next;
    }
    return true;
}

int op_readdir(struct server *s, struct message *m, struct answer *a)
{
    _Alignas(8) char buf[8192];
    struct listing l = { .s = s, .a = a, .plus = m->h.opcode == FUSE_READDIRPLUS };
    struct fuse_read_in in;

    if (!message_take(m, &in, sizeof(in)) || !message_done(m))
        return -EINVAL;
    l.h = handle_get(&s->handles, in.fh, m->h.nodeid, true);
    if (!l.h)
        return -EBADF;
    l.room = in.size < FILES_DATA_MAX ? in.size : FILES_DATA_MAX;
    if (l.h->at != (int64_t)in.offset && lseek(l.h->fd, (off_t)in.offset, SEEK_SET) < 0)
        return -errno;
    l.h->at = (int64_t)in.offset;
    for (;;) {
        long n = syscall(SYS_getdents64, l.h->fd, buf, sizeof(buf));

        if (n < 0)
            return a->len ? 0 : -errno;
        if (n == 0 || !put_all(&l, buf, (size_t)n))
            return 0;
    }
}
