/* place.c - entries, and how they are reached: see server.h. */
#include "sandbox/files/server.h"

#include "base/fd.h"
#include "sandbox/volume/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static int make(struct server *s, const struct vnode *x, const char *name, struct place *p)
{
    char path[PATH_MAX];
    size_t target, len;
    int err;

    if (x->id == NODE_ROOT)
        return -EACCES;
    err = vnode_path(&s->nodes, x->id, path);
    if (err)
        return err;
    p->live = &s->live[x->mount];
    target = strcmp(p->live->target, "/") == 0 ? 0 : strlen(p->live->target);
    len = strlen(path);
    if (target + len + NAME_BYTES_MAX + 3 > sizeof(p->full))
        return -ENAMETOOLONG;

    char *at = p->full;

    memcpy(at, p->live->target, target);
    at += target;
    p->rel = at + 1;
    if (len) {
        *at++ = '/';
        memcpy(at, path, len);
        at += len;
    }
    if (name) {
        *at++ = '/';
        memcpy(at, name, strlen(name));
        at += strlen(name);
    }
    *at = '\0';
    if (!len && !name) { /* the root itself */
        p->rel = at;
        if (!target)
            memcpy(p->full, "/", 2);
    }
    if (strlen(p->rel) >= PATH_MAX)
        return -ENAMETOOLONG;

    const char *slash = strrchr(p->rel, '/');

    p->name = slash ? slash + 1 : p->rel;
    return 0;
}

int place_of(struct server *s, uint64_t node, struct place *p)
{
    const struct vnode *x = vnode_get(&s->nodes, node);

    return x ? make(s, x, NULL, p) : -ENOENT;
}

int place_in(struct server *s, uint64_t dir, const char *name, struct place *p)
{
    const struct vnode *x = vnode_get(&s->nodes, dir);

    if (!name)
        return -EINVAL;
    if (!x)
        return -ENOENT;
    return x->type == S_IFDIR ? make(s, x, name, p) : -ENOTDIR;
}

int place_named(struct server *s, struct message *m, struct place *p)
{
    int err = place_in(s, m->h.nodeid, message_name(m), p);

    return !err && !message_done(m) ? -EINVAL : err;
}

/* Somebody on the host put a link or another file system there: the guest's kernel is to look
 * again. */
static int as_guest(int err)
{
    return err == -ELOOP ? -ESTALE : err == -EXDEV ? -EACCES : err;
}

int place_open(const struct place *p, int flags, mode_t mode)
{
    return as_guest(beneath_stay(p->live->root, *p->rel ? p->rel : ".", flags, mode));
}

int place_parent(const struct place *p)
{
    char above[PATH_MAX];
    size_t n = (size_t)(p->name - p->rel);

    if (!*p->rel)
        return -EACCES;
    if (n == 0)
        return as_guest(beneath_stay(p->live->root, ".", O_PATH | O_DIRECTORY, 0));
    memcpy(above, p->rel, n - 1);
    above[n - 1] = '\0';
    return as_guest(beneath_stay(p->live->root, above, O_PATH | O_DIRECTORY, 0));
}
