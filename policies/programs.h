/*
 * programs.h - which programs a command may execute once it runs: itself, where its rule says so,
 * and those of the rules that its spawn names. What holds it back is one domain that all it starts
 * is in too, so the rules that those name count as well. Pure.
 */
#ifndef POLICIES_PROGRAMS_H
#define POLICIES_PROGRAMS_H

#include "policies/policy.h"

struct programs {
    bool any;           /* a rule among them is about programs anywhere: nothing is held back */
    bool none;          /* it was started, and that was all */
    bool named;         /* the rule's own is a file, not a pattern */
    struct texts paths; /* files, or patterns over files: what may be executed, at its start too;
                           one whose content is pinned has its hash in front, see program_path */
};

/* The path of one of them; what is in front of it, if anything, is 64 hexadecimal digits. */
const char *program_path(const char *program);

/* In the arena, and the policy's own texts. */
void programs_of(struct arena *a, const struct policy *p, const struct command *c,
                 struct programs *out);

/* Is everything in a also in b? Compared as written. */
bool programs_within(const struct programs *a, const struct programs *b);

#endif
