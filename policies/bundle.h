/*
 * bundle.h - everything that was compiled from a policy, as bytes: one form for one content, with
 * one hash.
 *
 *   "CARRELB2", then the members of struct profile in the order of bundle.c; numbers are 8 bytes
 *   little-endian, truth values and word indices too; a text is its length and its bytes, a list
 *   its length and its members; a filter is a list of struct sock_filter. Nothing is optional, and
 *   nothing may follow.
 */
#ifndef POLICIES_BUNDLE_H
#define POLICIES_BUNDLE_H

#include "policies/decide.h"
#include "policies/profile.h"

#define BUNDLE_BYTES_MAX (64u << 20)
#define BUNDLE_HASH_HEX  65u

void bundle_write(const struct profile *f, struct text *out);

/*
 * NULL, *e and no effect when the bytes are not exactly what bundle_write makes. What it returns
 * has no models, and its filters have not been judged (bundle_check).
 */
struct profile *bundle_parse(const void *bytes, size_t len, struct err *e);

/* SHA-256 of the bytes, in hexadecimal. */
void bundle_hash(const void *bytes, size_t len, char out[BUNDLE_HASH_HEX]);

struct bundle_tally {
    bool proofs_only;                /* in: leave the boundary values out */
    uint64_t filters, leaves, calls; /* proved; regions of the proofs; calls tried on top */
};

/*
 * Is the bundle what this policy and plan mean? Does not believe the compiler: every filter is
 * proved against the model and run over its boundary values, and what it allows is asked of the
 * same rules that decide; so are capabilities, trees, limits and the machine's size. -EILSEQ names
 * the first thing that differs.
 */
must_check int bundle_check(const struct profile *bundle, const struct ruleset *rs,
                            const struct plan *plan, struct bundle_tally *t, struct err *e);

#endif
