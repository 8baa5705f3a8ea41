/* gc_box.c - sandboxes without a keeper, what was to become one or had been one, and names. */
#include "sandbox/gc_parts.h"

#include "base/fd.h"
#include "sandbox/store_dirs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

/* What only a living keeper, or a prepared start, has use for. */
static bool is_left_over(int dir, const char *name)
{
    if (gc_is_orphan(dir, name) || strcmp(name, "disk.new") == 0 ||
        strcmp(name, "keeper.sock") == 0 || strcmp(name, "port.sock") == 0)
        return true;
    /* Its maker holds no lock: a file that is still written is not old. */
    return fnmatch("mount-*.new", name, 0) == 0 && gc_has_rested(dir, name);
}

static bool has_left_over(int dir, char out[256])
{
    int own = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = own < 0 ? NULL : fdopendir(own);
    const struct dirent *de;
    bool found = false;

    if (!d)
        fd_closep(&own);
    while (d && !found && (de = readdir(d))) {
        found = is_left_over(dir, de->d_name);
        snprintf(out, 256, "%s", de->d_name);
    }
    if (d)
        closedir(d);
    return found;
}

/* No keeper has it, as far as one can see without taking the lock. */
static bool is_free(int dir)
{
    auto_fd int lock = openat(dir, "lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    return lock < 0 ? errno == ENOENT : flock(lock, LOCK_SH | LOCK_NB) == 0;
}

/* One after the other, because each takes the lock anew: a keeper that wants it waits for none. */
static void tidy(struct gc *g, const char *id, int dir)
{
    char name[256], path[BOX_ID_LEN + 300];

    while (has_left_over(dir, name)) {
        struct err e = ERR_INIT;
        auto_fd int lock = g->dry ? -1 : box_lock(dir, &e);
        int err = 0;

        if (g->dry ? !is_free(dir) : lock == -EWOULDBLOCK)
            return; /* its keeper's */
        if (!g->dry && lock < 0)
            err = lock;
        else if (!g->dry && unlinkat(dir, name, 0) && errno != ENOENT)
            err = err_sys(&e, "%s", name);
        snprintf(path, sizeof(path), "%s/%s", id, name);
        gc_tell(g, "file", path, "removed", err, &e);
        if (err || g->dry)
            return;
    }
}

static void one(struct gc *g, const char *id)
{
    struct box_config c;
    struct err e = ERR_INIT;
    auto_fd int dir = store_open_box(g->store, id, NULL);
    bool ephemeral = false;
    int err;

    if (dir < 0)
        return;
    if (box_load_config(dir, &c, NULL) == 0) {
        ephemeral = c.ephemeral;
        box_config_fini(&c);
    }
    err = store_needs_mending(dir, id, &e);
    if (err == 1 && g->dry)
        err = is_free(dir) ? 1 : 0;
    else if (err == 1)
        err = store_reconcile(g->store, id, &e);
    if (err < 0)
        gc_tell(g, "sandbox", id, NULL, err, &e);
    else if (err)
        gc_tell(g, "sandbox", id,
                ephemeral || faccessat(dir, "state.json", F_OK, 0) ? "removed" : "ended", 0, NULL);
    else
        tidy(g, id, dir);
}

void gc_boxes(struct gc *g)
{
    char **ids = NULL;
    size_t n = 0;
    struct err e = ERR_INIT;

    if (store_list(g->store, &ids, &n, &e)) {
        gc_tell(g, "sandbox", "sandboxes", NULL, -EIO, &e);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        one(g, ids[i]);
        free(ids[i]);
    }
    free(ids);
}

void gc_halves(struct gc *g)
{
    struct err e = ERR_INIT;
    auto_fd int lock = store_lock_names(g->store, &e);
    DIR *d = lock < 0 ? NULL : store_open_list(g->store, ".");
    const struct dirent *de;

    while (d && (de = readdir(d)))
        if (store_is_half(de->d_name))
            gc_tell(g, "half", de->d_name, "removed",
                    g->dry ? 0 : store_delete_tree(g->store, de->d_name, &e), &e);
    if (d)
        closedir(d);
}

void gc_names(struct gc *g)
{
    struct err e = ERR_INIT;
    auto_fd int lock = store_lock_names(g->store, &e);
    int own = lock < 0 ? -1 : openat(g->store->names, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = own < 0 ? NULL : fdopendir(own);
    const struct dirent *de;

    if (!d)
        fd_closep(&own);
    while (d && (de = readdir(d))) {
        char to[BOX_ID_LEN + 2];
        ssize_t n = readlinkat(g->store->names, de->d_name, to, sizeof(to) - 1);
        int err = 0;

        if (n != BOX_ID_LEN)
            continue; /* "." and "..", and nothing of ours */
        to[n] = '\0';
        if (!store_is_id(to) || faccessat(g->store->boxes, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
            continue;
        if (!g->dry && unlinkat(g->store->names, de->d_name, 0) && errno != ENOENT)
            err = err_sys(&e, "%s", de->d_name);
        gc_tell(g, "name", de->d_name, "removed", err, &e);
    }
    if (d)
        closedir(d);
}
