/* memory_diff.c - see memory.h: from one version to another, judged. */
#include "sandbox/volume/memory.h"

#include "base/fd.h"
#include "base/io.h"
#include "policies/words.h"
#include "sandbox/volume/dump.h"
#include "sandbox/volume/fill.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int stage(int dirfd, struct err *e)
{
    int fd = openat(dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    return fd < 0 ? err_sys(e, "comparing versions") : fd;
}

int memory_diff(struct memory_diff *d, int dirfd, int image_was, int image_is, struct err *e)
{
    int err;

    *d = (struct memory_diff){ .stage_was = -1, .stage_is = -1 };
    d->stage_was = stage(dirfd, e);
    d->stage_is = d->stage_was < 0 ? -1 : stage(dirfd, e);
    if (d->stage_is < 0)
        return -e->code;

    const struct dump_ask was = { .image = image_was, .stage = d->stage_was };
    const struct dump_ask is = { .image = image_is, .stage = d->stage_is };

    err = image_was < 0 ? 0 : dump_read(&was, &d->was, e);
    if (!err)
        err = dump_read(&is, &d->is, e);
    return err ? err : changes_make(&d->changes, &d->was, &d->is, e);
}

void memory_diff_fini(struct memory_diff *d)
{
    changes_fini(&d->changes);
    tree_fini(&d->was);
    tree_fini(&d->is);
    fd_closep(&d->stage_was);
    fd_closep(&d->stage_is);
}

/* Its first bytes are all that it was. */
static bool was_added_to(const struct memory_diff *d, const struct change *x)
{
    char a[16 << 10], b[16 << 10];

    if (x->was->kind != TREE_FILE || x->is->kind != TREE_FILE || x->is->size < x->was->size ||
        (x->was->mode & 0777) != (x->is->mode & 0777))
        return false;
    for (uint64_t at = 0; at < x->was->size;) {
        size_t n = x->was->size - at < sizeof(a) ? (size_t)(x->was->size - at) : sizeof(a);

        if (io_pread_full(d->stage_was, a, n, (off_t)(x->was->at + at)) != (ssize_t)n ||
            io_pread_full(d->stage_is, b, n, (off_t)(x->is->at + at)) != (ssize_t)n ||
            memcmp(a, b, n) != 0)
            return false;
        at += n;
    }
    return true;
}

static uint64_t op_of(const struct memory_diff *d, const struct change *x)
{
    switch (x->what) {
    case CHANGE_ADDED: return FILE_CREATE;
    case CHANGE_DELETED: return FILE_DELETE;
    default: return was_added_to(d, x) ? FILE_APPEND : FILE_WRITE;
    }
}

bool memory_decide(struct memory_diff *d, const struct ruleset *rs, const char *target)
{
    bool all = true;

    for (size_t i = 0; i < d->changes.n; i++) {
        struct change *x = &d->changes.v[i];
        char path[2 * PATH_MAX];
        struct request q;
        struct decision v;

        if (snprintf(path, sizeof(path), "%s/%s", target, change_path(x)) >= (int)sizeof(path))
            x->fate = CHANGE_REFUSED;
        if (x->fate == CHANGE_GOES) {
            request_init(&q, SPACE_FILE);
            request_text(&q, FILE_PATH, path);
            request_number(&q, FILE_OP, op_of(d, x));
            request_number(&q, FILE_BYTES, x->is ? x->is->size : 0);
            v = decide(rs, &q);
            x->rule = v.rule;
            if (!v.allowed)
                x->fate = CHANGE_DENIED;
        }
        all = all && x->fate == CHANGE_GOES;
    }
    return all;
}
