/* attest.c - attest: are the machine's process, and the server of its live mounts, still locked
 * into what they were launched in? */
#include "sandbox/attest.h"

#include "base/fd.h"
#include "sandbox/cli/box.h"
#include "sandbox/cli/cli.h"
#include "sandbox/cli/grid.h"
#include "sandbox/cli/verbs.h"

#include <errno.h>
#include <stdio.h>

static const char *const answers[] = {
    [ATTEST_SAME] = "same", [ATTEST_DIFFERENT] = "DIFFERENT", [ATTEST_UNSEEN] = "unseen"
};

struct looked_at {
    const char *name; /* in front of its checks; "" */
    struct box_jail j;
    struct attest_line lines[ATTEST_LINES];
    unsigned n;
    bool same;
};

static json_t *to_json(const struct looked_at *x)
{
    const struct box_jail *j = &x->j;
    const struct attest_line *lines = x->lines;
    json_t *all = json_array(), *absent = json_array();

    for (unsigned i = 0; i < x->n; i++)
        json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:s}", "what", lines[i].what,
                                             "answer", answers[lines[i].answer], "recorded",
                                             lines[i].recorded, "found", lines[i].found));
    for (unsigned i = 0; i < JAIL_LAYERS; i++)
        if (j->outcome[i] == JAIL_ABSENT)
            json_array_append_new(absent, json_string(box_layer_name(i)));
    return json_pack("{s:b, s:i, s:s, s:o, s:o}", "same", x->same, "pid", (int)j->pid, "engine",
                     j->engine, "absent", absent, "checks", all);
}

static void show_checks(struct grid *g, const struct looked_at *x)
{
    for (unsigned i = 0; i < x->n; i++) {
        char what[64];

        snprintf(what, sizeof(what), "%s%s", x->name, x->lines[i].what);
        grid_add(g, what);
        grid_add(g, answers[x->lines[i].answer]);
        grid_add(g, x->lines[i].recorded);
        grid_add(g, x->lines[i].found);
    }
}

static void show_absent(struct cli *c, const struct looked_at *x)
{
    for (unsigned i = 0; i < JAIL_LAYERS; i++)
        if (x->j.outcome[i] == JAIL_ABSENT)
            cli_note(c, "%sit was launched without the layer \"%s\": this host does not give it",
                     x->name, box_layer_name(i));
}

static int show(struct cli *c, const struct looked_at *v, unsigned n, struct err *e)
{
    static const char *const names[] = { "check", "answer", "recorded", "found", NULL };
    char hint[HINT_MAX];
    struct grid g;
    int err = grid_init(&g, names, "check,answer,recorded,found", hint, e);

    for (unsigned i = 0; i < n && !err; i++)
        show_checks(&g, &v[i]);
    if (!err)
        err = grid_print(&g, e);
    grid_fini(&g);
    for (unsigned i = 0; i < n; i++)
        show_absent(c, &v[i]);
    return err;
}

/* -ENOENT: it is on no record. */
static int look(int dir, enum box_process which, const char *name, struct looked_at *x,
                struct err *e)
{
    int n = box_load_jail(dir, which, &x->j, e);

    if (!n)
        n = attest(&x->j, x->lines, e);
    if (n < 0)
        return n;
    x->name = name;
    x->n = (unsigned)n;
    x->same = true;
    for (unsigned i = 0; i < x->n; i++)
        x->same = x->same && x->lines[i].answer != ATTEST_DIFFERENT;
    return 0;
}

/* The machine's process, then the server of live mounts, where one was launched: how many. One that
 * is gone while the machine lives is a difference. */
static int look_at_both(int dir, const char *box, struct looked_at v[BOX_PROCESSES], struct err *e)
{
    int err = look(dir, BOX_ENGINE, "", &v[0], e);

    if (err == -ENOENT)
        return err_set(e, ESRCH, "sandbox \"%s\" has not been launched", box);
    if (err)
        return err;
    err = look(dir, BOX_FILES, "files: ", &v[1], NULL);
    if (err == -ENOENT)
        return 1;
    if (err == -ESRCH) {
        v[1].name = "files: ";
        v[1].n = 1;
        v[1].lines[0] = (struct attest_line){ .what = "process", .answer = ATTEST_DIFFERENT };
        snprintf(v[1].lines[0].recorded, sizeof(v[1].lines[0].recorded), "%d", (int)v[1].j.pid);
        snprintf(v[1].lines[0].found, sizeof(v[1].lines[0].found), "gone");
        err = 0;
    }
    return err ? err_set(e, -err, "the server of live mounts cannot be looked at") : 2;
}

int verb_attest(struct cli *c)
{
    struct looked_at v[BOX_PROCESSES] = { 0 };
    char hint[HINT_MAX] = "";
    struct err e = ERR_INIT;
    struct store *s = store_open(&e);
    bool same = true;
    struct box b;
    int n = -1;

    if (!s)
        return cli_fail(c, "state", &e, NULL);
    if (box_open(&b, s, c->args->operands[0], hint, &e) == 0)
        n = look_at_both(b.fd, c->args->operands[0], v, &e);
    box_fini(&b);
    store_close(s);
    if (n < 0)
        return cli_fail(c, "sandbox", &e, hint);
    for (int i = 0; i < n; i++)
        same = same && v[i].same;
    if (c->json) {
        json_t *o = to_json(&v[0]);

        if (n > 1)
            json_object_set_new(o, "files", to_json(&v[1]));
        json_object_set_new(o, "same", json_boolean(same));
        if (!cli_json(c, o))
            return EXIT_NO;
    } else if (show(c, v, (unsigned)n, &e)) {
        return cli_fail(c, "output", &e, NULL);
    }

    int status = cli_finish(c);

    return status ? status : same ? 0 : EXIT_NO;
}
