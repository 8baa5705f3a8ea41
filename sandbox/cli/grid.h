/*
 * grid.h - rows and columns of text, aligned for a reader; --format chooses the columns.
 *
 * Cells are made safe for a terminal when they are printed.
 */
#ifndef SANDBOX_CLI_GRID_H
#define SANDBOX_CLI_GRID_H

#include "base/err.h"
#include "sandbox/cli/parse.h"

#include <stdbool.h>

#define GRID_COLUMNS 16

struct grid {
    const char *const *names; /* lower case, ends with NULL; borrowed */
    unsigned ncolumns;
    unsigned shown[GRID_COLUMNS], nshown;
    char **cells; /* owned strings, row by row */
    size_t ncells;
    bool failed; /* out of memory: sticky, told by grid_print */
};

/* names: all columns; chosen: what --format said, or the default. -EINVAL names a column that is
 * not there. */
must_check int grid_init(struct grid *g, const char *const *names, const char *chosen,
                         char hint[HINT_MAX], struct err *e);
void grid_fini(struct grid *g);

/* The next cell; rows have one for each of names. */
void grid_add(struct grid *g, const char *cell);

/* To standard output, with a heading of the columns' names in capitals. */
must_check int grid_print(const struct grid *g, struct err *e);

#endif
