/*
 * loop.h - one thread's event loop: epoll, level-triggered, callbacks in arrival order.
 *
 * A source is embedded in the object that owns the descriptor; the loop borrows both and allocates
 * nothing per source. A callback may add, change and remove any source, also its own, and may stop
 * the loop. Not thread-safe: one loop, one thread.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct loop_source {
    int fd;                                                /* borrowed */
    void (*ready)(struct loop_source *s, uint32_t events); /* EPOLLIN | EPOLLOUT | EPOLLHUP … */
};

#define LOOP_BATCH 16

struct loop {
    int epfd; /* owned */
    bool stopped;
    int nbatch;                            /* events of this round not yet delivered … */
    struct loop_source *batch[LOOP_BATCH]; /* … NULL where the source was removed meanwhile */
    uint32_t events[LOOP_BATCH];
};

must_check int loop_init(struct loop *l, struct err *e);
void loop_fini(struct loop *l);

/* Watches s->fd for events (EPOLLIN, EPOLLOUT; 0 means only errors and hang-ups). */
must_check int loop_add(struct loop *l, struct loop_source *s, uint32_t events, struct err *e);
must_check int loop_change(struct loop *l, struct loop_source *s, uint32_t events, struct err *e);

/* Forgets s, also where it waits in the current round. Call before closing s->fd. */
void loop_remove(struct loop *l, struct loop_source *s);

/* Delivers one round, waiting at most timeout_ms (-1: for ever). 0, or -errno. EINTR is a round. */
must_check int loop_once(struct loop *l, int timeout_ms, struct err *e);

/* Rounds until loop_stop. */
must_check int loop_run(struct loop *l, struct err *e);
void loop_stop(struct loop *l);

#endif
