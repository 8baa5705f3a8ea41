/* reaper.c - see reaper.h. */
#include "guest/reaper.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* A round. Tools that fork without end must not keep PID 1 from all else (C08). */
#define REAPS 64

void reaper_collect(struct reaper *r)
{
    for (int i = 0; i < REAPS; i++) {
        siginfo_t info = { 0 };
        int status;

        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT)) {
            r->childless = errno == ECHILD;
            return;
        }
        r->childless = false;
        if (info.si_pid == 0)
            return;
        jobs_ending(r->jobs, info.si_pid);
        if (waitpid(info.si_pid, &status, 0) == info.si_pid)
            jobs_reaped(r->jobs, info.si_pid, status);
    }
    kill(getpid(), SIGCHLD); /* blocked, so it brings us back here through the loop */
}

static void signals_ready(struct loop_source *s, uint32_t events)
{
    struct reaper *r = container_of(s, struct reaper, signals);
    struct signalfd_siginfo info;

    (void)events;
    if (read(s->fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return;
    if (info.ssi_signo == SIGCHLD)
        reaper_collect(r);
    else if (r->power && info.ssi_code > 0) /* a tool cannot say that it is the kernel (C09) */
        r->power(r->arg);
}

int reaper_init(struct reaper *r, struct loop *l, struct jobs *jobs, struct err *e)
{
    sigset_t set;

    *r = (struct reaper){ .jobs = jobs };
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGINT); /* ctrl-alt-del, as the kernel tells it */
    if (sigprocmask(SIG_SETMASK, &set, NULL) || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return err_sys(e, "signals");
    r->signals.ready = signals_ready;
    r->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (r->signals.fd < 0)
        return err_sys(e, "signals");
    return loop_add(l, &r->signals, EPOLLIN, e);
}
