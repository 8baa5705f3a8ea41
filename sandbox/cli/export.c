/*
 * export.c - what a sandbox made of its workspaces comes back to the host: shown first, every entry
 * that deserves a look marked, then taken whole or not at all.
 */
#include "sandbox/cli/export.h"
#include "sandbox/cli/box.h"
#include "sandbox/cli/verbs.h"

#include "base/fd.h"
#include "policies/text.h"
#include "policies/words.h"
#include "sandbox/volume/export.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct exporting {
    struct cli *c;
    struct box box;
    struct volume_policy policy;
    struct export_log *log; /* NULL: the policy wants none */
    bool yes, force;
    const char *to;
    json_t *all;            /* --json */
    size_t refused, failed; /* entries that stay behind; that could not be written */
};

static const char *const what_words[] = {
    [CHANGE_ADDED] = "added", [CHANGE_CHANGED] = "changed", [CHANGE_DELETED] = "deleted"
};
static const char *const fate_words[] = { [CHANGE_GOES] = "goes",
                                          [CHANGE_DONE] = "done",
                                          [CHANGE_DENIED] = "denied",
                                          [CHANGE_CONFLICT] = "conflict",
                                          [CHANGE_REFUSED] = "refused" };

/* In the order of words_review. */
static void add_risks(struct text *t, unsigned risks)
{
    for (unsigned i = 0; words_review[i]; i++)
        if (risks >> i & 1)
            text_add(t, " %s", words_review[i]);
}

static void print_change(const struct export *x, const struct change *v, struct text *t)
{
    static const char marks[] = { 'A', 'M', 'D' };
    const char *path = change_path(v);

    text_add(t, "%c  ", marks[v->what]);
    text_word(t, path, strlen(path));
    if (v->is && v->is->kind == TREE_DIR)
        text_add(t, "/");
    if (v->is && v->is->kind == TREE_LINK) {
        text_add(t, " -> ");
        text_word(t, v->is->link, strlen(v->is->link));
    }
    if (v->is && v->is->kind == TREE_FILE)
        text_add(t, "  %" PRIu64 " bytes", v->is->size);
    if (v->risks & x->mount->export.review) {
        text_add(t, "  [");
        add_risks(t, v->risks & (unsigned)x->mount->export.review);
        text_add(t, " ]");
    }
    if (v->fate == CHANGE_DENIED)
        text_add(t, "  denied by %s", v->rule ? v->rule->id : "storage");
    else if (v->fate == CHANGE_CONFLICT)
        text_add(t, "  conflict: the host has something else than what went in");
    else if (v->fate == CHANGE_REFUSED)
        text_add(t, "  refused: not a thing that can be written");
    else if (v->fate == CHANGE_DONE)
        text_add(t, "  the host has it already");
    text_add(t, "\n");
}

static json_t *json_change(const struct export *x, const struct change *v)
{
    json_t *risks = json_array();

    for (unsigned i = 0; words_review[i]; i++)
        if (v->risks >> i & 1)
            json_array_append_new(risks, json_string(words_review[i]));
    return json_pack("{s:s, s:s, s:o, s:s, s:I, s:o, s:b, s:o, s:s*}", "mount", x->mount->id,
                     "change", what_words[v->what], "path", cli_json_text(change_path(v)), "fate",
                     fate_words[v->fate], "bytes", (json_int_t)(v->is ? v->is->size : 0), "risks",
                     risks, "review", (int)((v->risks & x->mount->export.review) != 0), "link",
                     v->is && v->is->link && v->is->kind == TREE_LINK ? cli_json_text(v->is->link)
                                                                      : json_null(),
                     "rule", v->rule ? v->rule->id : NULL);
}

static void show(struct exporting *g, const struct export *x)
{
    struct text t = TEXT_INIT;

    for (size_t i = 0; i < x->changes.n; i++) {
        if (g->all)
            json_array_append_new(g->all, json_change(x, &x->changes.v[i]));
        else
            print_change(x, &x->changes.v[i], &t);
    }
    if (!g->all) {
        fputs(text_str(&t), stdout);
        fflush(stdout);
    }
    text_fini(&t);
}

/* A person at a terminal is asked; nobody else says yes by saying nothing. */
static bool consent(struct exporting *g, const struct export *x, size_t goes)
{
    char answer[8] = "";

    if (g->yes || x->mount->export.mode == EXPORT_ALL)
        return true;
    if (g->c->json || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
        return false;
    fprintf(stderr, "take these %zu changes? [y/N] ", goes);
    return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

static void told(void *arg, const struct change *v, const char *why)
{
    struct exporting *g = arg;
    struct text t = TEXT_INIT;

    if (!why)
        return;
    g->failed++;
    text_word(&t, change_path(v), strlen(change_path(v)));
    cli_note(g->c, "%s stays as it was: %s", text_str(&t), why);
    text_fini(&t);
}

static int take(struct exporting *g, struct export *x, size_t goes, struct err *e)
{
    struct apply_ask ask = { .force = g->force, .told = told, .arg = g };
    int err = export_log_changes(g->log, x, e);
    char line[160];

    if (err)
        return err;
    err = export_apply(x, &ask, e);
    snprintf(line, sizeof(line), "%s: %zu of %zu changes taken", x->mount->id, ask.done, goes);
    if (export_log_line(g->log, line, err ? NULL : e) && !err)
        err = -EIO;
    cli_note(g->c, "%s", line);
    return ask.failed ? 0 : err; /* each was told */
}

static int export_one(struct exporting *g, const struct mount *m, struct err *e)
{
    struct export x;
    size_t goes;
    int err = export_open(&x, &g->policy, g->box.fd, m, g->to, g->force, e);

    if (!err) {
        show(g, &x);
        goes = export_count(&x, CHANGE_GOES);
        g->refused += x.changes.n - goes - export_count(&x, CHANGE_DONE);
        if (x.changes.n == 0)
            cli_note(g->c, "%s: nothing has changed", m->id);
        else if (goes && consent(g, &x, goes))
            err = take(g, &x, goes, e);
        else if (goes) {
            g->failed += goes;
            cli_note(g->c, "%s: %zu changes wait: carrel export --yes %s", m->id, goes,
                     g->box.config.name);
        }
    }
    export_close(&x);
    return err;
}

static int export_all(struct exporting *g, const char *id, struct err *e)
{
    const struct policy *p = g->policy.policy;
    bool found = false;
    int err = 0;

    if (!p)
        return err_set(e, EINVAL, "the sandbox has no policy");
    for (uint32_t i = 0; !err && i < p->storage.mounts.n; i++) {
        const struct mount *m = p->storage.mounts.v[i];

        if (id ? strcmp(m->id, id) != 0
               : m->access != ACCESS_RW || m->share == SHARE_LIVE || m->export.mode == EXPORT_NONE)
            continue;
        if (m->share == SHARE_LIVE)
            return err_set(e, EINVAL, "storage/%s is live: what was written is on the host", m->id);
        if (found && g->to)
            return err_set(e, EINVAL, "--to needs the id of one mount: there are several");
        found = true;
        if (m->access != ACCESS_RW || m->export.mode == EXPORT_NONE)
            return err_set(e, EACCES, "denied: storage/%s may not be exported", m->id);
        err = export_one(g, m, e);
    }
    return err || found ? err
           : id         ? err_set(e, ENOENT, "the sandbox has no mount \"%s\"", id)
                        : err_set(e, ENOENT, "the sandbox has no workspace that may be exported");
}

static int open_box(struct exporting *g, struct store *s, int *lock, char hint[HINT_MAX],
                    struct err *e)
{
    int err = box_open(&g->box, s, g->c->args->operands[0], hint, e);

    if (err)
        return err;
    if (box_lives(&g->box.state)) {
        snprintf(hint, HINT_MAX, "carrel stop %s   or copy: carrel cp %s:PATH .",
                 g->box.config.name, g->box.config.name);
        return err_set(e, EBUSY, "%s is %s: its workspace is in use", g->box.config.name,
                       box_phase_name(g->box.state.phase));
    }
    if (!box_await_free(g->box.fd))
        return err_set(e, EBUSY, "%s is in use", g->box.config.name);
    *lock = box_lock(g->box.fd, e);
    return *lock < 0 ? *lock : volume_policy_load(&g->policy, g->box.fd, e);
}

int verb_export(struct cli *c)
{
    struct exporting g = { .c = c,
                           .box = { .fd = -1 },
                           .yes = args_has(c->args, OPT_YES),
                           .force = args_has(c->args, OPT_OVERWRITE),
                           .to = args_text(c->args, OPT_TO) };
    const char *id = c->args->noperands > 1 ? c->args->operands[1] : NULL;
    char hint[HINT_MAX] = "";
    struct err e = ERR_INIT;
    struct store *s = store_open(&e);
    auto_fd int lock = -1;
    int err = s ? open_box(&g, s, &lock, hint, &e) : -e.code, status;

    g.all = c->json ? json_array() : NULL;
    if (!err)
        err = export_log_open(&g.log, g.box.id, &g.policy, &e);
    if (!err)
        err = export_all(&g, id, &e);
    export_log_close(g.log);
    volume_policy_fini(&g.policy);
    box_fini(&g.box);
    store_close(s);
    if (err) {
        json_decref(g.all);
        return cli_fail(c, "export", &e, hint);
    }
    if (g.all && !cli_json(c, g.all))
        return EXIT_CARREL;
    status = cli_finish(c);
    return status ? status : g.refused || g.failed ? EXIT_NO : 0;
}
