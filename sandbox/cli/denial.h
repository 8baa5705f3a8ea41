/* denial.h - what the keeper says when a policy denies: one JSON shape, in words and for programs.
 */
#ifndef SANDBOX_CLI_DENIAL_H
#define SANDBOX_CLI_DENIAL_H

#include "base/msg.h"
#include "sandbox/cli/cli.h"

/* DENIED as an error with -EACCES in words; hint says what would change the answer. */
int denial_read(const struct msg_frame *f, char hint[HINT_MAX], struct err *e);

#endif
