/*
 * volumes.c - the disks that the plan puts at a place of their own. They were made before this
 * process was started (sandbox/volume/prepare.h); here they are opened and measured, nothing more:
 * a file system that a guest has written is not for a keeper to read.
 */
#include "sandbox/keeper/keeper.h"

#include "base/fd.h"
#include "policies/words.h"
#include "sandbox/volume/names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

bool keeper_mount_writes(const struct plan_mount *m)
{
    return m->access >= (m->volume ? (uint64_t)MEMORY_APPEND : (uint64_t)ACCESS_RW);
}

static int open_one(struct keeper *k, const struct plan_mount *m, struct engine_volume *v,
                    struct err *e)
{
    bool writable = keeper_mount_writes(m);
    char name[VOLUME_NAME];
    auto_fd int fd = -1;
    struct stat st;

    /* Its copy of a memory volume is adopted once at most: not when somebody did so already. */
    snprintf(name, sizeof(name), VOLUME_BASE, m->id);
    if (m->volume && writable && faccessat(k->boxfd, name, F_OK, AT_SYMLINK_NOFOLLOW))
        return err_set(e, EAGAIN, "storage/memory/%s: another sandbox took it just now", m->id);
    snprintf(name, sizeof(name), VOLUME_IMAGE, m->id);
    fd = openat(k->boxfd, name,
                (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st))
        return err_sys(e, "storage/%s: %s", m->id, name);
    if (!S_ISREG(st.st_mode) || st.st_nlink != 1 || st.st_uid != geteuid() ||
        (uint64_t)st.st_size > m->bytes)
        return err_set(e, EINVAL, "storage/%s: %s is no volume of at most %llu bytes", m->id, name,
                       (unsigned long long)m->bytes);
    *v = (struct engine_volume){ .fd = fd_steal(&fd), .readonly = !writable, .target = m->target };
    return 0;
}

int keeper_open_volumes(struct keeper *k, struct keeper_parts *p, struct err *e)
{
    const struct plan *plan = guard_plan(k->guard);
    int err = 0;

    for (uint32_t i = 0; !err && i < plan->nmounts; i++) {
        const struct plan_mount *m = &plan->mounts[i];

        if (m->access == 0 || m->share == SHARE_LIVE) /* none, of both kinds; or no disk */
            continue;
        if (p->nvolumes == ENGINE_VOLUMES)
            return err_set(e, E2BIG, "a machine has at most %u volumes", ENGINE_VOLUMES);
        err = open_one(k, m, &p->volumes[p->nvolumes], e);
        if (!err && !p->volumes[p->nvolumes++].readonly)
            k->has_volumes = true;
    }
    return err ? err : guard_take_notes(k->guard, k->boxfd, e);
}
