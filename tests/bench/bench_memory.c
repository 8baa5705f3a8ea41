/*
 * bench_memory.c - what one machine costs in memory beyond its guest's: N idle carrel-vmm with
 * every default device, each having run its first instructions.
 *
 *     bench_memory [N]        needs /dev/kvm; CARREL_BUILD names the build directory
 *
 * private: dirty pages of the process that are not guest RAM, from smaps. kernel: what the kernel's
 * own counters (slab, stacks, page tables, also KVM's) grew by, divided by N; other activity of the
 * host is in it, so take the smallest of several runs on an idle one.
 */
#include "tests/payload/payload.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define MEM_KIB (128u << 10)
#define N_MAX   200

/* A line on the serial port, then nothing more. */
PAYLOAD(say_and_idle, 32,
        "mov $0x3f8, %dx\n mov $'\\n', %al\n out %al, %dx\n"
        "1: cli\n hlt\n jmp 1b\n");

static void need(bool ok, const char *what)
{
    if (!ok) {
        perror(what);
        exit(1);
    }
}

static long kernel_kib(void)
{
    static const char *const counted[] = { "SUnreclaim:", "KernelStack:", "PageTables:",
                                           "SecPageTables:", "Percpu:" };
    FILE *f = fopen("/proc/meminfo", "re");
    char line[128];
    long sum = 0;

    need(f, "/proc/meminfo");
    while (fgets(line, sizeof(line), f))
        for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++)
            if (!strncmp(line, counted[i], strlen(counted[i])))
                sum += strtol(line + strlen(counted[i]), NULL, 10);
    fclose(f);
    return sum;
}

/* Private dirty memory outside the mapping that is the guest's RAM. */
static long private_kib(pid_t pid)
{
    char path[64], line[256];
    long size = 0, sum = 0;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/smaps", (int)pid);
    f = fopen(path, "re");
    need(f, path);
    while (fgets(line, sizeof(line), f)) {
        if (!strncmp(line, "Size:", 5))
            size = strtol(line + 5, NULL, 10);
        if (!strncmp(line, "Private_Dirty:", 14) && size < (long)MEM_KIB)
            sum += strtol(line + 14, NULL, 10);
    }
    fclose(f);
    return sum;
}

/* Its own ends stay open until this program ends. */
static pid_t start(void)
{
    struct payload p;
    int port[2], image = memfd_create("disk", MFD_CLOEXEC);
    char path[32], c;

    need(image >= 0 && !ftruncate(image, 1 << 20), "disk");
    snprintf(path, sizeof(path), "/proc/self/fd/%d", image);
    need(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, port), "port");
    payload_init(&p, say_and_idle, say_and_idle_end, true);
    p.l.mem_bytes = (uint64_t)MEM_KIB << 10;
    p.l.flags |= VMM_F_RNG | VMM_F_BALLOON;
    p.l.ndisks = p.l.nports = 1;
    p.l.disks[0] = (struct vmm_launch_disk){ .fd = open(path, O_RDONLY | O_CLOEXEC),
                                             .flags = VMM_DISK_READONLY };
    p.l.ports[0] = (struct vmm_launch_port){ .fd = port[1], .name = "carrel.control" };
    payload_start(&p);
    need(read(p.serial, &c, 1) == 1, "the guest's line");
    close(image);
    close(p.l.disks[0].fd);
    close(port[1]);
    return p.pid;
}

int main(int argc, char **argv)
{
    static pid_t pid[N_MAX];
    int n = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 20;
    long before, kernel, private = 0;

    if (n < 1 || n > N_MAX) {
        fprintf(stderr, "usage: bench_memory [N up to %d]\n", N_MAX);
        return 2;
    }
    if (access("/dev/kvm", R_OK | W_OK)) {
        perror("skipped: /dev/kvm");
        return 77;
    }
    before = kernel_kib();
    for (int i = 0; i < n; i++)
        pid[i] = start();
    kernel = kernel_kib() - before;
    for (int i = 0; i < n; i++)
    private += private_kib(pid[i]);
    for (int i = 0; i < n; i++) {
        kill(pid[i], SIGTERM);
        waitpid(pid[i], NULL, 0);
    }
    printf("{\"bench\":\"memory\",\"machines\":%d,\"private_kib\":%ld,\"kernel_kib\":%ld}\n", n,
           private / n, kernel / n);
    return 0;
}
