/*
 * parse.h - a command line, matched against the table. Pure: nothing is printed or looked up.
 */
#ifndef SANDBOX_CLI_PARSE_H
#define SANDBOX_CLI_PARSE_H

#include "base/err.h"
#include "sandbox/cli/table.h"

#define HINT_MAX 240

struct args_value {
    enum opt_id id;
    const char *text; /* borrowed from argv; NULL for a flag */
};

struct command_line {
    const struct verb *verb;   /* NULL: none was given */
    struct args_value *values; /* owned; in the order given */
    size_t nvalues;
    char **operands; /* owned array, borrowed strings; ends with NULL */
    size_t noperands;
    bool version; /* --version, before any verb */
};

/*
 * Parses argv[1..]. Options before the verb may be --help, --json, --color and --version. After a
 * verb that takes a command, options end at the first operand; otherwise they may be anywhere
 * before "--". The count of operands is checked unless --help is there.
 *
 * 0, or -EINVAL with the reason in *e and, where one can be given, a remedy in hint; a->verb is
 * then as far as it was understood. args_fini in either case.
 */
must_check int args_parse(struct command_line *a, int argc, char **argv, char hint[HINT_MAX],
                          struct err *e);
void args_fini(struct command_line *a);

bool args_has(const struct command_line *a, enum opt_id id);

/* The last value given, or NULL. */
const char *args_text(const struct command_line *a, enum opt_id id);

/* Walks the values of a repeated option; *at starts at 0. NULL at the end. */
const char *args_next(const struct command_line *a, enum opt_id id, size_t *at);

/* True when --json is anywhere before the command: for errors of the parser itself. */
bool args_wants_json(const struct command_line *a, int argc, char **argv);

#endif
