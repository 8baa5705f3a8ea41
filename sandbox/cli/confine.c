/* confine.c - see confine.h. */
#include "sandbox/cli/confine.h"

#include "base/fd.h"

#include <linux/landlock.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* include/uapi/linux/landlock.h of Linux 6.2 (ABI 3); older headers lack it. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ull << 14)
#endif

static uint64_t rights_of_abi(long abi)
{
    uint64_t rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1; /* ABI 1: bits 0 to 12 */

    if (abi >= 2)
        rights |= LANDLOCK_ACCESS_FS_REFER;
    if (abi >= 3)
        rights |= LANDLOCK_ACCESS_FS_TRUNCATE;
    return rights;
}

void confine_to_directory(int dirfd)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

    if (abi < 1)
        return;

    const struct landlock_ruleset_attr attr = { .handled_access_fs = rights_of_abi(abi) };
    auto_fd int rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
    const struct landlock_path_beneath_attr below = {
        .parent_fd = dirfd,
        .allowed_access = attr.handled_access_fs &
                          ~(uint64_t)(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                                      LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SOCK |
                                      LANDLOCK_ACCESS_FS_MAKE_FIFO),
    };

    if (rules < 0 || syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &below, 0) ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return;
    (void)syscall(SYS_landlock_restrict_self, rules, 0);
}
