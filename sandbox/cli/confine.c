/* confine.c - see confine.h. */
#include "sandbox/cli/confine.h"

#include "base/fd.h"
#include "base/landlock.h"

#include <sys/prctl.h>

void confine_to_directory(int dirfd)
{
    int abi = landlock_version();
    uint64_t below = landlock_rights(abi) &
                     ~(uint64_t)(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                                 LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SOCK |
                                 LANDLOCK_ACCESS_FS_MAKE_FIFO);
    auto_fd int rules = abi ? landlock_rules(abi, LANDLOCK_FILES, NULL) : -1;

    if (rules < 0 || landlock_allow(rules, dirfd, below, NULL) ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return;
    (void)!landlock_enter(rules, NULL);
}
