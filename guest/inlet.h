/*
 * inlet.h - the pipe (or terminal) into a child: one buffer, written as the child reads.
 *
 * Nothing more is taken while the buffer waits, which is the back pressure; once nobody reads any
 * more, everything is taken and dropped.
 */
#ifndef GUEST_INLET_H
#define GUEST_INLET_H

#include "base/loop.h"

#define INLET_BYTES 32768u /* half a pipe: one half is read while the other is written */

struct inlet {
    struct loop_source source; /* owns source.fd; -1: nobody reads */
    struct loop *loop;         /* borrowed, outlives this */
    void (*room)(struct inlet *i);
    bool watched; /* in the loop, waiting to write */
    bool ended;   /* close when what is here was written */
    size_t at, len;
    uint8_t buf[INLET_BYTES];
};

/* fd is taken, non-blocking. room is called whenever the buffer was emptied by the loop. */
void inlet_init(struct inlet *i, struct loop *l, int fd, void (*room)(struct inlet *i));
void inlet_close(struct inlet *i); /* drops what waits */

size_t inlet_room(const struct inlet *i);
void inlet_push(struct inlet *i, const void *buf, size_t len); /* at most inlet_room */

/* No more comes: the pipe is closed after what waits. */
void inlet_end(struct inlet *i);

#endif
