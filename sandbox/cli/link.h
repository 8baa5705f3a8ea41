/*
 * link.h - a connection to a keeper that never blocks: frames in, bytes out.
 *
 * Output that the keeper does not take yet is kept, bounded: whoever produces more asks link_room
 * first. Both directions go on at once, so that neither end can wait for the other for ever.
 */
#ifndef SANDBOX_CLI_LINK_H
#define SANDBOX_CLI_LINK_H

#include "base/err.h"
#include "base/msg.h"

#include <stdbool.h>

#define LINK_OUT (4 * (MSG_HEADER + MSG_MAX))

struct link {
    int fd; /* owned */
    size_t in_at, in_len;
    size_t out_at, out_len;
    bool closed; /* the keeper sends no more */
    uint8_t in[2 * (MSG_HEADER + MSG_MAX)];
    uint8_t out[LINK_OUT];
};

struct link *link_new(int fd, struct err *e); /* takes fd */
void link_free(struct link *l);

/* Queues a frame. False when there is no room: link_room says how long a payload may be. */
must_check bool link_send(struct link *l, enum msg_type type, const void *body, size_t len);
must_check bool link_send_request(struct link *l, struct msg_builder *b);
size_t link_room(const struct link *l);

/* The events to poll for, and what to do when some came: reads and writes what can be. 0, or
 * negative when the connection is broken. */
short link_events(const struct link *l);
must_check int link_pump(struct link *l, struct err *e);

/* The next whole frame, borrowed until the next link_pump. 1, 0 = none yet, or -EBADMSG. */
must_check int link_next(struct link *l, struct msg_frame *f, struct err *e);

#endif
