/* policy_events.h - where requests of the past come from: an audit log, or a file of lines. */
#ifndef SANDBOX_CLI_POLICY_EVENTS_H
#define SANDBOX_CLI_POLICY_EVENTS_H

#include "policies/events.h"
#include "sandbox/cli/cli.h"

/*
 * What --log names: the directory of an audit log, all of which must verify, or a file of requests
 * (policies/events.h). False: *status is the verb's, and why has been said. e is to be finished
 * either way.
 */
bool policy_events_open(struct cli *c, struct events *e, int *status);

#endif
