/*
 * child_transfer.c - PUT and GET in a process of their own: see child.h.
 *
 * It is a copy of PID 1 that never executes another program, so it drops every descriptor but its
 * own, and no tool may attach to it.
 */
#include "guest/child.h"
#include "guest/pack.h"
#include "guest/unpack.h"
#include "guest/users.h"

#include "base/fd.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define STATUS 3 /* where the status descriptor is moved to */

static ssize_t read_stdin(void *arg, void *buf, size_t len)
{
    (void)arg;
    return io_read_full(STDIN_FILENO, buf, len);
}

static int write_stdout(void *arg, const void *buf, size_t len)
{
    (void)arg;
    return io_write_full(STDOUT_FILENO, buf, len);
}

/* Leaves stdin, stdout and STATUS, and nothing else of PID 1's. */
static int keep_own(const struct child_io *io, struct err *e)
{
    /* Moved up first, so that no dup2 lands on one that is still needed. */
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int in = fcntl(io->in >= 0 ? io->in : null, F_DUPFD, 16);
    int out = fcntl(io->out >= 0 ? io->out : null, F_DUPFD, 16);
    int status = fcntl(io->status, F_DUPFD, 16);

    if (in < 0 || out < 0 || status < 0 || dup2(in, STDIN_FILENO) < 0 ||
        dup2(out, STDOUT_FILENO) < 0 || dup2(status, STATUS) < 0 ||
        syscall(SYS_close_range, STATUS + 1u, ~0u, 0u))
        return err_sys(e, "descriptors of a transfer");
    return 0;
}

static int put(const struct request *r, struct err *e)
{
    struct tar_reader reader = { .read = read_stdin };
    struct unpack_owner owner = { .mapped = r->flags & MSG_F_NOBODY };
    auto_fd int dir = -1;
    char scrap[4096];
    struct user u;
    int err;

    if (owner.mapped) {
        err = user_load(r->user ? r->user : "", &u, e);
        if (err)
            return err;
        owner.uid = u.uid;
        owner.gid = u.gid;
    }
    dir = open(r->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return err_sys(e, "\"%.128s\"", r->path);
    err = unpack(&reader, dir, &owner, e);
    /* What follows the archive's end is padding. */
    while (!err && io_read_full(STDIN_FILENO, scrap, sizeof(scrap)) > 0)
        ;
    return err;
}

static int get(const struct request *r, struct err *e)
{
    const struct pack_sink to = { .write = write_stdout };

    return pack(r->path, &to, e);
}

_Noreturn void child_transfer(const struct request *r, const struct child_io *io)
{
    struct err e = ERR_INIT;
    int status = io->status;
    sigset_t none;
    int err;

    setsid();
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    umask(0);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    err = keep_own(io, &e);
    if (!err) {
        status = STATUS;
        err = r->type == MSG_PUT ? put(r, &e) : get(r, &e);
    }
    (void)!io_write_full(status, &e, sizeof(e));
    _exit(err ? 1 : 0);
}
