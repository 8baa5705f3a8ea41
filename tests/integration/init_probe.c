/*
 * init_probe.c - what a tool in a guest might try; says what came of it. Runs inside, statically
 * linked; /bin/probe in the test's image, /bin/probe-suid a copy with the setuid bit.
 *
 *     probe closed            tries what no tool gets: names what worked, then "done"
 *     probe errno CALL PATH   mkdir or truncate: the errno, 0 when it worked
 *     probe ids               real and effective uid
 *     probe fork N            how many of N processes could be, at most N; they end with it
 *     probe hold N            the same, and they stay until stdin ends
 *     probe start DIR         which ways there are to execute a program; see init_start.c
 *     probe nothing
 *     probe files             how many descriptors could be open
 */
#include "tests/integration/init_start.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST 1000

static long bpf_map(void)
{
    uint32_t attr[18] = { 2, 4, 4, 1 }; /* an array of one word, union bpf_attr */

    return syscall(SYS_bpf, 0, attr, sizeof(attr));
}

static long io_uring(void)
{
    uint32_t params[30] = { 0 };

    return syscall(SYS_io_uring_setup, 1, params);
}

static long fault_handler(void)
{
    return syscall(SYS_userfaultfd, 0);
}

static long add_key(void)
{
    return syscall(SYS_add_key, "user", "probe", "x", 1, -1 /* the thread's ring */);
}

static long join_keyring(void)
{
    return syscall(SYS_keyctl, 1 /* JOIN_SESSION_KEYRING */, "probe");
}

static long af_alg(void)
{
    return socket(38, SOCK_SEQPACKET, 0);
}

static long af_packet(void)
{
    return socket(AF_PACKET, SOCK_RAW, 0);
}

static long af_vsock(void)
{
    return socket(40, SOCK_STREAM, 0);
}

static long user_namespace(void)
{
    return unshare(CLONE_NEWUSER);
}

static long mount_namespace(void)
{
    return unshare(CLONE_NEWNS);
}

static long mount_proc(void)
{
    return mount("proc", "/tmp", "proc", 0, NULL);
}

static long open_proc_sys(void)
{
    return mount(NULL, "/proc/sys", NULL, MS_REMOUNT | MS_BIND, NULL);
}

static long mount_cgroup(void)
{
    return mount("cgroup2", "/tmp", "cgroup2", 0, NULL);
}

static long core_pattern(void)
{
    return open("/proc/sys/kernel/core_pattern", O_WRONLY);
}

static long threads_max(void)
{
    return open("/proc/sys/kernel/threads-max", O_WRONLY);
}

static long sysrq(void)
{
    return open("/proc/sysrq-trigger", O_WRONLY);
}

static long write_sysfs(void)
{
    return open("/sys/kernel/mm/transparent_hugepage/enabled", O_WRONLY);
}

static long memory(void)
{
    return open("/dev/mem", O_RDONLY);
}

static long image_disk(void)
{
    return open("/dev/vda", O_RDONLY);
}

static long layer_disk(void)
{
    return open("/dev/vdb", O_RDWR);
}

static long control_port(void)
{
    return open("/dev/vport0p1", O_RDWR | O_NONBLOCK);
}

static long make_disk(void)
{
    return mknod("/tmp/disk", S_IFBLK | 0600, makedev(254, 0));
}

static long make_memory(void)
{
    return mknod("/tmp/mem", S_IFCHR | 0600, makedev(1, 1));
}

static long trace_init(void)
{
    return ptrace(PTRACE_ATTACH, 1, 0, 0);
}

static long init_memory(void)
{
    return open("/proc/1/mem", O_RDONLY);
}

static long init_descriptors(void)
{
    return open("/proc/1/fd/0", O_RDONLY);
}

static long init_root(void)
{
    return open("/proc/1/root/etc", O_RDONLY);
}

static long load_module(void)
{
    int fd = open("/proc/self/exe", O_RDONLY);

    return syscall(SYS_finit_module, fd, "", 0);
}

static long kexec(void)
{
    return syscall(SYS_kexec_load, 0, 0, NULL, 0);
}

static long perf(void)
{
    uint32_t attr[32] = { 0, 128 }; /* cycles, the kernel's too */

    return syscall(SYS_perf_event_open, attr, 0, -1, -1, 0);
}

static long reset_key(void)
{
    return reboot(RB_ENABLE_CAD);
}

static long host_name(void)
{
    return sethostname("probe", 5);
}

static long io_ports(void)
{
    return syscall(SYS_iopl, 3);
}

static const struct {
    const char *name;
    long (*attempt)(void);
} attempts[] = {
    { "bpf", bpf_map },
    { "io_uring", io_uring },
    { "userfaultfd", fault_handler },
    { "add_key", add_key },
    { "keyctl", join_keyring },
    { "AF_ALG", af_alg },
    { "AF_PACKET", af_packet },
    { "AF_VSOCK", af_vsock },
    { "user namespace", user_namespace },
    { "mount namespace", mount_namespace },
    { "mount proc", mount_proc },
    { "remount /proc/sys", open_proc_sys },
    { "mount cgroup2", mount_cgroup },
    { "core_pattern", core_pattern },
    { "threads-max", threads_max },
    { "sysrq", sysrq },
    { "/sys", write_sysfs },
    { "/dev/mem", memory },
    { "/dev/vda", image_disk },
    { "/dev/vdb", layer_disk },
    { "/dev/vport0p1", control_port },
    { "mknod disk", make_disk },
    { "mknod mem", make_memory },
    { "ptrace init", trace_init },
    { "init's memory", init_memory },
    { "init's descriptors", init_descriptors },
    { "init's root", init_root },
    { "module", load_module },
    { "kexec", kexec },
    { "perf", perf },
    { "ctrl-alt-del", reset_key },
    { "host name", host_name },
    { "iopl", io_ports },
};

/* Each in a process of its own: what it opens or enters is gone after it. */
static int closed(void)
{
    for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
        int status = 0;
        pid_t pid = fork();

        if (pid == 0)
            _exit(attempts[i].attempt() >= 0 ? 0 : errno & 0xff);
        if (pid < 0 || waitpid(pid, &status, 0) != pid)
            return 1;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
            printf("open: %s\n", attempts[i].name);
        else
            fprintf(stderr, "%s: %s\n", attempts[i].name,
                    WIFEXITED(status) ? strerror(WEXITSTATUS(status)) : "killed");
    }
    puts("done");
    return 0;
}

static int processes(int n, int stay)
{
    pid_t made[MOST];
    int count = 0;
    char byte;

    while (count < n && count < MOST) {
        pid_t pid = fork();

        if (pid == 0)
            for (;;)
                pause();
        if (pid < 0)
            break;
        made[count++] = pid;
    }
    printf("%d %s\n", count, count < n ? strerror(errno) : "all");
    fflush(stdout);
    while (stay && read(0, &byte, 1) > 0)
        ;
    for (int i = 0; i < count; i++)
        kill(made[i], SIGKILL);
    while (wait(NULL) > 0)
        ;
    return 0;
}

int main(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";
    int n = 0;

    if (strcmp(verb, "closed") == 0)
        return closed();
    if (strcmp(verb, "nothing") == 0)
        return 0;
    if (strcmp(verb, "start") == 0 && argc == 3)
        return start_programs(argv[2]);
    if (strcmp(verb, "ids") == 0)
        return printf("%d %d\n", (int)getuid(), (int)geteuid()) < 0;
    if (strcmp(verb, "errno") == 0 && argc == 4) {
        int err = strcmp(argv[2], "mkdir") == 0 ? mkdir(argv[3], 0755) : truncate(argv[3], 1);

        return printf("%d\n", err ? errno : 0) < 0;
    }
    if ((strcmp(verb, "fork") == 0 || strcmp(verb, "hold") == 0) && argc == 3)
        return processes((int)strtol(argv[2], NULL, 10), verb[0] == 'h');
    if (strcmp(verb, "files") == 0) {
        while (dup(0) >= 0)
            n++;
        return printf("%d\n", n + 3) < 0;
    }
    return 2;
}
