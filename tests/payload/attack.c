/*
 * attack.c - linked into carrel-vmm-attack, which is carrel-vmm in every other way: an attacker who
 * has taken over a thread of it. What came of an attempt goes to the serial port, if anything does.
 */
#include "tests/payload/attack.h"

#include "vmm/device.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

void __real_bus_write(struct bus *b, uint64_t addr, const void *src, unsigned len);
void __wrap_bus_write(struct bus *b, uint64_t addr, const void *src, unsigned len);
int __real_epoll_pwait(int fd, struct epoll_event *ev, int n, int ms, const sigset_t *set);
int __wrap_epoll_pwait(int fd, struct epoll_event *ev, int n, int ms, const sigset_t *set);

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
        memcpy(&attack_target, src, 4);
    } else if (addr == ATTACK_VCPU && len == 1) {
        long r = attack_attempt(n);

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
        order_result = attack_attempt((unsigned)todo - 1);
        order_error = errno;
        __atomic_store_n(&order, -1, __ATOMIC_SEQ_CST);
    }
    return __real_epoll_pwait(fd, ev, n, ms < 0 || ms > 1 ? 1 : ms, set);
}
