/*
 * fake_vmm.c - a guest that speaks yamux and msg and nothing else, for tests of everything round a
 * machine. `carrel-vmm FD [SPARE]...`. When one hangs up, the main command waits for ATTACH from
 * the next, which greets first. Commands by their first argument: "true" ends at once, "wait" at a
 * signal, "deaf" at none and says that it heard one; all others print their name.
 */
#include "base/mark.h"
#include "base/msg.h"
#include "base/yamux.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CALLS 64u

static struct call {
    uint32_t id;
    size_t have;
    char what[32];
    uint8_t job[4]; /* its number, as on the wire */
    uint8_t buf[MSG_HEADER + MSG_MAX];
} calls[CALLS];

static struct call first; /* the main command; what it is, whatever became of its stream */
static uint8_t end_of_first[2];
static bool has_ended;

static uint8_t mark[MARK_BYTES]; /* of every peer but the first */
static struct yamux *y;
static uint32_t roster; /* the stream on which jobs are told of */

static void say(uint32_t id, enum msg_type type, const void *body, size_t len)
{
    uint8_t head[MSG_HEADER];

    msg_header(head, type, (uint32_t)len);
    if (yamux_write(y, id, head, sizeof(head)) != sizeof(head) ||
        (len && yamux_write(y, id, body, len) != (ssize_t)len))
        _exit(70);
}

static void leave(struct call *c, uint8_t kind, uint8_t code)
{
    const uint8_t body[2] = { kind, code };

    if (memcmp(first.job, c->job, sizeof(c->job)) == 0) {
        memcpy(end_of_first, body, sizeof(body));
        has_ended = true;
    }
    say(c->id, MSG_EXIT, body, sizeof(body));
    yamux_close(y, c->id);
    say(roster, MSG_GONE, c->job, sizeof(c->job));
}

/* What runs, for nothing stays when its command has ended. */
static void on_end(const struct msg_frame *f)
{
    bool runs = false;

    for (size_t i = 0; i < CALLS; i++)
        runs |= calls[i].id && memcmp(calls[i].job, f->body, 4) == 0;
    if (!runs)
        say(roster, MSG_GONE, f->body, 4);
    for (size_t i = 0; i < CALLS; i++)
        if (calls[i].id && f->len == 4 && memcmp(calls[i].job, f->body, 4) == 0)
            leave(&calls[i], MSG_SIGNALED, 9);
}

static void on_exec(struct call *c, const struct msg_frame *f)
{
    static const uint8_t pid[4] = { 7 };
    struct msg_field field;
    uint32_t pos = 0, flags = 0;

    while (msg_next_field(f, &pos, &field) == 1) {
        if (field.tag == MSG_ARG && !c->what[0])
            snprintf(c->what, sizeof(c->what), "%.*s", (int)field.len, (const char *)field.at);
        if (field.tag == MSG_JOB && field.len == sizeof(c->job))
            memcpy(c->job, field.at, sizeof(c->job));
        if (field.tag == MSG_FLAGS && !msg_field_u32(&field, &flags))
            _exit(70);
    }
    if ((flags & (MSG_F_MAIN | MSG_F_HANGUP)) == MSG_F_MAIN)
        first = *c;
    say(c->id, MSG_STARTED, pid, sizeof(pid));
    if (strcmp(c->what, "wait") == 0 || strcmp(c->what, "/wait") == 0)
        return;
    if (!strstr(c->what, "true"))
        say(c->id, MSG_STDOUT, c->what, strlen(c->what));
    if (strcmp(c->what, "/deaf") == 0)
        return;
    leave(c, MSG_EXITED, 0);
}

static void on_attach(struct call *c, const struct msg_frame *f)
{
    static const uint8_t pid[4] = { 7 };
    struct msg_field field;
    uint32_t pos = 0;

    if (msg_next_field(f, &pos, &field) != 1 || field.len != 4 ||
        memcmp(first.job, field.at, 4) != 0)
        _exit(70);
    memcpy(c->job, first.job, sizeof(c->job));
    memcpy(c->what, first.what, sizeof(c->what));
    say(c->id, MSG_STARTED, pid, sizeof(pid));
    if (has_ended)
        leave(c, end_of_first[0], end_of_first[1]);
}

static void keep_mark(const struct msg_frame *f)
{
    struct msg_field field;
    uint32_t pos = 0;

    while (msg_next_field(f, &pos, &field) == 1)
        if (field.tag == MSG_MARK && field.len == MARK_BYTES)
            memcpy(mark, field.at, MARK_BYTES);
}

static void on_request(struct call *c, const struct msg_frame *f)
{
    switch (f->type) {
    case MSG_SETUP:
        keep_mark(f);
        say(c->id, MSG_DONE, NULL, 0);
        break;
    case MSG_EXEC: on_exec(c, f); break;
    case MSG_POWEROFF: exit(0);
    case MSG_ATTACH: on_attach(c, f); break;
    case MSG_JOBS: roster = c->id; break;
    case MSG_END: on_end(f); break;
    case MSG_SIGNAL:
        if (strcmp(c->what, "/deaf") == 0)
            say(c->id, MSG_STDOUT, "heard\n", 6);
        else
            leave(c, MSG_SIGNALED, f->body[0]);
        break;
    default: break;
    }
}

static void take(struct call *c)
{
    struct msg_frame f;
    ssize_t n = yamux_read(y, c->id, c->buf + c->have, sizeof(c->buf) - c->have);

    if (n > 0)
        c->have += (size_t)n;
    while ((n = msg_parse(c->buf, c->have, &f)) > 0) {
        on_request(c, &f);
        memmove(c->buf, c->buf + n, c->have - (size_t)n);
        c->have -= (size_t)n;
    }
}

static void on_event(const struct yamux_event *ev)
{
    for (size_t i = 0; i < CALLS; i++) {
        struct call *c = &calls[i];

        if (c->id != (ev->type == YAMUX_OPENED ? 0 : ev->id))
            continue;
        if (ev->type == YAMUX_OPENED)
            *c = (struct call){ .id = ev->id };
        else if (ev->type == YAMUX_RESET)
            c->id = 0;
        else if (ev->type == YAMUX_READABLE)
            take(c);
        return;
    }
}

/* A machine whose port nobody reads goes on all the same. */
static _Noreturn void go_on(void)
{
    for (;;)
        pause();
}

static void send_all(int fd)
{
    static uint8_t out[65536];
    size_t n;

    while ((n = yamux_output(y, out, sizeof(out))) > 0)
        if (send(fd, out, n, MSG_NOSIGNAL) != (ssize_t)n)
            return; /* its end is read next */
}

static void greet(int fd)
{
    uint8_t words[2 * MARK_BYTES];
    size_t have = 0;
    ssize_t n = 1;

    while (have < sizeof(words) && (n = read(fd, words + have, sizeof(words) - have)) > 0)
        have += (size_t)n;
    if (n > 0 && (memcmp(words, mark, MARK_BYTES) != 0 ||
                  write(fd, words + MARK_BYTES, MARK_BYTES) != MARK_BYTES))
        _exit(73);
}

static void serve(int fd)
{
    static const struct yamux_config cfg = { .max_streams = CALLS, .accept = true };
    static uint8_t in[65536];
    struct yamux_event ev;
    ssize_t n;

    y = yamux_new(&cfg);
    memset(calls, 0, sizeof(calls));
    while (y && (n = read(fd, in, sizeof(in))) > 0)
        for (ssize_t used = 0; used < n;) {
            ssize_t got = yamux_input(y, in + used, (size_t)(n - used));

            if (got < 0)
                _exit(71);
            used += got;
            while (yamux_next_event(y, &ev))
                on_event(&ev);
            send_all(fd);
        }
    yamux_free(y);
    close(fd);
}

int main(int argc, char **argv)
{
    if (write(2, "up\n", 3) != 3) /* an engine has a log */
        return 72;
    for (int i = 1; i < argc; i++) {
        int fd = atoi(argv[i]); /* NOLINT(cert-err34-c): our own number */

        if (i > 1)
            greet(fd);
        serve(fd);
    }
    go_on();
}
