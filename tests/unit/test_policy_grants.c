/* Grants: one rule or number more, inside what the one who grants may grant, for a time (P08, P09).
 */
#include "policies/canon.h"
#include "policies/decide.h"
#include "policies/grants.h"
#include "policies/layers.h"
#include "policies/points.h"
#include "policies/ruleset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define NOW  INT64_C(1800000000)
#define HOUR 3600

static const char policy[] = "carrel: 1\n"
                             "name: agent\n"
                             "budget: {egress: 100MiB}\n"
                             "network:\n"
                             "  allow: [{id: pypi, hosts: [pypi.org]}]\n"
                             "  deny: [{id: no, hosts: [secret.example.org]}]\n";

static const uint8_t *private_key(unsigned i)
{
    static uint8_t keys[8][ED25519_KEY_BYTES];

    memset(keys[i], (int)(i + 1), sizeof(keys[i]));
    return keys[i];
}

static void public_key(unsigned i, char text[ED25519_KEY_TEXT])
{
    uint8_t raw[ED25519_KEY_BYTES];

    ed25519_public(private_key(i), raw);
    ed25519_key_print(raw, text);
}

/* alice (key 0) may grant hosts below example.org and up to 1 GiB; ops needs two; chief, nothing.
 */
static struct trust *trust_with(const char *rest)
{
    char a[ED25519_KEY_TEXT], b[ED25519_KEY_TEXT];
    struct problems ps = PROBLEMS_INIT;
    struct text t = TEXT_INIT, why = TEXT_INIT;
    struct trust *trust;

    public_key(0, a);
    public_key(1, b);
    text_add(&t,
             "carrel: 1\nkeys: [{id: alice, key: \"%s\"}, {id: bob, key: \"%s\"}]\nroles:\n"
             "  - id: help\n    keys: [alice]\n    delegate: 2\n    longest: 1d\n"
             "    may_grant:\n      budget: {egress: 1GiB, forks: 4}\n"
             "      network:\n"
             "        allow: [{id: any, hosts: [\"**.example.org\"], ports: [443, 8443], methods: "
             "[GET, HEAD]}]\n"
             "        deny: [{id: no, hosts: [admin.example.org]}]\n"
             "      tools: {commands: [{id: git, exec: {path: /usr/bin/git}, argv: [{allow: "
             "[status]}], network: [pypi]}]}\n"
             "  - {id: ops, keys: [alice, bob], threshold: 2, may_grant: {limits: {wall: 1d}}}\n"
             "  - {id: chief, keys: [alice]}\n%s",
             a, b, rest);
    trust = trust_parse(t.p, t.len, "trust.yaml", &ps);
    problems_print(&ps, &why);
    if (!trust)
        fail_msg("%s", text_str(&why));
    text_fini(&t);
    text_fini(&why);
    problems_fini(&ps);
    return trust;
}

static const char *policy_sha256(void)
{
    static char h[POLICY_HASH_HEX];
    struct policy *p = policy_parse(policy, strlen(policy), "p", NULL);

    policy_hash(p, h);
    policy_free(p);
    return h;
}

static struct grant link(const char *id, const char *role, const char *widen)
{
    return (struct grant){ .id = id,
                           .policy = "agent",
                           .sha256 = policy_sha256(),
                           .role = role,
                           .from = NOW - HOUR,
                           .expires = NOW + HOUR,
                           .widen = widen };
}

static void add(struct grants *g, const struct grant *l, unsigned key)
{
    struct problems ps = PROBLEMS_INIT;
    struct text why = TEXT_INIT;
    bool ok = grants_add(g, l, private_key(key), &ps);

    problems_print(&ps, &why);
    if (!ok)
        fail_msg("%s", text_str(&why));
    text_fini(&why);
    problems_fini(&ps);
}

static struct grants *one(const char *role, const char *widen)
{
    struct grants *g = grants_new("a.grant");
    struct grant l = link("more", role, widen);

    add(g, &l, 0);
    return g;
}

/* Through text and back, checked. NULL in what: it is good; otherwise why it is not. */
static struct grants *checked(const struct grants *g, const struct trust *t, int64_t now,
                              const char *what)
{
    struct problems ps = PROBLEMS_INIT;
    struct text file = TEXT_INIT, again = TEXT_INIT, why = TEXT_INIT;
    struct grants *read;
    bool ok;

    grants_print(g, &file);
    read = grants_parse(file.p, file.len, "a.grant", &ps);
    problems_print(&ps, &why);
    if (!read) {
        fail_msg("%s", text_str(&why));
        return NULL;
    }
    grants_print(read, &again);
    assert_string_equal(file.p, again.p);
    ok = grants_check(read, t, "agent", policy_sha256(), now, &ps);
    problems_print(&ps, &why);
    if (ok != !what || ok != (ps.errors == 0) || (what && !strstr(text_str(&why), what)))
        fail_msg("wanted \"%s\", got: %s", what ? what : "(good)", text_str(&why));
    text_fini(&file);
    text_fini(&again);
    text_fini(&why);
    problems_fini(&ps);
    return read;
}

static void check(const struct grants *g, const struct trust *t, int64_t now, const char *what)
{
    grants_free(checked(g, t, now, what));
}

/* One grant by a role, and what becomes of it. */
static void granting(const char *role, const char *widen, const char *what)
{
    struct trust *t = trust_with("");
    struct grants *g = one(role, widen);

    check(g, t, NOW, what);
    grants_free(g);
    trust_free(t);
}

static bool allows(const struct policy *p, const char *ask)
{
    struct ruleset *rs = ruleset_make(p, NULL);
    struct arena a = ARENA_INIT;
    struct request r;
    bool allowed;

    assert_null(point_parse_line(&a, ask, &r));
    allowed = decide(rs, &r).allowed;
    arena_fini(&a);
    ruleset_free(rs);
    return allowed;
}

/* The policy widened, or NULL when what is in the reason. */
static struct policy *widened(const char *widen, const char *what)
{
    struct problems ps = PROBLEMS_INIT;
    struct text why = TEXT_INIT;
    struct policy *p = policy_load(policy, strlen(policy), "agent.yaml", NULL, NULL, &ps);
    struct grants *g = one("help", widen);
    bool ok = grants_apply(g, p, &ps);

    problems_print(&ps, &why);
    if (ok != !what || ok != (ps.errors == 0) || (what && !strstr(text_str(&why), what)))
        fail_msg("wanted \"%s\", got: %s", what ? what : "(good)", text_str(&why));
    text_fini(&why);
    problems_fini(&ps);
    grants_free(g);
    if (ok)
        return p;
    policy_free(p);
    return NULL;
}

#define RULE(id, rest) "network: {allow: [{id: " id ", " rest "}]}"

static void grant_of_a_number(void **state)
{
    struct policy *p = widened("budget: {egress: 1GiB}", NULL);

    (void)state;
    granting("help", "budget: {egress: 1GiB}", NULL);
    granting("help", "budget: {egress: 1025MiB}",
             "budget/egress is wider than what role help may grant, which denies: resource "
             "--field budget.egress --value 107374182");
    granting("help", "budget: {forks: 5}", "wider than what role help may grant");
    /* What is not named cannot be granted, not even up to its default. */
    granting("help", "budget: {tokens: 2}", "tokens: is not part of what role help may grant");
    granting("help", "memory: {max: 64MiB}", "max: is not part of what role help may grant");
    assert_true(allows(p, "resource budget.egress 1GiB"));
    assert_false(allows(p, "resource budget.egress 1025MiB"));
    assert_true(allows(p, "http pypi.org GET /"));
    policy_free(p);
    assert_null(widened("budget: {egress: 100MiB}", "the policy allows as much already"));
    assert_null(widened("budget: {egress: 50MiB}", "the policy allows as much already"));
}

static void grant_of_a_rule(void **state)
{
    struct policy *p = widened(RULE("docs", "hosts: [\"**.example.org\"]"), NULL);

    (void)state;
    granting("help", RULE("docs", "hosts: [docs.example.org]"), NULL);
    granting("help", RULE("docs", "hosts: [docs.example.org], paths: [/a]"), NULL);
    /* The same id as the bound's: what it does not say is the default, not the bound's. */
    granting("help", RULE("any", "hosts: [docs.example.org], methods: [POST]"),
             "which denies: http --host docs.example.org --method POST");
    granting("help", RULE("docs", "hosts: [example.com]"), "which denies: ");
    granting("help", RULE("docs", "hosts: [docs.example.org], ports: [80]"), "which denies: ");
    granting("help", RULE("docs", "hosts: [docs.example.org], protocol: tcp"), "which denies: ");
    granting("help", RULE("docs", "hosts: [\"*.example.org\"]"), "admin.example.org");
    granting("help", RULE("docs", "any_host: true"), "which denies: ");
    assert_true(allows(p, "http docs.example.org GET /"));
    assert_false(allows(p, "http docs.example.org POST /"));
    /* A denial of the policy holds whatever is granted. */
    assert_false(allows(p, "http secret.example.org GET /"));
    policy_free(p);
    assert_null(
        widened(RULE("pypi", "hosts: [a.example.org]"), "the policy has a rule of this name"));
    /* P07: two rules for one request that disagree. */
    assert_null(widened(RULE("x", "hosts: [pypi.org], protocol: tls"), "protocol"));
}

static void grant_of_a_command(void **state)
{
    static const char git[] = "tools: {commands: [{id: git, exec: {path: /usr/bin/git}, argv: "
                              "[{allow: [status]}], network: [pypi]}]}";
    struct policy *p = widened(git, NULL);

    (void)state;
    assert_true(allows(p, "exec /usr/bin/git -- status"));
    assert_false(allows(p, "exec /usr/bin/git -- push"));
    policy_free(p);
    granting("help", git, NULL);
    granting("help",
             "tools: {commands: [{id: git, exec: {path: /usr/bin/git}, argv: [{allow: [push]}]}]}",
             "which denies: exec");
    /* What it names must be in the policy. */
    assert_null(
        widened("tools: {commands: [{id: git, exec: {path: /usr/bin/git}, network: [npm]}]}",
                "network rule \"npm\" is not there"));
}

static const char store[] =
    "  - {id: store, keys: [alice], may_grant: {cpu: {vcpus: 4, quota: 50%}, budget: {egress: "
    "1GiB}, storage: {root: {quota: "
    "{bytes: 2GiB}}, mounts: [{id: a, source: /srv/a, target: /a}], memory: [{id: a, target: /m, "
    "access: read}]}}}\n";

static void storing(const char *widen, const char *what)
{
    struct trust *t = trust_with(store);
    struct grants *g = one("store", widen);

    check(g, t, NOW, what);
    grants_free(g);
    trust_free(t);
}

/* The image's own files, which every policy has, are not what is granted: a bound that mounts
 * something over them does not take them away. */
static void grant_beside_mounts(void **state)
{
    (void)state;
    storing("storage: {mounts: [{id: a, source: /srv/a, target: /a}]}", NULL);
    storing("storage: {memory: [{id: a, target: /m, access: read}]}", NULL);
    storing("budget: {egress: 1GiB}", NULL);
    /* Of another number that the role may grant, the part says nothing: its default is no grant. */
    storing("cpu: {vcpus: 3}", NULL);
    storing("storage: {root: {quota: {bytes: 2GiB}}}", NULL);
    storing("storage: {root: {quota: {bytes: 3GiB}}}", "wider than what role store may grant");
    storing("storage: {mounts: [{id: a, source: /srv/a, target: /b}]}", "which denies: ");
    storing("storage: {mounts: [{id: a, source: /srv/b, target: /a}]}", "which denies: mount");
    storing("budget: {egress: 2GiB}", "wider than what role store may grant");
    /* A mount without access is still a mount. */
    storing("storage: {mounts: [{id: a, source: /etc, target: /e, access: none}]}",
            "which denies: mount");
    storing("storage: {memory: [{id: a, target: /e}]}", "which denies: mount");
}

/* Whatever sort of rule: the bound itself is inside the bound, a wider one is not. */
static void grant_of_each_sort(void **state)
{
    static const struct {
        const char *section, *bound, *wider;
    } v[] = {
        { "network: {publish: [%s]}", "{guest: 8080, host: \"127.0.0.1:18080\"}",
          "{guest: 8080, host: \"0.0.0.0:18080\"}" },
        { "network: {allow: [%s]}", "{id: a, hosts: [a.org], limits: {rate: 1/s}}",
          "{id: a, hosts: [a.org], limits: {rate: 2/s}}" },
        { "tools: {host: [%s]}", "{id: a, command: [/bin/git, push]}",
          "{id: a, command: [/bin/git, push], approve: never}" },
        { "tools: {host: [%s]}", "{id: a, command: [/bin/git, push]}",
          "{id: a, command: [/bin/git, pull]}" },
        { "tools: {mcp: [%s]}", "{id: a, server: [/bin/mcp], allow: [list]}",
          "{id: a, server: [/bin/mcp], allow: [list, remove]}" },
        { "tools: {mcp: [%s]}", "{id: a, server: [/bin/mcp], allow: [list]}",
          "{id: a, server: [/bin/sh], allow: []}" },
        { "storage: {mounts: [%s]}", "{id: a, source: /srv/data, target: /data}",
          "{id: a, source: /srv/data, target: /data, access: rw}" },
        { "storage: {mounts: [%s]}", "{id: a, source: /srv/data, target: /data}",
          "{id: a, source: /srv, target: /data}" },
        { "storage: {memory: [%s]}", "{id: a, target: /memory, access: read}",
          "{id: a, target: /memory, access: append}" },
        { "models: [%s]", "{id: a, endpoint: \"https://a.org/v1\", names: [\"q*\"]}",
          "{id: a, endpoint: \"https://a.org/v1\", names: [\"*\"]}" },
        { "accelerators: [%s]", "{id: a, attach: passthrough, match: {vendor: nvidia}}",
          "{id: a, attach: passthrough, match: {vendor: amd}}" },
        { "accelerators: [%s]", "{id: a, attach: passthrough, match: {vendor: nvidia}}",
          "{id: a, attach: passthrough, match: {vendor: nvidia}, count: 2}" },
    };

    (void)state;
    for (size_t i = 0; i < array_len(v); i++) {
        struct text rest = TEXT_INIT;
        size_t head = strcspn(v[i].section, "%");
        struct trust *t;

        text_add(&rest, "  - {id: sort, keys: [alice], may_grant: {%.*s%s%s}}\n", (int)head,
                 v[i].section, v[i].bound, v[i].section + head + 2);
        t = trust_with(text_str(&rest));
        for (unsigned wider = 0; wider < 2; wider++) {
            struct text widen = TEXT_INIT;
            struct grants *g;

            text_add(&widen, "%.*s%s%s", (int)head, v[i].section, wider ? v[i].wider : v[i].bound,
                     v[i].section + head + 2);
            g = one("sort", text_str(&widen));
            check(g, t, NOW, wider ? "wider than what role sort may grant, which denies: " : NULL);
            grants_free(g);
            text_fini(&widen);
        }
        trust_free(t);
        text_fini(&rest);
    }
    granting("help", "tools: {commands: [{id: x, exec: {path: /bin/x}}]}", "which denies: ");
}

/* A part is one rule or one number, no more, no less, and nothing else. */
static void grant_is_one_thing(void **state)
{
    static const struct {
        const char *widen, *what;
    } bad[] = {
        { "{}", "wanted exactly one rule or number" },
        { "budget: {}", "wanted exactly one rule or number" },
        { "budget: {egress: 1GiB, forks: 1}", "wanted exactly one rule or number" },
        { "network: {allow: [{id: a, hosts: [a.org]}, {id: b, hosts: [b.org]}]}",
          "wanted exactly one rule or number" },
        { "{budget: {egress: 1GiB}, name: other}", "name: cannot be granted" },
        { "extends: []", "extends: cannot be granted" },
        { "mode: learn", "mode: cannot be granted" },
        { "cpu: {nested: true}", "nested: cannot be granted" },
        { "audit: {level: off}", "level: cannot be granted" },
        { "audit: {retain: 1d}", "retain: cannot be granted" },
        { "network: {deny: [{id: a, hosts: [a.org]}]}", "deny: cannot be granted" },
        { "network: {allow: [{id: a}]}", "wanted hosts" },
        { "secrets: [{id: a, from: {env: X}, inject: {rule: pypi, header: A, format: \"{}\"}}]",
          "secrets: cannot be granted" },
        { "budgets: {egress: 1GiB}", "unknown key" },
    };

    (void)state;
    for (size_t i = 0; i < array_len(bad); i++) {
        struct problems ps = PROBLEMS_INIT;
        struct text why = TEXT_INIT;
        struct grants *g = grants_new("a.grant");
        struct grant l = link("more", "help", bad[i].widen);

        assert_false(grants_add(g, &l, private_key(0), &ps));
        problems_print(&ps, &why);
        if (!strstr(text_str(&why), bad[i].what))
            fail_msg("wanted \"%s\", got: %s", bad[i].what, text_str(&why));
        text_fini(&why);
        problems_fini(&ps);
        grants_free(g);
    }
}

static void p09_grant_signatures(void **state)
{
    struct trust *t = trust_with(""), *revoked;
    struct grants *g = grants_new("a.grant");
    struct grant l = link("more", "help", "budget: {egress: 1GiB}");
    struct text rest = TEXT_INIT;
    char key[ED25519_KEY_TEXT], hash[SHA256_HEX];

    (void)state;
    add(g, &l, 1); /* bob does not speak for help */
    check(g, t, NOW, "needs 1 signature of role help and has 0; bob: not a key of this role");
    assert_null(grants_cosign(g, private_key(0)));
    check(g, t, NOW, NULL);
    check(g, t, NOW - HOUR - 1, "alice: not yet valid");
    check(g, t, NOW + HOUR, "alice: expired");
    check(g, t, NOW + HOUR - 1, NULL);
    public_key(0, key);
    text_add(&rest, "revoked: {keys: [\"%s\"]}\n", key);
    revoked = trust_with(text_str(&rest));
    check(g, revoked, NOW, "alice: revoked key");
    trust_free(revoked);
    text_fini(&rest);
    grant_hash(&g->v[0], hash);
    text_add(&rest, "revoked: {documents: [%s]}\n", hash);
    revoked = trust_with(text_str(&rest));
    check(g, revoked, NOW, "grant more: revoked");
    trust_free(revoked);
    text_fini(&rest);
    grants_free(g);
    granting("chief", "budget: {egress: 1GiB}", "role chief may grant nothing");
    granting("nobody", "budget: {egress: 1GiB}", "no role \"nobody\"");
    /* Two of two. */
    g = one("ops", "limits: {wall: 2h}");
    check(g, t, NOW, "needs 2 signatures of role ops and has 1");
    assert_null(grants_cosign(g, private_key(0)));
    check(g, t, NOW, "needs 2 signatures of role ops and has 1");
    assert_null(grants_cosign(g, private_key(1)));
    check(g, t, NOW, NULL);
    grants_free(g);
    /* For longer than the role may. */
    g = grants_new("a.grant");
    l.expires = l.from + 24 * HOUR + 1;
    add(g, &l, 0);
    check(g, t, NOW, "valid for longer than this role can sign");
    grants_free(g);
    trust_free(t);
}

static void p09_grant_for_another_policy(void **state)
{
    struct trust *t = trust_with("");
    struct grants *g = one("help", "budget: {egress: 1GiB}");

    (void)state;
    assert_true(grants_check(g, t, "agent", policy_sha256(), NOW, NULL));
    assert_false(grants_check(g, t, "agenu", policy_sha256(), NOW, NULL));
    assert_false(grants_check(g, t, "agent",
                              "0000000000000000000000000000000000000000000000000000000000000000",
                              NOW, NULL));
    grants_free(g);
    trust_free(t);
}

static void p09_grant_every_byte(void **state)
{
    struct trust *t = trust_with("");
    struct grants *g = one("help", RULE("docs", "hosts: [docs.example.org]"));
    struct text file = TEXT_INIT;
    static const char flips[] = { 1, 0x20, (char)0x80 };

    (void)state;
    grants_print(g, &file);
    for (size_t i = 0; i < file.len; i++) {
        for (size_t f = 0; f < sizeof(flips); f++) {
            struct grants *read;

            file.p[i] ^= flips[f];
            read = grants_parse(file.p, file.len, "x", NULL);
            assert_false(read && grants_check(read, t, "agent", policy_sha256(), NOW, NULL));
            grants_free(read);
            file.p[i] ^= flips[f];
        }
    }
    for (size_t len = 0; len < file.len; len++)
        assert_null(grants_parse(file.p, len, "x", NULL));
    text_fini(&file);
    grants_free(g);
    trust_free(t);
}

/* help -> key 2 -> key 3, each narrower than the one before. */
static struct grants *chain(uint64_t depth)
{
    struct grants *g = grants_new("a.grant");
    struct grant l = link("first", "help", RULE("docs", "hosts: [\"**.docs.example.org\"]"));

    l.delegates = true;
    l.depth = depth;
    ed25519_public(private_key(2), l.delegate);
    add(g, &l, 0);
    return g;
}

static struct grant below(const char *id, const char *hosts)
{
    static char widen[2][256];
    static unsigned at;

    at = !at;
    snprintf(widen[at], sizeof(widen[at]), RULE("docs", "hosts: [%s]"), hosts);
    return link(id, NULL, widen[at]);
}

static void one_below(const struct trust *t, const struct grant *l, unsigned key, const char *what)
{
    struct grants *g = chain(1);

    add(g, l, key);
    check(g, t, NOW, what);
    grants_free(g);
}

static void grant_delegation(void **state)
{
    struct trust *t = trust_with(""), *revoked;
    struct grants *g = chain(2);
    struct grant second = below("second", "a.docs.example.org, b.docs.example.org");
    struct grant third = below("third", "a.docs.example.org"), bad;
    struct text rest = TEXT_INIT;
    char key[ED25519_KEY_TEXT];

    (void)state;
    check(g, t, NOW, NULL);
    second.delegates = true;
    second.depth = 1;
    ed25519_public(private_key(3), second.delegate);
    add(g, &second, 2);
    check(g, t, NOW, NULL);
    add(g, &third, 3);
    check(g, t, NOW, NULL);
    /* Revoked in the middle: what hangs below it falls. */
    public_key(3, key);
    text_add(&rest, "revoked: {keys: [\"%s\"]}\n", key);
    revoked = trust_with(text_str(&rest));
    check(g, revoked, NOW, "grant third: its key is revoked");
    trust_free(revoked);
    text_fini(&rest);
    add(g, &third, 3);
    check(g, t, NOW, "grant third is not to be handed on");
    grants_free(g);

    one_below(t, &third, 2, NULL);
    one_below(t, &third, 3, "not signed by the key that grant first names");
    one_below(t, &third, 0, "not signed by the key that grant first names");
    bad = third;
    bad.expires++;
    one_below(t, &bad, 2, "lasts longer than grant first");
    bad = third;
    bad.from--;
    one_below(t, &bad, 2, "lasts longer than grant first");
    bad = third;
    bad.from = NOW + 1;
    one_below(t, &bad, 2, "not yet valid");
    bad = third;
    bad.expires = NOW;
    one_below(t, &bad, 2, "grant third: expired");
    one_below(t, &second, 2, "can be handed on as often as grant first");
    bad = below("wider", "a.example.org");
    one_below(t, &bad, 2, "network/docs is wider than grant first, which denies: ");
    bad = link("other", NULL, "budget: {egress: 1MiB}");
    one_below(t, &bad, 2, "egress: is not part of grant first");
    g = chain(3);
    check(g, t, NOW, "role help lets its grants be handed on 2 times, not 3");
    grants_free(g);
    trust_free(t);
}

/* Links of one chain in the place of another's. */
static void grant_chains_do_not_mix(void **state)
{
    struct trust *t = trust_with("");
    struct grants *a = chain(1), *b = chain(2), *read;
    struct grant third = below("third", "a.docs.example.org");
    struct text file = TEXT_INIT, tail = TEXT_INIT;
    struct problems ps = PROBLEMS_INIT;
    struct text why = TEXT_INIT;

    (void)state;
    add(a, &third, 2);
    note_print(&a->v[1].note, &tail);
    /* A link without the one above it. */
    read = grants_parse(tail.p, tail.len, "x", &ps);
    assert_non_null(read);
    assert_false(grants_check(read, t, "agent", policy_sha256(), NOW, &ps));
    grants_free(read);
    grants_print(b, &file);
    text_bytes(&file, tail.p, tail.len);
    read = grants_parse(file.p, file.len, "x", &ps);
    assert_non_null(read);
    assert_false(grants_check(read, t, "agent", policy_sha256(), NOW, &ps));
    grants_free(read);
    /* A role's grant below another: it would not be bounded by it. */
    text_fini(&file);
    grants_print(b, &file);
    grants_print(b, &file);
    read = grants_parse(file.p, file.len, "x", &ps);
    assert_non_null(read);
    assert_false(grants_check(read, t, "agent", policy_sha256(), NOW, &ps));
    grants_free(read);
    problems_print(&ps, &why);
    assert_non_null(strstr(text_str(&why), "stands below a grant that is not here"));
    assert_non_null(strstr(text_str(&why), "does not follow grant first"));
    assert_non_null(strstr(text_str(&why), "names a role, but stands below another grant"));
    text_fini(&why);
    text_fini(&tail);
    text_fini(&file);
    problems_fini(&ps);
    grants_free(a);
    grants_free(b);
    trust_free(t);
}

/* A grant whose text is this, rightly signed. */
static struct grants *written(const char *text)
{
    struct note n = { .text = text, .len = strlen(text) };
    struct text file = TEXT_INIT;
    struct grants *g;

    assert_true(note_sign(&n, private_key(0)));
    note_print(&n, &file);
    g = grants_parse(file.p, file.len, "x", NULL);
    text_fini(&file);
    return g;
}

/* One spelling: what is signed reads the same to everyone. */
static void grant_has_one_spelling(void **state)
{
#define NUMBER "widen {\"budget\":{\"egress\":\"1073741824B\"}}\n"
#define KEY    "ed25519:iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w="
    static const struct {
        const char *expires, *rest;
        bool taken;
    } v[] = {
        { "2027-01-01T00:00:00Z", NUMBER, true },
        { "2027-01-01T00:00:00Z", "delegate " KEY " 6\n" NUMBER, true },
        { "2027-01-01T00:00:00Z", "delegate " KEY " 7\n" NUMBER, false },
        { "2027-01-01T00:00:00Z", "delegate " KEY " 0\n" NUMBER, false },
        { "2027-01-01T00:00:00Z", "delegate " KEY "\n" NUMBER, false },
        { "2026-01-01T00:00:00Z", NUMBER, false },
        { "2025-01-01T00:00:00Z", NUMBER, false },
        { "2027-01-01T00:00:00Z", NUMBER "more x\n", false },
        { "2027-01-01T00:00:00Z", "widen {\"budget\":{\"egress\":\"1GiB\"}}\n", false },
        { "2027-01-01T00:00:00Z", "widen {\"budget\": {\"egress\":\"1073741824B\"}}\n", false },
        { "2027-01-01T00:00:00Z", "widen budget: {egress: 1GiB}\n", false },
    };

    (void)state;
    for (size_t i = 0; i < array_len(v); i++) {
        struct text t = TEXT_INIT;
        struct grants *g;

        text_add(&t,
                 "carrel policy grant 1\nid a\npolicy agent\nsha256 %s\nrole help\nfrom "
                 "2026-01-01T00:00:00Z\nexpires %s\n%s",
                 policy_sha256(), v[i].expires, v[i].rest);
        g = written(t.p);
        assert_true((g != NULL) == v[i].taken);
        grants_free(g);
        text_fini(&t);
    }
}

/* The right key's name over another one's signature. */
static void p09_forged_link(void **state)
{
    struct trust *t = trust_with("");
    struct grants *g = chain(1);
    struct grant third = below("third", "a.docs.example.org");

    (void)state;
    add(g, &third, 2);
    check(g, t, NOW, NULL);
    g->v[1].note.v[0].sig[5] ^= 1;
    check(g, t, NOW, "not signed by the key that grant first names");
    ed25519_sign(private_key(0), g->v[1].note.text, g->v[1].note.len, g->v[1].note.v[0].sig);
    check(g, t, NOW, "not signed by the key that grant first names");
    grants_free(g);
    trust_free(t);
}

static void note_limit(void **state)
{
    struct text t = TEXT_INIT;

    (void)state;
    while (t.len < NOTE_BYTES_MAX)
        text_add(&t, "0123456789abcde\n");
    for (unsigned more = 0; more < 2; more++) {
        struct text file = TEXT_INIT;
        struct note n = { .text = t.p, .len = t.len };
        const char *at;

        assert_true(note_sign(&n, private_key(0)));
        note_print(&n, &file);
        at = file.p;
        assert_true((note_parse(&at, file.p + file.len, &n) == NULL) == !more);
        text_fini(&file);
        text_add(&t, "\n");
        t.p[t.len - 2] = 'x';
    }
    text_fini(&t);
}

static void grant_limits(void **state)
{
    struct grants *g = chain(2);
    struct text file = TEXT_INIT;
    char *big = calloc(1, GRANT_BYTES_MAX + 1);

    (void)state;
    grants_print(g, &file);
    for (unsigned i = 1; i < 9; i++) {
        struct grants *read = grants_parse(file.p, file.len, "x", NULL);

        assert_true((read != NULL) == (i <= GRANT_LINKS_MAX));
        grants_free(read);
        grants_print(g, &file);
    }
    assert_null(grants_parse(big, GRANT_BYTES_MAX + 1, "x", NULL));
    free(big);
    text_fini(&file);
    grants_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grant_of_a_number),
        cmocka_unit_test(grant_of_a_rule),
        cmocka_unit_test(grant_of_a_command),
        cmocka_unit_test(grant_of_each_sort),
        cmocka_unit_test(grant_beside_mounts),
        cmocka_unit_test(grant_is_one_thing),
        cmocka_unit_test(p09_grant_signatures),
        cmocka_unit_test(p09_grant_for_another_policy),
        cmocka_unit_test(p09_grant_every_byte),
        cmocka_unit_test(grant_delegation),
        cmocka_unit_test(grant_chains_do_not_mix),
        cmocka_unit_test(grant_has_one_spelling),
        cmocka_unit_test(p09_forged_link),
        cmocka_unit_test(note_limit),
        cmocka_unit_test(grant_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
