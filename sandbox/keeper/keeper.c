/*
 * keeper.c - a sandbox's life: what happens is fed to the table, what the table says is done.
 *
 * Deadlines are kept here and nowhere else; the loop sleeps until the next one.
 */
#include "sandbox/keeper/keeper.h"

#include "base/fd.h"
#include "sandbox/store_dirs.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define PING_MS         10000
#define SILENT_MS       60000
#define HANGUP_GRACE_MS 2000 /* for a command whose client went away */
#define POWEROFF_ASK_MS 2000 /* in the guest, between TERM and KILL */
#define POWEROFF_MS     7000 /* until the machine must be off */
#define TERMINATE_MS    3000
#define KILL_AGAIN_MS   2000
#define FRAME_REST_MS   60000 /* R02: from a guest's frame's first byte to its last */
#define LAST_WORDS_MS   5000  /* for clients to take what an ended guest had said */
#define FAREWELL_MS     3000  /* for clients to take ENDED */

int64_t keeper_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t keeper_setting(const char *name, int64_t otherwise)
{
    const char *text = getenv(name);
    char *end;
    long long v = text ? strtoll(text, &end, 10) : 0;

    return text && *text && *end == '\0' && v > 0 ? v : otherwise;
}

static int64_t utc_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- the log: standard error, which is keeper.log ---- */

void keeper_log(struct keeper *k, const char *fmt, ...)
{
    char line[512];
    struct timespec t;
    va_list ap;
    int n;

    clock_gettime(CLOCK_MONOTONIC, &t);
    n = snprintf(line, sizeof(line), "[%6lld.%03ld] ", (long long)t.tv_sec, t.tv_nsec / 1000000);
    va_start(ap, fmt);
    n += vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
    va_end(ap);
    if (n > (int)sizeof(line) - 2)
        n = sizeof(line) - 2;
    line[n++] = '\n';
    if ((uint64_t)n > k->log_left)
        return;
    k->log_left -= (uint64_t)n;
    if (write(STDERR_FILENO, line, (size_t)n) < 0)
        k->log_left = 0; /* a full disk: the sandbox goes on without */
}

void keeper_trace(struct keeper *k, const char *what)
{
    struct timespec t;

    if (!k->trace)
        return;
    clock_gettime(CLOCK_MONOTONIC, &t);
    keeper_log(k, "trace: %8.3f ms %s (clock %lld.%06ld)",
               (double)((t.tv_sec * 1000000000ll + t.tv_nsec) - k->t0) / 1e6, what,
               (long long)t.tv_sec, t.tv_nsec / 1000);
}

/* ---- state ---- */

static void save(struct keeper *k)
{
    struct err e = ERR_INIT;

    k->state.phase = life_phase(k->life);
    if (box_save_state(k->boxfd, &k->state, &e))
        keeper_log(k, "state: %s", e.msg);
}

void keeper_reason(struct keeper *k, const char *reason, const char *text)
{
    if (k->state.reason[0])
        return;
    snprintf(k->state.reason, sizeof(k->state.reason), "%s", reason);
    snprintf(k->state.text, sizeof(k->state.text), "%s", text);
}

void keeper_broken(struct keeper *k, const char *why)
{
    if (k->life >= LIFE_LEAVING)
        return; /* it is being ended anyway, and a guest that powers off closes its port */
    keeper_log(k, "guest: protocol broken: %s", why);
    keeper_reason(k, "protocol", why);
    keeper_event(k, LIFE_KILL);
}

/* Nothing on a disk of its own that anybody could want to see again. */
static bool is_volatile(const struct keeper *k)
{
    return k->cfg.ephemeral || k->cfg.disk_bytes == 0;
}

/* ---- actions ---- */

static void signal_engine(struct keeper *k, int signo)
{
    if (syscall(SYS_pidfd_send_signal, k->run.pidfd, signo, NULL, 0) && errno != ESRCH)
        keeper_log(k, "engine: signal %d: %s", signo, strerror(errno));
}

static void ask_main(struct keeper *k)
{
    const struct msg_frame f = { .type = MSG_SIGNAL, .len = 1, .body = &k->ask_signal };

    if (!k->main) {
        keeper_event(k, is_volatile(k) ? LIFE_SPENT : LIFE_DONE);
        return;
    }
    k->deadline = keeper_now() + k->grace_ms;
    if (!session_send(k->main, &f))
        k->deadline = keeper_now(); /* it does not even read: insist */
    wire_pump(k);
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
    wire_pump(k);
}

static void act(struct keeper *k, enum life_action a)
{
    switch (a) {
    case LIFE_NOTHING:
    case LIFE_LAUNCH: break; /* keeper_launch does it and then starts the life */
    case LIFE_ASK_MAIN: ask_main(k); break;
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
}

void keeper_event(struct keeper *k, enum life_event ev)
{
    struct life_step step;
    struct err e = ERR_INIT;
    enum box_phase before = life_phase(k->life);

    if (life_next(k->life, ev, &step, &e)) {
        keeper_log(k, "%s", e.msg);
        return;
    }
    if (step.next != k->life)
        k->deadline = 0;
    k->life = step.next;
    /* The end is recorded when everything is done; a power cut before it looks like any other. */
    if (life_phase(k->life) != before && k->life != LIFE_ENDED &&
        !(k->life == LIFE_KILLING && k->cfg.ephemeral))
        save(k);
    act(k, step.action);
}

/* ---- what sessions tell ---- */

static void setup_over(struct keeper *k, const struct msg_frame *last)
{
    keeper_trace(k, "guest is up");
    if (last->type != MSG_DONE) {
        keeper_reason(k, "refused", "the guest could not be set up");
        keeper_log(k, "guest: setup: %.*s", last->len > 4 ? (int)(last->len - 4) : 0,
                   (const char *)last->body + 4);
        keeper_event(k, LIFE_KILL);
        return;
    }
    k->state.ready_ns = utc_ns();
    k->next_ping = keeper_now() + keeper_setting("CARREL_PING_MS", PING_MS);
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
    keeper_event(k, is_volatile(k) ? LIFE_SPENT : LIFE_DONE);
}

void keeper_session_over(struct keeper *k, struct session *s, const struct msg_frame *last)
{
    bool was_setup = s == k->setup, was_main = s == k->main;
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
    session_drop(s);
    if (was_setup)
        setup_over(k, &copy);
    else if (was_main)
        main_over(k, &copy);
}

int keeper_start_main(struct keeper *k, const struct request *r, struct msg_builder *b,
                      struct err *e)
{
    if (k->had_main)
        return err_set(e, EBUSY, "the sandbox has had its main command");
    k->main = session_open(k, r, b, e);
    if (!k->main)
        return -e->code;
    k->had_main = true;
    k->main_due = 0;
    keeper_trace(k, "main command sent");
    return 0;
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

/* ---- what the host tells ---- */

static void on_engine_gone(struct loop_source *s, uint32_t events)
{
    struct keeper *k = container_of(s, struct keeper, engine_gone);
    struct engine_end end = { 0 };
    int status;

    (void)events;
    if (waitpid(k->run.pid, &status, WNOHANG) != k->run.pid)
        return;
    loop_remove(&k->loop, s);
    if (k->engine_report.fd >= 0)
        loop_remove(&k->loop, &k->engine_report);
    keeper_trace(k, "engine gone");
    k->engine->end(&k->run, status, &end);
    if (k->life != LIFE_KILLING || !k->state.reason[0])
        keeper_log(k, "engine ended: %s %s", end.reason, end.text);
    k->state.vmm_pid = 0;
    k->state.vmm_start = 0;
    wire_drain(k);
    keeper_reason(k, end.reason, end.text);
    keeper_event(k, LIFE_GONE);
}

static void on_engine_report(struct loop_source *s, uint32_t events)
{
    struct keeper *k = container_of(s, struct keeper, engine_report);

    (void)events;
    if (!k->engine->report(&k->run)) {
        loop_remove(&k->loop, s);
        s->fd = -1;
    }
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
    return fd < 0 ? 0 : loop_add(&k->loop, s, 1 /* EPOLLIN */, e);
}

static int watch_host(struct keeper *k, struct err *e)
{
    sigset_t set;
    int fd, err;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK); /* blocked since main() */
    if (fd < 0)
        return err_sys(e, "signals");
    err = watch(k, &k->signals, fd, on_signal, e);
    if (!err)
        err = watch(k, &k->engine_gone, k->run.pidfd, on_engine_gone, e);
    if (!err)
        err = watch(k, &k->engine_report, k->run.report_fd, on_engine_report, e);
    return err;
}

/* ---- time ---- */

static void on_deadline(struct keeper *k)
{
    k->deadline = 0;
    if (k->life == LIFE_BOOTING)
        keeper_reason(k, "watchdog", "the guest did not come up in time");
    /* Its command was asked and did not end; without a disk there is nothing to put in order. */
    keeper_event(k, k->life == LIFE_ASKING && is_volatile(k) ? LIFE_SPENT : LIFE_DEADLINE);
}

static void check_pulse(struct keeper *k, int64_t now)
{
    int64_t limit = keeper_setting("CARREL_SILENT_MS", SILENT_MS);

    if (k->life != LIFE_RUNNING) {
        k->next_ping = 0;
        return;
    }
    if (k->silent_since && now - k->silent_since >= limit) {
        keeper_reason(k, "watchdog", "the guest has stopped answering");
        keeper_event(k, LIFE_DEADLINE);
        return;
    }
    if (!k->silent_since && yamux_ping(k->wire.y, (uint32_t)now))
        k->silent_since = now;
    k->next_ping = now + keeper_setting("CARREL_PING_MS", PING_MS);
    if (k->silent_since && k->next_ping > k->silent_since + limit)
        k->next_ping = k->silent_since + limit;
    wire_pump(k);
}

/* R02 for the guest: streams on which a frame was begun and not gone on with. */
static int64_t expire_sessions(struct keeper *k, int64_t now)
{
    int64_t next = INT64_MAX;

    for (size_t i = 0; i < KEEPER_SESSIONS; i++) {
        struct session *s = &k->sessions[i];
        int64_t due = s->partial_since + FRAME_REST_MS;

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
        keeper_broken(k, "the control port was closed");
    }
    if (k->next_ping && now >= k->next_ping)
        check_pulse(k, now);
    next = link_expire(k, now);
    due = expire_sessions(k, now);
    next = due < next ? due : next;
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

    k->state.ended_ns = utc_ns();
    k->state.keeper_pid = 0;
    k->state.keeper_start = 0;
    k->state.phase = BOX_ENDED;
    journal_drain(&k->console);
    journal_drain(&k->engine_log);
    loop_remove(&k->loop, &k->listener);
    fd_closep(&k->listener.fd);
    if (unlinkat(k->boxfd, "keeper.sock", 0))
        keeper_log(k, "keeper.sock: %s", strerror(errno));
    if (k->cfg.ephemeral) {
        if (store_remove_locked(k->store, k->cfg.id, k->boxfd, &why)) {
            keeper_log(k, "removal: %s", why.msg);
            save(k);
        }
    } else {
        save(k);
    }
    keeper_trace(k, "ended");
    fd_closep(&k->lock);
    text = box_state_to_json(&k->state, &why);
    for (struct link *l = k->links; l; l = l->next)
        say_farewell(l, text);
    free(text);
    for (until = keeper_now() + FAREWELL_MS; k->links && keeper_now() < until;)
        if (loop_once(&k->loop, 100, e))
            return -EIO;
    return 0;
}

int keeper_run(struct keeper *k, struct err *e)
{
    int err = watch_host(k, e);

    while (!err &&
           (!k->reaped_at || (has_last_words(k) && keeper_now() - k->reaped_at < LAST_WORDS_MS))) {
        int wait = tick(k);

        err = loop_once(&k->loop, k->reaped_at ? 50 : wait, e);
    }
    return err ? err : finish(k, e);
}
