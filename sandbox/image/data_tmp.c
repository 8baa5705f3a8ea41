/* data_tmp.c - temporary directories that do not outlive their makers. See data.h. */
#include "sandbox/image/data.h"

#include "base/fd.h"
#include "sandbox/places.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define TMP_PREFIX "tmp."

enum { TREE_DEPTH_MAX = 256 };

static int remove_below(int dirfd, const char *path, unsigned depth, struct err *e);

static void dir_closep(DIR **d)
{
    if (*d)
        closedir(*d);
}

static bool is_dot(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int remove_entries(int dirfd, const char *path, unsigned depth, struct err *e)
{
    auto_fd int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct dirent *ent;

    if (fd < 0)
        return errno == ENOENT ? 0 : err_sys(e, "%s", path);
    if (depth > TREE_DEPTH_MAX)
        return err_set(e, ELOOP, "%s: too deep to remove", path);
    /* A package's directories may lack the write permission that emptying them takes. */
    if (fchmod(fd, 0700))
        return err_sys(e, "%s", path);

    int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    cleanup_with(dir_closep) DIR *d = own < 0 ? NULL : fdopendir(own);

    if (!d) {
        int err = err_sys(e, "%s", path);

        if (own >= 0)
            close(own);
        return err;
    }
    while ((ent = readdir(d))) {
        int err = is_dot(ent->d_name) ? 0 : remove_below(fd, ent->d_name, depth + 1, e);

        if (err)
            return err;
    }
    return 0;
}

static int remove_below(int dirfd, const char *path, unsigned depth, struct err *e)
{
    struct stat st;

    if (fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW))
        return errno == ENOENT ? 0 : err_sys(e, "%s", path);

    bool dir = S_ISDIR(st.st_mode);
    int err = dir ? remove_entries(dirfd, path, depth, e) : 0;

    if (!err && unlinkat(dirfd, path, dir ? AT_REMOVEDIR : 0) && errno != ENOENT)
        err = err_sys(e, "%s", path);
    return err;
}

int data_remove_tree(int dirfd, const char *path, struct err *e)
{
    return remove_below(dirfd, path, 0, e);
}

/* Removes the temporary directories whose makers are gone: their lock can be had. */
static void sweep(int cache)
{
    int own = openat(cache, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_with(dir_closep) DIR *d = own < 0 ? NULL : fdopendir(own);
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

        /* A failure here is met again, and reported, by whoever needs the room. */
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 &&
            data_remove_tree(cache, ent->d_name, NULL) != 0)
            continue;
    }
}

static void strp(char **s)
{
    free(*s);
}

int data_tmp_new(struct data_tmp *t, struct err *e)
{
    cleanup_with(strp) char *dir = places_cache_dir(e);
    auto_fd int cache = dir ? places_open_dir(dir, e) : -1;

    *t = DATA_TMP_INIT;
    if (!dir || cache < 0)
        return e ? -e->code : -ENOENT;

    /* Between mkdtemp and the lock another process's sweep must not take the directory. */
    if (flock(cache, LOCK_EX))
        return err_sys(e, "%s", dir);
    sweep(cache);
    if (snprintf(t->path, sizeof(t->path), "%s/" TMP_PREFIX "XXXXXX", dir) >= (int)sizeof(t->path))
        return err_set(e, ENAMETOOLONG, "%s: path too long", dir);
    if (!mkdtemp(t->path))
        return err_sys(e, "%s", t->path);
    t->fd = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (t->fd < 0 || flock(t->fd, LOCK_EX | LOCK_NB)) {
        int err = err_sys(e, "%s", t->path);

        rmdir(t->path);
        fd_closep(&t->fd);
        return err;
    }
    return 0;
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
