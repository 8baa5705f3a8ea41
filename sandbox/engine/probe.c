/*
 * probe.c - does 64-bit supervisor code run at speed on /dev/kvm?
 *
 * Where the host has no hardware virtualization of its own, /dev/kvm may come from a software
 * hypervisor (kvm-pvm) that interprets supervisor code: everything works, a thousand times slower,
 * and a stock kernel would take minutes to fail. So a throw-away machine with one page table
 * counts down in a register at CPL 0 and the clock says which it is. It runs in a child with a
 * hard time limit: no answer is an answer as well. The verdict is kept for this boot of the host.
 */
#include "sandbox/engine/probe.h"

#include "base/fd.h"
#include "base/io.h"
#include "base/own.h"
#include "sandbox/places.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

#define LIMIT_MS  180
#define SHORT_RUN 8192u    /* iterations: 30 ms where they are interpreted, nothing elsewhere */
#define LONG_RUN  4000000u /* enough to measure where they are not */
#define FAST_MIPS 50.0     /* interpreters reach 1, the slowest hardware a thousand */

/* Guest memory: page tables (SDM 3A 4.5: 2 MiB mapped as they are), then the code. */
#define MEM_BYTES 0x8000u
#define PML4      0x1000u
#define PDPT      0x2000u
#define PD        0x3000u
#define CODE      0x4000u

#define CPUID_MAX 256u

/* dec rcx; jnz -5; hlt */
static const uint8_t code[] = { 0x48, 0xff, 0xc9, 0x75, 0xfb, 0xf4 };

struct answer {
    int32_t error;
    uint32_t iterations;
    uint64_t ns;
};

static void set_segments(struct kvm_sregs *s)
{
    s->cs = (struct kvm_segment){
        .limit = ~0u, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1
    };
    s->ds = (struct kvm_segment){
        .limit = ~0u, .selector = 16, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1
    };
    s->es = s->fs = s->gs = s->ss = s->ds;
    s->cr3 = PML4;
    s->cr4 = 0x20;       /* PAE */
    s->cr0 = 0x80000001; /* PG, PE */
    s->efer = 0x500;     /* LME, LMA */
}

/* Time on the processor, which includes the guest's: a busy host does not make it look slow. */
static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* One countdown. It counts only if the guest really arrived at the HLT behind the loop. */
static int run(int vcpu, const struct kvm_run *state, uint32_t iterations, uint64_t *ns)
{
    struct kvm_regs r = { .rip = CODE, .rcx = iterations, .rflags = 2, .rsp = MEM_BYTES };
    uint64_t begin;

    if (ioctl(vcpu, KVM_SET_REGS, &r))
        return -errno;
    begin = now_ns();
    if (ioctl(vcpu, KVM_RUN, 0))
        return -errno;
    *ns = now_ns() - begin;
    if (ioctl(vcpu, KVM_GET_REGS, &r))
        return -errno;
    return state->exit_reason == KVM_EXIT_HLT && r.rcx == 0 ? 0 : -ENOEXEC;
}

/* 64-bit mode is only to be had by a CPU that says it can. */
static int set_cpuid(int kvm, int vcpu)
{
    struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + CPUID_MAX * sizeof(c->entries[0]));
    int err = 0;

    if (!c)
        return -ENOMEM;
    c->nent = CPUID_MAX;
    if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, c) || ioctl(vcpu, KVM_SET_CPUID2, c))
        err = -errno;
    free(c);
    return err;
}

/* The whole machine; what it opens ends with the process. */
static int measure(int kvm, struct answer *a)
{
    uint8_t *mem = mmap(NULL, MEM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int vm = ioctl(kvm, KVM_CREATE_VM, 0);
    int vcpu = vm < 0 ? -1 : ioctl(vm, KVM_CREATE_VCPU, 0);
    struct kvm_userspace_memory_region slot = { .memory_size = MEM_BYTES };
    const uint64_t pml4e = PDPT | 3, pdpte = PD | 3, pde = 0x83; /* present, writable; 2 MiB page */
    int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    const struct kvm_run *state;
    struct kvm_sregs s;
    int err;

    if (mem == MAP_FAILED || vcpu < 0)
        return -errno;
    state = size < (int)sizeof(*state)
                ? MAP_FAILED
                : mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
    if (state == MAP_FAILED)
        return -ENOMEM;
    err = set_cpuid(kvm, vcpu);
    if (err)
        return err;
    slot.userspace_addr = (uint64_t)(uintptr_t)mem;
    memcpy(mem + PML4, &pml4e, sizeof(pml4e));
    memcpy(mem + PDPT, &pdpte, sizeof(pdpte));
    memcpy(mem + PD, &pde, sizeof(pde));
    memcpy(mem + CODE, code, sizeof(code));
    if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot) || ioctl(vcpu, KVM_GET_SREGS, &s))
        return -errno;
    set_segments(&s);
    if (ioctl(vcpu, KVM_SET_SREGS, &s))
        return -errno;
    a->iterations = SHORT_RUN;
    err = run(vcpu, state, SHORT_RUN, &a->ns);
    if (!err && a->ns < 5000000) { /* fast, or nearly: measure it properly */
        a->iterations = LONG_RUN;
        err = run(vcpu, state, LONG_RUN, &a->ns);
    }
    return err;
}

/* Runs measure in a child. 1: answered, 0: it did not within the limit. */
static int ask_child(int kvm, struct answer *a, struct err *e)
{
    int p[2];

    if (pipe2(p, O_CLOEXEC))
        return err_sys(e, "probing /dev/kvm");

    auto_fd int in = p[0];
    auto_fd int out = p[1];
    pid_t pid = fork();

    if (pid < 0)
        return err_sys(e, "probing /dev/kvm");
    if (pid == 0) {
        struct answer mine = { 0 };

        mine.error = -measure(kvm, &mine);
        _exit(write(out, &mine, sizeof(mine)) != sizeof(mine));
    }
    fd_closep(&out);

    struct pollfd pf = { .fd = in, .events = POLLIN };
    int n;

    do
        n = poll(&pf, 1, LIMIT_MS);
    while (n < 0 && errno == EINTR);

    bool whole = n > 0 && read(in, a, sizeof(*a)) == sizeof(*a);

    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return whole;
}

/* ---- the verdict, kept ---- */

#define CACHE "kvm-probe"

/* What a verdict is valid for: one boot of one kernel. */
static void describe_host(char out[128])
{
    struct utsname u;
    char boot[40] = "";
    auto_fd int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

    if (fd >= 0 && io_read_full(fd, boot, 36) != 36)
        boot[0] = '\0';
    if (uname(&u))
        u.release[0] = '\0';
    snprintf(out, 128, "%s %.64s", boot, u.release);
}

static int cache_open(void)
{
    auto_str char *path = places_cache_dir(NULL);

    return path ? places_open_dir(path, NULL) : -1;
}

static bool cached(const char *host, double *mips)
{
    auto_fd int dir = cache_open();
    size_t len, n = strlen(host);
    auto_str char *text = dir < 0 ? NULL : io_load(dir, CACHE, 4096, &len, NULL);
    char *end;

    if (!text || strncmp(text, host, n) != 0 || text[n] != '\n')
        return false;
    *mips = strtod(text + n + 1, &end);
    return end != text + n + 1 && *end == '\n' && *mips >= 0;
}

/* Best effort: without it the next start measures again. */
static void remember(const char *host, double mips)
{
    auto_fd int dir = cache_open();
    char text[192];
    int n = snprintf(text, sizeof(text), "%s\n%.3f\n", host, mips);

    if (dir >= 0 && io_store(dir, CACHE, text, (size_t)n, 0600, NULL))
        return;
}

int kvm_probe(enum kvm_speed *speed, double *mips, char hint[240], struct err *e)
{
    struct answer a = { 0 };
    char host[128];
    auto_fd int kvm = kvm_open(hint, e);

    if (kvm < 0)
        return kvm;
    describe_host(host);
    if (!cached(host, mips)) {
        int got = ask_child(kvm, &a, e);

        if (got < 0)
            return got;
        if (got && a.error == ENOEXEC)
            a.ns = 0; /* it does not even run: slower than slow */
        else if (got && a.error)
            return kvm_explain(&(struct kvm_facts){ .error = a.error, .opened = true }, hint, e);
        /* Two instructions an iteration. */
        *mips = got && a.ns ? 2e3 * a.iterations / (double)a.ns : 0;
        if (got) /* no answer in time may be the host's fault, and only for now */
            remember(host, *mips);
    }
    *speed = *mips >= FAST_MIPS ? KVM_NATIVE : KVM_SLOW;
    if (*speed == KVM_SLOW)
        snprintf(hint, 240,
                 "use --engine qemu, a host with hardware virtualization, or a kernel made "
                 "for its hypervisor");
    return 0;
}
