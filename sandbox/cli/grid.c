/* grid.c - see grid.h. */
#include "sandbox/cli/grid.h"

#include "sandbox/cli/suggest.h"
#include "sandbox/cli/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CELL_MAX 160

static int show(struct grid *g, const char *name, char hint[HINT_MAX], struct err *e)
{
    const char *best = NULL;
    size_t used;

    for (unsigned i = 0; i < g->ncolumns; i++) {
        if (strcasecmp(g->names[i], name) == 0) {
            if (g->nshown == GRID_COLUMNS)
                return err_set(e, EINVAL, "--format: too many columns");
            g->shown[g->nshown++] = i;
            return 0;
        }
        suggest_offer(name, g->names[i], &best);
    }
    if (strstr(name, "{{"))
        snprintf(hint, HINT_MAX, "there are no templates: use --json and jq");
    else if (best)
        snprintf(hint, HINT_MAX, "did you mean \"%s\"?", best);
    else {
        used = (size_t)snprintf(hint, HINT_MAX, "columns:");
        for (unsigned i = 0; i < g->ncolumns && used < HINT_MAX; i++)
            used += (size_t)snprintf(hint + used, HINT_MAX - used, " %s", g->names[i]);
    }
    return err_set(e, EINVAL, "--format: no such column: \"%s\"", name);
}

int grid_init(struct grid *g, const char *const *names, const char *chosen, char hint[HINT_MAX],
              struct err *e)
{
    char list[256], *rest = list;
    const char *name;

    *g = (struct grid){ .names = names };
    while (names[g->ncolumns])
        g->ncolumns++;
    if (strlen(chosen) >= sizeof(list))
        return err_set(e, EINVAL, "--format: too many columns");
    memcpy(list, chosen, strlen(chosen) + 1);
    while ((name = strsep(&rest, ","))) {
        int err = show(g, name, hint, e);

        if (err)
            return err;
    }
    return 0;
}

void grid_fini(struct grid *g)
{
    for (size_t i = 0; i < g->ncells; i++)
        free(g->cells[i]);
    free(g->cells);
    *g = (struct grid){ 0 };
}

void grid_add(struct grid *g, const char *cell)
{
    char safe[CELL_MAX];
    char **grown = realloc(g->cells, (g->ncells + 1) * sizeof(*grown));

    if (grown) {
        g->cells = grown;
        grown[g->ncells] = strdup(text_line(cell, safe, sizeof(safe)));
    }
    if (grown && grown[g->ncells])
        g->ncells++;
    else
        g->failed = true;
}

/* Characters, not bytes: what text_line lets through is valid UTF-8. */
static size_t width(const char *s)
{
    size_t n = 0;

    for (; *s; s++)
        n += (*s & 0xc0) != 0x80;
    return n;
}

static void print_cell(const char *cell, size_t column_width, bool last)
{
    fputs(cell, stdout);
    if (last)
        putchar('\n');
    else
        printf("%*s", (int)(column_width - width(cell)) + 2, "");
}

int grid_print(const struct grid *g, struct err *e)
{
    size_t widths[GRID_COLUMNS];

    if (g->failed)
        return err_set(e, ENOMEM, "out of memory");
    for (unsigned k = 0; k < g->nshown; k++) {
        widths[k] = width(g->names[g->shown[k]]);
        for (size_t at = g->shown[k]; at < g->ncells; at += g->ncolumns)
            if (width(g->cells[at]) > widths[k])
                widths[k] = width(g->cells[at]);
    }
    for (unsigned k = 0; k < g->nshown; k++) {
        char head[32];
        size_t i;

        for (i = 0; g->names[g->shown[k]][i] && i < sizeof(head) - 1; i++)
            head[i] = (char)toupper((unsigned char)g->names[g->shown[k]][i]);
        head[i] = '\0';
        print_cell(head, widths[k], k + 1 == g->nshown);
    }
    for (size_t row = 0; row + g->ncolumns <= g->ncells; row += g->ncolumns)
        for (unsigned k = 0; k < g->nshown; k++)
            print_cell(g->cells[row + g->shown[k]], widths[k], k + 1 == g->nshown);
    return 0;
}
