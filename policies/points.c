#include "policies/points.h"

#include "policies/classes.h"
#include "policies/globs.h"
#include "policies/hosts.h"
#include "policies/units.h"
#include "policies/words.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Dimensions that a request may give without naming them, in this order; -1 ends. */
static const int8_t positional[SPACES][5] = {
    [SPACE_RESOURCE] = { RESOURCE_FIELD, RESOURCE_VALUE, -1 },
    [SPACE_CONNECT] = { CONNECT_HOST, -1 },
    [SPACE_DIAL] = { DIAL_HOST, DIAL_ADDR, -1 },
    [SPACE_HTTP] = { HTTP_HOST, HTTP_METHOD, HTTP_PATH, -1 },
    [SPACE_PUBLISH] = { PUBLISH_GUEST, PUBLISH_ADDR, PUBLISH_PORT, -1 },
    [SPACE_EXEC] = { EXEC_PATH, -1 },
    [SPACE_HOST] = { -1 },
    [SPACE_MCP] = { MCP_SERVER, MCP_TOOL, -1 },
    [SPACE_FILE] = { FILE_OP, FILE_PATH, -1 },
    [SPACE_MOUNT] = { MOUNT_SOURCE, MOUNT_TARGET, MOUNT_ACCESS, -1 },
    [SPACE_SECRET] = { SECRET_ID, SECRET_HOST, -1 },
    [SPACE_MODEL] = { MODEL_NAME, MODEL_ENDPOINT, -1 },
    [SPACE_DEVICE] = { DEVICE_ATTACH, DEVICE_ID, DEVICE_CLASS, -1 },
    [SPACE_SNAPSHOT] = { SNAPSHOT_OP, -1 },
    [SPACE_FORK] = { FORK_MADE, -1 },
    [SPACE_IMAGE] = { IMAGE_NAME, -1 },
};

static int dim_by_name(const struct space *s, const char *name)
{
    for (uint32_t i = 0; i < s->n; i++)
        if (strcmp(s->dims[i].name, name) == 0)
            return (int)i;
    return -1;
}

static void list_push(struct arena *a, struct value *v, const char *s)
{
    const char **copy = arena_get(a, (v->list.n + 1) * sizeof(*copy));

    if (v->list.n)
        memcpy(copy, v->list.v, v->list.n * sizeof(*copy));
    copy[v->list.n] = s;
    v->list.v = copy;
    v->list.n++;
    v->present = true;
}

static const char *set_bits(struct arena *a, const char *dim, struct value *v, const char *s)
{
    int nr = strcmp(dim, "caps") == 0 ? capability_number(s) : syscall_number(s);
    struct bits *b = arena_get(a, sizeof(*b));

    if (nr < 0)
        return arena_printf(a, "unknown name \"%.40s\"", s);
    if (v->bits)
        *b = *v->bits;
    bits_set(b, (unsigned)nr);
    v->bits = b;
    v->present = true;
    return NULL;
}

static const char *set_number(struct arena *a, const struct request *r, unsigned i, const char *s,
                              uint64_t *out)
{
    const struct dim *d = &spaces[r->space].dims[i];
    const struct field *f = NULL;

    if (r->space == SPACE_DEVICE && i == DEVICE_ID && strchr(s, ':'))
        return pci_id_parse(s, out);
    if (r->space == SPACE_DEVICE && i == DEVICE_CLASS && strncmp(s, "0x", 2) == 0 &&
        strlen(s) == 6 && strspn(s + 2, "0123456789abcdef") == 4) {
        *out = strtoull(s, NULL, 16);
        return NULL;
    }
    if (r->space == SPACE_RESOURCE) {
        char buf[256];
        struct text why = text_fixed(buf, sizeof(buf));

        f = r->v[RESOURCE_FIELD].s ? field_by_path(r->v[RESOURCE_FIELD].s) : NULL;
        if (!f || !field_is_number(f))
            return "the value needs the dotted path of a number or word in front";

        struct field any = *f;

        /* What a rule may not say, a request may still ask. */
        any.min = 0;
        any.max = UINT64_MAX;
        return field_parse_number(&any, s, &why, out) ? arena_copy(a, buf, why.len) : NULL;
    }
    return units_parse(d->unit, s, NULL, out);
}

static const char *set_dim(struct arena *a, struct request *r, unsigned i, const char *s)
{
    const struct dim *d = &spaces[r->space].dims[i];
    struct value *v = &r->v[i];
    char host[HOST_BYTES];
    const char *why = NULL;
    int word;

    switch (d->type) {
    case DIM_WORD:
    case DIM_GLOB: request_text(r, i, s); return NULL;
    case DIM_HOST:
        why = host_canonical(s, host);
        /* What is no name is asked as it is: the answer is a denial, not a usage error. */
        request_text(r, i, why ? s : arena_copy(a, host, strlen(host)));
        return NULL;
    case DIM_ENUM:
        word = word_index(d->words, s);
        if (word < 0)
            return arena_printf(a, "%s: unknown word \"%.40s\"", d->name, s);
        request_number(r, i, (uint64_t)word);
        return NULL;
    case DIM_NUM:
        why = set_number(a, r, i, s, &v->n);
        v->present = true;
        return why ? arena_printf(a, "%s: wanted %s", d->name, why) : NULL;
    case DIM_ADDR: v->present = true; return addr_parse(s, &v->addr);
    case DIM_ARGS: {
        const char *eq = strchr(s, '=');

        if (!eq)
            return arena_printf(a, "%s: wanted name=value", d->name);
        list_push(a, v, arena_copy(a, s, (size_t)(eq - s)));
        list_push(a, v, eq + 1);
        return NULL;
    }
    case DIM_ARGV:
    case DIM_ALL_GLOB:
    case DIM_ALL_WORD: list_push(a, v, s); return NULL;
    case DIM_ALL_BITS: return set_bits(a, d->name, v, s);
    }
    return "?";
}

/* "host:port" and "server/tool" are two dimensions in one word. */
static const char *set_positional(struct arena *a, struct request *r, unsigned i, const char *s)
{
    const char *cut = NULL;

    if (spaces[r->space].dims[i].type == DIM_HOST && (cut = strrchr(s, ':')) && !strchr(cut, ']')) {
        const char *why = set_dim(a, r, i + 1, cut + 1);

        return why ? why : set_dim(a, r, i, arena_copy(a, s, (size_t)(cut - s)));
    }
    return set_dim(a, r, i, s);
}

static const char *rest_of_words(struct arena *a, struct request *r, const char *const *words,
                                 uint32_t n)
{
    for (uint32_t i = 0; i < spaces[r->space].n; i++) {
        if (spaces[r->space].dims[i].type != DIM_ARGV && spaces[r->space].dims[i].type != DIM_ARGS)
            continue;
        for (uint32_t k = 0; k < n; k++) {
            const char *why = set_dim(a, r, i, words[k]);

            if (why)
                return why;
        }
        return NULL;
    }
    return "-- has no meaning here";
}

const char *point_parse(struct arena *a, const char *const *words, uint32_t n, struct request *r)
{
    const char *names[SPACES];
    const int8_t *next;
    unsigned space = 0;

    for (unsigned i = 0; i < SPACES; i++)
        names[i] = spaces[i].name;
    while (n && space < SPACES && strcmp(names[space], words[0]) != 0)
        space++;
    if (!n || space == SPACES) {
        const char *guess = n ? did_you_mean(words[0], names, SPACES) : NULL;

        return arena_printf(a, "unknown kind of request \"%.40s\"%s%s%s", n ? words[0] : "",
                            guess ? " (did you mean \"" : "", guess ? guess : "",
                            guess ? "\"?)" : "");
    }
    request_init(r, space);
    next = positional[space];
    for (uint32_t i = 1; i < n; i++) {
        const char *why;

        if (strcmp(words[i], "--") == 0)
            return rest_of_words(a, r, words + i + 1, n - i - 1);
        if (strncmp(words[i], "--", 2) == 0) {
            int dim = dim_by_name(&spaces[space], words[i] + 2);

            if (dim < 0)
                return arena_printf(a, "%s has no dimension \"%.40s\"", spaces[space].name,
                                    words[i] + 2);
            if (i + 1 == n)
                return arena_printf(a, "%.40s needs a value", words[i]);
            why = set_dim(a, r, (unsigned)dim, words[++i]);
        } else if (*next < 0) {
            return arena_printf(a, "what is \"%.40s\"? (arguments go behind --)", words[i]);
        } else {
            why = set_positional(a, r, (unsigned)*next++, words[i]);
        }
        if (why)
            return why;
    }
    return NULL;
}

/* Splits at spaces; "..." with \" \\ and \xhh. */
static const char *split(struct arena *a, const char *p, const char ***words, uint32_t *n)
{
    while (*p) {
        char *w = arena_get(a, strlen(p) + 1);
        size_t len = 0;
        bool quoted = false;

        while (*p == ' ')
            p++;
        if (!*p)
            break;
        for (; *p && (quoted || *p != ' '); p++) {
            if (*p == '"') {
                quoted = !quoted;
            } else if (quoted && *p == '\\' && p[1] == 'x' &&
                       strspn(p + 2, "0123456789abcdef") >= 2) {
                char hex[3] = { p[2], p[3], '\0' };

                w[len++] = (char)strtoul(hex, NULL, 16);
                if (!w[len - 1])
                    return "a NUL byte";
                p += 3;
            } else if (quoted && *p == '\\' && p[1]) {
                w[len++] = *++p;
            } else {
                w[len++] = *p;
            }
        }
        if (quoted)
            return "a quote without its end";
        *(const char **)arena_push(a, (void **)words, *n, sizeof(**words)) = w;
        (*n)++;
    }
    return NULL;
}

const char *point_parse_line(struct arena *a, const char *line, struct request *r)
{
    const char **words = NULL;
    uint32_t n = 0;
    const char *why = split(a, line, &words, &n);

    return why ? why : point_parse(a, words, n, r);
}

static void number_print(const struct request *r, unsigned i, struct text *out)
{
    const struct dim *d = &spaces[r->space].dims[i];
    uint64_t n = r->v[i].n;
    const struct field *f = NULL;

    if (r->space == SPACE_RESOURCE && r->v[RESOURCE_FIELD].present)
        f = field_by_path(r->v[RESOURCE_FIELD].s);
    if (f && field_is_number(f))
        field_print_number(f, n, out);
    else if (r->space == SPACE_DEVICE && i == DEVICE_ID && n <= UINT32_MAX)
        text_add(out, "%04x:%04x", (unsigned)(n >> 16), (unsigned)(n & 0xffff));
    else if (r->space == SPACE_DEVICE && i == DEVICE_CLASS && n <= 0xffff)
        text_add(out, "0x%04x", (unsigned)n);
    else if (d->unit == UNIT_COUNT || d->unit == UNIT_PLAIN)
        text_add(out, "%" PRIu64, n);
    else
        units_print(d->unit, n, out);
}

void value_print(const struct dim *d, const struct value *v, struct text *out)
{
    switch (d->type) {
    case DIM_WORD:
    case DIM_HOST:
    case DIM_GLOB: text_word(out, v->s, v->len); break;
    case DIM_ENUM: text_add(out, "%s", v->n < words_count(d->words) ? d->words[v->n] : "?"); break;
    case DIM_NUM: units_print(d->unit, v->n, out); break;
    case DIM_ADDR: addr_print(&v->addr, out); break;
    default: break;
    }
}

static bool at_default(const struct dim *d, const struct value *v)
{
    if (d->type == DIM_ENUM || d->type == DIM_NUM)
        return v->present ? d->def >= 0 && v->n == (uint64_t)d->def : d->def < 0;
    if (d->type == DIM_ALL_BITS)
        return !v->bits;
    if (d->type == DIM_ARGV || d->type >= DIM_ARGS)
        return v->list.n == 0;
    return !v->present;
}

static void option(const struct dim *d, struct text *out)
{
    text_add(out, " --%s ", d->name);
}

static void list_print(const struct dim *d, const struct value *v, struct text *out)
{
    if (d->type == DIM_ALL_BITS) {
        for (unsigned i = 0; i < BITS_MAX; i++) {
            if (!bits_has(v->bits, i))
                continue;

            const char *name = strcmp(d->name, "caps") == 0 ? capability_name(i) : syscall_name(i);

            option(d, out);
            text_add(out, "%s", name ? name : "?");
        }
        return;
    }
    for (uint32_t i = 0; i < v->list.n; i++) {
        option(d, out);
        if (d->type != DIM_ARGS) {
            text_word(out, v->list.v[i], strlen(v->list.v[i]));
            continue;
        }

        struct text pair = TEXT_INIT;

        text_add(&pair, "%s=%s", v->list.v[i], i + 1 < v->list.n ? v->list.v[i + 1] : "");
        text_word(out, text_str(&pair), pair.len);
        text_fini(&pair);
        i++;
    }
}

void point_print(const struct request *r, struct text *out)
{
    const struct space *s = &spaces[r->space];
    int argv = -1;

    text_add(out, "%s", s->name);
    for (uint32_t i = 0; i < s->n; i++) {
        const struct dim *d = &s->dims[i];

        if (d->type == DIM_ARGV) {
            argv = (int)i;
            continue;
        }
        if (at_default(d, &r->v[i]))
            continue;
        if (d->type >= DIM_ARGS) {
            list_print(d, &r->v[i], out);
            continue;
        }
        option(d, out);
        if (d->type == DIM_NUM)
            number_print(r, i, out);
        else
            value_print(d, &r->v[i], out);
    }
    if (argv >= 0 && r->v[argv].list.n) {
        text_add(out, " --");
        for (uint32_t i = 0; i < r->v[argv].list.n; i++) {
            text_add(out, " ");
            text_word(out, r->v[argv].list.v[i], strlen(r->v[argv].list.v[i]));
        }
    }
}

void point_json(const struct request *r, struct text *out)
{
    struct text line = TEXT_INIT;

    point_print(r, &line);
    text_add(out, "{\"kind\":\"%s\",\"request\":", spaces[r->space].name);
    text_json(out, text_str(&line));
    text_add(out, "}");
    text_fini(&line);
}
