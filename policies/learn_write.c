/* learn_write.c - the learned document: the sections in the order of the field table. */
#include "policies/fields.h"
#include "policies/learner.h"
#include "policies/load.h"
#include "policies/words.h"

#include <inttypes.h>
#include <string.h>

struct seen *learner_next(const struct learner *l, enum space_id space, struct spot rule,
                          uint32_t *at)
{
    while (*at < l->n) {
        struct seen *s = &l->v[(*at)++];

        if (!s->why && s->r.space == space && s->rule->spot.line == rule.line &&
            s->rule->spot.col == rule.col && s->rule->spot.file == rule.file)
            return s;
    }
    return NULL;
}

bool learner_uses(const struct learner *l, enum space_id space, struct spot rule)
{
    uint32_t at = 0;

    return learner_next(l, space, rule, &at) != NULL;
}

void learner_list(const struct texts *t, struct text *out)
{
    text_add(out, "[");
    for (uint32_t i = 0; i < t->n; i++) {
        text_add(out, "%s", i ? "," : "");
        text_json(out, t->v[i]);
    }
    text_add(out, "]");
}

/* Up to the last slash that has something behind it. */
static size_t dir_len(const char *path)
{
    size_t n = strlen(path);

    while (n && path[n - 1] == '/')
        n--;
    while (n && path[n - 1] != '/')
        n--;
    return n ? n - 1 : 0;
}

static uint32_t siblings(const struct texts *t, const char *path)
{
    size_t n = dir_len(path);
    uint32_t count = 0;

    for (uint32_t i = 0; i < t->n; i++)
        count += dir_len(t->v[i]) == n && strncmp(t->v[i], path, n) == 0;
    return count;
}

static bool at_or_below(const char *path, const char *dir, size_t n)
{
    return strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

void learner_fold(struct arena *a, struct texts *paths, const char *tail)
{
    struct texts dirs = { NULL, 0 }, out = { NULL, 0 };

    for (uint32_t i = 0; i < paths->n; i++)
        if (siblings(paths, paths->v[i]) > LEARN_FILES_MAX)
            texts_add(a, &dirs, arena_copy(a, paths->v[i], dir_len(paths->v[i])));
    for (uint32_t i = 0; i < paths->n; i++) {
        bool in = false;

        for (uint32_t k = 0; k < dirs.n && !in; k++)
            in = at_or_below(paths->v[i], dirs.v[k], strlen(dirs.v[k]));
        if (!in)
            texts_add(a, &out, paths->v[i]);
    }
    for (uint32_t k = 0; k < dirs.n; k++) {
        bool in = false;

        for (uint32_t m = 0; m < dirs.n && !in; m++)
            in = m != k && at_or_below(dirs.v[k], dirs.v[m], strlen(dirs.v[m]));
        if (!in)
            texts_add(a, &out,
                      *dirs.v[k] || *tail ? arena_printf(a, "%s%s", dirs.v[k], tail) : "/");
    }
    *paths = out;
}

/* ---- numbers, words and flags outside lists */

/* What is a grant by itself, and is switched off when it was not used. */
static bool is_grant(const char *path)
{
    static const char *const grants[] = { "cpu.nested", "snapshot.save", "snapshot.restore",
                                          "budget.forks" };

    for (size_t i = 0; i < array_len(grants); i++)
        if (strcmp(grants[i], path) == 0)
            return true;
    return false;
}

/* The widest value that the run asked for. */
static bool asked(const struct learner *l, const char *path, const struct field *f, uint64_t *v)
{
    bool any = false;

    for (uint32_t i = 0; i < l->n; i++) {
        const struct seen *s = &l->v[i];
        uint64_t n = s->r.v[RESOURCE_VALUE].n;

        if (s->why)
            continue;
        if (s->r.space == SPACE_SNAPSHOT)
            n = strcmp(path, s->r.v[SNAPSHOT_OP].n == SNAPSHOT_SAVE ? "snapshot.save"
                                                                    : "snapshot.restore") == 0;
        else if (s->r.space == SPACE_FORK)
            n = strcmp(path, "budget.forks") == 0 ? s->r.v[FORK_MADE].n + 1 : 0;
        else if (s->r.space != SPACE_RESOURCE || strcmp(s->r.v[RESOURCE_FIELD].s, path) != 0)
            continue;
        if (s->r.space != SPACE_RESOURCE && !n)
            continue;
        if (!any || (f->combine == C_MOST ? n < *v : n > *v))
            *v = n;
        any = true;
    }
    return any;
}

static void number(const struct field *f, uint64_t v, struct text *out)
{
    v = v < f->min ? f->min : v;
    text_add(out, "\"%s\":", f->key);
    text_add(out, f->type == F_BOOL || f->type == F_COUNT ? "" : "\"");
    if (f->type == F_COUNT)
        text_add(out, "%" PRIu64, v);
    else if (f->words)
        field_print_number(f, v, out);
    else
        units_canonical(field_unit(f), v, out);
    text_add(out, f->type == F_BOOL || f->type == F_COUNT ? "," : "\",");
}

/* The tables are a tree of at most five levels. NOLINTNEXTLINE(misc-no-recursion) */
static void scalars(const struct learner *l, const struct table *t, const void *object,
                    const char *prefix, struct text *out)
{
    struct arena a = ARENA_INIT;

    for (uint32_t i = 0; i < t->n; i++) {
        const struct field *f = &t->fields[i];
        const void *m = field_in(f, object);
        const char *path = arena_printf(&a, "%s%s%s", prefix, *prefix ? "." : "", f->key);
        uint64_t v = 0;

        if (f->type == F_OBJECT && *prefix) {
            struct text part = TEXT_INIT;

            scalars(l, f->table, m, path, &part);
            if (part.len)
                text_add(out, "\"%s\":{%s},", f->key, text_str(&part));
            text_fini(&part);
        }
        if (!field_is_number(f) || (f->combine != C_LEAST && f->combine != C_MOST))
            continue;
        if (asked(l, path, f, &v))
            number(f, v, out);
        else if (is_grant(path) && *(const uint64_t *)m)
            number(f, 0, out);
    }
    arena_fini(&a);
}

/* Names and hashes of what booted, when it was always the same. */
static void image(const struct learner *l, struct text *out)
{
    static const char *const keys[] = { "name", "sha256", "kernel" };

    for (unsigned d = IMAGE_NAME; d <= IMAGE_KERNEL; d++) {
        const char *s = NULL;
        bool same = true;

        for (uint32_t i = 0; i < l->n; i++) {
            if (l->v[i].why || l->v[i].r.space != SPACE_IMAGE)
                continue;
            same = same && l->v[i].r.v[d].present && (!s || strcmp(s, l->v[i].r.v[d].s) == 0);
            s = l->v[i].r.v[d].present ? l->v[i].r.v[d].s : s;
        }
        if (!s || !same)
            continue;
        text_add(out, "\"%s\":%s", keys[d], d == IMAGE_KERNEL ? "{\"sha256\":" : "");
        text_json(out, s);
        text_add(out, d == IMAGE_KERNEL ? "}," : ",");
    }
}

/* ---- files */

struct used {
    bool any;
    uint64_t access;          /* words_access */
    uint64_t symlink, volume; /* words_symlink, words_memory */
    bool hardlink, device, setuid;
};

static void use_file(const struct request *r, struct used *u)
{
    static const uint8_t volume[FILE_OPS] = {
        [FILE_READ] = MEMORY_READ,     [FILE_EXECUTE] = MEMORY_READ,  [FILE_WRITE] = MEMORY_WRITE,
        [FILE_APPEND] = MEMORY_APPEND, [FILE_CREATE] = MEMORY_APPEND, [FILE_DELETE] = MEMORY_WRITE,
    };
    uint64_t op = r->v[FILE_OP].n;
    uint64_t access = op <= FILE_EXECUTE ? ACCESS_RO : ACCESS_RW;
    uint64_t link = op == FILE_SYMLINK_OUTSIDE  ? SYMLINK_ALLOW
                    : op == FILE_SYMLINK_INSIDE ? SYMLINK_INSIDE
                                                : SYMLINK_DENY;

    u->access = access > u->access ? access : u->access;
    u->volume = volume[op] > u->volume ? volume[op] : u->volume;
    u->symlink = link > u->symlink ? link : u->symlink;
    u->hardlink = u->hardlink || op == FILE_HARDLINK;
    u->device = u->device || op == FILE_DEVICE;
    u->setuid = u->setuid || op == FILE_SETUID;
}

static struct used used_of(const struct learner *l, struct spot rule)
{
    struct used u = { .any = false };
    struct seen *s;

    for (uint32_t at = 0; (s = learner_next(l, SPACE_FILE, rule, &at)); u.any = true)
        use_file(&s->r, &u);
    for (uint32_t at = 0; (s = learner_next(l, SPACE_MOUNT, rule, &at)); u.any = true) {
        uint64_t access = s->r.v[MOUNT_ACCESS].n;
        uint64_t volume = access == ACCESS_RW ? MEMORY_APPEND : access;

        u.access = access > u.access ? access : u.access;
        u.volume = volume > u.volume ? volume : u.volume;
    }
    return u;
}

/*
 * A mount is the parent's, with no more access than was used. One that was not used is left out;
 * or, where the place would then belong to a wider one, kept without access.
 */
static void storage(const struct learner *l, struct text *out)
{
    const struct policy_storage *s = &l->parent->storage;
    bool keep = l->freedom[SPACE_FILE] != FREEDOM_GENERAL;

    text_add(out, "\"mounts\":[");
    for (uint32_t i = 0; i < s->mounts.n; i++) {
        const struct mount *m = s->mounts.v[i];
        struct used u = used_of(l, m->o.spot);

        if (u.any || keep)
            text_add(out,
                     "{\"id\":\"%s\",\"access\":%s,\"links\":{\"symlink\":%s,\"hardlink\":%s,"
                     "\"device\":%s,\"setuid\":%s}},",
                     m->id, words_access[u.access], words_symlink[u.symlink],
                     words_grant[u.hardlink], words_grant[u.device], words_grant[u.setuid]);
    }
    text_add(out, "],\"memory\":[");
    for (uint32_t i = 0; i < s->memory.n; i++) {
        const struct memory_volume *m = s->memory.v[i];
        struct used u = used_of(l, m->o.spot);

        if (u.any || keep)
            text_add(out, "{\"id\":\"%s\",\"access\":%s},", m->id, words_memory[u.volume]);
    }
    text_add(out, "],");
}

/* ---- models and devices */

static void models(const struct learner *l, struct text *out)
{
    struct arena a = ARENA_INIT;

    text_add(out, "\"models\":[");
    for (uint32_t i = 0; i < l->parent->models.n; i++) {
        const struct model *m = l->parent->models.v[i];
        struct texts names = { NULL, 0 };
        struct seen *s;

        for (uint32_t at = 0; (s = learner_next(l, SPACE_MODEL, m->o.spot, &at));)
            texts_add(&a, &names, s->r.v[MODEL_NAME].s);
        if (!names.n)
            continue;
        text_add(out, "{\"id\":\"%s\",\"names\":", m->id);
        learner_list(&names, out);
        text_add(out, "},");
    }
    text_add(out, "],");
    arena_fini(&a);
}

static void devices(const struct learner *l, struct text *out)
{
    text_add(out, "\"accelerators\":[");
    for (uint32_t i = 0; i < l->parent->accelerators.n; i++) {
        const struct accelerator *x = l->parent->accelerators.v[i];
        uint64_t count = 0;
        struct seen *s;

        for (uint32_t at = 0; (s = learner_next(l, SPACE_DEVICE, x->o.spot, &at));)
            count = s->r.v[DEVICE_COUNT].n > count ? s->r.v[DEVICE_COUNT].n : count;
        if (count)
            text_add(out, "{\"id\":\"%s\",\"count\":%" PRIu64 "},", x->id, count);
    }
    text_add(out, "],");
}

void learner_write(const struct learner *l, struct text *out)
{
    text_add(out, "{\"carrel\":1,\"name\":");
    text_json(out, l->name);
    text_add(out, ",\"extends\":[");
    text_json(out, l->ref);
    text_add(out, "],");
    scalars(l, &policy_table, l->parent, "", out);
    for (uint32_t i = 0; i < policy_table.n; i++) {
        const struct field *f = &policy_table.fields[i];
        struct text part = TEXT_INIT;

        if (f->type == F_OBJECT)
            scalars(l, f->table, field_in(f, l->parent), f->key, &part);
        if (strcmp(f->key, "image") == 0)
            image(l, &part);
        else if (strcmp(f->key, "tools") == 0)
            learner_write_tools(l, &part);
        else if (strcmp(f->key, "storage") == 0)
            storage(l, &part);
        else if (strcmp(f->key, "network") == 0)
            learner_write_network(l, &part);
        if (part.len)
            text_add(out, "\"%s\":{%s},", f->key, text_str(&part));
        text_fini(&part);
    }
    models(l, out);
    devices(l, out);
    text_add(out, "}");
}
