/*
 * bench_seccomp.c - what a filter costs a system call: nanoseconds, for the calls that a vCPU
 * thread and the I/O thread make all day, under the filters that carrel-vmm is given. One JSON line
 * a call.
 *
 * A call is made on descriptor -1: the filter is asked first, and the rest is next to nothing. With
 * and without filter take turns, each in a process of its own; of each the fastest batch counts.
 */
#include "base/fd.h"
#include "base/io.h"
#include "sandbox/confine/vmm.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 15u
#define CALLS  2000u /* a batch */
#define TIMES  100u  /* batches a process */

static const struct hot {
    unsigned filter;
    const char *name;
    long nr;
    unsigned long request;
} hot[] = {
    { VMM_FILTER_VCPU, "vmm-vcpu ioctl(KVM_RUN)", SYS_ioctl, KVM_RUN },
    { VMM_FILTER_VCPU, "vmm-vcpu write", SYS_write, 0 },
    { VMM_FILTER_IO, "vmm-io epoll_pwait", SYS_epoll_pwait, 0 },
    { VMM_FILTER_IO, "vmm-io read", SYS_read, 0 },
    { VMM_FILTER_IO, "vmm-io write", SYS_write, 0 },
    { VMM_FILTER_IO, "vmm-io preadv", SYS_preadv, 0 },
    { VMM_FILTER_IO, "vmm-io ioctl(KVM_SIGNAL_MSI)", SYS_ioctl, KVM_SIGNAL_MSI },
};

struct filters {
    struct vmm_filters head;
    struct sock_filter insns[VMM_FILTERS][4096];
};

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t); /* the vDSO's: no filter is asked */
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int load(struct filters *f, struct err *e)
{
    struct vmm_launch l = { .magic = VMM_LAUNCH_MAGIC,
                            .version = VMM_LAUNCH_VERSION,
                            .flags = VMM_F_SERIAL | VMM_F_RNG | VMM_F_BALLOON,
                            .ndisks = 1,
                            .nports = 1 };
    auto_fd int fd = vmm_filters_open(&l, e);
    off_t at = sizeof(f->head);

    if (fd < 0)
        return fd;
    if (io_pread_full(fd, &f->head, sizeof(f->head), 0) != sizeof(f->head))
        return err_set(e, EIO, "filters: short read");
    for (unsigned i = 0; i < VMM_FILTERS; i++) {
        size_t size = f->head.len[i] * sizeof(f->insns[i][0]);

        if (io_pread_full(fd, f->insns[i], size, at) != (ssize_t)size)
            return err_set(e, EIO, "filters: short read");
        at += (off_t)size;
    }
    return 0;
}

/* In a process of its own: the fastest batch, into *best. */
static _Noreturn void measure(const struct hot *h, const struct sock_fprog *filter, double *best)
{
    if (filter && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
                   syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, filter)))
        abort();
    for (unsigned k = 0; k < TIMES; k++) {
        double from = now_ns(), took;

        for (unsigned i = 0; i < CALLS; i++)
            syscall(h->nr, -1L, h->request, 0L, 0L, 0L, 0L);
        took = (now_ns() - from) / CALLS;
        if (took < *best)
            *best = took;
    }
    syscall(SYS_exit_group, 0);
    abort();
}

static void take_turn(const struct hot *h, const struct sock_fprog *filter, double *best)
{
    pid_t pid = fork();
    int status;

    if (pid == 0)
        measure(h, filter, best);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status) {
        fprintf(stderr, "%s: the filter does not allow it\n", h->name);
        exit(1);
    }
}

int main(void)
{
    static struct filters f;
    struct err e = ERR_INIT;
    double *best = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (best == MAP_FAILED || load(&f, &e)) {
        fprintf(stderr, "bench_seccomp: %s\n", e.msg);
        return 1;
    }
    for (size_t i = 0; i < array_len(hot); i++) {
        struct sock_fprog filter = { (unsigned short)f.head.len[hot[i].filter],
                                     f.insns[hot[i].filter] };

        best[0] = best[1] = 1e12;
        for (unsigned k = 0; k < ROUNDS; k++) {
            take_turn(&hot[i], NULL, &best[0]);
            take_turn(&hot[i], &filter, &best[1]);
        }
        printf("{\"bench\":\"seccomp\",\"call\":\"%s\",\"insns\":%u,\"without_ns\":%.0f,"
               "\"with_ns\":%.0f,\"filter_ns\":%.0f}\n",
               hot[i].name, f.head.len[hot[i].filter], best[0], best[1], best[1] - best[0]);
    }
    return 0;
}
