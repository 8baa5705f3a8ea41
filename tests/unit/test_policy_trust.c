/* Signatures of policies and the trust document (P09): who signed what counts, all else does not.
 */
#include "policies/canon.h"
#include "policies/dates.h"
#include "policies/judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define NOW  INT64_C(1800000000)
#define HOUR 3600

static const char policy[] = "carrel: 1\nname: org/base\n# a comment\nmemory: {max: 1GiB}\n";

static void hex(const char *s, uint8_t *out)
{
    for (; *s; s += 2)
        sscanf(s, "%2hhx", out++);
}

/* Private keys 1, 2, 3 … */
static const uint8_t *private_key(unsigned i)
{
    static uint8_t keys[8][ED25519_KEY_BYTES];

    memset(keys[i], (int)(i + 1), sizeof(keys[i]));
    return keys[i];
}

static const char *public_key(unsigned i)
{
    static char text[8][ED25519_KEY_TEXT];
    uint8_t raw[ED25519_KEY_BYTES];

    ed25519_public(private_key(i), raw);
    ed25519_key_print(raw, text[i]);
    return text[i];
}

/* alice, bob, carol are keys 0, 1, 2. */
static char *trust_text(const char *rest)
{
    struct text t = TEXT_INIT;

    text_add(&t, "carrel: 1\nkeys:\n");
    text_add(&t, "  - {id: alice, key: \"%s\"}\n", public_key(0));
    text_add(&t, "  - {id: bob, key: \"%s\"}\n", public_key(1));
    text_add(&t, "  - {id: carol, key: \"%s\"}\n%s", public_key(2), rest);
    return t.p;
}

static struct trust *trust_of(const char *rest)
{
    struct problems ps = PROBLEMS_INIT;
    struct text why = TEXT_INIT;
    char *text = trust_text(rest);
    struct trust *t = trust_parse(text, strlen(text), "trust.yaml", &ps);

    problems_print(&ps, &why);
    if (!t)
        fail_msg("%s", text_str(&why));
    text_fini(&why);
    problems_fini(&ps);
    free(text);
    return t;
}

static void trust_refused(const char *rest, const char *what)
{
    struct problems ps = PROBLEMS_INIT;
    struct text why = TEXT_INIT;
    char *text = trust_text(rest);
    struct trust *t = trust_parse(text, strlen(text), "trust.yaml", &ps);

    problems_print(&ps, &why);
    if (t || !strstr(text_str(&why), what))
        fail_msg("wanted \"%s\", got: %s", what, t ? "taken" : text_str(&why));
    text_fini(&why);
    problems_fini(&ps);
    free(text);
}

static const char *hash_of(const char *text)
{
    static char h[4][POLICY_HASH_HEX];
    static unsigned at;
    struct policy *p = policy_parse(text, strlen(text), "p", NULL);

    assert_non_null(p);
    at = (at + 1) % 4;
    policy_hash(p, h[at]);
    policy_free(p);
    return h[at];
}

#define BASE "roles:\n  - {id: base, keys: [alice, bob, carol], threshold: 2, names: [\"org/*\"]}\n"
#define ONE  "roles:\n  - {id: base, keys: [alice], names: [org/base]}\n"

static struct statement about(const char *role, uint64_t version)
{
    return (struct statement){ .name = "org/base",
                               .sha256 = hash_of(policy),
                               .role = role,
                               .version = version,
                               .from = NOW - HOUR,
                               .expires = NOW + HOUR };
}

static void sign(struct signatures *s, const struct statement *st, unsigned key)
{
    assert_null(signatures_add(s, st, private_key(key)));
}

/* What the judge says of `policy` with these signatures, through text and back. */
static bool judged(struct trust *t, const struct signatures *s, int64_t now, const char *what)
{
    struct problems ps = PROBLEMS_INIT;
    struct arena a = ARENA_INIT;
    struct judgement j;
    struct text file = TEXT_INIT, why = TEXT_INIT;
    struct signed_document doc = { "org/base", hash_of(policy), "base.yaml", NULL, NULL };
    struct signatures *read = NULL;
    bool ok;

    signatures_print(s, &file);
    if (s->n) {
        read = signatures_parse(file.p, file.len, "base.yaml.sig", &ps);
        assert_non_null(read);
        doc.sigs = read;
    }
    ok = trust_judge(t, &doc, 1, now, &a, &j, &ps);
    problems_print(&ps, &why);
    judgement_print(&j, &why);
    if (ok != (ps.errors == 0) || (what && !strstr(text_str(&why), what)))
        fail_msg("wanted \"%s\", got: %s", what, text_str(&why));
    text_fini(&why);
    text_fini(&file);
    signatures_free(read);
    arena_fini(&a);
    problems_fini(&ps);
    return ok;
}

/* RFC 8032, section 7.1, tests 1 to 3. */
static void rfc8032_vectors(void **state)
{
    static const struct {
        const char *private, *public, *msg, *sig;
    } v[] = {
        { "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
          "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
          "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
          "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b" },
        { "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
          "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
          "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
          "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00" },
        { "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
          "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
          "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
          "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a" },
    };
    /* The order of the base point: s and s + L would both do, were s not required to be below L. */
    static const char order[] = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
    uint8_t l[32];

    (void)state;
    hex(order, l);
    for (size_t i = 0; i < array_len(v); i++) {
        uint8_t sk[32], pk[32], have[32], msg[2], want[64], sig[64];
        size_t len = strlen(v[i].msg) / 2;
        unsigned carry = 0;

        hex(v[i].private, sk);
        hex(v[i].public, pk);
        hex(v[i].msg, msg);
        hex(v[i].sig, want);
        ed25519_public(sk, have);
        assert_memory_equal(have, pk, 32);
        ed25519_sign(sk, msg, len, sig);
        assert_memory_equal(sig, want, 64);
        assert_true(ed25519_verify(pk, msg, len, sig));
        for (size_t k = 0; k < 32; k++) {
            carry += sig[32 + k] + l[k];
            sig[32 + k] = (uint8_t)carry;
            carry >>= 8;
        }
        assert_false(ed25519_verify(pk, msg, len, sig));
        for (size_t bit = 0; bit < 512; bit += 37) {
            memcpy(sig, want, 64);
            sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_false(ed25519_verify(pk, msg, len, sig));
        }
    }
}

/* Under such a key the signature (identity, 0) is right for one message in eight: it is no key. */
static void p09_small_order_keys(void **state)
{
    static const char *const y[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    uint8_t sig[64] = { 1 };

    (void)state;
    for (size_t i = 0; i < 2 * array_len(y); i++) {
        uint8_t key[32], again[32];
        char text[ED25519_KEY_TEXT];
        bool forged = false;

        hex(y[i / 2], key);
        key[31] = (uint8_t)(key[31] | (i % 2 ? 0x80 : 0));
        for (unsigned m = 0; m < 256 && !forged; m++)
            forged = ed25519_verify(key, &m, sizeof(m), sig);
        /* With a sign that x = 0 does not have, libcrypto reads no point. */
        assert_true(forged || i % 2);
        ed25519_key_print(key, text);
        assert_false(ed25519_key_parse(text, again));
    }
}

static void keys_have_one_spelling(void **state)
{
    char text[512];
    uint8_t raw[ED25519_KEY_BYTES];

    (void)state;
    assert_true(ed25519_key_parse(public_key(0), raw));
    snprintf(text, sizeof(text), "%s", public_key(0));
    assert_true(text[51] == '=');
    text[50]++; /* bits that the last group does not use */
    assert_false(ed25519_key_parse(text, raw));
    snprintf(text, sizeof(text), "%s ", public_key(0));
    assert_false(ed25519_key_parse(text, raw));
    snprintf(text, sizeof(text), "E%s", public_key(0) + 1);
    assert_false(ed25519_key_parse(text, raw));
    assert_false(ed25519_key_parse("ed25519:", raw));
}

static void dates_are_the_calendar(void **state)
{
    static const char *const bad[] = {
        "2026-02-29T00:00:00Z",  "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
        "2026-01-32T00:00:00Z",  "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",  "2026-01-01T00:00:60Z", "2026-01-01t00:00:00z",
        "2026-01-01 00:00:00Z",  "1969-12-31T23:59:59Z", "2026-01-01T00:00:00",
        "2026-01-01T00:00:00ZZ", "2100-02-29T00:00:00Z", "",
    };
    char text[DATE_TEXT];
    int64_t t;

    (void)state;
    for (size_t i = 0; i < array_len(bad); i++)
        assert_false(date_parse(bad[i], &t));
    assert_true(date_parse("2000-02-29T23:59:59Z", &t));
    assert_int_equal(t, 951868799);
    for (int64_t at = 0; at <= DATE_MAX; at += 7654321 * INT64_C(3)) {
        time_t c = (time_t)at;
        struct tm tm;
        char want[64];

        strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&c, &tm));
        date_print(at, text);
        assert_string_equal(text, want);
        assert_true(date_parse(text, &t));
        assert_int_equal(t, at);
    }
    date_print(DATE_MAX + 1, text);
    assert_string_equal(text, "9999-12-31T23:59:59Z");
    date_print(-1, text);
    assert_string_equal(text, "1970-01-01T00:00:00Z");
}

static void p09_unsigned(void **state)
{
    struct trust *t = trust_of(ONE);
    struct signatures *s = signatures_new();

    (void)state;
    assert_false(judged(t, s, NOW, "org/base needs 1 signature of role base and has 0"));
    signatures_free(s);
    trust_free(t);
}

static void p09_times(void **state)
{
    struct trust *t = trust_of(ONE);
    struct signatures *s = signatures_new();
    struct statement st = about("base", 3);

    (void)state;
    sign(s, &st, 0);
    assert_true(judged(t, s, NOW, "alice for base, version 3"));
    assert_true(judged(t, s, NOW - HOUR, NULL));
    assert_false(judged(t, s, NOW - HOUR - 1, "alice: not yet valid"));
    assert_true(judged(t, s, NOW + HOUR - 1, NULL));
    assert_false(judged(t, s, NOW + HOUR, "alice: expired"));
    signatures_free(s);
    trust_free(t);
}

static void p09_longest(void **state)
{
    struct trust *t =
        trust_of("roles: [{id: base, keys: [alice], names: [org/base], longest: 2h}]\n");
    struct signatures *s = signatures_new();
    struct statement st = about("base", 3);

    (void)state;
    sign(s, &st, 0);
    assert_true(judged(t, s, NOW, NULL));
    st.expires++;
    sign(s, &st, 0);
    assert_false(judged(t, s, NOW, "alice: valid for longer than this role can sign"));
    signatures_free(s);
    trust_free(t);
}

static void p09_revoked(void **state)
{
    struct signatures *s = signatures_new();
    struct statement st = about("base", 3);
    struct text rest = TEXT_INIT;
    struct trust *t;

    (void)state;
    sign(s, &st, 0);
    text_add(&rest, ONE "revoked: {keys: [\"%s\"]}\n", public_key(0));
    t = trust_of(text_str(&rest));
    assert_false(judged(t, s, NOW, "alice: revoked key"));
    trust_free(t);
    text_fini(&rest);
    text_add(&rest, ONE "revoked: {documents: [%s]}\n", hash_of(policy));
    t = trust_of(text_str(&rest));
    assert_false(judged(t, s, NOW, "org/base is revoked"));
    trust_free(t);
    text_fini(&rest);
    /* Also where no role speaks for the name. */
    text_add(&rest, "revoked: {documents: [%s]}\n", hash_of(policy));
    t = trust_of(text_str(&rest));
    assert_false(judged(t, s, NOW, "org/base is revoked"));
    trust_free(t);
    text_fini(&rest);
    signatures_free(s);
}

static void p09_wrong_role(void **state)
{
    struct trust *t = trust_of(ONE "  - {id: team, keys: [bob], names: [\"team/*\"]}\n");
    struct signatures *s = signatures_new();
    struct statement st = about("base", 3), team = about("team", 3), none = about("none", 3);

    (void)state;
    sign(s, &team, 1); /* bob speaks for team, which has no say here */
    assert_false(judged(t, s, NOW, "has 0"));
    sign(s, &st, 1); /* bob says he speaks for base */
    assert_false(judged(t, s, NOW, "bob: not a key of this role"));
    sign(s, &none, 0);
    assert_false(judged(t, s, NOW, "alice for none, version 3"));
    sign(s, &st, 5);
    assert_false(judged(t, s, NOW, "unknown key"));
    sign(s, &st, 0);
    assert_true(judged(t, s, NOW, NULL));
    signatures_free(s);
    trust_free(t);
}

static void p09_threshold(void **state)
{
    struct trust *t = trust_of(BASE);
    struct signatures *s = signatures_new();
    struct statement st = about("base", 3), older = about("base", 2);

    (void)state;
    sign(s, &st, 0);
    assert_false(judged(t, s, NOW, "org/base needs 2 signatures of role base and has 1"));
    sign(s, &st, 0);
    assert_int_equal(s->n, 1);
    assert_int_equal(s->v[0].note.n, 1);
    sign(s, &older, 1); /* another version: not the same statement */
    assert_false(judged(t, s, NOW, "has 1"));
    sign(s, &older, 2);
    assert_true(judged(t, s, NOW, "version 2"));
    sign(s, &st, 1);
    assert_true(judged(t, s, NOW, "2 of 2 signatures, version 3"));
    signatures_free(s);
    trust_free(t);
}

/* The same key twice, in two statements that differ in their times only. */
static void p09_one_key_counts_once(void **state)
{
    struct trust *t = trust_of(BASE);
    struct signatures *a = signatures_new(), *b = signatures_new(), *both;
    struct statement st = about("base", 3);
    struct text file = TEXT_INIT;

    (void)state;
    sign(a, &st, 0);
    st.expires += 60;
    sign(b, &st, 0);
    signatures_print(a, &file);
    signatures_print(b, &file);
    both = signatures_parse(file.p, file.len, "x", NULL);
    assert_non_null(both);
    assert_int_equal(both->n, 2);
    assert_false(judged(t, both, NOW, "has 1"));
    signatures_free(both);
    /* In one statement it is not even read. */
    text_fini(&file);
    signatures_print(a, &file);
    text_add(&file, "%s", strstr(file.p, "\n\n") + 2);
    assert_null(signatures_parse(file.p, file.len, "x", NULL));
    text_fini(&file);
    signatures_free(a);
    signatures_free(b);
    trust_free(t);
}

/* The threshold holds until the second-longest of two signatures ends. */
static void p09_until(void **state)
{
    struct trust *t = trust_of(BASE);
    struct signatures *s = signatures_new();
    struct statement st = about("base", 3);
    static const int64_t ends[] = { HOUR / 2, 3 * HOUR, 2 * HOUR };
    char text[64], date[DATE_TEXT];

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        st.expires = NOW + ends[i];
        sign(s, &st, i);
    }
    date_print(NOW + 2 * HOUR, date);
    snprintf(text, sizeof(text), "3 of 2 signatures, version 3, until %s", date);
    assert_true(judged(t, s, NOW, text));
    assert_true(judged(t, s, NOW + 2 * HOUR - 1, NULL));
    assert_false(judged(t, s, NOW + 2 * HOUR, NULL));
    trust_free(t);
    t = trust_of("roles: [{id: base, keys: [alice, bob, carol], names: [org/base]}]\n");
    date_print(NOW + 3 * HOUR, date);
    snprintf(text, sizeof(text), "3 of 1 signatures, version 3, until %s", date);
    assert_true(judged(t, s, NOW, text));
    signatures_free(s);
    trust_free(t);
}

static void p09_another_document(void **state)
{
    struct trust *t = trust_of(ONE);
    struct signatures *s = signatures_new();
    struct statement st = about("base", 3);

    (void)state;
    st.name = "org/other";
    sign(s, &st, 0);
    assert_false(judged(t, s, NOW, "alice: signed another document"));
    st = about("base", 3);
    st.sha256 = hash_of("carrel: 1\nname: org/base\nmemory: {max: 2GiB}\n");
    sign(s, &st, 0);
    assert_false(judged(t, s, NOW, "alice: signed another document"));
    signatures_free(s);
    trust_free(t);
}

/* Whichever byte of the signature file is changed, it no longer counts. */
static void p09_every_byte(void **state)
{
    struct trust *t = trust_of(BASE);
    struct signatures *s = signatures_new();
    struct statement st = about("base", 3);
    struct text file = TEXT_INIT;
    static const char flips[] = { 1, 2, 0x20, 0x40, (char)0x80 };

    (void)state;
    sign(s, &st, 0);
    sign(s, &st, 1);
    signatures_print(s, &file);
    assert_true(judged(t, s, NOW, NULL));
    for (size_t i = 0; i < file.len; i++) {
        for (size_t f = 0; f < sizeof(flips); f++) {
            struct signatures *read;

            file.p[i] ^= flips[f];
            read = signatures_parse(file.p, file.len, "x", NULL);
            if (read) {
                struct arena a = ARENA_INIT;
                struct judgement j;
                struct signed_document doc = { "org/base", hash_of(policy), "b", NULL, read };

                assert_false(trust_judge(t, &doc, 1, NOW, &a, &j, NULL));
                arena_fini(&a);
            }
            signatures_free(read);
            file.p[i] ^= flips[f];
        }
    }
    /* Whatever is left out or added, too. */
    for (size_t len = 0; len < file.len; len++) {
        struct signatures *read = signatures_parse(file.p, len, "x", NULL);
        struct signed_document doc = { "org/base", hash_of(policy), "b", NULL, read };
        struct arena a = ARENA_INIT;
        struct judgement j;

        assert_false(trust_judge(t, &doc, 1, NOW, &a, &j, NULL));
        arena_fini(&a);
        signatures_free(read);
    }
    text_add(&file, "\n");
    assert_null(signatures_parse(file.p, file.len, "x", NULL));
    text_fini(&file);
    signatures_free(s);
    trust_free(t);
}

/* What is signed is the canonical form: a comment may change, a number may not. */
static void p09_what_is_signed(void **state)
{
    (void)state;
    assert_string_equal(hash_of(policy),
                        hash_of("carrel: 1\nmemory:\n  max: 1024MiB\nname: org/base\n"));
    assert_string_not_equal(hash_of(policy),
                            hash_of("carrel: 1\nname: org/base\nmemory: {max: 1025MiB}\n"));
}

/* A parent that a role governs is signed under its own name, whatever its child calls it. */
static void p09_layers(void **state)
{
    static const char *const team = "carrel: 1\nname: team/x\nmemory: {max: 1GiB}\n";
    struct trust *t = trust_of(ONE "required: [base]\n");
    struct signatures *s = signatures_new();
    struct statement st = about("base", 3);
    struct signed_document docs[] = {
        { "team/x", hash_of(team), "team.yaml", NULL, NULL },
        { "org/base", hash_of(policy), "base.yaml", "org/base", s },
    };
    struct judgement j[2];
    struct arena a = ARENA_INIT;
    struct problems ps = PROBLEMS_INIT;
    struct text why = TEXT_INIT;

    (void)state;
    sign(s, &st, 0);
    assert_true(trust_judge(t, docs, 2, NOW, &a, j, NULL));
    assert_true(trust_counts(t, &j[1].roles[0]));
    assert_false(trust_counts(t, &j[0].roles[0]));
    /* Without the signed parent there is no signature of the required role. */
    assert_false(trust_judge(t, docs, 1, NOW, &a, j, &ps));
    /* The signed document in the place of another one. */
    docs[1].ref = "org/basis";
    assert_false(trust_judge(t, docs, 2, NOW, &a, j, &ps));
    /* Another document in its place. */
    docs[1] = (struct signed_document){ "harmless", hash_of(team), "base.yaml", "org/base", NULL };
    assert_false(trust_judge(t, docs, 2, NOW, &a, j, &ps));
    problems_print(&ps, &why);
    assert_non_null(
        strstr(text_str(&why), "role base has signed neither this policy nor one above"));
    assert_non_null(
        strstr(text_str(&why), "org/basis calls itself org/base, and role base governs"));
    assert_non_null(
        strstr(text_str(&why), "org/base calls itself harmless, and role base governs"));
    text_fini(&why);
    problems_fini(&ps);
    arena_fini(&a);
    signatures_free(s);
    trust_free(t);
}

static void trust_document_is_strict(void **state)
{
    struct text same = TEXT_INIT;

    (void)state;
    trust_refused("role: []\n", "unknown key \"role\" in trust (did you mean \"roles\"?)");
    trust_refused("roles: [{id: a, keys: [dave]}]\n", "key \"dave\" is not there");
    trust_refused("roles: [{id: a}]\n", "has no keys");
    trust_refused("roles: [{id: a, keys: [bob], threshold: 2}]\n", "fewer keys than its threshold");
    trust_refused("roles: [{id: a, keys: [bob], threshold: 0}]\n", "threshold");
    trust_refused("roles: [{id: a, keys: [bob], names: [\"a*b\"]}]\n", "not a name");
    trust_refused("roles: [{id: a, keys: [bob]}, {id: a, keys: [bob]}]\n", "there twice");
    trust_refused("required: [a]\n", "role \"a\" is not there");
    trust_refused("revoked: {keys: [bob]}\n", "\"bob\" is not a public key");
    trust_refused("revoked: {documents: [bob]}\n", "64 hexadecimal digits");
    trust_refused("roles: [{id: a, keys: [bob], may_grant: {mode: learn}}]\n",
                  "mode: cannot be granted");
    trust_refused("roles: [{id: a, keys: [bob], may_grant: {secrets: [{id: x, from: {env: X}, "
                  "inject: {rule: r, header: A, format: \"{}\"}}]}}]\n",
                  "secrets: cannot be granted");
    trust_refused("roles: [{id: a, keys: [bob], may_grant: {network: {allow: [{id: x}]}}}]\n",
                  "wanted hosts");
    text_add(&same, "  - {id: dave, key: \"%s\"}\n", public_key(1));
    trust_refused(text_str(&same), "\"bob\" and \"dave\" are the same key");
    text_fini(&same);
    trust_refused("  - {id: dave, key: \"ed25519:AAAA\"}\n", "\"dave\" has no public key");
    assert_null(trust_parse("keys: []\n", 9, "t", NULL));
    assert_null(trust_parse("", 0, "t", NULL));
}

static void names_are_exact_or_prefixes(void **state)
{
    struct trust *t = trust_of("roles: [{id: a, keys: [bob], names: [one, \"two/*\"]}, "
                               "{id: all, keys: [bob], names: [\"*\"]}]\n");
    const struct trust_role *a = trust_role(t, "a"), *all = trust_role(t, "all");

    (void)state;
    assert_true(trust_role_governs(a, "one"));
    assert_false(trust_role_governs(a, "one/more"));
    assert_true(trust_role_governs(a, "two/x/y"));
    assert_false(trust_role_governs(a, "two"));
    assert_true(trust_role_governs(all, "anything"));
    assert_null(trust_role(t, "b"));
    trust_free(t);
}

/* Limits: 16 statements of 16 signatures, 64 KiB. */
static void signature_limits(void **state)
{
    struct signatures *s = signatures_new();
    struct statement st = about("base", 1);
    struct text file = TEXT_INIT, one = TEXT_INIT;
    char *big = calloc(1, SIGNATURES_BYTES_MAX + 1);

    (void)state;
    sign(s, &st, 0);
    signatures_print(s, &one);
    for (unsigned i = 0; i < STATEMENTS_MAX + 1; i++) {
        struct signatures *read;

        text_bytes(&file, one.p, one.len);
        read = signatures_parse(file.p, file.len, "x", NULL);
        assert_true((read != NULL) == (i < STATEMENTS_MAX));
        signatures_free(read);
    }
    assert_null(signatures_parse(big, SIGNATURES_BYTES_MAX + 1, "x", NULL));
    assert_null(signatures_parse("", 0, "x", NULL));
    st.expires = st.from;
    assert_string_equal(signatures_add(s, &st, private_key(0)), "expires before it begins");
    st = about("base", 0);
    assert_non_null(signatures_add(s, &st, private_key(0)));
    st = about("Base", 1);
    assert_non_null(signatures_add(s, &st, private_key(0)));
    free(big);
    text_fini(&file);
    text_fini(&one);
    signatures_free(s);
}

/* Rightly signed, and still not read: what is not one of ours in its one spelling. */
static void statement_has_one_spelling(void **state)
{
    static const struct {
        const char *head, *version, *tail;
    } v[] = {
        { "carrel policy signature 1\n", "7", "" },
        { "carrel policy signature 1\n", "7", "more x\n" },
        { "carrel policy signature 1\n", "07", "" },
        { "carrel policy signature 1\n", "+7", "" },
        { "carrel policy signature 1\n", "9007199254740992", "" },
        { "carrel policy signature 2\n", "7", "" },
        { "carrel policy grant 1\n", "7", "" },
        { "", "7", "" },
    };

    (void)state;
    for (size_t i = 0; i < array_len(v); i++) {
        struct text t = TEXT_INIT, file = TEXT_INIT;
        struct note n = { .text = NULL };
        struct signatures *s;

        text_add(&t,
                 "%sname org/base\nsha256 %s\nrole base\nversion %s\nfrom 2026-01-01T00:00:00Z\n"
                 "expires 2027-01-01T00:00:00Z\n%s",
                 v[i].head, hash_of(policy), v[i].version, v[i].tail);
        n.text = t.p;
        n.len = t.len;
        assert_true(note_sign(&n, private_key(0)));
        note_print(&n, &file);
        s = signatures_parse(file.p, file.len, "x", NULL);
        assert_true((s != NULL) == (i == 0));
        signatures_free(s);
        text_fini(&t);
        text_fini(&file);
    }
}

/* A new signature takes the place of what the key said before, of this document or an older one. */
static void signing_again(void **state)
{
    struct signatures *s = signatures_new();
    struct statement st = about("base", 1), team = about("team", 1);

    (void)state;
    st.sha256 = hash_of("carrel: 1\nname: org/base\n");
    sign(s, &st, 0);
    sign(s, &st, 1);
    st = about("base", 2);
    sign(s, &st, 0);
    assert_int_equal(s->n, 1);
    assert_int_equal(s->v[0].version, 2);
    sign(s, &team, 0);
    assert_int_equal(s->n, 2);
    st.version = 3;
    sign(s, &st, 0);
    assert_int_equal(s->n, 2);
    signatures_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc8032_vectors),
        cmocka_unit_test(p09_small_order_keys),
        cmocka_unit_test(keys_have_one_spelling),
        cmocka_unit_test(dates_are_the_calendar),
        cmocka_unit_test(p09_unsigned),
        cmocka_unit_test(p09_times),
        cmocka_unit_test(p09_longest),
        cmocka_unit_test(p09_revoked),
        cmocka_unit_test(p09_wrong_role),
        cmocka_unit_test(p09_threshold),
        cmocka_unit_test(p09_one_key_counts_once),
        cmocka_unit_test(p09_until),
        cmocka_unit_test(p09_another_document),
        cmocka_unit_test(p09_every_byte),
        cmocka_unit_test(p09_what_is_signed),
        cmocka_unit_test(p09_layers),
        cmocka_unit_test(trust_document_is_strict),
        cmocka_unit_test(names_are_exact_or_prefixes),
        cmocka_unit_test(signature_limits),
        cmocka_unit_test(statement_has_one_spelling),
        cmocka_unit_test(signing_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
