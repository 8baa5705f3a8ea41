/* gc.c - see gc.h: the order of things, and temporary files. */
#include "sandbox/gc_parts.h"

#include "base/fd.h"
#include "sandbox/places.h"
#include "sandbox/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

void gc_tell(struct gc *g, const char *kind, const char *what, const char *did, int err,
             const struct err *e)
{
    const struct gc_item item = { kind, what, err ? "kept" : did, err ? e->msg : NULL };

    *(err ? &g->kept : &g->done) += 1;
    g->tell(g->arg, &item);
}

bool gc_has_rested(int dir, const char *name)
{
    struct stat st;

    return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           st.st_mtime + GC_REST_S < time(NULL);
}

/* As io_store and io_replace name them, which have no use for one for longer than it takes to write
 * a few kilobytes: after that the pid is somebody else's. */
bool gc_is_orphan(int dir, const char *name)
{
    size_t len = strlen(name);
    const char *p = name + len - 4;
    long pid;

    if (len < 7 || strcmp(p, ".tmp") != 0)
        return false;
    while (p > name && p[-1] >= '0' && p[-1] <= '9')
        p--;
    if (p == name + len - 4 || p == name || p[-1] != '.')
        return false;
    pid = strtol(p, NULL, 10);
    if (pid <= 0 || pid > 0x400000)
        return false;
    return proc_is_gone((pid_t)pid) || gc_has_rested(dir, name);
}

void gc_files(struct gc *g, int dirfd, const char *where)
{
    int own = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = own < 0 ? NULL : fdopendir(own);
    const struct dirent *de;

    if (!d) {
        fd_closep(&own);
        return;
    }
    while ((de = readdir(d))) {
        char path[512];
        struct err e = ERR_INIT;
        int err = 0;

        if (!gc_is_orphan(dirfd, de->d_name))
            continue;
        snprintf(path, sizeof(path), "%s/%s", where, de->d_name);
        if (!g->dry && unlinkat(dirfd, de->d_name, 0) && errno != ENOENT)
            err = err_sys(&e, "%s", path);
        gc_tell(g, "file", path, "removed", err, &e);
    }
    closedir(d);
}

int gc_run(struct gc *g, struct err *e)
{
    static const char *const dirs[] = { "audit", "trust" };
    char *path = places_state_dir(e);
    auto_fd int state = path ? places_open_dir(path, e) : -1;

    g->done = g->kept = 0;
    if (state >= 0) {
        gc_boxes(g);
        gc_halves(g);
        gc_names(g);
        gc_cgroups(g);
        gc_uids(g, state);
        gc_logs(g, path);
        gc_volumes(g, state);
        for (size_t i = 0; i < array_len(dirs); i++) {
            auto_fd int fd =
                openat(state, dirs[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

            if (fd >= 0)
                gc_files(g, fd, dirs[i]);
        }
        gc_cache(g);
    }
    free(path);
    return state < 0 ? -e->code : 0;
}
