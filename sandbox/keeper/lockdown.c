/*
 * lockdown.c - what is left of a keeper's powers once its machine runs. It parses what a guest
 * says; whoever takes it over that way can serve this machine, and no more.
 */
#include "sandbox/keeper/keeper.h"

#include "base/fd.h"
#include "base/landlock.h"
#include "base/own.h"
#include "sandbox/confine/profile.h"
#include "sandbox/places.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int allow(int rules, const char *path, uint64_t rights, struct err *e)
{
    auto_fd int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? err_sys(e, "%s", path) : landlock_allow(rules, fd, rights, e);
}

/* Leaves go when the machine has: from the directory above each. */
static int allow_sweep(const struct keeper *k, int rules, struct err *e)
{
    int err = 0;

    for (uint32_t i = 0; i < k->jail_record.ncgroups && !err; i++) {
        const char *leaf = k->jail_record.cgroup[i], *slash = strrchr(leaf, '/');
        char above[sizeof(k->jail_record.cgroup[0])];

        snprintf(above, sizeof(above), "%.*s", slash ? (int)(slash - leaf) : 0, leaf);
        err = allow(rules, above, LANDLOCK_ACCESS_FS_REMOVE_DIR, e);
    }
    return err;
}

/* Writing is for the state directory; reading is not taken away, since a policy that comes later
 * may name keys and documents anywhere. */
static int bound_writes(const struct keeper *k, struct err *e)
{
    const int abi = landlock_version();
    auto_str char *state = places_state_dir(e);

    if (!state || abi == 0)
        return state ? 0 : -e->code;

    auto_fd int rules = landlock_rules(abi, LANDLOCK_FILES, e);

    if (rules < 0)
        return rules;

    int err = allow(rules, "/", LANDLOCK_READ_TREE, e);

    if (!err)
        err = allow(rules, state, landlock_rights(abi), e);
    if (!err)
        err = allow_sweep(k, rules, e);
    return err ? err : landlock_enter(rules, e);
}

int keeper_lock_down(struct keeper *k, struct err *e)
{
    struct bpf_insn prog[BPF_INSNS_MAX];
    uint32_t len = 0;

    if (!JAILED)
        return 0;

    int err = confine_profile("keeper", 0, prog, &len, e);

    if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        err = err_sys(e, "confinement");
    if (!err)
        err = bound_writes(k, e);
    if (err)
        return err_wrap(e, "keeper");

    const struct sock_fprog filter = { .len = (unsigned short)len,
                                       .filter = (struct sock_filter *)prog };

    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter))
        return err_sys(e, "keeper: loading a system call filter");
    keeper_trace(k, "locked down");
    return 0;
}
