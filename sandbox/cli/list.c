/* list.c - ps, ls and inspect: what is known of sandboxes. */
#include "base/fd.h"
#include "sandbox/cli/box.h"
#include "sandbox/cli/listing.h"
#include "sandbox/cli/size.h"
#include "sandbox/cli/verbs.h"
#include "sandbox/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const columns[] = { "name",   "id",     "image", "state",   "engine",
                                       "cpus",   "memory", "up",    "created", "command",
                                       "labels", "exit",   NULL };

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* True when the sandbox has every label that was asked for. */
static bool selected(const struct cli *c, const struct box_config *cfg)
{
    const char *want;
    size_t at = 0;

    while ((want = args_next(c->args, OPT_FILTER, &at))) {
        size_t klen = strcspn(want, "=");
        bool found = false;

        for (size_t i = 0; i < cfg->nlabels && !found; i++)
            found = strlen(cfg->labels[i].key) == klen && !memcmp(cfg->labels[i].key, want, klen) &&
                    (!want[klen] || !strcmp(cfg->labels[i].value, want + klen + 1));
        if (!found)
            return false;
    }
    return true;
}

/* Words with spaces between, cut where the buffer ends. */
static void join(char *buf, size_t len, size_t *used, const char *word, const char *between)
{
    if (*used < len)
        *used += (size_t)snprintf(buf + *used, len - *used, "%s%s", *used ? between : "", word);
}

static const char *command_text(const struct box_config *cfg, char *buf, size_t len)
{
    size_t used = 0;

    buf[0] = '\0';
    for (size_t i = 0; cfg->argv && cfg->argv[i]; i++)
        join(buf, len, &used, cfg->argv[i], " ");
    return buf;
}

static const char *labels_text(const struct box_config *cfg, char *buf, size_t len)
{
    size_t used = 0;

    buf[0] = '\0';
    for (size_t i = 0; i < cfg->nlabels; i++) {
        char pair[160];

        snprintf(pair, sizeof(pair), "%s=%s", cfg->labels[i].key, cfg->labels[i].value);
        join(buf, len, &used, pair, ",");
    }
    return buf;
}

static const char *state_text(const struct box_state *st, char *buf, size_t len)
{
    if (st->phase == BOX_ENDED && *st->reason)
        snprintf(buf, len, "ended (%s)", st->reason);
    else if (box_lives(st) && proc_is_stopped(st->keeper_pid, st->keeper_start))
        snprintf(buf, len, "%s (keeper stopped)", box_phase_name(st->phase));
    else
        snprintf(buf, len, "%s", box_phase_name(st->phase));
    return buf;
}

static void add_row(struct grid *g, const struct box_config *cfg, const struct box_state *st)
{
    char buf[160];
    bool lives = box_lives(st);

    grid_add(g, cfg->name);
    grid_add(g, cfg->id);
    grid_add(g, cfg->image ? cfg->image : "");
    grid_add(g, state_text(st, buf, sizeof(buf)));
    grid_add(g, *st->engine ? st->engine : cfg->engine ? cfg->engine : "-");
    snprintf(buf, sizeof(buf), "%u", cfg->vcpus);
    grid_add(g, buf);
    grid_add(g, size_text(cfg->mem_bytes, buf, sizeof(buf)));
    grid_add(g, lives && st->started_ns ? span_text(now_ns() - st->started_ns, buf, sizeof(buf))
                                        : "-");
    grid_add(g, time_text(cfg->created_ns, buf, sizeof(buf)));
    grid_add(g, command_text(cfg, buf, sizeof(buf)));
    grid_add(g, labels_text(cfg, buf, sizeof(buf)));
    snprintf(buf, sizeof(buf), "%d", st->exit_code);
    grid_add(g, st->exit_code < 0 ? "-" : buf);
}

static json_t *texts(char *const *list)
{
    json_t *a = json_array();

    for (size_t i = 0; list && list[i]; i++)
        json_array_append_new(a, cli_json_text(list[i]));
    return a;
}

static json_t *row_object(const struct box_config *cfg, const struct box_state *st)
{
    json_t *labels = json_object();

    for (size_t i = 0; i < cfg->nlabels; i++)
        json_object_set_new(labels, cfg->labels[i].key, cli_json_text(cfg->labels[i].value));

    json_t *o = json_pack(
        "{s:s, s:s, s:o, s:s, s:s?, s:i, s:I, s:I, s:o, s:o, s:o, s:o, s:s?, s:o, s:o, s:b}", "id",
        cfg->id, "name", cfg->name, "image", cli_json_text(cfg->image ? cfg->image : ""), "state",
        box_phase_name(st->phase), "engine", *st->engine ? st->engine : cfg->engine, "cpus",
        (int)cfg->vcpus, "memory_bytes", (json_int_t)cfg->mem_bytes, "disk_bytes",
        (json_int_t)cfg->disk_bytes, "created", cli_json_time(cfg->created_ns), "started",
        cli_json_time(st->started_ns), "ended", cli_json_time(st->ended_ns), "exit_code",
        st->exit_code < 0 ? json_null() : json_integer(st->exit_code), "reason",
        *st->reason ? st->reason : NULL, "labels", labels, "command", texts(cfg->argv), "ephemeral",
        (int)cfg->ephemeral);

    return o;
}

static void list_one(struct listing *l, bool all, const struct box_config *cfg,
                     const struct box_state *st)
{
    if (!selected(l->c, cfg) || (!all && !box_lives(st)))
        return;
    if (l->array)
        json_array_append_new(l->array, row_object(cfg, st));
    else if (!listing_name(l, cfg->name))
        add_row(&l->grid, cfg, st);
}

/* One sandbox of the list. One that cannot be read is told of, and hides no other. */
static int visit(struct store *s, struct listing *l, bool all, const char *id)
{
    struct box_config cfg;
    struct box_state st;
    char found[BOX_ID_LEN + 1];
    struct err e = ERR_INIT;
    int err = store_reconcile(s, id, &e);
    auto_fd int fd = store_find(s, id, found, &e);

    if (fd == -ENOENT)
        return 0; /* it ended meanwhile */
    if (fd >= 0 && err >= 0)
        err = box_load_config(fd, &cfg, &e);
    else
        err = -EIO;
    if (err == 0) {
        err = box_load_state(fd, &st, &e);
        if (err == 0)
            list_one(l, all, &cfg, &st);
        box_config_fini(&cfg);
    }
    return err == 0 || err == -ENOENT ? 0
                                      : cli_fail(l->c, "sandbox", &e, "carrel rm -f removes it");
}

static int list(struct cli *c, bool all, const char *usual)
{
    struct err e = ERR_INIT;
    struct store *s = NULL;
    struct listing l;
    char **ids = NULL;
    size_t n = 0;
    int status = listing_begin(&l, c, columns, usual);

    if (status)
        return status;
    s = store_open(&e);
    if (!s || store_list(s, &ids, &n, &e))
        status = cli_fail(c, "state", &e, NULL);
    for (size_t i = 0; i < n; i++) {
        int st = visit(s, &l, all, ids[i]);

        status = st ? st : status;
        free(ids[i]);
    }
    free(ids);
    status = listing_end(&l, s, status);
    store_close(s);
    return status;
}

int verb_ps(struct cli *c)
{
    return list(c, args_has(c->args, OPT_ALL), "name,image,state,engine,cpus,memory,up,command");
}

int verb_ls(struct cli *c)
{
    return list(c, true, "name,id,image,state,engine,created,exit,command");
}

/* ---- inspect ---- */

/* Beside each "x_ns" that is set, "x" as a date for people and jq. */
static void add_dates(json_t *o)
{
    static const char *const keys[] = { "created", "started", "ready", "ended" };

    for (size_t i = 0; i < array_len(keys); i++) {
        char ns[24];

        snprintf(ns, sizeof(ns), "%s_ns", keys[i]);

        const json_t *v = json_object_get(o, ns);

        if (json_is_integer(v))
            json_object_set_new(o, keys[i], cli_json_time(json_integer_value(v)));
    }
}

static json_t *inspect_one(struct box *b, struct err *e)
{
    char *text = box_to_json(&b->config, &b->state, e);
    json_t *o = text ? json_loads(text, 0, NULL) : NULL;

    free(text);
    if (!o) {
        if (!e->code)
            err_set(e, EIO, "%s: cannot be shown as JSON", b->config.name);
        return NULL;
    }
    json_object_set_new(o, "id", json_string(b->id));
    json_object_set_new(o, "name", json_string(b->config.name));
    add_dates(json_object_get(o, "config"));
    add_dates(json_object_get(o, "state"));
    /* Written by its keeper; null before the first start. */
    auto_fd int jail = openat(b->fd, "jail.json", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    json_t *locked = jail < 0 ? NULL : json_loadfd(jail, 0, NULL);

    json_object_set_new(o, "jail", locked ? locked : json_null());
    return o;
}

int verb_inspect(struct cli *c)
{
    char hint[HINT_MAX];
    struct err e = ERR_INIT;
    struct store *s = store_open(&e);
    json_t *all = json_array();
    int status = 0;

    if (!s)
        status = cli_fail(c, "state", &e, NULL);
    for (size_t i = 0; s && i < c->args->noperands; i++) {
        struct box b;
        json_t *o = NULL;

        if (box_open(&b, s, c->args->operands[i], hint, &e) == 0)
            o = inspect_one(&b, &e);
        if (o)
            json_array_append_new(all, o);
        else
            status = cli_fail(c, "sandbox", &e, hint);
        box_fini(&b);
    }
    /* One name, one object; several, an array. */
    if (c->args->noperands > 1 || json_array_size(all) == 1) {
        json_t *shown = c->args->noperands > 1 ? all : json_array_get(all, 0);

        if (c->json) {
            status = cli_json(c, json_incref(shown)) ? status : EXIT_NO;
        } else {
            json_dumpf(shown, stdout, JSON_INDENT(2));
            putchar('\n');
        }
    }
    json_decref(all);
    store_close(s);
    return status ? status : cli_finish(c);
}
