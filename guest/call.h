/*
 * call.h - one conversation on one yamux stream: a request, what follows it, its answer.
 *
 * Frames are taken as they arrive; bodies that go to a job pass through in pieces, all others are
 * collected first. The host is believed to be our own, but a frame out of place still ends the
 * stream and nothing more.
 */
#ifndef GUEST_CALL_H
#define GUEST_CALL_H

#include "guest/inlet.h"
#include "guest/job.h"

#define CALL_MESSAGE_MAX 16u /* bytes of a frame's body that is neither request nor input */

struct control;

enum call_state {
    CALL_REQUEST, /* the first frame has not come yet */
    CALL_JOB,     /* a job is running for it */
    CALL_LISTENS, /* JOBS: it hears of jobs that are gone, and ends some */
    CALL_ENDED,   /* the final frame was sent; what still comes is dropped */
    CALL_BROKEN,  /* to be reset at the next call_sweep */
};

struct call {
    struct control *control; /* borrowed, outlives this */
    struct call *next;
    uint32_t id; /* of the stream */
    enum call_state state;
    enum msg_type request;
    struct job *job; /* borrowed; NULL when there is none or it is over */
    bool input_over; /* its end was announced */

    uint8_t head[MSG_HEADER]; /* of the frame that is coming in */
    uint32_t nhead;
    uint32_t left; /* bytes of its body still to come */
    uint32_t nbody;
    uint8_t *request_body; /* owned, while the request comes in */
    uint8_t message[CALL_MESSAGE_MAX];
};

/* NULL when out of memory. */
struct call *call_new(struct control *c, uint32_t id);

/* Ends its job as job_abandon does. The stream is not touched. */
void call_free(struct call *c);

/* Sends GONE; false when there is no room now. The call listens. */
must_check bool call_gone(struct call *c, uint32_t job);

/* After each round: resumes the job; true when the call is over and to be freed. */
must_check bool call_sweep(struct call *c);

#endif
