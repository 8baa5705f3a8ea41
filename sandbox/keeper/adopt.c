/*
 * adopt.c - a keeper that was killed, and the one after it: the same machine, policy and log, on a
 * control connection of its own.
 *
 * What was on the wire is gone, and with it whoever talked: clients are told by their connections,
 * and their commands are ended. The main command waits in the guest (PROTOCOL, ATTACH), and says
 * again what the last keeper had not yet written to output.log.
 *
 * It may have been taken over before it was killed. So the next one takes what the machine is from
 * the holder, who was told before the guest said anything, and locks itself down before it reads
 * the sandbox's directory, the log or the memory that keepers share: a lie there leads to what that
 * keeper could do as well.
 */
#include "sandbox/keeper/keeper.h"

#include "base/failpoint.h"
#include "base/fd.h"
#include "policies/words.h"
#include "sandbox/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* ---- the one before ---- */

static struct hold_machine machine_of(const struct keeper *k)
{
    struct hold_machine m = { .engine = k->engine,
                              .pid = k->run.pid,
                              .uid = k->jail.uid,
                              .begun = k->kept->limits.begun,
                              .host = k->host,
                              .ncgroups = k->jail_record.ncgroups,
                              .files = k->files.run.pid };

    memcpy(m.cgroup, k->jail_record.cgroup, sizeof(m.cgroup));
    memcpy(m.mark, k->mark, sizeof(m.mark));
    memcpy(m.rules, k->files.rules, sizeof(m.rules));
    return m;
}

static void keep_output(struct keeper *k, uint64_t taken)
{
    struct kept *kept = k->kept;
    uint32_t next = !(kept->output_now & 1);

    kept->output[next].taken = taken;
    kept->output[next].size = k->output.size;
    kept->output_now = next;
}

void keeper_log_output(struct keeper *k, const void *bytes, size_t len)
{
    journal_write(&k->output, bytes, len);
    keep_output(k, k->kept->output[k->kept->output_now & 1].taken + len);
}

void keeper_provide(struct keeper *k)
{
    const struct hold_machine m = machine_of(k);
    struct err e = ERR_INIT;
    int fd[HOLD_FDS] = {
        [HOLD_LOCK] = k->lock,
        [HOLD_DOOR] = k->listener.fd,
        [HOLD_ENGINE] = k->run.pidfd,
        [HOLD_REPORT] = k->run.report_fd,
        [HOLD_LOG] = k->engine_log.from.fd,
        [HOLD_CONSOLE] = k->console.from.fd,
        [HOLD_UID] = k->jail.uid_fd,
        [HOLD_FILES] = k->files.run.pidfd,
        [HOLD_DENIALS] = k->files.run.report_fd,
    };

    for (unsigned i = 0; i < ENGINE_SPARES; i++)
        fd[HOLD_SPARE + i] = k->spares[i];
    if (hold_give(k->hold, &m, fd, &e))
        keeper_log(k, "no other keeper could go on: %s", e.msg);
    for (unsigned i = 0; i < ENGINE_SPARES; i++)
        fd_closep(&k->spares[i]); /* theirs */
}

/* ---- the one after ---- */

static int take(struct keeper *k, unsigned which)
{
    int fd = k->hold->fd[which];

    k->hold->fd[which] = -1;
    return fd;
}

/* The holder keeps it locked all the time, unless the last keeper let go of it for all that have
 * it: then the sandbox may be another's by now. */
static int take_lock(struct keeper *k, struct err *e)
{
    k->lock = take(k, HOLD_LOCK);
    if (flock(k->lock, LOCK_EX | LOCK_NB))
        return err_sys(e, "lock");
    return FAILPOINT("adopt.sign") ? err_sys(e, "lock") : box_sign(k->lock, k->hold->pid, e);
}

static int claim(struct keeper *k, struct err *e)
{
    int err = take_lock(k, e);

    if (!err)
        err = box_load_config(k->boxfd, &k->cfg, e);
    if (!err)
        err = box_load_state(k->boxfd, &k->state, e);
    if (err)
        return err;
    if (k->state.phase != BOX_RUNNING)
        return err_set(e, ESHUTDOWN, "the sandbox was %s", box_phase_name(k->state.phase));
    k->state.vmm_pid = k->run.pid; /* others go by the record: it is true again */
    k->state.vmm_start = proc_start_time(k->run.pid);
    snprintf(k->state.engine, sizeof(k->state.engine), "%s", k->engine->name);
    k->grace_ms = k->cfg.stop_grace_ms ? k->cfg.stop_grace_ms : KEEPER_GRACE_MS;
    return 0;
}

static void take_files(struct keeper *k)
{
    struct files *f = &k->files;

    f->run.pid = k->hold->machine.files;
    f->run.pidfd = take(k, HOLD_FILES);
    f->run.report_fd = take(k, HOLD_DENIALS);
    memcpy(f->rules, k->hold->machine.rules, sizeof(f->rules));
}

/* By the holder's word; that of the sandbox's directory is for people. */
static int take_machine(struct keeper *k, struct err *e)
{
    const struct hold_machine *m = &k->hold->machine;
    int uid = take(k, HOLD_UID);

    k->engine = m->engine;
    k->host = m->host;
    k->run.pid = m->pid;
    k->run.pidfd = take(k, HOLD_ENGINE);
    k->run.report_fd = take(k, HOLD_REPORT);
    k->jail_record.ncgroups = m->ncgroups;
    memcpy(k->jail_record.cgroup, m->cgroup, sizeof(m->cgroup));
    k->jail_told = true;
    take_files(k);
    return uid < 0 ? 0 : jail_keep_uid(&k->jail, m->uid, uid, e);
}

static int lock_down(struct keeper *k, struct err *e)
{
    k->settled = true;
    return k->lock_down ? k->lock_down(k, e) : 0;
}

static int go_on_with(struct keeper *k, struct journal *j, enum hold_fd from, struct err *e)
{
    int fd = take(k, from);

    return fd < 0 ? 0 : journal_follow(j, &k->loop, fd, e);
}

static int take_logs(struct keeper *k, struct err *e)
{
    uint64_t cap = guard_plan(k->guard)->console;
    int err = keeper_open_log(k, &k->output, "output.log", cap, true, e);

    if (!err && k->hold->fd[HOLD_CONSOLE] >= 0)
        err = keeper_open_log(k, &k->console, "console.log", cap, true, e);
    if (!err)
        err = go_on_with(k, &k->console, HOLD_CONSOLE, e);
    journal_init(&k->engine_log, fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3), KEEPER_ENGINE_LOG);
    journal_go_on(&k->engine_log);
    k->log_left = k->engine_log.left < k->log_left ? k->engine_log.left : k->log_left;
    return err ? err : go_on_with(k, &k->engine_log, HOLD_LOG, e);
}

static void look_at_volumes(struct keeper *k)
{
    const struct plan *plan = guard_plan(k->guard);

    for (uint32_t i = 0; i < plan->nmounts; i++)
        if (keeper_mount_writes(&plan->mounts[i]))
            k->has_volumes = true;
}

/* A keeper may have been killed between writing and saying so, or while it wrote. */
static uint64_t output_taken(struct keeper *k)
{
    uint32_t now = k->kept->output_now & 1;
    uint64_t taken = k->kept->output[now].taken, size = k->kept->output[now].size;

    return k->output.size > size ? taken + (k->output.size - size) : taken;
}

static int attach(struct keeper *k, struct err *e)
{
    const struct kept *kept = k->kept;
    const uint64_t taken = output_taken(k);
    const struct request r = { .type = MSG_EXEC, .flags = kept->main_tty ? MSG_F_TTY : 0u };

    k->had_main = kept->had_main;
    if (!k->had_main)
        return 0;
    if (!kept->main_job)
        return err_set(e, E2BIG, "what was decided about the main command is too long");
    msg_begin(&k->builder, MSG_ATTACH);
    keep_output(k, taken);
    msg_add_u32(&k->builder, MSG_JOB, kept->main_job);
    msg_add_u64(&k->builder, MSG_OFFSET, taken);
    k->main = session_open(k, &r, &k->builder, e);
    return k->main ? 0 : -e->code;
}

/* What it says first. */
static int greet(struct keeper *k, struct err *e)
{
    int err = wire_open(k, take(k, HOLD_SPARE + k->hold->turn - 1), e);

    if (!err)
        err = wire_greet(&k->wire, k->hold->machine.mark, e);
    if (!err)
        err = keeper_ask_jobs(k, e);
    if (!err)
        err = attach(k, e);
    if (!err)
        jobs_adopt(k, k->main);
    return err;
}

int keeper_adopt(struct keeper *k, const struct keeper_parts *p, struct err *e)
{
    char hint[240];
    int err = take_machine(k, e);

    if (!err)
        err = lock_down(k, e);
    if (!err)
        err = claim(k, e);
    if (!err)
        err = FAILPOINT("adopt.guard") ? err_sys(e, "policy")
                                       : keeper_open_guard(k, p, true, hint, e);
    if (!err)
        err = take_logs(k, e);
    if (!err)
        err = greet(k, e);
    if (!err)
        err = keeper_files_adopt(k, e);
    if (!err)
        err = door_watch(k, take(k, HOLD_DOOR), e);
    if (err)
        return err;
    look_at_volumes(k);
    limits_adopt(k);
    k->life = LIFE_RUNNING;
    k->next_ping = keeper_now();
    if (k->cfg.ephemeral && !k->had_main) /* its client may have been cut off */
        k->main_due = keeper_now() + keeper_setting("CARREL_AWAIT_MS", KEEPER_AWAIT_MAIN_MS);
    k->state.keeper_pid = getpid();
    k->state.keeper_start = proc_start_time(getpid());
    keeper_save(k);
    keeper_log(k, "adopted: the last keeper was killed");
    keeper_decide_again(k); /* a grant may have expired meanwhile */
    keeper_files_look(k);
    wire_pump(k);
    return 0;
}
