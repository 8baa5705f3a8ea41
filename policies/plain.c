#include "policies/plain.h"

#include "policies/yaml.h"

#include <string.h>

#define DEPTH_MAX 12u /* below YAML_DEPTH_MAX: refusals are not made here */
#define KEYS_MAX  64u /* of one map */
#define KEY_MAX   64u

struct scan {
    struct arena *arena;
    const char *p, *end;
    const char *line; /* where the line of p begins */
    uint32_t number;  /* of that line, from 1 */
    unsigned depth;
};

enum { WORD = 1, FIRST = 2, KEY = 4 };

/* What a plain word is made of, may begin with, and what a key is made of. */
static uint8_t class_of(char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_')
        return WORD | FIRST | KEY;
    if (c == '.')
        return WORD | FIRST | KEY;
    if (c == '/')
        return WORD | FIRST;
    if (c == '-')
        return WORD | KEY;
    return c && strchr("+*@=%~", c) ? WORD : 0;
}

static uint32_t column(const struct scan *s)
{
    return (uint32_t)(s->p - s->line);
}

static bool at_end(const struct scan *s)
{
    return s->p == s->end;
}

static char peek(const struct scan *s)
{
    static const char line_end = '\n';

    return *(at_end(s) ? &line_end : s->p);
}

static void next_line(struct scan *s)
{
    s->p++;
    s->line = s->p;
    s->number++;
}

/* Over spaces, a comment, and the end of the line; empty lines too. False: something else. */
static bool skip_to_content(struct scan *s)
{
    while (!at_end(s)) {
        const char *from = s->p;

        while (!at_end(s) && *s->p == ' ')
            s->p++;
        if (!at_end(s) && *s->p == '#' && (s->p == s->line || s->p > from || s->p[-1] == ' '))
            while (!at_end(s) && *s->p != '\n')
                s->p++;
        if (at_end(s))
            return true;
        if (*s->p != '\n')
            return true;
        next_line(s);
    }
    return true;
}

/* What is left of a line is blank; then to the next content. */
static bool finish_line(struct scan *s)
{
    uint32_t number = s->number;

    return skip_to_content(s) && (at_end(s) || s->number > number);
}

static struct node *node_at(struct scan *s, enum node_kind kind)
{
    struct node *n = arena_get(s->arena, sizeof(*n));

    n->kind = kind;
    n->line = s->number;
    n->col = column(s) + 1;
    return n;
}

/* A word, or a quoted text on one line. */
struct word {
    const char *text; /* NULL: neither is here */
    uint32_t line, col;
    bool quoted;
};

static void word(struct scan *s, struct word *w)
{
    char quote = peek(s);
    const char *from = s->p;

    *w = (struct word){ NULL, s->number, column(s) + 1, false };
    if (quote == '"' || quote == '\'') {
        from = ++s->p;
        while (!at_end(s) && *s->p != quote && *s->p != '\n' && (quote != '"' || *s->p != '\\'))
            s->p++;
        if (peek(s) != quote)
            return;
        s->p++;
        w->quoted = true;
        if (peek(s) != quote)
            w->text = arena_copy(s->arena, from, (size_t)(s->p - 1 - from));
        return;
    }
    if (!(class_of(quote) & FIRST) || column(s) == 0)
        return;
    /* A colon inside a word is part of it when a letter or a slash follows. */
    while (!at_end(s) &&
           (class_of(*s->p) & WORD ||
            (*s->p == ':' && s->p + 1 < s->end && (class_of(s->p[1]) & FIRST) && s->p[1] != '.')))
        s->p++;
    w->text = arena_copy(s->arena, from, (size_t)(s->p - from));
}

static struct node *scalar(struct scan *s)
{
    struct node *n = node_at(s, NODE_SCALAR);
    struct word w;

    word(s, &w);
    n->quoted = w.quoted;
    n->text = w.text;
    return w.text ? n : NULL;
}

static bool add_child(struct node *parent, struct node ***tail, struct node *child)
{
    for (const struct node *o = parent->first; o && child->key; o = o->next)
        if (strcmp(o->key, child->key) == 0)
            return false;
    **tail = child;
    *tail = &child->next;
    parent->n++;
    return parent->n <= (child->key ? KEYS_MAX : YAML_LIST_MAX);
}

static void set_key(struct node *child, const char *key, uint32_t line, uint32_t col)
{
    child->key = key;
    child->key_line = line;
    child->key_col = col;
}

static bool is_key(const char *s)
{
    size_t n = 0;

    while (class_of(s[n]) & KEY)
        n++;
    return n && n <= KEY_MAX && !s[n];
}

static struct node *value(struct scan *s);

/* "key: value" in a flow map: a quoted key may have its value close behind the colon.
 * NOLINTNEXTLINE(misc-no-recursion): depth has a limit */
static struct node *flow_pair(struct scan *s)
{
    struct node *child;
    struct word key;

    word(s, &key);
    if (!key.text || !is_key(key.text) || peek(s) != ':')
        return NULL;
    s->p++;
    if (!key.quoted && peek(s) != ' ')
        return NULL;
    while (peek(s) == ' ' && !at_end(s))
        s->p++;
    child = value(s);
    if (child)
        set_key(child, key.text, key.line, key.col);
    return child;
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static struct node *flow(struct scan *s)
{
    bool map = peek(s) == '{';
    char close = map ? '}' : ']';
    struct node *n = node_at(s, map ? NODE_MAP : NODE_LIST), **tail = &n->first;

    s->p++;
    for (;;) {
        struct node *child;

        if (!skip_to_content(s) || at_end(s) || column(s) == 0)
            return NULL;
        if (peek(s) == close && !n->n)
            break;
        child = map ? flow_pair(s) : value(s);
        if (!child || !add_child(n, &tail, child) || !skip_to_content(s) || column(s) == 0)
            return NULL;
        if (peek(s) == close)
            break;
        if (peek(s) != ',')
            return NULL;
        s->p++;
        if (peek(s) != ' ' && peek(s) != '\n' && !(class_of(peek(s)) & FIRST) &&
            !strchr("\"'{[", peek(s)))
            return NULL;
    }
    s->p++;
    return n;
}

/* A flow collection or a scalar. NOLINTNEXTLINE(misc-no-recursion) */
static struct node *value(struct scan *s)
{
    struct node *n;

    if (s->depth >= DEPTH_MAX)
        return NULL;
    s->depth++;
    n = peek(s) == '{' || peek(s) == '[' ? flow(s) : scalar(s);
    s->depth--;
    return n;
}

/* Is "key:" here, with a space or the end of the line behind it? Then p is behind the colon. */
static const char *block_key(struct scan *s)
{
    const char *from = s->p;
    size_t n;

    while (!at_end(s) && class_of(*s->p) & KEY)
        s->p++;
    n = (size_t)(s->p - from);
    if (n && n <= KEY_MAX && class_of(*from) & FIRST && peek(s) == ':' && !at_end(s) &&
        (s->p + 1 == s->end || s->p[1] == ' ' || s->p[1] == '\n')) {
        s->p++;
        return arena_copy(s->arena, from, n);
    }
    s->p = from;
    return NULL;
}

static struct node *block(struct scan *s, uint32_t col);

/* What stands behind "key:" or "-": on this line, or as a block on the next ones.
 * NOLINTNEXTLINE(misc-no-recursion) */
static struct node *block_value(struct scan *s, uint32_t col, bool of_map)
{
    uint32_t number = s->number;
    struct node *n;

    if (!skip_to_content(s) || at_end(s))
        return NULL;
    if (s->number == number) {
        n = value(s);
        return n && finish_line(s) ? n : NULL;
    }
    /* A list may stand right below its key. */
    if (column(s) > col || (of_map && column(s) == col && peek(s) == '-'))
        return block(s, column(s));
    return NULL;
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static struct node *block_map(struct scan *s, uint32_t col)
{
    struct node *n = node_at(s, NODE_MAP), **tail = &n->first;

    while (!at_end(s) && column(s) == col && peek(s) != '-') {
        uint32_t line = s->number;
        const char *key = block_key(s);
        struct node *child = key ? block_value(s, col, true) : NULL;

        if (!child)
            return NULL;
        set_key(child, key, line, col + 1);
        if (!add_child(n, &tail, child))
            return NULL;
    }
    return at_end(s) || column(s) < col ? n : NULL;
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static struct node *block_list(struct scan *s, uint32_t col)
{
    struct node *n = node_at(s, NODE_LIST), **tail = &n->first;

    while (!at_end(s) && column(s) == col && peek(s) == '-') {
        const char *dash = s->p++, *line = s->line, *word;
        struct node *child;

        if (peek(s) != ' ' || at_end(s))
            return NULL;
        while (peek(s) == ' ' && !at_end(s))
            s->p++;
        word = s->p;
        if (peek(s) == '\n' || peek(s) == '#' || peek(s) == '-')
            return NULL;
        if (block_key(s)) {
            s->p = word;
            child = block(s, (uint32_t)(word - line));
        } else {
            child = block_value(s, (uint32_t)(dash - line), false);
        }
        if (!child || !add_child(n, &tail, child))
            return NULL;
    }
    return at_end(s) || column(s) <= col ? n : NULL;
}

/* A map or a list whose keys or dashes stand in this column. NOLINTNEXTLINE(misc-no-recursion) */
static struct node *block(struct scan *s, uint32_t col)
{
    struct node *n;

    if (s->depth >= DEPTH_MAX)
        return NULL;
    s->depth++;
    n = peek(s) == '-' ? block_list(s, col) : block_map(s, col);
    s->depth--;
    return n;
}

static bool is_ascii(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((text[i] < ' ' || text[i] > '~') && text[i] != '\n')
            return false;
    return true;
}

const struct node *plain_parse(struct arena *a, const char *text, size_t len)
{
    struct scan s = { .arena = a, .p = text, .end = text + len, .line = text, .number = 1 };
    struct node *root;

    if (!len || len > YAML_BYTES_MAX || !is_ascii(text, len) || !skip_to_content(&s) ||
        at_end(&s) || column(&s) != 0)
        return NULL;
    if (peek(&s) != '{') {
        root = class_of(peek(&s)) & FIRST ? block(&s, 0) : NULL;
    } else {
        root = value(&s);
        if (root && !finish_line(&s))
            root = NULL;
    }
    return root && at_end(&s) ? root : NULL;
}
