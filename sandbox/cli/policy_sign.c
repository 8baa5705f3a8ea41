/* policy_sign.c - policy keygen, policy sign. Private keys are read, used and forgotten here. */
#include "sandbox/cli/policy_sign.h"

#include "base/io.h"
#include "policies/canon.h"
#include "policies/dates.h"
#include "policies/grants.h"
#include "policies/sign.h"
#include "policies/units.h"
#include "sandbox/cli/verbs.h"
#include "sandbox/trust.h"
#include "sandbox/trust_key.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

bool policy_asked_key(struct cli *c, uint8_t key[ED25519_KEY_BYTES], int *status)
{
    const char *file = args_text(c->args, OPT_PRIVATE_KEY);
    struct err e = ERR_INIT;

    if (!file) {
        err_set(&e, EINVAL, "whose signature? --key FILE is missing");
        *status = cli_fail_usage(c, &e, "carrel policy keygen FILE makes a key");
        return false;
    }
    if (!trust_key_load(file, key, &e))
        return true;
    *status = cli_fail(c, "key", &e, NULL);
    return false;
}

bool policy_asked_times(struct cli *c, const char *usual, int64_t *from, int64_t *expires,
                        int *status)
{
    const char *start = args_text(c->args, OPT_FROM), *end = args_text(c->args, OPT_EXPIRES);
    struct err e = ERR_INIT;
    uint64_t ms = 0;

    *from = (int64_t)time(NULL);
    end = end ? end : usual;
    if (start && !date_parse(start, from))
        err_set(&e, EINVAL, "--from=%s: wanted a moment such as 2026-11-23T15:02:06Z", start);
    else if (date_parse(end, expires))
        ;
    else if (units_parse(UNIT_TIME, end, NULL, &ms))
        err_set(&e, EINVAL, "--expires=%s: wanted a time such as 12h or 90d, or a moment", end);
    else
        *expires = *from + (int64_t)(ms / 1000);
    if (!e.code && (*expires <= *from || *expires > DATE_MAX))
        err_set(&e, EINVAL, "--expires=%s: it would end before it begins, or after the year 9999",
                end);
    if (e.code)
        *status = cli_fail_usage(c, &e, NULL);
    return !e.code;
}

bool policy_asked_number(struct cli *c, enum opt_id id, uint64_t *out, int *status)
{
    const char *s = args_text(c->args, id);
    struct err e = ERR_INIT;

    if (!s || note_number(s, out))
        return true;
    err_set(&e, EINVAL, "--%s=%s: wanted a number from 1", opt_by_id(id)->name, s);
    *status = cli_fail_usage(c, &e, NULL);
    return false;
}

bool policy_named(struct cli *c, const struct policy_source *s, struct arena *a, const char **name,
                  const char **sha256, int *status)
{
    const struct document *d = &s->dossier.doc[0];
    struct policy *p = policy_parse(d->text, d->len, d->file, NULL);
    struct err e = ERR_INIT;
    char hash[POLICY_HASH_HEX];

    if (!p) {
        err_set(&e, EINVAL, "%s: not a sound policy", d->file);
        *status = cli_fail(c, "policy", &e, NULL);
        return false;
    }
    policy_hash(p, hash);
    *name = arena_copy(a, p->name, strlen(p->name));
    *sha256 = arena_copy(a, hash, strlen(hash));
    policy_free(p);
    return true;
}

struct grants *policy_grants(struct cli *c, const char *file, int *status)
{
    struct problems ps = PROBLEMS_INIT;
    struct err e = ERR_INIT;
    struct grants *g = NULL;
    size_t len;
    char *text = io_load(AT_FDCWD, file, GRANT_BYTES_MAX, &len, &e);

    if (!text) {
        *status = cli_fail(c, "grant", &e, NULL);
    } else {
        g = grants_parse(text, len, file, &ps);
        if (!g)
            *status = policy_say_problems(c, &ps, EXIT_NO);
    }
    problems_fini(&ps);
    free(text);
    return g;
}

bool policy_put(struct cli *c, const char *file, struct text *t, int *status)
{
    struct err e = ERR_INIT;

    if (!file) {
        *status = policy_say(c, t, 0);
        return *status == 0;
    }
    if (io_store(AT_FDCWD, file, text_str(t), t->len, 0644, &e))
        *status = cli_fail(c, "policy", &e, NULL);
    text_fini(t);
    return !e.code;
}

int verb_policy_keygen(struct cli *c)
{
    const char *file = c->args->operands[0];
    char public_key[ED25519_KEY_TEXT];
    struct text t = TEXT_INIT;
    struct err e = ERR_INIT;

    if (trust_key_make(file, public_key, &e))
        return cli_fail(c, "key", &e, NULL);
    if (c->json) {
        text_add(&t, "{\"private\":");
        text_json(&t, file);
        text_add(&t, ",\"public\":\"%s\"}", public_key);
    } else {
        text_add(&t, "%s\n", public_key);
    }
    return policy_say(c, &t, 0);
}

/* The signatures that are there, to add to. */
static struct signatures *signatures_there(struct cli *c, const char *file, int *status)
{
    struct problems ps = PROBLEMS_INIT;
    struct err e = ERR_INIT;
    struct signatures *s = NULL;
    size_t len;
    char *text = io_load(AT_FDCWD, file, SIGNATURES_BYTES_MAX, &len, &e);

    if (!text && e.code == ENOENT) {
        s = signatures_new();
    } else if (!text) {
        *status = cli_fail(c, "signature", &e, NULL);
    } else {
        s = signatures_parse(text, len, file, &ps);
        if (!s)
            *status = policy_say_problems(c, &ps, EXIT_NO);
    }
    problems_fini(&ps);
    free(text);
    return s;
}

/* The version that others signed for this document, or the one after those of older ones. */
static uint64_t next_version(const struct signatures *s, const struct statement *st)
{
    uint64_t same = 0, older = 0;

    for (uint32_t i = 0; i < s->n; i++) {
        const struct statement *o = &s->v[i];
        uint64_t *v = strcmp(o->sha256, st->sha256) == 0 ? &same : &older;

        if (strcmp(o->role, st->role) == 0 && o->version > *v)
            *v = o->version;
    }
    return same ? same : older + 1;
}

static int signed_policy(struct cli *c, const char *file, const struct statement *st)
{
    char until[DATE_TEXT];
    struct text t = TEXT_INIT;

    date_print(st->expires, until);
    if (c->json) {
        text_add(&t, "{\"expires\":\"%s\",\"file\":", until);
        text_json(&t, file);
        text_add(&t, ",\"name\":\"%s\",\"role\":\"%s\",\"sha256\":\"%s\",\"version\":%" PRIu64 "}",
                 st->name, st->role, st->sha256, st->version);
        return policy_say(c, &t, 0);
    }
    cli_note(c, "%s: %s version %" PRIu64 " for role %s, until %s", file, st->name, st->version,
             st->role, until);
    return 0;
}

/* s is open, key is read. */
static int sign(struct cli *c, const struct policy_source *s, const uint8_t key[ED25519_KEY_BYTES])
{
    struct arena a = ARENA_INIT;
    struct statement st = { .role = args_text(c->args, OPT_ROLE) };
    const char *file = arena_printf(&a, "%s" TRUST_SIGNATURES, s->dossier.doc[0].file), *why;
    struct signatures *sigs = NULL;
    struct text t = TEXT_INIT;
    struct err e = ERR_INIT;
    int status = 0;

    if (!st.role) {
        err_set(&e, EINVAL, "in which role? --role NAME is missing");
        status = cli_fail_usage(c, &e, NULL);
    } else if (policy_named(c, s, &a, &st.name, &st.sha256, &status) &&
               policy_asked_times(c, "90d", &st.from, &st.expires, &status)) {
        sigs = signatures_there(c, file, &status);
    }
    if (sigs) {
        st.version = next_version(sigs, &st);
        if (policy_asked_number(c, OPT_RELEASE, &st.version, &status)) {
            why = signatures_add(sigs, &st, key);
            signatures_print(sigs, &t);
            if (why) {
                err_set(&e, EINVAL, "%s: cannot sign this: %s", file, why);
                status = cli_fail(c, "signature", &e, NULL);
                text_fini(&t);
            } else if (policy_put(c, file, &t, &status)) {
                status = signed_policy(c, file, &st);
            }
        }
    }
    signatures_free(sigs);
    arena_fini(&a);
    return status;
}

/* Adds to the signatures of a grant, for a role that needs several. */
static int cosign(struct cli *c, const char *file, const uint8_t key[ED25519_KEY_BYTES])
{
    int status = 0;
    struct grants *g = policy_grants(c, file, &status);
    const char *why = g ? grants_cosign(g, key) : NULL;
    struct text t = TEXT_INIT;
    struct err e = ERR_INIT;

    if (why) {
        err_set(&e, EINVAL, "%s: cannot sign this: %s", file, why);
        status = cli_fail(c, "grant", &e, NULL);
    } else if (g) {
        grants_print(g, &t);
        if (policy_put(c, file, &t, &status))
            cli_note(c, "%s: signed", file);
    }
    grants_free(g);
    return status;
}

int verb_policy_sign(struct cli *c)
{
    const char *what = c->args->operands[0];
    size_t n = strlen(what), tail = strlen(".grant");
    bool grant = n > tail && strcmp(what + n - tail, ".grant") == 0;
    uint8_t key[ED25519_KEY_BYTES];
    struct policy_source s;
    int status = 0;

    if (!policy_asked_key(c, key, &status))
        return status;
    if (grant) {
        status = cosign(c, what, key);
    } else {
        if (policy_open(c, 0, &s, &status))
            status = sign(c, &s, key);
        policy_source_fini(&s);
    }
    trust_key_wipe(key);
    return status;
}
