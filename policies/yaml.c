#include "policies/yaml.h"

#include "policies/plain.h"

#include <string.h>
#include <yaml.h>

struct reader {
    struct arena *arena;
    const char *file;
    struct problems *ps;
    yaml_parser_t parser;
};

static void refuse(struct reader *r, yaml_mark_t at, const char *what)
{
    problem_add(r->ps, PROBLEM_ERROR, "syntax", r->file, (uint32_t)at.line + 1,
                (uint32_t)at.column + 1, "%s", what);
}

/* The length of the UTF-8 sequence at s, or 0 (RFC 3629: no surrogates, no overlong forms). */
static size_t utf8_len(const unsigned char *s, size_t left)
{
    if (s[0] < 0x80)
        return 1;

    size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;

    if (s[0] < 0xc2 || s[0] > 0xf4 || left < n)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return n;
}

static const char *bad_byte(const unsigned char *s, size_t left, size_t *n)
{
    *n = utf8_len(s, left);
    if (*n == 0)
        return "not UTF-8";
    if (*s == '\t')
        return "a tab (indent with spaces, write \\t inside double quotes)";
    if (*s == '\0')
        return "a NUL byte";
    if (*s == '\r' || (*s < 0x20 && *s != '\n') || *s == 0x7f)
        return "a control byte (lines end with one line feed)";
    if (*n == 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0)
        return "a byte order mark";
    if (*n == 2 && s[0] == 0xc2 && s[1] < 0xa0)
        return "a control character";
    /* Line and paragraph separators and the bidirectional controls hide what a reviewer reads. */
    if (*n == 3 && s[0] == 0xe2 &&
        ((s[1] == 0x80 && s[2] >= 0xa8 && s[2] <= 0xae) ||
         (s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9)))
        return "an invisible control character";
    return NULL;
}

static bool bytes_ok(struct reader *r, const char *text, size_t len)
{
    yaml_mark_t at = { 0, 0, 0 };
    size_t n;

    if (len > YAML_BYTES_MAX) {
        refuse(r, at, "the document is larger than 256 KiB");
        return false;
    }
    for (size_t i = 0; i < len; i += n) {
        const char *why = bad_byte((const unsigned char *)text + i, len - i, &n);

        if (why) {
            refuse(r, at, why);
            return false;
        }
        at.column++;
        if (text[i] == '\n') {
            at.line++;
            at.column = 0;
        }
    }
    return true;
}

static bool next_event(struct reader *r, yaml_event_t *ev)
{
    if (yaml_parser_parse(&r->parser, ev))
        return true;

    yaml_mark_t at = r->parser.problem_mark;

    refuse(r, at, r->parser.problem ? r->parser.problem : "not YAML");
    return false;
}

static const char *forbidden(const yaml_event_t *ev)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;

    switch (ev->type) {
    case YAML_ALIAS_EVENT: return "an alias (every value is written where it is used)";
    case YAML_SCALAR_EVENT:
        anchor = ev->data.scalar.anchor;
        tag = ev->data.scalar.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = ev->data.sequence_start.anchor;
        tag = ev->data.sequence_start.tag;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = ev->data.mapping_start.anchor;
        tag = ev->data.mapping_start.tag;
        break;
    default: break;
    }
    if (anchor)
        return "an anchor (every value is written where it is used)";
    if (tag)
        return "a tag (types come from the field, not from the document)";
    return NULL;
}

static struct node *node_new(struct reader *r, const yaml_event_t *ev)
{
    struct node *n = arena_get(r->arena, sizeof(*n));

    n->line = (uint32_t)ev->start_mark.line + 1;
    n->col = (uint32_t)ev->start_mark.column + 1;
    return n;
}

static struct node *scalar(struct reader *r, const yaml_event_t *ev)
{
    struct node *n = node_new(r, ev);
    size_t len = ev->data.scalar.length;

    if (memchr(ev->data.scalar.value, 0, len)) { /* "\0" in double quotes */
        refuse(r, ev->start_mark, "a NUL byte");
        return NULL;
    }
    n->kind = NODE_SCALAR;
    n->quoted = ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    n->text = arena_copy(r->arena, (const char *)ev->data.scalar.value, len);
    return n;
}

static bool key_is_word(const char *s)
{
    size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-");

    return n > 0 && n <= 64 && s[n] == '\0';
}

/* A duplicate is searched for along the siblings; sizes are bounded, so is the square of a map. */
#define MAP_KEYS_MAX 1024u

static bool take_key(struct reader *r, const struct node *map, struct node *key)
{
    const char *why = NULL;
    yaml_mark_t at = { 0, key->line - 1, key->col - 1 };

    if (strcmp(key->text, "<<") == 0)
        why = "a merge key (every value is written where it is used)";
    else if (!key_is_word(key->text))
        why = arena_printf(r->arena, "\"%.40s\" cannot be a key", key->text);
    else if (map->n >= MAP_KEYS_MAX)
        why = "more than 1024 keys in one map";
    for (const struct node *o = map->first; o && !why; o = o->next)
        if (strcmp(o->key, key->text) == 0)
            why = arena_printf(r->arena, "key \"%s\" is there twice (first at line %u)", key->text,
                               o->key_line);
    if (why)
        refuse(r, at, why);
    return !why;
}

static struct node *value(struct reader *r, yaml_event_t *ev, unsigned depth);

/* The children of a map or list up to its end event; at most 16 deep.
 * NOLINTNEXTLINE(misc-no-recursion) */
static struct node *children(struct reader *r, struct node *parent, unsigned depth)
{
    struct node **tail = &parent->first;

    for (;;) {
        struct node *key = NULL, *child = NULL;
        yaml_event_t ev;

        if (!next_event(r, &ev))
            return NULL;
        if (ev.type == YAML_MAPPING_END_EVENT || ev.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&ev);
            return parent;
        }
        child = value(r, &ev, depth + 1);
        yaml_event_delete(&ev);
        if (!child)
            return NULL;
        if (parent->kind == NODE_MAP) {
            key = child;
            if (key->kind != NODE_SCALAR) {
                refuse(r, (yaml_mark_t){ 0, key->line - 1, key->col - 1 }, "a key must be a word");
                return NULL;
            }
            if (!take_key(r, parent, key) || !next_event(r, &ev))
                return NULL;
            child = value(r, &ev, depth + 1);
            yaml_event_delete(&ev);
            if (!child)
                return NULL;
            child->key = key->text;
            child->key_line = key->line;
            child->key_col = key->col;
        }
        if (parent->n == YAML_LIST_MAX) {
            refuse(r, (yaml_mark_t){ 0, child->line - 1, child->col - 1 },
                   "more than 32768 entries in one list");
            return NULL;
        }
        *tail = child;
        tail = &child->next;
        parent->n++;
    }
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static struct node *value(struct reader *r, yaml_event_t *ev, unsigned depth)
{
    const char *why = forbidden(ev);

    if (!why && depth > YAML_DEPTH_MAX)
        why = "nested deeper than 16";
    if (why) {
        refuse(r, ev->start_mark, why);
        return NULL;
    }
    if (ev->type == YAML_SCALAR_EVENT)
        return scalar(r, ev);

    struct node *n = node_new(r, ev);

    n->kind = ev->type == YAML_MAPPING_START_EVENT ? NODE_MAP : NODE_LIST;
    return children(r, n, depth);
}

static bool expect(struct reader *r, yaml_event_type_t type, const char *why)
{
    yaml_event_t ev;

    if (!next_event(r, &ev))
        return false;

    bool ok = ev.type == type;

    if (ok && type == YAML_DOCUMENT_START_EVENT &&
        (ev.data.document_start.version_directive ||
         ev.data.document_start.tag_directives.start !=
             ev.data.document_start.tag_directives.end)) {
        ok = false;
        why = "a directive";
    }
    if (!ok)
        refuse(r, ev.start_mark, why);
    yaml_event_delete(&ev);
    return ok;
}

static const struct node *document(struct reader *r)
{
    if (!expect(r, YAML_STREAM_START_EVENT, "not YAML") ||
        !expect(r, YAML_DOCUMENT_START_EVENT, "the document is empty"))
        return NULL;

    yaml_event_t ev;

    if (!next_event(r, &ev))
        return NULL;

    const struct node *root = value(r, &ev, 0);

    yaml_event_delete(&ev);
    if (!root || !expect(r, YAML_DOCUMENT_END_EVENT, "not YAML") ||
        !expect(r, YAML_STREAM_END_EVENT, "a second document"))
        return NULL;
    return root;
}

const struct node *yaml_parse(struct arena *a, const char *text, size_t len, const char *file,
                              struct problems *ps)
{
    const struct node *root = plain_parse(a, text, len);

    return root ? root : yaml_parse_any(a, text, len, file, ps);
}

const struct node *yaml_parse_any(struct arena *a, const char *text, size_t len, const char *file,
                                  struct problems *ps)
{
    struct reader r = { .arena = a, .file = file, .ps = ps };

    if (!bytes_ok(&r, text, len))
        return NULL;
    if (!yaml_parser_initialize(&r.parser)) {
        refuse(&r, (yaml_mark_t){ 0, 0, 0 }, "out of memory");
        return NULL;
    }
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);

    const struct node *root = document(&r);

    yaml_parser_delete(&r.parser);
    return root;
}

const struct node *node_get(const struct node *map, const char *key)
{
    if (!map || map->kind != NODE_MAP)
        return NULL;
    for (const struct node *n = map->first; n; n = n->next)
        if (strcmp(n->key, key) == 0)
            return n;
    return NULL;
}
