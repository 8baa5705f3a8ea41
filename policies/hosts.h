/*
 * hosts.h - names of hosts and patterns over their labels: exact, *.x (one label), **.x (one or
 * more).
 *
 * One canonical form: lower case, no trailing dot. Names that are addresses in disguise, single
 * labels and internationalised names (also as xn--) are refused: a reviewer cannot tell them apart.
 */
#ifndef POLICIES_HOSTS_H
#define POLICIES_HOSTS_H

#include "policies/arena.h"

#include <stdbool.h>

#define HOST_BYTES 254u /* RFC 1035, 2.3.4, with the NUL */

enum host_kind {
    HOST_EXACT,
    HOST_ONE,  /* one label, then the name */
    HOST_DEEP, /* one or more labels, then the name; with the name "" it is every host */
};

struct host_pattern {
    enum host_kind kind;
    const char *name;
    size_t len;
};

/* Writes the canonical form. NULL, or why s is no host name. */
must_check const char *host_canonical(const char *s, char out[HOST_BYTES]);

/* Is s already a canonical name? What decide accepts. */
bool host_is_canonical(const char *s, size_t len);

/* NULL, or why not. The text is canonicalised; p->name lives in the arena. */
must_check const char *host_pattern_parse(struct arena *a, const char *s, struct host_pattern *p);

bool host_matches(const struct host_pattern *p, const char *host, size_t len);

/* Does every name of a match b? Is there a name that matches both? */
bool host_within(const struct host_pattern *a, const struct host_pattern *b);
bool host_overlaps(const struct host_pattern *a, const struct host_pattern *b);

#endif
