/* test_loop.c - the event loop: who is called, and who is not any more. */
#include "base/fd.h"
#include "base/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/time.h>

#include <cmocka.h>

struct bell {
    struct loop_source source;
    struct loop *loop;
    struct bell *victim; /* removed, and its descriptor closed, when this one rings */
    struct bell *friend; /* added when this one rings */
    unsigned calls;
    uint32_t events;
    bool stops;
};

static struct loop loop;

static void rung(struct loop_source *s, uint32_t events)
{
    struct bell *b = container_of(s, struct bell, source);
    struct err e;

    b->calls++;
    b->events = events;
    if (b->victim) {
        loop_remove(b->loop, &b->victim->source);
        close(b->victim->source.fd);
        b->victim->source.fd = -1;
        b->victim = NULL;
    }
    if (b->friend) {
        assert_int_equal(loop_add(b->loop, &b->friend->source, EPOLLIN, &e), 0);
        b->friend = NULL;
    }
    if (b->stops)
        loop_stop(b->loop);
}

static struct bell bell(unsigned ringing)
{
    struct bell b = { .source = { .fd = eventfd(ringing, EFD_CLOEXEC | EFD_NONBLOCK),
                                  .ready = rung },
                      .loop = &loop };

    assert_true(b.source.fd >= 0);
    return b;
}

static void add(struct bell *b, uint32_t events)
{
    struct err e;

    assert_int_equal(loop_add(&loop, &b->source, events, &e), 0);
}

static void once(void)
{
    struct err e;

    assert_int_equal(loop_once(&loop, 0, &e), 0);
}

static int up(void **state)
{
    struct err e;

    (void)state;
    return loop_init(&loop, &e);
}

static int down(void **state)
{
    (void)state;
    loop_fini(&loop);
    assert_int_equal(loop.epfd, -1);
    return 0;
}

static void a_ready_source_is_called(void **state)
{
    struct bell quiet = bell(0), loud = bell(1);

    (void)state;
    add(&quiet, EPOLLIN);
    add(&loud, EPOLLIN);
    once();
    once(); /* level-triggered: it was not read, so it rings again */
    assert_int_equal(quiet.calls, 0);
    assert_int_equal(loud.calls, 2);
    assert_int_equal(loud.events, EPOLLIN);

    struct err e;

    assert_int_equal(loop_change(&loop, &loud.source, 0, &e), 0);
    assert_int_equal(loop_change(&loop, &quiet.source, EPOLLOUT, &e), 0);
    once();
    assert_int_equal(quiet.calls, 1);
    assert_int_equal(loud.calls, 2);
    loop_remove(&loop, &quiet.source);
    once();
    assert_int_equal(quiet.calls, 1);
    close(quiet.source.fd);
    close(loud.source.fd);
}

static void a_hang_up_is_told_unasked(void **state)
{
    struct bell b = bell(0);
    int p[2];

    (void)state;
    close(b.source.fd);
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    b.source.fd = p[0];
    add(&b, 0);
    once();
    assert_int_equal(b.calls, 0);
    close(p[1]);
    once();
    assert_int_equal(b.events, EPOLLHUP);
    close(p[0]);
}

/* Both rang in the same round; whichever is called first removes the other for good. */
static void removed_in_the_same_round(void **state)
{
    struct bell a = bell(1), b = bell(1);

    (void)state;
    a.victim = &b;
    b.victim = &a;
    add(&a, EPOLLIN);
    add(&b, EPOLLIN);
    once();
    assert_int_equal(a.calls + b.calls, 1);
    close(a.calls ? a.source.fd : b.source.fd);
}

static void removes_itself(void **state)
{
    struct bell a = bell(1);

    (void)state;
    a.victim = &a;
    add(&a, EPOLLIN);
    once();
    once();
    assert_int_equal(a.calls, 1);
    assert_int_equal(a.source.fd, -1);
}

static void added_in_a_round(void **state)
{
    struct bell a = bell(1), b = bell(1);

    (void)state;
    a.friend = &b;
    add(&a, EPOLLIN);
    once();
    assert_int_equal(b.calls, 0);
    once();
    assert_int_equal(b.calls, 1);
    close(a.source.fd);
    close(b.source.fd);
}

static void more_than_a_batch(void **state)
{
    struct bell bells[3 * LOOP_BATCH];
    unsigned missed = 0;

    (void)state;
    for (size_t i = 0; i < array_len(bells); i++) {
        bells[i] = bell(1);
        add(&bells[i], EPOLLIN);
    }
    for (int i = 0; i < 3; i++)
        once();
    for (size_t i = 0; i < array_len(bells); i++) {
        missed += bells[i].calls == 0;
        close(bells[i].source.fd);
    }
    assert_int_equal(missed, 0);
}

static void runs_until_stopped(void **state)
{
    struct bell a = bell(1);
    struct err e;

    (void)state;
    a.stops = true;
    add(&a, EPOLLIN);
    assert_int_equal(loop_run(&loop, &e), 0);
    assert_int_equal(loop_run(&loop, &e), 0); /* and again */
    assert_int_equal(a.calls, 2);
    close(a.source.fd);
}

static void caught(int signo)
{
    (void)signo;
}

static void a_signal_is_a_round(void **state)
{
    struct sigaction sa = { .sa_handler = caught }, old;
    struct itimerval soon = { .it_value = { .tv_usec = 2000 }, .it_interval = { .tv_usec = 2000 } };
    struct itimerval never = { 0 };
    struct err e;

    (void)state;
    assert_int_equal(sigaction(SIGALRM, &sa, &old), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
    assert_int_equal(loop_once(&loop, -1, &e), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    assert_int_equal(sigaction(SIGALRM, &old, NULL), 0);
}

static void mistakes_are_named(void **state)
{
    struct bell a = bell(0);
    struct err e = ERR_INIT;
    char name[16];

    (void)state;
    add(&a, EPOLLIN);
    assert_int_equal(loop_add(&loop, &a.source, EPOLLIN, &e), -EEXIST);
    snprintf(name, sizeof(name), "descriptor %d", a.source.fd);
    assert_non_null(strstr(e.msg, name));
    loop_remove(&loop, &a.source);
    loop_remove(&loop, &a.source); /* twice is harmless */
    assert_int_equal(loop_change(&loop, &a.source, EPOLLIN, &e), -ENOENT);
    close(a.source.fd);
}

#define looped(test) cmocka_unit_test_setup_teardown(test, up, down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        looped(a_ready_source_is_called),  looped(a_hang_up_is_told_unasked),
        looped(removed_in_the_same_round), looped(removes_itself),
        looped(added_in_a_round),          looped(more_than_a_batch),
        looped(runs_until_stopped),        looped(a_signal_is_a_round),
        looped(mistakes_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
