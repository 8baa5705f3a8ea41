/*
 * backlog.h - what a main command said last, for a keeper that follows one that was killed before
 * it had written all of it down.
 *
 * As much as can be under way: what waits in the stream's buffer here, what its window lets out,
 * and a frame that the other end has read and not dealt with. So whoever keeps to the window finds
 * everything here that it has not taken, and nobody has to say what it took before it asks.
 */
#ifndef GUEST_BACKLOG_H
#define GUEST_BACKLOG_H

#include "base/msg.h"
#include "base/yamux.h"

#define BACKLOG_BYTES (2 * YAMUX_INITIAL_WINDOW + MSG_HEADER + MSG_MAX)

struct backlog {
    uint8_t *ring;       /* owned: frames as they were sent; NULL: nothing is kept */
    size_t first, have;  /* where the oldest begins, and bytes from there on */
    uint64_t begin, end; /* the same as places in all that was ever said, without headers */
    size_t again;        /* where the frame begins that is to be said again, from `first` on … */
    uint32_t done;       /* … and how much of it was */
};

/* When there is no memory nothing is kept. */
void backlog_init(struct backlog *b);
void backlog_fini(struct backlog *b);

/* It was said. Not while something is to be said again. */
void backlog_add(struct backlog *b, enum msg_type type, const void *body, size_t len);

/* All from this place on is to be said again, as far as it is still here. */
void backlog_rewind(struct backlog *b, uint64_t place);

/* Is something to be said again? Then a piece of it, of at most room bytes, which counts as said:
 * borrowed until the next call. */
bool backlog_waits(const struct backlog *b);
struct msg_frame backlog_next(struct backlog *b, size_t room);

#endif
