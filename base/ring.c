/* ring.c - see ring.h. */
#include "base/ring.h"

#include <string.h>

size_t ring_put(struct ring *r, const void *bytes, size_t len)
{
    uint32_t n = len < r->size - r->len ? (uint32_t)len : r->size - r->len;

    if (n == 0)
        return 0;

    uint32_t to_end = r->size - r->head;
    uint32_t at = r->len < to_end ? r->head + r->len : r->len - to_end;
    uint32_t first = n < r->size - at ? n : r->size - at;

    memcpy(r->mem + at, bytes, first);
    memcpy(r->mem, (const uint8_t *)bytes + first, n - first);
    r->len += n;
    return n;
}

size_t ring_get(struct ring *r, void *bytes, size_t len)
{
    uint32_t n = len < r->len ? (uint32_t)len : r->len;

    if (n == 0)
        return 0;

    uint32_t first = n < r->size - r->head ? n : r->size - r->head;

    memcpy(bytes, r->mem + r->head, first);
    memcpy((uint8_t *)bytes + first, r->mem, n - first);
    r->len -= n;
    if (r->len == 0)
        r->head = 0;
    else
        r->head = n < r->size - r->head ? r->head + n : n - first;
    return n;
}
