/* holder.c - see holder.h. */
#include "sandbox/keeper/holder.h"

#include "base/failpoint.h"
#include "base/fd.h"
#include "sandbox/keeper/keeper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* keeper -> holder */
struct given {
    uint32_t which; /* a bit for each descriptor beside it */
    struct hold_machine machine;
};

union rights {
    struct cmsghdr head;
    char room[CMSG_SPACE(HOLD_FDS * sizeof(int))];
};

/* ---- the keeper's side ---- */

int hold_give(const struct hold *h, const struct hold_machine *machine, const int fd[HOLD_FDS],
              struct err *e)
{
    union rights rights = { 0 };
    struct given given = { .machine = *machine };
    int n = 0, list[HOLD_FDS] = { 0 };
    struct iovec iov = { &given, sizeof(given) };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &rights };

    for (unsigned i = 0; i < HOLD_FDS; i++)
        if (fd[i] >= 0) {
            given.which |= 1u << i;
            list[n++] = fd[i];
        }
    m.msg_controllen = CMSG_SPACE((size_t)n * sizeof(int));
    rights.head = (struct cmsghdr){ CMSG_LEN((size_t)n * sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
    memcpy(CMSG_DATA(&rights.head), list, (size_t)n * sizeof(int));
    if (FAILPOINT("hold.give") || sendmsg(h->socket, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        return err_sys(e, "what another keeper would need");
    return 0;
}

bool hold_ended(const struct hold *h, struct hold_end *end)
{
    return recv(h->socket, end, sizeof(*end), MSG_DONTWAIT) == sizeof(*end);
}

/* ---- the holder ---- */

struct holder {
    struct hold hold;
    int socket;  /* our end */
    int signals; /* SIGCHLD */
    bool asked, given;
};

/* All or nothing, and once. At once, too: descriptors on their way count against the user's limit.
 */
static void take_given(struct holder *h)
{
    union rights rights = { 0 };
    struct given given;
    int list[HOLD_FDS] = { 0 };
    struct iovec iov = { &given, sizeof(given) };
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &rights, .msg_controllen = sizeof(rights)
    };
    const struct cmsghdr *head;
    unsigned n = 0, at = 0;

    h->asked = true;
    if (recvmsg(h->socket, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != sizeof(given))
        return;
    head = CMSG_FIRSTHDR(&m);
    if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS)
        n = (unsigned)((head->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    memcpy(list, CMSG_DATA(&rights.head), n * sizeof(int));
    if (m.msg_flags & MSG_CTRUNC || given.which >> HOLD_FDS ||
        (unsigned)__builtin_popcount(given.which) != n)
        return; /* the holder ends, and they with it */
    for (unsigned i = 0; i < HOLD_FDS; i++)
        if (given.which >> i & 1)
            h->hold.fd[i] = list[at++];
    h->hold.machine = given.machine;
    h->given = true;
}

/* Its own connection is the keeper's alone, or the machine would not hear it hang up. */
static _Noreturn void be_keeper(struct holder *h, int (*keep)(struct hold *, void *), void *arg)
{
    struct hold *own = &h->hold;
    sigset_t child;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != own->pid)
        _exit(1);
    close(h->socket);
    close(h->signals);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_UNBLOCK, &child, NULL);
    for (unsigned i = own->turn; i < ENGINE_SPARES; i++)
        fd_closep(&own->fd[HOLD_SPARE + i]);
    exit(keep(own, arg));
}

/* True when the keeper has ended: how. What else ends is the machine or its carrel-files, and the
 * keeper's to judge. */
static bool reap(const struct holder *h, pid_t keeper, int *status)
{
    struct hold_end end = { 0 };

    *status = 0;
    while ((end.pid = wait4(-1, &end.status, WNOHANG, &end.used)) > 0) {
        if (end.pid == keeper) {
            *status = end.status;
            return true;
        }
        if (send(h->socket, &end, sizeof(end), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
            return true; /* a keeper that does not listen is not to be helped */
    }
    return end.pid < 0;
}

/* Until the keeper has ended: how. What ended with the last one is reaped first: nothing signals
 * that again. */
static int await(struct holder *h, pid_t keeper)
{
    struct pollfd p[] = { { .fd = h->signals, .events = POLLIN },
                          { .fd = h->socket, .events = POLLIN } };
    struct signalfd_siginfo info;
    int status;

    while (!reap(h, keeper, &status)) {
        p[1].fd = h->asked ? -1 : h->socket;
        if (poll(p, array_len(p), -1) < 0)
            continue;
        if (p[1].revents)
            take_given(h);
        if (p[0].revents)
            (void)!read(h->signals, &info, sizeof(info));
    }
    return status;
}

/* Then its end is no news any more: the keeper that was told of it died. */
static bool has_machine(const struct holder *h)
{
    struct pollfd p = { .fd = h->hold.fd[HOLD_ENGINE], .events = POLLIN };

    return p.fd >= 0 && poll(&p, 1, 0) == 0;
}

static bool was_killed(int status)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

static int open_holder(struct holder *h, struct err *e)
{
    sigset_t child;
    int pair[2];

    *h = (struct holder){ .hold = { .pid = getpid() } };
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    for (unsigned i = 0; i < HOLD_FDS; i++)
        h->hold.fd[i] = -1;
    h->hold.kept =
        mmap(NULL, sizeof(struct kept), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (FAILPOINT("hold.memory") || h->hold.kept == MAP_FAILED)
        return err_sys(e, "memory");
    if (FAILPOINT("hold.pair") || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return err_sys(e, "socketpair");
    h->socket = pair[0];
    h->hold.socket = pair[1];
    h->signals = FAILPOINT("hold.signals") ? -1 : signalfd(-1, &child, SFD_CLOEXEC);
    return h->signals < 0 ? err_sys(e, "signals") : 0;
}

int hold_keepers(int (*keep)(struct hold *h, void *arg), void *arg, int once, struct err *e)
{
    struct holder h;
    int err = open_holder(&h, e);

    for (; !err && h.hold.turn <= ENGINE_SPARES; h.hold.turn++) {
        pid_t keeper = FAILPOINT("hold.fork") ? -1 : fork();

        if (keeper < 0)
            return h.hold.turn ? 0 : err_sys(e, "starting the keeper");
        if (keeper == 0)
            be_keeper(&h, keep, arg);
        if (h.hold.turn == 0)
            close(once);
        else
            fd_closep(&h.hold.fd[HOLD_SPARE + h.hold.turn - 1]);
        if (!was_killed(await(&h, keeper)) || !h.given || !has_machine(&h) ||
            h.hold.turn == ENGINE_SPARES || h.hold.fd[HOLD_SPARE + h.hold.turn] < 0)
            return 0;
    }
    return err;
}
