/* server.c - requests in, answers out: see server.h. */
#include "sandbox/files/server.h"

#include "base/fd.h"

#include <errno.h>
#include <string.h>

/* The guest's kernel must know max_pages (7.28) and is told of nothing newer than 7.31. */
#define MINOR_LEAST 28u
#define MINOR_OURS  31u

#define PAGE      4096u
#define ERRNO_END 512 /* the least that is no errno of user space; a reply with it is refused */

/*
 * ASYNC_READ, PARALLEL_DIROPS: more than one request of a file or directory at a time.
 * ATOMIC_O_TRUNC: an open that cuts is one request, so it is one decision.
 * BIG_WRITES, MAX_PAGES: more than a page in a request.
 * AUTO_INVAL_DATA: cached pages go when the host has changed the file.
 * DO_READDIRPLUS, READDIRPLUS_AUTO: a listing looks up what it names, at its beginning and where
 * names are looked up meanwhile.
 * HANDLE_KILLPRIV: no question about security.capability before each write; none is ever shown.
 */
#define WANTED                                                                            \
    (FUSE_ASYNC_READ | FUSE_PARALLEL_DIROPS | FUSE_ATOMIC_O_TRUNC | FUSE_BIG_WRITES |     \
     FUSE_MAX_PAGES | FUSE_AUTO_INVAL_DATA | FUSE_HANDLE_KILLPRIV | FUSE_DO_READDIRPLUS | \
     FUSE_READDIRPLUS_AUTO)

typedef int operation(struct server *s, struct message *m, struct answer *a);

/* Everything that the guest held is let go; INIT may come again. */
static int forget_all(struct server *s)
{
    struct nodes fresh;
    int err = nodes_init(&fresh, s->nlive, s->nodes.max);

    if (err) {
        nodes_fini(&fresh);
        return err;
    }
    for (uint32_t i = s->handles.n; i--;)
        if (s->handles.v[i].fd >= 0)
            data_close(s, &s->handles.v[i]);
    nodes_fini(&s->nodes);
    s->nodes = fresh;
    s->greeted = false;
    return 0;
}

static int op_init(struct server *s, struct message *m, struct answer *a)
{
    struct { /* fuse_init_in as it began; later minors are longer */
        uint32_t major, minor, max_readahead, flags;
    } in;
    struct fuse_init_out out = { .major = FUSE_KERNEL_VERSION };

    if (!message_take(m, &in, sizeof(in)))
        return -EINVAL;
    if (in.major < FUSE_KERNEL_VERSION ||
        (in.major == FUSE_KERNEL_VERSION && in.minor < MINOR_LEAST))
        return -EPROTO;
    /* Another driver, after a reset: the one before had no time to say farewell. */
    if (s->greeted && forget_all(s))
        return -ENOMEM;
    out.minor = MINOR_OURS;
    if (in.major == FUSE_KERNEL_VERSION) { /* a later one asks again, with ours */
        out.minor = in.minor < MINOR_OURS ? in.minor : MINOR_OURS;
        out.max_readahead = in.max_readahead < FILES_DATA_MAX ? in.max_readahead : FILES_DATA_MAX;
        out.flags = in.flags & WANTED;
        out.max_background = 16;
        out.congestion_threshold = 12;
        out.max_write = FILES_DATA_MAX;
        out.time_gran = 1;
        out.max_pages = FILES_DATA_MAX / PAGE;
        s->greeted = true;
    }
    return answer_with(a, &out, sizeof(out));
}

static int op_destroy(struct server *s, struct message *m, struct answer *a)
{
    (void)m;
    (void)a;
    return forget_all(s);
}

/* No answer, and nothing to do: no request waits for anything. */
static int op_interrupt(struct server *s, struct message *m, struct answer *a)
{
    (void)s;
    (void)m;
    (void)a;
    return 0;
}

/* All that is answered. The rest is ENOSYS, after which Linux asks no more. */
static const struct {
    operation *run;
    bool silent;
} operations[] = {
    [FUSE_LOOKUP] = { op_lookup, false },
    [FUSE_FORGET] = { op_forget, true },
    [FUSE_GETATTR] = { op_getattr, false },
    [FUSE_SETATTR] = { op_setattr, false },
    [FUSE_READLINK] = { op_readlink, false },
    [FUSE_SYMLINK] = { op_symlink, false },
    [FUSE_MKNOD] = { op_mknod, false },
    [FUSE_MKDIR] = { op_mkdir, false },
    [FUSE_UNLINK] = { op_unlink, false },
    [FUSE_RMDIR] = { op_rmdir, false },
    [FUSE_RENAME] = { op_rename, false },
    [FUSE_LINK] = { op_link, false },
    [FUSE_OPEN] = { op_open, false },
    [FUSE_READ] = { op_read, false },
    [FUSE_WRITE] = { op_write, false },
    [FUSE_STATFS] = { op_statfs, false },
    [FUSE_RELEASE] = { op_release, false },
    [FUSE_FSYNC] = { op_fsync, false },
    [FUSE_INIT] = { op_init, false },
    [FUSE_OPENDIR] = { op_opendir, false },
    [FUSE_READDIR] = { op_readdir, false },
    [FUSE_RELEASEDIR] = { op_releasedir, false },
    [FUSE_FSYNCDIR] = { op_fsyncdir, false },
    [FUSE_CREATE] = { op_create, false },
    [FUSE_INTERRUPT] = { op_interrupt, true },
    [FUSE_DESTROY] = { op_destroy, false },
    [FUSE_BATCH_FORGET] = { op_batch_forget, true },
    [FUSE_FALLOCATE] = { op_fallocate, false },
    [FUSE_RENAME2] = { op_rename2, false },
    [FUSE_LSEEK] = { op_lseek, false },
    [FUSE_COPY_FILE_RANGE] = { op_copy, false },
    [FUSE_READDIRPLUS] = { op_readdir, false },
    [FUSE_TMPFILE] = { op_tmpfile, false },
};

int server_init(struct server *s, uint32_t nodes_max)
{
    for (unsigned i = 0; i < s->nlive; i++) {
        struct live *l = &s->live[i];
        struct stat x;
        int err = attr_read(l->root, &x);

        if (err)
            return err;
        if (!S_ISDIR(x.st_mode))
            return -ENOTDIR;
    }

    int err = nodes_init(&s->nodes, s->nlive, nodes_max);

    return err ? err : handles_init(&s->handles);
}

void server_fini(struct server *s)
{
    handles_fini(&s->handles);
    nodes_fini(&s->nodes);
    for (unsigned i = 0; i < s->nlive; i++)
        fd_closep(&s->live[i].root);
    fd_closep(&s->reporter.fd);
}

int answer_with(struct answer *a, const void *bytes, size_t len)
{
    memcpy(a->data, bytes, len);
    a->len = len;
    return 0;
}

bool server_handle(struct server *s, struct message *m, struct answer *a)
{
    bool silent = false;
    int err = -ENOSYS;

    if (m->h.opcode < array_len(operations) && operations[m->h.opcode].run) {
        silent = operations[m->h.opcode].silent;
        err = s->greeted || m->h.opcode == FUSE_INIT ? operations[m->h.opcode].run(s, m, a) : -EIO;
    }
    if (err)
        a->len = 0;
    if (err <= -ERRNO_END) /* of the kernel's own, which some file systems let out */
        err = -EIO;
    a->error = err;
    return !silent;
}
