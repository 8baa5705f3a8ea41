/* memory.c - memory volumes: what there is, what changed, and the way back. */
#include "sandbox/cli/export.h"
#include "sandbox/cli/listing.h"
#include "sandbox/cli/verbs.h"

#include "base/fd.h"
#include "policies/text.h"
#include "sandbox/volume/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int fail(struct cli *c, const struct err *e)
{
    return cli_fail(c, "memory", e, e->code == ENOENT ? "carrel memory ls" : NULL);
}

static int number_of(const char *text, uint64_t *out, struct err *e)
{
    char *end;

    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno || *text < '1' || *text > '9' || *end
               ? err_set(e, EINVAL, "not the number of a version: \"%s\"", text)
               : 0;
}

static const char *moment(time_t t, char out[32])
{
    struct tm tm;

    strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
    return out;
}

static void add_number(struct grid *g, uint64_t n)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, n);
    grid_add(g, text);
}

/* ---- ls, show ---- */

static void row(struct listing *l, const char *id, const struct memory_version *v, size_t n)
{
    uint64_t bytes = 0;
    char when[32] = "";

    for (size_t i = 0; i < n; i++)
        bytes += v[i].bytes;
    if (n)
        moment(v[n - 1].made, when);
    if (l->array) {
        json_array_append_new(l->array, json_pack("{s:s, s:I, s:I, s:I, s:s}", "name", id,
                                                  "version", (json_int_t)(n ? v[n - 1].number : 0),
                                                  "versions", (json_int_t)n, "bytes",
                                                  (json_int_t)bytes, "changed", when));
        return;
    }
    grid_add(&l->grid, id);
    add_number(&l->grid, n ? v[n - 1].number : 0);
    add_number(&l->grid, n);
    add_number(&l->grid, bytes >> 10);
    grid_add(&l->grid, when);
}

static int one_row(struct listing *l, const char *id, struct err *e)
{
    struct memory m;
    struct memory_version *v = NULL;
    size_t n = 0;
    int err = memory_open(&m, id, false, MEMORY_LOOK, e);

    if (!err)
        err = memory_versions(&m, &v, &n, e);
    if (!err && (l->array || !listing_name(l, id)))
        row(l, id, v, n);
    free(v);
    memory_close(&m);
    return err == -ENOENT ? 0 : err; /* it was removed meanwhile */
}

int verb_memory_ls(struct cli *c)
{
    static const char *const names[] = { "name", "version", "versions", "kib", "changed", NULL };
    struct err e = ERR_INIT;
    struct listing l;
    char **ids = NULL;
    size_t n = 0;
    int err, status = listing_begin(&l, c, names, "name,version,versions,kib,changed");

    if (status)
        return status;
    err = memory_list(&ids, &n, &e);
    for (size_t i = 0; i < n; i++) {
        if (!err)
            err = one_row(&l, ids[i], &e);
        free(ids[i]);
    }
    free(ids);
    return listing_end(&l, !err, err ? fail(c, &e) : 0);
}

static int list_versions(struct cli *c, const struct memory *m)
{
    static const char *const names[] = { "version", "made", "sandbox", "kib", NULL };
    struct memory_version *v = NULL;
    struct err e = ERR_INIT;
    struct listing l;
    char when[32];
    size_t n = 0;
    int status = listing_begin(&l, c, names, "version,made,sandbox,kib");

    if (status)
        return status;
    if (memory_versions(m, &v, &n, &e))
        status = fail(c, &e);
    for (size_t i = 0; i < n; i++) {
        moment(v[i].made, when);
        if (l.array)
            json_array_append_new(l.array, json_pack("{s:I, s:s, s:o, s:I}", "version",
                                                     (json_int_t)v[i].number, "made", when,
                                                     "sandbox", cli_json_text(v[i].from), "bytes",
                                                     (json_int_t)v[i].bytes));
        add_number(&l.grid, v[i].number);
        grid_add(&l.grid, when);
        grid_add(&l.grid, v[i].from);
        add_number(&l.grid, v[i].bytes >> 10);
    }
    free(v);
    return listing_end(&l, !status, status);
}

/* ---- what is in them ---- */

static void print_change(const struct change *x, struct text *t)
{
    static const char marks[] = { 'A', 'M', 'D' };
    const char *path = change_path(x);

    text_add(t, "%c  ", marks[x->what]);
    text_word(t, path, strlen(path));
    if (x->is && x->is->kind == TREE_DIR)
        text_add(t, "/");
    if (x->is && x->is->kind == TREE_FILE)
        text_add(t, "  %" PRIu64 " bytes", x->is->size);
    text_add(t, "\n");
}

static int show_diff(struct cli *c, const struct changes *all)
{
    static const char *const what[] = {
        [CHANGE_ADDED] = "added", [CHANGE_CHANGED] = "changed", [CHANGE_DELETED] = "deleted"
    };
    json_t *j = c->json ? json_array() : NULL;
    struct text t = TEXT_INIT;

    for (size_t i = 0; i < all->n; i++) {
        const struct change *x = &all->v[i];

        if (j)
            json_array_append_new(j, json_pack("{s:s, s:o, s:I}", "change", what[x->what], "path",
                                               cli_json_text(change_path(x)), "bytes",
                                               (json_int_t)(x->is ? x->is->size : 0)));
        else
            print_change(x, &t);
    }
    fputs(text_str(&t), stdout);
    text_fini(&t);
    if (j && !cli_json(c, j))
        return EXIT_CARREL;
    return cli_finish(c);
}

/* From one version (0: nothing) to another. */
static int diff(struct cli *c, const struct memory *m, uint64_t old, uint64_t new, struct err *e)
{
    auto_fd int was = old ? memory_image(m, old, e) : -1;
    auto_fd int is = old && was < 0 ? was : memory_image(m, new, e);
    struct memory_diff d;
    int status;

    if (is < 0)
        return fail(c, e);
    if (memory_diff(&d, m->dir, was, is, e))
        status = fail(c, e);
    else
        status = show_diff(c, &d.changes);
    memory_diff_fini(&d);
    return status;
}

int verb_memory_show(struct cli *c)
{
    struct err e = ERR_INIT;
    struct memory m;
    uint64_t version;
    int status, err = memory_open(&m, c->args->operands[0], false, MEMORY_LOOK, &e);

    if (!err && c->args->noperands > 1)
        err = number_of(c->args->operands[1], &version, &e);
    if (err)
        status = fail(c, &e);
    else if (c->args->noperands > 1)
        status = diff(c, &m, 0, version, &e);
    else
        status = list_versions(c, &m);
    memory_close(&m);
    return status;
}

int verb_memory_diff(struct cli *c)
{
    struct err e = ERR_INIT;
    struct memory m;
    struct memory_version *v = NULL;
    uint64_t old = 0, new = 0;
    size_t n = 0;
    int status, err = memory_open(&m, c->args->operands[0], false, MEMORY_LOOK, &e);

    if (!err)
        err = memory_versions(&m, &v, &n, &e);
    if (!err && n == 0)
        err = err_set(&e, ENOENT, "the memory volume %s has no version", m.id);
    if (!err) {
        old = n > 1 ? v[n - 2].number : 0;
        new = v[n - 1].number;
    }
    if (!err && c->args->noperands > 1)
        err = number_of(c->args->operands[1], &old, &e);
    if (!err && c->args->noperands > 2)
        err = number_of(c->args->operands[2], &new, &e);
    status = err ? fail(c, &e) : diff(c, &m, old, new, &e);
    free(v);
    memory_close(&m);
    return status;
}

/* ---- what changes them ---- */

int verb_memory_rollback(struct cli *c)
{
    struct err e = ERR_INIT;
    struct memory m;
    uint64_t version, made = 0;
    auto_fd int image = -1;
    int err = number_of(c->args->operands[1], &version, &e);

    if (err)
        return cli_fail_usage(c, &e, NULL);
    err = memory_open(&m, c->args->operands[0], false, MEMORY_OWN, &e);
    if (!err)
        err = image = memory_image(&m, version, &e);
    if (err >= 0)
        err = memory_add(&m, image, "rollback", &made, &e);
    memory_close(&m);
    if (err)
        return fail(c, &e);
    cli_note(c, "%s: version %" PRIu64 " is what version %" PRIu64 " was", c->args->operands[0],
             made, version);
    return cli_finish(c);
}

static int write_out(const struct memory *m, uint64_t version, const char *to, size_t *done,
                     struct err *e)
{
    auto_fd int image = memory_image(m, version, e);
    auto_fd int dir = -1;
    struct memory_diff d;
    struct apply_ask ask = { 0 };
    int err;

    if (image < 0)
        return image;
    if (mkdir(to, 0777))
        return err_sys(e, "%s", to);
    dir = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return err_sys(e, "%s", to);
    err = memory_diff(&d, m->dir, -1, image, e);
    if (!err) {
        ask.dirfd = dir;
        ask.stage = d.stage_is;
        err = apply(&ask, &d.changes, e);
        *done = ask.done;
    }
    memory_diff_fini(&d);
    return err;
}

int verb_memory_export(struct cli *c)
{
    struct err e = ERR_INIT;
    struct memory m;
    uint64_t version = 0;
    size_t done = 0;
    int err = memory_open(&m, c->args->operands[0], false, MEMORY_LOOK, &e);

    if (!err && c->args->noperands > 2)
        err = number_of(c->args->operands[2], &version, &e);
    else if (!err && !(version = memory_newest(&m)))
        err = err_set(&e, ENOENT, "the memory volume %s has no version", m.id);
    if (!err)
        err = write_out(&m, version, c->args->operands[1], &done, &e);
    memory_close(&m);
    if (err)
        return fail(c, &e);
    cli_note(c, "%zu entries written to %s", done, c->args->operands[1]);
    return cli_finish(c);
}

int verb_memory_rm(struct cli *c)
{
    int status = 0;

    for (size_t i = 0; i < c->args->noperands; i++) {
        struct err e = ERR_INIT;
        struct memory m;
        int err = memory_open(&m, c->args->operands[i], false, MEMORY_OWN, &e);

        if (!err)
            err = memory_remove(&m, &e);
        memory_close(&m);
        if (err)
            status = fail(c, &e);
    }
    return status ? status : cli_finish(c);
}
