/* amend.c - see amend.h. */
#include "policies/amend.h"

#include "policies/fields.h"
#include "policies/hosts.h"

#include <string.h>

#define PLACE "command line"

static bool refuse(struct problems *ps, const struct amendment *a, const char *why)
{
    problem_add(ps, PROBLEM_ERROR, "amend", PLACE, 0, 0, "%s=%s: %s", a->key, a->value, why);
    return false;
}

/* The number of the file that amendments are said to come from. */
static uint16_t place(struct policy *p)
{
    for (uint16_t i = 0; i < p->nfiles; i++)
        if (p->files[i] && strcmp(p->files[i], PLACE) == 0)
            return i;
    if (p->nfiles == POLICY_FILES_MAX)
        return 0;
    p->files[p->nfiles] = PLACE;
    return p->nfiles++;
}

static void mark(struct policy *p, struct object *o, uint32_t field)
{
    o->has |= 1ull << field;
    o->own |= 1ull << field;
    o->at[field] = (struct spot){ .file = place(p) };
}

static bool amend_number(struct policy *p, const struct amendment *a, struct problems *ps)
{
    const struct table *t = &policy_table;
    struct object *o = &p->o;
    const char *key = a->key;
    char part[32];

    for (;;) {
        size_t n = strcspn(key, ".");
        int i = -1;

        if (n < sizeof(part)) {
            memcpy(part, key, n);
            part[n] = '\0';
            i = field_index(t, part);
        }
        if (i < 0)
            return refuse(ps, a, "no such key");

        const struct field *f = &t->fields[i];

        mark(p, o, (uint32_t)i);
        if (key[n] == '\0' && field_is_number(f)) {
            struct text why = TEXT_INIT;
            const char *wrong = field_parse_number(f, a->value, &why, field_of(f, o));
            bool ok = !wrong || refuse(ps, a, wrong);

            text_fini(&why);
            return ok;
        }
        if (key[n] == '\0' || f->type != F_OBJECT)
            return refuse(ps, a, "not a number of the document");
        o = field_of(f, o);
        t = f->table;
        key += n + 1;
    }
}

/* One network rule: the name on its port, nothing else. */
static bool amend_allow(struct policy *p, const struct amendment *a, struct problems *ps)
{
    const struct table *t = table_by_path("network.allow");
    const char *colon = strrchr(a->value, ':');
    size_t len = colon ? (size_t)(colon - a->value) : strlen(a->value);
    struct net_rule *r = arena_get(&p->arena, sizeof(*r));
    uint64_t port = colon ? 0 : 443;
    const char **host = arena_get(&p->arena, sizeof(*host));

    for (const char *d = colon ? colon + 1 : ""; *d; d++)
        port = *d >= '0' && *d <= '9' && port <= 65535 ? port * 10 + (uint64_t)(*d - '0') : 65536;
    if (port < 1 || port > 65535 || !host_is_canonical(a->value, len))
        return refuse(ps, a, "wanted HOST or HOST:PORT, a plain lower-case name");
    object_init(&p->arena, t, r);
    *host = arena_copy(&p->arena, a->value, len);
    r->o.spot.file = place(p);
    for (uint32_t i = 0; i < t->n; i++)
        r->o.at[i].file = r->o.spot.file;
    r->id = arena_printf(&p->arena, "command-line-%u", p->network.allow.n + 1);
    r->hosts = (struct texts){ host, 1 };
    r->ports.v = arena_get(&p->arena, sizeof(*r->ports.v));
    r->ports.v[0] = (struct range){ port, port };
    r->ports.n = 1;
    mark(p, &r->o, (uint32_t)field_index(t, "id"));
    mark(p, &r->o, (uint32_t)field_index(t, "hosts"));
    mark(p, &r->o, (uint32_t)field_index(t, "ports"));
    mark(p, &p->o, (uint32_t)field_index(&policy_table, "network"));
    mark(p, &p->network.o, (uint32_t)field_index(table_by_path("network"), "allow"));
    *(void **)arena_push(&p->arena, (void **)&p->network.allow.v, p->network.allow.n,
                         sizeof(*p->network.allow.v)) = r;
    p->network.allow.n++;
    return true;
}

bool policy_amend(struct policy *p, const struct amendment *a, struct problems *ps)
{
    return strcmp(a->key, "allow") == 0 ? amend_allow(p, a, ps) : amend_number(p, a, ps);
}
