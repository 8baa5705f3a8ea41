/* grants.c - grants as text, and their chain: who, for what, until when. */
#include "policies/grants.h"

#include "policies/canon.h"
#include "policies/classes.h"
#include "policies/dates.h"
#include "policies/judge.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC "carrel policy grant"

static void grant_print(const struct grant *g, struct text *out)
{
    char from[DATE_TEXT], expires[DATE_TEXT], key[ED25519_KEY_TEXT];

    date_print(g->from, from);
    date_print(g->expires, expires);
    text_add(out, MAGIC " 1\nid %s\npolicy %s\nsha256 %s\n%s %s\nfrom %s\nexpires %s\n", g->id,
             g->policy, g->sha256, g->role ? "role" : "parent", g->role ? g->role : g->parent, from,
             expires);
    if (g->delegates) {
        ed25519_key_print(g->delegate, key);
        text_add(out, "delegate %s %" PRIu64 "\n", key, g->depth);
    }
    text_add(out, "widen %s\n", g->widen);
}

static bool is(struct arena *a, enum text_class class, const char *s)
{
    const char *canonical;

    return s && !class_check(a, class, s, &canonical);
}

/* "ed25519:KEY N" */
static bool read_delegate(char *s, struct grant *g)
{
    char *space = strchr(s, ' ');

    if (!space)
        return false;
    *space = '\0';
    g->delegates = true;
    return ed25519_key_parse(s, g->delegate) && note_number(space + 1, &g->depth) &&
           g->depth <= TRUST_DELEGATE_MAX;
}

static const char *read_lines(struct arena *a, struct grant *g)
{
    struct note_lines l = { g->note.text, g->note.text + g->note.len };
    const char *magic = note_line(&l, a, MAGIC), *from, *expires, *delegate;

    if (!magic || strcmp(magic, "1") != 0)
        return "wanted \"" MAGIC " 1\"";
    g->id = note_line(&l, a, "id");
    g->policy = note_line(&l, a, "policy");
    g->sha256 = note_line(&l, a, "sha256");
    g->role = note_line(&l, a, "role");
    g->parent = g->role ? NULL : note_line(&l, a, "parent");
    from = note_line(&l, a, "from");
    expires = note_line(&l, a, "expires");
    delegate = note_line(&l, a, "delegate");
    g->widen = note_line(&l, a, "widen");
    if (!is(a, TEXT_ID, g->id) || !is(a, TEXT_NAME, g->policy) || !is(a, TEXT_DIGEST, g->sha256) ||
        !(g->role ? is(a, TEXT_ID, g->role) : is(a, TEXT_DIGEST, g->parent)))
        return "wanted the lines id, policy, sha256 and role or parent, in this order";
    if (!from || !date_parse(from, &g->from) || !expires || !date_parse(expires, &g->expires))
        return "from, expires: wanted two moments such as 2026-11-23T15:02:06Z";
    if (g->from >= g->expires)
        return "expires before it begins";
    if (delegate && !read_delegate(arena_copy(a, delegate, strlen(delegate)), g))
        return "delegate: wanted a public key and a number from 1 to 6";
    return g->widen ? NULL : "widen: wanted what is granted";
}

/* The part of a policy that a grant holds. NULL after a problem. */
static struct policy *part_of(const struct grant *g, const char *file, uint16_t number,
                              struct problems *ps)
{
    struct policy *p = policy_parse_part(g->widen, strlen(g->widen), file, number, ps);

    if (p && grant_part_check(p, ps))
        return p;
    policy_free(p);
    return NULL;
}

static const char *grant_read(struct arena *a, struct grant *g, const char *file,
                              struct problems *ps)
{
    const char *why = read_lines(a, g);
    struct text again = TEXT_INIT, canonical = TEXT_INIT;
    struct policy *part;
    bool same;

    if (why)
        return why;
    grant_print(g, &again);
    same = again.len == g->note.len && memcmp(again.p, g->note.text, again.len) == 0;
    text_fini(&again);
    if (!same)
        return "more lines, or another spelling, than a grant has";
    part = part_of(g, file, 0, ps);
    if (!part)
        return "widen: not one rule or number";
    object_canonical(&policy_table, part, &canonical);
    same = strcmp(text_str(&canonical), g->widen) == 0;
    text_fini(&canonical);
    policy_free(part);
    return same ? NULL : "widen: not in canonical form";
}

struct grants *grants_new(const char *file)
{
    struct grants *g = calloc(1, sizeof(*g));

    if (!g)
        abort();
    g->file = arena_copy(&g->arena, file, strlen(file));
    return g;
}

static struct grant *push(struct grants *g)
{
    struct grant *link = arena_push(&g->arena, (void **)&g->v, g->n, sizeof(*g->v));

    g->n++;
    return link;
}

struct grants *grants_parse(const char *text, size_t len, const char *file, struct problems *ps)
{
    struct grants *g = grants_new(file);
    const char *why = len > GRANT_BYTES_MAX ? "longer than 256 KiB" : len ? NULL : "empty";
    const char *at = arena_copy(&g->arena, text, why ? 0 : len), *start = at;
    const char *end = at + (why ? 0 : len);
    uint32_t line = 1;

    while (!why && at < end) {
        struct grant link = { .id = NULL };

        line = 1;
        for (const char *p = start; p < at; p++)
            line += *p == '\n';
        why = g->n == GRANT_LINKS_MAX ? "more than 7 links" : note_parse(&at, end, &link.note);
        if (!why)
            why = grant_read(&g->arena, &link, g->file, ps);
        if (!why)
            *push(g) = link;
    }
    if (!why)
        return g;
    problem_add(ps, PROBLEM_ERROR, "grant", file, line, 1, "not a grant: %s", why);
    grants_free(g);
    return NULL;
}

void grants_print(const struct grants *g, struct text *out)
{
    for (uint32_t i = 0; i < g->n; i++)
        note_print(&g->v[i].note, out);
}

void grants_free(struct grants *g)
{
    if (!g)
        return;
    arena_fini(&g->arena);
    free(g);
}

void grant_hash(const struct grant *g, char out[SHA256_HEX])
{
    sha256_hex(g->note.text, g->note.len, out);
}

bool grants_add(struct grants *g, const struct grant *link,
                const uint8_t private_key[ED25519_KEY_BYTES], struct problems *ps)
{
    struct policy *part = policy_parse_part(link->widen, strlen(link->widen), "widen", 0, ps);
    struct grant mine = *link;
    struct text t = TEXT_INIT;
    char hash[SHA256_HEX];
    const char *why = NULL;

    if (!part)
        return false;
    object_canonical(&policy_table, part, &t);
    policy_free(part);
    mine.widen = arena_copy(&g->arena, text_str(&t), t.len);
    text_fini(&t);
    if (g->n) {
        grant_hash(&g->v[g->n - 1], hash);
        mine.role = NULL;
        mine.parent = arena_copy(&g->arena, hash, strlen(hash));
    }
    grant_print(&mine, &t);
    mine.note = (struct note){ .text = arena_copy(&g->arena, text_str(&t), t.len), .len = t.len };
    text_fini(&t);
    if (g->n == GRANT_LINKS_MAX)
        why = "more than 7 links";
    else if (mine.note.len > NOTE_BYTES_MAX)
        why = "longer than 64 KiB";
    else
        why = grant_read(&g->arena, &mine, g->file, ps);
    if (why || !note_sign(&mine.note, private_key)) {
        problem_add(ps, PROBLEM_ERROR, "grant", g->file, 1, 1, "cannot grant this: %s",
                    why ? why : "too many signatures");
        return false;
    }
    *push(g) = mine;
    return true;
}

const char *grants_cosign(struct grants *g, const uint8_t private_key[ED25519_KEY_BYTES])
{
    return note_sign(&g->v[g->n - 1].note, private_key) ? NULL : "16 keys have signed this";
}

struct chain {
    const struct grants *g;
    const struct trust *t;
    int64_t now;
    struct problems *ps;
};

static bool refuse(const struct chain *c, const struct grant *g, const char *fmt, ...)
    printf_like(3, 4);

static bool refuse(const struct chain *c, const struct grant *g, const char *fmt, ...)
{
    char buf[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(buf, sizeof(buf), fmt, ap);
    va_end(ap);
    problem_add(c->ps, PROBLEM_ERROR, "grant", c->g->file, 1, 1, "grant %s: %s", g->id, buf);
    return false;
}

/* The first link: as many keys of its role as that needs. */
static bool signed_by_role(const struct chain *c, const struct grant *g)
{
    const struct trust_role *r = trust_role(c->t, g->role);
    struct text why = TEXT_INIT;
    uint64_t have = 0;
    bool ok = true;

    if (!r)
        return refuse(c, g, "no role \"%s\" in %s", g->role, c->t->file);
    if (!r->may_grant.o.has)
        return refuse(c, g, "role %s may grant nothing", r->id);
    for (uint32_t i = 0; i < g->note.n; i++) {
        enum signature_state s =
            signature_judge(c->t, g->role, g->from, g->expires, &g->note, i, c->now);
        const char *id = trust_key_id(c->t, g->note.v[i].key);

        have += s == SIGNATURE_COUNTS;
        if (s != SIGNATURE_COUNTS)
            text_add(&why, "; %s: %s", id ? id : "?", signature_words[s]);
    }
    if (have < r->threshold)
        ok = refuse(c, g, "needs %" PRIu64 " signature%s of role %s and has %" PRIu64 "%s",
                    r->threshold, r->threshold == 1 ? "" : "s", r->id, have, text_str(&why));
    else if (g->delegates && g->depth > r->delegate)
        ok = refuse(c, g, "role %s lets its grants be handed on %" PRIu64 " times, not %" PRIu64,
                    r->id, r->delegate, g->depth);
    text_fini(&why);
    return ok;
}

/* A further link: the key that the one before names, and inside its time. */
static bool signed_by_delegate(const struct chain *c, const struct grant *g,
                               const struct grant *above)
{
    char hash[SHA256_HEX];

    grant_hash(above, hash);
    if (!g->parent || strcmp(g->parent, hash) != 0)
        return refuse(c, g, "does not follow grant %s", above->id);
    if (!above->delegates)
        return refuse(c, g, "grant %s is not to be handed on", above->id);
    if (g->delegates && g->depth >= above->depth)
        return refuse(c, g, "can be handed on as often as grant %s", above->id);
    if (g->note.n != 1 || memcmp(g->note.v[0].key, above->delegate, sizeof(above->delegate)) != 0 ||
        !note_verify(&g->note, 0))
        return refuse(c, g, "not signed by the key that grant %s names", above->id);
    if (trust_key_revoked(c->t, above->delegate))
        return refuse(c, g, "its key is revoked");
    if (g->from < above->from || g->expires > above->expires)
        return refuse(c, g, "lasts longer than grant %s", above->id);
    if (c->now < g->from || c->now >= g->expires)
        return refuse(c, g, "%s", c->now < g->from ? "not yet valid" : "expired");
    return true;
}

static bool link_check(const struct chain *c, uint32_t i, const char *name, const char *sha256)
{
    const struct grant *g = &c->g->v[i];
    char hash[SHA256_HEX];

    grant_hash(g, hash);
    if (trust_document_revoked(c->t, hash))
        return refuse(c, g, "revoked (sha256 %s)", hash);
    if (strcmp(g->policy, name) != 0 || strcmp(g->sha256, sha256) != 0)
        return refuse(c, g, "made for %s sha256 %s, not for this policy", g->policy, g->sha256);
    if (!g->role == !i)
        return refuse(c, g, "%s",
                      i ? "names a role, but stands below another grant"
                        : "stands below a grant that is not here");
    return i ? signed_by_delegate(c, g, &c->g->v[i - 1]) : signed_by_role(c, g);
}

/* Signatures first: only then is it worth while to prove anything. */
bool grants_check(const struct grants *g, const struct trust *t, const char *name,
                  const char *sha256, int64_t now, struct problems *ps)
{
    const struct chain c = { g, t, now, ps };
    struct policy *above = NULL;
    bool ok = true;

    for (uint32_t i = 0; i < g->n && ok; i++)
        ok = link_check(&c, i, name, sha256);
    for (uint32_t i = 0; i < g->n && ok; i++) {
        struct policy *part = part_of(&g->v[i], g->file, 0, ps);
        const struct trust_role *r = i ? NULL : trust_role(t, g->v[i].role);
        char what[160];

        snprintf(what, sizeof(what), i ? "grant %s" : "what role %s may grant",
                 i ? g->v[i - 1].id : g->v[i].role);
        ok = part && (i ? above != NULL : r != NULL) &&
             grant_within(part, i ? above : &r->may_grant, what, ps);
        policy_free(above);
        above = part;
    }
    policy_free(above);
    return ok && g->n;
}

bool grants_apply(const struct grants *g, struct policy *p, struct problems *ps)
{
    const struct grant *last = &g->v[g->n - 1];
    struct policy *part = NULL;
    char file[128];
    bool ok;

    snprintf(file, sizeof(file), "grant %s", last->id);
    if (p->nfiles >= POLICY_FILES_MAX) {
        problem_add(ps, PROBLEM_ERROR, "grant", g->file, 1, 1, "more than 64 documents in all");
        return false;
    }
    part = part_of(last, file, p->nfiles, ps);
    ok = part && grant_join(p, part, ps);
    policy_free(part);
    return ok;
}
