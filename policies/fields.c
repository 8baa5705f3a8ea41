#include "policies/fields.h"

#include <inttypes.h>
#include <string.h>

int field_index(const struct table *t, const char *key)
{
    for (uint32_t i = 0; i < t->n; i++)
        if (strcmp(t->fields[i].key, key) == 0)
            return (int)i;
    return -1;
}

const struct field *field_by_path(const char *path)
{
    const struct table *t = &policy_table;
    const struct field *f = NULL;

    for (const char *p = path; *p;) {
        char key[64];
        size_t n = strcspn(p, ".");

        if (!t || n == 0 || n >= sizeof(key))
            return NULL;
        memcpy(key, p, n);
        key[n] = '\0';

        int i = field_index(t, key);

        if (i < 0)
            return NULL;
        f = &t->fields[i];
        t = f->table;
        p += n + (p[n] == '.');
    }
    return f;
}

const struct table *table_by_path(const char *path)
{
    const struct field *f = field_by_path(path);

    return f ? f->table : NULL;
}

void *field_of(const struct field *f, void *object)
{
    return (char *)object + f->offset;
}

const void *field_in(const struct field *f, const void *object)
{
    return (const char *)object + f->offset;
}

enum unit field_unit(const struct field *f)
{
    switch (f->type) {
    case F_BYTES: return UNIT_BYTES;
    case F_TIME: return UNIT_TIME;
    case F_PERCENT: return UNIT_PERCENT;
    case F_RATE: return UNIT_RATE;
    default: return UNIT_COUNT;
    }
}

void field_print_number(const struct field *f, uint64_t v, struct text *out)
{
    if (f->words && f->type != F_SET && v < 64 && v < UINT32_MAX) {
        size_t n = 0;

        while (n < v && f->words[n])
            n++;
        text_add(out, "%s", f->words[n] ? f->words[n] : "?");
        return;
    }
    units_print(field_unit(f), v, out);
}

/* "one of a, b, c". */
static void list_words(const struct field *f, struct text *why)
{
    text_add(why, "one of ");
    for (size_t i = 0; f->words[i]; i++)
        text_add(why, "%s%s", i ? ", " : "", f->words[i]);
}

const char *field_parse_number(const struct field *f, const char *s, struct text *why,
                               uint64_t *out)
{
    if (f->words) {
        for (size_t i = 0; f->words[i]; i++) {
            if (strcmp(f->words[i], s) == 0) {
                *out = i;
                return NULL;
            }
        }
        list_words(f, why);
        return text_str(why);
    }

    const char *bad = units_parse(field_unit(f), s, f->unit, out);

    if (bad) {
        text_add(why, "%s", bad);
        return text_str(why);
    }
    if (*out < f->min || *out > f->max) {
        text_add(why, "a value from ");
        field_print_number(f, f->min, why);
        text_add(why, " to ");
        field_print_number(f, f->max, why);
        return text_str(why);
    }
    return NULL;
}

/* The tables are a tree of at most five levels. NOLINTNEXTLINE(misc-no-recursion) */
void object_init(struct arena *a, const struct table *t, void *object)
{
    struct object *o = object;

    o->has = 0;
    o->at = arena_get(a, t->n * sizeof(*o->at));
    for (uint32_t i = 0; i < t->n; i++) {
        const struct field *f = &t->fields[i];
        void *m = field_of(f, object);

        if (field_is_number(f) || f->type == F_SET) {
            *(uint64_t *)m = f->def;
        } else if (f->type == F_OBJECT) {
            object_init(a, f->table, m);
        } else if (f->type == F_TEXTS && f->def_text) {
            struct texts *x = m;

            *(const char **)arena_push(a, (void **)&x->v, 0, sizeof(*x->v)) = f->def_text;
            x->n = 1;
        } else if (f->type == F_PORTS && f->def_text) {
            struct ranges *r = m;
            uint64_t port = 0;

            if (!units_parse(UNIT_COUNT, f->def_text, NULL, &port)) {
                *(struct range *)arena_push(a, (void **)&r->v, 0, sizeof(*r->v)) =
                    (struct range){ port, port };
                r->n = 1;
            }
        }
    }
}
