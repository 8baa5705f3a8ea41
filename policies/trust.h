/*
 * trust.h - who may sign what: the trust document, and what signatures are worth under it.
 *
 *     carrel: 1
 *     keys:
 *       - {id: alice, key: "ed25519:…"}
 *     roles:
 *       - {id: base, keys: [alice, bob], threshold: 2, names: [org/base]}
 *       - {id: help, keys: [alice], may_grant: {budget: {egress: 1GiB}}, delegate: 1}
 *     required: [base]
 *     revoked: {keys: ["ed25519:…"], documents: [HEX]}
 */
#ifndef POLICIES_TRUST_H
#define POLICIES_TRUST_H

#include "policies/ed25519.h"
#include "policies/policy.h"

#define TRUST_DELEGATE_MAX 6u

struct trust_key {
    struct object o;
    const char *id, *key;
    uint8_t raw[ED25519_KEY_BYTES];
};

struct trust_role {
    struct object o;
    const char *id;
    struct texts keys; /* ids */
    uint64_t threshold;
    struct texts names; /* of policies, or beginnings of names: "org/" and an asterisk */
    uint64_t longest;   /* of what it signs: milliseconds from `from` to `expires` */
    struct policy may_grant;
    uint64_t delegate; /* links of grants below its own */
};

struct trust_revoked {
    struct object o;
    struct texts keys;      /* as "ed25519:…" */
    struct texts documents; /* hashes of policies, and of grants */
};

struct trust {
    struct object o;
    uint64_t carrel;
    struct list keys, roles; /* struct trust_key, struct trust_role */
    struct texts required;   /* roles, each of which has signed a document of every policy */
    struct trust_revoked revoked;
    const char *file;
    struct policy *holder; /* owned; its arena is the document's */
};

/* NULL after at least one problem. */
struct trust *trust_parse(const char *text, size_t len, const char *file, struct problems *ps);

/* NULL is allowed. */
void trust_free(struct trust *t);

/* NULL when there is none. */
const struct trust_role *trust_role(const struct trust *t, const char *id);

/* The key's id, or NULL. */
const char *trust_key_id(const struct trust *t, const uint8_t key[ED25519_KEY_BYTES]);
must_check bool trust_key_revoked(const struct trust *t, const uint8_t key[ED25519_KEY_BYTES]);
must_check bool trust_document_revoked(const struct trust *t, const char *sha256);

/* May a document of this name be used only when the role has signed it? */
must_check bool trust_role_governs(const struct trust_role *r, const char *name);

#endif
