/* ends.c - see ends.h. */
#include "guest/ends.h"

#include "guest/pty.h"

#include "base/fd.h"

#include <fcntl.h>
#include <unistd.h>

#define NONE ((struct child_io){ -1, -1, -1, -1, -1 })

/* A pipe whose end `mine` (0: read, 1: write) is ours. */
static int open_pipe(int mine, int *ours, int *childs, struct err *e)
{
    int p[2];

    if (pipe2(p, O_CLOEXEC))
        return err_sys(e, "pipe");
    *ours = p[mine];
    *childs = p[1 - mine];
    return fcntl(*ours, F_SETFL, O_NONBLOCK) ? err_sys(e, "pipe") : 0;
}

static int open_terminal(const struct request *r, struct ends *x, struct err *e)
{
    int err = pty_open(x->childs.place, r->rows, r->cols, &x->ours.out, &x->childs.in, e);

    if (err)
        return err;
    x->ours.in = fcntl(x->ours.out, F_DUPFD_CLOEXEC, 0);
    x->childs.out = fcntl(x->childs.in, F_DUPFD_CLOEXEC, 0);
    x->childs.err = fcntl(x->childs.in, F_DUPFD_CLOEXEC, 0);
    return x->ours.in < 0 || x->childs.out < 0 || x->childs.err < 0 ? err_sys(e, "pseudo-terminal")
                                                                    : 0;
}

/* Terminals have no owner but a user, whom others are too: who has trees of its own has its own of
 * these as well. It cannot mount, so what is mounted in its sight is nobody else's business. PID 1
 * is root; a test need not be. */
static bool has_own_terminals(const struct profile *p)
{
    return p->nro + p->nrw > 0 && geteuid() == 0;
}

static int open_all(const struct request *r, struct ends *x, struct err *e)
{
    int err = open_pipe(0, &x->ours.status, &x->childs.status, e);

    if (!err && has_own_terminals(&r->profile)) {
        x->childs.place = pty_place(e);
        err = x->childs.place < 0 ? x->childs.place : 0;
    }
    if (!err && (r->flags & MSG_F_TTY))
        return open_terminal(r, x, e);
    if (!err && (r->type == MSG_PUT || (r->flags & MSG_F_STDIN)))
        err = open_pipe(1, &x->ours.in, &x->childs.in, e);
    if (!err && r->type != MSG_PUT)
        err = open_pipe(0, &x->ours.out, &x->childs.out, e);
    if (!err && r->type == MSG_EXEC)
        err = open_pipe(0, &x->ours.err, &x->childs.err, e);
    return err;
}

int ends_open(const struct request *r, struct ends *x, struct err *e)
{
    int err;

    x->ours = x->childs = NONE;
    err = open_all(r, x, e);
    if (err) {
        ends_close(&x->ours);
        ends_close(&x->childs);
    }
    return err;
}

void ends_close(struct child_io *io)
{
    fd_closep(&io->in);
    fd_closep(&io->out);
    fd_closep(&io->err);
    fd_closep(&io->status);
    fd_closep(&io->place);
}
