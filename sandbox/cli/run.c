/* run.c - run and create: from options to a sandbox, and its first command. */
#include "sandbox/cli/asked.h"
#include "sandbox/cli/box.h"
#include "sandbox/cli/parts.h"
#include "sandbox/cli/run_policy.h"
#include "sandbox/cli/session.h"
#include "sandbox/cli/shell.h"
#include "sandbox/cli/signals.h"
#include "sandbox/cli/size.h"
#include "sandbox/cli/suggest.h"
#include "sandbox/cli/verbs.h"
#include "sandbox/cli/volumes.h"
#include "sandbox/engine/engine.h"
#include "sandbox/image/image.h"
#include "sandbox/image/kernel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The sandbox's keeper, with what its machine is made of. */
static int start_keeper(struct cli *c, const struct box_config *cfg, int boxfd, bool for_main,
                        char hint[HINT_MAX], struct err *e)
{
    struct client_parts p;
    int err = parts_open(cfg, &p, e);

    hint[0] = '\0';
    if (!err && volumes_wanted(boxfd))
        err = volumes_prepare(c, boxfd, hint, e);
    if (!err)
        err =
            for_main ? client_start_for_main(boxfd, &p, hint, e) : client_start(boxfd, &p, hint, e);
    parts_close(&p);
    return err;
}

/* Everything one `run` needs; freed at the one place where it ends. */
struct birth {
    struct store *store;
    struct box_config cfg;
    struct asked_session session;
    struct run_policy policy;
    int fd;           /* the sandbox's directory */
    bool settle;      /* at its end it goes if its workspaces are as they were … */
    bool discard;     /* … or in any case, but for what it remembers */
    bool remembers;   /* it has memory volumes to add to */
    const char *room; /* where it failed, for the error's code */
    char hint[HINT_MAX];
};

static void birth_fini(struct birth *b)
{
    box_config_fini(&b->cfg);
    run_policy_fini(&b->policy);
    store_close(b->store);
    if (b->fd >= 0)
        close(b->fd);
}

/* The image is not there: how to get it, or the one that was meant. */
static void hint_image(const char *name, char hint[HINT_MAX])
{
    struct image *all = NULL;
    const char *best = NULL;
    size_t n = 0;

    if (strcmp(name, "mini") == 0 || strcmp(name, "base") == 0) {
        snprintf(hint, HINT_MAX, "carrel image build %s", name);
        return;
    }
    if (image_list(&all, &n, NULL) == 0)
        for (size_t i = 0; i < n; i++)
            suggest_offer(name, all[i].name, &best);
    if (best)
        snprintf(hint, HINT_MAX, "did you mean \"%s\"? `carrel image ls` lists all", best);
    else
        snprintf(hint, HINT_MAX, "carrel image import %s DIR|TAR   or   carrel image build mini",
                 name);
    for (size_t i = 0; i < n; i++)
        image_fini(&all[i]);
    free(all);
}

static int load_image(const struct command_line *a, struct birth *b, struct err *e)
{
    struct image img;
    int err;

    b->room = "image";
    if (strchr(b->cfg.image, '/')) {
        img = (struct image){ 0 };
        err = asked_entrypoint(a, &img, e);
        if (!err)
            err = asked_image_defaults(&b->cfg, &img, e);
        image_fini(&img);
        return err;
    }
    err = image_load(b->cfg.image, &img, e);
    if (err) {
        if (err == -ENOENT)
            hint_image(b->cfg.image, b->hint);
        return err;
    }
    err = asked_entrypoint(a, &img, e);
    if (!err)
        err = asked_image_defaults(&b->cfg, &img, e);
    image_fini(&img);
    return err;
}

static int check_kernel(struct birth *b, struct err *e)
{
    struct kernel k;
    int err = kernel_load(b->cfg.kernel, &k, e);

    b->room = "kernel";
    if (err == 0)
        kernel_fini(&k);
    else if (err == -ENOENT)
        snprintf(b->hint, HINT_MAX, "%s",
                 b->cfg.kernel ? "carrel kernel ls" : "carrel kernel fetch");
    return err;
}

/* A lone shell, as images name for want of anything better. */
static bool is_shell(char *const *argv)
{
    static const char *const shells[] = { "sh", "bash", "dash", "ash", "zsh" };
    const char *slash, *name;

    if (!argv || !argv[0] || argv[1])
        return false;
    slash = strrchr(argv[0], '/');
    name = slash ? slash + 1 : argv[0];
    for (size_t i = 0; i < array_len(shells); i++)
        if (strcmp(name, shells[i]) == 0)
            return true;
    return false;
}

/* No COMMAND was given. A shell without input would end at once: in the background the sandbox
 * idles instead, and what it is for comes by `carrel exec`. */
static int usual_command(struct cli *c, struct birth *b, bool detached, struct err *e)
{
    if (detached && !b->session.tty && !b->session.forward_stdin && is_shell(b->cfg.argv)) {
        char *nothing[] = { NULL };

        return asked_argv(&b->cfg, nothing, e);
    }
    if (!detached && !b->cfg.argv && c->args->verb->id == VERB_RUN)
        return asked_argv(&b->cfg, shell_argv, e);
    return 0;
}

static int conceive(struct cli *c, struct birth *b, bool detached, struct err *e)
{
    const struct asked_stdio io = { isatty(STDIN_FILENO), isatty(STDOUT_FILENO),
                                    session_stdin_is_piped() };
    int err = asked_config(c->args, detached, &io, c->json, &b->cfg, &b->session, b->hint, e);
    char id[BOX_ID_LEN + 1];

    b->room = NULL; /* a mistake in the command line */
    if (!err)
        err = load_image(c->args, b, e);
    if (!err && c->args->noperands == 1)
        err = usual_command(c, b, detached, e);
    if (!err)
        err = check_kernel(b, e);
    if (err)
        return err;
    b->room = "policy";
    err = run_policy_make(c, &b->policy, &b->cfg, b->hint, e);
    if (err || args_has(c->args, OPT_DRY_RUN))
        return err;
    b->discard = args_has(c->args, OPT_RM);
    b->remembers = run_policy_has_memory(&b->policy);
    b->settle =
        b->cfg.ephemeral && (b->remembers || (!b->discard && run_policy_has_workspace(&b->policy)));
    if (b->settle)
        b->cfg.ephemeral = false;
    b->room = "state";
    b->store = store_open(e);
    if (!b->store)
        return e->code ? -e->code : -EIO;
    b->room = "sandbox";
    err = store_create(b->store, &b->cfg, e);
    if (err == -EEXIST)
        snprintf(b->hint, HINT_MAX, "carrel rm %s   or another --name", b->cfg.name);
    if (err)
        return err;
    b->fd = store_find(b->store, b->cfg.id, id, e);
    return b->fd < 0 ? b->fd : run_policy_save(&b->policy, b->fd, !b->cfg.ephemeral, e);
}

static int fail(struct cli *c, struct birth *b, const struct err *e)
{
    int status = b->room ? cli_fail(c, b->room, e, b->hint) : cli_fail_usage(c, e, b->hint);

    /* A sandbox that never started is of no use to anybody, and its name is wanted again. Its
     * keeper may have a moment to go. */
    if (b->store && b->fd >= 0 && box_await_free(b->fd))
        (void)!store_remove(b->store, b->cfg.id, NULL);
    birth_fini(b);
    return status;
}

static int print_name(struct cli *c, const struct birth *b)
{
    if (c->json) {
        if (!cli_json(c, json_pack("{s:s, s:s}", "id", b->cfg.id, "name", b->cfg.name)))
            return EXIT_CARREL;
    } else {
        puts(b->cfg.name);
    }
    return cli_finish(c);
}

/* "starting quiet-otter (qemu: …)": the machine is chosen again by the keeper, which decides. */
static void tell_start(struct cli *c, const struct birth *b)
{
    char why[240] = "", hint[240] = "", line[400];
    const struct engine *engine;

    if (c->quiet || !c->terminal_err)
        return;
    engine = engine_choose(b->cfg.engine, why, hint, NULL);
    if (engine)
        snprintf(line, sizeof(line), "starting %s (%s: %s)", b->cfg.name, engine->name, why);
    else
        snprintf(line, sizeof(line), "starting %s", b->cfg.name);
    cli_progress(c, line);
}

static void detach_keys(struct cli *c, const struct birth *b, struct tty_keys *k)
{
    const char *text = args_text(c->args, OPT_DETACH_KEYS);
    int n;

    /* What nobody could find again cannot be left. */
    if (b->cfg.ephemeral || !b->session.tty)
        return;
    n = tty_parse_keys(text ? text : "ctrl-p,ctrl-q", k->keys);
    k->nkeys = n > 0 ? (unsigned)n : 0;
}

/* A sandbox that nobody named is gone when it ends, but not what it made of a workspace. */
static void settle(struct cli *c, struct birth *b)
{
    struct err e = ERR_INIT;
    uint32_t changes = 0;

    if ((!b->settle && !b->remembers) || !box_await_free(b->fd))
        return;
    if (!volumes_changes(c, b->fd, &changes, &e)) {
        if (!b->settle)
            return;
        if (changes && !b->discard) {
            cli_note(c, "%s is kept: %u changes to its workspace: carrel export %s", b->cfg.name,
                     changes, b->cfg.name);
            return;
        }
        if (!store_remove(b->store, b->cfg.id, &e))
            return;
    }
    cli_note(c, "%s is kept: %s", b->cfg.name, e.msg);
}

static int run_attached(struct cli *c, struct birth *b)
{
    struct session_ask ask = { .name = b->cfg.name,
                               .boxfd = b->fd,
                               .owns_box = true,
                               .wait_end = true,
                               .tty = b->session.tty,
                               .forward_stdin = b->session.forward_stdin };
    const struct asked_command cmd = {
        .argv = b->cfg.argv,
        .env = b->cfg.env,
        .cwd = b->cfg.cwd,
        .user = b->cfg.user,
        .timeout_ms = b->cfg.timeout_ms,
        .flags = MSG_F_MAIN,
    };
    struct session_result r;
    struct err e = ERR_INIT;
    struct msg_builder *request;
    int sock, err;

    detach_keys(c, b, &ask.detach);
    b->room = "engine";
    tell_start(c, b);
    err = start_keeper(c, &b->cfg, b->fd, true, b->hint, &e);
    if (err)
        return fail(c, b, &e);
    b->room = "keeper";
    sock = client_connect(b->fd, &e);
    if (sock < 0)
        return fail(c, b, &e);
    request = malloc(sizeof(*request));
    if (!request) {
        close(sock);
        err_set(&e, ENOMEM, "out of memory");
        return fail(c, b, &e);
    }
    asked_exec(request, &cmd, &b->session);
    err = session_run(c, sock, request, &ask, &r, &e);
    free(request);

    int status = err ? cli_fail(c, "output", &e, NULL) : session_finish(c, &ask, &r);

    /* Whatever became of the keeper, which may still be about to go: an ephemeral sandbox leaves
     * nothing behind. */
    if (!err && r.has_state)
        settle(c, b);
    if (b->cfg.ephemeral && !r.goes_on && box_await_free(b->fd))
        (void)!store_reconcile(b->store, b->cfg.id, NULL);
    birth_fini(b);
    return status;
}

static int run_detached(struct cli *c, struct birth *b)
{
    struct err e = ERR_INIT;

    b->room = "engine";
    tell_start(c, b);
    if (start_keeper(c, &b->cfg, b->fd, false, b->hint, &e))
        return fail(c, b, &e);
    cli_progress_end(c);

    int status = print_name(c, b);

    birth_fini(b);
    return status;
}

static int show_plan(struct cli *c, struct birth *b)
{
    int status = run_policy_print(c, &b->policy);

    birth_fini(b);
    return status;
}

int verb_run(struct cli *c)
{
    bool detached = args_has(c->args, OPT_DETACH);
    struct birth b = { .fd = -1, .policy.parent = -1 };
    struct err e = ERR_INIT;

    /* From here on an interrupt is remembered, and obeyed once there is somebody to tell. */
    if (signals_catch(&e) < 0)
        return cli_fail(c, "host", &e, NULL);
    if (conceive(c, &b, detached, &e))
        return fail(c, &b, &e);
    if (args_has(c->args, OPT_DRY_RUN))
        return show_plan(c, &b);
    return detached ? run_detached(c, &b) : run_attached(c, &b);
}

int verb_create(struct cli *c)
{
    struct birth b = { .fd = -1, .policy.parent = -1 };
    struct err e = ERR_INIT;

    if (conceive(c, &b, true, &e))
        return fail(c, &b, &e);
    if (args_has(c->args, OPT_DRY_RUN))
        return show_plan(c, &b);

    store_let_go(b.store);

    int status = print_name(c, &b);

    birth_fini(&b);
    return status;
}

static int start_one(struct cli *c, struct store *s, const char *what)
{
    char hint[HINT_MAX];
    struct err e = ERR_INIT;
    struct box b;
    int status = 0, err = box_open(&b, s, what, hint, &e);

    if (!err && box_lives(&b.state))
        err = err_set(&e, EBUSY, "%s is already %s", b.config.name, box_phase_name(b.state.phase));
    if (!err)
        err = start_keeper(c, &b.config, b.fd, false, hint, &e);
    if (err)
        status = cli_fail(c, "sandbox", &e, hint);
    else if (c->json)
        status = cli_json(c, json_pack("{s:s, s:s}", "id", b.id, "name", b.config.name))
                     ? 0
                     : EXIT_CARREL;
    else
        puts(b.config.name);
    box_fini(&b);
    return status;
}

int verb_start(struct cli *c)
{
    return box_each(c, start_one);
}
