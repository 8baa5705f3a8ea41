/* What a carrel-files in a guest's hands may tell its keeper, and what ends it. */
#include "sandbox/keeper/keeper.h"

#include "base/compiler.h"
#include "sandbox/files/report.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct keeper k;
static int theirs;
static pid_t child;

static int start(void **state)
{
    int ends[2];

    (void)state;
    memset(&k, 0, sizeof(k));
    keeper_files_init(&k.files);
    if (loop_init(&k.loop, NULL) || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
        return -1;
    child = fork();
    if (child == 0)
        for (;;)
            pause();
    k.files.run.pid = child;
    k.files.run.pidfd = (int)syscall(434 /* pidfd_open */, child, 0);
    k.files.refilled = keeper_now(); /* no tokens: what is valid is counted, and goes no further */
    k.files.reports.fd = k.files.run.report_fd = ends[0];
    theirs = ends[1];
    return k.files.run.pidfd < 0 ? -1 : loop_add(&k.loop, &k.files.reports, EPOLLIN, NULL);
}

static int stop(void **state)
{
    (void)state;
    close(theirs);
    keeper_files_over(&k);
    waitpid(child, NULL, 0); /* it has ended */
    loop_fini(&k.loop);
    return 0;
}

static bool was_ended(void)
{
    siginfo_t how;

    if (k.files.reports.fd >= 0)
        return false;
    assert_int_equal(waitid(P_PID, (id_t)child, &how, WEXITED | WNOWAIT), 0);
    return how.si_code == CLD_KILLED && how.si_status == SIGKILL;
}

static size_t report(struct files_report *r, const char *path)
{
    *r = (struct files_report){ .magic = FILES_REPORT_MAGIC };
    snprintf(r->path, sizeof(r->path), "%s", path);
    return offsetof(struct files_report, path) + strlen(path) + 1;
}

static void tell(const void *bytes, size_t len)
{
    assert_int_equal(send(theirs, bytes, len, 0), len);
    keeper_files_drain(&k);
}

static void a_report_is_heard(void **state)
{
    struct files_report r;

    (void)state;
    tell(&r, report(&r, "/w/x"));
    assert_false(was_ended());
    assert_int_equal(k.files.withheld, 1);
}

static void one_that_is_none_ends_the_server(void **state)
{
    struct files_report r;
    const size_t len = report(&r, "/w/x");

    (void)state;
    tell(&r, len - 1); /* no NUL */
    assert_true(was_ended());
}

/* The keeper would be woken for its end for ever. */
static void a_closed_channel_ends_the_server(void **state)
{
    (void)state;
    assert_int_equal(shutdown(theirs, SHUT_WR), 0);
    keeper_files_drain(&k);
    assert_true(was_ended());
    assert_int_equal(loop_once(&k.loop, 0, NULL), 0);
}

/* carrel-launch speaks once, before the server runs. */
static void words_of_the_launcher_are_taken_once(void **state)
{
    const struct jail_report r = { .magic = JAIL_MAGIC };

    (void)state;
    tell(&r, sizeof(r));
    assert_false(was_ended());
    tell(&r, sizeof(r));
    assert_true(was_ended());
}

int main(void)
{
#define WITH(t) cmocka_unit_test_setup_teardown(t, start, stop)
    const struct CMUnitTest tests[] = {
        WITH(a_report_is_heard),
        WITH(one_that_is_none_ends_the_server),
        WITH(a_closed_channel_ends_the_server),
        WITH(words_of_the_launcher_are_taken_once),
    };

    return cmocka_run_group_tests_name("keeper_reports", tests, NULL, NULL);
}
