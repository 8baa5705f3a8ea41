/*
 * kvm.c - the engine of our own: carrel-vmm on /dev/kvm.
 *
 * It is told everything by one launch record in a memfd; descriptors keep their numbers across the
 * fork, so the record can be written before it.
 */
#include "sandbox/engine/engine.h"

#include "base/fd.h"
#include "base/io.h"
#include "base/launch.h"
#include "base/own.h"
#include "policies/profile.h"
#include "policies/words.h"
#include "sandbox/confine/vmm.h"
#include "sandbox/engine/cmdline.h"
#include "sandbox/engine/connect.h"
#include "sandbox/engine/jail.h"
#include "sandbox/engine/probe.h"
#include "sandbox/engine/spawn.h"
#include "sandbox/places.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define CONSOLE_BYTES_PER_S (256u << 10)

/* A sanitizer makes system calls of its own, under any filter. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FILTER 0u
#else
#define FILTER VMM_F_FILTER
#endif

static int check(char hint[240], struct err *e)
{
    auto_str char *path = places_program("carrel-vmm", e);
    auto_fd int kvm = -1;

    hint[0] = '\0';
    if (!path)
        return -ENOENT;
    kvm = kvm_open(hint, e);
    return kvm < 0 ? kvm : 0;
}

static void add_disk(struct vmm_launch *l, struct spawn *s, int fd, const char *serial,
                     uint32_t flags)
{
    struct vmm_launch_disk *d = &l->disks[l->ndisks++];

    *d = (struct vmm_launch_disk){ .fd = spawn_keep(s, fd, JAIL_REG | JAIL_BLK), .flags = flags };
    snprintf(d->serial, sizeof(d->serial), "%s", serial);
}

static int fill(struct vmm_launch *l, const struct engine_spec *spec, struct spawn *s, int kvm,
                int report, struct err *e)
{
    *l = (struct vmm_launch){
        .magic = VMM_LAUNCH_MAGIC,
        .version = VMM_LAUNCH_VERSION,
        .size = sizeof(*l),
        .flags = VMM_F_RNG | FILTER | (spec->no_balloon ? 0 : VMM_F_BALLOON) |
                 (spec->console_fd >= 0 ? VMM_F_SERIAL : 0),
        .mem_bytes = spec->mem_bytes,
        .vcpus = spec->vcpus,
        .kvm_fd = spawn_keep(s, kvm, JAIL_CHR),
        .kernel_fd = spawn_keep(s, spec->kernel_fd, JAIL_REG),
        .initrd_fd = spawn_keep(s, spec->initrd_fd, JAIL_REG),
        .serial_fd = spawn_keep(s, spec->console_fd, JAIL_SOCK | JAIL_FIFO),
        .report_fd = spawn_keep(s, report, JAIL_FIFO),
        .serial_bytes_per_s = CONSOLE_BYTES_PER_S,
        .nports = spec->nports,
        .filter_fd = -1,
        .files_fd = spec->nlive ? spawn_keep(s, spec->files_fd, JAIL_SOCK) : -1,
    };
    add_disk(l, s, spec->image_fd, "image", VMM_DISK_READONLY);
    if (spec->disk_fd >= 0)
        add_disk(l, s, spec->disk_fd, "disk", 0);
    for (unsigned i = 0; i < spec->nvolumes; i++) {
        char serial[16];

        snprintf(serial, sizeof(serial), "vol%u", i);
        add_disk(l, s, spec->volumes[i].fd, serial,
                 spec->volumes[i].readonly ? VMM_DISK_READONLY : 0);
    }
    for (unsigned i = 0; i < spec->nports; i++) {
        l->ports[i].fd = spawn_keep(s, spec->port_fds[i], JAIL_SOCK);
        snprintf(l->ports[i].name, sizeof(l->ports[i].name), "%s", spec->port_names[i]);
    }
    _Static_assert(ENGINE_SPARES == VMM_SPARES_MAX, "as many as a record holds");
    l->nspares = spec->nspares;
    for (unsigned i = 0; i < spec->nspares; i++)
        l->spare_fds[i] = spawn_keep(s, spec->spare_fds[i], JAIL_SOCK);
    return cmdline_make(spec, l->cmdline, e);
}

static int write_record(const struct vmm_launch *l, struct err *e)
{
    auto_fd int fd = memfd_create("launch", MFD_CLOEXEC);
    int err = fd < 0 ? -errno : io_write_full(fd, l, sizeof(*l));

    if (err || lseek(fd, 0, SEEK_SET))
        return err_set(e, err ? -err : EIO, "launch record: %s", strerror(err ? -err : EIO));
    return fd_steal(&fd);
}

/* The longest file that it may write to decides how long one may get. */
static void admit(struct spawn *s, int fd)
{
    uint64_t *most = &s->limit[JAIL_LIMIT_FSIZE], size = UINT64_MAX;
    struct stat st;

    if (fstat(fd, &st))
        return;
    if (S_ISREG(st.st_mode))
        size = (uint64_t)st.st_size;
    *most = size > *most ? size : *most;
}

/* Descriptors: 3 a vCPU and a device at most. Files: as long as its disks are, and its memory where
 * that is one (a live mount), so no log of ours can be filled. Threads: where the user is its own,
 * nobody else's count. */
static void set_limits(struct spawn *s, const struct engine_spec *spec)
{
    s->limit[JAIL_LIMIT_NOFILE] = 512;
    s->limit[JAIL_LIMIT_MEMLOCK] = 0;
    s->limit[JAIL_LIMIT_FSIZE] = 0;
    if (spec->disk_fd >= 0)
        admit(s, spec->disk_fd);
    for (unsigned i = 0; i < spec->nvolumes; i++)
        if (!spec->volumes[i].readonly)
            admit(s, spec->volumes[i].fd);
    if (spec->nlive && s->limit[JAIL_LIMIT_FSIZE] < spec->mem_bytes)
        s->limit[JAIL_LIMIT_FSIZE] = spec->mem_bytes;
    if (spec->jail && spec->jail->uid)
        s->limit[JAIL_LIMIT_NPROC] = VMM_THREADS(spec->vcpus);
}

static int start(const struct engine_spec *spec, struct engine_run *run, struct err *e)
{
    auto_str char *path = places_program("carrel-vmm", e);
    char hint[240], number[12], name[] = "carrel-vmm";
    char *argv[] = { name, number, NULL };
    struct spawn s;
    struct vmm_launch l;
    int report[2];

    engine_run_init(run);
    spawn_init(&s);
    s.path = path;
    s.argv = argv;
    s.log_fd = spec->log_fd;
    s.jail = spec->jail;
    s.sibling = spec->sibling;
    run->jailed = spec->jail;
    if (!path)
        return -ENOENT;

    auto_fd int kvm = kvm_open(hint, e);

    if (kvm < 0)
        return kvm;
    if (pipe2(report, O_CLOEXEC | O_NONBLOCK))
        return err_sys(e, "starting the engine");
    run->report_fd = report[0];

    auto_fd int theirs = report[1];

    s.report_fd = theirs;
    set_limits(&s, spec);

    int err = fill(&l, spec, &s, kvm, theirs, e);
    auto_fd int filters = !err && FILTER != 0 ? vmm_filters_open(&l, e) : -1;

    if (!err && FILTER != 0 && filters < 0)
        return filters;
    l.filter_fd = spawn_keep(&s, filters, JAIL_REG);

    auto_fd int record = err ? -1 : write_record(&l, e);

    if (record < 0)
        return err ? err : record;
    snprintf(number, sizeof(number), "%d", spawn_keep(&s, record, JAIL_REG));
    run->filtered = FILTER != 0;

    int err_start = spawn_gated(&s, run, e);

    run->limit[JAIL_LIMIT_NOFILE] = 0; /* its own doing, at lock-down */
    return err_start;
}

static bool report(struct engine_run *run)
{
    struct engine_words *w = &run->words;

    while (w->have < sizeof(struct vmm_report)) {
        char bytes[sizeof(struct vmm_report)];
        ssize_t n = read(run->report_fd, bytes, sizeof(bytes));

        if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
            return false;
        if (n < 0)
            return true;

        size_t at = jail_take(run, bytes, (size_t)n), left = (size_t)n - at;

        if (left > sizeof(struct vmm_report) - w->have)
            left = sizeof(struct vmm_report) - w->have;
        memcpy(w->bytes + w->have, bytes + at, left);
        w->have += left;
    }
    return false;
}

static const char *reason_name(uint32_t reason)
{
    switch (reason) {
    case VMM_POWEROFF: return "poweroff";
    case VMM_REBOOT: return "reboot";
    case VMM_TRIPLE_FAULT: return "triple-fault";
    case VMM_PANIC: return "panic";
    case VMM_TERMINATED: return "stopped";
    case VMM_REFUSED: return "refused";
    case VMM_FORBIDDEN: return "forbidden";
    default: return "vmm-crash"; /* KVM_ERROR, HOST_ERROR, and what no version says */
    }
}

static void end(struct engine_run *run, int wait_status, struct engine_end *out)
{
    struct vmm_report r;

    if (run->report_fd >= 0)
        report(run);
    memcpy(&r, run->words.bytes, sizeof(r));
    if (run->words.have == sizeof(r) && r.magic == VMM_LAUNCH_MAGIC &&
        r.version == VMM_LAUNCH_VERSION) {
        r.text[sizeof(r.text) - 1] = '\0';
        snprintf(out->reason, sizeof(out->reason), "%s", reason_name(r.reason));
        const char *call = r.reason == VMM_FORBIDDEN ? syscall_name((unsigned)r.detail) : NULL;

        snprintf(out->text, sizeof(out->text), "%s%s%s", r.text, call ? ": " : "",
                 call ? call : ""); /* h16 */
        return;
    }
    if (jail_refusal(run)) {
        snprintf(out->reason, sizeof(out->reason), "refused");
        snprintf(out->text, sizeof(out->text), "%s", jail_refusal(run));
        return;
    }
    snprintf(out->reason, sizeof(out->reason), "vmm-crash");
    if (WIFSIGNALED(wait_status))
        snprintf(out->text, sizeof(out->text), "carrel-vmm was killed by signal %d",
                 WTERMSIG(wait_status));
    else
        snprintf(out->text, sizeof(out->text), "carrel-vmm exited with status %d and no report",
                 WEXITSTATUS(wait_status));
}

const struct engine engine_kvm = {
    .name = "kvm",
    .connect = connect_pairs,
    .check = check,
    .start = start,
    .report = report,
    .end = end,
    .outlives_files = true,
};
