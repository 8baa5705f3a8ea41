/* life.c - stop, kill, rm and wait: how sandboxes end. */
#include "sandbox/cli/asked.h"
#include "sandbox/cli/box.h"
#include "sandbox/cli/signals.h"
#include "sandbox/cli/verbs.h"
#include "sandbox/cli/volumes.h"
#include "sandbox/engine/engine.h"
#include "sandbox/proc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* After an ephemeral sandbox has ended, nothing of it may be left, whoever ended it. */
static void tidy(struct store *s, const struct box *b)
{
    if (b->config.ephemeral)
        (void)!store_reconcile(s, b->id, NULL);
}

static int tell(struct cli *c, const struct box *b)
{
    if (c->json)
        return cli_json(c, json_pack("{s:s, s:s}", "id", b->id, "name", b->config.name)) ? 0
                                                                                         : EXIT_NO;
    puts(b->config.name);
    return 0;
}

/* Sends a request and lets "it ended" be as good an answer as "done". */
static int ask_end(struct store *s, struct box *b, struct msg_builder *request, char hint[HINT_MAX],
                   struct err *e)
{
    int got = box_ask(b, request, NULL, hint, e);

    free(request);
    if (box_lives(&b->state) && (got == -ECONNREFUSED || got == -EPIPE)) { /* a moment ago */
        hint[0] = '\0';
        got = box_ended(b, s, e);
        if (got == -ENOENT)
            return 0;
    }
    if (got >= 0)
        tidy(s, b);
    return got < 0 ? got : 0;
}

static struct msg_builder *request_new(enum msg_type type, struct err *e)
{
    struct msg_builder *m = malloc(sizeof(*m));

    if (m)
        msg_begin(m, type);
    else
        err_set(e, ENOMEM, "out of memory");
    return m;
}

static int stop_box(struct cli *c, struct store *s, struct box *b, char hint[HINT_MAX],
                    struct err *e)
{
    uint32_t grace = b->config.stop_grace_ms;
    struct msg_builder *m;

    if (!box_lives(&b->state))
        return 0; /* as it should be */
    if (asked_duration(c->args, OPT_GRACE, &grace, e))
        return -EINVAL;
    m = request_new(MSG_STOP, e);
    if (!m)
        return -ENOMEM;
    msg_add_u32(m, MSG_GRACE, grace);
    return ask_end(s, b, m, hint, e);
}

static int kill_box(struct cli *c, struct store *s, struct box *b, char hint[HINT_MAX],
                    struct err *e)
{
    const char *text = args_text(c->args, OPT_SIGNAL);
    int signo = text ? signals_parse(text) : 0;
    struct msg_builder *m = request_new(MSG_KILL, e);

    if (!m)
        return -ENOMEM;
    if (signo > 0)
        msg_add_u32(m, MSG_SIGNO, (uint32_t)signo);
    return ask_end(s, b, m, hint, e);
}

/* Whether it listens or not, starts or runs: afterwards no keeper has it, and its machine went with
 * its keeper's holder (or is ended by whoever reconciles). */
static int end_by_force(struct store *s, struct box *b, char hint[HINT_MAX], struct err *e)
{
    struct msg_builder *m = request_new(MSG_KILL, e);
    int err = m ? box_ask(b, m, NULL, hint, e) : -ENOMEM;

    free(m);
    hint[0] = '\0';
    if (err == -ETIMEDOUT || !box_await_free(b->fd)) {
        const struct box_holder h = box_holder(b->fd);

        err = box_kill_holder(&h, KEEPER_END_MS, e);
        if (err < 0)
            return err;
        if (!box_await_free(b->fd))
            return err_set(e, ETIMEDOUT, "%s does not end: its keeper still runs", b->config.name);
    }
    err = store_reconcile(s, b->id, e);
    return err == -ENOENT ? 0 : err; /* an ephemeral one */
}

static int rm_box(struct cli *c, struct store *s, struct box *b, char hint[HINT_MAX], struct err *e)
{
    if (box_lives(&b->state)) {
        if (!args_has(c->args, OPT_FORCE)) {
            snprintf(hint, HINT_MAX, "carrel stop %s   or   carrel rm -f %s", b->config.name,
                     b->config.name);
            return err_set(e, EBUSY, "%s is %s", b->config.name, box_phase_name(b->state.phase));
        }

        int err = end_by_force(s, b, hint, e);

        if (err < 0)
            return err;
    }

    uint32_t changes;
    /* What it was to remember is not removed with it. */
    int err = volumes_pending(b->fd) ? volumes_changes(c, b->fd, &changes, e) : 0;

    if (err && !args_has(c->args, OPT_FORCE)) {
        snprintf(hint, HINT_MAX, "carrel rm -f %s   removes it all the same", b->config.name);
        return err;
    }
    err = store_remove(s, b->id, e);
    if (err == -EBUSY && args_has(c->args, OPT_FORCE)) { /* its keeper has only begun */
        err = end_by_force(s, b, hint, e);
        err = err < 0 ? err : store_remove(s, b->id, e);
    }
    return err == -ENOENT ? 0 : err;
}

static int each(struct cli *c, struct store *s, const char *what,
                int (*act)(struct cli *, struct store *, struct box *, char[HINT_MAX],
                           struct err *))
{
    char hint[HINT_MAX];
    struct err e = ERR_INIT;
    struct box b;
    int err = box_open(&b, s, what, hint, &e);
    int status = 0;

    if (!err)
        err = act(c, s, &b, hint, &e);
    if (err)
        status = cli_fail(c, "sandbox", &e, hint);
    else
        status = tell(c, &b);
    box_fini(&b);
    return status;
}

static int stop_one(struct cli *c, struct store *s, const char *what)
{
    return each(c, s, what, stop_box);
}

int verb_stop(struct cli *c)
{
    struct err e = ERR_INIT;
    uint32_t ms;

    if (asked_duration(c->args, OPT_GRACE, &ms, &e))
        return cli_fail_usage(c, &e, NULL);
    return box_each(c, stop_one);
}

static int kill_one(struct cli *c, struct store *s, const char *what)
{
    return each(c, s, what, kill_box);
}

int verb_kill(struct cli *c)
{
    const char *text = args_text(c->args, OPT_SIGNAL);
    struct err e = ERR_INIT;

    if (text && signals_parse(text) < 0) {
        err_set(&e, EINVAL, "--signal: no such signal: \"%s\"", text);
        return cli_fail_usage(c, &e, "a name like TERM, or a number from 1 to 64");
    }
    return box_each(c, kill_one);
}

/* With -f, what is not there is removed already, and what is damaged is removed anyway. */
static int rm_one(struct cli *c, struct store *s, const char *what)
{
    char id[BOX_ID_LEN + 1];

    if (args_has(c->args, OPT_FORCE)) {
        int fd = store_find(s, what, id, NULL);
        struct box_config cfg;
        struct box_state st;
        struct err e = ERR_INIT;

        if (fd == -ENOENT)
            return 0;
        if (fd >= 0) {
            bool damaged = box_load_config(fd, &cfg, NULL) != 0;

            if (!damaged)
                box_config_fini(&cfg);
            damaged = damaged || box_load_state(fd, &st, &e) == -EBADMSG;
            close(fd);
            if (damaged)
                return store_remove(s, id, &e) ? cli_fail(c, "sandbox", &e, NULL) : 0;
        }
    }
    return each(c, s, what, rm_box);
}

int verb_rm(struct cli *c)
{
    return box_each(c, rm_one);
}

/* A keeper that was killed may be followed by another, so many times. */
static int ask_each_keeper(struct box *b, struct msg_builder *m, char hint[HINT_MAX], struct err *e)
{
    int err = -EPIPE;

    for (unsigned i = 0; i <= ENGINE_SPARES && err == -EPIPE; i++)
        err = box_ask(b, m, &b->state, hint, e);
    return err;
}

static int wait_one(struct cli *c, struct store *s, const char *what)
{
    char hint[HINT_MAX];
    struct err e = ERR_INIT;
    struct box b;
    int status = 0, err = box_open(&b, s, what, hint, &e);

    if (!err && b.state.phase == BOX_CREATED) {
        err = err_set(&e, ECONNREFUSED, "%s was never started", b.config.name);
        snprintf(hint, HINT_MAX, "carrel start %s", b.config.name);
    }
    if (!err && box_lives(&b.state)) {
        struct msg_builder *m = request_new(MSG_WAIT, &e);

        err = m ? ask_each_keeper(&b, m, hint, &e) : -ENOMEM;
        free(m);
        if (err == -ECONNREFUSED || err == -EPIPE) {
            hint[0] = '\0';
            err = box_ended(&b, s, &e);
        }
        if (err >= 0) {
            err = 0;
            tidy(s, &b);
        }
    }
    if (err) {
        status = cli_fail(c, "sandbox", &e, hint);
    } else if (c->json) {
        json_t *code = b.state.exit_code < 0 ? json_null() : json_integer(b.state.exit_code);

        status = cli_json(c, json_pack("{s:s, s:s, s:o, s:s}", "id", b.id, "name", b.config.name,
                                       "exit_code", code, "reason", b.state.reason))
                     ? 0
                     : EXIT_NO;
    } else {
        printf("%d\n", b.state.exit_code < 0 ? EXIT_CARREL : b.state.exit_code);
    }
    box_fini(&b);
    return status;
}

int verb_wait(struct cli *c)
{
    return box_each(c, wait_one);
}
