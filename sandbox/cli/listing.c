/* listing.c - see listing.h. */
#include "sandbox/cli/listing.h"

#include <stdio.h>

int listing_begin(struct listing *l, struct cli *c, const char *const *columns, const char *usual)
{
    const char *chosen = args_text(c->args, OPT_FORMAT);
    char hint[HINT_MAX] = "";
    struct err e = ERR_INIT;

    *l = (struct listing){ .c = c };
    if (grid_init(&l->grid, columns, chosen ? chosen : usual, hint, &e))
        return cli_fail_usage(c, &e, hint);
    l->array = c->json ? json_array() : NULL;
    return 0;
}

bool listing_name(const struct listing *l, const char *name)
{
    bool alone = args_has(l->c->args, OPT_IDS);

    if (alone)
        puts(name);
    return alone;
}

int listing_end(struct listing *l, bool show, int status)
{
    struct err e = ERR_INIT;

    if (show && l->array)
        status = cli_json(l->c, json_incref(l->array)) ? status : EXIT_NO;
    else if (show && !args_has(l->c->args, OPT_IDS) && grid_print(&l->grid, &e))
        status = cli_fail(l->c, "output", &e, NULL);
    json_decref(l->array);
    grid_fini(&l->grid);
    return status ? status : cli_finish(l->c);
}
