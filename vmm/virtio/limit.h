/*
 * limit.h - a rate limit: a token bucket that may go into debt.
 *
 * A request is admitted whenever the bucket is not in debt, and charged afterwards; so a request
 * larger than the bucket passes, and is paid for before the next one. Pure: the caller has the
 * clock, in nanoseconds.
 */
#ifndef VMM_VIRTIO_LIMIT_H
#define VMM_VIRTIO_LIMIT_H

#include <stdint.h>

struct limit {
    uint64_t per_s; /* tokens a second; 0: no limit */
    int64_t tokens; /* in nanoseconds of the rate, at most LIMIT_BURST_NS; negative: debt */
    uint64_t at;    /* when tokens was true */
};

#define LIMIT_BURST_NS 100000000ull /* what may be used at once after idling: 100 ms worth */

void limit_init(struct limit *l, uint64_t per_s, uint64_t now);

/* 0 when a request may be served now, else how many nanoseconds to wait (at most a second: ask
 * again then). */
uint64_t limit_wait(struct limit *l, uint64_t now);

void limit_charge(struct limit *l, uint64_t amount);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t limit_now(void);

#endif
