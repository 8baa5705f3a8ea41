/*
 * session.c - one conversation with the guest: frames put together, judged, and passed on.
 *
 * A frame is taken from the buffer only when everybody who listens has room for it; until then
 * nothing more is read from the stream, and its window tells the guest to wait.
 */
#include "sandbox/keeper/keeper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void free_slot(struct session *s)
{
    struct keeper *k = s->k;

    if (k->setup == s)
        k->setup = NULL;
    if (k->roster == s)
        k->roster = NULL;
    if (k->main == s)
        k->main = NULL;
    if (k->poweroff == s)
        k->poweroff = NULL;
    for (struct link *l = k->links; l; l = l->next)
        if (l->session == s)
            l->session = NULL;
    if (s->job)
        job_left(s->job, NULL);
    free(s->buf);
    free(s->asked);
    *s = (struct session){ 0 };
}

struct session *session_open(struct keeper *k, const struct request *r, struct msg_builder *b,
                             struct err *e)
{
    /* One is left for the end: whatever runs, the machine can be asked to power off. */
    size_t slots = KEEPER_SESSIONS - (r->type != MSG_POWEROFF);
    struct session *s = NULL;
    ssize_t n = msg_seal(b);

    if (n < 0) {
        err_set(e, E2BIG, "the request is longer than %u bytes", MSG_MAX);
        return NULL;
    }
    for (size_t i = 0; i < slots && !s; i++)
        if (k->sessions[i].id == 0)
            s = &k->sessions[i];

    uint8_t *buf = s && !k->wire.dead ? malloc(FRAME_MAX) : NULL;
    uint32_t id = buf ? yamux_open(k->wire.y) : 0;

    /* A fresh stream has room for any frame. */
    if (!id || yamux_write(k->wire.y, id, b->bytes, (size_t)n) != n) {
        free(buf);
        err_set(e, EAGAIN,
                k->wire.dead ? "the guest cannot be reached any more"
                             : "too many requests at once: %u",
                KEEPER_SESSIONS);
        return NULL;
    }
    *s = (struct session){
        .k = k,
        .id = id,
        .buf = buf,
        .stays = r->type == MSG_EXEC && !(r->flags & MSG_F_HANGUP),
        .talk = { .request = r->type,
                  .tty = r->flags & MSG_F_TTY,
                  .stdin_open = r->flags & MSG_F_STDIN },
    };
    return s;
}

void session_drop(struct session *s)
{
    yamux_reset(s->k->wire.y, s->id);
    free_slot(s);
}

bool session_send(struct session *s, const struct msg_frame *f)
{
    uint8_t head[MSG_HEADER];
    struct yamux *y = s->k->wire.y;

    if (yamux_writable(y, s->id) < MSG_HEADER + f->len)
        return false;
    msg_header(head, (enum msg_type)f->type, f->len);
    /* There is room; what is not taken belongs to a stream that is gone, which its event tells. */
    if (yamux_write(y, s->id, head, sizeof(head)) == sizeof(head) && f->len &&
        yamux_write(y, s->id, f->body, f->len) < 0)
        return true;
    return true;
}

static void end_input(struct session *s)
{
    const struct msg_frame f = { .type = MSG_STDIN_EOF };

    s->eof_due = s->eof_due && !session_send(s, &f);
}

void session_unheard(struct session *s)
{
    if (!s->stays) {
        session_drop(s); /* the guest learns that its requester went */
        return;
    }
    s->eof_due = s->talk.stdin_open && !s->talk.client_eof;
    end_input(s);
}

/* Everybody who listens to it has room, or there is nobody. */
static bool has_room(const struct session *s, uint32_t payload)
{
    for (struct link *l = s->k->links; l; l = l->next) {
        if (l->session != s || link_has_room(l, payload))
            continue;
        link_flush(l);
        if (!link_has_room(l, payload))
            return false;
    }
    return true;
}

static void flush_links(const struct session *s)
{
    for (struct link *l = s->k->links; l; l = l->next)
        if (l->session == s)
            link_flush(l);
}

static void pass_on(struct session *s, const struct msg_frame *f)
{
    /* Output comes in many frames at a time; session_pull sends them when it has all of them. */
    bool bulk = f->type == MSG_STDOUT || f->type == MSG_STDERR || f->type == MSG_DATA;
    struct keeper *k = s->k;

    if (s == k->main && (f->type == MSG_STDOUT || f->type == MSG_STDERR))
        keeper_log_output(k, f->body, f->len);
    if (f->type == MSG_STARTED)
        job_started(s->job);
    if (f->type == MSG_GONE)
        jobs_gone(k, f);
    if (s == k->main && f->type == MSG_STARTED)
        memcpy(k->main_pid, f->body, sizeof(k->main_pid));
    for (struct link *l = k->links; l; l = l->next)
        if (l->session == s && bulk)
            link_queue(l, (enum msg_type)f->type, f->body, f->len);
        else if (l->session == s)
            link_put(l, (enum msg_type)f->type, f->body, f->len);
}

/* The guest did what it may not. The machine goes too if the conversation was the keeper's own. */
static void deny(struct session *s, const char *why)
{
    struct keeper *k = s->k;
    bool vital = s == k->main || s == k->setup || s == k->roster;

    flush_links(s);

    keeper_log(k, "guest: stream %u ended: %s", s->id, why);
    for (struct link *l = k->links, *next; l; l = next) {
        next = l->next;
        if (l->session == s && !l->is_main)
            link_fail(l, EPROTO, why);
    }
    session_drop(s);
    if (vital)
        keeper_broken(k, why);
}

void session_lost(struct session *s, const char *why)
{
    deny(s, why);
}

/* The whole frames in the buffer, in order. false: the session is gone. */
static bool judge(struct session *s, size_t *used)
{
    struct msg_frame f;
    ssize_t n;

    *used = 0;
    while ((n = msg_parse(s->buf + *used, s->have - *used, &f)) > 0) {
        const char *why = NULL;

        if (!has_room(s, f.len))
            return true;

        enum talk_verdict v = talk_guest(&s->talk, &f, &why);

        if (v == TALK_DENY) {
            deny(s, why);
            return false;
        }
        pass_on(s, &f);
        if (v == TALK_LAST) {
            keeper_session_over(s->k, s, &f);
            return false;
        }
        *used += (size_t)n;
    }
    if (n < 0) {
        deny(s, "something that is no message");
        return false;
    }
    return true;
}

void session_pull(struct session *s)
{
    struct yamux *y = s->k->wire.y;
    struct msg_frame f;
    bool passed = false;

    end_input(s);
    for (;;) {
        ssize_t n = yamux_read(y, s->id, s->buf + s->have, FRAME_MAX - s->have);
        size_t used;

        if (n > 0)
            s->have += (size_t)n;
        if (!judge(s, &used))
            return;
        if (used) {
            memmove(s->buf, s->buf + used, s->have - used);
            s->have -= used;
            passed = true;
        }
        if (n <= 0 && used == 0)
            break;
    }
    flush_links(s);
    /* A whole frame that waits is its readers' delay, not the guest's; and more bytes of the same
     * one do not give it more time. */
    if (s->have == 0 || msg_parse(s->buf, s->have, &f) != 0)
        s->partial_since = 0;
    else if (passed || !s->partial_since)
        s->partial_since = keeper_now();
    if (s->have == 0 && yamux_at_eof(y, s->id))
        session_lost(s, "the guest ended its answer early");
    else if (s->have && yamux_at_eof(y, s->id) && has_room(s, MSG_MAX))
        session_lost(s, "the guest ended its answer in mid-message");
}
