/* talk.c - see talk.h. */
#include "sandbox/keeper/talk.h"

#define ERROR_TEXT_MAX 1024u
#define SIGNAL_MAX     64u

static enum talk_verdict deny(const char **why, const char *text)
{
    *why = text;
    return TALK_DENY;
}

static enum talk_verdict last(struct talk *t)
{
    t->over = true;
    return TALK_LAST;
}

/* An ERROR ends up on somebody's terminal: an errno, and printable text of bounded length. */
static bool is_error(const struct msg_frame *f)
{
    if (f->len < 4 || f->len > 4 + ERROR_TEXT_MAX)
        return false;
    for (uint32_t i = 4; i < f->len; i++)
        if (f->body[i] < ' ' || f->body[i] == 0x7f)
            return false;
    return true;
}

static bool is_exit(const struct msg_frame *f)
{
    if (f->len != 2)
        return false;
    switch (f->body[0]) {
    case MSG_EXITED:
    case MSG_TIMED_OUT: return true;
    case MSG_SIGNALED: return f->body[1] >= 1 && f->body[1] <= SIGNAL_MAX;
    default: return false;
    }
}

static enum talk_verdict guest_exec(struct talk *t, const struct msg_frame *f, const char **why)
{
    switch (f->type) {
    case MSG_STARTED:
        if (t->started || f->len != 4)
            return deny(why, "STARTED twice or malformed");
        t->started = true;
        return TALK_PASS;
    case MSG_STDOUT:
    case MSG_STDERR:
        if (!t->started || (t->tty && f->type == MSG_STDERR))
            return deny(why, "output out of place");
        return TALK_PASS;
    case MSG_EXIT:
        return t->started && is_exit(f) ? last(t) : deny(why, "EXIT out of place or malformed");
    default: return deny(why, "not an answer to EXEC");
    }
}

static enum talk_verdict guest_get(struct talk *t, const struct msg_frame *f, const char **why)
{
    switch (f->type) {
    case MSG_DATA: return t->guest_eof ? deny(why, "DATA after EOF") : TALK_PASS;
    case MSG_EOF:
        if (t->guest_eof || f->len)
            return deny(why, "EOF twice or malformed");
        t->guest_eof = true;
        return TALK_PASS;
    case MSG_DONE:
        return t->guest_eof && f->len == 0 ? last(t) : deny(why, "DONE before EOF, or malformed");
    default: return deny(why, "not an answer to GET");
    }
}

static enum talk_verdict guest_jobs(const struct msg_frame *f, const char **why)
{
    return f->type == MSG_GONE && f->len == 4 ? TALK_PASS : deny(why, "not an answer to JOBS");
}

enum talk_verdict talk_guest(struct talk *t, const struct msg_frame *f, const char **why)
{
    if (t->over)
        return deny(why, "a frame after the last");
    if (f->type == MSG_ERROR)
        return is_error(f) ? last(t) : deny(why, "a malformed ERROR");
    switch (t->request) {
    case MSG_EXEC: return guest_exec(t, f, why);
    case MSG_GET: return guest_get(t, f, why);
    case MSG_JOBS: return guest_jobs(f, why);
    case MSG_PUT:
    case MSG_SETUP:
    case MSG_POWEROFF:
        return f->type == MSG_DONE && f->len == 0 ? last(t) : deny(why, "neither DONE nor ERROR");
    default: return deny(why, "nothing was asked");
    }
}

static enum talk_verdict client_exec(struct talk *t, const struct msg_frame *f, const char **why)
{
    switch (f->type) {
    case MSG_STDIN:
        return t->stdin_open && !t->client_eof ? TALK_PASS : deny(why, "STDIN that is not open");
    case MSG_STDIN_EOF:
        if (!t->stdin_open || t->client_eof || f->len)
            return deny(why, "STDIN_EOF twice, malformed, or without STDIN");
        t->client_eof = true;
        return TALK_PASS;
    case MSG_RESIZE:
        return t->tty && f->len == 4 ? TALK_PASS : deny(why, "RESIZE without a terminal");
    case MSG_SIGNAL:
        if (f->len != 1 || f->body[0] < 1 || f->body[0] > SIGNAL_MAX)
            return deny(why, "a malformed SIGNAL");
        return TALK_PASS;
    default: return deny(why, "a frame that does not belong to EXEC");
    }
}

enum talk_verdict talk_client(struct talk *t, const struct msg_frame *f, const char **why)
{
    switch (t->request) {
    case MSG_EXEC: return client_exec(t, f, why);
    case MSG_PUT:
        if (t->client_eof || (f->type != MSG_DATA && f->type != MSG_EOF) ||
            (f->type == MSG_EOF && f->len))
            return deny(why, "a frame that does not belong to PUT");
        t->client_eof = f->type == MSG_EOF;
        return TALK_PASS;
    default: return deny(why, "nothing may follow this request");
    }
}

int talk_exit_code(const struct msg_frame *f)
{
    switch (f->body[0]) {
    case MSG_SIGNALED: return 128 + f->body[1];
    case MSG_TIMED_OUT: return 124;
    default: return f->body[1];
    }
}
