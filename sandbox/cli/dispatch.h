/* dispatch.h - from arguments to a verb: what carrel and carrel-job have in common. */
#ifndef SANDBOX_CLI_DISPATCH_H
#define SANDBOX_CLI_DISPATCH_H

#include "sandbox/cli/cli.h"

/* What this program does for each verb; NULL: not its business. */
typedef int verb_function(struct cli *c);

/* Parses, answers --help and --version, and calls the verb. The exit status. */
int dispatch(int argc, char **argv, verb_function *const table[VERB_COUNT],
             int (*elsewhere)(struct cli *c, char **argv));

#endif
