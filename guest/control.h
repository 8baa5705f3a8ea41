/*
 * control.h - the control port: a yamux server whose streams are calls.
 *
 * The port is one stream for all hosts that ever have its other end, and nothing on it says where
 * one was cut off and the next begins: that one went may not even be seen. So the first host gives
 * a mark, and each later one begins with it and 32 bytes of its own, which are said back to it;
 * what comes before is nobody's. While there is no mark, whatever comes begins a session.
 *
 * What only PID 1 may do is behind struct control_host, so that all of this runs on a socket pair
 * in a unit test. Memory is bounded by CONTROL_STREAMS x (two yamux windows + a call + a job), and
 * a backlog (backlog.h).
 */
#ifndef GUEST_CONTROL_H
#define GUEST_CONTROL_H

#include "guest/call.h"

#include "base/mark.h"
#include "base/yamux.h"

#define CONTROL_STREAMS 80u /* JOBS_MAX and some that only talk */
#define CONTROL_ENDED   4u  /* streams kept free: finished ones that the host keeps open must go */

struct control_host {
    int (*setup)(void *arg, const struct request *r, struct err *e);
    /* Called once the answer is on its way; control_refuse is the owner's to call. */
    void (*poweroff)(void *arg, uint32_t grace_ms);
    /* The session is over, and another may begin. why: the rule the host broke, or "" when it
     * closed the port. May call control_attach. */
    void (*lost)(void *arg, const char *why);
    void *arg;
};

struct control {
    struct loop *loop;               /* borrowed, outlives this */
    const struct control_host *host; /* borrowed, outlives this */
    struct jobs jobs;
    struct yamux *mux; /* owned; NULL: no session */
    struct call *calls;
    unsigned ncalls;
    bool closing;            /* new jobs are refused */
    struct loop_source port; /* fd borrowed */
    uint32_t watched;        /* its events */
    size_t in_at, in_len;    /* read from the port, not yet taken by mux */
    size_t out_at, out_len;  /* taken from mux, not yet written */
    bool marked;
    uint8_t mark[MARK_BYTES], nonce[MARK_BYTES];
    struct mark_search search; /* in what the port gives, at all times */
    size_t nnonce;             /* bytes of the nonce that came behind the mark */
    uint8_t in[65536], out[65536];
};

void control_init(struct control *c, struct loop *l, struct alarms *a,
                  const struct control_host *host);
void control_fini(struct control *c);

/* Serves sessions on fd (non-blocking, the caller's), one after the other; the first begins at once
 * unless there is a mark. */
must_check int control_attach(struct control *c, int fd, struct err *e);

/* To be called after every round of the loop: moves what can move, and ends what is over. */
void control_settle(struct control *c);

/* Every session but this one begins with the mark. */
void control_set_mark(struct control *c, const uint8_t mark[MARK_BYTES]);

/* No new jobs from now on. */
void control_refuse(struct control *c);

/* Is something waiting to be written to the host? */
bool control_pending(const struct control *c);

#endif
