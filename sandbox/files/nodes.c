/* nodes.c - see nodes.h. */
#include "sandbox/files/nodes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FIRST_ROOM    256u
#define FIRST_BUCKETS 256u

static uint32_t hash_of(uint32_t parent, const char *name)
{
    uint32_t h = (2166136261u ^ parent) * 16777619u; /* FNV-1a */

    for (; *name; name++)
        h = (h ^ (uint8_t)*name) * 16777619u;
    return h ^ h >> 15;
}

static uint32_t *bucket(const struct nodes *t, uint32_t parent, const char *name)
{
    return &t->buckets[hash_of(parent, name) & t->mask];
}

static int grow(struct nodes *t)
{
    uint32_t room = t->room ? 2 * t->room : FIRST_ROOM;
    struct vnode *v = reallocarray(t->v, room, sizeof(*v));

    if (!v)
        return -ENOMEM;
    t->v = v;
    t->room = room;
    return 0;
}

static void link_in(struct nodes *t, struct vnode *x)
{
    uint32_t *at = bucket(t, x->parent, x->name);

    x->next = *at;
    *at = x->id;
}

static void link_out(struct nodes *t, struct vnode *x)
{
    uint32_t *at = bucket(t, x->parent, x->name);

    while (*at != x->id)
        at = &t->v[*at].next;
    *at = x->next;
    x->next = 0;
}

/* As many chains as nodes, or close to it: more of them is no failure. */
static void spread(struct nodes *t)
{
    uint32_t n = 2 * (t->mask + 1);
    uint32_t *more = t->live > t->mask ? calloc(n, sizeof(*more)) : NULL;

    if (!more)
        return;
    free(t->buckets);
    t->buckets = more;
    t->mask = n - 1;
    for (uint32_t i = 1; i <= t->n; i++)
        if (t->v[i].used && t->v[i].name && !t->v[i].gone)
            link_in(t, &t->v[i]);
}

static struct vnode *take(struct nodes *t)
{
    uint32_t id = t->free, generation = 0;

    if (t->live >= t->max)
        return NULL;
    if (id) {
        t->free = t->v[id].next;
        generation = t->v[id].generation + 1;
    } else {
        if (t->n + 1 >= t->room && grow(t))
            return NULL;
        id = ++t->n;
    }
    t->v[id] = (struct vnode){ .id = id, .generation = generation, .used = true };
    t->live++;
    return &t->v[id];
}

int nodes_init(struct nodes *t, unsigned mounts, uint32_t max)
{
    *t = (struct nodes){ .mask = FIRST_BUCKETS - 1, .max = max };
    t->buckets = calloc(FIRST_BUCKETS, sizeof(*t->buckets));
    for (unsigned i = 0; i <= mounts; i++) {
        struct vnode *x = t->buckets ? take(t) : NULL;

        if (!x)
            return -ENOMEM;
        x->parent = i ? NODE_ROOT : 0;
        x->mount = (uint8_t)(i ? i - 1 : 0);
        x->type = S_IFDIR;
        x->lookups = 1; /* never forgotten */
    }
    return 0;
}

void nodes_fini(struct nodes *t)
{
    for (uint32_t i = 1; i <= t->n; i++)
        free(t->v[i].name);
    free(t->v);
    free(t->buckets);
    *t = (struct nodes){ 0 };
}

struct vnode *vnode_get(struct nodes *t, uint64_t id)
{
    return id && id <= t->n && t->v[id].used ? &t->v[id] : NULL;
}

uint32_t vnode_find(const struct nodes *t, uint32_t parent, const char *name)
{
    uint32_t id = *bucket(t, parent, name);

    while (id && (t->v[id].parent != parent || strcmp(t->v[id].name, name) != 0))
        id = t->v[id].next;
    return id;
}

/* Lets go of what nobody holds any more, upwards. */
static void settle(struct nodes *t, uint32_t id)
{
    while (id) {
        struct vnode *x = &t->v[id];
        uint32_t parent = x->parent;

        if (x->lookups || x->kids || x->opens || !x->name)
            return;
        if (!x->gone)
            link_out(t, x);
        free(x->name);
        x->name = NULL;
        x->used = false;
        x->next = t->free;
        t->free = id;
        t->live--;
        t->v[parent].kids--;
        id = parent;
    }
}

/* A node with one look-up. Its directory's kids were raised for it. NULL: too many. */
static struct vnode *add(struct nodes *t, uint32_t parent, const char *name, uint64_t ino,
                         uint32_t type)
{
    char *copy = strdup(name);
    struct vnode *x = copy ? take(t) : NULL;

    if (!x) {
        free(copy);
        t->v[parent].kids--;
        settle(t, parent);
        return NULL;
    }
    x->name = copy;
    x->parent = parent;
    x->mount = t->v[parent].mount;
    x->ino = ino;
    x->type = type;
    x->lookups = 1;
    return x;
}

uint32_t vnode_enter(struct nodes *t, uint32_t parent, const char *name, uint64_t ino,
                     uint32_t type)
{
    uint32_t id = vnode_find(t, parent, name);
    struct vnode *x;

    if (id && t->v[id].ino == ino && t->v[id].type == type) {
        t->v[id].lookups++;
        return id;
    }
    t->v[parent].kids++; /* first: the one that goes may be all that holds the directory */
    if (id)
        vnode_gone(t, id);
    x = add(t, parent, name, ino, type);
    if (!x)
        return 0;
    link_in(t, x);
    id = x->id;
    spread(t);
    return id;
}

uint32_t vnode_enter_nameless(struct nodes *t, uint32_t parent, uint64_t ino)
{
    struct vnode *x;

    t->v[parent].kids++;
    x = add(t, parent, "", ino, S_IFREG);
    if (!x)
        return 0;
    x->gone = true;
    return x->id;
}

void vnode_forget(struct nodes *t, uint64_t id, uint64_t n)
{
    struct vnode *x = vnode_get(t, id);

    if (!x || !x->name)
        return;
    x->lookups -= n < x->lookups ? n : x->lookups;
    settle(t, x->id);
}

void vnode_opened(struct nodes *t, uint32_t id)
{
    t->v[id].opens++;
}

void vnode_closed(struct nodes *t, uint32_t id)
{
    t->v[id].opens--;
    settle(t, id);
}

void vnode_gone(struct nodes *t, uint32_t id)
{
    struct vnode *x = &t->v[id];

    if (x->gone || !x->name)
        return;
    link_out(t, x);
    x->gone = true;
    settle(t, id);
}

int vnode_move(struct nodes *t, uint32_t id, uint32_t parent, const char *name)
{
    uint32_t old = vnode_find(t, parent, name), left = t->v[id].parent;
    char *copy = strdup(name);

    if (!copy)
        return -ENOMEM;
    if (vnode_is_below(t, parent, id)) { /* somebody on the host moved them against each other */
        free(copy);
        vnode_gone(t, id);
        return 0;
    }
    t->v[parent].kids++;
    if (old && old != id)
        vnode_gone(t, old);

    struct vnode *x = &t->v[id];

    if (!x->gone)
        link_out(t, x);
    free(x->name);
    x->name = copy;
    x->gone = false;
    x->parent = parent;
    x->mount = t->v[parent].mount;
    t->v[left].kids--;
    link_in(t, x);
    settle(t, left);
    return 0;
}

int vnode_path(const struct nodes *t, uint32_t id, char out[PATH_MAX])
{
    size_t at = PATH_MAX - 1;

    out[at] = '\0';
    for (const struct vnode *x = &t->v[id]; x->name; x = &t->v[x->parent]) {
        size_t n = strlen(x->name);

        if (x->gone)
            return -ESTALE;
        if (n + 1 > at)
            return -ENAMETOOLONG;
        if (out[at])
            out[--at] = '/';
        at -= n;
        memcpy(out + at, x->name, n);
    }
    memmove(out, out + at, PATH_MAX - at);
    return 0;
}

bool vnode_is_below(const struct nodes *t, uint32_t id, uint32_t dir)
{
    while (id && id != dir)
        id = t->v[id].parent;
    return id == dir;
}
