/*
 * reconcile.c - who owns a sandbox, and the end of one that nobody owns any more.
 *
 * The lock is the only truth about owners: the kernel lets go of it when its holder dies, however
 * it dies. Everything here may be repeated, also after dying half-way.
 */
#include "base/failpoint.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/own.h"
#include "sandbox/audit/lost.h"
#include "sandbox/box_jail.h"
#include "sandbox/places.h"
#include "sandbox/proc.h"
#include "sandbox/store_dirs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#define ABANDONED_S 60   /* an ephemeral sandbox that nobody started within this */
#define KILL_MS     5000 /* a killed engine ends in milliseconds, unless the host is in trouble */

int box_lock(int dirfd, struct err *e)
{
    auto_fd int fd = FAILPOINT("box.lock.open")
                         ? -1
                         : openat(dirfd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct stat st;

    if (fd < 0)
        return errno == ENOENT ? err_set(e, ENOENT, "the sandbox was removed") : err_sys(e, "lock");
    if (FAILPOINT("box.lock.take") || flock(fd, LOCK_EX | LOCK_NB))
        return errno == EWOULDBLOCK ? err_set(e, EWOULDBLOCK, "the sandbox is in use")
                                    : err_sys(e, "lock");
    /* Whoever removed the sandbox meanwhile held the lock of a file that is gone now. */
    if (fstat(fd, &st) || st.st_nlink == 0)
        return err_set(e, ENOENT, "the sandbox was removed");
    return fd_steal(&fd);
}

void box_unlock(int *lock)
{
    if (*lock >= 0)
        (void)flock(*lock, LOCK_UN);
    fd_closep(lock);
}

int box_sign(int lock, pid_t above, struct err *e)
{
    char text[96];
    int n = snprintf(text, sizeof(text), "%d %llu %d %llu\n", (int)getpid(),
                     (unsigned long long)proc_start_time(getpid()), (int)above,
                     (unsigned long long)(above ? proc_start_time(above) : 0));

    if (FAILPOINT("box.lock.sign") || ftruncate(lock, 0) || pwrite(lock, text, (size_t)n, 0) != n)
        return err_sys(e, "lock");
    return 0;
}

struct box_holder box_holder(int dirfd)
{
    struct box_holder h = { 0 };
    size_t len;
    auto_str char *text = io_load(dirfd, "lock", 96, &len, NULL);
    char *end = text;

    if (text)
        h.pid = (pid_t)strtol(text, &end, 10);
    if (end && *end == ' ')
        h.start = strtoull(end, &end, 10);
    if (end && *end == ' ')
        h.above = (pid_t)strtol(end, &end, 10);
    if (end && *end == ' ')
        h.above_start = strtoull(end, NULL, 10);
    return h;
}

/* First the one above, who would replace it. */
int box_kill_holder(const struct box_holder *h, int timeout_ms, struct err *e)
{
    int err = h->above ? proc_kill(h->above, h->above_start, timeout_ms, e) : 0;

    return err < 0 ? err : proc_kill(h->pid, h->start, timeout_ms, e);
}

DIR *store_open_list(struct store *s, const char *dir)
{
    auto_fd int fd = openat(s->boxes, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);

    if (d && fd_steal(&fd) >= 0) /* closedir closes it */
        return d;
    return NULL;
}

int store_delete_tree(struct store *s, const char *dir, struct err *e)
{
    auto_dir DIR *d = store_open_list(s, dir);
    const struct dirent *de;
    int err = 0;

    if (!d)
        return errno == ENOENT ? 0 : err_sys(e, "sandbox %s", dir);
    while ((de = readdir(d))) {
        if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
            continue;
        /* What cannot go keeps nothing else: it may be there for that. */
        if ((FAILPOINT("box.remove.file") || unlinkat(dirfd(d), de->d_name, 0)) && errno != ENOENT)
            err = err_sys(e, "sandbox %s: %s", dir, de->d_name);
    }
    if (err)
        return err;
    if ((FAILPOINT("box.remove.dir") || unlinkat(s->boxes, dir, AT_REMOVEDIR)) && errno != ENOENT)
        return err_sys(e, "sandbox %s", dir);
    return 0;
}

int store_remove_locked(struct store *s, const char *id, int dir, struct err *e)
{
    char dying[BOX_ID_LEN + 2];
    struct box_config c;

    if (box_load_config(dir, &c, NULL) == 0) {
        store_drop_name(s, c.name, id);
        box_config_fini(&c);
    } else {
        store_drop_name(s, NULL, id); /* a damaged one */
    }
    (void)FAILPOINT("box.remove.begin");
    box_sweep_jail_of(dir, id); /* of a start that came to nothing */
    snprintf(dying, sizeof(dying), ".%s", id);
    if ((FAILPOINT("box.remove.rename") || renameat(s->boxes, id, s->boxes, dying)) &&
        errno != ENOENT)
        return err_sys(e, "sandbox %s", id);
    return store_delete_tree(s, dying, e);
}

/* A log that cannot be closed stays open: `audit verify` says so. */
static void close_log(int dir)
{
    char *state = places_state_dir(NULL);
    struct box_config c;

    if (state && box_load_config(dir, &c, NULL) == 0) {
        (void)!audit_log_lost(state, c.id, c.policy_hash, NULL);
        box_config_fini(&c);
    }
    free(state);
}

/* h13: a state that cannot be read names no machine; what carrel-launch told does. */
static void end_unrecorded(int dir)
{
    struct box_state st;
    struct box_jail j;

    if (box_load_state(dir, &st, NULL) && box_load_jail(dir, BOX_ENGINE, &j, NULL) == 0)
        (void)!proc_kill(j.pid, j.start, KILL_MS, NULL);
}

int store_remove(struct store *s, const char *id, struct err *e)
{
    auto_fd int dir = store_open_box(s, id, e);

    if (dir < 0)
        return dir;

    auto_fd int lock = box_lock(dir, e);

    if (lock == -EWOULDBLOCK)
        return err_set(e, EBUSY, "sandbox %s is running", id);
    if (lock < 0)
        return lock;
    close_log(dir);
    end_unrecorded(dir);
    return store_remove_locked(s, id, dir, e);
}

/* Whoever made it says nothing more, or never started it. */
static bool is_abandoned(int dir, bool ephemeral)
{
    auto_fd int client = openat(dir, BOX_CLIENT, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;

    if (client >= 0 || !ephemeral)
        return client >= 0 && flock(client, LOCK_EX | LOCK_NB) == 0;

    return fstat(dir, &st) == 0 && st.st_mtime + ABANDONED_S < time(NULL);
}

static bool is_alive(enum box_phase p)
{
    return p != BOX_CREATED && p != BOX_ENDED;
}

static int record_loss(int dir, struct box_state *st, struct err *e)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    st->phase = BOX_ENDED;
    st->ended_ns = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    st->keeper_pid = st->vmm_pid = 0;
    st->keeper_start = st->vmm_start = 0;
    snprintf(st->reason, sizeof(st->reason), "keeper-lost");
    snprintf(st->text, sizeof(st->text), "its keeper died; what was left of it has been ended");
    close_log(dir);
    if (FAILPOINT("reconcile.record"))
        return err_sys(e, "state");
    return box_save_state(dir, st, true, e);
}

/* What is to be done about a sandbox in this state that nobody holds. */
static bool needs_mending(const struct box_state *st, bool ephemeral, int dir, const char *id)
{
    /* A start that came to nothing has left cgroups, and no pid. */
    if (!is_alive(st->phase) && box_has_leaves(dir, id))
        return true;
    return is_alive(st->phase) || (ephemeral && st->phase == BOX_ENDED) ||
           (st->phase == BOX_CREATED && is_abandoned(dir, ephemeral));
}

static int mend(struct store *s, const char *id, int dir, bool ephemeral, struct err *e)
{
    struct box_state st;
    auto_fd int lock = box_lock(dir, e);

    if (lock < 0)
        return lock == -EWOULDBLOCK || lock == -ENOENT ? 0 : lock;

    int err = box_load_state(dir, &st, e); /* again: it may have ended in order meanwhile */

    /* Not written to the end before a power cut: nothing of it runs. */
    if (err == -EBADMSG && ephemeral)
        return store_remove_locked(s, id, dir, e) ? -e->code : 1;
    if (err || !needs_mending(&st, ephemeral, dir, id))
        return err;
    if (!is_alive(st.phase))
        box_sweep_jail_of(dir, id);
    if (st.phase == BOX_CREATED && is_abandoned(dir, ephemeral)) {
        close_log(dir); /* its keeper may have begun one */
        return store_remove_locked(s, id, dir, e) ? -e->code : 1;
    }
    if (is_alive(st.phase)) {
        err = proc_kill(st.vmm_pid, st.vmm_start, KILL_MS, e);
        if (err >= 0) {
            box_sweep_jail_of(dir, id);
            err = record_loss(dir, &st, e);
        }
    }
    if (!err && ephemeral)
        err = store_remove_locked(s, id, dir, e);
    return err ? err : 1;
}

int store_needs_mending(int dir, const char *id, struct err *e)
{
    struct box_config c;
    struct box_state st;
    int err = box_load_config(dir, &c, e);

    if (err)
        return err;

    bool ephemeral = c.ephemeral;

    box_config_fini(&c);
    err = box_load_state(dir, &st, e);
    if (err == -EBADMSG && ephemeral)
        return 1;
    return err ? err : needs_mending(&st, ephemeral, dir, id);
}

int store_reconcile(struct store *s, const char *id, struct err *e)
{
    struct err why = ERR_INIT; /* what kind of error it is matters here */
    struct box_config c;
    int err;

    e = e ? e : &why;

    auto_fd int dir = store_open_box(s, id, e);

    if (dir < 0)
        return dir;
    err = store_needs_mending(dir, id, e);
    /* No lock before there is a need: a keeper may be about to take it. */
    if (err == 1 && (err = box_load_config(dir, &c, e)) == 0) {
        bool ephemeral = c.ephemeral;

        box_config_fini(&c);
        err = mend(s, id, dir, ephemeral, e);
    }
    return err < 0 ? err_wrap(e, "sandbox %s", id) : err;
}
