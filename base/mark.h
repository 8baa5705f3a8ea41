/*
 * mark.h - bytes that nobody can guess, found in a stream wherever they stand. Where two ends begin
 * to talk over a port on which others may have been cut off in mid-word, each looks for what only
 * the other can say.
 */
#ifndef BASE_MARK_H
#define BASE_MARK_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MARK_BYTES 32u

/* A new one. No byte of it is as its first: so a search never has to go back. false: the kernel has
 * no random numbers. */
must_check bool mark_make(uint8_t mark[MARK_BYTES]);

/* Zeroed: nothing was found yet. */
struct mark_search {
    size_t have; /* bytes of the mark that came last; MARK_BYTES: found */
};

/* Goes on with the next piece of the stream: how much of it was looked at, all of it or up to the
 * end of the mark. */
size_t mark_find(struct mark_search *s, const uint8_t mark[MARK_BYTES], const uint8_t *buf,
                 size_t len);

#endif
