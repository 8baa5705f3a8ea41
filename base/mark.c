/* mark.c - see mark.h. */
#include "base/mark.h"

#include "base/failpoint.h"

#include <string.h>
#include <sys/random.h>

bool mark_make(uint8_t mark[MARK_BYTES])
{
    if (FAILPOINT("mark.random") || getrandom(mark, MARK_BYTES, 0) != MARK_BYTES)
        return false;
    for (unsigned i = 1; i < MARK_BYTES; i++)
        if (mark[i] == mark[0])
            mark[i] ^= 1;
    return true;
}

size_t mark_find(struct mark_search *s, const uint8_t mark[MARK_BYTES], const uint8_t *buf,
                 size_t len)
{
    size_t at = 0;

    while (at < len && s->have < MARK_BYTES) {
        const uint8_t *first = s->have ? NULL : memchr(buf + at, mark[0], len - at);

        if (!s->have && !first)
            return len;
        if (first)
            at = (size_t)(first - buf);
        if (buf[at] == mark[s->have]) {
            s->have++;
            at++;
        } else {
            s->have = 0; /* this byte may be the first of one */
        }
    }
    return at;
}
