/* climb.c - links that lead inside from where they are, and outside from where they are about to
 * be: a name that moves up has fewer parents. What lies in a directory is looked at before it
 * moves. */
#include "sandbox/files/server.h"

#include "base/fd.h"
#include "sandbox/files/entry.h"
#include "sandbox/volume/beneath.h"
#include "sandbox/volume/inside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* More is not looked at: others wait meanwhile, and each level is a descriptor. */
#define ENTRIES_MAX 16384u
#define LEVELS_MAX  48u

struct walk {
    const struct live *l;
    struct {
        int fd;     /* owned */
        size_t len; /* of its path */
    } at[LEVELS_MAX];
    unsigned levels, left;
    char path[PATH_MAX]; /* as it will be, below the mount */
};

static void walk_fini(struct walk *w)
{
    while (w->levels)
        fd_closep(&w->at[--w->levels].fd);
}

/* An absolute one means the same anywhere. */
static bool leads_out(const struct live *l, const char *path, int dir, const char *name)
{
    char text[PATH_MAX];
    ssize_t n = readlinkat(dir, name, text, sizeof(text) - 1);

    if (n < 0)
        return errno != EINVAL && errno != ENOENT;
    text[n] = '\0';
    return *text != '/' && !link_inside(l->target, path, text);
}

static int enter(struct walk *w, int dir, const char *name, size_t len)
{
    int fd = w->levels < LEVELS_MAX ? beneath_stay(dir, name, O_RDONLY | O_DIRECTORY, 0) : -EXDEV;

    if (fd < 0)
        return fd;
    w->at[w->levels].fd = fd;
    w->at[w->levels++].len = len;
    return 0;
}

/* One entry of the innermost directory; 1: it is a directory, and entered. */
static int look(struct walk *w, const struct entry *e)
{
    const unsigned top = w->levels - 1;
    const size_t len = w->at[top].len, n = strlen(e->name);
    int err;

    if (strcmp(e->name, ".") == 0 || strcmp(e->name, "..") == 0)
        return 0;
    if (!w->left-- || len + n + 2 > sizeof(w->path))
        return -EXDEV;
    w->path[len] = '/';
    memcpy(w->path + len + 1, e->name, n + 1);
    if (e->type != DT_DIR && e->type != DT_REG && leads_out(w->l, w->path, w->at[top].fd, e->name))
        return -EXDEV;
    if (e->type != DT_DIR && e->type != DT_UNKNOWN)
        return 0;
    err = enter(w, w->at[top].fd, e->name, len + 1 + n);
    if (err)
        return err == -ENOTDIR && e->type == DT_UNKNOWN ? 0 : -EXDEV;
    /* What was read behind it will be read again. */
    return lseek(w->at[top].fd, e->next, SEEK_SET) < 0 ? -errno : 1;
}

static int look_in(struct walk *w)
{
    _Alignas(8) char buf[4096];
    long n = syscall(SYS_getdents64, w->at[w->levels - 1].fd, buf, sizeof(buf));
    int got = 0;

    if (n <= 0) {
        fd_closep(&w->at[--w->levels].fd);
        return n < 0 ? -EXDEV : 0;
    }
    for (long at = 0; at < n && !got;) {
        const struct entry *e = (const void *)(buf + at);

        at += e->len;
        got = look(w, e);
    }
    return got < 0 ? got : 0;
}

static unsigned depth(const char *rel)
{
    unsigned n = 0;

    for (; *rel; rel++)
        n += *rel == '/';
    return n;
}

int climb_dir(const struct place *from, const struct place *to, int parent)
{
    cleanup_with(walk_fini) struct walk w = { .l = to->live, .left = ENTRIES_MAX };
    size_t len = strlen(to->rel);
    int err;

    if (to->live->rules->links.symlink == SYMLINK_ALLOW || depth(to->rel) >= depth(from->rel))
        return 0;
    memcpy(w.path, to->rel, len + 1);
    err = enter(&w, parent, from->name, len);
    while (!err && w.levels)
        err = look_in(&w);
    return err;
}

int climb_link(struct server *s, const struct place *from, const struct place *to, int parent)
{
    return leads_out(to->live, to->rel, parent, from->name)
               ? judge_leaf(s, to, FILE_SYMLINK_OUTSIDE)
               : 0;
}
