/* attest.c - attest: is the machine's process still locked into what it was launched in? */
#include "sandbox/attest.h"

#include "base/fd.h"
#include "sandbox/cli/box.h"
#include "sandbox/cli/cli.h"
#include "sandbox/cli/grid.h"
#include "sandbox/cli/verbs.h"

#include <errno.h>

static const char *const answers[] = {
    [ATTEST_SAME] = "same", [ATTEST_DIFFERENT] = "DIFFERENT", [ATTEST_UNSEEN] = "unseen"
};

static json_t *to_json(const struct box_jail *j, const struct attest_line *lines, unsigned n,
                       bool same)
{
    json_t *all = json_array(), *absent = json_array();

    for (unsigned i = 0; i < n; i++)
        json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:s}", "what", lines[i].what,
                                             "answer", answers[lines[i].answer], "recorded",
                                             lines[i].recorded, "found", lines[i].found));
    for (unsigned i = 0; i < JAIL_LAYERS; i++)
        if (j->outcome[i] == JAIL_ABSENT)
            json_array_append_new(absent, json_string(box_layer_name(i)));
    return json_pack("{s:b, s:i, s:s, s:o, s:o}", "same", same, "pid", (int)j->pid, "engine",
                     j->engine, "absent", absent, "checks", all);
}

static int show(struct cli *c, const struct box_jail *j, const struct attest_line *lines,
                unsigned n, struct err *e)
{
    static const char *const names[] = { "check", "answer", "recorded", "found", NULL };
    char hint[HINT_MAX];
    struct grid g;
    int err = grid_init(&g, names, "check,answer,recorded,found", hint, e);

    for (unsigned i = 0; i < n && !err; i++) {
        grid_add(&g, lines[i].what);
        grid_add(&g, answers[lines[i].answer]);
        grid_add(&g, lines[i].recorded);
        grid_add(&g, lines[i].found);
    }
    if (!err)
        err = grid_print(&g, e);
    grid_fini(&g);
    for (unsigned i = 0; i < JAIL_LAYERS; i++)
        if (j->outcome[i] == JAIL_ABSENT)
            cli_note(c, "it was launched without the layer \"%s\": this host does not give it",
                     box_layer_name(i));
    return err;
}

int verb_attest(struct cli *c)
{
    struct attest_line lines[ATTEST_LINES] = { 0 };
    char hint[HINT_MAX] = "";
    struct box_jail j;
    struct err e = ERR_INIT;
    struct store *s = store_open(&e);
    bool same = true;
    struct box b;
    int n = -1;

    if (!s)
        return cli_fail(c, "state", &e, NULL);
    if (box_open(&b, s, c->args->operands[0], hint, &e) == 0) {
        n = box_load_jail(b.fd, &j, &e);
        if (n == -ENOENT)
            err_set(&e, ESRCH, "sandbox \"%s\" has not been launched", c->args->operands[0]);
        if (!n)
            n = attest(&j, lines, &e);
    }
    box_fini(&b);
    store_close(s);
    if (n < 0)
        return cli_fail(c, "sandbox", &e, hint);
    for (int i = 0; i < n; i++)
        same = same && lines[i].answer != ATTEST_DIFFERENT;
    if (c->json) {
        if (!cli_json(c, to_json(&j, lines, (unsigned)n, same)))
            return EXIT_NO;
    } else if (show(c, &j, lines, (unsigned)n, &e)) {
        return cli_fail(c, "output", &e, NULL);
    }

    int status = cli_finish(c);

    return status ? status : same ? 0 : EXIT_NO;
}
