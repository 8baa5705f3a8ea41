/* landlock.c - no file by name, no TCP, nobody else's abstract socket, no signal to others. */
#include "base/landlock.h"

#include "sandbox/launch/launch.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>

static int abi_found;

int landlock_abi(void)
{
    return abi_found;
}

/* No device, socket or FIFO is made, nothing executed, whatever the tree is for. */
#define CHANGE                                                                                    \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                              \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | \
     LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER | LANDLOCK_ACCESS_FS_TRUNCATE)

/* The trees that the program was given. */
static int allow_trees(int rules, const struct jail_record *r, uint64_t handled, struct err *e)
{
    int err = 0;

    for (uint32_t i = 0; i < r->nfds && !err; i++)
        if (r->fds[i].kinds & (JAIL_DIR | JAIL_DIR_RW))
            err = landlock_allow(rules, r->fds[i].fd,
                                 handled &
                                     (r->fds[i].kinds & JAIL_DIR_RW ? LANDLOCK_READ_TREE | CHANGE
                                                                    : LANDLOCK_READ_TREE),
                                 e);
    return err;
}

int layer_landlock(const struct jail_record *r, struct err *e)
{
    int err, abi = landlock_version();

    if (!abi)
        return err_sys(e, "landlock");
    abi_found = abi;

    auto_fd int rules = landlock_rules(abi, LANDLOCK_EVERYTHING, e);

    if (rules < 0)
        return rules;
    err = landlock_allow(rules, r->program_fd, /* the kernel reads what it executes */
                         LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE, e);
    /* The root holds what the program needs, and nothing else; or it is the host's, to be read. */
    if (!err && (r->nbinds || r->level[JAIL_ROOT] == JAIL_OFF)) {
        auto_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

        err = root < 0
                  ? err_sys(e, "root")
                  : landlock_allow(rules, root, LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_READ_TREE, e);
    }
    if (!err)
        err = allow_trees(rules, r, landlock_rights(abi), e);
    return err ? err : landlock_enter(rules, e);
}
