/* gc_host.c - what machines had of the host, the cache, and logs that nobody closed. */
#include "sandbox/gc_parts.h"

#include "base/fd.h"
#include "sandbox/audit/log.h"
#include "sandbox/audit/lost.h"
#include "sandbox/box_jail.h"
#include "sandbox/engine/cgroup.h"
#include "sandbox/image/data.h"
#include "sandbox/places.h"
#include "sandbox/store_dirs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

void gc_each(struct gc *g, int dirfd, const char *path, const char *where, gc_one *one)
{
    int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *de;

    if (!d)
        fd_closep(&fd);
    while (d && (de = readdir(d)))
        if (de->d_name[0] != '.')
            one(g, fd, where, de->d_name);
    if (d)
        closedir(d);
}

/* ---- cgroups ---- */

/* Of a sandbox of this state directory, and of a machine that is not: others', with their own state
 * directory, may lie beside it. The kernel refuses to remove one that holds a process. */
static bool was_ours(struct gc *g, const char *id)
{
    struct box_state st;
    auto_fd int dir = store_open_box(g->store, id, NULL);
    char *state = places_state_dir(NULL), path[PATH_MAX] = "";

    if (state)
        snprintf(path, sizeof(path), "%s/audit/%s", state, id);
    free(state);
    if (dir < 0) /* its log stays longer than the sandbox */
        return access(path, F_OK) == 0;

    auto_fd int lock = openat(dir, "lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    return lock >= 0 && flock(lock, LOCK_SH | LOCK_NB) == 0 &&
           box_load_state(dir, &st, NULL) == 0 &&
           (st.phase == BOX_CREATED || st.phase == BOX_ENDED);
}

static void one_cgroup(struct gc *g, int dirfd, const char *where, const char *name)
{
    static const char prefix[] = "carrel-";
    const char *id = name + sizeof(prefix) - 1;
    struct err e = ERR_INIT;
    char path[512];
    int err = 0;

    if (strncmp(name, prefix, sizeof(prefix) - 1) != 0 || strlen(id) != BOX_ID_LEN ||
        !store_is_id(id) || !was_ours(g, id))
        return;
    snprintf(path, sizeof(path), "%s/%s", where, name);
    if (!g->dry && unlinkat(dirfd, name, AT_REMOVEDIR) && errno != ENOENT)
        err = err_sys(&e, "%s", path);
    gc_tell(g, "cgroup", path, "removed", err, &e);
}

void gc_cgroups(struct gc *g)
{
    struct box_jail plan = { 0 };

    if (cgroup_plan(&plan, "0", NULL))
        return; /* no cgroups here, so none of ours */
    for (uint32_t i = 0; i < plan.ncgroups; i++) {
        char *slash = strrchr(plan.cgroup[i], '/');

        *slash = '\0';
        gc_each(g, AT_FDCWD, plan.cgroup[i], plan.cgroup[i], one_cgroup);
    }
}

/* ---- uids ---- */

static void one_uid(struct gc *g, int dirfd, const char *where, const char *name)
{
    auto_fd int fd = openat(dirfd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct err e = ERR_INIT;
    char path[300];
    int err = 0;

    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB))
        return; /* a keeper's */
    snprintf(path, sizeof(path), "%s/%s", where, name);
    if (!g->dry && unlinkat(dirfd, name, 0) && errno != ENOENT) /* while it is held: jail_fini */
        err = err_sys(&e, "%s", path);
    gc_tell(g, "uid", path, "removed", err, &e);
}

void gc_uids(struct gc *g, int state)
{
    gc_each(g, state, "uids", "uids", one_uid);
}

/* ---- the cache ---- */

static void one_tmp(void *arg, const char *name, int err, const struct err *e)
{
    gc_tell(arg, "cache", name, "removed", err, e);
}

static void one_kernel(struct gc *g, int dirfd, const char *where, const char *name)
{
    auto_fd int dir = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    char path[300];

    snprintf(path, sizeof(path), "%s/%s", where, name);
    if (dir >= 0)
        gc_files(g, dir, path);
}

void gc_cache(struct gc *g)
{
    static const char *const dirs[] = { "images", "kernels" };

    data_tmp_sweep(g->dry, one_tmp, g);
    for (size_t i = 0; i < array_len(dirs); i++) {
        char *data = places_data_dir(NULL), path[PATH_MAX] = "";

        if (data)
            snprintf(path, sizeof(path), "%s/%s", data, dirs[i]);
        free(data);

        auto_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

        if (fd >= 0)
            gc_files(g, fd, dirs[i]);
        if (fd >= 0 && !strcmp(dirs[i], "kernels"))
            gc_each(g, fd, ".", dirs[i], one_kernel);
    }
}

/* ---- logs ---- */

/* The end of a log, whose sandbox is gone, that was killed before it could be written. */
static void one_log(struct gc *g, int dirfd, const char *state, const char *id)
{
    auto_fd int dir = openat(dirfd, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    auto_fd int box = strlen(id) == BOX_ID_LEN ? store_open_box(g->store, id, NULL) : -1;
    struct audit_verdict v;
    struct err e = ERR_INIT;
    char where[300];

    if (dir < 0 || strlen(id) != BOX_ID_LEN || !store_is_id(id))
        return;
    snprintf(where, sizeof(where), "audit/%s", id);
    gc_files(g, dir, where);
    if (box >= 0 || faccessat(dir, "log", F_OK, AT_SYMLINK_NOFOLLOW) || audit_log_lives(dir))
        return;
    if (audit_log_verify(dir, NULL, NULL, NULL, &v, NULL) == 0 ? v.closed : v.fault != AUDIT_TORN)
        return; /* what is wrong with it is `audit verify`'s to say */
    gc_tell(g, "log", where, "closed", g->dry ? 0 : audit_log_lost(state, id, "", &e), &e);
}

void gc_logs(struct gc *g, const char *state)
{
    auto_fd int fd = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    gc_each(g, fd, "audit", state, one_log);
}
