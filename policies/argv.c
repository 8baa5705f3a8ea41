#include "policies/argv.h"

#include "policies/cells.h"

#include <string.h>

/* The set of positions in the list that a prefix of the pattern can have reached: 0 … n. */
struct reach {
    uint64_t w[(ARGV_MAX + 64) / 64 + 1];
};

static bool has(const struct reach *r, uint32_t i)
{
    return r->w[i / 64] >> (i % 64) & 1;
}

static void put(struct reach *r, uint32_t i)
{
    r->w[i / 64] |= 1ull << (i % 64);
}

bool token_matches(const struct token *t, const char *arg, size_t len)
{
    if (t->kind != TOKEN_WORDS && len > t->max)
        return false;
    if (t->kind == TOKEN_ANY)
        return true;
    if (t->kind == TOKEN_PREFIX)
        return strncmp(arg, t->words.v[0], strlen(t->words.v[0])) == 0;
    return texts_have(&t->words, arg);
}

static bool arg_ok(const struct token *t, const struct args *args, uint32_t i)
{
    return token_matches(t, args->v[i], strlen(args->v[i]));
}

/* One step of the pattern: from the positions in *from to those in *to. */
static bool step(const struct token *t, const struct args *args, const struct reach *from,
                 struct reach *to)
{
    bool any = false;

    memset(to, 0, sizeof(to->w[0]) * (args->n / 64 + 1));
    for (uint32_t i = 0; i <= args->n; i++) {
        if (!has(from, i))
            continue;
        if (t->kind != TOKEN_ANY) {
            if (i < args->n && arg_ok(t, args, i)) {
                put(to, i + 1);
                any = true;
            }
            continue;
        }
        for (uint32_t k = 0; k <= t->hi && i + k <= args->n; k++) {
            if (k && !arg_ok(t, args, i + k - 1))
                break;
            if (k >= t->lo) {
                put(to, i + k);
                any = true;
            }
        }
    }
    return any;
}

static bool run(const struct argv_pattern *p, const struct args *args, bool anywhere)
{
    struct reach sets[2];

    if (args->n > ARGV_MAX)
        return false;
    memset(&sets[0], 0, sizeof(sets[0].w[0]) * (args->n / 64 + 1));
    for (uint32_t i = 0; i <= (anywhere ? args->n : 0); i++)
        put(&sets[0], i);
    for (uint32_t k = 0; k < p->n; k++)
        if (!step(&p->v[k], args, &sets[k % 2], &sets[(k + 1) % 2]))
            return false;
    return anywhere || has(&sets[p->n % 2], args->n);
}

bool argv_matches(const struct argv_pattern *p, const struct args *args)
{
    return run(p, args, false);
}

bool argv_contains(const struct argv_pattern *p, const struct args *args)
{
    return run(p, args, true);
}

uint32_t argv_states(const struct argv_pattern *p)
{
    uint32_t n = 1;

    for (uint32_t i = 0; i < p->n; i++)
        n += p->v[i].kind == TOKEN_ANY ? p->v[i].hi : 1;
    return n;
}
