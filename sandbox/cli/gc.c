/* gc.c - gc: what crashes left behind is ended and removed. */
#include "sandbox/gc.h"

#include "sandbox/cli/cli.h"
#include "sandbox/cli/parse.h"
#include "sandbox/cli/verbs.h"

#include <stdio.h>

struct telling {
    struct cli *c;
    json_t *array;
};

static void tell(void *arg, const struct gc_item *item)
{
    const struct telling *t = arg;
    const bool dry = args_has(t->c->args, OPT_PREVIEW);

    if (t->c->json)
        json_array_append_new(
            t->array, json_pack("{s:s, s:o, s:s, s:b, s:o}", "kind", item->kind, "what",
                                cli_json_text(item->what), "did", item->did, "dry_run", (int)dry,
                                "why", item->why ? cli_json_text(item->why) : json_null()));
    else if (item->why)
        printf("kept %s %s: %s\n", item->kind, item->what, item->why);
    else if (!t->c->quiet)
        printf("%s%s %s %s\n", dry ? "would be " : "", item->did, item->kind, item->what);
}

int verb_gc(struct cli *c)
{
    struct telling t = { c, json_array() };
    struct gc g = { .dry = args_has(c->args, OPT_PREVIEW), .tell = tell, .arg = &t };
    struct err e = ERR_INIT;
    int status = 0;

    g.store = store_open(&e);
    if (!g.store || gc_run(&g, &e)) {
        json_decref(t.array);
        store_close(g.store);
        return cli_fail(c, "state", &e, NULL);
    }
    store_close(g.store);
    if (c->json && !cli_json(c, json_incref(t.array)))
        status = EXIT_NO;
    if (!c->json && !g.done && !g.kept)
        cli_note(c, "nothing to do");
    json_decref(t.array);
    if (g.kept)
        status = EXIT_NO;
    return cli_finish(c) ? EXIT_NO : status;
}
