/* profile.c - limits, identity, capabilities and system calls of a command: see profile.h. */
#include "guest/profile.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAP_BIT(c) ((uint64_t)1 << (c))

/*
 * No command has these, root or not: they reach around the kernel, into carrel-init, or at the
 * disks and ports (C05, C09). CAP_BPF and CAP_PERFMON are named so in Linux 5.8.
 */
#define NEVER                                                                     \
    (CAP_BIT(CAP_SYS_MODULE) | CAP_BIT(CAP_SYS_RAWIO) | CAP_BIT(CAP_SYS_PTRACE) | \
     CAP_BIT(CAP_SYS_BOOT) | CAP_BIT(CAP_MKNOD) | CAP_BIT(CAP_BPF) | CAP_BIT(CAP_PERFMON))

/*
 * Nor these, unless a profile grants them by name. With CAP_SYS_ADMIN a command could mount /proc
 * and /sys anew and write there what the kernel then runs with every capability; CAP_SYS_RESOURCE
 * lifts limits; CAP_NET_RAW opens packet sockets.
 */
#define WITHHELD                                                                 \
    (CAP_BIT(CAP_SYS_ADMIN) | CAP_BIT(CAP_SYS_RESOURCE) | CAP_BIT(CAP_NET_RAW) | \
     CAP_BIT(CAP_CHECKPOINT_RESTORE))

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

int profile_limits(const struct profile *p, const struct limits *all, struct err *e)
{
    struct rlimit files = limits_files(all), core = { 0, RLIM_INFINITY };

    /* Who is not root may be unable to; a guest's init is. */
    if (setrlimit(RLIMIT_NOFILE, &files) && geteuid() == 0 && errno != EPERM)
        return err_sys(e, "limit of open files");
    (void)setrlimit(RLIMIT_CORE, &core);
    for (unsigned i = 0; i < p->nlimits; i++) {
        const struct profile_limit *l = &p->limits[i];
        uint64_t v = l->which == RLIMIT_NOFILE ? least(l->value, all->files) : l->value;
        struct rlimit r = { v, v };

        if (setrlimit((int)l->which, &r))
            return err_sys(e, "resource limit %u", l->which);
    }
    return 0;
}

static int set_caps(uint64_t effective, uint64_t permitted, uint64_t inheritable, struct err *e)
{
    struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct d[2] = {
        { (uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable },
        { (uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32) },
    };

    return syscall(SYS_capset, &h, d) ? err_sys(e, "capabilities") : 0;
}

static uint64_t permitted_caps(void)
{
    struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct d[2] = { { 0 } };

    if (syscall(SYS_capget, &h, d))
        return 0;
    return d[0].permitted | (uint64_t)d[1].permitted << 32;
}

/* Leaves of the bounding set what is allowed; of allowed what this kernel knows. */
static int bound(uint64_t *allowed, struct err *e)
{
    int c;

    for (c = 0; c < 64 && prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; c++)
        if (!(*allowed & CAP_BIT(c)) && prctl(PR_CAPBSET_DROP, c, 0, 0, 0))
            return err_sys(e, "capability %d", c);
    if (c < 64)
        *allowed &= CAP_BIT(c) - 1;
    return 0;
}

/*
 * As another user, and still with every capability that was permitted: how the command's own are
 * set comes after. Ambient ones make them outlive execve where the uid is not 0; root's are
 * computed from the bounding set.
 */
static int keep_caps(uid_t uid, uint64_t allowed, struct err *e)
{
    const unsigned long closed = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
                                 SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
    uint64_t had = permitted_caps();
    int err = set_caps(had, had, allowed, e);

    for (int c = 0; c < 64 && !err && uid != 0; c++)
        if ((allowed & CAP_BIT(c)) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, c, 0, 0))
            err = err_sys(e, "capability %d", c);
    if (!err && uid != 0 && prctl(PR_SET_SECUREBITS, closed, 0, 0, 0))
        err = err_sys(e, "securebits");
    return err ? err : set_caps(allowed, allowed, allowed, e);
}

int profile_identity(const struct profile *p, const struct user *u, struct err *e)
{
    uint64_t allowed = p->has_caps ? p->caps & ~NEVER : ~(NEVER | WITHHELD);
    int err;

    if (p->has_uid && u->uid != p->uid)
        return err_set(e, EPERM, "the guest's user \"%s\" is %u, not %u", u->name, u->uid, p->uid);
    /* Until execve it has PID 1's memory and descriptors (the cgroups' among them), and soon no
     * more capabilities than others: they must not look. execve undoes this (ptrace(2)). */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
        return err_sys(e, "hiding what becomes the command");
    if (p->present && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return err_sys(e, "no_new_privs");
    if (geteuid() != 0)
        return u->uid == geteuid() && !p->has_caps
                   ? 0
                   : err_set(e, EPERM, "only root starts commands of others");
    err = bound(&allowed, e);
    if (err)
        return err;
    if (p->has_caps && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
        return err_sys(e, "keeping capabilities");
    if (setgroups(u->ngroups, u->groups) || setresgid(u->gid, u->gid, u->gid) ||
        setresuid(u->uid, u->uid, u->uid))
        return err_sys(e, "becoming user %u", u->uid);
    return p->has_caps ? keep_caps(u->uid, allowed, e) : 0;
}

int profile_seccomp(const struct profile *p, struct sock_filter *program, unsigned n, struct err *e)
{
    struct sock_fprog f = { .len = (unsigned short)n, .filter = program };

    /* Without filters the call is unknown, or its first operation is. Not NULL: there may be a page
     * at 0 (programs.h). */
    if (!syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, UINTPTR_MAX) || errno != EFAULT)
        return p->loose ? 0 : err_set(e, EOPNOTSUPP, "this guest's kernel has no seccomp filters");
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &f) ? err_sys(e, "seccomp filter") : 0;
}

int profile_filter(const struct profile *p, struct err *e)
{
    return p->nfilter ? profile_seccomp(p, p->filter, p->nfilter, e) : 0;
}
