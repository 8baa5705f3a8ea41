/*
 * listing.h - what `ls` verbs have in common: one thing after the other as a row of columns, as its
 * name alone (-q), or as an object of one array (--json).
 */
#ifndef SANDBOX_CLI_LISTING_H
#define SANDBOX_CLI_LISTING_H

#include "sandbox/cli/cli.h"
#include "sandbox/cli/grid.h"

#include <jansson.h>

struct listing {
    struct cli *c;
    struct grid grid;
    json_t *array; /* with --json, else NULL */
};

/* Columns as grid_init has them, and those that are usual. 0; else the verb's status, told. */
must_check int listing_begin(struct listing *l, struct cli *c, const char *const *columns,
                             const char *usual);

/* True: the name is all that was asked for (-q), and is printed. */
bool listing_name(const struct listing *l, const char *name);

/* Prints what was gathered where show says so, and gives all up: the verb's status, or the one that
 * there is. */
must_check int listing_end(struct listing *l, bool show, int status);

#endif
