/* lockdown.c - see lockdown.h. */
#include "vmm/lockdown.h"

#include "base/fd.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

/* Nothing may change what was judged: not its bytes, not its length. */
#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK)

static int read_filter(struct sock_fprog *out, int fd, uint32_t len, off_t at, struct err *e)
{
    size_t bytes = len * sizeof(struct sock_filter);

    out->filter = malloc(bytes);
    if (!out->filter)
        return err_set(e, ENOMEM, "filters: no memory");
    out->len = (unsigned short)len;
    if (io_pread_full(fd, out->filter, bytes, at) != (ssize_t)bytes)
        return err_set(e, EINVAL, "filters: shorter than they say");
    return 0;
}

int lockdown_open(struct lockdown *k, const struct vmm_launch *l, struct err *e)
{
    struct vmm_filters head;
    off_t at = sizeof(head);
    int err = 0, seals;

    *k = (struct lockdown){ 0 };
    if (l->filter_fd == -1)
        return 0;

    auto_fd int fd = l->filter_fd;

    seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & SEALS) != SEALS)
        return err_set(e, EINVAL, "filters: not a sealed file");
    if (io_pread_full(fd, &head, sizeof(head), 0) != sizeof(head) ||
        head.magic != VMM_FILTERS_MAGIC || head.version != VMM_LAUNCH_VERSION)
        return err_set(e, EINVAL, "filters: this is none, or of another version");
    for (unsigned i = 0; !err && i < VMM_FILTERS; i++) {
        if (!head.len[i] || head.len[i] > VMM_FILTER_INSNS)
            return err_set(e, EINVAL, "filters: %u instructions: from 1 to %u", head.len[i],
                           VMM_FILTER_INSNS);
        err = read_filter(&k->filter[i], fd, head.len[i], at, e);
        at += (off_t)(head.len[i] * sizeof(struct sock_filter));
    }
    return err;
}

void lockdown_fini(struct lockdown *k)
{
    for (unsigned i = 0; i < VMM_FILTERS; i++)
        free(k->filter[i].filter);
    *k = (struct lockdown){ 0 };
}

/* ---- a forbidden call ---- */

static int report_fd = -1; /* set before any filter is loaded */

/* Runs instead of the call. What it needs, write and exit_group, every filter allows. */
static void on_forbidden(int sig, siginfo_t *info, void *context)
{
    static struct vmm_report r = { .magic = VMM_LAUNCH_MAGIC,
                                   .version = VMM_LAUNCH_VERSION,
                                   .reason = VMM_FORBIDDEN,
                                   .text = "carrel-vmm made a system call that it may not make" };

    (void)sig;
    (void)context;
    r.detail = (uint64_t)info->si_syscall;
    if (write(report_fd, &r, sizeof(r)) < 0)
        _exit(2);
    _exit(1);
}

int lockdown_process(const struct vmm_launch *l, struct err *e)
{
    struct sigaction sa = { .sa_sigaction = on_forbidden, .sa_flags = SA_SIGINFO };
    const struct rlimit none = { 0, 0 };

    report_fd = l->report_fd;
    /* No new descriptor from anywhere, a peer included; those that are open stay. */
    if (sigaction(SIGSYS, &sa, NULL) || setrlimit(RLIMIT_NOFILE, &none))
        return err_sys(e, "lock-down");
    return 0;
}

/* ---- filters ---- */

void lockdown_own_only(struct sock_filter out[LOCKDOWN_OWN_INSNS], pid_t pid)
{
    const uint32_t arg = offsetof(struct seccomp_data, args[0]); /* little-endian: low word first */
    const struct sock_filter own[LOCKDOWN_OWN_INSNS] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_tgkill, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, arg),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)pid, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, arg + 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
    };

    memcpy(out, own, sizeof(own));
}

static int load(const struct sock_fprog *prog, struct err *e)
{
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, prog))
        return err_sys(e, "loading a system call filter");
    return 0;
}

int lockdown_thread(const struct lockdown *k, unsigned kind, struct err *e)
{
    struct sock_filter own[LOCKDOWN_OWN_INSNS];
    const struct sock_fprog on_top = { .len = LOCKDOWN_OWN_INSNS, .filter = own };
    int err = 0;

    if (!k->filter[kind].filter)
        return 0;
    if (kind == VMM_FILTER_IO) {
        lockdown_own_only(own, getpid());
        err = load(&on_top, e);
    }
    return err ? err : load(&k->filter[kind], e);
}
