/* judge.c - what signatures are worth under a trust document. */
#include "policies/judge.h"

#include "policies/dates.h"

#include <inttypes.h>
#include <string.h>

const char *const signature_words[] = {
    [SIGNATURE_COUNTS] = "counts",
    [SIGNATURE_OTHER_DOCUMENT] = "signed another document",
    [SIGNATURE_UNKNOWN_ROLE] = "no such role",
    [SIGNATURE_UNKNOWN_KEY] = "unknown key",
    [SIGNATURE_REVOKED] = "revoked key",
    [SIGNATURE_WRONG_ROLE] = "not a key of this role",
    [SIGNATURE_FORGED] = "wrong signature",
    [SIGNATURE_TOO_LONG] = "valid for longer than this role can sign",
    [SIGNATURE_EARLY] = "not yet valid",
    [SIGNATURE_EXPIRED] = "expired",
};

static bool holds(const struct trust_role *r, const char *id)
{
    for (uint32_t i = 0; i < r->keys.n; i++)
        if (strcmp(r->keys.v[i], id) == 0)
            return true;
    return false;
}

enum signature_state signature_judge(const struct trust *t, const char *role, int64_t from,
                                     int64_t expires, const struct note *n, uint32_t i, int64_t now)
{
    const struct trust_role *r = trust_role(t, role);
    const char *id = trust_key_id(t, n->v[i].key);

    if (!r)
        return SIGNATURE_UNKNOWN_ROLE;
    if (trust_key_revoked(t, n->v[i].key))
        return SIGNATURE_REVOKED;
    if (!id)
        return SIGNATURE_UNKNOWN_KEY;
    if (!holds(r, id))
        return SIGNATURE_WRONG_ROLE;
    if (!note_verify(n, i))
        return SIGNATURE_FORGED;
    if ((uint64_t)(expires - from) > r->longest / 1000)
        return SIGNATURE_TOO_LONG;
    if (now < from)
        return SIGNATURE_EARLY;
    return now < expires ? SIGNATURE_COUNTS : SIGNATURE_EXPIRED;
}

static void judge_signatures(const struct trust *t, struct judgement *j, int64_t now,
                             struct arena *a)
{
    const struct signatures *s = j->doc->sigs;

    for (uint32_t i = 0; s && i < s->n; i++) {
        const struct statement *st = &s->v[i];
        bool same = strcmp(st->name, j->doc->name) == 0 && strcmp(st->sha256, j->doc->sha256) == 0;

        for (uint32_t k = 0; k < st->note.n; k++) {
            struct judged_signature *g =
                arena_push(a, (void **)&j->sigs, j->nsigs, sizeof(*j->sigs));
            char text[ED25519_KEY_TEXT];

            ed25519_key_print(st->note.v[k].key, text);
            g->st = st;
            g->who = trust_key_id(t, st->note.v[k].key);
            g->who = arena_copy(a, g->who ? g->who : text, strlen(g->who ? g->who : text));
            g->state = same ? signature_judge(t, st->role, st->from, st->expires, &st->note, k, now)
                            : SIGNATURE_OTHER_DOCUMENT;
            j->nsigs++;
        }
    }
}

/* How many different keys signed this version in this role, and until when there are enough. */
static uint32_t count(const struct judgement *j, const struct trust_role *r, uint64_t version,
                      int64_t *until)
{
    int64_t ends[STATEMENTS_MAX * NOTE_SIGNATURES_MAX] = { 0 };
    uint32_t n = 0;

    for (uint32_t i = 0; i < j->nsigs; i++) {
        const struct judged_signature *g = &j->sigs[i];
        bool again = g->state != SIGNATURE_COUNTS || strcmp(g->st->role, r->id) != 0 ||
                     g->st->version != version;
        uint32_t at = n;

        for (uint32_t k = 0; k < i && !again; k++)
            again = j->sigs[k].state == SIGNATURE_COUNTS && strcmp(j->sigs[k].who, g->who) == 0 &&
                    strcmp(j->sigs[k].st->role, r->id) == 0 && j->sigs[k].st->version == version;
        if (again || n == array_len(ends))
            continue;
        for (; at > 0 && ends[at - 1] < g->st->expires; at--)
            ends[at] = ends[at - 1];
        ends[at] = g->st->expires;
        n++;
    }
    *until = n >= r->threshold ? ends[r->threshold - 1] : 0;
    return n;
}

static void judge_role(const struct judgement *j, struct judged_role *out)
{
    for (uint32_t i = 0; i < j->nsigs; i++) {
        const struct statement *st = j->sigs[i].st;
        int64_t until;
        uint32_t have = count(j, out->role, st->version, &until);
        bool met = have >= out->role->threshold;

        if (!have)
            continue;
        if (met > out->met ||
            (met == out->met && (met ? st->version > out->version : have > out->have))) {
            out->met = met;
            out->have = have;
            out->version = st->version;
            out->until = until;
        }
    }
}

static void judge(const struct trust *t, struct judgement *j, int64_t now, struct arena *a)
{
    j->revoked = trust_document_revoked(t, j->doc->sha256);
    judge_signatures(t, j, now, a);
    for (uint32_t i = 0; i < t->roles.n; i++) {
        struct judged_role *r = arena_push(a, (void **)&j->roles, j->nroles, sizeof(*j->roles));

        j->nroles++;
        r->role = t->roles.v[i];
        r->governs = trust_role_governs(r->role, j->doc->name) ||
                     (j->doc->ref && trust_role_governs(r->role, j->doc->ref));
        judge_role(j, r);
    }
}

/* "; alice: expired; ed25519:…: unknown key" */
static void reasons(const struct judgement *j, const struct trust_role *r, struct text *out)
{
    for (uint32_t i = 0; i < j->nsigs; i++)
        if (strcmp(j->sigs[i].st->role, r->id) == 0 && j->sigs[i].state != SIGNATURE_COUNTS)
            text_add(out, "; %s: %s", j->sigs[i].who, signature_words[j->sigs[i].state]);
}

static bool demand(const struct judgement *j, struct problems *ps)
{
    const struct signed_document *d = j->doc;
    bool ok = true;

    if (j->revoked) {
        problem_add(ps, PROBLEM_ERROR, "trust", d->file, 1, 1, "%s is revoked (sha256 %s)", d->name,
                    d->sha256);
        return false;
    }
    for (uint32_t i = 0; i < j->nroles; i++) {
        const struct judged_role *r = &j->roles[i];
        struct text why = TEXT_INIT;

        if (!r->governs)
            continue;
        if (d->ref && strcmp(d->ref, d->name) != 0) {
            /* Otherwise a signed document could stand in the place of another one. */
            problem_add(ps, PROBLEM_ERROR, "trust", d->file, 1, 1,
                        "%s calls itself %s, and role %s governs it", d->ref, d->name, r->role->id);
            ok = false;
        } else if (!r->met) {
            reasons(j, r->role, &why);
            problem_add(ps, PROBLEM_ERROR, "trust", d->file, 1, 1,
                        "%s needs %" PRIu64 " signature%s of role %s and has %u%s", d->name,
                        r->role->threshold, r->role->threshold == 1 ? "" : "s", r->role->id,
                        r->have, text_str(&why));
            ok = false;
        }
        text_fini(&why);
    }
    return ok;
}

bool trust_judge(const struct trust *t, const struct signed_document *docs, uint32_t n, int64_t now,
                 struct arena *a, struct judgement *js, struct problems *ps)
{
    bool ok = true;

    for (uint32_t i = 0; i < n; i++) {
        js[i] = (struct judgement){ .doc = &docs[i] };
        judge(t, &js[i], now, a);
        ok = demand(&js[i], ps) && ok;
    }
    for (uint32_t k = 0; k < t->required.n; k++) {
        bool met = false;

        for (uint32_t i = 0; i < n; i++)
            for (uint32_t r = 0; r < js[i].nroles; r++)
                met = met || (js[i].roles[r].met &&
                              strcmp(js[i].roles[r].role->id, t->required.v[k]) == 0);
        if (met)
            continue;
        problem_add(ps, PROBLEM_ERROR, "trust", n ? docs[0].file : t->file, 1, 1,
                    "role %s has signed neither this policy nor one above it", t->required.v[k]);
        ok = false;
    }
    return ok;
}

bool trust_counts(const struct trust *t, const struct judged_role *r)
{
    bool counts = r->governs;

    for (uint32_t k = 0; k < t->required.n; k++)
        counts = counts || strcmp(t->required.v[k], r->role->id) == 0;
    return counts && r->met;
}

void judgement_print(const struct judgement *j, struct text *out)
{
    char from[DATE_TEXT], to[DATE_TEXT];

    text_add(out, "%s  sha256 %s  %s%s\n", j->doc->name, j->doc->sha256, j->doc->file,
             j->revoked ? "  REVOKED" : "");
    for (uint32_t i = 0; i < j->nroles; i++) {
        const struct judged_role *r = &j->roles[i];

        if (!r->governs && !r->have)
            continue;
        text_add(out, "  role %s%s: %u of %" PRIu64 " signatures", r->role->id,
                 r->governs ? "" : " (not needed for this name)", r->have, r->role->threshold);
        date_print(r->until, to);
        if (r->met)
            text_add(out, ", version %" PRIu64 ", until %s", r->version, to);
        text_add(out, "\n");
    }
    for (uint32_t i = 0; i < j->nsigs; i++) {
        const struct judged_signature *g = &j->sigs[i];

        date_print(g->st->from, from);
        date_print(g->st->expires, to);
        text_add(out, "  %s for %s, version %" PRIu64 ", %s to %s: %s\n", g->who, g->st->role,
                 g->st->version, from, to, signature_words[g->state]);
    }
    if (!j->nsigs)
        text_add(out, "  no signatures\n");
}

void judgement_json(const struct judgement *j, struct text *out)
{
    char from[DATE_TEXT], to[DATE_TEXT];

    text_add(out, "{\"file\":");
    text_json(out, j->doc->file);
    text_add(out, ",\"name\":");
    text_json(out, j->doc->name);
    text_add(out, ",\"revoked\":%s,\"roles\":[", j->revoked ? "true" : "false");
    for (uint32_t i = 0; i < j->nroles; i++) {
        const struct judged_role *r = &j->roles[i];

        date_print(r->until, to);
        text_add(out, "%s{\"governs\":%s,\"have\":%u,\"met\":%s,\"need\":%" PRIu64 ",\"role\":",
                 i ? "," : "", r->governs ? "true" : "false", r->have, r->met ? "true" : "false",
                 r->role->threshold);
        text_json(out, r->role->id);
        if (r->met)
            text_add(out, ",\"until\":\"%s\",\"version\":%" PRIu64, to, r->version);
        text_add(out, "}");
    }
    text_add(out, "],\"sha256\":\"%s\",\"signatures\":[", j->doc->sha256);
    for (uint32_t i = 0; i < j->nsigs; i++) {
        const struct judged_signature *g = &j->sigs[i];

        date_print(g->st->from, from);
        date_print(g->st->expires, to);
        text_add(out, "%s{\"expires\":\"%s\",\"from\":\"%s\",\"role\":", i ? "," : "", to, from);
        text_json(out, g->st->role);
        text_add(out,
                 ",\"state\":\"%s\",\"version\":%" PRIu64 ",\"who\":", signature_words[g->state],
                 g->st->version);
        text_json(out, g->who);
        text_add(out, "}");
    }
    text_add(out, "]}");
}
