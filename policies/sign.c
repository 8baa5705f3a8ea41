/* sign.c - see sign.h. */
#include "policies/sign.h"

#include "policies/classes.h"
#include "policies/dates.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC "carrel policy signature"

static void statement_print(const struct statement *st, struct text *out)
{
    char from[DATE_TEXT], expires[DATE_TEXT];

    date_print(st->from, from);
    date_print(st->expires, expires);
    text_add(out,
             MAGIC " 1\nname %s\nsha256 %s\nrole %s\nversion %" PRIu64 "\nfrom %s\nexpires %s\n",
             st->name, st->sha256, st->role, st->version, from, expires);
}

static bool is(struct arena *a, enum text_class class, const char *s)
{
    const char *canonical;

    return s && !class_check(a, class, s, &canonical);
}

/* What the lines of a note say. */
static const char *statement_read(struct arena *a, struct statement *st)
{
    struct note_lines l = { st->note.text, st->note.text + st->note.len };
    const char *magic = note_line(&l, a, MAGIC), *version, *from, *expires;
    struct text again = TEXT_INIT;
    bool same;

    if (!magic || strcmp(magic, "1") != 0)
        return "wanted \"" MAGIC " 1\"";
    st->name = note_line(&l, a, "name");
    st->sha256 = note_line(&l, a, "sha256");
    st->role = note_line(&l, a, "role");
    version = note_line(&l, a, "version");
    from = note_line(&l, a, "from");
    expires = note_line(&l, a, "expires");
    if (!is(a, TEXT_NAME, st->name) || !is(a, TEXT_DIGEST, st->sha256) || !is(a, TEXT_ID, st->role))
        return "wanted the lines name, sha256 and role, in this order";
    if (!version || !note_number(version, &st->version))
        return "version: wanted a number from 1";
    if (!from || !date_parse(from, &st->from) || !expires || !date_parse(expires, &st->expires))
        return "from, expires: wanted two moments such as 2026-11-23T15:02:06Z";
    if (st->from >= st->expires)
        return "expires before it begins";
    /* Whatever the readers above may take: one spelling only. */
    statement_print(st, &again);
    same = again.len == st->note.len && memcmp(again.p, st->note.text, again.len) == 0;
    text_fini(&again);
    return same ? NULL : "more lines, or another spelling, than a statement has";
}

struct signatures *signatures_new(void)
{
    struct signatures *s = calloc(1, sizeof(*s));

    if (!s)
        abort();
    return s;
}

static struct statement *push(struct signatures *s)
{
    struct statement *st = arena_push(&s->arena, (void **)&s->v, s->n, sizeof(*s->v));

    s->n++;
    return st;
}

struct signatures *signatures_parse(const char *text, size_t len, const char *file,
                                    struct problems *ps)
{
    struct signatures *s = signatures_new();
    const char *why = NULL, *start, *at, *end;
    uint32_t line = 1;

    if (len > SIGNATURES_BYTES_MAX)
        why = "longer than 64 KiB";
    else if (!len)
        why = "empty";
    start = at = arena_copy(&s->arena, text, why ? 0 : len);
    end = start + (why ? 0 : len);
    while (!why && at < end) {
        struct statement st;

        line = 1;
        for (const char *p = start; p < at; p++)
            line += *p == '\n';
        why = s->n == STATEMENTS_MAX ? "more than 16 statements" : note_parse(&at, end, &st.note);
        if (!why)
            why = statement_read(&s->arena, &st);
        if (!why)
            *push(s) = st;
    }
    if (!why)
        return s;
    problem_add(ps, PROBLEM_ERROR, "signature", file, line, 1, "not a signature file: %s", why);
    signatures_free(s);
    return NULL;
}

void signatures_print(const struct signatures *s, struct text *out)
{
    for (uint32_t i = 0; i < s->n; i++)
        note_print(&s->v[i].note, out);
}

void signatures_free(struct signatures *s)
{
    if (!s)
        return;
    arena_fini(&s->arena);
    free(s);
}

static void drop_key(struct note *n, const uint8_t key[ED25519_KEY_BYTES])
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < n->n; i++)
        if (memcmp(n->v[i].key, key, ED25519_KEY_BYTES) != 0)
            n->v[kept++] = n->v[i];
    n->n = kept;
}

static void drop_stale(struct signatures *s, const struct statement *st,
                       const uint8_t key[ED25519_KEY_BYTES])
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < s->n; i++) {
        struct statement *o = &s->v[i];

        if (strcmp(o->role, st->role) == 0)
            drop_key(&o->note, key);
        if (o->note.n && strcmp(o->sha256, st->sha256) == 0 && strcmp(o->name, st->name) == 0)
            s->v[kept++] = *o;
    }
    s->n = kept;
}

const char *signatures_add(struct signatures *s, const struct statement *st,
                           const uint8_t private_key[ED25519_KEY_BYTES])
{
    struct statement mine = { .note = { .text = NULL } };
    struct text t = TEXT_INIT;
    uint8_t key[ED25519_KEY_BYTES];
    const char *why;

    statement_print(st, &t);
    mine.note.text = arena_copy(&s->arena, text_str(&t), t.len);
    mine.note.len = t.len;
    text_fini(&t);
    why = statement_read(&s->arena, &mine);
    if (why)
        return why;
    ed25519_public(private_key, key);
    drop_stale(s, &mine, key);
    for (uint32_t i = 0; i < s->n; i++)
        if (s->v[i].note.len == mine.note.len &&
            memcmp(s->v[i].note.text, mine.note.text, mine.note.len) == 0)
            return note_sign(&s->v[i].note, private_key) ? NULL : "16 keys have signed this";
    if (s->n == STATEMENTS_MAX)
        return "there are 16 statements about this document";
    if (!note_sign(&mine.note, private_key))
        return "16 keys have signed this";
    *push(s) = mine;
    return NULL;
}
