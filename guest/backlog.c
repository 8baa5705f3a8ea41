/* backlog.c - see backlog.h. */
#include "guest/backlog.h"

#include <stdlib.h>
#include <string.h>

void backlog_init(struct backlog *b)
{
    *b = (struct backlog){ .ring = malloc(BACKLOG_BYTES) };
}

void backlog_fini(struct backlog *b)
{
    free(b->ring);
    *b = (struct backlog){ 0 };
}

/* Index of the byte that lies so far behind the oldest. */
static size_t index_of(const struct backlog *b, size_t offset)
{
    return (b->first + offset) % BACKLOG_BYTES;
}

static void put(struct backlog *b, const void *bytes, size_t len)
{
    size_t at = index_of(b, b->have), straight = BACKLOG_BYTES - at;

    straight = straight < len ? straight : len;
    memcpy(b->ring + at, bytes, straight);
    memcpy(b->ring, (const uint8_t *)bytes + straight, len - straight);
    b->have += len;
}

/* The header there; its body lies behind it. */
static struct msg_frame head_at(const struct backlog *b, size_t offset)
{
    uint8_t h[MSG_HEADER];

    for (size_t i = 0; i < MSG_HEADER; i++)
        h[i] = b->ring[index_of(b, offset + i)];
    return (struct msg_frame){ .type = h[0],
                               .len = h[4] | (uint32_t)h[5] << 8 | (uint32_t)h[6] << 16 };
}

static void forget_first(struct backlog *b)
{
    uint32_t len = head_at(b, 0).len;

    b->first = index_of(b, MSG_HEADER + len);
    b->have -= MSG_HEADER + len;
    b->begin += len;
}

void backlog_add(struct backlog *b, enum msg_type type, const void *body, size_t len)
{
    uint8_t head[MSG_HEADER];

    if (!b->ring)
        return;
    while (b->have + MSG_HEADER + len > BACKLOG_BYTES)
        forget_first(b);
    msg_header(head, type, (uint32_t)len);
    put(b, head, sizeof(head));
    put(b, body, len);
    b->end += len;
    b->again = b->have;
    b->done = 0;
}

void backlog_rewind(struct backlog *b, uint64_t place)
{
    uint64_t at = b->begin;

    b->again = 0;
    b->done = 0;
    while (backlog_waits(b)) {
        uint32_t len = head_at(b, b->again).len;

        if (place < at + len) {
            b->done = place > at ? (uint32_t)(place - at) : 0;
            return;
        }
        at += len;
        b->again += MSG_HEADER + len;
    }
}

bool backlog_waits(const struct backlog *b)
{
    return b->again < b->have;
}

struct msg_frame backlog_next(struct backlog *b, size_t room)
{
    struct msg_frame f = head_at(b, b->again);
    size_t at = index_of(b, b->again + MSG_HEADER + b->done), left = f.len - b->done;

    f.body = b->ring + at;
    f.len = (uint32_t)(left < room ? left : room);
    f.len = (uint32_t)(f.len < BACKLOG_BYTES - at ? f.len : BACKLOG_BYTES - at);
    b->done += f.len;
    if (f.len == left) {
        b->again += MSG_HEADER + b->done;
        b->done = 0;
    }
    return f;
}
