/*
 * begin.c - the machine's beginning, once its parts are open: logs, wire, first words, process.
 *
 * The engine's process is on record in state.json before it executes anything (see engine.h).
 */
#include "sandbox/keeper/keeper.h"

#include "base/failpoint.h"
#include "base/fd.h"
#include "policies/words.h"
#include "sandbox/engine/cgroup.h"
#include "sandbox/guard/facts.h"
#include "sandbox/image/initrd.h"
#include "sandbox/image/verity.h"
#include "sandbox/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define KEEPER_LOG_CAP (1u << 20)
#define BOOT_KVM_MS    60000
#define BOOT_QEMU_MS   120000
#define SEED_BYTES     64

struct keeper *keeper_new(int boxfd, struct hold *hold, bool await_main, struct err *e)
{
    struct keeper *k = calloc(1, sizeof(*k));
    struct timespec t;

    if (!k) {
        err_set(e, ENOMEM, "out of memory");
        return NULL;
    }
    clock_gettime(CLOCK_MONOTONIC, &t);
    k->t0 = t.tv_sec * 1000000000LL + t.tv_nsec;
    k->boxfd = boxfd;
    k->hold = hold;
    k->kept = hold->kept;
    for (unsigned i = 0; i < ENGINE_SPARES; i++)
        k->spares[i] = -1;
    k->lock = k->listener.fd = k->wire.src.fd = k->signals.fd = -1;
    k->engine_report.fd = k->children.fd = -1;
    k->await_main = await_main;
    k->trace = keeper_setting("CARREL_TRACE", 0);
    k->log_left = KEEPER_LOG_CAP;
    k->ask_signal = SIGTERM;
    engine_run_init(&k->run);
    keeper_files_init(&k->files);
    jail_init(&k->jail);
    journal_init(&k->console, -1, 0);
    journal_init(&k->engine_log, -1, 0);
    journal_init(&k->output, -1, 0);
    k->store = store_open(e);
    if (!k->store || loop_init(&k->loop, e)) {
        store_close(k->store);
        free(k);
        return NULL;
    }
    return k;
}

void keeper_free(struct keeper *k)
{
    while (k->links)
        link_free(k->links);
    journal_fini(&k->console);
    journal_fini(&k->engine_log);
    journal_fini(&k->output);
    for (size_t i = 0; i < KEEPER_SESSIONS; i++) {
        free(k->sessions[i].buf);
        free(k->sessions[i].asked);
    }
    jobs_fini(k);
    wire_close(&k->wire);
    fd_closep(&k->listener.fd);
    fd_closep(&k->signals.fd);
    for (unsigned i = 0; i < ENGINE_SPARES; i++)
        fd_closep(&k->spares[i]);
    engine_run_fini(&k->run);
    keeper_files_over(k);
    jail_fini(&k->jail);
    guard_close(k->guard, *k->state.reason ? k->state.reason : "refused");
    box_config_fini(&k->cfg);
    loop_fini(&k->loop);
    fd_closep(&k->lock);
    store_close(k->store);
    free(k);
}

int keeper_claim(struct keeper *k, struct err *e)
{
    struct box_state last;
    int err;

    k->lock = box_lock(k->boxfd, e);
    if (k->lock < 0)
        return k->lock;
    err = box_sign(k->lock, k->hold->pid, e);
    if (!err)
        err = box_load_config(k->boxfd, &k->cfg, e);
    if (!err)
        err = box_load_state(k->boxfd, &last, e);
    if (err)
        return err;
    if (last.phase != BOX_CREATED && (last.phase != BOX_ENDED || k->cfg.ephemeral)) {
        fd_closep(&k->lock); /* not ours to end: an engine may run, and only its record names it */
        return err_set(e, EBUSY, "the sandbox is %s: its last keeper was lost",
                       box_phase_name(last.phase));
    }
    k->grace_ms = k->cfg.stop_grace_ms ? k->cfg.stop_grace_ms : KEEPER_GRACE_MS;
    return 0;
}

int keeper_open_log(struct keeper *k, struct journal *j, const char *name, uint64_t cap,
                    bool goes_on, struct err *e)
{
    int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW;
    int fd = FAILPOINT("keeper.log.open")
                 ? -1
                 : openat(k->boxfd, name, goes_on ? flags : flags | O_TRUNC, 0600);

    if (fd < 0)
        return err_sys(e, "%s", name);
    journal_init(j, fd, cap);
    journal_go_on(j);
    return 0;
}

/* The engine's standard error through a pipe: capped, and never a way to fill the disk. */
static int open_engine_log(struct keeper *k, struct keeper_parts *p, struct err *e)
{
    int fds[2];

    journal_init(&k->engine_log, fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3), KEEPER_ENGINE_LOG);
    if (FAILPOINT("keeper.enginelog.pipe") || pipe2(fds, O_CLOEXEC))
        return err_sys(e, "pipe");
    p->log = fds[1];
    return journal_follow(&k->engine_log, &k->loop, fds[0], e);
}

/* The guest's kernel speaks only when asked to: a serial port costs an exit for each byte. */
static int open_console(struct keeper *k, struct keeper_parts *p, struct err *e)
{
    int fds[2];

    if (!keeper_setting("CARREL_CONSOLE", 0))
        return 0;
    if (keeper_open_log(k, &k->console, "console.log", guard_plan(k->guard)->console, false, e))
        return -e->code;
    if (FAILPOINT("keeper.console.pair") || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
        return err_sys(e, "socketpair");
    p->console = fds[1];
    return journal_follow(&k->console, &k->loop, fds[0], e);
}

/* Of the control port: one, and more for keepers to come. */
static int open_port(struct keeper *k, struct keeper_parts *p, struct err *e)
{
    int ours[1 + ENGINE_SPARES], theirs[1 + ENGINE_SPARES], err;

    memset(ours, 0xff, sizeof(ours));
    memset(theirs, 0xff, sizeof(theirs));
    err = k->engine->connect(k->boxfd, ours, theirs, array_len(ours), e);
    k->wire.src.fd = ours[0];
    p->port = theirs[0];
    for (unsigned i = 0; i < ENGINE_SPARES; i++) {
        k->spares[i] = ours[1 + i];
        if (theirs[1 + i] >= 0)
            p->spares[p->nspares++] = theirs[1 + i];
    }
    return err ? err : wire_open(k, ours[0], e);
}

/* Live mounts, and the socket through which their requests come. */
static void add_live(const struct keeper *k, const struct keeper_parts *p, struct engine_spec *spec)
{
    const struct plan *plan = guard_plan(k->guard);

    if (p->files < 0)
        return;
    spec->files_fd = p->files;
    for (uint32_t i = 0; i < plan->nmounts; i++) {
        const struct plan_mount *m = &plan->mounts[i];

        if (m->share == SHARE_LIVE && m->access != ACCESS_NONE)
            spec->live[spec->nlive++] = (struct engine_live){ .id = m->id,
                                                              .target = m->target,
                                                              .readonly = m->access == ACCESS_RO };
    }
}

/* image.verity: the root hash is of the blob that boots, whose digest a policy can pin. */
static int check_image(const struct keeper *k, const struct keeper_parts *p, struct verity *v,
                       char hint[240], struct err *e)
{
    if (!guard_plan(k->guard)->verity)
        return 0;
    if (verity_read(guard_image(k->guard), v, e)) {
        snprintf(hint, 240, "make it anew: carrel image build, import or pull");
        return err_wrap(e, "image.verity");
    }
    if (initrd_has_module(p->initrd, MODULE_FOR_VERITY))
        return 0;
    snprintf(hint, 240, "a distribution's kernel has it: carrel kernel fetch");
    return err_set(e, ENOTSUP, "image.verity: the guest kernel was added without dm-verity");
}

static int start_engine(struct keeper *k, const struct keeper_parts *p, const struct verity *v,
                        struct err *e)
{
    const struct plan *plan = guard_plan(k->guard);
    uint64_t half = k->cfg.mem_bytes / 2; /* a layer in memory leaves the guest the other half */
    struct engine_spec spec = {
        .mem_bytes = k->cfg.mem_bytes,
        .vcpus = k->cfg.vcpus,
        .kernel_fd = p->kernel,
        .initrd_fd = p->initrd,
        .image_fd = p->image,
        .disk_fd = p->disk,
        .port_fds = { p->port },
        .port_names = { "carrel.control" },
        .nports = 1,
        .sibling = true,
        .console_fd = p->console,
        .log_fd = p->log,
        .verity_blocks = v->blocks,
        .verity_root = v->root,
        .root_readonly = plan->root == ROOT_READ_ONLY,
        .no_balloon = !plan->balloon,
        .overlay_bytes = plan->root_bytes < half ? plan->root_bytes : half,
        .overlay_inodes = plan->root_inodes,
        .cmdline_extra = k->trace ? "carrel.trace" : NULL,
        .jail = JAILED ? &k->jail : NULL,
    };
    struct timespec t;

    memcpy(spec.volumes, p->volumes, sizeof(spec.volumes));
    spec.nvolumes = p->nvolumes;
    memcpy(spec.spare_fds, p->spares, sizeof(spec.spare_fds));
    spec.nspares = p->nspares;
    add_live(k, p, &spec);
    keeper_jail_prepare(k);

    int err = FAILPOINT("keeper.engine.start") ? err_sys(e, "engine")
                                               : k->engine->start(&spec, &k->run, e);

    if (err)
        return err;
    clock_gettime(CLOCK_REALTIME, &t);
    k->state = (struct box_state){
        .phase = BOX_BOOTING,
        .keeper_pid = getpid(),
        .keeper_start = proc_start_time(getpid()),
        .vmm_pid = k->run.pid,
        .vmm_start = proc_start_time(k->run.pid),
        .started_ns = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec,
        .exit_code = -1,
    };
    snprintf(k->state.engine, sizeof(k->state.engine), "%s", k->engine->name);
    err = FAILPOINT("keeper.record") ? err_sys(e, "state")
                                     : box_save_state(k->boxfd, &k->state, !k->cfg.ephemeral, e);
    if (!err)
        box_let_go(k->boxfd); /* from here on its state says what is to be done about it */
    if (!err && FAILPOINT("keeper.release"))
        err = err_sys(e, "engine");
    return err ? err : engine_release(&k->run, e);
}

int keeper_ask_jobs(struct keeper *k, struct err *e)
{
    const struct request jobs = { .type = MSG_JOBS };

    msg_begin(&k->builder, MSG_JOBS);
    k->roster = session_open(k, &jobs, &k->builder, e);
    return k->roster ? 0 : -e->code;
}

/* The first words on the wire; they wait there until the guest listens. */
static int greet(struct keeper *k, struct err *e)
{
    const struct request r = { .type = MSG_SETUP };
    const struct plan *plan = guard_plan(k->guard);
    uint8_t seed[SEED_BYTES];
    struct timespec t;

    if (FAILPOINT("keeper.seed") || getrandom(seed, sizeof(seed), 0) != sizeof(seed) ||
        !mark_make(k->mark))
        return err_sys(e, "random numbers");
    clock_gettime(CLOCK_REALTIME, &t);
    msg_begin(&k->builder, MSG_SETUP);
    msg_add_text(&k->builder, MSG_HOSTNAME, k->cfg.name);
    msg_add_u64(&k->builder, MSG_TIME, (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec);
    msg_add(&k->builder, MSG_SEED, seed, sizeof(seed));
    msg_add(&k->builder, MSG_MARK, k->mark, sizeof(k->mark));
    msg_add_u32(&k->builder, MSG_PIDS, (uint32_t)plan->pids);
    msg_add_u32(&k->builder, MSG_FILES, (uint32_t)plan->open_files);
    k->setup = session_open(k, &r, &k->builder, e);
    explicit_bzero(seed, sizeof(seed));
    return k->setup ? keeper_ask_jobs(k, e) : -e->code;
}

static int greet_main(struct keeper *k, char hint[240], struct err *e)
{
    struct request r;
    int err;

    if (k->await_main) {
        k->main_due = keeper_now() + keeper_setting("CARREL_AWAIT_MS", KEEPER_AWAIT_MAIN_MS);
        return 0;
    }
    if (!k->cfg.argv || !k->cfg.argv[0])
        return 0; /* it idles until somebody stops it */
    err = request_make_main(&k->cfg, &r, &k->builder, e);
    if (!err)
        err = guard_judge(k->guard, &k->builder, e);
    if (err)
        snprintf(hint, 240, "%s", guard_hint(k->guard));
    return err ? err : keeper_start_main(k, &r, &k->builder, e);
}

static int64_t boot_limit(const struct keeper *k)
{
    bool kvm = !strcmp(k->engine->name, "kvm");

    return keeper_setting("CARREL_BOOT_TIMEOUT", kvm ? BOOT_KVM_MS : BOOT_QEMU_MS);
}

int keeper_open_guard(struct keeper *k, const struct keeper_parts *p, bool adopted, char hint[240],
                      struct err *e)
{
    const struct guard_sandbox s = { .cfg = &k->cfg,
                                     .engine = k->engine->name,
                                     .host = k->host,
                                     .adopted = adopted,
                                     .boxfd = k->boxfd,
                                     .image_fd = p->image,
                                     .kernel_fd = p->kernel };

    k->guard = FAILPOINT("keeper.guard") ? (err_sys(e, "policy"), NULL) : guard_open(&s, hint, e);
    if (!k->guard)
        return -e->code;
    k->cfg.mem_bytes = guard_plan(k->guard)->memory;
    k->cfg.vcpus = (uint32_t)guard_plan(k->guard)->vcpus;
    keeper_trace(k, "policy in force");
    return 0;
}

/* The writable layer on disk, as large as was asked for and with as many files as the plan says. */
static int open_disk(struct keeper *k, struct keeper_parts *p, char hint[240], struct err *e)
{
    if (!k->cfg.disk_bytes || !p->open_disk)
        return 0;
    p->disk = p->open_disk(k->boxfd, k->cfg.disk_bytes, guard_plan(k->guard)->root_inodes, hint, e);
    return p->disk < 0 ? p->disk : 0;
}

int keeper_begin(struct keeper *k, struct keeper_parts *p, char hint[240], struct err *e)
{
    struct verity verity = { 0 };
    struct box_jail leaf;
    int err;

    k->host = facts_of(k->engine->name, JAILED && !cgroup_plan(&leaf, k->cfg.id, NULL));
    err = keeper_open_guard(k, p, false, hint, e);

    if (!err)
        err = check_image(k, p, &verity, hint, e);
    if (!err)
        limits_begin(k);
    if (!err)
        err = open_disk(k, p, hint, e);
    if (!err)
        err = keeper_open_volumes(k, p, e);
    if (!err)
        err = open_engine_log(k, p, e);
    if (!err)
        err = open_console(k, p, e);
    if (!err && !k->cfg.ephemeral)
        err = keeper_open_log(k, &k->output, "output.log", guard_plan(k->guard)->console, false, e);
    if (!err)
        err = open_port(k, p, e);
    if (!err)
        err = keeper_files_start(k, p, e);
    if (!err)
        err = greet(k, e);
    if (!err)
        err = greet_main(k, hint, e);
    keeper_trace(k, "parts opened");
    if (!err)
        err = start_engine(k, p, &verity, e);
    if (err)
        return err;
    keeper_trace(k, "engine started");
    if (FAILPOINT("keeper.started"))
        return err_sys(e, "engine");
    keeper_event(k, LIFE_START);
    k->deadline = keeper_now() + boot_limit(k);
    wire_pump(k);
    err = door_listen(k, e);
    if (!err)
        keeper_provide(k);
    return err;
}

void keeper_end(const struct engine_run *r)
{
    struct pollfd p = { .fd = r->pidfd, .events = POLLIN };

    if (r->pid <= 0)
        return;
    (void)syscall(SYS_pidfd_send_signal, r->pidfd, SIGKILL, NULL, 0);
    while (poll(&p, 1, -1) < 0 && errno == EINTR)
        ;
}

void keeper_undo(struct keeper *k)
{
    keeper_end(&k->run);
    keeper_files_over(k);
    keeper_jail_over(k);
}
