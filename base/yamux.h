/*
 * yamux.h - many byte streams over one, after HashiCorp's public specification
 * (yamux/spec.md: 12-byte header, version 0, types data/window update/ping/go away, flags
 * SYN/ACK/FIN/RST, initial window 256 KiB).
 *
 * Pure: bytes in, bytes out, no descriptors, no clock; nothing is allocated but the buffers of
 * streams in use. Both ends of a port use it. The peer is hostile: whatever it sends, memory stays
 * within the bound below, and a broken rule ends the whole session with a go-away.
 *
 * Rules beyond the specification: stream ids of each side strictly increase and are never used
 * again, and flags it does not name are refused. Data for a stream that we have reset is dropped,
 * as far as the window it had, because the peer may not have known yet.
 *
 * Flow control: each stream may have at most `window` bytes received but not consumed; the window
 * update is sent as the owner consumes. What is written waits in a per-stream buffer of at most
 * `window` bytes until the peer's window allows it.
 */
#ifndef BASE_YAMUX_H
#define BASE_YAMUX_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define YAMUX_HEADER         12u
#define YAMUX_INITIAL_WINDOW 262144u /* 256 KiB */

struct yamux; /* one session */

struct yamux_config {
    bool client;          /* opens odd stream ids */
    uint16_t max_streams; /* live at once, both directions together; more are refused with RST */
    bool accept;          /* may the peer open streams? otherwise each is answered RST */
};

enum yamux_event_type {
    YAMUX_NONE,
    YAMUX_OPENED,   /* the peer opened stream id (only with accept) */
    YAMUX_READABLE, /* bytes wait: yamux_read */
    YAMUX_WRITABLE, /* room again after a short yamux_write */
    YAMUX_EOF,      /* the peer will send no more; unread bytes may still wait */
    YAMUX_RESET,    /* stream gone at once; its id is dead */
    YAMUX_PONG,     /* answer to yamux_ping; id is the ping's value */
};

struct yamux_event {
    enum yamux_event_type type;
    uint32_t id;
};

/*
 * NULL when out of memory. Memory is bounded by max_streams x 2 x YAMUX_INITIAL_WINDOW plus a small
 * constant, allocated per stream as buffers are first used and given back when a stream ends.
 */
struct yamux *yamux_new(const struct yamux_config *cfg);
void yamux_free(struct yamux *y);

/*
 * Feeds bytes from the peer. Takes what it can (the count, possibly short while the output buffer
 * is full: drain it and call again), or -EPROTO once the peer broke a rule: send what yamux_output
 * still has (a go-away), then close. yamux_why says which rule.
 */
must_check ssize_t yamux_input(struct yamux *y, const void *buf, size_t len);
const char *yamux_why(const struct yamux *y); /* "" while no rule was broken */

/* Up to len bytes for the peer are copied out; the count, 0 when nothing waits. */
must_check size_t yamux_output(struct yamux *y, void *buf, size_t len);
bool yamux_has_output(const struct yamux *y);

/* The next thing that happened; false when there is none. Level-like: an event is not repeated. */
bool yamux_next_event(struct yamux *y, struct yamux_event *ev);

/*
 * Opens a stream: its id, or 0 when max_streams are live, ids ran out, or the peer said it goes
 * away. Usable at once.
 */
must_check uint32_t yamux_open(struct yamux *y);

/*
 * Bytes received: the count, 0 when none wait (see YAMUX_EOF), -ENOENT for no such stream. A stream
 * that ended in good order (closed by both, all read, all events taken) is still there until the
 * next yamux_next_event.
 */
must_check ssize_t yamux_read(struct yamux *y, uint32_t id, void *buf, size_t len);
size_t yamux_readable(const struct yamux *y, uint32_t id);
bool yamux_at_eof(const struct yamux *y, uint32_t id); /* EOF received and everything read */

/*
 * Takes up to len bytes to send: the count (short when the buffer is full: YAMUX_WRITABLE follows),
 * -EPIPE after close and for no such stream, -ENOMEM.
 */
must_check ssize_t yamux_write(struct yamux *y, uint32_t id, const void *buf, size_t len);
size_t yamux_writable(const struct yamux *y, uint32_t id);

/*
 * No more will be written (FIN after what is buffered). The stream ends when both sides closed and
 * everything was read: an owner that will not read the rest resets it instead.
 */
void yamux_close(struct yamux *y, uint32_t id);

/* Ends a stream now (RST); buffers are dropped. Unknown ids are ignored. */
void yamux_reset(struct yamux *y, uint32_t id);

/* Sends a ping; at most one may wait for its answer. false when one does. */
must_check bool yamux_ping(struct yamux *y, uint32_t value);

#endif
