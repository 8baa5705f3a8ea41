/* help.h - the table as text: --help, and the generated parts of manual pages. Pure. */
#ifndef SANDBOX_CLI_HELP_H
#define SANDBOX_CLI_HELP_H

#include "sandbox/cli/table.h"

#include <stdio.h>

/* `carrel --help`: NULL; `carrel image --help`: the group; otherwise one verb. */
void help_print(FILE *to, const struct verb *v);

/*
 * Copies a page's scdoc source, replacing lines of the form "@SYNOPSIS run@", "@OPTIONS run@" and
 * "@VERBS@" by what the table says; "image ls" names a verb below another. Any other "@WORD@" is
 * part's, which may be NULL; false: it has no such part. 0, or -EINVAL for a line that names
 * nothing.
 */
typedef bool help_part_fn(const char *word, FILE *to);
int help_expand_page(FILE *from, FILE *to, help_part_fn *part);

#endif
