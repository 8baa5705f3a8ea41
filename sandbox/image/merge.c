/* merge.c - see merge.h. Whiteouts: image-spec 1.1, layer.md. */
#include "sandbox/image/merge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WHITEOUT    ".wh."
#define WHITEOUT_2  ".wh..wh." /* AUFS's own files, and the mark of an opaque directory */
#define OPAQUE      ".wh..wh..opq"
#define NAMES_BYTES (UINT64_C(1) << 30) /* of all names: two million of 500 bytes */

/* --- names and nodes ------------------------------------------------------------------------- */

/* FNV-1a, 32 bits, of a name below a node. Collisions made on purpose cost time, which is limited
 * where this runs (confined.h). */
static uint32_t hash(uint32_t parent, const char *s, size_t len)
{
    uint32_t h = (2166136261u ^ parent) * 16777619u;

    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)s[i]) * 16777619u;
    return h ^ h >> 15;
}

/* Room for one more of size bytes each; count_max bounds all of it. */
static void *grow(void *list, uint32_t have, uint32_t *room, size_t size)
{
    uint32_t bigger = *room ? *room * 2 : 1024;
    void *grown;

    if (have < *room)
        return list;
    grown = reallocarray(list, bigger, size);
    if (grown)
        *room = bigger;
    return grown;
}

static int no_memory(struct err *e)
{
    return err_set(e, ENOMEM, "out of memory");
}

static int add_name(struct merge *m, const char *text, size_t len, uint32_t *out, struct err *e)
{
    while (m->room_names - m->nnames <= len) {
        uint64_t bigger = m->room_names ? m->room_names * 2 : 1 << 16;
        char *grown = bigger <= NAMES_BYTES ? realloc(m->names, bigger) : NULL;

        if (!grown)
            return bigger <= NAMES_BYTES ? no_memory(e)
                                         : err_set(e, EFBIG, "more than %llu MiB of names",
                                                   (unsigned long long)NAMES_BYTES >> 20);
        m->names = grown;
        m->room_names = bigger;
    }
    *out = (uint32_t)m->nnames;
    memcpy(m->names + m->nnames, text, len);
    m->nnames += len;
    m->names[m->nnames++] = '\0';
    return 0;
}

static uint32_t *slot(const struct merge *m, uint32_t parent, const char *name, size_t len)
{
    uint32_t at = hash(parent, name, len) & (m->room_slots - 1);

    for (; m->slots[at]; at = (at + 1) & (m->room_slots - 1)) {
        const struct merge_node *n = &m->nodes[m->slots[at]];
        const char *have = m->names + n->name;

        if (n->parent == parent && strncmp(have, name, len) == 0 && !have[len])
            break;
    }
    return &m->slots[at];
}

static int grow_slots(struct merge *m, struct err *e)
{
    struct merge bigger = *m;

    if (m->nnodes < m->room_slots / 2)
        return 0;
    bigger.room_slots = m->room_slots ? m->room_slots * 2 : 4096;
    bigger.slots = calloc(bigger.room_slots, sizeof(*bigger.slots));
    if (!bigger.slots)
        return no_memory(e);
    for (uint32_t i = 1; i < m->nnodes; i++) {
        const char *name = m->names + m->nodes[i].name;

        *slot(&bigger, m->nodes[i].parent, name, strlen(name)) = i;
    }
    free(m->slots);
    *m = bigger;
    return 0;
}

static int new_node(struct merge *m, uint32_t parent, const char *name, size_t len, uint32_t *out,
                    struct err *e)
{
    uint64_t max = m->count_max ? m->count_max : ENTRY_COUNT_MAX;
    struct merge_node *grown = grow(m->nodes, m->nnodes, &m->room_nodes, sizeof(*grown)), *n;

    if (!grown)
        return no_memory(e);
    m->nodes = grown;
    if (m->nnodes > max)
        return err_set(e, EFBIG, "more than %llu entries", (unsigned long long)max);
    n = &m->nodes[m->nnodes];
    *n = (struct merge_node){ .parent = parent,
                              .child = MERGE_NONE,
                              .sibling = MERGE_NONE,
                              .inode = MERGE_NONE,
                              .alias = MERGE_NONE,
                              .now = MERGE_NONE,
                              .attr = { .mode = 0755 } };

    int err = add_name(m, name, len, &n->name, e);

    if (err)
        return err;
    if (parent != MERGE_NONE) {
        n->sibling = m->nodes[parent].child;
        m->nodes[parent].child = m->nnodes;
        *slot(m, parent, name, len) = m->nnodes;
    }
    *out = m->nnodes++;
    return 0;
}

/* The node of this name below parent; made when it is not there. */
static int child_of(struct merge *m, uint32_t parent, const char *name, size_t len, uint32_t *out,
                    struct err *e)
{
    int err = grow_slots(m, e);

    if (err)
        return err;
    *out = *slot(m, parent, name, len);
    return *out ? 0 : new_node(m, parent, name, len, out, e);
}

const char *merge_name(const struct merge *m, uint32_t name)
{
    return m->names + name;
}

void merge_path(const struct merge *m, uint32_t node, char buf[ENTRY_NAME_MAX + 1])
{
    size_t at = ENTRY_NAME_MAX;

    buf[at] = '\0';
    for (; node; node = m->nodes[node].parent) {
        const char *name = m->names + m->nodes[node].name;
        size_t len = strlen(name);

        if (at < ENTRY_NAME_MAX)
            buf[--at] = '/';
        at -= len;
        memcpy(buf + at, name, len);
    }
    memmove(buf, buf + at, ENTRY_NAME_MAX + 1 - at);
}

void merge_fini(struct merge *m)
{
    free(m->nodes);
    free(m->inodes);
    free(m->names);
    free(m->slots);
    *m = (struct merge){ 0 };
}

/* --- one entry ------------------------------------------------------------------------------- */

/* Where an entry belongs. */
struct place {
    uint32_t parent, node;
    bool hidden; /* by what the layers above say of the directories that it lies in */
};

static bool is_file_now(const struct merge *m, const struct merge_node *n)
{
    return n->came == m->layer + 1 && n->now != MERGE_NONE;
}

/* Whether node hides what lower layers have below it: 1, 0, or -EINVAL where this very layer has
 * something else than a directory there. */
static int hides_below(const struct merge *m, uint32_t node, const char *path, struct err *e)
{
    const struct merge_node *n = &m->nodes[node];

    if (is_file_now(m, n))
        return err_set(e, EINVAL, "\"%.100s\": lies below something that is not a directory", path);
    return n->hides > m->layer || n->hides_below > m->layer || (n->seen && n->inode != MERGE_NONE);
}

/* Finds the node of a clean path, making what is missing on the way. */
static int walk(struct merge *m, const char *path, struct place *out, struct err *e)
{
    *out = (struct place){ 0 };
    for (const char *at = path;; at++) {
        size_t len = strcspn(at, "/");
        int hidden = hides_below(m, out->node, path, e);

        if (hidden < 0)
            return hidden;
        out->hidden |= hidden;
        out->parent = out->node;

        int err = child_of(m, out->parent, at, len, &out->node, e);

        if (err)
            return err;
        at += len;
        if (!*at)
            return 0;
    }
}

/* The directories above come with what is in them; they are seen where it is. */
static void bring_parents(struct merge *m, uint32_t node, bool seen)
{
    for (;;) {
        struct merge_node *n = &m->nodes[node];

        if (n->came == m->layer + 1 && (n->seen || !seen))
            return;
        n->came = (uint16_t)(m->layer + 1);
        n->now = MERGE_NONE;
        n->seen = n->seen || seen;
        if (!node)
            return;
        node = n->parent;
    }
}

static int new_inode(struct merge *m, const struct merge_entry *en, uint32_t *out, struct err *e)
{
    struct merge_inode *grown = grow(m->inodes, m->ninodes, &m->room_inodes, sizeof(*grown)), *i;

    if (!grown)
        return no_memory(e);
    m->inodes = grown;
    i = &m->inodes[m->ninodes];
    *i = (struct merge_inode){ .kind = en->kind,
                               .attr = en->attr,
                               .size = en->size,
                               .layer = m->layer,
                               .seq = m->seq,
                               .first = MERGE_NONE };
    *out = m->ninodes++;
    return en->kind == ENTRY_LINK ? add_name(m, en->target, strlen(en->target), &i->target, e) : 0;
}

/* A hard link leads to what came before it in its own layer: elsewhere nobody could make it. */
static int linked(struct merge *m, const struct merge_entry *en, const char *path, uint32_t *out,
                  struct err *e)
{
    char target[ENTRY_NAME_MAX + 1] = "";
    uint32_t node = 0;
    int err = en->target && *en->target ? entry_clean(en->target, target, e)
                                        : err_set(e, EINVAL, "hard link to nothing");

    if (err)
        return err_wrap(e, "hard link \"%.60s\"", path);
    for (const char *at = target; *at; at += *at == '/') {
        size_t len = strcspn(at, "/");

        node = *slot(m, node, at, len);
        at += len;
        if (!node)
            break;
    }
    if (!node || !is_file_now(m, &m->nodes[node]))
        return err_set(
            e, EINVAL,
            "hard link \"%.60s\": \"%.100s\" is no file that came before it in its layer", path,
            target);
    *out = m->nodes[node].now;
    return 0;
}

/* A directory, or an inode, at a place that nothing above hides. */
static int show(struct merge *m, const struct merge_entry *en, uint32_t at, uint32_t inode,
                const char *path, struct err *e)
{
    struct merge_node *n = &m->nodes[at];
    bool mine = !n->seen || (!n->set && n->inode == MERGE_NONE);

    if (inode == MERGE_NONE) { /* of a directory only the attributes can still be unknown */
        if (mine) {
            n->attr = en->attr;
            n->set = (uint16_t)(m->layer + 1);
        }
        n->seen = true;
        return 0;
    }
    if (!n->seen) {
        n->seen = true;
        n->set = (uint16_t)(m->layer + 1);
        n->inode = inode;
        n->alias = m->inodes[inode].first;
        m->inodes[inode].first = at;
        return 0;
    }
    /* A layer above uses it as a directory, and none says that it became one. */
    if (mine && n->hides_below <= m->layer)
        return err_set(e, EINVAL,
                       "\"%.100s\": not a directory in layer %u, but the layers above put files "
                       "below it",
                       path, m->layer + 1);
    if (n->hides_below < m->layer)
        n->hides_below = (uint16_t)m->layer;
    return 0;
}

static int add_here(struct merge *m, const struct merge_entry *en, const char *path, struct err *e)
{
    struct place p;
    uint32_t inode = MERGE_NONE;
    int err = walk(m, path, &p, e);

    if (err)
        return err;

    bool again = m->nodes[p.node].came == m->layer + 1;

    if (again && (en->kind != ENTRY_DIR || m->nodes[p.node].now != MERGE_NONE))
        return err_set(e, EEXIST, "\"%.100s\" comes twice", path);
    if (en->kind == ENTRY_HARD)
        err = linked(m, en, path, &inode, e);
    else if (en->kind != ENTRY_DIR)
        err = new_inode(m, en, &inode, e);
    if (err)
        return err;
    p.hidden |= m->nodes[p.node].hides > m->layer;
    bring_parents(m, p.parent, !p.hidden);
    if (!p.hidden)
        err = show(m, en, p.node, inode, path, e);
    m->nodes[p.node].came = (uint16_t)(m->layer + 1);
    m->nodes[p.node].now = inode;
    return err;
}

/* --- whiteouts ------------------------------------------------------------------------------- */

/* NAME of a whiteout is gone from the layers below. */
static int hide(struct merge *m, char *path, char *last, struct err *e)
{
    const char *name = last + strlen(WHITEOUT);
    struct place p;

    if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return err_set(e, EINVAL, "\"%.100s\": a whiteout of nothing", path);
    memmove(last, name, strlen(name) + 1);

    int err = walk(m, path, &p, e);

    if (err)
        return err;
    if (m->nodes[p.node].hides < m->layer)
        m->nodes[p.node].hides = (uint16_t)m->layer;
    return 0;
}

static int hide_below(struct merge *m, char *path, char *last, struct err *e)
{
    struct place p = { 0 };
    int err = 0;

    if (last > path) {
        last[-1] = '\0';
        err = walk(m, path, &p, e);
    }
    if (!err && m->nodes[p.node].hides_below < m->layer)
        m->nodes[p.node].hides_below = (uint16_t)m->layer;
    return err;
}

/* The first part of path that begins like a whiteout; NULL: none does. */
static char *whiteout(char *path)
{
    for (char *at = path; at; at = strchr(at, '/')) {
        at += *at == '/';
        if (strncmp(at, WHITEOUT, strlen(WHITEOUT)) == 0)
            return at;
    }
    return NULL;
}

static int add_clean(struct merge *m, const struct merge_entry *en, char *path, struct err *e)
{
    char *wh = whiteout(path);

    if (!wh && en->kind == ENTRY_OTHER) {
        m->dropped++;
        return 0;
    }
    if (!wh)
        return add_here(m, en, path, e);
    if (strcmp(wh, OPAQUE) == 0)
        return hide_below(m, path, wh, e);
    if (strncmp(wh, WHITEOUT_2, strlen(WHITEOUT_2)) == 0)
        return 0;
    if (strchr(wh, '/'))
        return err_set(e, EINVAL, "\"%.100s\": lies below a whiteout", path);
    return hide(m, path, wh, e);
}

void merge_layer(struct merge *m, uint32_t layer)
{
    m->layer = layer;
    m->seq = 0;
}

static int start(struct merge *m, struct err *e)
{
    uint32_t root;
    int err = m->nnodes ? 0 : grow_slots(m, e);

    if (!err && !m->nnodes)
        err = new_node(m, MERGE_NONE, "", 0, &root, e);
    if (!err)
        m->nodes[0].seen = true;
    return err;
}

int merge_add(struct merge *m, const struct merge_entry *en, struct err *e)
{
    uint64_t max = m->count_max ? m->count_max : ENTRY_COUNT_MAX;
    uint64_t bytes = m->bytes_max ? m->bytes_max : ENTRY_BYTES_MAX;
    char path[ENTRY_NAME_MAX + 1] = "";
    int err = en->path && *en->path ? entry_clean(en->path, path, e)
                                    : err_set(e, EINVAL, "entry without name");

    if (!err)
        err = start(m, e);
    if (err)
        return err;
    if (m->entries >= max)
        return err_set(e, EFBIG, "more than %llu entries", (unsigned long long)max);
    if (en->kind == ENTRY_FILE && (en->size > bytes || m->bytes > bytes - en->size))
        return err_set(e, EFBIG, "\"%.100s\": more than %llu MiB in all", path,
                       (unsigned long long)bytes >> 20);
    m->entries++;
    if (en->kind == ENTRY_FILE)
        m->bytes += en->size;
    if (!*path && en->kind != ENTRY_DIR)
        return err_set(e, EINVAL, "an entry for the root that is not a directory");
    err = *path ? add_clean(m, en, path, e) : 0;
    m->seq++;
    return err;
}

/* --- what is seen ---------------------------------------------------------------------------- */

const struct merge_inode *merge_find(const struct merge *m, uint32_t layer, uint32_t seq)
{
    uint32_t low = 0, high = m->ninodes;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        const struct merge_inode *i = &m->inodes[mid];

        if (i->layer > layer || (i->layer == layer && i->seq < seq))
            low = mid + 1;
        else
            high = mid;
    }
    if (low == m->ninodes)
        return NULL;

    const struct merge_inode *i = &m->inodes[low];

    return i->layer == layer && i->seq == seq && i->first != MERGE_NONE ? i : NULL;
}

uint32_t merge_next(const struct merge *m, uint32_t node)
{
    uint32_t next = m->nnodes ? m->nodes[node].child : MERGE_NONE;

    if (!m->nnodes)
        return MERGE_NONE;
    for (;;) {
        for (; next != MERGE_NONE; next = m->nodes[next].sibling)
            if (m->nodes[next].seen)
                return next;
        if (!node)
            return MERGE_NONE;
        next = m->nodes[node].sibling;
        node = m->nodes[node].parent;
    }
}
