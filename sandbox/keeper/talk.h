/*
 * talk.h - which frame may come next in a conversation, from either side.
 *
 * Pure. The guest is hostile: it may answer what it was asked, in order, and nothing else (R04,
 * R06). What it says is passed on as its word; nothing here believes it (R07).
 */
#ifndef SANDBOX_KEEPER_TALK_H
#define SANDBOX_KEEPER_TALK_H

#include "base/msg.h"

/* One conversation about one request. */
struct talk {
    enum msg_type request;
    bool tty, stdin_open; /* as the EXEC's flags said */
    bool started;         /* STARTED was seen */
    bool guest_eof;       /* GET: the tar is complete */
    bool client_eof;      /* STDIN_EOF, or PUT's EOF */
    bool over;            /* the last frame was seen; nothing may follow */
};

enum talk_verdict {
    TALK_PASS, /* pass it on */
    TALK_LAST, /* pass it on; the conversation is over */
    TALK_DENY, /* it may not come here: end this side's connection */
};

/* Judges a frame, and remembers it. why gets a static sentence for TALK_DENY. */
enum talk_verdict talk_guest(struct talk *t, const struct msg_frame *f, const char **why);
enum talk_verdict talk_client(struct talk *t, const struct msg_frame *f, const char **why);

/* An EXIT body that talk_guest passed, as the exit code carrel would have: 0..255, 128+N, 124. */
int talk_exit_code(const struct msg_frame *f);

#endif
