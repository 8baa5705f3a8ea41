/*
 * ring.h - bytes in order, in memory somebody else owns. Pure; nothing is allocated.
 *
 * An emptied ring starts again at the front of its memory, so that a queue which is drained as
 * fast as it fills stays on the same few pages.
 */
#ifndef BASE_RING_H
#define BASE_RING_H

#include <stddef.h>
#include <stdint.h>

struct ring {
    uint8_t *mem; /* borrowed; size bytes; may be NULL while size is 0 */
    uint32_t size;
    uint32_t head; /* where the oldest byte is */
    uint32_t len;  /* bytes held, at most size */
};

/* Copies in at most what fits: the count. */
size_t ring_put(struct ring *r, const void *bytes, size_t len);

/* Copies out, and forgets, at most what is held: the count. */
size_t ring_get(struct ring *r, void *bytes, size_t len);

#endif
