/* exec.c - exec, shell and attach: sessions in a sandbox that runs. */
#include "sandbox/cli/asked.h"
#include "sandbox/cli/box.h"
#include "sandbox/cli/env.h"
#include "sandbox/cli/session.h"
#include "sandbox/cli/shell.h"
#include "sandbox/cli/signals.h"
#include "sandbox/cli/verbs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char shell_script[] =
    "if command -v bash >/dev/null 2>&1; then exec bash -l; fi; exec sh -l";
static char shell_path[] = "/bin/sh", shell_flag[] = "-c";
char *const shell_argv[] = { shell_path, shell_flag, shell_script, NULL };

/* What a session in a sandbox needs; visit_fini frees all. */
struct visit {
    struct store *store;
    struct box box;
    struct asked_session session;
    char **env;                  /* owned */
    struct msg_builder *request; /* owned */
    char hint[HINT_MAX];
    bool usage; /* the failure is the command line's */
};

static void visit_fini(struct visit *v)
{
    env_free(v->env);
    free(v->request);
    box_fini(&v->box);
    store_close(v->store);
}

static int visit_open(struct cli *c, struct visit *v, struct err *e)
{
    v->box.fd = -1;
    v->request = malloc(sizeof(*v->request));
    if (!v->request)
        return err_set(e, ENOMEM, "out of memory");
    if (signals_catch(e) < 0)
        return -EIO;
    v->store = store_open(e);
    if (!v->store)
        return e->code ? -e->code : -EIO;
    return box_open(&v->box, v->store, c->args->operands[0], v->hint, e);
}

static int fail(struct cli *c, struct visit *v, const struct err *e)
{
    int status = v->usage ? cli_fail_usage(c, e, v->hint) : cli_fail(c, "sandbox", e, v->hint);

    visit_fini(v);
    return status;
}

/* The environment of the sandbox, then what is asked for now. */
static int visit_env(struct cli *c, struct visit *v, struct err *e)
{
    const char *term = getenv("TERM");
    char assignment[80];
    int err = env_set_all(&v->env, v->box.config.env, e);

    if (!err && v->session.tty) {
        snprintf(assignment, sizeof(assignment), "TERM=%s", term && *term ? term : "xterm");
        err = env_set(&v->env, assignment, e);
    }
    return err ? err : asked_env(c->args, &v->env, e);
}

static int visit_command(struct cli *c, struct visit *v, char *const *argv, struct err *e)
{
    const struct asked_stdio io = { isatty(STDIN_FILENO), isatty(STDOUT_FILENO),
                                    session_stdin_is_piped() };
    const char *cwd = args_text(c->args, OPT_WORKDIR), *user = args_text(c->args, OPT_USER);
    struct asked_command cmd = { .argv = argv };
    int err;

    v->usage = true;
    if (cwd && *cwd != '/')
        return err_set(e, EINVAL, "--workdir: \"%s\" is not an absolute path", cwd);
    err = asked_session(c->args, args_has(c->args, OPT_DETACH), &io, c->json, &v->session, e);
    if (!err)
        err = asked_duration(c->args, OPT_TIMEOUT, &cmd.timeout_ms, e);
    if (!err)
        err = visit_env(c, v, e);
    if (err)
        return err;
    v->usage = false;
    cmd.env = v->env;
    cmd.cwd = cwd ? cwd : v->box.config.cwd;
    cmd.user = user ? user : v->box.config.user;
    cmd.flags = args_has(c->args, OPT_DETACH) ? 0 : MSG_F_HANGUP;
    asked_exec(v->request, &cmd, &v->session);
    return 0;
}

static int visit_run(struct cli *c, struct visit *v, const struct session_ask *ask)
{
    struct session_result r;
    struct err e = ERR_INIT;
    int sock = box_connect(&v->box, v->hint, &e);

    if (sock < 0)
        return fail(c, v, &e);

    int err = session_run(c, sock, v->request, ask, &r, &e);
    int status = err ? cli_fail(c, "output", &e, NULL) : session_finish(c, ask, &r);

    visit_fini(v);
    return status;
}

static int visit(struct cli *c, char *const *argv)
{
    struct visit v = { 0 };
    struct err e = ERR_INIT;

    if (visit_open(c, &v, &e) || visit_command(c, &v, argv, &e))
        return fail(c, &v, &e);

    const struct session_ask ask = { .name = v.box.config.name,
                                     .boxfd = v.box.fd,
                                     .tty = v.session.tty,
                                     .forward_stdin = v.session.forward_stdin,
                                     .leaves_when_started = args_has(c->args, OPT_DETACH) };

    return visit_run(c, &v, &ask);
}

int verb_exec(struct cli *c)
{
    return visit(c, c->args->operands + 1);
}

int verb_shell(struct cli *c)
{
    return visit(c, shell_argv);
}

int verb_attach(struct cli *c)
{
    const char *keys = args_text(c->args, OPT_DETACH_KEYS);
    struct visit v = { 0 };
    struct err e = ERR_INIT;
    struct session_ask ask = { .owns_box = true, .wait_end = true, .joins = true };

    if (visit_open(c, &v, &e))
        return fail(c, &v, &e);

    int n = tty_parse_keys(keys ? keys : "ctrl-p,ctrl-q", ask.detach.keys);

    if (n < 0) {
        v.usage = true;
        err_set(&e, EINVAL, "--detach-keys: not keys: \"%s\" (like ctrl-p,ctrl-q)", keys);
        return fail(c, &v, &e);
    }
    ask.name = v.box.config.name;
    ask.boxfd = v.box.fd;
    ask.tty = v.box.config.tty && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    ask.forward_stdin = v.box.config.stdin_open && (ask.tty || session_stdin_is_piped());
    ask.detach.nkeys = ask.tty ? (unsigned)n : 0;
    msg_begin(v.request, MSG_ATTACH);
    msg_add_u32(v.request, MSG_FLAGS, ask.forward_stdin ? MSG_F_STDIN : 0);
    return visit_run(c, &v, &ask);
}
