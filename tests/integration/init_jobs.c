/* init_jobs.c - what a command leaves behind, and its end: part of init_driver. */
#include "tests/integration/init_driver.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

static uint32_t number; /* of the next command */

static void add_job(struct msg_builder *b)
{
    msg_add_u32(b, MSG_JOB, number);
}

static uint32_t listen_to_jobs(void)
{
    static struct msg_builder b;
    uint32_t id = client_open(guest);

    msg_begin(&b, MSG_JOBS);
    client_request(guest, id, &b);
    return id;
}

static uint32_t start_job(uint32_t job, const char *text, const char *user)
{
    struct client_exec x = { .argv = SHELL(text), .user = user, .more = add_job };

    number = job;
    return client_start(guest, &x);
}

static void run_job(uint32_t job, const char *text, const char *user)
{
    struct client_exec x = { 0 };
    struct client_result r;

    client_finish(guest, start_job(job, text, user), &x, &r);
    is_exit(&r, MSG_EXITED, 0);
    client_result_fini(&r);
}

static void end_job(uint32_t jobs, uint32_t job)
{
    const uint8_t body[4] = { (uint8_t)job };

    client_send(guest, jobs, MSG_END, body, sizeof(body));
}

/* The next to go, and that within a second. */
static void is_gone(uint32_t jobs, uint32_t job)
{
    struct msg_frame f = { 0 };
    int got = client_recv(guest, jobs, &f, 1000);

    expect(got == 1 && f.type == MSG_GONE && f.len == 4 && f.body[0] == job && !f.body[1],
           "waiting for %u to be gone: %d, frame %u", job, got, f.type);
}

static void nothing_is_gone(uint32_t jobs)
{
    struct msg_frame f;

    script("true", NULL, "");
    expect(client_recv(guest, jobs, &f, 0) == -ETIMEDOUT, "something is gone");
}

/* A daemon as daemons are made: a session of its own, its parent gone. */
#define DAEMON(seconds) \
    "setsid sh -c '(exec sleep " seconds ") >/dev/null 2>&1 </dev/null & exit 0'"
#define COUNT(seconds) "ps -o args | grep -c '^sleep " seconds "'; true"

/* C08: it lives on when its command has ended, until it is ended by its command's number. */
void daemons(void)
{
    uint32_t jobs = listen_to_jobs();

    run_job(1, DAEMON("701"), "agent");
    run_job(2, DAEMON("702"), NULL);
    run_job(3, "true", "agent");
    is_gone(jobs, 3);
    nothing_is_gone(jobs);
    script(COUNT("70[12]"), NULL, "2\n");
    end_job(jobs, 1);
    is_gone(jobs, 1);
    script("ps -o args | grep '^sleep 70[12]'", NULL, "sleep 702\n");
    end_job(jobs, 2);
    is_gone(jobs, 2);
    end_job(jobs, 2); /* twice, and one that never was */
    is_gone(jobs, 2);
    end_job(jobs, 99);
    is_gone(jobs, 99);
    script(COUNT("70[12]"), NULL, "0\n");
    /* One that goes by itself is told of as well. */
    run_job(4, "setsid sh -c 'sleep 0.3 & exit 0' >/dev/null 2>&1", NULL);
    is_gone(jobs, 4);
    client_reset(guest, jobs);
}

/* With its command, whatever it forks meanwhile. */
void endless_forks(void)
{
    uint32_t jobs = listen_to_jobs(), id;
    struct client_exec x = { 0 };
    struct client_result r;
    struct msg_frame f;

    id =
        start_job(5, "echo ready; while :; do setsid sleep 703 & setsid sleep 0.1 & done", "agent");
    while (client_recv(guest, id, &f, CLIENT_WAIT_MS) > 0 && f.type != MSG_STDOUT)
        ;
    end_job(jobs, 5);
    is_gone(jobs, 5);
    client_finish(guest, id, &x, &r);
    expect(r.ended && r.kind == MSG_SIGNALED && r.code == SIGKILL, "kind %u code %u", r.kind,
           r.code);
    client_result_fini(&r);
    script(COUNT("703"), NULL, "0\n");
    client_reset(guest, jobs);
}

/* A timeout and KILL end all that a command started; other signals and a hang-up do not. */
void ends_of_trees(void)
{
    uint32_t jobs = listen_to_jobs(), id;
    struct client_exec x = { .argv = SHELL(DAEMON("704") "; sleep 100"), .timeout_ms = 300 };
    struct client_exec none = { 0 };
    struct client_result r;
    struct msg_frame f;
    const uint8_t term = SIGTERM, kill_it = SIGKILL;

    client_run(guest, &x, &r);
    is_exit(&r, MSG_TIMED_OUT, SIGTERM);
    client_result_fini(&r);
    script(COUNT("704"), NULL, "0\n");
    for (unsigned i = 0; i < 2; i++) {
        id = start_job(6 + i, DAEMON("705") "; echo ready; exec sleep 100", NULL);
        while (client_recv(guest, id, &f, CLIENT_WAIT_MS) > 0 && f.type != MSG_STDOUT)
            ;
        client_send(guest, id, MSG_SIGNAL, i ? &kill_it : &term, 1);
        client_finish(guest, id, &none, &r);
        expect(r.ended && r.kind == MSG_SIGNALED && r.code == (i ? SIGKILL : SIGTERM),
               "kind %u code %u", r.kind, r.code);
        client_result_fini(&r);
        if (i == 0) {
            script(COUNT("705"), NULL, "1\n");
            end_job(jobs, 6);
        }
        is_gone(jobs, 6 + i);
        script(COUNT("705"), NULL, "0\n");
    }
    client_reset(guest, jobs);
}
