/* lint_accept.c - findings that somebody looked at and took: RULE SUBJECT reason, one a line. */
#include "policies/lint.h"

#include <string.h>

#define ACCEPT_BYTES_MAX 65536u
#define REASON_MIN       8u /* a word is no reason */

static const char *word(const char **at)
{
    const char *s = *at + strspn(*at, " ");

    *at = s + strcspn(s, " ");
    return s;
}

/* NULL, or what is wrong with the line. */
static const char *take(struct acceptances *a, const char *line, uint32_t number)
{
    const char *at = line, *id = word(&at);
    size_t id_len = (size_t)(at - id);
    const char *subject = word(&at);
    size_t subject_len = (size_t)(at - subject);
    const char *reason = at + strspn(at, " ");
    struct acceptance x = { .line = number };

    x.rule = lint_rule_find(arena_copy(&a->arena, id, id_len));
    if (!x.rule)
        return "no such rule (carrel policy lint --rules)";
    if (!subject_len || strlen(reason) < REASON_MIN)
        return "wanted: RULE SUBJECT and the reason, of at least 8 bytes";
    for (const char *p = line; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return "a control byte";
    x.subject = arena_copy(&a->arena, subject, subject_len);
    x.reason = arena_copy(&a->arena, reason, strlen(reason));
    *(struct acceptance *)arena_push(&a->arena, (void **)&a->v, a->n, sizeof(*a->v)) = x;
    a->n++;
    return NULL;
}

bool acceptances_parse(struct acceptances *a, const char *text, size_t len, const char *file,
                       struct problems *ps)
{
    uint32_t number = 0;
    bool ok = true;

    *a = (struct acceptances){ .v = NULL };
    a->file = arena_copy(&a->arena, file, strlen(file));
    if (len > ACCEPT_BYTES_MAX || memchr(text, 0, len)) {
        problem_add(ps, PROBLEM_ERROR, "accept", file, 1, 1,
                    "not a list of accepted findings (text of at most 64 KiB)");
        return false;
    }
    for (size_t i = 0; i < len;) {
        const char *end = memchr(text + i, '\n', len - i);
        size_t n = end ? (size_t)(end - text) - i : len - i;
        const char *line = arena_copy(&a->arena, text + i, n), *why = NULL;

        number++;
        if (line[strspn(line, " ")] != '\0' && line[0] != '#')
            why = take(a, line, number);
        if (why)
            problem_add(ps, PROBLEM_ERROR, "accept", file, number, 1, "%s", why);
        ok = ok && !why;
        i += n + 1;
    }
    return ok;
}

void findings_accept(struct findings *f, struct acceptances *a)
{
    for (uint32_t i = 0; i < f->n; i++) {
        struct finding *x = &f->v[i];

        for (uint32_t k = 0; k < a->n && !x->accepted; k++) {
            if (a->v[k].rule != x->rule || strcmp(a->v[k].subject, x->subject) != 0)
                continue;
            a->v[k].used = true;
            x->accepted = arena_copy(&f->arena, a->v[k].reason, strlen(a->v[k].reason));
            f->counts[x->severity]--;
            f->accepted++;
        }
    }
}

void acceptances_fini(struct acceptances *a)
{
    arena_fini(&a->arena);
    *a = (struct acceptances){ .v = NULL };
}
