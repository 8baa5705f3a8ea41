/* tree.c - see tree.h. */
#include "sandbox/image/tree.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

int tree_open(struct tree *t, const char *root, struct err *e)
{
    char *const roots[] = { (char *)root, NULL };

    *t = TREE_INIT;
    t->strip = strlen(root);
    t->fts = fts_open(roots, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, by_name);
    return t->fts ? 0 : err_sys(e, "%s", root);
}

void tree_close(struct tree *t)
{
    fd_closep(&t->fd);
    if (t->fts)
        fts_close(t->fts);
    t->fts = NULL;
}

/* Without the part that leads to the root. */
static const char *below(const struct tree *t)
{
    const char *path = t->at->fts_path + t->strip;

    path += *path == '/';
    return *path ? path : ".";
}

static int set_link(const struct tree *t, struct archive_entry *en, struct err *e)
{
    char to[PATH_MAX];
    ssize_t n = readlink(t->at->fts_accpath, to, sizeof(to));

    if (n < 0)
        return err_sys(e, "\"%.100s\"", below(t));
    if (n == sizeof(to))
        return err_set(e, ENAMETOOLONG, "\"%.100s\": symbolic link to a name too long", below(t));
    to[n] = '\0';
    archive_entry_set_symlink(en, to);
    return 0;
}

int tree_next(struct tree *t, struct archive_entry *en, struct err *e)
{
    fd_closep(&t->fd);
    do {
        errno = 0;
        t->at = fts_read(t->fts);
    } while (t->at && t->at->fts_info == FTS_DP);
    if (!t->at)
        return errno ? err_sys(e, "directory") : 0;
    switch (t->at->fts_info) {
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS: errno = t->at->fts_errno; return err_sys(e, "\"%.100s\"", below(t));
    case FTS_DC: return err_set(e, ELOOP, "\"%.100s\": is above itself", below(t));
    default: break;
    }
    archive_entry_copy_stat(en, t->at->fts_statp);
    archive_entry_set_pathname(en, below(t));
    if (S_ISLNK(t->at->fts_statp->st_mode)) {
        int err = set_link(t, en, e);

        if (err)
            return err;
    }
    return 1;
}

ssize_t tree_read(struct tree *t, void *buf, size_t len, struct err *e)
{
    ssize_t n;

    /* Not blocking: what was a file a moment ago may be a fifo now. */
    if (t->fd < 0)
        t->fd = open(t->at->fts_accpath, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (t->fd < 0)
        return err_sys(e, "\"%.100s\"", below(t));
    do
        n = read(t->fd, buf, len);
    while (n < 0 && errno == EINTR);
    return n < 0 ? err_sys(e, "\"%.100s\"", below(t)) : n;
}
