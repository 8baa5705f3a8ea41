#include "policies/canon.h"

#include "policies/words.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

static void texts_json(const struct texts *t, struct text *out)
{
    text_add(out, "[");
    for (uint32_t i = 0; i < t->n; i++) {
        text_add(out, "%s", i ? "," : "");
        text_json(out, t->v[i]);
    }
    text_add(out, "]");
}

static void token_json(const struct token *t, struct text *out)
{
    if (t->kind == TOKEN_ANY) {
        text_add(out, "{\"any\":{\"count\":\"%u..%u\",\"max\":%u}}", t->lo, t->hi, t->max);
    } else if (t->kind == TOKEN_PREFIX) {
        text_add(out, "{\"max\":%u,\"prefix\":", t->max);
        text_json(out, t->words.v[0]);
        text_add(out, "}");
    } else if (t->words.n == 1) {
        text_json(out, t->words.v[0]);
    } else {
        text_add(out, "{\"enum\":");
        texts_json(&t->words, out);
        text_add(out, "}");
    }
}

static void set_json(const struct field *f, const void *m, struct text *out)
{
    struct arena a = ARENA_INIT;
    struct texts names = { NULL, 0 };
    const uint64_t *set = m;

    for (unsigned i = 0; f->type == F_SET && f->words[i]; i++) {
        if (*set >> i & 1) {
            arena_push(&a, (void **)&names.v, names.n, sizeof(*names.v));
            names.v[names.n++] = f->words[i];
        }
    }
    for (unsigned i = 0; f->type == F_BITS && i < BITS_MAX; i++) {
        if (bits_has(m, i)) {
            arena_push(&a, (void **)&names.v, names.n, sizeof(*names.v));
            names.v[names.n++] = f->bits->name(i);
        }
    }
    /* Few words: insertion keeps them sorted by name. */
    for (uint32_t i = 1; i < names.n; i++) {
        for (uint32_t k = i; k > 0 && strcmp(names.v[k - 1], names.v[k]) > 0; k--) {
            const char *t = names.v[k];

            names.v[k] = names.v[k - 1];
            names.v[k - 1] = t;
        }
    }
    texts_json(&names, out);
    arena_fini(&a);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(text_str(a), text_str(b));
}

/* The tables are a tree of at most five levels. NOLINTNEXTLINE(misc-no-recursion) */
static void list_json(const struct field *f, const struct list *l, struct text *out)
{
    struct text *parts = calloc(l->n + 1, sizeof(*parts));

    if (!parts)
        abort();
    for (uint32_t i = 0; i < l->n; i++)
        object_canonical(f->table, l->v[i], &parts[i]);
    qsort(parts, l->n, sizeof(*parts), by_text);
    text_add(out, "[");
    for (uint32_t i = 0; i < l->n; i++) {
        text_add(out, "%s", i ? "," : "");
        text_bytes(out, parts[i].p, parts[i].len);
        text_fini(&parts[i]);
    }
    text_add(out, "]");
    free(parts);
}

static void number_json(const struct field *f, uint64_t v, bool human, struct text *out)
{
    if (f->type == F_BOOL)
        text_add(out, v ? "true" : "false");
    else if (f->type == F_COUNT)
        text_add(out, "%" PRIu64, v);
    else if (f->type == F_ENUM || human) {
        text_add(out, "\"");
        field_print_number(f, v, out);
        text_add(out, "\"");
    } else {
        text_add(out, "\"");
        units_canonical(field_unit(f), v, out);
        text_add(out, "\"");
    }
}

static void ranges_json(const struct ranges *r, struct text *out)
{
    text_add(out, "[");
    for (uint32_t i = 0; i < r->n; i++) {
        text_add(out, "%s", i ? "," : "");
        if (r->v[i].lo == r->v[i].hi)
            text_add(out, "%" PRIu64, r->v[i].lo);
        else
            text_add(out, "\"%" PRIu64 "..%" PRIu64 "\"", r->v[i].lo, r->v[i].hi);
    }
    text_add(out, "]");
}

/* NOLINTNEXTLINE(misc-no-recursion) */
void field_json(const struct field *f, const void *object, bool human, struct text *out)
{
    const void *m = field_in(f, object);

    switch (f->type) {
    case F_TEXT: {
        const char *s = *(const char *const *)m;

        if (s)
            text_json(out, s);
        else
            text_add(out, "null");
        break;
    }
    case F_TEXTS: texts_json(m, out); break;
    case F_SET:
    case F_BITS: set_json(f, m, out); break;
    case F_PORTS: ranges_json(m, out); break;
    case F_PAIRS: {
        const struct pairs *p = m;

        for (uint32_t i = 0; i < p->n; i++) {
            text_add(out, "%s", i ? "," : "{");
            text_json(out, p->v[i].key);
            text_add(out, ":");
            text_json(out, p->v[i].value);
        }
        text_add(out, p->n ? "}" : "{}");
        break;
    }
    case F_ARGV: {
        const struct argv_pattern *p = m;

        text_add(out, "[");
        for (uint32_t i = 0; i < p->n; i++) {
            text_add(out, "%s", i ? "," : "");
            token_json(&p->v[i], out);
        }
        text_add(out, "]");
        break;
    }
    case F_MATCHERS: {
        const struct matchers *x = m;

        for (uint32_t i = 0; i < x->n; i++) {
            text_add(out, "%s", i ? "," : "{");
            text_json(out, x->v[i].name);
            text_add(out, ":");
            token_json(&x->v[i].token, out);
        }
        text_add(out, x->n ? "}" : "{}");
        break;
    }
    case F_OBJECT: object_canonical(f->table, m, out); break;
    case F_LIST: list_json(f, m, out); break;
    default: number_json(f, *(const uint64_t *)m, human, out); break;
    }
}

/* NOLINTNEXTLINE(misc-no-recursion) */
void object_canonical(const struct table *t, const void *object, struct text *out)
{
    const struct object *o = object;
    const char *last = NULL;
    bool first = true;

    text_add(out, "{");
    for (uint32_t done = 0; done < t->n; done++) {
        uint32_t next = t->n;

        /* The smallest key of those that are there and not yet written. */
        for (uint32_t i = 0; i < t->n; i++)
            if (object_has(o, i) && (!last || strcmp(t->fields[i].key, last) > 0) &&
                (next == t->n || strcmp(t->fields[i].key, t->fields[next].key) < 0))
                next = i;
        if (next == t->n)
            break;
        last = t->fields[next].key;
        text_add(out, "%s", first ? "" : ",");
        first = false;
        text_json(out, last);
        text_add(out, ":");
        field_json(&t->fields[next], object, false, out);
    }
    text_add(out, "}");
}

void policy_canonical(const struct policy *p, struct text *out)
{
    object_canonical(&policy_table, p, out);
}

void policy_hash(const struct policy *p, char out[POLICY_HASH_HEX])
{
    static const char hex[] = "0123456789abcdef";
    struct text t = TEXT_INIT;
    unsigned char md[EVP_MAX_MD_SIZE] = { 0 };
    unsigned int n = 0;

    policy_canonical(p, &t);
    if (!EVP_Digest(t.p, t.len, md, &n, EVP_sha256(), NULL) || n != 32)
        abort();
    text_fini(&t);
    for (size_t i = 0; i < 32; i++) {
        out[2 * i] = hex[md[i] >> 4];
        out[2 * i + 1] = hex[md[i] & 15];
    }
    out[64] = '\0';
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static void show(const struct table *t, const void *object, size_t depth, bool all,
                 struct text *out)
{
    for (uint32_t i = 0; i < t->n; i++) {
        const struct field *f = &t->fields[i];
        const void *m = field_in(f, object);

        if ((f->type == F_TEXT && !*(const char *const *)m) || (!all && !object_has(object, i)))
            continue;
        text_add(out, "%*s%s:", (int)depth * 2, "", f->key);
        if (f->type == F_OBJECT && (all || ((const struct object *)m)->has)) {
            text_add(out, "\n");
            show(f->table, m, depth + 1, all, out);
        } else if (f->type == F_OBJECT) {
            text_add(out, " {}\n");
        } else if (f->type == F_LIST) {
            const struct list *l = m;

            text_add(out, "%s\n", l->n ? "" : " []");
            for (uint32_t k = 0; k < l->n; k++) {
                struct text one = TEXT_INIT;

                show(f->table, l->v[k], depth + 2, all, &one);
                if (one.len > depth * 2 + 2)
                    one.p[depth * 2 + 2] = '-';
                text_add(out, "%s", text_str(&one));
                text_fini(&one);
            }
        } else {
            text_add(out, " ");
            field_json(f, object, true, out);
            text_add(out, "%s\n", object_has(object, i) ? "" : "  # default");
        }
    }
}

void policy_show(const struct policy *p, struct text *out)
{
    show(&policy_table, p, 0, true, out);
}

void policy_write(const struct policy *p, struct text *out)
{
    show(&policy_table, p, 0, false, out);
}
