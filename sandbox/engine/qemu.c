/*
 * qemu.c - the fallback engine: the same machine in software, where KVM is missing or useless.
 *
 * The machine is QEMU's q35 without its legacy devices, booted by qboot where it is installed.
 * microvm would start faster, but has no clock to measure the TSC against: on a busy host the guest
 * kernel fails to calibrate it and hangs. Everything comes as descriptors; disks are raw whatever
 * they contain (L07); QEMU's own seccomp filter is on. Why it stopped is learnt from its monitor.
 */
#include "sandbox/engine/engine.h"

#include "base/fd.h"
#include "sandbox/engine/cmdline.h"
#include "sandbox/engine/connect.h"
#include "sandbox/engine/jail.h"
#include "sandbox/engine/monitor.h"
#include "sandbox/engine/spawn.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define PROGRAM "qemu-system-x86_64"
#define QBOOT   "/usr/share/qemu/qboot.rom" /* a firmware that only boots Linux */

/* The program in PATH; false when there is none. */
static bool find_program(char out[PATH_MAX])
{
    const char *dir = getenv("PATH");
    char *real;

    if (!dir)
        dir = "/usr/local/bin:/usr/bin:/bin";
    while (*dir) {
        size_t n = strcspn(dir, ":");

        if (n && dir[0] == '/' &&
            snprintf(out, PATH_MAX, "%.*s/%s", (int)n, dir, PROGRAM) < PATH_MAX &&
            access(out, X_OK) == 0 && (real = realpath(out, NULL))) {
            bool fits = snprintf(out, PATH_MAX, "%s", real) < PATH_MAX; /* no link of anybody's */

            free(real);
            return fits;
        }
        dir += n;
        dir += *dir == ':';
    }
    return false;
}

static int check(char hint[240], struct err *e)
{
    char path[PATH_MAX];

    hint[0] = '\0';
    if (find_program(path))
        return 0;
    snprintf(hint, 240, "sudo apt-get install --no-install-recommends qemu-system-x86");
    return err_set(e, ENOENT, PROGRAM " is not installed");
}

/* ---- the argument list ---- */

struct args {
    char text[8192];
    size_t used;
    char *argv[96];
    unsigned n;
    bool overflow;
};

static void arg(struct args *a, const char *fmt, ...) printf_like(2, 3);

static void arg(struct args *a, const char *fmt, ...)
{
    size_t room = sizeof(a->text) - a->used;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(a->text + a->used, room, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= room || a->n + 1 == array_len(a->argv)) {
        a->overflow = true;
        return;
    }
    a->argv[a->n++] = a->text + a->used;
    a->used += (size_t)n + 1;
}

/* Two arguments at once: an option and its value. */
#define OPT(a, option, ...) (arg(a, "%s", option), arg(a, __VA_ARGS__))

static void add_machine(struct args *a, const struct engine_spec *spec)
{
    arg(a, PROGRAM);
    OPT(a, "-machine",
        "q35,accel=tcg,hpet=off,smbus=off,sata=off,usb=off,vmport=off,i8042=off,smm=off");
    if (access(QBOOT, R_OK) == 0)
        OPT(a, "-bios", QBOOT);
    OPT(a, "-cpu", "max");
    OPT(a, "-m", "%lluM", (unsigned long long)(spec->mem_bytes >> 20));
    OPT(a, "-smp", "%u", spec->vcpus);
    arg(a, "-nodefaults");
    arg(a, "-no-user-config");
    arg(a, "-no-reboot");
    OPT(a, "-display", "none");
    OPT(a, "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
}

static void add_disk(struct args *a, struct spawn *s, int fd, const char *id, bool readonly)
{
    spawn_keep(s, fd, JAIL_REG | JAIL_BLK);
    OPT(a, "-add-fd", "fd=%d,set=%d", fd, fd);
    OPT(a, "-blockdev",
        "driver=raw,node-name=%s,%s,file.driver=file,file.filename=/dev/fdset/%d,file.locking=off",
        id, readonly ? "read-only=on" : "read-only=off,discard=unmap,file.discard=unmap", fd);
    OPT(a, "-device", "virtio-blk-pci,disable-legacy=on,drive=%s,serial=%s", id, id);
}

/* server: fd listens, and whoever talked first may be followed by others (connect.h). */
static void add_port(struct args *a, struct spawn *s, unsigned i, int fd, const char *name,
                     const char *server)
{
    OPT(a, "-chardev", "socket,id=port%u,fd=%d%s", i, spawn_keep(s, fd, JAIL_SOCK), server);
    OPT(a, "-device", "virtserialport,bus=ports.0,nr=%u,chardev=port%u,name=%s", i + 1, i, name);
}

static void add_ports(struct args *a, struct spawn *s, const struct engine_spec *spec)
{
    OPT(a, "-device", "virtio-serial-pci,disable-legacy=on,id=ports,max_ports=10");
    for (unsigned i = 0; i < spec->nports; i++)
        add_port(a, s, i, spec->port_fds[i], spec->port_names[i], i ? "" : ",server=on,wait=off");
}

/* carrel-files serves the device: it maps the guest's memory, so that is one file, which QEMU seals
 * against any change of its size. */
static void add_files(struct args *a, struct spawn *s, const struct engine_spec *spec)
{
    OPT(a, "-object", "memory-backend-memfd,id=ram,size=%lluM,share=on,seal=on",
        (unsigned long long)(spec->mem_bytes >> 20));
    OPT(a, "-machine", "memory-backend=ram");
    OPT(a, "-chardev", "socket,id=files,fd=%d", spawn_keep(s, spec->files_fd, JAIL_SOCK));
    OPT(a, "-device", "vhost-user-fs-pci,chardev=files,tag=" FILES_NAME);
}

static int make_args(struct args *a, struct spawn *s, const struct engine_spec *spec, int monitor,
                     struct err *e)
{
    char line[VMM_CMDLINE_MAX];

    if (cmdline_make(spec, line, e))
        return -e->code;
    add_machine(a, spec);
    OPT(a, "-kernel", "/proc/self/fd/%d", spawn_keep(s, spec->kernel_fd, JAIL_REG));
    if (spec->initrd_fd >= 0)
        OPT(a, "-initrd", "/proc/self/fd/%d", spawn_keep(s, spec->initrd_fd, JAIL_REG));
    OPT(a, "-append", "%s", line);
    add_disk(a, s, spec->image_fd, "image", true);
    if (spec->disk_fd >= 0)
        add_disk(a, s, spec->disk_fd, "disk", false);
    for (unsigned i = 0; i < spec->nvolumes; i++) {
        char id[16];

        snprintf(id, sizeof(id), "vol%u", i);
        add_disk(a, s, spec->volumes[i].fd, id, spec->volumes[i].readonly);
    }
    add_ports(a, s, spec);
    if (spec->nlive)
        add_files(a, s, spec);
    OPT(a, "-device", "pvpanic"); /* as carrel-vmm's: tells a panic from a restart */
    OPT(a, "-device", "virtio-rng-pci,disable-legacy=on");
    if (!spec->no_balloon)
        OPT(a, "-device",
            "virtio-balloon-pci,disable-legacy=on,free-page-reporting=on,deflate-on-oom=on");
    OPT(a, "-chardev", "socket,id=monitor,fd=%d", spawn_keep(s, monitor, JAIL_SOCK));
    OPT(a, "-mon", "chardev=monitor,mode=control");
    if (spec->console_fd >= 0) {
        OPT(a, "-chardev", "socket,id=console,fd=%d",
            spawn_keep(s, spec->console_fd, JAIL_SOCK | JAIL_FIFO));
        OPT(a, "-serial", "chardev:console");
    }
    return a->overflow ? err_set(e, E2BIG, "the engine's command line is too long") : 0;
}

/*
 * QEMU opens its kernel by a path below /proc/self/fd, and its firmware by name: it keeps the
 * host's root, where Landlock lets it read and execute but change nothing, and as root also root's
 * uid, without its capabilities. The descriptors are the caller's.
 */
static struct jail jail_for_qemu(const struct engine_spec *spec)
{
    struct jail j = *spec->jail;

    j.level[JAIL_ROOT] = JAIL_OFF;
    if (geteuid() == 0)
        j.level[JAIL_USER] = JAIL_OFF;
    return j;
}

static int start(const struct engine_spec *spec, struct engine_run *run, struct err *e)
{
    static const char hello[] = MONITOR_HELLO;
    char path[PATH_MAX], hint[240];
    struct args a = { 0 };
    struct spawn s;
    struct jail jail;
    int pair[2];

    engine_run_init(run);
    spawn_init(&s);
    s.path = path;
    s.argv = a.argv;
    s.log_fd = spec->log_fd;
    s.sibling = spec->sibling;
    if (spec->jail) {
        jail = jail_for_qemu(spec);
        s.jail = &jail;
        run->jailed = true;
    }
    if (!find_program(path))
        return check(hint, e);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        return err_sys(e, "starting the engine");
    run->report_fd = pair[0];

    auto_fd int theirs = pair[1];

    s.report_fd = theirs;

    int err = make_args(&a, &s, spec, theirs, e);

    if (err)
        return err;
    if (write(run->report_fd, hello, sizeof(hello) - 1) != sizeof(hello) - 1)
        return err_sys(e, "starting the engine");
    return spawn_gated(&s, run, e);
}

static bool report(struct engine_run *run)
{
    char buf[4096];

    for (;;) {
        ssize_t n = recv(run->report_fd, buf, sizeof(buf), MSG_DONTWAIT);

        if (n > 0) {
            size_t at = jail_take(run, buf, (size_t)n);

            monitor_feed(&run->words, buf + at, (size_t)n - at);
        } else if (n == 0 || (errno != EINTR && errno != EAGAIN))
            return false;
        else if (errno == EAGAIN)
            return true;
    }
}

static void end(struct engine_run *run, int wait_status, struct engine_end *out)
{
    if (run->report_fd >= 0)
        report(run);
    out->text[0] = '\0';
    if (jail_refusal(run)) {
        snprintf(out->reason, sizeof(out->reason), "refused");
        snprintf(out->text, sizeof(out->text), "%s", jail_refusal(run));
    } else if (WIFSIGNALED(wait_status)) {
        snprintf(out->reason, sizeof(out->reason), "vmm-crash");
        snprintf(out->text, sizeof(out->text), PROGRAM " was killed by signal %d",
                 WTERMSIG(wait_status));
    } else if (run->words.reason[0]) {
        snprintf(out->reason, sizeof(out->reason), "%s", run->words.reason);
    } else {
        snprintf(out->reason, sizeof(out->reason), "%s",
                 WEXITSTATUS(wait_status) ? "refused" : "vmm-crash");
        snprintf(out->text, sizeof(out->text), PROGRAM " exited with status %d: see keeper.log",
                 WEXITSTATUS(wait_status));
    }
}

const struct engine engine_qemu = {
    .name = "qemu",
    .check = check,
    .connect = connect_listener,
    .start = start,
    .report = report,
    .end = end,
};
