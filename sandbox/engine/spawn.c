/* spawn.c - see spawn.h. */
#include "sandbox/engine/spawn.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

void engine_run_init(struct engine_run *r)
{
    *r = (struct engine_run){ .pidfd = -1, .gate_fd = -1, .report_fd = -1 };
}

void engine_run_fini(struct engine_run *r)
{
    fd_closep(&r->pidfd);
    fd_closep(&r->gate_fd);
    fd_closep(&r->report_fd);
}

int engine_release(struct engine_run *r, struct err *e)
{
    if (write(r->gate_fd, "", 1) != 1)
        return err_sys(e, "the engine ended before it began");
    fd_closep(&r->gate_fd);
    return 0;
}

int spawn_keep(struct spawn *s, int fd)
{
    if (fd < 0)
        return fd;
    if (s->nkeep == SPAWN_KEEP_MAX)
        abort(); /* engines have a fixed number of parts */
    s->keep[s->nkeep++] = fd;
    return fd;
}

/* In the child, between fork and exec: async-signal-safe calls only. */
static _Noreturn void become(const struct spawn *s, int gate)
{
    static const char failed[] = "the engine could not be executed\n";
    static const struct rlimit no_core = { 0, 0 };
    static const int ignorable[] = { SIGHUP,  SIGINT,  SIGQUIT, SIGPIPE, SIGTERM,
                                     SIGCHLD, SIGTSTP, SIGTTIN, SIGTTOU };
    sigset_t none;
    char go;

    for (size_t i = 0; i < array_len(ignorable); i++) /* handlers do not survive an exec anyway */
        signal(ignorable[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (read(gate, &go, 1) != 1)
        _exit(0); /* nobody knows of us */

    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    setrlimit(RLIMIT_CORE, &no_core); /* guest memory does not belong into core files */
    if (dup2(null, 0) == 0 && dup2(s->log_fd, 1) == 1 && dup2(s->log_fd, 2) == 2) {
        for (unsigned i = 0; i < s->nkeep; i++)
            fcntl(s->keep[i], F_SETFD, 0);
        execv(s->path, s->argv);
    }
    if (write(2, failed, sizeof(failed) - 1) < 0)
        _exit(126);
    _exit(127);
}

int spawn_gated(const struct spawn *s, struct engine_run *run, struct err *e)
{
    int gate[2];

    if (access(s->path, X_OK))
        return err_sys(e, "%s", s->path);
    if (pipe2(gate, O_CLOEXEC))
        return err_sys(e, "starting the engine");

    auto_fd int theirs = gate[0];
    auto_fd int ours = gate[1];
    pid_t pid = fork();

    if (pid < 0)
        return err_sys(e, "starting the engine");
    if (pid == 0) {
        close(ours); /* or it would wait for itself */
        become(s, theirs);
    }
    run->pid = pid;
    run->gate_fd = fd_steal(&ours);
    run->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    return run->pidfd < 0 ? err_sys(e, "starting the engine") : 0;
}
