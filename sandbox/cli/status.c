/* status.c - how a session ended, as an exit status and as words. */
#include "sandbox/cli/session.h"
#include "sandbox/cli/signals.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

/* What a guest's refusal to execute means to a shell: docs of exec(3p), 126 and 127. */
static int refusal_status(int code)
{
    switch (code) {
    case ENOENT: return EXIT_NOT_FOUND;
    case EACCES:
    case EPERM:
    case ENOEXEC:
    case EISDIR:
    case ENOTDIR:
    case ELOOP:
    case ETXTBSY: return EXIT_NOT_EXECUTED;
    default: return EXIT_CARREL;
    }
}

static int exit_object(struct cli *c, int status, const char *reason, int signo)
{
    const char *name = signals_name(signo);
    json_t *o = json_pack("{s:s, s:i, s:s}", "t", "exit", "code", status, "reason", reason);

    if (o && signo)
        json_object_set_new(o, "signal", name ? json_string(name) : json_integer(signo));
    return cli_json(c, o) && cli_finish(c) == 0 ? status : EXIT_CARREL;
}

static int finish_exited(struct cli *c, const struct session_ask *ask,
                         const struct session_result *r)
{
    const char *reason = "exited";
    int status = (int)r->code, signo = 0;

    if (r->kind == MSG_TIMED_OUT) {
        status = EXIT_TIMED_OUT;
        reason = "timeout";
        cli_note(c, "%s: the time given by --timeout ran out", ask->name);
    } else if (r->kind == MSG_SIGNALED) {
        signo = (int)(r->code & 0x7f);
        status = EXIT_SIGNAL + signo;
        reason = "signal";
    }
    if (r->has_state && *r->state.reason && strcmp(r->state.reason, "exited") != 0 &&
        strcmp(r->state.reason, "poweroff") != 0)
        reason = r->state.reason;
    return c->json ? exit_object(c, status, reason, signo) : status;
}

/* The machine ended under the command. */
static int finish_ended(struct cli *c, const struct session_ask *ask,
                        const struct session_result *r)
{
    struct err e = ERR_INIT;
    const struct box_state *st = &r->state;
    /* Somebody's wish: the command was killed with its machine. */
    bool wished = strcmp(st->reason, "stopped") == 0 || strcmp(st->reason, "killed") == 0;
    int status = st->exit_code >= 0 ? st->exit_code : EXIT_SIGNAL + SIGKILL;

    if (!r->has_state)
        err_set(&e, EPIPE, "%s ended: its keeper went away", ask->name);
    else if (wished || st->exit_code >= 0) {
        cli_note(c, "%s ended: %s%s%s", ask->name, st->reason, *st->text ? ": " : "", st->text);
        return c->json ? exit_object(c, status, st->reason, 0) : status;
    } else
        err_set(&e, EIO, "%s ended before its command did: %s%s%s", ask->name,
                *st->reason ? st->reason : "no reason known", *st->text ? ": " : "", st->text);
    return cli_fail(c, "machine", &e, "");
}

int session_finish(struct cli *c, const struct session_ask *ask, const struct session_result *r)
{
    int status;

    cli_progress_end(c);
    switch (r->how) {
    case SESSION_EXITED: return finish_exited(c, ask, r);
    case SESSION_ENDED: return finish_ended(c, ask, r);
    case SESSION_DETACHED:
        if (c->json)
            return exit_object(c, 0, "detached", 0);
        fprintf(stderr, "\r\ncarrel: detached; `carrel attach %s` comes back\n", ask->name);
        return 0;
    case SESSION_KILLED:
        status = EXIT_SIGNAL + r->signo;
        return c->json ? exit_object(c, status, "killed", r->signo) : status;
    case SESSION_REFUSED:
        status = refusal_status(r->why.code);
        (void)cli_fail(c, "exec", &r->why, "");
        return status;
    case SESSION_DENIED: (void)cli_fail(c, "policy", &r->why, r->hint); return EXIT_NOT_EXECUTED;
    case SESSION_LOST: break;
    }
    return cli_fail(c, "keeper", &r->why, r->hint);
}
