/*
 * learn.h - from a run to a policy: the smallest document inside a parent that allows what was
 * observed, by a few fixed rules (docs/POLICY.md, "From a run to a policy").
 *
 * Nothing is proposed on trust: before the document is handed out it is parsed, joined with its
 * parent, proved narrower, and every learned request is decided by it. The same requests in another
 * order give the same document, byte for byte.
 */
#ifndef POLICIES_LEARN_H
#define POLICIES_LEARN_H

#include "policies/events.h"
#include "policies/ruleset.h"

struct unlearned {
    const char *request, *why;
};

struct learned {
    struct policy *policy;  /* owned; what the document says itself, without its parent */
    struct unlearned *left; /* requests that it does not allow, sorted */
    uint32_t nleft;
    uint64_t allowed;   /* different requests that it was shown to allow */
    struct arena arena; /* owned */
};

/*
 * name is the new policy's; ref, "parent@sha256:hash", what it extends; rules are the parent's.
 * NULL when ps got an error: no document of this form is inside the parent, or a name is none.
 */
struct learned *policy_learn(const struct ruleset *rules, const struct events *e, const char *name,
                             const char *ref, struct problems *ps);

void learned_free(struct learned *l);

/* What was left out, as comments, then the document; or all of it as JSON. */
void learned_print(const struct learned *l, struct text *out);
void learned_json(const struct learned *l, struct text *out);

#endif
