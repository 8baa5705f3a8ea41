/* attempt.c - the attempts of attack.def themselves, for the programs that have an attacker inside.
 */
#include "tests/payload/attack.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
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

uint32_t attack_target;
#define target attack_target /* as attack.def calls it */

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

/* One line each: NOLINTNEXTLINE(readability-function-size) */
long attack_attempt(unsigned n)
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
