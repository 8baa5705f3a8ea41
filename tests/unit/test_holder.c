/* test_holder.c - who is followed by another keeper, and what that one gets (h03). */
#include "sandbox/keeper/keeper.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* How each keeper of a test behaves, and what it tells the test. */
static struct plot {
    int signo;       /* that it dies of; 0: it exits */
    bool gives;      /* the first, what the others need */
    bool no_machine; /* it gives a machine that has ended */
    unsigned spares;
    bool forges; /* later, taken over, it gives another machine, or one without what it takes */
} plot;
static int told[2]; /* a byte a keeper: its turn */

/* A process that is the holder's child, as a machine is. */
static int make_machine(pid_t *pid)
{
    int pidfd = -1, ready[2];
    char byte = 0;

    if (pipe2(ready, O_CLOEXEC))
        _exit(75);
    *pid = (pid_t)syscall(SYS_clone, CLONE_PARENT | CLONE_PIDFD | SIGCHLD, NULL, &pidfd, NULL, 0);
    if (*pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* as spawn.c */
        while (write(ready[1], &byte, 1) == 1)
            pause();
        _exit(0);
    }
    if (read(ready[0], &byte, 1) != 1)
        _exit(76);
    close(ready[0]);
    close(ready[1]);
    return pidfd;
}

static void give(struct hold *h)
{
    int fd[HOLD_FDS], pair[2];
    struct hold_machine m = { 0 };
    struct pollfd p;

    memset(fd, 0xff, sizeof(fd));
    fd[HOLD_ENGINE] = make_machine(&m.pid);
    for (unsigned i = 0; i < plot.spares; i++) {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
            _exit(70);
        fd[HOLD_SPARE + i] = pair[0];
    }
    if (plot.no_machine) {
        p = (struct pollfd){ .fd = fd[HOLD_ENGINE], .events = POLLIN };
        kill(m.pid, SIGKILL);
        poll(&p, 1, -1);
    }
    h->kept->last_job = (uint32_t)m.pid;
    if (hold_give(h, &m, fd, NULL))
        _exit(71);
}

/* Without sendmsg, which its filter does not have, no descriptor goes along. */
static void forge(struct hold *h)
{
    const struct hold_machine m = { .pid = 1, .uid = 4711 };
    int fd[HOLD_FDS];

    memset(fd, 0xff, sizeof(fd));
    if (hold_give(h, &m, fd, NULL) && !h->turn)
        _exit(71);
    while (send(h->socket, fd, sizeof(fd), MSG_DONTWAIT) > 0)
        ; /* as much as there is room for */
}

static int keep(struct hold *h, void *arg)
{
    const uint8_t turn = (uint8_t)h->turn;
    unsigned spares = 0;

    (void)arg;
    for (unsigned i = 0; i < ENGINE_SPARES; i++)
        spares += h->fd[HOLD_SPARE + i] >= 0;
    /* Its own connection and nobody else's. */
    if (spares != (turn > 0) || (turn && h->fd[HOLD_SPARE + turn - 1] < 0) || h->pid != getppid())
        _exit(72);
    if (turn && (!h->kept->last_job || h->machine.pid != (pid_t)h->kept->last_job))
        _exit(73);
    if (write(told[1], &turn, 1) != 1)
        _exit(74);
    if (!turn && plot.gives)
        give(h);
    if (plot.forges)
        forge(h);
    if (plot.signo) {
        signal(plot.signo, SIG_DFL); /* cmocka has handlers */
        raise(plot.signo);
    }
    return 0;
}

/* How many keepers there were. */
static int keepers(struct plot p)
{
    uint8_t turn, n = 0;
    int status;
    pid_t holder;

    plot = p;
    assert_int_equal(pipe2(told, O_CLOEXEC), 0);
    holder = fork();
    assert_true(holder >= 0);
    if (holder == 0) {
        close(told[0]);
        _exit(hold_keepers(keep, NULL, open("/dev/null", O_RDONLY), NULL) != 0);
    }
    close(told[1]);
    while (read(told[0], &turn, 1) == 1)
        assert_int_equal(turn, n++);
    close(told[0]);
    assert_int_equal(waitpid(holder, &status, 0), holder);
    assert_int_equal(status, 0);
    return n;
}

static void h03_who_is_followed(void **state)
{
    (void)state;
    assert_int_equal(keepers((struct plot){ SIGKILL, true, false, ENGINE_SPARES, false }),
                     ENGINE_SPARES + 1);
    assert_int_equal(keepers((struct plot){ SIGKILL, true, false, 2, false }), 3);
    assert_int_equal(keepers((struct plot){ SIGKILL, true, false, 0, false }), 1);
    assert_int_equal(keepers((struct plot){ SIGKILL, false, false, 0, false }), 1);
    assert_int_equal(keepers((struct plot){ SIGKILL, true, true, ENGINE_SPARES, false }), 1);
    assert_int_equal(keepers((struct plot){ 0, true, false, ENGINE_SPARES, false }), 1);
    assert_int_equal(keepers((struct plot){ SIGKILL, true, false, 3, true }), 4);
    assert_int_equal(keepers((struct plot){ SIGKILL, false, false, 3, true }), 1);
    assert_int_equal(keepers((struct plot){ SIGTERM, true, false, ENGINE_SPARES, false }), 1);
    assert_int_equal(keepers((struct plot){ SIGABRT, true, false, ENGINE_SPARES, false }), 1);
    assert_int_equal(keepers((struct plot){ SIGSYS, true, false, ENGINE_SPARES, false }), 1);
}

/* ---- the end of a machine and its carrel-files is the holder's to reap and the keeper's to hear
 * ---- */

/* It is the next to have ended. */
static bool has_ended(const struct hold *h, pid_t pid, int signo)
{
    struct pollfd p = { .fd = h->socket, .events = POLLIN };
    struct hold_end end;

    return poll(&p, 1, 10000) == 1 && hold_ended(h, &end) && end.pid == pid &&
           WIFSIGNALED(end.status) && WTERMSIG(end.status) == signo;
}

static int hear(struct hold *h, void *arg)
{
    struct hold_end end;
    pid_t files, machine;
    int a = make_machine(&files), b = make_machine(&machine);

    (void)arg;
    if (a < 0 || b < 0 || hold_ended(h, &end))
        return 70;
    kill(files, SIGTERM);
    if (!has_ended(h, files, SIGTERM))
        return 71;
    kill(machine, SIGUSR1);
    return has_ended(h, machine, SIGUSR1) && !hold_ended(h, &end) && waitpid(-1, NULL, 0) < 0 &&
                   errno == ECHILD && write(told[1], "y", 1) == 1
               ? 0
               : 72;
}

static void the_end_of_a_machine(void **state)
{
    char yes = 0;
    pid_t holder;

    (void)state;
    assert_int_equal(pipe2(told, O_CLOEXEC), 0);
    holder = fork();
    if (holder == 0)
        _exit(hold_keepers(hear, NULL, open("/dev/null", O_RDONLY), NULL) != 0);
    close(told[1]);
    assert_int_equal(read(told[0], &yes, 1), 1);
    assert_int_equal(yes, 'y');
    close(told[0]);
    assert_int_equal(waitpid(holder, NULL, 0), holder);
}

/* Its carrel-files and the first keeper end together; the holder, which is stopped, finds both. */
static int lose_files(struct hold *h, void *arg)
{
    const pid_t self = getpid();
    struct hold_machine m = { 0 };
    int fd[HOLD_FDS], pair[2];
    struct pollfd p = { .events = POLLIN };

    (void)arg;
    if (h->turn)
        return has_ended(h, h->machine.files, SIGTERM) && h->fd[HOLD_FILES] >= 0 &&
                       write(told[1], "y", 1) == 1
                   ? 0
                   : 71;
    memset(fd, 0xff, sizeof(fd));
    fd[HOLD_ENGINE] = make_machine(&m.pid);
    fd[HOLD_FILES] = p.fd = make_machine(&m.files);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        return 70;
    fd[HOLD_SPARE] = pair[0];
    if (hold_give(h, &m, fd, NULL) || kill(h->pid, SIGSTOP) || kill(m.files, SIGTERM) ||
        poll(&p, 1, 10000) != 1 || write(told[1], &self, sizeof(self)) != sizeof(self))
        return 72;
    for (;;)
        pause();
}

static void what_ends_with_a_keeper_is_told_to_the_next(void **state)
{
    struct pollfd p = { .events = POLLIN };
    pid_t holder, keeper = 0;
    char yes = 0;

    (void)state;
    assert_int_equal(pipe2(told, O_CLOEXEC), 0);
    holder = fork();
    if (holder == 0)
        _exit(hold_keepers(lose_files, NULL, open("/dev/null", O_RDONLY), NULL) != 0);
    close(told[1]);
    assert_int_equal(read(told[0], &keeper, sizeof(keeper)), sizeof(keeper));
    p.fd = (int)syscall(434 /* pidfd_open */, keeper, 0);
    assert_true(p.fd >= 0);
    kill(keeper, SIGKILL);
    assert_int_equal(poll(&p, 1, 10000), 1);
    close(p.fd);
    kill(holder, SIGCONT);
    assert_int_equal(read(told[0], &yes, 1), 1);
    assert_int_equal(yes, 'y');
    close(told[0]);
    assert_int_equal(waitpid(holder, NULL, 0), holder);
}

/* ---- the holder dies ---- */

static int stay(struct hold *h, void *arg)
{
    const pid_t self = getpid();

    (void)h;
    (void)arg;
    if (write(told[1], &self, sizeof(self)) != sizeof(self))
        return 70;
    for (;;)
        pause();
}

static void h03_a_keeper_ends_with_its_holder(void **state)
{
    pid_t holder, keeper = 0;
    char any;

    (void)state;
    assert_int_equal(pipe2(told, O_CLOEXEC), 0);
    holder = fork();
    if (holder == 0)
        _exit(hold_keepers(stay, NULL, open("/dev/null", O_RDONLY), NULL) != 0);
    close(told[1]);
    assert_int_equal(read(told[0], &keeper, sizeof(keeper)), sizeof(keeper));
    kill(keeper, SIGSTOP); /* that does not save it */
    kill(holder, SIGKILL);
    assert_int_equal(waitpid(holder, NULL, 0), holder);
    assert_int_equal(read(told[0], &any, 1), 0); /* the pipe has no writer any more */
    close(told[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(h03_who_is_followed),
        cmocka_unit_test(the_end_of_a_machine),
        cmocka_unit_test(what_ends_with_a_keeper_is_told_to_the_next),
        cmocka_unit_test(h03_a_keeper_ends_with_its_holder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
