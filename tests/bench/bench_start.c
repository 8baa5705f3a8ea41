/*
 * bench_start.c - how long from starting carrel-vmm, with every default device, to its guest's
 * first instructions, and until it is reaped; against the bare floor in the same run, turn by turn.
 *
 *     bench_start [ROUNDS]        needs /dev/kvm; CARREL_BUILD names the build directory
 *
 * The floor is a static program that does nothing but the KVM calls: VM, split interrupt
 * controller, 128 MiB of memory, one vCPU with CPUID, one OUT in real mode. Both are forked and
 * executed, both tell the parent by a byte in a pipe, and the clock is the parent's.
 */
#include "tests/payload/payload.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define MEM        (128u << 20)
#define ROUNDS_MAX 1000

/* PVH entry: one byte on the serial port, then the sleep control register (ACPI S5). The byte is a
 * newline, because carrel-vmm passes lines on. */
PAYLOAD(say_and_stop, 32,
        "mov $0x3f8, %dx\n mov $'\\n', %al\n out %al, %dx\n"
        "mov $0x600, %dx\n mov $0x34, %al\n out %al, %dx\n"
        "1: hlt\n jmp 1b\n");

static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void need(bool ok, const char *what)
{
    if (!ok) {
        perror(what);
        exit(1);
    }
}

static int floor_vmm(int tell)
{
    /* The list follows its head. */
    static _Alignas(struct kvm_cpuid2)
        uint8_t list[sizeof(struct kvm_cpuid2) + 256 * sizeof(struct kvm_cpuid_entry2)];
    struct kvm_cpuid2 *cpuid = (void *)list;
    static const uint8_t code[] = { 0xe6, 0x10, 0xf4 }; /* out %al, $0x10; hlt */
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    int vm = ioctl(kvm, KVM_CREATE_VM, 0);
    uint8_t *ram =
        mmap(NULL, MEM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    struct kvm_userspace_memory_region slot = { .memory_size = MEM,
                                                .userspace_addr = (uint64_t)(uintptr_t)ram };
    struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { 24 } };
    struct kvm_sregs sregs;
    struct kvm_regs regs = { .rip = 0x1000, .rflags = 2 };
    int cpu, run_len;

    need(kvm >= 0 && vm >= 0 && ram != MAP_FAILED, "kvm");
    memcpy(ram + 0x1000, code, sizeof(code));
    need(!ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot) && !ioctl(vm, KVM_ENABLE_CAP, &split),
         "machine");
    cpu = ioctl(vm, KVM_CREATE_VCPU, 0);
    run_len = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    need(cpu >= 0 && run_len > 0 &&
             mmap(NULL, (size_t)run_len, PROT_READ | PROT_WRITE, MAP_SHARED, cpu, 0) != MAP_FAILED,
         "vcpu");
    cpuid->nent = 256;
    need(!ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid) && !ioctl(cpu, KVM_SET_CPUID2, cpuid) &&
             !ioctl(cpu, KVM_GET_SREGS, &sregs),
         "cpuid");
    sregs.cs.base = sregs.cs.selector = 0;
    need(!ioctl(cpu, KVM_SET_SREGS, &sregs) && !ioctl(cpu, KVM_SET_REGS, &regs) &&
             !ioctl(cpu, KVM_RUN, 0),
         "run");
    return write(tell, "x", 1) != 1;
}

struct sample {
    double first, reaped;
};

static struct sample run_floor(const char *self)
{
    struct sample s;
    int tell[2];
    double start;
    pid_t pid;
    char c;

    need(!pipe2(tell, O_CLOEXEC), "pipe");
    start = now_us();
    pid = fork();
    if (!pid) {
        dup2(tell[1], 3);
        execl(self, self, "--floor", (char *)NULL);
        _exit(126);
    }
    close(tell[1]);
    need(read(tell[0], &c, 1) == 1, "the floor's byte");
    s.first = now_us() - start;
    waitpid(pid, NULL, 0);
    s.reaped = now_us() - start;
    close(tell[0]);
    return s;
}

/* What `carrel run` gives a sandbox: an image, the control port, entropy, the balloon. */
static struct sample run_vmm(void)
{
    struct sample s;
    struct payload p;
    int port[2], image = memfd_create("disk", MFD_CLOEXEC), disk, status;
    char path[32];
    double start;
    char c;

    need(image >= 0 && !ftruncate(image, 1 << 20), "disk");
    snprintf(path, sizeof(path), "/proc/self/fd/%d", image);
    disk = open(path, O_RDONLY | O_CLOEXEC); /* read-only is checked, not believed */
    close(image);
    need(disk >= 0, "disk");
    need(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, port), "port");
    payload_init(&p, say_and_stop, say_and_stop_end, true);
    close(p.l.kvm_fd);
    p.l.mem_bytes = MEM;
    p.l.flags |= VMM_F_RNG | VMM_F_BALLOON;
    p.l.ndisks = 1;
    p.l.disks[0] = (struct vmm_launch_disk){ .fd = disk, .flags = VMM_DISK_READONLY };
    p.l.nports = 1;
    p.l.ports[0] = (struct vmm_launch_port){ .fd = port[1], .name = "carrel.control" };

    start = now_us();
    p.l.kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    payload_start(&p);
    if (read(p.serial, &c, 1) != 1) {
        struct vmm_report r = { .text = "no report" };

        need(read(p.report, &r, sizeof(r)) >= 0, "report");
        fprintf(stderr, "carrel-vmm: %s\n", r.text);
        exit(1);
    }
    s.first = now_us() - start;
    waitpid(p.pid, &status, 0);
    s.reaped = now_us() - start;
    need(!status, "carrel-vmm");
    close(p.serial);
    close(p.report);
    close(port[0]);
    close(port[1]);
    close(disk);
    return s;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double median(const struct sample *s, int n, bool reaped)
{
    static double v[ROUNDS_MAX];

    for (int i = 0; i < n; i++)
        v[i] = reaped ? s[i].reaped : s[i].first;
    qsort(v, (size_t)n, sizeof(v[0]), by_value);
    return v[n / 2];
}

int main(int argc, char **argv)
{
    static struct sample floor[ROUNDS_MAX], vmm[ROUNDS_MAX];
    int n = argc > 1 && argv[1][0] != '-' ? (int)strtol(argv[1], NULL, 10) : 100;

    if (argc == 2 && !strcmp(argv[1], "--floor"))
        return floor_vmm(3);
    if (n < 1 || n > ROUNDS_MAX) {
        fprintf(stderr, "usage: bench_start [ROUNDS up to %d]\n", ROUNDS_MAX);
        return 2;
    }
    if (access("/dev/kvm", R_OK | W_OK)) {
        perror("skipped: /dev/kvm");
        return 77;
    }
    run_floor("/proc/self/exe");
    run_vmm();
    for (int i = 0; i < n; i++) {
        floor[i] = run_floor("/proc/self/exe");
        vmm[i] = run_vmm();
    }
    for (int reaped = 0; reaped < 2; reaped++)
        printf("{\"bench\":\"start\",\"until\":\"%s\",\"rounds\":%d,\"floor_us\":%.0f,"
               "\"vmm_us\":%.0f,\"ratio\":%.2f}\n",
               reaped ? "reaped" : "first exit", n, median(floor, n, reaped),
               median(vmm, n, reaped), median(vmm, n, reaped) / median(floor, n, reaped));
    return 0;
}
