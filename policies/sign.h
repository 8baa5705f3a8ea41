/*
 * sign.h - detached signatures of policies: NAME.yaml.sig beside NAME.yaml.
 *
 * What is signed is a statement: this name, this hash of the document's canonical form, in this
 * role, as this version, from then to then. A file holds up to 16 statements, each with the
 * signatures of those who made it:
 *
 *     carrel policy signature 1
 *     name org/base
 *     sha256 HEX
 *     role base
 *     version 7
 *     from 2026-11-23T15:00:00Z
 *     expires 2027-02-21T15:00:00Z
 *
 *     — ed25519:KEY SIGNATURE
 */
#ifndef POLICIES_SIGN_H
#define POLICIES_SIGN_H

#include "policies/notes.h"
#include "policies/problems.h"

#define SIGNATURES_BYTES_MAX 65536u
#define STATEMENTS_MAX       16u

struct statement {
    const char *name, *sha256, *role;
    uint64_t version;      /* rises with every release of the policy in this role */
    int64_t from, expires; /* valid at from <= now < expires */
    struct note note;
};

struct signatures {
    struct statement *v;
    uint32_t n;
    struct arena arena; /* owned */
};

/* NULL after one problem. Nothing in it points at the text. */
struct signatures *signatures_parse(const char *text, size_t len, const char *file,
                                    struct problems *ps);

/* One without statements. */
struct signatures *signatures_new(void);
void signatures_print(const struct signatures *s, struct text *out);

/* NULL is allowed. */
void signatures_free(struct signatures *s);

/*
 * Adds this key's signature of a statement (whose note is not looked at). Statements about another
 * hash, and what the key signed before in this role, are dropped. NULL, or why it cannot be.
 */
must_check const char *signatures_add(struct signatures *s, const struct statement *st,
                                      const uint8_t private_key[ED25519_KEY_BYTES]);

#endif
