/*
 * launcher.c - vmm-launch: starts carrel-vmm by hand, as the engine would, and prints its report.
 *
 *     vmm-launch [--vmm PATH] --kernel FILE [--initrd FILE] [--mem MIB] [--cpus N] [--cmdline TEXT]
 *                [--serial FILE] [--disk FILE[:ro]]... [--port NAME]... [--rng] [--balloon]
 *                [--files SOCKET] [--timeout SECONDS] [--kill-after MILLISECONDS]
 *
 * Serial output goes to FILE ("-": standard output). The first port is joined to standard input
 * and output; what comes from the others is thrown away. SOCKET is a path where a vhost-user server
 * of files listens. Exit status: carrel-vmm's, 124 on timeout.
 */
#include "base/launch.h"
#include "sandbox/confine/vmm.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct plan {
    struct vmm_launch l;
    const char *vmm;
    int far[VMM_PORTS_MAX]; /* our end of each port */
    int report;             /* our end */
    long timeout_ms, kill_ms;
};

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "vmm-launch: %s: %s\n", what, strerror(errno));
    exit(125);
}

static int open_or_die(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);

    if (fd < 0)
        die(path);
    return fd;
}

static void add_disk(struct plan *p, char *arg)
{
    struct vmm_launch_disk *d = &p->l.disks[p->l.ndisks++];
    size_t n = strlen(arg);

    if (p->l.ndisks > VMM_DISKS_MAX)
        die("too many disks");
    if (n > 3 && !strcmp(arg + n - 3, ":ro")) {
        arg[n - 3] = '\0';
        d->flags = VMM_DISK_READONLY;
    }
    d->fd = open_or_die(arg, d->flags ? O_RDONLY : O_RDWR);
    snprintf(d->serial, sizeof(d->serial), "disk%u", p->l.ndisks - 1);
}

static void add_port(struct plan *p, const char *name)
{
    struct vmm_launch_port *port = &p->l.ports[p->l.nports];
    int pair[2];

    if (p->l.nports == VMM_PORTS_MAX)
        die("too many ports");
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        die("socketpair");
    port->fd = pair[0];
    p->far[p->l.nports++] = pair[1];
    snprintf(port->name, sizeof(port->name), "%s", name);
}

static int connect_or_die(const char *path)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&a, sizeof(a)))
        die(path);
    return fd;
}

static void parse(struct plan *p, int argc, char **argv)
{
    static const struct option options[] = {
        { "vmm", 1, 0, 'v' },        { "kernel", 1, 0, 'k' },  { "initrd", 1, 0, 'i' },
        { "mem", 1, 0, 'm' },        { "cpus", 1, 0, 'c' },    { "cmdline", 1, 0, 'a' },
        { "serial", 1, 0, 's' },     { "disk", 1, 0, 'd' },    { "port", 1, 0, 'p' },
        { "rng", 0, 0, 'r' },        { "balloon", 0, 0, 'b' }, { "timeout", 1, 0, 't' },
        { "kill-after", 1, 0, 'K' }, { "files", 1, 0, 'f' },   { 0 },
    };
    struct vmm_launch *l = &p->l;
    int o;

    while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (o) {
        case 'v': p->vmm = optarg; break;
        case 'k': l->kernel_fd = open_or_die(optarg, O_RDONLY); break;
        case 'i': l->initrd_fd = open_or_die(optarg, O_RDONLY); break;
        case 'm': l->mem_bytes = strtoull(optarg, NULL, 0) << 20; break;
        case 'c': l->vcpus = (uint32_t)strtoul(optarg, NULL, 0); break;
        case 'a': snprintf(l->cmdline, sizeof(l->cmdline), "%s", optarg); break;
        case 's':
            l->serial_fd = strcmp(optarg, "-") ? open_or_die(optarg, O_WRONLY | O_CREAT | O_TRUNC)
                                               : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
            l->flags |= VMM_F_SERIAL;
            break;
        case 'd': add_disk(p, optarg); break;
        case 'p': add_port(p, optarg); break;
        case 'r': l->flags |= VMM_F_RNG; break;
        case 'b': l->flags |= VMM_F_BALLOON; break;
        case 'f': l->files_fd = connect_or_die(optarg); break;
        case 't': p->timeout_ms = strtol(optarg, NULL, 0) * 1000; break;
        case 'K': p->kill_ms = strtol(optarg, NULL, 0); break;
        default: exit(125);
        }
    }
}

static void add_filters(struct vmm_launch *l)
{
    struct err e = ERR_INIT;

    l->filter_fd = vmm_filters_open(l, &e);
    if (l->filter_fd < 0) {
        fprintf(stderr, "vmm-launch: %s\n", e.msg);
        exit(125);
    }
    l->flags |= VMM_F_FILTER;
}

static void keep(int fd)
{
    if (fd >= 0)
        fcntl(fd, F_SETFD, 0);
}

static pid_t start(struct plan *p)
{
    int record = memfd_create("launch", 0), report[2];
    char number[16];
    pid_t pid;

    if (record < 0 || pipe2(report, O_CLOEXEC))
        die("record");
    p->report = report[0];
    p->l.report_fd = report[1];
    if (write(record, &p->l, sizeof(p->l)) != sizeof(p->l) || lseek(record, 0, SEEK_SET))
        die("record");
    snprintf(number, sizeof(number), "%d", record);
    pid = fork();
    if (pid < 0)
        die("fork");
    if (!pid) {
        keep(p->l.kvm_fd);
        keep(p->l.kernel_fd);
        keep(p->l.initrd_fd);
        keep(p->l.serial_fd);
        keep(p->l.report_fd);
        keep(p->l.filter_fd);
        keep(p->l.files_fd);
        for (uint32_t i = 0; i < p->l.ndisks; i++)
            keep(p->l.disks[i].fd);
        for (uint32_t i = 0; i < p->l.nports; i++)
            keep(p->l.ports[i].fd);
        execl(p->vmm, p->vmm, number, (char *)NULL);
        die(p->vmm);
    }
    close(record);
    close(report[1]);
    if (p->l.files_fd >= 0)
        close(p->l.files_fd); /* its end is the machine's */
    for (uint32_t i = 0; i < p->l.nports; i++)
        close(p->l.ports[i].fd);
    return pid;
}

static long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Copies what there is; false at the end. */
static int pass(int from, int to)
{
    char buf[4096];
    ssize_t n = read(from, buf, sizeof(buf));

    for (ssize_t at = 0; at < n && to >= 0;) {
        ssize_t w = write(to, buf + at, (size_t)(n - at));

        if (w <= 0)
            return 0;
        at += w;
    }
    return n > 0;
}

/* Serves the ports until the report's pipe closes: 0, or 124 on timeout. */
static int serve(struct plan *p, pid_t pid)
{
    struct pollfd fds[2 + VMM_PORTS_MAX] = { { p->report, POLLIN, 0 },
                                             { p->l.nports ? 0 : -1, POLLIN, 0 } };
    long begun = now_ms();

    for (uint32_t i = 0; i < p->l.nports; i++)
        fds[2 + i] = (struct pollfd){ p->far[i], POLLIN, 0 };
    for (;;) {
        long left = p->timeout_ms - (now_ms() - begun);
        long until_kill = p->kill_ms >= 0 ? p->kill_ms - (now_ms() - begun) : left;

        if (p->kill_ms >= 0 && until_kill <= 0) {
            kill(pid, SIGTERM);
            p->kill_ms = -1;
            continue;
        }
        if (left <= 0) {
            kill(pid, SIGKILL);
            return 124;
        }
        if (poll(fds, 2 + p->l.nports, (int)(left < until_kill ? left : until_kill)) <= 0)
            continue;
        if (fds[1].revents && !pass(0, p->far[0]))
            fds[1].fd = -1;
        for (uint32_t i = 0; i < p->l.nports; i++)
            if (fds[2 + i].revents && !pass(p->far[i], i ? -1 : 1))
                fds[2 + i].fd = -1;
        if (fds[0].revents)
            return 0;
    }
}

int main(int argc, char **argv)
{
    static const char *const reasons[] = { "none",       "poweroff",   "reboot",    "triple-fault",
                                           "panic",      "terminated", "kvm-error", "refused",
                                           "host-error", "forbidden" };
    struct plan p = { .l = { .magic = VMM_LAUNCH_MAGIC,
                             .version = VMM_LAUNCH_VERSION,
                             .size = sizeof(p.l),
                             .mem_bytes = 128ull << 20,
                             .vcpus = 1,
                             .kernel_fd = -1,
                             .initrd_fd = -1,
                             .serial_fd = -1,
                             .filter_fd = -1,
                             .files_fd = -1 },
                      .vmm = "carrel-vmm",
                      .timeout_ms = 60000,
                      .kill_ms = -1 };
    struct vmm_report r;
    int status, late;
    pid_t pid;

    signal(SIGPIPE, SIG_IGN);
    parse(&p, argc, argv);
    p.l.kvm_fd = open_or_die("/dev/kvm", O_RDWR);
    add_filters(&p.l);
    pid = start(&p);
    late = serve(&p, pid);
    if (read(p.report, &r, sizeof(r)) == sizeof(r))
        fprintf(stderr, "report: %s (%u), detail %llu, mistakes %u, dropped %llu: %s\n",
                r.reason < sizeof(reasons) / sizeof(reasons[0]) ? reasons[r.reason] : "?", r.reason,
                (unsigned long long)r.detail, r.guest_mistakes,
                (unsigned long long)r.serial_dropped, r.text);
    else
        fprintf(stderr, "report: none\n");
    waitpid(pid, &status, 0);
    if (late)
        return late;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
