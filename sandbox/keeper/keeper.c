/*
 * keeper.c - a sandbox's life: what happens is fed to the table, what the table says is done.
 */
#include "sandbox/keeper/keeper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HANGUP_GRACE_MS 2000 /* for a command whose client went away */
#define POWEROFF_ASK_MS 2000 /* in the guest, between TERM and KILL */
#define POWEROFF_MS     7000 /* until the machine must be off */
#define TERMINATE_MS    3000
#define KILL_AGAIN_MS   2000

/* ---- state ---- */

void keeper_save(struct keeper *k)
{
    struct err e = ERR_INIT;

    k->state.phase = life_phase(k->life);
    if (box_save_state(k->boxfd, &k->state, !k->cfg.ephemeral, &e))
        keeper_log(k, "state: %s", e.msg);
}

void keeper_reason(struct keeper *k, const char *reason, const char *text)
{
    if (k->state.reason[0])
        return;
    snprintf(k->state.reason, sizeof(k->state.reason), "%s", reason);
    snprintf(k->state.text, sizeof(k->state.text), "%s", text);
}

/* Ended, whether it was reaped or not. */
static bool engine_is_gone(const struct keeper *k)
{
    struct pollfd p = { .fd = k->run.pidfd, .events = POLLIN };

    return poll(&p, 1, 0) == 1;
}

void keeper_broken(struct keeper *k, const char *why)
{
    if (k->life >= LIFE_LEAVING)
        return; /* it is being ended anyway, and a guest that powers off closes its port */
    keeper_log(k, "guest: protocol broken: %s", why);
    if (engine_is_gone(k))
        return; /* what looks broken was cut off: the engine's own end says why */
    keeper_reason(k, "protocol", why);
    keeper_event(k, LIFE_KILL);
}

bool keeper_is_volatile(const struct keeper *k)
{
    return !k->has_volumes && (k->cfg.ephemeral || k->cfg.disk_bytes == 0);
}

/* ---- actions ---- */

static void signal_engine(struct keeper *k, int signo)
{
    if (syscall(SYS_pidfd_send_signal, k->run.pidfd, signo, NULL, 0) && errno != ESRCH)
        keeper_log(k, "engine: signal %d: %s", signo, strerror(errno));
}

/* The event that follows at once, or LIFE_EVENTS for none. */
static enum life_event ask_main(struct keeper *k)
{
    const struct msg_frame f = { .type = MSG_SIGNAL, .len = 1, .body = &k->ask_signal };

    if (!k->main)
        return keeper_is_volatile(k) ? LIFE_SPENT : LIFE_DONE;
    k->deadline = keeper_now() + k->grace_ms;
    if (!session_send(k->main, &f))
        k->deadline = keeper_now(); /* it does not even read: insist */
    return LIFE_EVENTS;
}

static void power_off(struct keeper *k)
{
    const struct request r = { .type = MSG_POWEROFF };
    struct err e = ERR_INIT;

    k->deadline = keeper_now() + POWEROFF_MS;
    msg_begin(&k->builder, MSG_POWEROFF);
    msg_add_u32(&k->builder, MSG_GRACE, POWEROFF_ASK_MS);
    k->poweroff = session_open(k, &r, &k->builder, &e);
    if (!k->poweroff) {
        keeper_log(k, "power-off: %s", e.msg);
        k->deadline = keeper_now();
    }
}

static enum life_event act(struct keeper *k, enum life_action a)
{
    switch (a) {
    case LIFE_NOTHING:
    case LIFE_LAUNCH: break; /* keeper_launch does it and then starts the life */
    case LIFE_ASK_MAIN: return ask_main(k);
    case LIFE_POWEROFF: power_off(k); break;
    case LIFE_TERMINATE:
        k->deadline = keeper_now() + TERMINATE_MS;
        signal_engine(k, SIGTERM);
        break;
    case LIFE_KILL_VMM:
        k->deadline = keeper_now() + KILL_AGAIN_MS;
        signal_engine(k, SIGKILL);
        break;
    case LIFE_REAP: k->reaped_at = keeper_now(); break;
    }
    return LIFE_EVENTS;
}

static enum life_event step(struct keeper *k, enum life_event ev)
{
    struct life_step to;
    struct err e = ERR_INIT;
    enum box_phase before = life_phase(k->life);

    if (life_next(k->life, ev, &to, &e)) {
        keeper_log(k, "%s", e.msg);
        return LIFE_EVENTS;
    }
    if (to.next != k->life)
        k->deadline = 0;
    k->life = to.next;
    /* The end is recorded when everything is done; a power cut before it looks like any other. */
    if (life_phase(k->life) != before && k->life != LIFE_ENDED &&
        !(k->life == LIFE_KILLING && k->cfg.ephemeral))
        keeper_save(k);
    return act(k, to.action);
}

void keeper_event(struct keeper *k, enum life_event ev)
{
    while (ev != LIFE_EVENTS)
        ev = step(k, ev);
}

/* ---- what sessions tell ---- */

static void setup_over(struct keeper *k, const struct msg_frame *last)
{
    keeper_trace(k, "guest is up");
    keeper_files_drain(k); /* another keeper does not know what it was to be locked into */
    if (last->type != MSG_DONE) {
        keeper_reason(k, "refused", "the guest could not be set up");
        keeper_log(k, "guest: setup: %.*s", last->len > 4 ? (int)(last->len - 4) : 0,
                   (const char *)last->body + 4);
        keeper_event(k, LIFE_KILL);
        return;
    }
    k->state.ready_ns = keeper_utc_ns();
    k->next_ping = keeper_now(); /* the first one at once */
    keeper_event(k, LIFE_READY);
}

/* The command could not be started: what a shell would say. */
static int error_code(const struct msg_frame *f)
{
    uint32_t code = f->body[0] | (uint32_t)f->body[1] << 8;

    return code == ENOENT ? 127 : code == EACCES || code == ENOEXEC || code == EPERM ? 126 : 125;
}

static void main_over(struct keeper *k, const struct msg_frame *last)
{
    static const char *const reasons[] = {
        [MSG_EXITED] = "exited", [MSG_SIGNALED] = "signal", [MSG_TIMED_OUT] = "timeout"
    };

    keeper_trace(k, "main command ended");
    if (k->life == LIFE_BOOTING) {
        keeper_broken(k, "a command ended before the guest was set up");
        return;
    }
    if (last->type == MSG_EXIT) {
        if (strcmp(k->state.reason, "killed") != 0)
            k->state.exit_code = talk_exit_code(last);
        keeper_reason(k, reasons[last->body[0]], "");
    } else {
        char text[240];

        snprintf(text, sizeof(text), "%.*s", (int)(last->len - 4), (const char *)last->body + 4);
        k->state.exit_code = error_code(last);
        keeper_reason(k, "exited", text);
    }
    keeper_event(k, keeper_is_volatile(k) ? LIFE_SPENT : LIFE_DONE);
}

void keeper_session_over(struct keeper *k, struct session *s, const struct msg_frame *last)
{
    bool was_setup = s == k->setup, was_main = s == k->main, was_roster = s == k->roster;
    uint8_t body[4 + 240] = { 0 };
    struct msg_frame copy = { .type = last->type,
                              .len = last->len < sizeof(body) ? last->len : sizeof(body),
                              .body = body };

    /* The frame lies in the session's buffer, which goes with it. */
    if (copy.len)
        memcpy(body, last->body, copy.len);
    for (struct link *l = k->links, *next; l; l = next) {
        next = l->next;
        if (l->session == s && !l->is_main)
            link_leave(l);
    }
    if (s->job)
        job_left(s->job, last);
    s->job = NULL;
    session_drop(s);
    if (was_setup)
        setup_over(k, &copy);
    else if (was_roster)
        keeper_broken(k, "the guest does not tell of its jobs");
    else if (was_main)
        main_over(k, &copy);
}

struct session *keeper_start_command(struct keeper *k, const struct request *r,
                                     struct msg_builder *b, struct err *e)
{
    struct job *j = job_new(k, b, e);
    struct session *s = j ? session_open(k, r, b, e) : NULL;

    if (s) {
        s->job = j;
        j->session = s;
    } else if (j) {
        job_free(j);
    }
    return s;
}

/* Who takes over must be able to decide again about the main command. */
static void keep_main(struct keeper *k, const struct job *j)
{
    struct kept *kept = k->kept;

    kept->had_main = true;
    kept->main_tty = k->main->talk.tty;
    if (snprintf(kept->asked, KEPT_TEXT, "%s", j->asked) < (int)KEPT_TEXT &&
        snprintf(kept->held, KEPT_TEXT, "%s", j->held) < (int)KEPT_TEXT)
        kept->main_job = j->id;
}

int keeper_start_main(struct keeper *k, const struct request *r, struct msg_builder *b,
                      struct err *e)
{
    if (k->had_main)
        return err_set(e, EBUSY, "the sandbox has had its main command");
    k->main = keeper_start_command(k, r, b, e);
    if (!k->main)
        return -e->code;
    k->had_main = true;
    keep_main(k, k->main->job);
    k->main_due = 0;
    keeper_trace(k, "main command sent");
    return 0;
}

void keeper_decide_again(struct keeper *k)
{
    limits_again(k);
    jobs_decide_again(k);
    keeper_files_follow(k);
    for (size_t i = 0; i < KEEPER_SESSIONS; i++) {
        struct session *s = &k->sessions[i];

        if (!s->id || !s->asked || guard_still(k->guard, s->asked, NULL, NULL))
            continue;
        keeper_log(k, "ended by another policy: %s", s->asked);
        session_lost(s, "the policy in force now denies it");
    }
}

void keeper_client_gone(struct keeper *k)
{
    if (!k->cfg.ephemeral)
        return; /* it goes on, as it would without a terminal */
    keeper_log(k, "the client of the main command went away");
    k->ask_signal = SIGHUP;
    k->grace_ms = HANGUP_GRACE_MS;
    keeper_reason(k, "stopped", "its client went away");
    keeper_event(k, LIFE_STOP);
}
