/* internal.h - what guard.c and exec.c share. */
#ifndef SANDBOX_GUARD_INTERNAL_H
#define SANDBOX_GUARD_INTERNAL_H

#include "policies/decide.h"
#include "policies/profile.h"
#include "sandbox/guard/guard.h"

/* An EXEC in pieces. Texts live in the arena. */
struct exec_ask {
    const char **argv, **env;
    uint32_t argc, envc;
    const char *cwd, *user;
    uint32_t flags;
};

/* What was decided about one. */
struct exec_answer {
    struct request request; /* as it was decided */
    struct decision decision;
    const char *exe; /* the program to run; NULL: whatever the guest's PATH finds, all is allowed */
    uint32_t uid;
};

/* Without empty and "." segments. ".." stays, and is nobody's canonical path: what it leads to is
 * known in the guest only. */
const char *path_clean(struct arena *a, const char *path);

must_check int exec_read(struct arena *a, const struct msg_builder *b, struct exec_ask *ask,
                         struct err *e);
void exec_decide(struct arena *a, const struct ruleset *rs, const struct exec_ask *ask,
                 struct exec_answer *out);

/* Writes the request anew with the profile of the command that allowed it, its filter compiled.
 * loose: layers that the guest's kernel lacks may be left out. -E2BIG: no room. */
must_check int exec_complete(const struct tool_profile *t, const struct exec_answer *answer,
                             bool loose, struct msg_builder *b, struct err *e);

#endif
