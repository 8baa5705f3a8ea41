/*
 * carrel-vmm - one virtual machine, described by a launch record on a descriptor.
 *
 * It is started by carrel, not by people. It opens no file, no socket and no other program: what it
 * works with is what it was handed.
 */
#include "base/fd.h"
#include "base/io.h"
#include "vmm/launch.h"
#include "vmm/machine.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static const char usage[] =
    "usage: carrel-vmm FD\n"
    "\n"
    "Runs one virtual machine on KVM, as the launch record read from descriptor FD says.\n"
    "It is the engine behind `carrel`; people run `carrel run IMAGE -- COMMAND` instead.\n"
    "\n"
    "  --version  print the version\n"
    "  --help     print this\n";

/*
 * Should: leave standard error and what the record names.
 * Must not: leave a descriptor that the starter forgot, whatever it leads to.
 */
static int confine_descriptors(const struct vmm_launch *l, struct err *e)
{
    int fds[LAUNCH_FDS_MAX];
    unsigned n = launch_fds(l, fds);
    unsigned from = 0;

    for (unsigned i = 0; i <= n + 1; i++) {
        /* Standard error, then each named one, ascending; then everything behind the last. */
        unsigned keep = i == 0 ? STDERR_FILENO : i <= n ? (unsigned)fds[i - 1] : ~0u;

        if (keep > from && syscall(SYS_close_range, from, keep - (i <= n), 0u))
            return err_sys(e, "closing descriptors");
        from = keep + 1;
    }
    return 0;
}

/*
 * Should: be unable to gain a privilege, and leave no copy of guest memory behind when it dies.
 * Must not: be debugged or read by another process of the same user.
 */
static int confine_identity(struct err *e)
{
    const struct rlimit none = { 0, 0 };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) ||
        setrlimit(RLIMIT_CORE, &none))
        return err_sys(e, "giving up privileges");
    return 0;
}

/* SIGTERM waits until the machine can answer it; a reader that has gone is an error, not a death.
 */
static int settle_signals(struct err *e)
{
    sigset_t term;

    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &term, NULL) || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return err_sys(e, "signals");
    return 0;
}

/* What the launcher or the image got wrong, in contrast to what the host lacks. */
static enum vmm_reason reason_of(const struct err *e)
{
    switch (e->code) {
    case EINVAL:
    case EBADF:
    case EACCES:
    case ENOEXEC:
    case EFBIG: return VMM_REFUSED;
    default: return VMM_HOST_ERROR;
    }
}

/* Checks, confines, runs: 0 and a filled report, or why not. */
static int run(const struct vmm_launch *l, struct vmm_report *report, struct err *e)
{
    static struct machine *m; /* until the process ends */
    int err = launch_check(l, e);

    if (!err)
        err = launch_check_fds(l, e);
    if (!err)
        err = confine_descriptors(l, e);
    if (!err)
        err = confine_identity(e);
    if (err)
        return err;
    m = machine_new(l, e);
    if (!m)
        return -e->code;
    machine_run(m, l, report);
    return 0;
}

static int refuse(const struct err *e)
{
    fprintf(stderr, "carrel-vmm: %s\n", e->msg);
    return 1;
}

/* The descriptor that argv[1] names, or -1. */
static int parse_fd(const char *text)
{
    char *end;
    long fd;

    errno = 0;
    fd = strtol(text, &end, 10);
    return *text >= '0' && *text <= '9' && !*end && !errno && fd <= 1 << 20 ? (int)fd : -1;
}

int main(int argc, char **argv)
{
    struct err e = ERR_INIT;
    struct vmm_launch l;
    struct vmm_report report = { .magic = VMM_LAUNCH_MAGIC, .version = VMM_LAUNCH_VERSION };
    int fd;

    if (argc == 2 && !strcmp(argv[1], "--version"))
        return puts("carrel-vmm " CARREL_VERSION) < 0;
    if (argc == 2 && !strcmp(argv[1], "--help"))
        return fputs(usage, stdout) < 0;
    fd = argc == 2 ? parse_fd(argv[1]) : -1;
    if (fd < 0) {
        fputs(usage, stderr);
        return 2;
    }

    if (settle_signals(&e) || launch_read(fd, &l, &e))
        return refuse(&e);
    if (run(&l, &report, &e)) {
        report.reason = reason_of(&e);
        report.detail = (uint64_t)e.code;
        snprintf(report.text, sizeof(report.text), "%.*s", (int)sizeof(report.text) - 1, e.msg);
        refuse(&e);
        if (!launch_can_report(&l))
            return 1;
    }
    if (io_write_full(l.report_fd, &report, sizeof(report)))
        return 1;
    return report.reason >= VMM_KVM_ERROR;
}
