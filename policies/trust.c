/* trust.c - the trust document, read as strictly as a policy. */
#include "policies/trust.h"

#include "policies/classes.h"
#include "policies/grants.h"
#include "policies/load.h"
#include "policies/notes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY (UINT64_C(86400) * 1000)

#define AT(S, m) .offset = (uint16_t)offsetof(struct S, m)

/* clang-format off */
static const struct field fields_key[] = {
    { .key = "id", .type = F_TEXT, .combine = C_OWN, .grade = 'A', .required = true, AT(trust_key, id), .text_class = TEXT_ID, .says = "Name of the key's holder." },
    { .key = "key", .type = F_TEXT, .combine = C_OWN, .grade = 'H', .required = true, AT(trust_key, key), .text_class = TEXT_LINE, .says = "The public key: ed25519: and 44 characters." },
};
static const struct table table_key = { "key", NULL, fields_key, array_len(fields_key), sizeof(struct trust_key) };

static const struct field fields_role[] = {
    { .key = "id", .type = F_TEXT, .combine = C_OWN, .grade = 'H', .required = true, AT(trust_role, id), .text_class = TEXT_ID, .says = "Name of the role." },
    { .key = "keys", .type = F_TEXTS, .combine = C_OWN, .grade = 'H', .required = true, AT(trust_role, keys), .text_class = TEXT_ID, .says = "Whose keys speak for it." },
    { .key = "threshold", .type = F_COUNT, .combine = C_OWN, .grade = 'H', AT(trust_role, threshold), .min = 1, .max = NOTE_SIGNATURES_MAX, .def = 1, .says = "How many of them must sign." },
    { .key = "names", .type = F_TEXTS, .combine = C_OWN, .grade = 'H', AT(trust_role, names), .text_class = TEXT_LINE, .says = "Policies that need its signature: names, or beginnings of names followed by *." },
    { .key = "longest", .type = F_TIME, .combine = C_OWN, .grade = 'H', AT(trust_role, longest), .min = 1000, .max = 3650 * DAY, .def = 3650 * DAY, .says = "Longest time for which it can sign." },
    { .key = "may_grant", .type = F_OBJECT, .combine = C_OWN, .grade = 'H', AT(trust_role, may_grant), .table = &policy_table, .says = "The part of a policy inside which its grants stay." },
    { .key = "delegate", .type = F_COUNT, .combine = C_OWN, .grade = 'H', AT(trust_role, delegate), .max = TRUST_DELEGATE_MAX, .def = 0, .says = "How often what it granted can be handed on." },
};
static const struct table table_role = { "role", NULL, fields_role, array_len(fields_role), sizeof(struct trust_role) };

static const struct field fields_revoked[] = {
    { .key = "keys", .type = F_TEXTS, .combine = C_OWN, .grade = 'H', AT(trust_revoked, keys), .text_class = TEXT_LINE, .says = "Public keys whose signatures count no more." },
    { .key = "documents", .type = F_TEXTS, .combine = C_OWN, .grade = 'H', AT(trust_revoked, documents), .text_class = TEXT_DIGEST, .says = "Hashes of policies and grants that are refused." },
};
static const struct table table_revoked = { "revoked", NULL, fields_revoked, array_len(fields_revoked), sizeof(struct trust_revoked) };

static const struct field fields_trust[] = {
    { .key = "carrel", .type = F_COUNT, .combine = C_OWN, .grade = 'H', .required = true, AT(trust, carrel), .min = 1, .max = 1, .def = 1, .says = "Version of the language: 1." },
    { .key = "keys", .type = F_LIST, .combine = C_OWN, .grade = 'H', AT(trust, keys), .table = &table_key, .says = "Public keys." },
    { .key = "roles", .type = F_LIST, .combine = C_OWN, .grade = 'H', AT(trust, roles), .table = &table_role, .says = "What they may do." },
    { .key = "required", .type = F_TEXTS, .combine = C_OWN, .grade = 'H', AT(trust, required), .text_class = TEXT_ID, .says = "Roles that have signed a policy, or one above it, whatever its name." },
    { .key = "revoked", .type = F_OBJECT, .combine = C_OWN, .grade = 'H', AT(trust, revoked), .table = &table_revoked, .says = "What is trusted no more." },
};
/* clang-format on */

static const struct table trust_table = { "trust", NULL, fields_trust, array_len(fields_trust),
                                          sizeof(struct trust) };

struct checker {
    struct trust *t;
    struct problems *ps;
    bool failed;
};

static void wrong(struct checker *c, struct spot at, const char *fmt, ...) printf_like(3, 4);

static void wrong(struct checker *c, struct spot at, const char *fmt, ...)
{
    char buf[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(buf, sizeof(buf), fmt, ap);
    va_end(ap);
    c->failed = true;
    problem_add(c->ps, PROBLEM_ERROR, "trust", c->t->file, at.line, at.col, "%s", buf);
}

static const struct trust_key *key_by_id(const struct trust *t, const char *id)
{
    for (uint32_t i = 0; i < t->keys.n; i++) {
        const struct trust_key *k = t->keys.v[i];

        if (strcmp(k->id, id) == 0)
            return k;
    }
    return NULL;
}

static void check_keys(struct checker *c)
{
    for (uint32_t i = 0; i < c->t->keys.n; i++) {
        struct trust_key *k = c->t->keys.v[i];

        if (!k->key || !ed25519_key_parse(k->key, k->raw)) {
            wrong(c, k->o.spot, "keys: \"%s\" has no public key: ed25519: and 44 characters",
                  k->id);
            continue;
        }
        /* One key under two names would count twice. */
        for (uint32_t j = 0; j < i; j++) {
            const struct trust_key *o = c->t->keys.v[j];

            if (memcmp(o->raw, k->raw, sizeof(k->raw)) == 0)
                wrong(c, k->o.spot, "keys: \"%s\" and \"%s\" are the same key", o->id, k->id);
        }
    }
    for (uint32_t i = 0; i < c->t->revoked.keys.n; i++) {
        uint8_t raw[ED25519_KEY_BYTES];

        if (!ed25519_key_parse(c->t->revoked.keys.v[i], raw))
            wrong(c, c->t->revoked.o.spot, "revoked: \"%.60s\" is not a public key",
                  c->t->revoked.keys.v[i]);
    }
}

static bool is_pattern(struct checker *c, const char *s)
{
    size_t n = strlen(s);
    const char *whole = s, *canonical;

    if (n && s[n - 1] == '*') {
        whole = arena_copy(&c->t->holder->arena, s, n - 1);
        n--;
    }
    return !n || !class_check(&c->t->holder->arena, TEXT_NAME, whole, &canonical);
}

static void check_role(struct checker *c, struct trust_role *r)
{
    struct policy *may = &r->may_grant;

    if (!r->keys.n)
        wrong(c, r->o.spot, "roles: \"%s\" has no keys", r->id);
    for (uint32_t i = 0; i < r->keys.n; i++)
        if (!key_by_id(c->t, r->keys.v[i]))
            wrong(c, r->o.spot, "roles: \"%s\": key \"%s\" is not there", r->id, r->keys.v[i]);
    if (r->threshold > r->keys.n)
        wrong(c, r->o.spot, "roles: \"%s\" has fewer keys than its threshold", r->id);
    for (uint32_t i = 0; i < r->names.n; i++)
        if (!is_pattern(c, r->names.v[i]))
            wrong(c, r->o.spot, "roles: \"%s\": \"%.80s\" is not a name, nor the beginning of one",
                  r->id, r->names.v[i]);
    may->name = r->id;
    may->files[0] = c->t->file;
    may->nfiles = 1;
    if (!grant_bound_check(may, c->ps))
        c->failed = true;
}

static void check(struct checker *c)
{
    struct trust *t = c->t;

    if (!object_has(&t->o, (uint32_t)field_index(&trust_table, "carrel")))
        wrong(c, t->o.spot, "carrel: the version of the language is missing (carrel: 1)");
    check_keys(c);
    for (uint32_t i = 0; i < t->roles.n; i++)
        check_role(c, t->roles.v[i]);
    for (uint32_t i = 0; i < t->required.n; i++)
        if (!trust_role(t, t->required.v[i]))
            wrong(c, t->o.spot, "required: role \"%s\" is not there", t->required.v[i]);
}

struct trust *trust_parse(const char *text, size_t len, const char *file, struct problems *ps)
{
    struct trust *t = calloc(1, sizeof(*t));
    struct policy *holder = calloc(1, sizeof(*holder));
    struct problems own = PROBLEMS_INIT;
    struct arena nodes = ARENA_INIT;
    const struct node *root;
    bool ok = false;

    if (!t || !holder)
        abort();
    ps = ps ? ps : &own;
    t->holder = holder;
    t->file = arena_copy(&holder->arena, file, strlen(file));

    struct loader l = { .p = holder, .ps = ps, .file = t->file };
    struct checker c = { t, ps, false };

    root = yaml_parse(&nodes, text, len, t->file, ps);
    if (root) {
        object_init(&holder->arena, &trust_table, t);
        load_object(&l, &trust_table, root, t);
        if (!l.failed)
            check(&c);
        ok = !l.failed && !c.failed;
    }
    arena_fini(&nodes);
    arena_fini(&l.scratch);
    problems_fini(&own);
    if (ok)
        return t;
    trust_free(t);
    return NULL;
}

void trust_free(struct trust *t)
{
    if (!t)
        return;
    policy_free(t->holder);
    free(t);
}

const struct trust_role *trust_role(const struct trust *t, const char *id)
{
    for (uint32_t i = 0; i < t->roles.n; i++) {
        const struct trust_role *r = t->roles.v[i];

        if (strcmp(r->id, id) == 0)
            return r;
    }
    return NULL;
}

const char *trust_key_id(const struct trust *t, const uint8_t key[ED25519_KEY_BYTES])
{
    for (uint32_t i = 0; i < t->keys.n; i++) {
        const struct trust_key *k = t->keys.v[i];

        if (memcmp(k->raw, key, ED25519_KEY_BYTES) == 0)
            return k->id;
    }
    return NULL;
}

static bool is_in(const struct texts *t, const char *s)
{
    for (uint32_t i = 0; i < t->n; i++)
        if (strcmp(t->v[i], s) == 0)
            return true;
    return false;
}

bool trust_key_revoked(const struct trust *t, const uint8_t key[ED25519_KEY_BYTES])
{
    char text[ED25519_KEY_TEXT];

    ed25519_key_print(key, text);
    return is_in(&t->revoked.keys, text);
}

bool trust_document_revoked(const struct trust *t, const char *sha256)
{
    return is_in(&t->revoked.documents, sha256);
}

bool trust_role_governs(const struct trust_role *r, const char *name)
{
    for (uint32_t i = 0; i < r->names.n; i++) {
        const char *p = r->names.v[i];
        size_t n = strlen(p);

        if (n && p[n - 1] == '*' ? strncmp(p, name, n - 1) == 0 : strcmp(p, name) == 0)
            return true;
    }
    return false;
}
