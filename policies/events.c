#include "policies/events.h"

#include "policies/points.h"

#include <string.h>

#define CUT_MARK "\xe2\x80\xa6" /* U+2026: the audit log cuts long objects with it */

static void lose(struct events *e, uint64_t at, const char *text, const char *why)
{
    if (e->nlost < LOST_KEPT)
        e->lost[e->nlost] = (struct lost_event){
            at,
            arena_copy(&e->arena, text, strlen(text)),
            arena_copy(&e->arena, why, strlen(why)),
        };
    e->nlost++;
}

static uint64_t hash_event(const char *text, bool allowed)
{
    uint64_t h = 0xcbf29ce484222325ull + allowed;

    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 0x100000001b3ull;
    return h ^ h >> 29;
}

static uint32_t *slot_of(const struct events *e, const char *text, bool allowed)
{
    for (uint32_t i = (uint32_t)hash_event(text, allowed) & e->mask;; i = (i + 1) & e->mask) {
        const struct event *x = e->table[i] ? &e->v[e->table[i] - 1] : NULL;

        if (!x || (x->allowed == allowed && strcmp(x->text, text) == 0))
            return &e->table[i];
    }
}

/* At most half full. */
static void make_room(struct events *e)
{
    if (e->mask && e->n * 2 <= e->mask)
        return;
    e->mask = e->mask ? e->mask * 4 + 3 : 255;
    e->table = arena_get(&e->arena, (e->mask + 1) * sizeof(*e->table));
    for (uint32_t i = 0; i < e->n; i++)
        *slot_of(e, e->v[i].text, e->v[i].allowed) = i + 1;
}

static void add(struct events *e, uint64_t at, bool allowed, const char *rule, const char *text)
{
    struct arena tmp = ARENA_INIT;
    struct request r;
    size_t len = strlen(text), mark = strlen(CUT_MARK);
    bool cut = len >= mark && strcmp(text + len - mark, CUT_MARK) == 0;
    const char *why =
        cut ? "cut off: only its beginning was recorded" : point_parse_line(&tmp, text, &r);

    if (why) {
        lose(e, at, text, why);
    } else {
        uint32_t *slot;

        make_room(e);
        slot = slot_of(e, text, allowed);
        if (!*slot) {
            struct event *x = arena_push(&e->arena, (void **)&e->v, e->n, sizeof(*e->v));

            *x = (struct event){
                .at = at,
                .allowed = allowed,
                .text = arena_copy(&e->arena, text, len),
                .rule = rule && *rule ? arena_copy(&e->arena, rule, strlen(rule)) : NULL,
            };
            *slot = ++e->n;
        }
        e->v[*slot - 1].times++;
        e->requests++;
    }
    arena_fini(&tmp);
}

static bool is_space(const char *kind, size_t len)
{
    for (unsigned i = 0; i < SPACES; i++)
        if (strlen(spaces[i].name) == len && strncmp(spaces[i].name, kind, len) == 0)
            return true;
    return false;
}

void events_record(struct events *e, uint64_t at, const char *kind, bool answered, bool allowed,
                   const char *rule, const char *text)
{
    size_t len = strcspn(text, " ");

    if (!answered || !is_space(kind, strlen(kind)))
        e->others++;
    else if (strlen(kind) != len || strncmp(kind, text, len) != 0)
        lose(e, at, text, "the record's kind and its request differ");
    else
        add(e, at, allowed, rule, text);
}

static bool starts(const char *s, size_t len, const char *with)
{
    return len > strlen(with) && strncmp(s, with, strlen(with)) == 0;
}

static void line(struct events *e, uint64_t at, const char *s, size_t len)
{
    struct arena tmp = ARENA_INIT;
    const char *end;
    bool denied;

    if (memchr(s, '\0', len)) {
        lose(e, at, "", "a NUL byte");
        return;
    }
    while (len && (s[len - 1] == ' ' || s[len - 1] == '\r'))
        len--;
    end = s + len;
    denied = starts(s, len, "deny ");
    s += denied ? strlen("deny ") : starts(s, len, "allow ") ? strlen("allow ") : 0;
    len = (size_t)(end - s);
    if (len && *s != '#')
        add(e, at, !denied, NULL, arena_copy(&tmp, s, len));
    arena_fini(&tmp);
}

void events_text(struct events *e, const char *text, size_t len)
{
    uint64_t at = 1;

    for (size_t i = 0; i < len; at++) {
        const char *end = memchr(text + i, '\n', len - i);
        size_t n = end ? (size_t)(end - text) - i : len - i;

        line(e, at, text + i, n);
        i += n + 1;
    }
}

void events_fini(struct events *e)
{
    arena_fini(&e->arena);
    *e = (struct events){ .n = 0 };
}
