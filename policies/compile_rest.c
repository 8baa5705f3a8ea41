/* compile_rest.c - clauses for numbers and words of the document, models, devices, images,
 * snapshots. */
#include "policies/classes.h"
#include "policies/ruleset.h"
#include "policies/words.h"

#include <string.h>

/* Every scalar outside lists is a resource under its dotted path.
 * NOLINTNEXTLINE(misc-no-recursion): the tables are a tree */
static void resources(struct ruleset *rs, const struct table *t, const void *object,
                      const char *prefix)
{
    const struct object *o = object;

    for (uint32_t i = 0; i < t->n; i++) {
        const struct field *f = &t->fields[i];
        const void *m = field_in(f, object);
        const char *path = arena_printf(&rs->arena, "%s%s%s", prefix, *prefix ? "." : "", f->key);

        if (f->type == F_OBJECT)
            resources(rs, f->table, m, path);
        if (!field_is_number(f) || (f->combine != C_LEAST && f->combine != C_MOST))
            continue;

        uint64_t v = *(const uint64_t *)m;
        const char *dot = strrchr(path, '.');
        const char *section = dot ? arena_copy(&rs->arena, path, strcspn(path, ".")) : "policy";
        uint32_t rule = rule_new(rs, section, "", dot ? strchr(path, '.') + 1 : path,
                                 object_has(o, i) ? o->at[i] : o->spot, f->grade, false);
        struct clause *c = clause_new(rs, SPACE_RESOURCE, rule);

        c->cell[RESOURCE_FIELD] = cell_word(rs, path);
        c->cell[RESOURCE_VALUE] =
            f->combine == C_LEAST ? cell_number_to(rs, v) : cell_number(rs, v, UINT64_MAX - 1);
    }
}

static void model(struct ruleset *rs, const struct model *m)
{
    uint32_t rule = rule_new(rs, "models", "", m->id, m->o.spot, 'H', false);
    struct clause *c = clause_new(rs, SPACE_MODEL, rule);
    struct cell *names = cell_new(rs, DIM_GLOB);
    struct globs *g = &names->globs.pos;

    g->v = arena_get(&rs->arena, (m->names.n + 1) * sizeof(*g->v));
    for (uint32_t i = 0; i < m->names.n; i++)
        if (!glob_parse(&rs->arena, GLOB_NAME, NULL, m->names.v[i], &g->v[g->n]))
            g->n++;
    c->cell[MODEL_ENDPOINT] = cell_word(rs, m->endpoint ? m->endpoint : "");
    c->cell[MODEL_NAME] = names;
    c->cell[MODEL_INPUT] = cell_number_to(rs, m->budget.input_tokens);
    c->cell[MODEL_OUTPUT] = cell_number_to(rs, m->budget.output_tokens);
    c->cell[MODEL_RATE] = cell_number_to(rs, m->budget.per_minute);
}

static const struct cell *device_ids(struct ruleset *rs, const struct device_match *m)
{
    struct cell *c = cell_new(rs, DIM_NUM);
    const uint16_t *vendors = vendor_ids(m->vendor);
    uint64_t id;

    /* Vendors are listed in rising order, ids are sorted texts of fixed width: both stay sorted. */
    for (unsigned i = 0; i < 4 && vendors[i] && !m->ids.n; i++) {
        *(struct range *)arena_push(&rs->arena, (void **)&c->ranges.v, c->ranges.n,
                                    sizeof(*c->ranges.v)) =
            (struct range){ (uint64_t)vendors[i] << 16, (uint64_t)vendors[i] << 16 | 0xffff };
        c->ranges.n++;
    }
    for (uint32_t i = 0; i < m->ids.n; i++) {
        if (pci_id_parse(m->ids.v[i], &id))
            continue;
        *(struct range *)arena_push(&rs->arena, (void **)&c->ranges.v, c->ranges.n,
                                    sizeof(*c->ranges.v)) = (struct range){ id, id };
        c->ranges.n++;
    }
    return c;
}

static void accelerator(struct ruleset *rs, const struct accelerator *a)
{
    uint32_t rule = rule_new(rs, "accelerators", "", a->id, a->o.spot, 'H', false);
    struct clause *c = clause_new(rs, SPACE_DEVICE, rule);
    uint16_t lo, hi;

    class_range(a->match.class, &lo, &hi);
    c->cell[DEVICE_ATTACH] = cell_bits(rs, 1ull << a->attach);
    c->cell[DEVICE_ID] = device_ids(rs, &a->match);
    c->cell[DEVICE_CLASS] = cell_number(rs, lo, hi);
    c->cell[DEVICE_COUNT] = cell_number(rs, 1, a->count);
    if (a->attach != ATTACH_PASSTHROUGH)
        return;
    c->cell[DEVICE_EXCLUSIVE] = cell_bits(rs, a->iommu.exclusive_group ? 2 : 3);
    c->cell[DEVICE_REMAPPED] =
        cell_bits(rs, a->iommu.interrupt_remapping == REQUIRE_REQUIRED ? 2 : 3);
    c->cell[DEVICE_RESET] = cell_bits(rs, a->reset.methods);
    c->cell[DEVICE_CLEANED] = cell_bits(rs, (2ull << a->reset.between_tenants) - 1);
}

static void snapshot(struct ruleset *rs, const struct policy_snapshot *s)
{
    if (s->save) {
        uint32_t rule = rule_new(rs, "snapshot", "", "save", s->o.spot, 'H', false);

        clause_new(rs, SPACE_SNAPSHOT, rule)->cell[SNAPSHOT_OP] =
            cell_bits(rs, 1u << SNAPSHOT_SAVE);
    }
    if (s->restore) {
        uint32_t rule = rule_new(rs, "snapshot", "", "restore", s->o.spot, 'H', false);
        struct clause *c = clause_new(rs, SPACE_SNAPSHOT, rule);

        c->cell[SNAPSHOT_OP] = cell_bits(rs, 1u << SNAPSHOT_RESTORE);
        c->cell[SNAPSHOT_AGE] = cell_number_to(rs, s->max_age);
        c->cell[SNAPSHOT_RESEEDED] = cell_bits(rs, s->reseed == REQUIRE_REQUIRED ? 2 : 3);
    }
}

static void image(struct ruleset *rs, const struct policy_image *m)
{
    uint32_t rule = rule_new(rs, "image", "", m->name ? m->name : "any", m->o.spot, 'H', false);
    struct clause *c = clause_new(rs, SPACE_IMAGE, rule);

    c->cell[IMAGE_NAME] = m->name ? cell_word(rs, m->name) : NULL;
    c->cell[IMAGE_SHA256] = m->sha256 ? cell_word(rs, m->sha256) : NULL;
    c->cell[IMAGE_KERNEL] = m->kernel.sha256 ? cell_word(rs, m->kernel.sha256) : NULL;
    c->cell[IMAGE_VERITY] = cell_bits(rs, m->verity ? 2 : 3);
}

void compile_rest(struct ruleset *rs)
{
    const struct policy *p = rs->policy;

    resources(rs, &policy_table, p, "");
    image(rs, &p->image);
    snapshot(rs, &p->snapshot);
    if (p->budget.forks) {
        uint32_t rule = rule_new(rs, "budget", "", "fork", p->budget.o.spot, 'H', false);

        clause_new(rs, SPACE_FORK, rule)->cell[FORK_MADE] = cell_number_to(rs, p->budget.forks - 1);
    }
    for (uint32_t i = 0; i < p->models.n; i++)
        model(rs, p->models.v[i]);
    for (uint32_t i = 0; i < p->accelerators.n; i++)
        accelerator(rs, p->accelerators.v[i]);
}
