/* layers.c - the layers that are one or two system calls; see launch.h. */
#include "sandbox/launch/launch.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* Joins before any namespace is made, so that the namespace's root is where it is. */
int layer_cgroup(const struct jail_record *r, struct err *e)
{
    if (!r->ncgroups)
        return err_set(e, ENOENT, "no cgroup was given");
    for (uint32_t i = 0; i < r->ncgroups; i++)
        if (write(r->cgroup_fd[i], "0", 1) != 1)
            return err_sys(e, "joining a cgroup");
    return 0;
}

static int leave(int flag, const char *what, struct err *e)
{
    return unshare(flag) ? err_sys(e, "%s", what) : 0;
}

int layer_ipc(const struct jail_record *r, struct err *e)
{
    (void)r;
    return leave(CLONE_NEWIPC, "IPC namespace", e);
}

int layer_uts(const struct jail_record *r, struct err *e)
{
    static const char name[] = "carrel";
    int err = leave(CLONE_NEWUTS, "UTS namespace", e);

    (void)r;
    return !err && sethostname(name, sizeof(name) - 1) ? err_sys(e, "host name") : err;
}

int layer_net(const struct jail_record *r, struct err *e)
{
    (void)r;
    return leave(CLONE_NEWNET, "network namespace", e);
}

int layer_cgroup_ns(const struct jail_record *r, struct err *e)
{
    (void)r;
    return leave(CLONE_NEWCGROUP, "cgroup namespace", e);
}

int layer_limits(const struct jail_record *r, struct err *e)
{
    static const int which[JAIL_LIMITS_N] = { RLIMIT_NOFILE, RLIMIT_FSIZE, RLIMIT_MEMLOCK,
                                              RLIMIT_NPROC };
    const struct rlimit none = { 0, 0 };

    if (setrlimit(RLIMIT_CORE, &none))
        return err_sys(e, "limit of core files");
    for (unsigned i = 0; i < JAIL_LIMITS_N; i++) {
        struct rlimit l = { r->limit[i], r->limit[i] };

        if (r->limit[i] != UINT64_MAX && setrlimit(which[i], &l))
            return err_sys(e, "resource limit %u", i);
    }
    return 0;
}

int layer_no_new_privs(const struct jail_record *r, struct err *e)
{
    (void)r;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? err_sys(e, "no new privileges") : 0;
}
