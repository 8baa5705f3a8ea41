/*
 * judge.h - what the signatures of a policy's documents are worth under a trust document. Pure:
 * what time it is, is an argument; which versions were seen before, is asked elsewhere.
 */
#ifndef POLICIES_JUDGE_H
#define POLICIES_JUDGE_H

#include "policies/sign.h"
#include "policies/trust.h"

/* What became of one signature: it counts, or the first reason why not. */
enum signature_state {
    SIGNATURE_COUNTS,
    SIGNATURE_OTHER_DOCUMENT, /* another name or hash: the document was changed */
    SIGNATURE_UNKNOWN_ROLE,
    SIGNATURE_UNKNOWN_KEY,
    SIGNATURE_REVOKED,
    SIGNATURE_WRONG_ROLE, /* the key is not one of the role's */
    SIGNATURE_FORGED,
    SIGNATURE_TOO_LONG, /* valid for longer than the role may sign */
    SIGNATURE_EARLY,
    SIGNATURE_EXPIRED,
};

extern const char *const signature_words[];

/* One signature of a note that speaks for a role from then to then. */
enum signature_state signature_judge(const struct trust *t, const char *role, int64_t from,
                                     int64_t expires, const struct note *n, uint32_t i,
                                     int64_t now);

/* One document of a policy's layers. */
struct signed_document {
    const char *name, *sha256, *file; /* its own name; the hash as written, without parents */
    const char *ref;                  /* what a child calls it; NULL for the child itself */
    const struct signatures *sigs;    /* NULL: none */
};

struct judged_signature {
    const struct statement *st;
    const char *who; /* the key's id, or the key */
    enum signature_state state;
};

struct judged_role {
    const struct trust_role *role;
    bool governs; /* names this document */
    bool met;
    uint32_t have; /* keys that signed the newest version that is met, or came nearest */
    uint64_t version;
    int64_t until; /* met until then */
};

struct judgement {
    const struct signed_document *doc;
    bool revoked;
    struct judged_signature *sigs;
    struct judged_role *roles; /* every role of the trust document */
    uint32_t nsigs, nroles;
};

/*
 * Judges all documents of one policy. True when each is signed as its names demand and the required
 * roles have signed; otherwise ps says what is missing. js has room for n; its parts are in the
 * arena.
 */
must_check bool trust_judge(const struct trust *t, const struct signed_document *docs, uint32_t n,
                            int64_t now, struct arena *a, struct judgement *js,
                            struct problems *ps);

/* Does anything rest on this role's signature of this document? Its version is then remembered. */
must_check bool trust_counts(const struct trust *t, const struct judged_role *r);

/* For a person and for programs: who signed what, and what it is worth. */
void judgement_print(const struct judgement *j, struct text *out);
void judgement_json(const struct judgement *j, struct text *out);

#endif
