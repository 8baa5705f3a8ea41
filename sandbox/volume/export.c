/* export.c - see export.h. */
#include "sandbox/volume/export.h"

#include "base/fd.h"
#include "policies/words.h"
#include "sandbox/volume/beneath.h"
#include "sandbox/volume/dump.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int open_host(struct export *x, const char *to, struct err *e)
{
    const char *path = to;
    int err = to ? 0 : volume_source(x->policy, x->mount, &path, e);

    if (err)
        return err;
    if (to && mkdir(to, 0777) && errno != EEXIST)
        return err_sys(e, "%s", to);
    x->dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return x->dirfd < 0 ? err_sys(e, "%s", path) : 0;
}

/* A file without a name: it goes with the last descriptor. */
static int open_stage(int boxfd, struct err *e)
{
    int fd = openat(boxfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd < 0 && errno == EOPNOTSUPP) {
        fd = openat(boxfd, "export.stage", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                    0600);
        if (fd >= 0)
            unlinkat(boxfd, "export.stage", 0);
    }
    return fd < 0 ? err_sys(e, "export") : fd;
}

int export_open(struct export *x, struct volume_policy *p, int boxfd, const struct mount *m,
                const char *to, bool force, struct err *e)
{
    char image[VOLUME_NAME], tree[VOLUME_NAME];
    auto_fd int fd = -1;
    int err;

    *x = (struct export){
        .mount = m, .policy = p, .boxfd = boxfd, .dirfd = -1, .stage = -1, .whole = to
    };
    snprintf(image, sizeof(image), VOLUME_IMAGE, m->id);
    snprintf(tree, sizeof(tree), VOLUME_TREE, m->id);
    fd = openat(boxfd, image, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return err_set(e, ENOENT, "the sandbox never started: %s is empty", m->id);
    if (fd < 0)
        return err_sys(e, "%s", image);
    err = to ? 0 : tree_load(&x->was, boxfd, tree, e);
    if (!err)
        err = open_host(x, to, e);
    if (!err)
        err = x->stage = open_stage(boxfd, e);
    if (err < 0)
        return err;

    const struct dump_ask ask = { .image = fd, .base = &x->was, .stage = x->stage };

    err = dump_read(&ask, &x->is, e);
    if (!err)
        err = changes_make(&x->changes, &x->was, &x->is, e);
    if (err)
        return err;
    changes_decide(&x->changes, p->rules, m->target);
    return changes_compare(&x->changes, x->dirfd, force, e);
}

void export_close(struct export *x)
{
    changes_fini(&x->changes);
    tree_fini(&x->was);
    tree_fini(&x->is);
    fd_closep(&x->dirfd);
    fd_closep(&x->stage);
}

size_t export_count(const struct export *x, enum change_fate fate)
{
    size_t n = 0;

    for (size_t i = 0; i < x->changes.n; i++)
        n += x->changes.v[i].fate == fate;
    return n;
}

static int keep(struct tree *t, const struct tree_entry *x)
{
    struct tree_entry *y = tree_add(t, x->kind, strdup(x->path), strdup(x->link ? x->link : ""));

    if (!y || !y->link)
        return -ENOMEM;
    y->mode = x->mode & 0777;
    y->size = x->size;
    y->mtime_ns = x->mtime_ns;
    memcpy(y->digest, x->digest, sizeof(y->digest));
    return 0;
}

/* What the host and the volume have in common now. */
static int remember(struct export *x, struct err *e)
{
    char name[VOLUME_NAME];
    struct tree t = { 0 };
    size_t k = 0;
    int err = 0;

    for (size_t i = 0; i < x->was.n && !err; i++) {
        while (k < x->changes.n && strcmp(change_path(&x->changes.v[k]), x->was.v[i].path) < 0)
            k++;
        if (k == x->changes.n || x->changes.v[k].was != &x->was.v[i] ||
            x->changes.v[k].fate != CHANGE_DONE)
            err = keep(&t, &x->was.v[i]);
    }
    for (size_t i = 0; i < x->changes.n && !err; i++)
        if (x->changes.v[i].fate == CHANGE_DONE && x->changes.v[i].is)
            err = keep(&t, x->changes.v[i].is);
    if (err)
        err = err_set(e, ENOMEM, "out of memory");
    tree_sort(&t);
    snprintf(name, sizeof(name), VOLUME_TREE, x->mount->id);
    if (!err)
        err = tree_save(&t, x->boxfd, name, e);
    tree_fini(&t);
    return err;
}

int export_apply(struct export *x, struct apply_ask *ask, struct err *e)
{
    struct err why = ERR_INIT;
    int err;

    ask->dirfd = x->dirfd;
    ask->stage = x->stage;
    err = apply(ask, &x->changes, e);
    if (!x->whole && remember(x, &why) && !err)
        err = err_set(e, why.code, "%s", why.msg);
    return err;
}
