/* data_tmp.c - temporary directories that do not outlive their makers. See data.h. */
#include "sandbox/image/data.h"

#include "base/failpoint.h"
#include "base/fd.h"
#include "base/own.h"
#include "sandbox/places.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define TMP_PREFIX "tmp."

static int remove_entry(const FTSENT *ent, struct err *e)
{
    switch (ent->fts_info) {
    case FTS_D: /* a package's directories may lack the permission that emptying them takes */
        return chmod(ent->fts_accpath, 0700) ? err_sys(e, "%s", ent->fts_name) : 0;
    case FTS_DP:
        return (FAILPOINT("cache.rmdir") || rmdir(ent->fts_accpath)) && errno != ENOENT
                   ? err_sys(e, "%s", ent->fts_name)
                   : 0;
    case FTS_NS:
    case FTS_DNR:
    case FTS_ERR:
        errno = ent->fts_errno;
        return errno == ENOENT ? 0 : err_sys(e, "%s", ent->fts_name);
    default:
        return (FAILPOINT("cache.unlink") || unlink(ent->fts_accpath)) && errno != ENOENT
                   ? err_sys(e, "%s", ent->fts_name)
                   : 0;
    }
}

int data_remove_tree(int dirfd, const char *path, struct err *e)
{
    char full[PATH_MAX];
    char *roots[] = { full, NULL };
    bool relative = dirfd != AT_FDCWD && *path != '/';
    int n = relative ? snprintf(full, sizeof(full), "/proc/self/fd/%d/%s", dirfd, path)
                     : snprintf(full, sizeof(full), "%s", path);

    if (n >= (int)sizeof(full))
        return err_set(e, ENAMETOOLONG, "%s: path too long", path);

    FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
    FTSENT *ent;
    int err = 0;

    if (!fts)
        return err_sys(e, "%s", path);
    while (!err && (ent = fts_read(fts)))
        err = remove_entry(ent, e);
    fts_close(fts);
    return err;
}

/* Removes the temporary directories whose makers are gone: their lock can be had. */
static void sweep(int cache, bool dry,
                  void (*tell)(void *arg, const char *name, int err, const struct err *e),
                  void *arg)
{
    int own = openat(cache, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    auto_dir DIR *d = own < 0 ? NULL : fdopendir(own);
    struct dirent *ent;

    if (!d) {
        if (own >= 0)
            close(own);
        return;
    }
    while ((ent = readdir(d))) {
        if (strncmp(ent->d_name, TMP_PREFIX, strlen(TMP_PREFIX)) != 0)
            continue;

        auto_fd int fd =
            openat(cache, ent->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB))
            continue;

        /* Untold, a failure is met again, and reported, by whoever needs the room. */
        struct err e = ERR_INIT;
        int err = dry ? 0 : data_remove_tree(cache, ent->d_name, &e);

        if (tell)
            tell(arg, ent->d_name, err, &e);
    }
}

int data_tmp_new(struct data_tmp *t, struct err *e)
{
    auto_str char *dir = places_cache_dir(e);
    auto_fd int cache = dir ? places_open_dir(dir, e) : -1;

    *t = DATA_TMP_INIT;
    if (!dir || cache < 0)
        return e ? -e->code : -ENOENT;

    /* Between mkdtemp and the lock another process's sweep must not take the directory. */
    if (FAILPOINT("cache.lock") || flock(cache, LOCK_EX))
        return err_sys(e, "%s", dir);
    sweep(cache, false, NULL, NULL);
    if (snprintf(t->path, sizeof(t->path), "%s/" TMP_PREFIX "XXXXXX", dir) >= (int)sizeof(t->path))
        return err_set(e, ENAMETOOLONG, "%s: path too long", dir);
    if (FAILPOINT("cache.mkdtemp") || !mkdtemp(t->path))
        return err_sys(e, "%s", t->path);
    t->fd = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (t->fd < 0 || FAILPOINT("cache.hold") || flock(t->fd, LOCK_EX | LOCK_NB)) {
        int err = err_sys(e, "%s", t->path);

        rmdir(t->path);
        fd_closep(&t->fd);
        return err;
    }
    return 0;
}

void data_tmp_sweep(bool dry,
                    void (*tell)(void *arg, const char *name, int err, const struct err *e),
                    void *arg)
{
    auto_str char *dir = places_cache_dir(NULL);
    auto_fd int cache = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    if (cache >= 0 && flock(cache, LOCK_EX) == 0)
        sweep(cache, dry, tell, arg);
}

void data_tmp_free(struct data_tmp *t)
{
    if (t->fd < 0)
        return;
    if (data_remove_tree(AT_FDCWD, t->path, NULL) != 0) {
        /* What is left is unlocked by the close below and swept by the next process. */
    }
    fd_closep(&t->fd);
}
