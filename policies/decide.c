#include "policies/decide.h"

#include "policies/words.h"

#include <limits.h>
#include <string.h>

#define SEGMENTS_MAX 127u /* of a path: each is one look-up */
#define LIST_MAX     4096u

static const char *text_wrong(const struct dim *d, const char *s, size_t len)
{
    if (d->type == DIM_HOST)
        return host_is_canonical(s, len) ? NULL : "not a canonical host name";
    if (d->type == DIM_GLOB || d->type == DIM_ALL_GLOB) {
        uint32_t segments = 0;

        if (!glob_value_ok(d->glob, s, len))
            return d->glob == GLOB_NAME ? "not a printable name" : "not a canonical path";
        for (size_t i = 0; i < len && d->glob == GLOB_PATH; i++)
            segments += s[i] == '/';
        return segments > SEGMENTS_MAX ? "a path deeper than 127" : NULL;
    }
    return NULL;
}

static const char *value_wrong(const struct dim *d, const struct value *v)
{
    if (!v->present)
        return NULL;
    switch (d->type) {
    case DIM_HOST:
    case DIM_GLOB: return text_wrong(d, v->s, v->len);
    case DIM_NUM: return v->n <= NUMBER_MAX ? NULL : "a number beyond 2^53-1";
    case DIM_ENUM: return v->n < words_count(d->words) ? NULL : "an unknown word";
    case DIM_ADDR:
        return v->addr.family == 4   ? (v->addr.hi || v->addr.lo >> 32 ? "not an address" : NULL)
               : v->addr.family == 6 ? NULL
                                     : "not an address";
    case DIM_ARGV: return v->list.n > ARGV_MAX ? "more than 1024 arguments" : NULL;
    case DIM_ARGS:
        if (v->list.n > LIST_MAX || v->list.n % 2)
            return "too many arguments";
        /* Whoever acts on the call might take the other one. */
        for (uint32_t i = 0; i < v->list.n; i += 2)
            for (uint32_t k = 0; k < i; k += 2)
                if (strcmp(v->list.v[i], v->list.v[k]) == 0)
                    return "an argument that is there twice";
        return NULL;
    case DIM_ALL_GLOB:
    case DIM_ALL_WORD:
        if (v->list.n > LIST_MAX)
            return "too long a list";
        for (uint32_t i = 0; i < v->list.n && d->type == DIM_ALL_GLOB; i++) {
            const char *why = text_wrong(d, v->list.v[i], strlen(v->list.v[i]));

            if (why)
                return why;
        }
        return NULL;
    default: return NULL;
    }
}

static const char *request_wrong(const struct request *r)
{
    for (uint32_t i = 0; i < spaces[r->space].n; i++) {
        const char *why = value_wrong(&spaces[r->space].dims[i], &r->v[i]);

        if (why)
            return why;
    }
    return NULL;
}

/* The number of the first dimension in which the clause does not have the point, or -1. */
static int first_outside(const struct clause *c, const struct request *r, uint32_t dims)
{
    for (uint32_t i = 0; i < dims; i++)
        if (c->cell[i] && !cell_has(c->cell[i], &r->v[i]))
            return (int)i;
    return -1;
}

struct search {
    const struct clause *allow, *near;
    int failed;
};

/* True when a deny clause has the point; s->allow is then that clause. */
static bool search(const struct clauses *cs, const struct request *r, struct search *s)
{
    struct run runs[RUNS_MAX];
    uint32_t n = index_find(cs, r, runs), dims = spaces[r->space].n;

    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t k = 0; k < runs[i].n; k++) {
            const struct clause *c = &cs->v[runs[i].v[k]];
            int failed;

            if (!c->deny && s->allow && s->allow <= c)
                continue;
            failed = first_outside(c, r, dims);
            if (failed < 0 && c->deny) {
                s->allow = c;
                return true;
            }
            if (failed < 0) {
                s->allow = c;
            } else if (!c->deny && (failed > s->failed || (failed == s->failed && c < s->near))) {
                s->near = c;
                s->failed = failed;
            }
        }
    }
    return false;
}

static struct decision denied(enum reason reason, const char *why)
{
    return (struct decision){ .reason = reason, .failed = -1, .why = why, .grade = 'H' };
}

static bool is_approval(const struct request *r, int dim)
{
    return r->space == SPACE_HOST && dim == HOST_APPROVAL;
}

struct decision decide(const struct ruleset *rs, const struct request *r)
{
    const char *why = r->space < SPACES ? request_wrong(r) : "an unknown kind of request";

    if (why)
        return denied(REASON_MALFORMED, why);

    struct search s = { NULL, NULL, -1 };
    struct decision d = denied(REASON_DEFAULT, NULL);

    if (search(&rs->space[r->space], r, &s)) {
        d.reason = REASON_DENIED;
        d.rule = &rs->rules[s.allow->rule];
        d.grade = d.rule->grade;
    } else if (s.allow) {
        d.allowed = true;
        d.reason = REASON_ALLOWED;
        d.rule = &rs->rules[s.allow->rule];
        d.grade = d.rule->grade;
    } else {
        if (!s.near && rs->space[r->space].n == 1 && !rs->space[r->space].v[0].deny) {
            s.near = rs->space[r->space].v; /* the only rule there is */
            s.failed = first_outside(s.near, r, spaces[r->space].n);
        }
        d.rule = s.near ? &rs->rules[s.near->rule] : NULL;
        d.failed = s.near ? s.failed : -1;
        if (d.rule)
            d.grade = d.rule->grade;
        d.needs_approval = is_approval(r, d.failed);
        if (r->space == SPACE_DIAL && d.failed == DIAL_ADDR) {
            d.why = addr_never(&r->v[DIAL_ADDR].addr);
            d.reason = d.why ? REASON_ADDRESS : REASON_DEFAULT;
        }
    }
    return d;
}

/* Does the glob have the same paths below both directories? */
static bool same_below(const struct glob *g, const char *from, const char *to)
{
    uint64_t a[GLOB_REACH_WORDS], b[GLOB_REACH_WORDS];

    glob_reach(g, from, strlen(from), a);
    glob_reach(g, to, strlen(to), b);
    return memcmp(a, b, sizeof(a)) == 0;
}

/*
 * A tree that moves into a denial would carry what may not be written there (a hooks directory
 * below a new .git); one that moves out of it would bare what it protected. Either way the place
 * matters.
 */
static const struct clause *moved_under_denial(const struct clauses *cs, const char *from,
                                               const char *to)
{
    for (uint32_t i = 0; i < cs->n; i++) {
        const struct clause *c = &cs->v[i];
        const struct globs *g =
            c->deny && c->cell[FILE_PATH] ? &c->cell[FILE_PATH]->globs.pos : NULL;

        for (uint32_t k = 0; g && k < g->n; k++)
            if (!same_below(&g->v[k], from, to))
                return c;
    }
    return NULL;
}

/* Can the glob match something strictly below the directory? */
static bool reaches_below(const struct glob *g, const char *path, size_t len)
{
    uint64_t all[GLOB_REACH_WORDS], items[GLOB_REACH_WORDS], any = 0;

    glob_reach(g, path, len, all);
    if (len > 1) { /* the root ends with its slash already */
        memcpy(items, all, sizeof(items));
        glob_step(g, items, '/', all);
    }
    for (unsigned i = 0; i < GLOB_REACH_WORDS; i++)
        any |= all[i];
    return any != 0;
}

/* A denial that may match below the path, or a mount there that does not take the operation. */
static const struct clause *stops_below(const struct clauses *cs, const struct request *r)
{
    const struct value *path = &r->v[FILE_PATH];

    for (uint32_t i = 0; i < cs->n; i++) {
        const struct clause *c = &cs->v[i];
        bool has_op = !c->cell[FILE_OP] || cell_has(c->cell[FILE_OP], &r->v[FILE_OP]);
        const struct globs *g = c->cell[FILE_PATH] ? &c->cell[FILE_PATH]->globs.pos : NULL;

        for (uint32_t k = 0; g && has_op == c->deny && k < g->n; k++)
            if (reaches_below(&g->v[k], path->s, path->len) &&
                (c->deny || !glob_matches(&g->v[k], path->s, path->len)))
                return c;
    }
    return NULL;
}

struct decision decide_tree(const struct ruleset *rs, const struct request *r)
{
    struct decision d = decide(rs, r);
    const struct clause *c = d.allowed ? stops_below(&rs->space[SPACE_FILE], r) : NULL;

    if (c) {
        d = denied(REASON_DENIED, NULL);
        d.rule = &rs->rules[c->rule];
        d.grade = d.rule->grade;
    }
    return d;
}

/* The same directory with a name of which no rule speaks; false: it does not fit. */
static bool plain_sibling(const struct value *path, char *out, size_t room)
{
    static const char name[] = "/ no rule knows this name";
    const char *slash = path->s + path->len;

    while (slash > path->s && *slash != '/')
        slash--;

    size_t n = (size_t)(slash - path->s);

    if (n + sizeof(name) > room)
        return false;
    memcpy(out, path->s, n);
    memcpy(out + n, name, sizeof(name));
    return true;
}

struct decision decide_leaf(const struct ruleset *rs, const struct request *r)
{
    struct decision d = decide(rs, r);
    char other[PATH_MAX + 32];
    const struct clause *c;

    if (!d.allowed)
        return d;
    if (!plain_sibling(&r->v[FILE_PATH], other, sizeof(other)))
        return denied(REASON_MALFORMED, "a path that is too long");
    c = moved_under_denial(&rs->space[SPACE_FILE], other, r->v[FILE_PATH].s);
    if (c) {
        d = denied(REASON_DENIED, NULL);
        d.rule = &rs->rules[c->rule];
        d.grade = d.rule->grade;
    }
    return d;
}

struct decision decide_rename(const struct ruleset *rs, const char *from, const char *to,
                              bool is_dir, uint64_t bytes, uint64_t inodes)
{
    static const struct {
        bool to;
        uint64_t op;
    } steps[] = { { false, FILE_READ }, { false, FILE_DELETE }, { true, FILE_CREATE } };
    struct decision d = denied(REASON_MALFORMED, NULL);

    for (size_t i = 0; i < array_len(steps); i++) {
        struct request r;

        request_init(&r, SPACE_FILE);
        request_text(&r, FILE_PATH, steps[i].to ? to : from);
        request_number(&r, FILE_OP, steps[i].op);
        request_number(&r, FILE_BYTES, steps[i].to ? bytes : 0);
        request_number(&r, FILE_INODES, steps[i].to ? inodes : 0);
        d = decide(rs, &r);
        if (!d.allowed)
            return d;
    }

    const struct clause *c = is_dir ? moved_under_denial(&rs->space[SPACE_FILE], from, to) : NULL;

    if (c) {
        d = denied(REASON_DENIED, NULL);
        d.rule = &rs->rules[c->rule];
        d.grade = d.rule->grade;
    }
    return d;
}
