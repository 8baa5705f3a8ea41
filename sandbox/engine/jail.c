/* jail.c - see jail.h. */
#include "sandbox/engine/jail.h"

#include "base/failpoint.h"
#include "base/fd.h"
#include "sandbox/places.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

/* Above what distributions give to users, containers (524288 and up) and systemd (to 0x7fff0000
 * from 61184, 524288): a range that nothing hands out by itself. */
#define UID_FIRST 0x70000000u
#define UIDS      65536u
#define TRIES     256u

void jail_init(struct jail *j)
{
    *j = (struct jail){ .uid_fd = -1, .state_fd = -1 };
    for (unsigned i = 0; i < JAIL_LAYERS; i++)
        j->level[i] = JAIL_PREFERRED;
    /* What every kernel and every user can have. */
    j->level[JAIL_LIMITS] = j->level[JAIL_NO_NEW_PRIVS] = j->level[JAIL_SECCOMP] = JAIL_REQUIRED;
}

void jail_require_all(struct jail *j)
{
    for (unsigned i = 0; i < JAIL_LAYERS; i++)
        if (j->level[i])
            j->level[i] = JAIL_REQUIRED;
}

void jail_fini(struct jail *j)
{
    if (j->uid_fd >= 0 && !FAILPOINT("uid.unlink"))
        unlinkat(j->state_fd, j->uid_path, 0); /* while it is held: see claim */
    fd_closep(&j->uid_fd);
    fd_closep(&j->state_fd);
    while (j->ncgroups)
        fd_closep(&j->cgroup_fd[--j->ncgroups]);
    j->uid = 0;
}

/* 1: it is ours; 0: somebody has it. A file that was removed while we waited is not the lock. */
static int claim(struct jail *j, const char *path, struct err *e)
{
    auto_fd int fd = FAILPOINT("uid.open")
                         ? -1
                         : openat(j->state_fd, path,
                                  O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    struct stat st;

    if (fd < 0)
        return err_sys(e, "%s", path);
    if (FAILPOINT("uid.lock") || flock(fd, LOCK_EX | LOCK_NB))
        return errno == EWOULDBLOCK ? 0 : err_sys(e, "%s", path);
    if (fstat(fd, &st))
        return err_sys(e, "%s", path);
    if (st.st_nlink == 0)
        return 0;
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_nlink != 1)
        return err_set(e, EACCES, "%s: not a plain file of ours", path);
    j->uid_fd = fd_steal(&fd);
    return 1;
}

static int open_state(struct jail *j, struct err *e)
{
    char *dir = places_state_dir(e);

    j->state_fd = dir ? places_open_dir(dir, e) : -e->code;
    free(dir);
    return j->state_fd < 0 ? j->state_fd : 0;
}

static void name_claim(struct jail *j, uint32_t uid)
{
    snprintf(j->uid_path, sizeof(j->uid_path), "uids/%u", uid);
}

int jail_keep_uid(struct jail *j, uint32_t uid, int fd, struct err *e)
{
    name_claim(j, uid);
    j->uid = uid;
    j->uid_fd = fd;
    return open_state(j, e);
}

int jail_claim_uid(struct jail *j, const char *id, struct err *e)
{
    uint32_t at = 2166136261u; /* FNV-1a: spreads ids over the range, nothing more */

    if (open_state(j, e))
        return -e->code;
    if ((FAILPOINT("uid.mkdir") || mkdirat(j->state_fd, "uids", 0700)) && errno != EEXIST)
        return err_sys(e, "uids");
    for (const char *c = id; *c; c++)
        at = (at ^ (uint8_t)*c) * 16777619u;
    for (uint32_t i = 0; i < TRIES; i++) {
        uint32_t uid = UID_FIRST + (at + i) % UIDS;

        name_claim(j, uid);

        int got = claim(j, j->uid_path, e);

        if (got < 0)
            return got;
        if (got) {
            j->uid = uid;
            return 0;
        }
    }
    return err_set(e, EAGAIN, "no uid is free for the sandbox");
}

/* ---- what carrel-launch tells ---- */

bool engine_has_jail(const struct engine_run *r)
{
    return r->jail_have == sizeof(r->jail);
}

size_t jail_take(struct engine_run *r, const char *bytes, size_t len)
{
    size_t taken = 0;
    uint32_t magic;

    while (r->jailed && taken < len) {
        size_t n = sizeof(r->jail) - r->jail_have;

        if (!n) { /* complete; another one begins, or the program's own words do */
            if (len - taken >= sizeof(magic))
                memcpy(&magic, bytes + taken, sizeof(magic));
            if (len - taken < sizeof(magic) || magic != JAIL_MAGIC) {
                r->jailed = false;
                break;
            }
            r->jail_have = 0;
            continue;
        }
        n = n < len - taken ? n : len - taken;
        memcpy((char *)&r->jail + r->jail_have, bytes + taken, n);
        r->jail_have += n;
        taken += n;
    }
    return taken;
}

const char *jail_refusal(const struct engine_run *r)
{
    if (!engine_has_jail(r) || r->jail.magic != JAIL_MAGIC || !r->jail.refused)
        return NULL;
    return memchr(r->jail.text, 0, sizeof(r->jail.text)) ? r->jail.text : "it was refused";
}
