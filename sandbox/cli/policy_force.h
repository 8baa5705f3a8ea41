/* policy_force.h - from the policy that was named to the one in force, with --grant. */
#ifndef SANDBOX_CLI_POLICY_FORCE_H
#define SANDBOX_CLI_POLICY_FORCE_H

#include "sandbox/cli/cli.h"
#include "sandbox/cli/policy_source.h"

/* Adds the grants of the command line, checks signatures, and puts what is in force, with its hash,
 * in place of what the documents made. -EACCES: refused, s->problems may say more. */
must_check int policy_in_force(struct cli *c, struct policy_source *s, struct err *e);

#endif
