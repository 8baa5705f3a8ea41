/*
 * grants.h - what widens one policy by one rule or one number, for a time: NAME.grant.
 *
 *     carrel policy grant 1
 *     id more-egress
 *     policy py-data-agent
 *     sha256 HEX                      of the policy as written
 *     role help                       or, below another grant: parent HEX, its hash
 *     from 2026-11-23T15:00:00Z
 *     expires 2026-11-23T19:00:00Z
 *     delegate ed25519:KEY 1          optional: who may hand on how often what is granted here
 *     widen {"budget":{"egress":"1073741824B"}}
 *
 *     — ed25519:KEY SIGNATURE
 *
 * A file is a chain: the first grant is signed by a role and stays inside what the trust document
 * says it may grant; each further one is signed by the key that the one before names, and stays
 * inside that one, in what it grants and in time. The last is what is granted. Denials of the
 * policy hold whatever is granted.
 */
#ifndef POLICIES_GRANTS_H
#define POLICIES_GRANTS_H

#include "policies/notes.h"
#include "policies/trust.h"

#define GRANT_BYTES_MAX 262144u
#define GRANT_LINKS_MAX (TRUST_DELEGATE_MAX + 1)

struct grant {
    const char *id, *policy, *sha256;
    const char *role, *parent; /* one of the two */
    int64_t from, expires;
    bool delegates;
    uint8_t delegate[ED25519_KEY_BYTES];
    uint64_t depth;    /* of further grants below this one */
    const char *widen; /* canonical */
    struct note note;
};

struct grants {
    struct grant *v;
    uint32_t n;
    const char *file;
    struct arena arena; /* owned */
};

/* One chain. NULL after one problem. Nothing in it points at the text. */
struct grants *grants_parse(const char *text, size_t len, const char *file, struct problems *ps);

/* One without links. */
struct grants *grants_new(const char *file);
void grants_print(const struct grants *g, struct text *out);

/* NULL is allowed. */
void grants_free(struct grants *g);

/*
 * Adds a link, signed, below the last one; the note of g is not looked at, its widen is YAML and
 * becomes canonical. False after a problem.
 */
must_check bool grants_add(struct grants *g, const struct grant *link,
                           const uint8_t private_key[ED25519_KEY_BYTES], struct problems *ps);

/* Adds a signature to the last link, for a role with a threshold. NULL, or why not. */
must_check const char *grants_cosign(struct grants *g,
                                     const uint8_t private_key[ED25519_KEY_BYTES]);

/* The name of a grant: the hash of what is signed. */
void grant_hash(const struct grant *g, char out[SHA256_HEX]);

/* Signatures, times, revocations, that each link is inside the one before: all but the policy's
 * own text. name and sha256 are the policy's. False after at least one problem. */
must_check bool grants_check(const struct grants *g, const struct trust *t, const char *name,
                             const char *sha256, int64_t now, struct problems *ps);

/*
 * Widens a loaded policy by what the last link grants. Check first; rulesets of p are to be made
 * afterwards. False after a problem: p is then no longer good for anything.
 */
must_check bool grants_apply(const struct grants *g, struct policy *p, struct problems *ps);

/* Is this part of a policy one that can bound grants: rules, numbers and denials alone? */
must_check bool grant_bound_check(const struct policy *part, struct problems *ps);

/* granted.c: is the part one rule or number? It is then inside bound, or a problem says why not. */
must_check bool grant_part_check(const struct policy *part, struct problems *ps);
must_check bool grant_within(struct policy *part, const struct policy *bound,
                             const char *bound_name, struct problems *ps);
must_check bool grant_join(struct policy *p, struct policy *part, struct problems *ps);

#endif
