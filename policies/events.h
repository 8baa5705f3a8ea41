/*
 * events.h - what a run asked for: the requests of an audit log, or lines of text, each with the
 * answer it got. What simulate replays and learn learns from.
 *
 * In text, a line is a request as in points.h; "allow " or "deny " in front says what was answered
 * (a request without it was made, so it was allowed); empty lines and lines that begin with # mean
 * nothing.
 */
#ifndef POLICIES_EVENTS_H
#define POLICIES_EVENTS_H

#include "policies/spaces.h"

struct event {
    uint64_t at;      /* the first: line of the text, or number of the record */
    uint64_t times;   /* how often it is there with this answer */
    bool allowed;     /* the answer */
    const char *text; /* the request; point_parse_line reads it */
    const char *rule; /* that decided, or NULL */
};

/* What may have been a request and cannot be read as one: never taken for allowed. */
struct lost_event {
    uint64_t at;
    const char *text, *why;
};

#define LOST_KEPT 64u

struct events {
    struct event *v; /* in order of first appearance, no two alike in request and answer */
    uint32_t n;
    uint64_t requests; /* with repetitions */
    uint64_t others;   /* records of something else */
    struct lost_event lost[LOST_KEPT];
    uint64_t nlost;     /* also those not kept */
    uint32_t *table;    /* hash to index + 1 */
    uint32_t mask;      /* of the table; 0: there is none */
    struct arena arena; /* owned */
};

/*
 * One record: kind is that of the audit log, text its object. A kind that names a kind of request
 * (spaces.h) with an answer is a request; anything else is not. rule may be NULL or "". All is
 * copied.
 */
void events_record(struct events *e, uint64_t at, const char *kind, bool answered, bool allowed,
                   const char *rule, const char *text);

/* Lines. */
void events_text(struct events *e, const char *text, size_t len);

void events_fini(struct events *e);

#endif
