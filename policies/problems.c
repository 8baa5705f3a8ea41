#include "policies/problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void problem_add(struct problems *ps, enum severity severity, const char *rule, const char *file,
                 uint32_t line, uint32_t col, const char *fmt, ...)
{
    if (!ps)
        return;
    if (severity == PROBLEM_ERROR)
        ps->errors++;
    else
        ps->warnings++;
    if (ps->n >= PROBLEMS_MAX)
        return;

    char buf[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(buf, sizeof(buf), fmt, ap);
    va_end(ap);

    struct problem *p = arena_push(&ps->arena, (void **)&ps->v, ps->n, sizeof(*ps->v));

    *p = (struct problem){ severity, rule, arena_copy(&ps->arena, file, strlen(file)),
                           line,     col,  arena_copy(&ps->arena, buf, strlen(buf)) };
    ps->n++;
}

static const char *severity_name(enum severity s)
{
    return s == PROBLEM_ERROR ? "error" : "warning";
}

void problems_print(const struct problems *ps, struct text *out)
{
    for (uint32_t i = 0; i < ps->n; i++) {
        const struct problem *p = &ps->v[i];

        text_add(out, "%s:%u:%u: %s: %s\n", p->file, p->line, p->col, severity_name(p->severity),
                 p->text);
    }
    if (ps->errors + ps->warnings > ps->n)
        text_add(out, "… and %u more\n", ps->errors + ps->warnings - ps->n);
}

void problems_json(const struct problems *ps, struct text *out)
{
    text_add(out, "{\"errors\":%u,\"problems\":[", ps->errors);
    for (uint32_t i = 0; i < ps->n; i++) {
        const struct problem *p = &ps->v[i];

        text_add(out, "%s{\"column\":%u,\"file\":", i ? "," : "", p->col);
        text_json(out, p->file);
        text_add(out, ",\"line\":%u,\"message\":", p->line);
        text_json(out, p->text);
        text_add(out, ",\"rule\":\"%s\",\"severity\":\"%s\"}", p->rule, severity_name(p->severity));
    }
    text_add(out, "],\"warnings\":%u}", ps->warnings);
}

void problems_fini(struct problems *ps)
{
    arena_fini(&ps->arena);
    *ps = PROBLEMS_INIT;
}

/* Optimal string alignment distance (a swap of neighbours counts one), for short words. */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[3][34];
    size_t na = strlen(a), nb = strlen(b);

    if (na > 32 || nb > 32)
        return 99;
    for (size_t j = 0; j <= nb; j++)
        row[0][j] = (unsigned)j;
    for (size_t i = 1; i <= na; i++) {
        unsigned *cur = row[i % 3], *one = row[(i + 2) % 3], *two = row[(i + 1) % 3];

        cur[0] = (unsigned)i;
        for (size_t j = 1; j <= nb; j++) {
            unsigned d = one[j - 1] + (a[i - 1] != b[j - 1]);

            if (one[j] + 1 < d)
                d = one[j] + 1;
            if (cur[j - 1] + 1 < d)
                d = cur[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                two[j - 2] + 1 < d)
                d = two[j - 2] + 1;
            cur[j] = d;
        }
    }
    return row[na % 3][nb];
}

const char *did_you_mean(const char *word, const char *const *known, size_t n)
{
    const char *best = NULL;
    unsigned least = 3;

    for (size_t i = 0; i < n; i++) {
        unsigned d = distance(word, known[i]);

        if (d < least && (size_t)d * 2 < strlen(known[i]) + 1) {
            least = d;
            best = known[i];
        }
    }
    return best;
}
