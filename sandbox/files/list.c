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

/* One entry; false: it has no room. */
static bool put(struct answer *a, size_t room, const struct entry *e, uint64_t ino)
{
    size_t n = strlen(e->name), size = FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + n);
    const struct fuse_dirent d = {
        .ino = ino, .off = (uint64_t)e->next, .namelen = (uint32_t)n, .type = e->type
    };

    if (size > room - a->len)
        return false;
    memset(a->data + a->len, 0, size);
    memcpy(a->data + a->len, &d, FUSE_NAME_OFFSET);
    memcpy(a->data + a->len + FUSE_NAME_OFFSET, e->name, n);
    a->len += size;
    return true;
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* The entries that one call gave; false: the answer is full, or what comes cannot be understood. */
static bool put_all(struct server *s, struct handle *h, const char *buf, size_t len, size_t room,
                    struct answer *a)
{
    struct place p;

    for (size_t at = 0; at < len;) {
        const struct entry *e = (const void *)(buf + at);

        at += e->len;
        if (!is_dots(e->name) && (place_in(s, h->node, e->name, &p) || !judge_visible(s, &p))) {
            h->at = e->next;
            continue;
        }
        if (!put(a, room, e, attr_ino(s, &s->live[h->mount], e->ino))) {
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
    struct fuse_read_in in;
    struct handle *h;
    size_t room;

    if (!message_take(m, &in, sizeof(in)) || !message_done(m))
        return -EINVAL;
    h = handle_get(&s->handles, in.fh, m->h.nodeid, true);
    if (!h)
        return -EBADF;
    room = in.size < FILES_DATA_MAX ? in.size : FILES_DATA_MAX;
    if (h->at != (int64_t)in.offset && lseek(h->fd, (off_t)in.offset, SEEK_SET) < 0)
        return -errno;
    h->at = (int64_t)in.offset;
    for (;;) {
        long n = syscall(SYS_getdents64, h->fd, buf, sizeof(buf));

        if (n < 0)
            return a->len ? 0 : -errno;
        if (n == 0 || !put_all(s, h, buf, (size_t)n, room, a))
            return 0;
    }
}
