/* bundle_verify.h - policy verify --bundle: is this what the policy means? */
#ifndef SANDBOX_CLI_BUNDLE_VERIFY_H
#define SANDBOX_CLI_BUNDLE_VERIFY_H

#include "sandbox/cli/cli.h"

/* The verb's exit status: 0 when the bundle says what the policy of operand 0 says. */
int bundle_verify(struct cli *c);

#endif
