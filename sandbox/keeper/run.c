/*
 * run.c - the keeper at work: the host's events, everything that is due by the clock, the end.
 *
 * Deadlines are looked at here and nowhere else; the loop sleeps until the next one.
 */
#include "sandbox/keeper/keeper.h"

#include "base/failpoint.h"
#include "base/fd.h"
#include "sandbox/engine/cgroup.h"
#include "sandbox/store_dirs.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#define PING_MS       10000
#define SILENT_MS     60000
#define FRAME_REST_MS 60000 /* R02: from a guest's frame's first byte to its last */
#define LAST_WORDS_MS 5000  /* for clients to take what an ended guest had said */
#define FAREWELL_MS   3000  /* for clients to take ENDED */

/* ---- what the host tells ---- */

static void engine_gone(struct keeper *k, int status, const struct rusage *used)
{
    struct engine_end end = { 0 };

    limits_end(k, used);
    loop_remove(&k->loop, &k->children);
    if (k->engine_report.fd >= 0)
        loop_remove(&k->loop, &k->engine_report);
    keeper_trace(k, "engine gone");
    k->engine->end(&k->run, status, &end);
    keeper_jail_told(k); /* also when it was refused */
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && cgroup_had_oom(&k->jail_record))
        snprintf(end.text, sizeof(end.text),
                 "the kernel killed it: its cgroup had no more memory (memory.max)");
    keeper_jail_over(k);
    if (k->life != LIFE_KILLING || !k->state.reason[0])
        keeper_log(k, "engine ended: %s %s", end.reason, end.text);
    k->state.vmm_pid = 0;
    k->state.vmm_start = 0;
    wire_drain(k);
    keeper_reason(k, end.reason, end.text);
    keeper_event(k, LIFE_GONE);
}

/* The holder has reaped somebody: the machine, its carrel-files, or one whose namespaces could not
 * be had. */
static void on_child_gone(struct loop_source *s, uint32_t events)
{
    struct keeper *k = container_of(s, struct keeper, children);
    struct hold_end end;

    (void)events;
    if (FAILPOINT("run.reap") || !hold_ended(k->hold, &end))
        return;
    if (end.pid == k->run.pid)
        engine_gone(k, end.status, &end.used);
    else if (end.pid == k->files.run.pid)
        keeper_files_gone(k, end.status);
}

static void on_engine_report(struct loop_source *s, uint32_t events)
{
    struct keeper *k = container_of(s, struct keeper, engine_report);

    (void)events;
    if (!k->engine->report(&k->run)) {
        loop_remove(&k->loop, s);
        s->fd = -1;
    }
    keeper_jail_told(k);
}

static void on_signal(struct loop_source *s, uint32_t events)
{
    struct keeper *k = container_of(s, struct keeper, signals);
    struct signalfd_siginfo info;

    (void)events;
    if (read(s->fd, &info, sizeof(info)) != sizeof(info))
        return;
    keeper_log(k, "signal %u", info.ssi_signo);
    keeper_reason(k, "stopped", "its keeper was asked to end");
    keeper_event(k, k->life > LIFE_RUNNING ? LIFE_KILL : LIFE_STOP);
}

static int watch(struct keeper *k, struct loop_source *s, int fd,
                 void (*ready)(struct loop_source *, uint32_t), struct err *e)
{
    *s = (struct loop_source){ .fd = fd, .ready = ready };
    if (FAILPOINT("run.watch"))
        return err_sys(e, "events");
    return fd < 0 ? 0 : loop_add(&k->loop, s, EPOLLIN, e);
}

static int watch_host(struct keeper *k, struct err *e)
{
    sigset_t set;
    int fd, err;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    /* blocked since main() */
    fd = FAILPOINT("run.signals") ? -1 : signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return err_sys(e, "signals");
    err = watch(k, &k->signals, fd, on_signal, e);
    if (!err)
        err = watch(k, &k->children, k->hold->socket, on_child_gone, e);
    if (!err)
        err = watch(k, &k->engine_report, k->run.report_fd, on_engine_report, e);
    return err;
}

/* ---- time ---- */

static void on_deadline(struct keeper *k)
{
    k->deadline = 0;
    if (k->life == LIFE_BOOTING) {
        guard_note(k->guard, "watchdog", "the guest did not come up in time");
        keeper_reason(k, "watchdog", "the guest did not come up in time");
    }
    /* Its command was asked and did not end; without a disk there is nothing to put in order. */
    keeper_event(k, k->life == LIFE_ASKING && keeper_is_volatile(k) ? LIFE_SPENT : LIFE_DEADLINE);
}

static void check_pulse(struct keeper *k, int64_t now)
{
    int64_t limit = keeper_setting("CARREL_SILENT_MS", SILENT_MS);

    if (k->life != LIFE_RUNNING) {
        k->next_ping = 0;
        return;
    }
    if (k->silent_since && now - k->silent_since >= limit) {
        guard_note(k->guard, "watchdog", "the guest has stopped answering");
        keeper_reason(k, "watchdog", "the guest has stopped answering");
        keeper_event(k, LIFE_DEADLINE);
        return;
    }
    if (!k->silent_since && yamux_ping(k->wire.y, (uint32_t)now))
        k->silent_since = now;
    k->next_ping = now + keeper_setting("CARREL_PING_MS", PING_MS);
    if (k->silent_since && k->next_ping > k->silent_since + limit)
        k->next_ping = k->silent_since + limit;
}

/* R02 for the guest: streams on which a frame was begun and not gone on with. */
static int64_t expire_sessions(struct keeper *k, int64_t now)
{
    int64_t next = INT64_MAX, limit = keeper_setting("CARREL_FRAME_MS", FRAME_REST_MS);

    for (size_t i = 0; i < KEEPER_SESSIONS; i++) {
        struct session *s = &k->sessions[i];
        int64_t due = s->partial_since + limit;

        if (!s->id || !s->partial_since)
            continue;
        if (due <= now)
            session_lost(s, "the guest stopped in mid-message");
        else if (due < next)
            next = due;
    }
    return next;
}

/* Does what is due, and says how long to sleep. */
static int tick(struct keeper *k)
{
    int64_t now = keeper_now(), next, due;

    if (k->deadline && now >= k->deadline)
        on_deadline(k);
    if (k->main_due && now >= k->main_due) {
        k->main_due = 0;
        keeper_reason(k, "stopped", "no command came");
        keeper_event(k, LIFE_KILL);
    }
    if (k->port_due && now >= k->port_due) {
        k->port_due = 0;
        if (k->life < LIFE_LEAVING) { /* only the engine can close it, whatever its guest does */
            keeper_reason(k, "vmm-crash", "the engine closed the control port and did not end");
            keeper_event(k, LIFE_KILL);
        }
    }
    if (k->next_ping && now >= k->next_ping)
        check_pulse(k, now);
    next = link_expire(k, now);
    due = door_tick(k, now);
    next = due < next ? due : next;
    due = expire_sessions(k, now);
    next = due < next ? due : next;
    due = jobs_tick(k, now);
    next = due < next ? due : next;
    due = limits_tick(k, now);
    next = due < next ? due : next;
    due = guard_tick(k->guard);
    next = due >= 0 && now + due < next ? now + due : next;
    if (guard_has_changed(k->guard))
        keeper_decide_again(k);
    if (guard_is_lost(k->guard)) {
        keeper_reason(k, "stopped",
                      "nothing more can be recorded, and the policy says to stop then");
        keeper_event(k, LIFE_KILL);
    }
    next = k->deadline && k->deadline < next ? k->deadline : next;
    next = k->main_due && k->main_due < next ? k->main_due : next;
    next = k->port_due && k->port_due < next ? k->port_due : next;
    next = k->next_ping && k->next_ping < next ? k->next_ping : next;
    if (next == INT64_MAX)
        return -1;
    return next <= now ? 0 : next - now > 3600000 ? 3600000 : (int)(next - now);
}

/* ---- the end ---- */

/* Something an ended guest had said still waits for a slow client. */
static bool has_last_words(const struct keeper *k)
{
    for (size_t i = 0; i < KEEPER_SESSIONS; i++) {
        const struct session *s = &k->sessions[i];

        if (s->id && (s->have || yamux_readable(k->wire.y, s->id)) && !s->partial_since)
            return true;
    }
    return false;
}

static void say_farewell(struct link *l, const char *text)
{
    if (l->state == LINK_LEAVING)
        return;
    l->session = NULL;
    if (text && link_has_room(l, (uint32_t)strlen(text)))
        link_put(l, MSG_ENDED, text, strlen(text));
    link_leave(l);
}

/* An orderly end: the truth on disk, or nothing on disk; the lock let go; then everybody told. */
static int finish(struct keeper *k, struct err *e)
{
    struct err why = ERR_INIT;
    int64_t until;
    char *text;

    k->state.ended_ns = keeper_utc_ns();
    k->state.keeper_pid = 0;
    k->state.keeper_start = 0;
    k->state.phase = BOX_ENDED;
    journal_drain(&k->console);
    journal_drain(&k->engine_log);
    keeper_files_drain(k);
    keeper_files_over(k);
    (void)FAILPOINT("finish.audit");
    guard_close(k->guard, k->state.reason);
    k->guard = NULL;
    door_close(k);
    if (k->cfg.ephemeral) {
        if (store_remove_locked(k->store, k->cfg.id, k->boxfd, &why)) {
            keeper_log(k, "removal: %s", why.msg);
            keeper_save(k);
        }
    } else {
        keeper_save(k);
    }
    keeper_trace(k, "ended");
    (void)FAILPOINT("finish.unlock");
    box_unlock(&k->lock);
    (void)FAILPOINT("finish.tell");
    text = box_state_to_json(&k->state, &why);
    for (struct link *l = k->links; l; l = l->next)
        say_farewell(l, text);
    free(text);
    for (until = keeper_now() + FAREWELL_MS; k->links && keeper_now() < until;)
        if (loop_once(&k->loop, 100, e))
            return -EIO;
    return 0;
}

void keeper_settle(struct keeper *k, bool now)
{
    bool engine = k->jail_told || !k->run.jailed;
    bool files = k->files.run.pid <= 0 || k->files.run.jailed;
    struct err e = ERR_INIT;

    if (k->settled || !(now || (engine && files)))
        return;
    k->settled = true;
    if (!k->lock_down || k->lock_down(k, &e) == 0)
        return;
    k->open = true;
    keeper_log(k, "%s", e.msg);
    keeper_reason(k, "refused", e.msg);
    keeper_event(k, LIFE_KILL);
}

int keeper_run(struct keeper *k, struct err *e)
{
    int err = watch_host(k, e);

    while (!err &&
           (!k->reaped_at || (has_last_words(k) && keeper_now() - k->reaped_at < LAST_WORDS_MS))) {
        int wait = tick(k);

        keeper_settle(k, false);
        wire_pump(k); /* for what the clock or a signal caused */
        err = loop_once(&k->loop, k->reaped_at ? 50 : wait, e);
    }
    return err ? err : finish(k, e);
}
