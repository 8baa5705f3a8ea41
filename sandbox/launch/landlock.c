/*
 * landlock.c - no file by name, no TCP, nobody else's abstract socket, no signal to others.
 *
 * The numbers of newer kernels are written out, because older headers lack them:
 * include/uapi/linux/landlock.h of Linux 6.12 (ABI 6).
 */
#include "sandbox/launch/launch.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>

struct ruleset {
    uint64_t fs;     /* ABI 1 */
    uint64_t net;    /* ABI 4: bind, connect */
    uint64_t scoped; /* ABI 6: abstract sockets, signals */
};

static int abi_found;

int landlock_abi(void)
{
    return abi_found;
}

static struct ruleset everything(int abi, size_t *size)
{
    struct ruleset r = { .fs = (1ull << 13) - 1 };

    if (abi >= 2)
        r.fs |= 1ull << 13; /* REFER */
    if (abi >= 3)
        r.fs |= 1ull << 14; /* TRUNCATE */
    if (abi >= 5)
        r.fs |= 1ull << 15; /* IOCTL_DEV: of devices opened from now on */
    r.net = abi >= 4 ? 3 : 0;
    r.scoped = abi >= 6 ? 3 : 0;
    *size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
    return r;
}

static int allow(int rules, int fd, uint64_t access, struct err *e)
{
    const struct landlock_path_beneath_attr a = { .allowed_access = access, .parent_fd = fd };

    if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &a, 0))
        return err_sys(e, "landlock rule");
    return 0;
}

#define READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
/* No device, socket or FIFO is made, nothing executed, whatever the tree is for. */
#define CHANGE                                                                                    \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                              \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | \
     LANDLOCK_ACCESS_FS_MAKE_SYM | 1ull << 13 /* REFER */ | 1ull << 14 /* TRUNCATE */)

/* The trees that the program was given. */
static int allow_trees(int rules, const struct jail_record *r, uint64_t handled, struct err *e)
{
    int err = 0;

    for (uint32_t i = 0; i < r->nfds && !err; i++)
        if (r->fds[i].kinds & (JAIL_DIR | JAIL_DIR_RW))
            err = allow(rules, r->fds[i].fd,
                        handled & (r->fds[i].kinds & JAIL_DIR_RW ? READ | CHANGE : READ), e);
    return err;
}

int layer_landlock(const struct jail_record *r, struct err *e)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    size_t size;
    int err;

    if (abi < 1)
        return err_sys(e, "landlock");
    abi_found = (int)abi;

    const struct ruleset all = everything(abi_found, &size);
    auto_fd int rules = (int)syscall(SYS_landlock_create_ruleset, &all, size, 0);

    if (rules < 0)
        return err_sys(e, "landlock");
    err = allow(rules, r->program_fd, /* the kernel reads what it executes */
                LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE, e);
    /* The root holds what the program needs, and nothing else; or it is the host's, to be read. */
    if (!err && (r->nbinds || r->level[JAIL_ROOT] == JAIL_OFF)) {
        auto_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

        err = root < 0 ? err_sys(e, "root")
                       : allow(rules, root,
                               LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |
                                   LANDLOCK_ACCESS_FS_READ_DIR,
                               e);
    }
    if (!err)
        err = allow_trees(rules, r, all.fs, e);
    if (!err && syscall(SYS_landlock_restrict_self, rules, 0))
        err = err_sys(e, "landlock");
    return err;
}
