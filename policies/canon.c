#include "policies/canon.h"

#include "base/hex.h"
#include "policies/words.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

/* What stands between two of a list. */
static void comma(bool first, struct text *out)
{
    if (!first)
        text_bytes(out, ",", 1);
}

static void words_json(const char *const *v, uint32_t n, struct text *out)
{
    text_bytes(out, "[", 1);
    for (uint32_t i = 0; i < n; i++) {
        comma(i == 0, out);
        text_json(out, v[i]);
    }
    text_bytes(out, "]", 1);
}

static void texts_json(const struct texts *t, struct text *out)
{
    words_json(t->v, t->n, out);
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
    const char *names[BITS_MAX];
    uint32_t n = 0;
    const uint64_t *set = m;

    for (unsigned i = 0; f->type == F_SET && f->words[i]; i++)
        if (*set >> i & 1)
            names[n++] = f->words[i];
    for (unsigned i = 0; f->type == F_BITS && i < BITS_MAX; i++)
        if (bits_has(m, i))
            names[n++] = f->bits->name(i);
    /* Few words: insertion keeps them sorted by name. */
    for (uint32_t i = 1; i < n; i++) {
        for (uint32_t k = i; k > 0 && strcmp(names[k - 1], names[k]) > 0; k--) {
            const char *t = names[k];

            names[k] = names[k - 1];
            names[k - 1] = t;
        }
    }
    words_json(names, n, out);
}

/* One entry of a list, in a text that has all of them. */
struct part {
    const char *s;
    size_t at, len;
};

static int by_text(const void *a, const void *b)
{
    const struct part *x = a, *y = b;

    return strcmp(x->s, y->s);
}

/* The tables are a tree of at most five levels. NOLINTNEXTLINE(misc-no-recursion) */
static void list_json(const struct field *f, const struct list *l, struct text *out)
{
    struct text all = TEXT_INIT;
    struct part *parts = calloc(l->n + 1, sizeof(*parts));

    if (!parts)
        abort();
    for (uint32_t i = 0; i < l->n; i++) {
        parts[i].at = all.len;
        object_canonical(f->table, l->v[i], &all);
        parts[i].len = all.len - parts[i].at;
        text_bytes(&all, "", 1); /* JSON has no NUL: it ends the entry */
    }
    for (uint32_t i = 0; i < l->n; i++)
        parts[i].s = all.p + parts[i].at;
    qsort(parts, l->n, sizeof(*parts), by_text);
    text_bytes(out, "[", 1);
    for (uint32_t i = 0; i < l->n; i++) {
        comma(i == 0, out);
        text_bytes(out, parts[i].s, parts[i].len);
    }
    text_bytes(out, "]", 1);
    text_fini(&all);
    free(parts);
}

static void number_json(const struct field *f, uint64_t v, bool human, struct text *out)
{
    if (f->type == F_BOOL)
        text_add(out, v ? "true" : "false");
    else if (f->type == F_COUNT)
        text_number(out, v);
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
    text_bytes(out, "[", 1);
    for (uint32_t i = 0; i < r->n; i++) {
        comma(i == 0, out);
        if (r->v[i].lo == r->v[i].hi)
            text_number(out, r->v[i].lo);
        else
            text_add(out, "\"%" PRIu64 "..%" PRIu64 "\"", r->v[i].lo, r->v[i].hi);
    }
    text_bytes(out, "]", 1);
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
            comma(i == 0, out);
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
    uint8_t order[OBJECT_KEYS_MAX];
    uint32_t n = 0;

    /* Those that are there, by their names. */
    for (uint32_t i = 0; i < t->n; i++) {
        uint32_t k = n;

        if (!object_has(o, i))
            continue;
        for (; k > 0 && strcmp(t->fields[order[k - 1]].key, t->fields[i].key) > 0; k--)
            order[k] = order[k - 1];
        order[k] = (uint8_t)i;
        n++;
    }
    text_bytes(out, "{", 1);
    for (uint32_t i = 0; i < n; i++) {
        const struct field *f = &t->fields[order[i]];

        comma(i == 0, out);
        text_json(out, f->key);
        text_bytes(out, ":", 1);
        field_json(f, object, false, out);
    }
    text_bytes(out, "}", 1);
}

void policy_canonical(const struct policy *p, struct text *out)
{
    object_canonical(&policy_table, p, out);
}

void policy_hash(const struct policy *p, char out[POLICY_HASH_HEX])
{
    struct text t = TEXT_INIT;
    unsigned char md[EVP_MAX_MD_SIZE] = { 0 };
    unsigned int n = 0;

    policy_canonical(p, &t);
    if (!EVP_Digest(t.p, t.len, md, &n, EVP_sha256(), NULL) || n != 32)
        abort();
    text_fini(&t);
    hex_print(out, md, n);
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
