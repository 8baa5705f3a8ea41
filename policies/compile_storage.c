/*
 * compile_storage.c - clauses for paths and mounts. A path belongs to the mount with the longest
 * target above it; denials of a mount hold in mounts inside it, too.
 */
#include "policies/ruleset.h"
#include "policies/words.h"

#include <string.h>

#define OP(o) (1ull << FILE_##o)

/* Is b strictly below a? Both canonical. */
static bool below(const char *a, const char *b)
{
    size_t n = strcmp(a, "/") == 0 ? 0 : strlen(a);

    return strncmp(a, b, n) == 0 && b[n] == '/' && b[n + 1] != '\0';
}

/* A mount or volume, and everything at and below its target: made once, for all above it. */
struct place {
    const char *target;
    struct glob tree;
};

struct places {
    struct place *v;
    uint32_t n;
};

static void place_add(struct ruleset *rs, struct places *ps, const char *target)
{
    if (!target)
        return;
    ps->v[ps->n].target = target;
    glob_tree(&rs->arena, GLOB_PATH, target, &ps->v[ps->n].tree);
    ps->n++;
}

static struct places places_make(struct ruleset *rs)
{
    const struct policy_storage *s = &rs->policy->storage;
    struct places ps = { NULL, 0 };

    ps.v = arena_get(&rs->arena, (s->mounts.n + s->memory.n + 1) * sizeof(*ps.v));
    for (uint32_t i = 0; i < s->mounts.n; i++)
        place_add(rs, &ps, ((const struct mount *)s->mounts.v[i])->target);
    for (uint32_t i = 0; i < s->memory.n; i++)
        place_add(rs, &ps, ((const struct memory_volume *)s->memory.v[i])->target);
    return ps;
}

/* Everything at and below target, except at and below the mounts inside it. */
static const struct cell *region(struct ruleset *rs, const struct places *ps, const char *target)
{
    struct cell *c = cell_new(rs, DIM_GLOB);
    struct globs *neg = &c->globs.neg;

    c->globs.pos.v = arena_get(&rs->arena, sizeof(*c->globs.pos.v));
    c->globs.pos.n = 1;
    glob_tree(&rs->arena, GLOB_PATH, target, c->globs.pos.v);
    for (uint32_t i = 0; i < ps->n; i++)
        if (below(target, ps->v[i].target)) {
            *(struct glob *)arena_push(&rs->arena, (void **)&neg->v, neg->n, sizeof(*neg->v)) =
                ps->v[i].tree;
            neg->n++;
        }
    return c;
}

static struct clause *paths(struct ruleset *rs, const struct places *ps, uint32_t rule,
                            const char *target, uint64_t ops, uint64_t bytes, uint64_t inodes)
{
    struct clause *c = clause_new(rs, SPACE_FILE, rule);

    c->cell[FILE_PATH] = region(rs, ps, target);
    c->cell[FILE_OP] = cell_bits(rs, ops);
    c->cell[FILE_BYTES] = cell_number_to(rs, bytes);
    c->cell[FILE_INODES] = cell_number_to(rs, inodes);
    return c;
}

static void deny_paths(struct ruleset *rs, const struct mount *m, const char *part,
                       const struct texts *patterns, uint64_t ops)
{
    if (!patterns->n)
        return;

    uint32_t rule = rule_new(rs, "storage", m->id, part, m->o.spot, 'H', true);
    struct clause *c = clause_new(rs, SPACE_FILE, rule);
    struct cell *x = cell_new(rs, DIM_GLOB);

    x->globs.pos.v = arena_get(&rs->arena, patterns->n * sizeof(*x->globs.pos.v));
    for (uint32_t i = 0; i < patterns->n; i++)
        if (!glob_parse(&rs->arena, GLOB_PATH, m->target, patterns->v[i],
                        &x->globs.pos.v[x->globs.pos.n]))
            x->globs.pos.n++;
    c->cell[FILE_PATH] = x;
    c->cell[FILE_OP] = cell_bits(rs, ops);
}

static uint64_t mount_ops(const struct mount *m)
{
    uint64_t ops = 0;

    if (m->access >= ACCESS_RO)
        ops |= OP(READ) | OP(EXECUTE);
    if (m->access < ACCESS_RW)
        return ops;
    ops |= OP(WRITE) | OP(APPEND) | OP(CREATE) | OP(DELETE);
    if (m->links.symlink >= SYMLINK_INSIDE)
        ops |= OP(SYMLINK_INSIDE);
    if (m->links.symlink >= SYMLINK_ALLOW)
        ops |= OP(SYMLINK_OUTSIDE);
    if (m->links.hardlink)
        ops |= OP(HARDLINK);
    if (m->links.device)
        ops |= OP(DEVICE);
    if (m->links.setuid)
        ops |= OP(SETUID);
    return ops;
}

static void attach(struct ruleset *rs, uint32_t rule, const char *source, const char *target,
                   uint64_t access, uint64_t share, const struct mount_export *e)
{
    struct clause *c = clause_new(rs, SPACE_MOUNT, rule);
    struct cell *from = cell_new(rs, DIM_GLOB), *to = cell_new(rs, DIM_GLOB);

    from->globs.pos.v = arena_get(&rs->arena, sizeof(*from->globs.pos.v));
    from->globs.pos.n = 1;
    to->globs.pos.v = arena_get(&rs->arena, sizeof(*to->globs.pos.v));
    to->globs.pos.n = 1;
    glob_tree(&rs->arena, GLOB_NAME, source, from->globs.pos.v);
    glob_tree(&rs->arena, GLOB_PATH, target, to->globs.pos.v);
    c->cell[MOUNT_SOURCE] = from;
    c->cell[MOUNT_TARGET] = to;
    c->cell[MOUNT_ACCESS] = cell_bits(rs, (2ull << access) - 1);
    c->cell[MOUNT_SHARE] = cell_bits(rs, (2ull << share) - 1);
    if (e) {
        struct cell *kinds = cell_new(rs, DIM_ENUM);

        kinds->bits = ~e->review & ((1ull << words_count(words_review)) - 1);
        kinds->absent_ok = true;
        c->cell[MOUNT_EXPORT] = cell_bits(rs, (2ull << e->mode) - 1);
        c->cell[MOUNT_UNREVIEWED] = kinds;
    }
}

static void mount(struct ruleset *rs, const struct places *ps, const struct mount *m)
{
    uint32_t rule = rule_new(rs, "storage", "", m->id, m->o.spot, 'H', false);

    if (!m->target || !m->source)
        return;
    paths(rs, ps, rule, m->target, mount_ops(m), m->quota.bytes, m->quota.inodes);
    attach(rs, rule, m->source, m->target, m->access, m->share, &m->export);
    /* What must not be read must not be moved or linked to where it could be. */
    /* Nor by another name, which a link or a move would give it; nor is it lost unread. */
    deny_paths(rs, m, "deny_read", &m->deny_read,
               OP(READ) | OP(EXECUTE) | OP(HARDLINK) | OP(DELETE));
    deny_paths(rs, m, "deny_write", &m->deny_write,
               ((1ull << FILE_OPS) - 1) & ~(OP(READ) | OP(EXECUTE)));
}

static void volume(struct ruleset *rs, const struct places *ps, const struct memory_volume *m)
{
    static const uint64_t ops[] = {
        [MEMORY_NONE] = 0,
        [MEMORY_READ] = OP(READ),
        [MEMORY_APPEND] = OP(READ) | OP(APPEND) | OP(CREATE),
        [MEMORY_WRITE] = OP(READ) | OP(APPEND) | OP(CREATE) | OP(WRITE) | OP(DELETE),
    };
    static const uint64_t access[] = { ACCESS_NONE, ACCESS_RO, ACCESS_RW, ACCESS_RW };
    uint32_t rule = rule_new(rs, "storage", "memory", m->id, m->o.spot, 'H', false);

    if (!m->target)
        return;

    struct clause *c = paths(rs, ps, rule, m->target, ops[m->access], m->quota, UINT64_MAX);

    c->cell[FILE_INODES] = NULL;
    c->cell[FILE_VERSIONS] = cell_number_to(rs, m->keep);
    c->cell[FILE_AGE] = cell_number_to(rs, m->retain);
    attach(rs, rule, arena_printf(&rs->arena, "memory:%s", m->id), m->target, access[m->access],
           SHARE_COPY, NULL);
}

void compile_storage(struct ruleset *rs)
{
    const struct policy_storage *s = &rs->policy->storage;
    uint64_t all = (1ull << FILE_OPS) - 1;
    struct places ps = places_make(rs);
    uint32_t root = rule_new(rs, "storage", "", "root", s->root.o.spot, 'G', false);

    paths(rs, &ps, root, "/", s->root.mode == ROOT_OVERLAY ? all : OP(READ) | OP(EXECUTE),
          s->root.quota.bytes, s->root.quota.inodes);
    for (uint32_t i = 0; i < s->mounts.n; i++)
        mount(rs, &ps, s->mounts.v[i]);
    for (uint32_t i = 0; i < s->memory.n; i++)
        volume(rs, &ps, s->memory.v[i]);
}

struct ruleset *ruleset_storage(const struct policy *p)
{
    struct ruleset *rs = ruleset_begin(p);

    compile_storage(rs);
    index_make(rs);
    return rs;
}
