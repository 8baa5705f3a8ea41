/*
 * signals.h - signals as bytes on a descriptor, so that one poll() waits for everything.
 *
 * The handlers interrupt blocking writes (no SA_RESTART): who writes looks here and goes on.
 */
#ifndef SANDBOX_CLI_SIGNALS_H
#define SANDBOX_CLI_SIGNALS_H

#include "base/err.h"

/* Catches INT, TERM, HUP, QUIT, USR1, USR2, WINCH and CONT from now on, except those that were
 * ignored (nohup, background jobs); ignores PIPE. Returns the descriptor to poll, which stays this
 * module's; again the same when called again. */
must_check int signals_catch(struct err *e);

/* The next signal that has arrived, or 0. */
must_check int signals_next(void);

/* "TERM", "SIGTERM" or "15": the number in Linux, or -EINVAL. */
must_check int signals_parse(const char *text);

/* "TERM"; NULL for a number without a name. */
const char *signals_name(int signo);

#endif
