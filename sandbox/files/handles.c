/* handles.c - see handles.h. */
#include "sandbox/files/handles.h"

#include "base/fd.h"

#include <errno.h>
#include <stdlib.h>

int handles_init(struct handles *t)
{
    *t = (struct handles){ .v = calloc(HANDLES_MAX, sizeof(*t->v)) };
    return t->v ? 0 : -ENOMEM;
}

void handles_fini(struct handles *t)
{
    for (uint32_t i = 0; i < t->n; i++)
        fd_closep(&t->v[i].fd);
    free(t->v);
    *t = (struct handles){ 0 };
}

static uint32_t vacant(const struct handles *t)
{
    for (uint32_t i = 0; t->used < t->n && i < t->n; i++)
        if (t->v[i].fd < 0)
            return i;
    return t->n;
}

uint64_t handle_new(struct handles *t, const struct handle *h)
{
    uint32_t i = vacant(t);

    if (i == HANDLES_MAX)
        return 0;
    if (i == t->n)
        t->n++;
    t->used++;
    t->v[i] = *h;
    return i + 1;
}

struct handle *handle_get(struct handles *t, uint64_t fh, uint64_t node, bool dir)
{
    struct handle *h = fh && fh <= t->n ? &t->v[fh - 1] : NULL;

    return h && h->fd >= 0 && h->node == node && h->dir == dir ? h : NULL;
}

struct handle *handle_of(struct handles *t, uint32_t node, bool writable)
{
    for (uint32_t i = 0; i < t->n; i++)
        if (t->v[i].fd >= 0 && t->v[i].node == node && (t->v[i].writable || !writable))
            return &t->v[i];
    return NULL;
}

static bool is_file(const struct handle *h, uint8_t mount, uint64_t ino)
{
    return h->fd >= 0 && !h->dir && h->mount == mount && h->ino == ino;
}

uint32_t handles_of_file(const struct handles *t, uint8_t mount, uint64_t ino)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < t->n; i++)
        n += is_file(&t->v[i], mount, ino);
    return n;
}

void handles_unlinked(struct handles *t, uint8_t mount, uint64_t ino)
{
    for (uint32_t i = 0; i < t->n; i++)
        if (is_file(&t->v[i], mount, ino))
            t->v[i].unlinked = true;
}

void handle_close(struct handles *t, struct handle *h)
{
    fd_closep(&h->fd);
    t->used--;
    while (t->n && t->v[t->n - 1].fd < 0)
        t->n--;
}
