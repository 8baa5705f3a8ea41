/*
 * cli.h - what every verb shares: how it was called, and how it speaks.
 *
 * Standard output carries answers only. Errors, hints and progress go to standard error.
 */
#ifndef SANDBOX_CLI_CLI_H
#define SANDBOX_CLI_CLI_H

#include "base/err.h"
#include "sandbox/cli/parse.h"

#include <jansson.h>
#include <stdio.h>

/* Exit statuses (carrel(1)). */
enum {
    EXIT_NO = 1,          /* the answer is no, or the verb failed */
    EXIT_USAGE = 2,       /* the command line was not understood */
    EXIT_TIMED_OUT = 124, /* --timeout */
    EXIT_CARREL = 125,    /* Carrel failed, where a command's status would be */
    EXIT_NOT_EXECUTED = 126,
    EXIT_NOT_FOUND = 127,
    EXIT_SIGNAL = 128, /* plus the signal's number */
};

struct cli {
    const struct command_line *args;
    bool json, quiet;
    bool colour_out, colour_err;
    bool terminal_err; /* progress may be shown and rewritten */
    bool progress_shown;
};

void cli_init(struct cli *c, const struct command_line *args, bool json);

/*
 * Tells of a failure, in words and with --json as an object, whose code is "room.kind" with the
 * kind taken from e->code: "sandbox.not-found", "kvm.permission". hint may be empty or NULL.
 * Returns the verb's exit status for "Carrel failed".
 */
int cli_fail(struct cli *c, const char *room, const struct err *e, const char *hint);

/* As cli_fail for a mistake in the command line. */
int cli_fail_usage(struct cli *c, const struct err *e, const char *hint);

/* A line on standard error unless -q: what happens, not what failed. */
void cli_note(struct cli *c, const char *fmt, ...) printf_like(2, 3);

/* Progress of long work: rewrites one line; shown on a terminal only. An image_progress callback
 * when arg is the struct cli. */
void cli_progress(void *arg, const char *line);
void cli_progress_end(struct cli *c);

/* Prints a JSON value on one line and gives it up. False, after an error message, when it cannot
 * be written. v may be NULL: out of memory. */
must_check bool cli_json(struct cli *c, json_t *v);

/* Flushes standard output: the exit status, which is 0 only when all was written. */
must_check int cli_finish(struct cli *c);

/* A JSON string of any bytes: those that are not UTF-8 are replaced. */
json_t *cli_json_text(const char *text);

/* RFC 3339, or null for 0. */
json_t *cli_json_time(int64_t ns);

#endif
