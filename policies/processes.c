/* processes.c - see processes.h. Adding a line here is a security decision. */
#include "policies/processes.h"

#include "policies/words.h"

#include <signal.h>
#include <string.h>

#include <asm/unistd_64.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>

struct line {
    unsigned uses; /* any of these, 0: always */
    struct seccomp_rule rule;
};

/* The kernel looks at 32 bits of these arguments, so the filter does too. */
#define LOW32 0xffffffffull

/* clang-format off */
#define CALL(name, why)             { 0, { .nr = __NR_##name, .reason = (why) } }
#define CALL_FOR(use, name, why)    { (use), { .nr = __NR_##name, .reason = (why) } }
#define CALL_WITH(name, i, m, v, why) \
    { 0, { .nr = __NR_##name, .nargs = 1, .arg = { { (i), (m), (v) } }, .reason = (why) } }
#define WITH_FOR(use, name, i, v, why) \
    { (use), { .nr = __NR_##name, .nargs = 1, .arg = { { (i), LOW32, (v) } }, .reason = (why) } }
#define IOCTL(request, why)         CALL_WITH(ioctl, 1, LOW32, (request) & LOW32, why)
#define IOCTL_FOR(use, request, why) WITH_FOR(use, ioctl, 1, (request) & LOW32, why)

/*
 * carrel-vmm is a static program. The signal is VCPU_SIGNAL of vmm/vcpu.h. The first vCPU's thread
 * is also the one that waits for the others and writes the report. What is forbidden is trapped:
 * the handler says in the report which call it was, and ends the process.
 */
static const struct line vmm_vcpu[] = {
    IOCTL(KVM_RUN, "runs the guest"),
    IOCTL(KVM_GET_REGS, "where the guest was when it crashed, for the report"),
    IOCTL(KVM_SIGNAL_MSI, "an interrupt that waited behind a mask"),
    IOCTL(KVM_IOEVENTFD, "a doorbell moves with its device, or goes quiet on a reset"),
    IOCTL(KVM_SET_USER_MEMORY_REGION, "a device's pages move with its BAR"),
    IOCTL_FOR(USE_LIVE, KVM_SET_GSI_ROUTING, "which message carrel-files' interrupts are, as the guest's table says"),
    IOCTL_FOR(USE_LIVE, KVM_IRQFD, "carrel-files' interrupts begin, wait behind a mask, and end"),
    IOCTL(KVM_REGISTER_COALESCED_MMIO, "sizing writes that need no answer"),
    IOCTL(KVM_UNREGISTER_COALESCED_MMIO, "the same, when a BAR moves"),
    CALL(write, "doorbell to the I/O thread, serial output, the log, the report"),
    CALL(futex, "locks of devices; the end of other threads"),
    CALL(clock_gettime, "serial rate, where the host's vDSO has no clock"),
    CALL(rt_sigreturn, "back from the signal that ends KVM_RUN"),
    CALL(exit_group, "end of the machine"),
};

static const struct line vmm_io[] = {
    IOCTL(KVM_SIGNAL_MSI, "interrupts"),
    IOCTL(KVM_SET_USER_MEMORY_REGION, "the page of a vector table whose vector waits behind a mask"),
    CALL(epoll_pwait, "waits for doorbells, sockets and timers"),
    CALL_FOR(USE_PORTS | USE_LIVE, epoll_ctl, "a socket that must wait leaves the loop"),
    CALL(read, "doorbells, timers, the signal that ends it"),
    CALL(write, "a doorbell of its own, to take turns; the log"),
    CALL(futex, "locks of devices"),
    CALL_FOR(USE_PORTS | USE_LIVE, readv, "from a peer's socket; no message that could bring descriptors"),
    CALL_FOR(USE_PORTS | USE_LIVE, writev, "to a peer's socket"),
    CALL_FOR(USE_PORTS | USE_LIVE, close, "hanging up on a peer that went away, or broke a rule"),
    CALL_FOR(USE_DISK, preadv, "disk reads"),
    CALL_FOR(USE_DISK_WRITE, pwritev, "disk writes"),
    CALL_FOR(USE_DISK_WRITE, fdatasync, "disk flushes"),
    WITH_FOR(USE_DISK_WRITE, fallocate, 1, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, "discards"),
    WITH_FOR(USE_DISK_WRITE, fallocate, 1, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, "zeroes"),
    CALL_FOR(USE_RATE | USE_RNG | USE_LIVE, timerfd_settime, "a device whose turn is put off"),
    CALL_FOR(USE_RATE | USE_RNG, clock_gettime, "rates, where the host's vDSO has no clock"),
    CALL_FOR(USE_RNG, getrandom, "entropy for the guest"),
    WITH_FOR(USE_BALLOON, madvise, 2, MADV_DONTNEED, "memory that the guest gave back"),
    WITH_FOR(USE_LIVE, madvise, 2, MADV_REMOVE, "the same, where it is a file for carrel-files' sake"),
    CALL_WITH(tgkill, 2, LOW32, SIGUSR1, "stops vCPU threads; carrel-vmm adds: its own only"),
    CALL(exit_group, "the end after a forbidden call"),
};

/* carrel-keeper: its directory, its socket, the machine's process, the log. No socket of its own
 * making, no process: what is to be started was started before. */
static const struct line keeper[] = {
    CALL(accept4, "clients of its socket"),
    CALL(getsockopt, "who a client is"),
    CALL(openat, "records and logs in its own directory"),
    CALL(pread64, "its records"),
    CALL(pwrite64, "its records"),
    CALL(fsync, "a record is on disk before its effect"),
    CALL(fdatasync, "a record is on disk before its effect"),
    CALL(ftruncate, "logs that are cut"),
    CALL(renameat, "a record that replaces the one before"),
    CALL(unlinkat, "its socket and records, at the end"),
    CALL(getdents64, "what is left in its directory"),
    CALL(readlinkat, "what is left in its directory"),
    CALL(geteuid, "whether a client is its owner"),
    CALL(flock, "its directory is its own"),
    CALL(pidfd_send_signal, "the machine and its carrel-files, when they have to end"),
    CALL(signalfd4, "signals at the event loop's pace"),
    CALL(clock_nanosleep, "a cgroup that is not empty yet"),
    CALL(mkdirat, "directories of records"),
    CALL(unlink, "a claim that is given up"),
    CALL(getuid, "who it is, as libcrypto asks"),
    CALL(getgid, "the same"),
    CALL(getegid, "the same"),
    CALL(memfd_create, "a filter for a command while it is compiled"),
    CALL(clock_getres, "the clock of the machine's process: whether there is one"),
    CALL(read, "what it was handed"),
    CALL(write, "what it was handed"),
    CALL(close, "descriptors that are done with"),
    CALL(lseek, "files that it was handed"),
    CALL(fstat, "what a descriptor is"),
    CALL(newfstatat, "the same, as the C library asks"),
    CALL(fcntl, "flags of descriptors"),
    CALL(epoll_wait, "its event loop"),
    CALL(epoll_pwait, "its event loop"),
    CALL(epoll_ctl, "its event loop"),
    CALL(poll, "waiting for one descriptor"),
    CALL(recvfrom, "messages of its peers"),
    CALL(sendto, "messages to its peers"),
    CALL(shutdown, "one direction of a stream is done"),
    CALL(futex, "locks"),
    CALL(brk, "memory"),
    CALL_WITH(mmap, 2, PROT_EXEC, 0, "memory, never executable"),
    CALL_WITH(mprotect, 2, PROT_EXEC, 0, "memory, never executable"),
    CALL(mremap, "memory"),
    CALL(munmap, "memory"),
    CALL_WITH(madvise, 2, LOW32, MADV_DONTNEED, "memory; as root, no page is offlined"),
    CALL(clock_gettime, "where the host's vDSO has no clock"),
    CALL(getrandom, "the C library's tables, names of things"),
    CALL(getpid, "messages, names of things"),
    CALL(gettid, "abort"),
    CALL(tgkill, "abort"),
    CALL(rt_sigaction, "abort"),
    CALL(rt_sigprocmask, "signals at an event loop's pace"),
    CALL(rt_sigreturn, "back from a signal"),
    CALL(restart_syscall, "after a stop"),
    CALL(exit_group, "the end"),
};

/* carrel-files: the granted trees, below descriptors that it was handed, one request after the
 * other; and the guest's memory. It is a static program, and has no other file, no socket of its
 * own making, no thread. */
static const struct line files[] = {
    CALL(epoll_pwait, "waits for the guest's doorbell and the machine's process"),
    CALL(epoll_ctl, "a doorbell that it was handed"),
    CALL(recvmsg, "how the machine's process lends memory, rings and doorbells"),
    CALL_WITH(fcntl, 1, LOW32, F_GET_SEALS, "memory that cannot shrink under it"),
    CALL(write, "interrupts; the last words"),
    CALL(openat2, "below a root only: RESOLVE_BENEATH"),
    CALL(close, "files that the guest is done with"),
    CALL(newfstatat, "attributes"),
    CALL(fstat, "the same, as the C library asks"),
    CALL(fstatfs, "how much is free"),
    CALL(getdents64, "listings"),
    CALL(lseek, "where a listing goes on; holes"),
    CALL(preadv, "reads, into the guest's memory"),
    CALL(readlinkat, "links, as data"),
    CALL(fsync, "flushes, of what others wrote too"),
    CALL(fdatasync, "the same"),
    CALL(sendto, "a denial, to the keeper; what the machine's process asked"),
    CALL(clock_gettime, "how many of them in a second"),
    CALL(brk, "memory"),
    CALL_WITH(mmap, 2, PROT_EXEC, 0, "memory, its own and the guest's, never executable"),
    CALL(munmap, "memory"),
    CALL(mremap, "memory"),
    CALL(madvise, "memory"),
    CALL(rt_sigprocmask, "abort"),
    CALL(gettid, "abort"),
    CALL(tkill, "abort"),
    CALL(exit_group, "the end"),
    CALL_FOR(USE_LIVE_WRITE, pwritev, "writes, out of the guest's memory"),
    CALL_FOR(USE_LIVE_WRITE, copy_file_range, "copies inside a root"),
    CALL_FOR(USE_LIVE_WRITE, fallocate, "room, holes"),
    CALL_FOR(USE_LIVE_WRITE, ftruncate, "sizes"),
    CALL_FOR(USE_LIVE_WRITE, mkdirat, "directories"),
    CALL_FOR(USE_LIVE_WRITE, unlinkat, "removals"),
    CALL_FOR(USE_LIVE_WRITE, renameat2, "renames"),
    CALL_FOR(USE_LIVE_WRITE, symlinkat, "links, as data"),
    WITH_FOR(USE_LIVE_WRITE, linkat, 4, 0, "hard links, where granted"),
    WITH_FOR(USE_LIVE_WRITE, linkat, 4, AT_EMPTY_PATH, "a name for a file that has none: O_TMPFILE"),
    CALL_FOR(USE_LIVE_WRITE, fchmod, "modes"),
    CALL_FOR(USE_LIVE_WRITE, utimensat, "times"),
};
/* clang-format on */

static const struct program {
    struct process p;
    const struct line *own;
    unsigned nown;
    uint32_t otherwise;
} programs[] = {
#define OWN(table) .own = (table), .nown = array_len(table)
    { .p = { "vmm-vcpu", "a vCPU thread of carrel-vmm; the first one also ends the machine", 14 },
      OWN(vmm_vcpu),
      .otherwise = SECCOMP_RET_TRAP },
    { .p = { "vmm-io", "the I/O thread of carrel-vmm: every device", 24 },
      OWN(vmm_io),
      .otherwise = SECCOMP_RET_TRAP },
    { .p = { "keeper", "carrel-keeper once its machine runs", 0 },
      OWN(keeper),
      .otherwise = SECCOMP_RET_ERRNO | 1 },
    { .p = { "files", "carrel-files: the paths of live mounts", 38 },
      OWN(files),
      .otherwise = SECCOMP_RET_KILL_PROCESS },
#undef OWN
};

unsigned process_count(void)
{
    return array_len(programs);
}

const struct process *process_at(unsigned i)
{
    return &programs[i].p;
}

const struct process *process_find(const char *name)
{
    for (unsigned i = 0; i < array_len(programs); i++)
        if (strcmp(programs[i].p.name, name) == 0)
            return &programs[i].p;
    return NULL;
}

static uint32_t add(const struct line *lines, unsigned n, unsigned uses, struct seccomp_rule *rules)
{
    uint32_t at = 0;

    for (unsigned i = 0; i < n; i++)
        if (!lines[i].uses || lines[i].uses & uses)
            rules[at++] = lines[i].rule;
    return at;
}

void process_model(const struct process *p, unsigned uses, struct seccomp_rule *rules,
                   struct seccomp_model *m)
{
    const struct program *g = container_of(p, const struct program, p);
    uint32_t n = add(g->own, g->nown, uses, rules);

    *m = (struct seccomp_model){ g->otherwise, SECCOMP_RET_KILL_PROCESS, rules, n };
}

unsigned process_calls(const struct seccomp_model *m)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < m->nrules; i++) {
        bool first = !m->rules[i].action;

        for (uint32_t k = 0; k < i && first; k++)
            first = m->rules[k].nr != m->rules[i].nr;
        n += first;
    }
    return n;
}

unsigned process_uses(const struct plan *plan)
{
    unsigned uses = USE_SERIAL | USE_DISK | USE_PORTS | USE_RNG;

    if (plan->root != ROOT_READ_ONLY)
        uses |= USE_DISK_WRITE;
    for (uint32_t i = 0; i < plan->nmounts; i++)
        if (plan->mounts[i].share == SHARE_LIVE)
            uses |= plan->mounts[i].access > ACCESS_RO ? USE_LIVE | USE_LIVE_WRITE : USE_LIVE;
        else if (plan->mounts[i].volume ? plan->mounts[i].access > MEMORY_READ
                                        : plan->mounts[i].access > ACCESS_RO)
            uses |= USE_DISK_WRITE;
    return plan->balloon ? uses | USE_BALLOON : uses;
}
