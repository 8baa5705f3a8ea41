/*
 * units.h - quantities as a person writes them: 1GiB, 30m, 150%, 20/s, 200k. Exact, or refused.
 */
#ifndef POLICIES_UNITS_H
#define POLICIES_UNITS_H

#include "policies/text.h"

enum unit {
    UNIT_COUNT,   /* 12, 200k, 2M, 1G: thousands */
    UNIT_BYTES,   /* B KiB MiB GiB TiB, never bare */
    UNIT_TIME,    /* ms s m h d; kept in milliseconds */
    UNIT_PERCENT, /* 150% */
    UNIT_PLAIN,   /* 8080: a number that is a name */
    UNIT_RATE,    /* 20/s, /m, /h, /d; kept per day */
};

/* NULL and *out, or why not (static text). word, e.g. "versions", may follow a count; may be NULL.
 */
must_check const char *units_parse(enum unit u, const char *s, const char *word, uint64_t *out);

/* As a person would write it: the largest unit that keeps it exact. */
void units_print(enum unit u, uint64_t v, struct text *out);

/* One spelling for each value, which units_parse reads back: base units only. */
void units_canonical(enum unit u, uint64_t v, struct text *out);

#endif
