/*
 * files.c - carrel-files, which serves what the plan has as live mounts: started with the
 * directories, the rules and its filter; heard when it denies something; ended with the machine.
 *
 * It is the holder's child, as the machine is: a keeper that is killed leaves it to the next one.
 *
 * It ends by itself when the machine's end of its socket closes, and when the holder dies. When it
 * dies first the guest's requests fail with ENOTCONN, and the machine lives on; or, where the
 * engine would have them wait for ever (QEMU's device), the machine is ended.
 */
#include "sandbox/keeper/keeper.h"

#include "base/failpoint.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/own.h"
#include "policies/processes.h"
#include "policies/words.h"
#include "sandbox/confine/profile.h"
#include "sandbox/engine/spawn.h"
#include "sandbox/files/record.h"
#include "sandbox/files/report.h"
#include "sandbox/guard/user.h"
#include "sandbox/keeper/roots.h"
#include "sandbox/places.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Handles, roots, and what it was started with. */
#define DESCRIPTORS (4096u + 64u)

/* A sanitizer makes system calls of its own, under any filter. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FILTERED false
#else
#define FILTERED true
#endif

void keeper_files_init(struct files *f)
{
    *f = (struct files){ .reports = { .fd = -1 } };
    engine_run_init(&f->run);
}

/* What is handed over; the descriptors are ours until it has them. */
struct handing {
    int peer, report, record;
    int roots[FILES_MOUNTS_MAX];
    bool writable[FILES_MOUNTS_MAX];
    unsigned nroots;
};

static void handing_fini(struct handing *h)
{
    fd_closep(&h->peer);
    fd_closep(&h->report);
    fd_closep(&h->record);
    while (h->nroots)
        fd_closep(&h->roots[--h->nroots]);
}

static int open_roots(const struct plan *plan, struct handing *h, struct err *e)
{
    struct root apart[FILES_MOUNTS_MAX];

    for (uint32_t i = 0; i < plan->nmounts; i++) {
        const struct plan_mount *m = &plan->mounts[i];

        if (m->share != SHARE_LIVE || m->access == ACCESS_NONE)
            continue;
        if (h->nroots == FILES_MOUNTS_MAX)
            return err_set(e, E2BIG, "at most %u mounts can be live", FILES_MOUNTS_MAX);
        h->roots[h->nroots] =
            FAILPOINT("files.root") ? -1 : open(m->source, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (h->roots[h->nroots] < 0)
            return err_sys(e, "storage/%s: %s", m->id, m->source);
        apart[h->nroots] = (struct root){ m->id, h->roots[h->nroots] };
        h->writable[h->nroots++] = m->access == ACCESS_RW;
    }
    if (!h->nroots)
        return 0;

    auto_str char *path = places_state_dir(e);
    auto_fd int state = path ? open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;

    if (state < 0)
        return path ? err_sys(e, "%s", path) : -e->code;
    return roots_check(apart, h->nroots, state, e);
}

static void hash_rules(const struct text *scope, uint8_t out[SHA256_BYTES])
{
    SHA256((const unsigned char *)text_str(scope), scope->len, out);
}

static int write_scope(struct keeper *k, struct handing *h, struct text *scope, struct err *e)
{
    const struct policy *policy = guard_policy(k->guard);
    struct files_record r = { .magic = FILES_RECORD_MAGIC,
                              .version = FILES_RECORD_VERSION,
                              .size = sizeof(r),
                              .peer_fd = h->peer,
                              .report_fd = h->report,
                              .uid = volume_user(policy),
                              .nroots = h->nroots,
                              .guest_memory = k->cfg.mem_bytes };
    struct bpf_insn prog[BPF_INSNS_MAX];
    int err = FILTERED ? confine_profile("files", process_uses(guard_plan(k->guard)), prog,
                                         &r.filter_len, e)
                       : 0;

    if (err)
        return err;
    memcpy(r.roots, h->roots, sizeof(r.roots));
    guard_live_rules(k->guard, scope);
    hash_rules(scope, k->files.rules);
    r.scope_len = (uint32_t)scope->len;
    h->record = memfd_create("files", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    err = h->record < 0 ? -errno : io_write_full(h->record, &r, sizeof(r));
    if (!err)
        err = io_write_full(h->record, prog, r.filter_len * sizeof(*prog));
    if (!err)
        err = io_write_full(h->record, text_str(scope), scope->len);
    if (!err &&
        (lseek(h->record, 0, SEEK_SET) ||
         fcntl(h->record, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)))
        err = -errno;
    return err ? err_set(e, -err, "rules for live mounts: %s", strerror(-err)) : 0;
}

static int write_record(struct keeper *k, struct handing *h, struct err *e)
{
    struct text scope = TEXT_INIT;
    int err = write_scope(k, h, &scope, e);

    text_fini(&scope);
    return err;
}

/* As for the machine; but it has the identity of the user whose files they are, and no cgroup: what
 * it allocates is bounded by its tables, and the pages of the guest that it is the first to touch
 * by the guest's memory; it makes no process, and each request would pay for the accounts of two
 * leaves (a tenth, counted). */
static void prepare_jail(struct keeper *k)
{
    struct jail *j = &k->files.jail;

    jail_init(j);
    if (guard_plan(k->guard)->landlock)
        j->level[JAIL_LANDLOCK] = JAIL_REQUIRED;
    if (geteuid() == 0)
        j->level[JAIL_USER] = JAIL_OFF;
    j->level[JAIL_CGROUP] = j->level[JAIL_CGROUP_NS] = JAIL_OFF;
}

static int spawn_server(struct keeper *k, const struct keeper_parts *p, const struct handing *h,
                        struct err *e)
{
    auto_str char *path = places_program("carrel-files", e);
    char number[12], name[] = "carrel-files";
    char *argv[] = { name, number, NULL };
    struct spawn s;
    int err;

    if (!path)
        return -ENOENT;
    spawn_init(&s);
    s.path = path;
    s.argv = argv;
    s.log_fd = p->log;
    s.sibling = true;
    s.report_fd = spawn_keep(&s, h->report, JAIL_SOCK);
    if (FILTERED) {
        prepare_jail(k);
        s.jail = &k->files.jail;
    }
    s.limit[JAIL_LIMIT_NOFILE] = DESCRIPTORS;
    s.limit[JAIL_LIMIT_MEMLOCK] = 0;
    spawn_keep(&s, h->peer, JAIL_SOCK);
    snprintf(number, sizeof(number), "%d", spawn_keep(&s, h->record, JAIL_REG));
    for (unsigned i = 0; i < h->nroots; i++)
        spawn_keep(&s, h->roots[i], h->writable[i] ? JAIL_DIR_RW : JAIL_DIR);
    err = spawn_gated(&s, &k->files.run, e);
    jail_fini(&k->files.jail);
    /* It ends with the holder, and is on no record before it tells what it is locked into. */
    return err ? err : engine_release(&k->files.run, e);
}

/* ---- what it says ---- */

/* One report, as it should be; false: it is not. */
static bool hear(struct keeper *k, struct files_report *r, size_t len)
{
    struct files *f = &k->files;
    size_t head = offsetof(struct files_report, path);

    if (len <= head || len > sizeof(*r) || r->magic != FILES_REPORT_MAGIC || r->op >= FILE_OPS ||
        memchr(r->path, 0, len - head) != (char *)r + len - 1)
        return false;
    f->withheld += r->withheld;
    if (!f->tokens) {
        f->withheld++;
        return true;
    }
    f->tokens--;
    guard_note_denial(k->guard, r->op, r->path, f->withheld);
    f->withheld = 0;
    return true;
}

/* It speaks out of turn, or will not speak any more: it is ended, if it was not ending. The holder
 * says so. */
static void distrust(struct keeper *k)
{
    struct files *f = &k->files;

    loop_remove(&k->loop, &f->reports);
    f->reports.fd = -1;
    (void)syscall(SYS_pidfd_send_signal, f->run.pidfd, SIGKILL, NULL, 0);
}

/* First comes carrel-launch's word of what it built. */
static void hear_jail(struct keeper *k, const struct jail_report *r)
{
    struct files *f = &k->files;
    struct err e = ERR_INIT;

    f->run.jailed = true;
    f->run.filtered = FILTERED;
    f->run.jail = *r;
    keeper_jail_fill(&f->record, &f->jail, &f->run);
    snprintf(f->record.engine, sizeof(f->record.engine), "files");
    if (box_save_jail(k->boxfd, BOX_FILES, &f->record, &e))
        keeper_log(k, "carrel-files: %s", e.msg);
    if (r->refused)
        keeper_log(k, "carrel-files was not started: %.*s", (int)sizeof(r->text), r->text);
    for (unsigned i = 0; i < JAIL_LAYERS; i++)
        if (r->outcome[i] == JAIL_ABSENT)
            keeper_log(k, "carrel-files: without %s: %s", box_layer_name(i), strerror(r->error[i]));
}

static bool take_report(struct keeper *k)
{
    union {
        struct files_report report;
        struct jail_report jail;
    } x;
    ssize_t n = recv(k->files.reports.fd, &x, sizeof(x), MSG_DONTWAIT);

    if (n < 0)
        return errno == EINTR;
    if (n == sizeof(x.jail) && x.jail.magic == JAIL_MAGIC && !k->files.run.jailed) {
        hear_jail(k, &x.jail);
        return true;
    }
    if (n > 0 && hear(k, &x.report, (size_t)n))
        return true;
    if (n > 0)
        keeper_log(k, "carrel-files: a report that is none");
    distrust(k);
    return false;
}

static void refill(struct files *f)
{
    int64_t now = keeper_now(), due = (now - f->refilled) * (int64_t)FILES_REPORTS_RATE / 1000;

    if (due <= 0)
        return;
    f->tokens = (uint32_t)(due + f->tokens < (int64_t)FILES_REPORTS_BURST ? due + f->tokens
                                                                          : FILES_REPORTS_BURST);
    f->refilled = now;
}

static void on_report(struct loop_source *s, uint32_t events)
{
    struct keeper *k = container_of(s, struct keeper, files.reports);

    (void)events;
    refill(&k->files);
    for (unsigned i = 0; i < FILES_REPORTS_BURST && take_report(k); i++)
        ;
}

void keeper_files_drain(struct keeper *k)
{
    if (k->files.reports.fd >= 0)
        on_report(&k->files.reports, 0);
}

static void lost(struct keeper *k, const char *why)
{
    keeper_log(k, "carrel-files: %s", why);
    guard_note(k->guard, "files.lost", why);
}

/* Nobody will answer what the guest asked. */
static void end_machine(struct keeper *k, const char *why)
{
    if (k->engine->outlives_files)
        return;
    keeper_reason(k, "files-lost", why);
    keeper_event(k, LIFE_KILL);
}

void keeper_files_gone(struct keeper *k, int status)
{
    keeper_files_drain(k);
    keeper_files_over(k);
    if (k->life >= LIFE_LEAVING)
        return;
    lost(k, "the server of live mounts has ended");
    if (status) /* else the machine hung up: it is ending, and says why */
        end_machine(k, "the server of live mounts has ended");
}

void keeper_files_follow(struct keeper *k)
{
    struct text scope = TEXT_INIT;
    uint8_t now[SHA256_BYTES];

    if (k->files.run.pid <= 0)
        return;
    guard_live_rules(k->guard, &scope);
    hash_rules(&scope, now);
    text_fini(&scope);
    if (memcmp(now, k->files.rules, sizeof(now)) != 0) {
        keeper_files_drain(k);
        keeper_files_over(k);
        box_forget_jail(k->boxfd, BOX_FILES);
        lost(k, "the rules of live mounts are no longer in force");
        end_machine(k, "the rules of live mounts are no longer in force");
    }
}

void keeper_files_over(struct keeper *k)
{
    struct files *f = &k->files;

    keeper_end(&f->run);
    f->run.pid = 0;
    if (f->reports.fd >= 0)
        loop_remove(&k->loop, &f->reports);
    f->reports.fd = -1;
    engine_run_fini(&f->run);
}

/* ---- the beginning ---- */

static int listen_to(struct keeper *k, struct err *e)
{
    struct files *f = &k->files;
    int err;

    f->tokens = FILES_REPORTS_BURST;
    f->refilled = keeper_now();
    f->reports = (struct loop_source){ .fd = f->run.report_fd, .ready = on_report };
    err = loop_add(&k->loop, &f->reports, EPOLLIN, e);
    if (err)
        f->reports.fd = -1;
    return err;
}

int keeper_files_adopt(struct keeper *k, struct err *e)
{
    k->files.run.jailed = true; /* on record since before the guest was up */
    return k->files.run.pid > 0 ? listen_to(k, e) : 0;
}

void keeper_files_look(struct keeper *k)
{
    struct pollfd p = { .fd = k->files.run.pidfd, .events = POLLIN };

    if (poll(&p, 1, 0) != 0)
        keeper_files_gone(k, SIGKILL);
}

int keeper_files_start(struct keeper *k, struct keeper_parts *p, struct err *e)
{
    cleanup_with(handing_fini) struct handing h = { .peer = -1, .report = -1, .record = -1 };
    int ends[2], err = open_roots(guard_plan(k->guard), &h, e);

    box_forget_jail(k->boxfd, BOX_FILES); /* of an earlier start */
    if (err || !h.nroots)
        return err;
    if (FAILPOINT("files.pair") || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
        return err_sys(e, "socketpair");
    p->files = ends[0];
    h.peer = ends[1];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
        return err_sys(e, "socketpair");
    k->files.run.report_fd = ends[0];
    h.report = ends[1];
    err = write_record(k, &h, e);
    if (!err)
        err = spawn_server(k, p, &h, e);
    if (!err)
        err = listen_to(k, e);
    keeper_trace(k, "carrel-files started");
    return err;
}
