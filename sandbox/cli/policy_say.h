/* policy_say.h - what the policy verbs have in common: a policy opened, an answer printed. */
#ifndef SANDBOX_CLI_POLICY_SAY_H
#define SANDBOX_CLI_POLICY_SAY_H

#include "policies/text.h"
#include "sandbox/cli/cli.h"
#include "sandbox/cli/policy_source.h"

/* Prints what was written, and gives it up. status, or that of a failed output. */
int policy_say(struct cli *c, struct text *t, int status);

/* The same for problems, as text or JSON. */
int policy_say_problems(struct cli *c, const struct problems *ps, int status);

/* Loads a policy by path or name. True: it is sound. Otherwise *status is the verb's, and why has
 * been said. s is to be finished either way. */
bool policy_open_named(struct cli *c, const char *what, struct policy_source *s, int *status);

/* The one that operand i names. */
bool policy_open(struct cli *c, size_t i, struct policy_source *s, int *status);

#endif
