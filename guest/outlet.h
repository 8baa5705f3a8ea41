/*
 * outlet.h - a pipe (or terminal) out of a child: what it says becomes frames of its call.
 *
 * The pipe is read only while the call has room, which is the back pressure; without a call it is
 * read and dropped, so that the child goes on.
 */
#ifndef GUEST_OUTLET_H
#define GUEST_OUTLET_H

#include "base/loop.h"
#include "base/msg.h"

struct call;
struct job;

struct outlet {
    struct loop_source source; /* owns source.fd; -1: at its end */
    struct loop *loop;         /* borrowed, outlives this */
    struct job *job;           /* for the owner */
    enum msg_type type;
    bool watched;
    bool draining; /* ends where nothing waits, at the latest after `left` bytes */
    size_t left;
    void (*ready)(struct outlet *o); /* something waits: the owner calls outlet_move */
};

/* fd is taken, non-blocking; -1 for one that is at its end from the start. Not watched yet. */
void outlet_init(struct outlet *o, struct loop *l, int fd, enum msg_type type);
void outlet_close(struct outlet *o);

bool outlet_is_open(const struct outlet *o);

/* One read becomes one frame. Without room the outlet sleeps until outlet_resume. */
void outlet_move(struct outlet *o, struct call *c);

/* Not read until outlet_resume: what comes waits in the pipe, and then whoever writes it. */
void outlet_rest(struct outlet *o);

/* Watches the outlet, if its call has room. */
void outlet_resume(struct outlet *o, struct call *c);

/* The child is gone but somebody else holds the pipe: what waits in it is the last. */
void outlet_drain(struct outlet *o, struct call *c);

#endif
