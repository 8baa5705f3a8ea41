/*
 * attack.c - linked into carrel-vmm-attack, which is carrel-vmm in every other way: an attacker who
 * has taken over a thread of it. What came of an attempt goes to the serial port, if anything does.
 */
#include "tests/payload/attack.h"

#include "vmm/device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

void __real_bus_write(struct bus *b, uint64_t addr, const void *src, unsigned len);
void __wrap_bus_write(struct bus *b, uint64_t addr, const void *src, unsigned len);
int __real_epoll_pwait(int fd, struct epoll_event *ev, int n, int ms, const sigset_t *set);
int __wrap_epoll_pwait(int fd, struct epoll_event *ev, int n, int ms, const sigset_t *set);

static uint32_t target;
static uint8_t area[8192] __attribute__((aligned(4096)));
static uint8_t zeros[128], ones[128] = { 255, 255, 255, 255, 255, 255, 255, 255 };
static uint32_t cap_header[2] = { 0x20080522, 0 };
static struct iovec piece = { area, 16 };
static struct msghdr message = {
    .msg_iov = &piece, .msg_iovlen = 1, .msg_control = area, .msg_controllen = 64
};
static siginfo_t queued = { .si_signo = SIGCONT, .si_code = SI_QUEUE };
static struct {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
} clone_args = { .exit_signal = SIGCHLD };

static long attempt(unsigned n)
{
    switch (n) {
#define ATTACK(name, nr, a, b, c, d, e, f) \
    case ATTACK_##name:                    \
        return syscall(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f));
#include "tests/payload/attack.def"
#undef ATTACK
    case ATTACK_i386: {
        long r;

        __asm__ volatile("int $0x80" : "=a"(r) : "a"(20L) : "memory"); /* getpid */
        return r;
    }
    case ATTACK_x32: return syscall(0x40000000L + SYS_getpid);
    default: return 0;
    }
}

static void tell(struct bus *b, long r, int error)
{
    char text[64];
    int n = snprintf(text, sizeof(text), "%ld %d\n", r, r == -1 ? error : 0);

    for (int i = 0; i < n; i++)
        __real_bus_write(b, 0x3f8, text + i, 1);
}

/* For the I/O thread: 0 nothing, n + 1 to do, -1 done. */
static int order;
static long order_result;
static int order_error;

void __wrap_bus_write(struct bus *b, uint64_t addr, const void *src, unsigned len)
{
    uint8_t n = *(const uint8_t *)src;

    if (addr == ATTACK_TARGET && len == 4) {
        memcpy(&target, src, 4);
    } else if (addr == ATTACK_VCPU && len == 1) {
        long r = attempt(n);

        tell(b, r, errno);
    } else if (addr == ATTACK_IO && len == 1) {
        __atomic_store_n(&order, n + 1, __ATOMIC_SEQ_CST);
        while (__atomic_load_n(&order, __ATOMIC_SEQ_CST) != -1)
            ;
        tell(b, order_result, order_error);
    } else {
        __real_bus_write(b, addr, src, len);
    }
}

int __wrap_epoll_pwait(int fd, struct epoll_event *ev, int n, int ms, const sigset_t *set)
{
    int todo = __atomic_load_n(&order, __ATOMIC_SEQ_CST);

    if (todo > 0) {
        order_result = attempt((unsigned)todo - 1);
        order_error = errno;
        __atomic_store_n(&order, -1, __ATOMIC_SEQ_CST);
    }
    return __real_epoll_pwait(fd, ev, n, ms < 0 || ms > 1 ? 1 : ms, set);
}
