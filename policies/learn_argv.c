/*
 * learn_argv.c - argument lists become patterns. Lists of one shape (the same flags at the same
 * places, words between them) become one pattern; a place with one word keeps it, with a few has
 * them all, with more any word as long as the longest seen.
 */
#include "policies/learner.h"
#include "policies/load.h"

#include <string.h>

static bool is_flag(const char *s)
{
    return s[0] == '-' && s[1] != '\0';
}

/* "--cov=src" is the flag "--cov=". */
static size_t flag_len(const char *s)
{
    size_t n = strcspn(s, "=");

    return n + (s[n] == '=');
}

/* Flags in order; words between them are one mark, however many they are. */
static const char *shape_of(struct arena *a, const struct args *list)
{
    struct text t = TEXT_INIT;
    bool in_run = false;
    const char *shape;

    for (uint32_t i = 0; i < list->n; i++) {
        if (is_flag(list->v[i])) {
            text_bytes(&t, list->v[i], flag_len(list->v[i]));
            text_bytes(&t, "\n", 1);
        } else if (!in_run) {
            text_bytes(&t, "\r", 1);
        }
        in_run = !is_flag(list->v[i]);
    }
    shape = arena_copy(a, text_str(&t), t.len);
    text_fini(&t);
    return shape;
}

struct place {
    struct texts words;
    uint32_t longest;
};

static void place_add(struct arena *a, struct place *p, const char *s)
{
    uint32_t len = (uint32_t)strlen(s);

    texts_add(a, &p->words, s);
    p->longest = len > p->longest ? len : p->longest;
}

static void any(uint32_t lo, uint32_t hi, uint32_t longest, struct text *out)
{
    text_add(out, "{\"any\":{\"count\":\"%u..%u\",\"max\":%u}}", lo, hi, longest ? longest : 1);
}

/* One argument: the word, the words, or any that begins so and is as long as the longest. */
static void place_write(const struct place *p, struct text *out)
{
    char front[ARG_BYTES_MAX + 1];
    size_t n = p->words.n ? flag_len(p->words.v[0]) : 0;

    if (p->words.n == 1) {
        text_json(out, p->words.v[0]);
    } else if (p->words.n <= LEARN_WORDS_MAX) {
        text_add(out, "{\"enum\":");
        learner_list(&p->words, out);
        text_add(out, "}");
    } else if (is_flag(p->words.v[0]) && n < sizeof(front)) {
        memcpy(front, p->words.v[0], n);
        front[n] = '\0';
        text_add(out, "{\"prefix\":");
        text_json(out, front);
        text_add(out, ",\"max\":%u}", p->longest);
    } else {
        any(1, 1, p->longest, out);
    }
}

/* Words up to the next flag. */
static uint32_t run_len(const struct args *list, uint32_t from)
{
    uint32_t n = 0;

    while (from + n < list->n && !is_flag(list->v[from + n]))
        n++;
    return n;
}

/* Lists of one shape, side by side: at[] says how far each has been read. */
static void run_write(struct arena *a, const struct args *const *lists, uint32_t n, uint32_t *at,
                      struct text *out)
{
    uint32_t lo = UINT32_MAX, hi = 0;
    struct place all = { .longest = 0 };

    for (uint32_t i = 0; i < n; i++) {
        uint32_t len = run_len(lists[i], at[i]);

        lo = len < lo ? len : lo;
        hi = len > hi ? len : hi;
        for (uint32_t k = 0; k < len; k++)
            place_add(a, &all, lists[i]->v[at[i] + k]);
    }
    for (uint32_t k = 0; k < hi && lo == hi; k++) {
        struct place p = { .longest = 0 };

        for (uint32_t i = 0; i < n; i++)
            place_add(a, &p, lists[i]->v[at[i] + k]);
        place_write(&p, out);
        text_add(out, ",");
    }
    if (lo != hi) {
        any(lo, hi, all.longest, out);
        text_add(out, ",");
    }
    for (uint32_t i = 0; i < n; i++)
        at[i] += run_len(lists[i], at[i]);
}

static void pattern_write(struct arena *a, const struct args *const *lists, uint32_t n,
                          struct text *out)
{
    uint32_t *at = arena_get(a, n * sizeof(*at));

    text_add(out, "{\"allow\":[");
    while (at[0] < lists[0]->n) {
        struct place p = { .longest = 0 };

        if (!is_flag(lists[0]->v[at[0]])) {
            run_write(a, lists, n, at, out);
            continue;
        }
        for (uint32_t i = 0; i < n; i++)
            place_add(a, &p, lists[i]->v[at[i]++]);
        place_write(&p, out);
        text_add(out, ",");
    }
    text_add(out, "]},");
}

static bool same_list(const struct args *a, const struct args *b)
{
    bool same = a->n == b->n;

    for (uint32_t i = 0; same && i < a->n; i++)
        same = strcmp(a->v[i], b->v[i]) == 0;
    return same;
}

void learner_argv(struct arena *a, const struct args *const *lists, uint32_t n,
                  enum freedom freedom, struct text *out)
{
    const char **shapes = arena_get(a, (n + 1) * sizeof(*shapes));
    const struct args **group = arena_get(a, (n + 1) * sizeof(void *));
    bool *done = arena_get(a, n + 1);

    for (uint32_t i = 0; i < n; i++)
        shapes[i] = shape_of(a, lists[i]);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t members = 0;

        if (done[i])
            continue;
        for (uint32_t k = i; k < n; k++) {
            bool same = freedom == FREEDOM_GENERAL ? strcmp(shapes[i], shapes[k]) == 0
                                                   : same_list(lists[i], lists[k]);

            if (done[k] || !same)
                continue;
            done[k] = true;
            group[members++] = lists[k];
        }
        pattern_write(a, group, members, out);
    }
}
