/* roots.c - see roots.h. Compared by what they are: names and links on the way say nothing. */
#include "sandbox/keeper/roots.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

static bool same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* 1: fd is the directory, or below it; 0: it is not; or -errno. */
static int within(int fd, int dir)
{
    auto_fd int at = openat(fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct stat top, here, was = { 0 };

    if (fstat(dir, &top))
        return -errno;
    for (unsigned i = 0; i < PATH_MAX; i++) {
        if (at < 0 || fstat(at, &here))
            return -errno;
        if (same(&here, &top))
            return 1;
        if (i && same(&here, &was)) /* the parent of / */
            return 0;
        was = here;

        int up = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);

        fd_closep(&at);
        at = up;
    }
    return -ELOOP;
}

/* 1 when either holds the other. */
static int touch(int a, int b)
{
    int in = within(a, b);

    return in ? in : within(b, a);
}

int roots_check(const struct root *roots, unsigned n, int state, struct err *e)
{
    for (unsigned i = 0; i < n; i++) {
        int in = touch(roots[i].fd, state);

        if (in > 0)
            return err_set(e, EINVAL,
                           "storage/%s: a live mount can neither hold nor be in the directory of "
                           "the sandboxes' own state",
                           roots[i].id);
        for (unsigned k = 0; !in && k < i; k++) {
            in = touch(roots[i].fd, roots[k].fd);
            if (in > 0)
                return err_set(e, EINVAL,
                               "storage/%s and storage/%s are live, and one directory is, or lies "
                               "in, the other",
                               roots[k].id, roots[i].id);
        }
        if (in < 0)
            return err_set(e, -in, "storage/%s: the directories above it", roots[i].id);
    }
    return 0;
}
