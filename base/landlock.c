/* landlock.c - see landlock.h. */
#include "base/landlock.h"

#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

struct ruleset {
    uint64_t fs;     /* ABI 1 */
    uint64_t net;    /* ABI 4: bind, connect */
    uint64_t scoped; /* ABI 6: abstract sockets, signals */
};

int landlock_version(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

    return abi < 1 ? 0 : (int)abi;
}

uint64_t landlock_rights(int abi)
{
    uint64_t rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1; /* bits 0 to 12 */

    if (abi >= 2)
        rights |= LANDLOCK_ACCESS_FS_REFER;
    if (abi >= 3)
        rights |= LANDLOCK_ACCESS_FS_TRUNCATE;
    if (abi >= 5)
        rights |= LANDLOCK_ACCESS_FS_IOCTL_DEV;
    return rights;
}

int landlock_rules(int abi, enum landlock_reach reach, struct err *e)
{
    const bool all = reach == LANDLOCK_EVERYTHING;
    const struct ruleset r = { .fs = landlock_rights(abi),
                               .net = all && abi >= 4 ? 3 : 0,
                               .scoped = all && abi >= 6 ? 3 : 0 };
    /* An older kernel takes no longer struct than it knows. */
    size_t size = r.scoped ? sizeof(r) : r.net ? 16 : 8;
    long fd = syscall(SYS_landlock_create_ruleset, &r, size, 0);

    return fd < 0 ? err_sys(e, "landlock") : (int)fd;
}

int landlock_allow(int rules, int fd, uint64_t rights, struct err *e)
{
    const struct landlock_path_beneath_attr a = { .allowed_access = rights, .parent_fd = fd };

    if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &a, 0))
        return err_sys(e, "landlock rule");
    return 0;
}

int landlock_enter(int rules, struct err *e)
{
    if (syscall(SYS_landlock_restrict_self, rules, 0))
        return err_sys(e, "landlock");
    return 0;
}
