/*
 * addrs.h - network addresses as ranges: CIDR, what is never reachable, what is only private.
 */
#ifndef POLICIES_ADDRS_H
#define POLICIES_ADDRS_H

#include "policies/arena.h"
#include "policies/text.h"

#include <stdbool.h>
#include <stdint.h>

struct addr {
    uint64_t family; /* 4 or 6 */
    uint64_t hi, lo; /* an IPv4 address is in the low 32 bits of lo */
};

struct addr_range {
    struct addr lo, hi; /* both inside, one family */
};

/* Sorted, disjoint. */
struct addr_set {
    struct addr_range *v;
    uint32_t n;
};

int addr_cmp(const struct addr *a, const struct addr *b);
must_check const char *addr_parse(const char *s, struct addr *out);
void addr_print(const struct addr *a, struct text *out);

/* a.b.c.d/n or v6/n, no bits set behind the prefix; an address alone is one of itself. */
must_check const char *cidr_parse(const char *s, struct addr_range *out);

bool addr_set_has(const struct addr_set *s, const struct addr *a);
/* Of n ranges, in any order; v is sorted in place. */
void addr_set_make(struct arena *a, struct addr_set *s, struct addr_range *v, uint32_t n);
void addr_set_add(struct arena *a, struct addr_set *s, const struct addr_range *r);
void addr_set_remove(struct arena *a, struct addr_set *s, const struct addr_range *r);

/* Why no rule can make this address reachable (loopback, metadata, …), or NULL. */
const char *addr_never(const struct addr *a);

/* Every address but those that are never reachable, and those of private networks. */
void addr_set_public(struct arena *a, struct addr_set *s);

/* Takes the addresses that are never reachable out of a set. */
void addr_set_remove_never(struct arena *a, struct addr_set *s);

#endif
