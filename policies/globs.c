#include "policies/globs.h"

#include <string.h>

static bool bytes_ok(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
            return false;
    return true;
}

static bool segments_ok(const char *s, size_t len, bool trailing)
{
    if (len == 0 || s[0] != '/' || len >= PATH_BYTES_MAX || !bytes_ok(s, len))
        return false;
    if (len == 1)
        return true;
    for (size_t i = 1, start = 1; i <= len; i++) {
        if (i < len && s[i] != '/')
            continue;

        size_t n = i - start;

        if (n == 0 && !(i == len && trailing))
            return false;
        if ((n == 1 && s[start] == '.') || (n == 2 && s[start] == '.' && s[start + 1] == '.'))
            return false;
        start = i + 1;
    }
    return true;
}

bool path_is_canonical(const char *s, size_t len)
{
    return segments_ok(s, len, false);
}

static bool env_name_ok(const char *s, size_t len)
{
    if (len == 0 || len > 255 || (s[0] >= '0' && s[0] <= '9'))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!((s[i] >= 'A' && s[i] <= 'Z') || (s[i] >= 'a' && s[i] <= 'z') ||
              (s[i] >= '0' && s[i] <= '9') || s[i] == '_'))
            return false;
    return true;
}

bool glob_value_ok(enum glob_kind kind, const char *s, size_t len)
{
    switch (kind) {
    case GLOB_PATH: return path_is_canonical(s, len);
    /* A backslash, an encoded byte or a query would let one path have two spellings. */
    case GLOB_HTTP: return segments_ok(s, len, true) && strcspn(s, "\\%?#") >= len;
    case GLOB_ENV: return env_name_ok(s, len);
    case GLOB_NAME: return len > 0 && len < PATH_BYTES_MAX && bytes_ok(s, len);
    }
    return false;
}

static bool at_segment_end(const char *s)
{
    return *s == '\0' || *s == '/';
}

static void compile(struct arena *a, enum glob_kind kind, const char *s, struct glob *g)
{
    bool names = kind == GLOB_NAME || kind == GLOB_ENV;
    uint16_t *items = arena_get(a, (strlen(s) * 3 / 2 + 2) * sizeof(*items));

    *g = (struct glob){ .text = s, .items = items, .kind = (uint8_t)kind, .literal = true };
    while (*s) {
        uint16_t item = (unsigned char)*s;

        if (strncmp(s, "/**", 3) == 0 && at_segment_end(s + 3)) {
            items[g->n++] = ITEM_TREE;
            g->literal = false;
            item = ITEM_ALL;
            s += 2;
        } else if (*s == '/' && s[1] == '*' && at_segment_end(s + 2) && !names) {
            /* A segment that is only a star is not empty. */
            items[g->n++] = '/';
            items[g->n++] = ITEM_ONE;
            item = ITEM_STAR;
            g->prefix = (uint16_t)(g->prefix + g->literal);
            s += 1;
        } else if (*s == '*') {
            item = names ? ITEM_ALL : ITEM_STAR;
        } else if (*s == '?') {
            item = names ? ITEM_BYTE : ITEM_ONE;
        }
        items[g->n++] = item;
        g->literal = g->literal && item < 256;
        if (g->literal)
            g->prefix = g->n;
        s++;
    }
}

void glob_tree(struct arena *a, enum glob_kind kind, const char *path, struct glob *g)
{
    compile(a, kind, arena_printf(a, "%s/**", strcmp(path, "/") == 0 ? "" : path), g);
}

void glob_literal(struct arena *a, enum glob_kind kind, const char *text, struct glob *g)
{
    size_t n = strlen(text);
    uint16_t *items = arena_get(a, (n + 1) * sizeof(*items));

    for (size_t i = 0; i < n; i++)
        items[i] = (unsigned char)text[i];
    *g = (struct glob){ .text = text,
                        .items = items,
                        .n = (uint16_t)n,
                        .prefix = (uint16_t)n,
                        .kind = (uint8_t)kind,
                        .literal = true };
}

/* ** only as a whole segment, first or last; single stars do not touch. */
static const char *check_stars(const char *s)
{
    for (const char *p = s; (p = strchr(p, '*'));) {
        size_t n = strspn(p, "*");

        if (n > 2)
            return "more than two * in a row";
        if (n == 2) {
            bool whole = (p == s || p[-1] == '/') && at_segment_end(p + 2);

            if (!whole)
                return "** must be a whole segment";
            if (p[2] && p != s && !(p == s + 1 && *s == '/'))
                return "** only as the first or the last segment";
        }
        p += n;
    }
    return NULL;
}

static const char *check_path(const char *s)
{
    if (!segments_ok(s, strlen(s), true)) {
        if (s[0] != '/')
            return "not an absolute path";
        if (strlen(s) >= PATH_BYTES_MAX || !bytes_ok(s, strlen(s)))
            return "too long, or with control bytes";
        return "an empty, \".\" or \"..\" segment";
    }
    return NULL;
}

const char *glob_parse(struct arena *a, enum glob_kind kind, const char *root, const char *text,
                       struct glob *g)
{
    const char *why = check_stars(text), *full;
    bool path = kind == GLOB_PATH || kind == GLOB_HTTP;

    if (!*text)
        return "empty";
    if (why)
        return why;
    if (root && text[0] == '/')
        return "an absolute path where one relative to the mount is meant";

    const char *const words[] = { root && strcmp(root, "/") != 0 ? root : "", root ? "/" : "",
                                  text };

    full = arena_join(a, words, array_len(words));
    if (strlen(full) > GLOB_TEXT_MAX)
        return "a pattern longer than 250 bytes";
    if (path) {
        size_t n = strlen(full);

        why = check_path(full);
        if (!why && kind == GLOB_PATH && n > 1 && full[n - 1] == '/')
            why = "a trailing slash";
    } else if (!bytes_ok(full, strlen(full))) {
        why = "control bytes";
    } else if (strstr(full, "**")) {
        why = "** has a meaning only in paths";
    } else if (kind == GLOB_ENV) {
        const char *bad = full + strspn(full, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                              "0123456789_*?");

        if (*bad || (*full >= '0' && *full <= '9'))
            why = "not the name of an environment variable";
    }
    if (why)
        return why;
    compile(a, kind, full, g);
    return NULL;
}

struct point_of_return {
    size_t item, at;
    bool set;
};

/*
 * Earliest match of what stands before a star is never worse than a later one, so it is enough to
 * go back to the last star of each of the two sorts: one inside a segment, one across segments.
 */
bool glob_matches(const struct glob *g, const char *s, size_t len)
{
    struct point_of_return star = { 0, 0, false }, tree = { 0, 0, false };
    size_t i = 0, at = 0;

    if (g->prefix > len)
        return false;
    for (; i < g->prefix; i++, at++)
        if (g->items[i] != (unsigned char)s[at])
            return false;
    if (i == g->n)
        return at == len;
    for (;;) {
        if (i == g->n && at == len)
            return true;

        uint16_t item = i < g->n ? g->items[i] : 0;

        if (i < g->n && item == ITEM_TREE && (at == len || s[at] == '/')) {
            if (i + 2 == g->n)
                return true;
            tree = (struct point_of_return){ i + 2, at, true };
            star.set = false;
            i += 2;
            continue;
        }
        if (i < g->n && (item == ITEM_STAR || item == ITEM_ALL)) {
            star = (struct point_of_return){ i + 1, at, true };
            i++;
            continue;
        }
        if (i < g->n && at < len &&
            (item == (unsigned char)s[at] || item == ITEM_BYTE ||
             (item == ITEM_ONE && s[at] != '/'))) {
            i++;
            at++;
            continue;
        }
        if (star.set && star.at < len &&
            (s[star.at] != '/' || g->items[star.item - 1] == ITEM_ALL)) {
            i = star.item;
            at = ++star.at;
            continue;
        }
        /* The tree takes one more whole segment: the rest begins at a later slash, or at the end.
         */
        if (!tree.set || tree.at >= len)
            return false;
        star.set = false;
        tree.at++;
        while (tree.at < len && s[tree.at] != '/')
            tree.at++;
        i = tree.item;
        at = tree.at;
    }
}

/* Stars may take nothing, and so may a tree: whatever follows them is reached as well. */
static void reach(const struct glob *g, uint64_t *set, uint16_t i)
{
    for (;;) {
        set[i / 64] |= 1ull << (i % 64);
        if (i >= g->n)
            return;
        if (g->items[i] == ITEM_TREE)
            i += 2;
        else if (g->items[i] == ITEM_STAR || g->items[i] == ITEM_ALL)
            i++;
        else
            return;
    }
}

void glob_start(const struct glob *g, uint64_t *out)
{
    memset(out, 0, GLOB_REACH_WORDS * sizeof(*out));
    reach(g, out, 0);
}

void glob_step(const struct glob *g, const uint64_t *from, unsigned char c, uint64_t *to)
{
    memset(to, 0, GLOB_REACH_WORDS * sizeof(*to));
    for (uint16_t i = 0; i < g->n; i++) {
        if (!(from[i / 64] >> (i % 64) & 1))
            continue;

        uint16_t item = g->items[i];

        if (item == c || item == ITEM_BYTE || (item == ITEM_ONE && c != '/') ||
            (item == ITEM_TREE && c == '/'))
            reach(g, to, (uint16_t)(i + 1));
        else if (item == ITEM_ALL || (item == ITEM_STAR && c != '/'))
            reach(g, to, i);
    }
}

void glob_reach(const struct glob *g, const char *s, size_t len, uint64_t *out)
{
    uint64_t other[GLOB_REACH_WORDS];

    glob_start(g, out);
    for (size_t i = 0; i < len; i++) {
        memcpy(other, out, sizeof(other));
        glob_step(g, other, (unsigned char)s[i], out);
    }
}

bool glob_is_tree(const struct glob *g)
{
    return g->n == g->prefix + 2 && g->items[g->prefix] == ITEM_TREE;
}
