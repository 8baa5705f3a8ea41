/* Simulation and learning: what happened, decided again; and the smallest policy that allows it. */
#include "policies/canon.h"
#include "policies/compare.h"
#include "policies/layers.h"
#include "policies/learn.h"
#include "policies/points.h"
#include "policies/simulate.h"
#include "tests/unit/shipped.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct policy *load(const char *text)
{
    struct problems ps = PROBLEMS_INIT;
    struct policy *p = policy_load(text, strlen(text), "parent.yaml", NULL, NULL, &ps);

    if (!p) {
        struct text t = TEXT_INIT;

        problems_print(&ps, &t);
        fail_msg("%s", text_str(&t));
    }
    problems_fini(&ps);
    return p;
}

static const char parent_text[] =
    "carrel: 1\n"
    "name: parent\n"
    "memory: {max: 2GiB}\n"
    "limits: {wall: 30m}\n"
    "budget: {forks: 8}\n"
    "cpu: {nested: true}\n"
    "snapshot: {save: true, restore: true}\n"
    "tools:\n"
    "  commands:\n"
    "  - {id: any, exec: {path: \"/usr/bin/*\"}, argv: [{allow: [{any: {count: 0..64}}]}, {deny: "
    "[{prefix: \"-c\"}]}], env: {allow: [\"PY*\"], set: {LANG: C}}, network: [web], paths: {ro: "
    "[/usr], rw: [/w]}}\n"
    "  - {id: git, exec: {path: /opt/git}, argv: [{allow: [{enum: [clone, fetch, pull]}, {any: "
    "{count: 0..4}}]}], network: [web]}\n"
    "  host:\n"
    "  - {id: push, command: [/usr/bin/git, push, {any: {count: 0..3}}], approve: never}\n"
    "  mcp:\n"
    "  - {id: gh, server: [npx, gh], allow: [list, {tool: \"get_*\", args: {path: {prefix: "
    "\"docs/\"}}}]}\n"
    "storage:\n"
    "  root: {mode: read-only}\n"
    "  mounts:\n"
    "  - {id: work, source: ./, target: /w, access: rw, deny_read: [\"**/.env\"], deny_write: "
    "[\"**/.git/**\"]}\n"
    "  - {id: other, source: /srv, target: /srv, access: rw}\n"
    "  memory:\n"
    "  - {id: notes, target: /memory, access: write}\n"
    "network:\n"
    "  allow:\n"
    "  - {id: web, hosts: [\"**.example.org\", pypi.org], ports: [443, 8000..8010], methods: [GET, "
    "HEAD, POST], paths: [\"/**\"]}\n"
    "  - {id: api, hosts: [api.example.net], protocol: tls}\n"
    "  deny:\n"
    "  - {id: bad, hosts: [bad.example.org]}\n"
    "secrets:\n"
    "  - {id: key, from: {env: KEY}, inject: {rule: web, header: Authorization, format: \"{}\"}}\n"
    "models:\n"
    "  - {id: m, endpoint: \"http://a\", names: [\"qwen*\", deep]}\n";

static struct learned *learn_in(const struct ruleset *rs, const char *events)
{
    struct problems ps = PROBLEMS_INIT;
    struct events e = { .n = 0 };
    char hash[POLICY_HASH_HEX], ref[100];
    struct learned *l;

    policy_hash(rs->policy, hash);
    snprintf(ref, sizeof(ref), "parent@sha256:%s", hash);
    events_text(&e, events, strlen(events));
    l = policy_learn(rs, &e, "learned", ref, &ps);
    if (!l || !l->policy) {
        struct text t = TEXT_INIT;

        problems_print(&ps, &t);
        fail_msg("%s", text_str(&t));
    }
    problems_fini(&ps);
    events_fini(&e);
    return l;
}

static int find_parent(void *ctx, const char *name, const char **text, size_t *len,
                       const char **file)
{
    if (strcmp(name, "parent") != 0)
        return -1;
    *text = ctx;
    *len = strlen(*text);
    *file = "parent.yaml";
    return 0;
}

/* What is printed, loaded again as a user would: with its parent, by the whole of policy_load. */
static struct policy *reload(const struct learned *l, const char *parent)
{
    struct text t = TEXT_INIT;
    struct problems ps = PROBLEMS_INIT;
    struct policy *p;

    learned_print(l, &t);
    p = policy_load(t.p, t.len, "learned.yaml", find_parent, (void *)(uintptr_t)parent, &ps);
    if (!p) {
        problems_print(&ps, &t);
        fail_msg("%s", text_str(&t));
    }
    problems_fini(&ps);
    text_fini(&t);
    return p;
}

static bool allows(const struct ruleset *rs, const char *line)
{
    struct arena a = ARENA_INIT;
    struct request r;
    bool yes;

    if (point_parse_line(&a, line, &r))
        fail_msg("%s", line);
    yes = decide(rs, &r).allowed;
    arena_fini(&a);
    return yes;
}

static bool leaves(const struct learned *l, const char *request, const char *why)
{
    for (uint32_t i = 0; i < l->nleft; i++)
        if (strstr(l->left[i].request, request) && strstr(l->left[i].why, why))
            return true;
    return false;
}

static const char run[] = "exec /usr/bin/python3 --env PYTHONPATH=/w -- -m pytest -q tests/a.py\n"
                          "exec /usr/bin/python3 --env LANG=C -- -m pytest -q tests/b.py\n"
                          "exec /usr/bin/python3 -- -m pip install x\n"
                          "exec /usr/bin/python3 -- -m pip install x y z\n"
                          "exec /usr/bin/make\n"
                          "exec /opt/git -- clone https://a.example.org/x\n"
                          "http a.example.org GET /one/x\n"
                          "http a.example.org POST /two --up 5KiB\n"
                          "connect pypi.org:8001\n"
                          "connect api.example.net\n"
                          "file read /w/a\n"
                          "file write /w/b --bytes 10B\n"
                          "mcp gh get_file -- path=docs/a\n"
                          "host -- /usr/bin/git push origin\n"
                          "model qwen3 http://a\n"
                          "resource memory.max 512MiB\n"
                          "snapshot save\n"
                          "fork 1\n";

static void learned_is_small_and_enough(void **state)
{
    static const char *const inside[] = {
        "exec /usr/bin/python3 -- -m pytest -q tests/a.py",
        "exec /usr/bin/python3 -- -m pip install x y",
        "http a.example.org GET /two",
        "file write /w/b",
        "fork 0",
        "resource memory.max 512MiB",
    };
    static const char *const outside[] = {
        "exec /usr/bin/python3 -- -m http.server",
        "exec /usr/bin/python3 -- -m pip install x y z w v",
        "exec /usr/bin/python3 -- -c x",
        "exec /usr/bin/curl",
        "exec /usr/bin/make -- x",
        "exec /opt/git -- fetch https://a.example.org/x",
        "exec /usr/bin/python3 --env PYTHONHOME=/w -- -m pytest -q tests/a.py",
        "http b.example.org GET /one/x",
        "http a.example.org GET /one/y",
        "http a.example.org HEAD /one/x",
        "http a.example.org POST /two --up 6KiB",
        "connect pypi.org:8002",
        "file read /srv/x",
        "file read /w/.env",
        "file write /w/.git/config",
        "file symlink-inside /w/x",
        "file read /memory/x",
        "mcp gh get_other -- path=docs/a",
        "mcp gh get_file -- path=src/a",
        "mcp gh list",
        "host -- /usr/bin/git push origin main",
        "model deep http://a",
        "resource memory.max 513MiB",
        "resource cpu.nested true",
        "snapshot restore",
        "fork 2",
    };
    struct policy *p = load(parent_text);
    struct ruleset *rs = ruleset_make(p, NULL);
    struct learned *l = learn_in(rs, run);
    struct policy *child = reload(l, parent_text);
    struct ruleset *cs = ruleset_make(child, NULL);
    struct arena a = ARENA_INIT;
    struct witness w;
    char *lines = strdup(run), *at = lines;

    (void)state;
    for (uint32_t i = 0; i < l->nleft; i++)
        print_error("%s: %s\n", l->left[i].request, l->left[i].why);
    assert_int_equal(l->nleft, 0);
    assert_int_equal(l->allowed, 18);
    assert_int_equal(narrower(cs, rs, &a, &w), COMPARED_WITHIN);
    for (char *line; (line = strsep(&at, "\n")) && *line;)
        if (!allows(cs, line))
            fail_msg("denied, though it was learned: %s", line);
    for (size_t i = 0; i < array_len(inside); i++)
        if (!allows(cs, inside[i]))
            fail_msg("denied: %s", inside[i]);
    for (size_t i = 0; i < array_len(outside); i++)
        if (allows(cs, outside[i]))
            fail_msg("allowed: %s", outside[i]);
    free(lines);
    arena_fini(&a);
    ruleset_free(cs);
    policy_free(child);
    learned_free(l);
    ruleset_free(rs);
    policy_free(p);
}

/* What a rule pins, the rule that is learned from it pins too. */
static void a_pin_is_carried(void **state)
{
    static const char parent[] =
        "carrel: 1\nname: p\ntools: {commands: [{id: a, exec: {path: /bin/a, sha256: "
        "00000000000000000000000000000000000000000000000000000000000000aa}, argv: [{allow: [{any: "
        "{}}]}]}]}\n";
    static const char event[] =
        "exec /bin/a --sha256 "
        "00000000000000000000000000000000000000000000000000000000000000aa -- x";
    struct policy *p = load(parent);
    struct ruleset *rs = ruleset_make(p, NULL);
    struct learned *l = learn_in(rs, event);
    struct policy *child = reload(l, parent);
    struct ruleset *cs = ruleset_make(child, NULL);

    (void)state;
    assert_int_equal(l->allowed, 1);
    assert_true(allows(cs, event) && !allows(cs, "exec /bin/a -- x"));
    ruleset_free(cs);
    policy_free(child);
    learned_free(l);
    ruleset_free(rs);
    policy_free(p);
}

/* Secrets, what no rule can reach, and what the parent denies are said and not proposed. */
static void some_things_are_never_proposed(void **state)
{
    static const char events[] = "secret key a.example.org --source env:KEY --header "
                                 "authorization --format {} --path /\n"
                                 "dial a.example.org 169.254.169.254\n"
                                 "connect bad.example.org\n"
                                 "connect evil.test.example\n"
                                 "file read /w/.env\n"
                                 "deny http pypi.org GET /was/denied\n"
                                 "exec \"/usr/bin/a*\"\n"
                                 "exec /usr/bin/x -- \"\\xff\"\n"
                                 "exec /usr/bin/python3 -- -c x\n"
                                 "connect a.example.org --tool any\n"
                                 "file read /w/cut\xe2\x80\xa6\n";
    struct policy *p = load(parent_text);
    struct ruleset *rs = ruleset_make(p, NULL);
    struct learned *l = learn_in(rs, events);
    struct text t = TEXT_INIT;

    (void)state;
    assert_true(leaves(l, "dial", "network/never"));
    assert_true(leaves(l, "bad.example.org", "network/deny/bad"));
    assert_true(leaves(l, "evil.test.example", "denied by parent rule"));
    assert_true(leaves(l, "/w/.env", "storage/work/deny_read"));
    assert_true(leaves(l, "/was/denied", "denied in the run"));
    assert_true(leaves(l, "/usr/bin/a*", "pattern"));
    assert_true(leaves(l, "xff", "cannot hold"));
    assert_true(leaves(l, "-c x", "tools/commands/any"));
    assert_true(leaves(l, "--tool any", "another name"));
    assert_true(leaves(l, "1 records", "cannot be read"));
    learned_print(l, &t);
    assert_non_null(strstr(t.p, "# not proposed: "));
    assert_null(strstr(t.p, "\nsecrets"));
    text_fini(&t);
    learned_free(l);
    ruleset_free(rs);
    policy_free(p);
}

/* A secret is not proposed even when the parent would give it. */
static void secrets_are_never_proposed(void **state)
{
    struct policy *p = load(parent_text);
    struct ruleset *rs = ruleset_make(p, NULL);
    struct learned *l = learn_in(rs, "secret key a.example.org --source env:KEY --header "
                                     "authorization --format {} --method GET --path /x\n");

    (void)state;
    assert_true(allows(rs, "secret key a.example.org --source env:KEY --header authorization "
                           "--format {} --method GET --path /x"));
    assert_true(leaves(l, "secret", "never proposed"));
    assert_int_equal(l->policy->secrets.n, 0);
    learned_free(l);
    ruleset_free(rs);
    policy_free(p);
}

static void more_than_four_become_a_directory_or_a_parents_pattern(void **state)
{
    struct policy *p = load(parent_text);
    struct ruleset *rs = ruleset_make(p, NULL);
    struct learned *four =
        learn_in(rs, "http a.example.org GET /s/1\nhttp b.example.org GET /s/2\n"
                     "http c.example.org GET /s/3\nhttp d.example.org GET /s/4\n");
    struct learned *five = learn_in(
        rs,
        "http a.example.org GET /s/1\nhttp b.example.org GET /s/2\nhttp c.example.org GET /s/3\n"
        "http d.example.org GET /s/4\nhttp e.example.org GET /s/5\nhttp pypi.org GET /t/1\n");
    const struct net_rule *r = four->policy->network.allow.v[0];

    (void)state;
    assert_int_equal(r->hosts.n, 4);
    assert_int_equal(r->paths.n, 4);
    r = five->policy->network.allow.v[0];
    assert_int_equal(r->hosts.n, 2);
    assert_string_equal(r->hosts.v[0], "**.example.org");
    assert_string_equal(r->hosts.v[1], "pypi.org");
    assert_int_equal(r->paths.n, 2);
    assert_string_equal(r->paths.v[0], "/s/**");
    assert_string_equal(r->paths.v[1], "/t/1");
    learned_free(four);
    learned_free(five);
    ruleset_free(rs);
    policy_free(p);
}

/* A pattern that the parent would not allow is not made: what was seen is written out. */
static void a_pattern_outside_the_parent_is_not_made(void **state)
{
    static const char text[] = "carrel: 1\nname: parent\ntools: {commands: [{id: t, exec: {path: "
                               "/t}, argv: [{allow: [{enum: "
                               "[a, b, c, d, e, f, g, h, i, j]}]}]}]}\nnetwork: {allow: [{id: n, "
                               "hosts: [a.b], paths: [/d/1, "
                               "/d/2, /d/3, /d/4, /d/5]}]}\n";
    struct policy *p = load(text);
    struct ruleset *rs = ruleset_make(p, NULL);
    struct learned *l = learn_in(
        rs, "exec /t -- a\nexec /t -- b\nexec /t -- c\nexec /t -- d\nexec /t -- e\nexec /t -- f\n"
            "exec /t -- g\nexec /t -- h\nexec /t -- i\nhttp a.b GET /d/1\nhttp a.b GET /d/2\n"
            "http a.b GET /d/3\nhttp a.b GET /d/4\nhttp a.b GET /d/5\n");
    const struct command *c = l->policy->tools.commands.v[0];
    const struct net_rule *r = l->policy->network.allow.v[0];

    (void)state;
    assert_int_equal(l->nleft, 0);
    assert_int_equal(c->argv.n, 9);
    assert_int_equal(r->paths.n, 5);
    learned_free(l);
    ruleset_free(rs);
    policy_free(p);
}

/* A writable root below mounts that are not used: they stay, without access. */
static void what_is_not_used_does_not_fall_to_something_wider(void **state)
{
    static const char text[] =
        "carrel: 1\nname: parent\nstorage:\n  root: {mode: overlay}\n  mounts:\n"
        "  - {id: a, source: /a, target: /a, access: rw, deny_write: [\"x/**\"]}\n"
        "  - {id: b, source: /b, target: /a/b, access: ro}\n";
    struct policy *p = load(text);
    struct ruleset *rs = ruleset_make(p, NULL);
    struct learned *l = learn_in(rs, "file write /a/y\n");
    struct policy *child = reload(l, text);
    struct ruleset *cs = ruleset_make(child, NULL);

    (void)state;
    assert_true(allows(cs, "file write /a/y"));
    assert_false(allows(cs, "file write /a/b/y"));
    assert_false(allows(cs, "file read /a/b/y"));
    ruleset_free(cs);
    policy_free(child);
    learned_free(l);
    ruleset_free(rs);
    policy_free(p);
}

static uint64_t state_of_shuffle = 88172645463325252ull;

static uint32_t below(uint32_t n)
{
    state_of_shuffle ^= state_of_shuffle << 13;
    state_of_shuffle ^= state_of_shuffle >> 7;
    state_of_shuffle ^= state_of_shuffle << 17;
    return (uint32_t)((state_of_shuffle >> 32) % n);
}

static void order_and_repetition_do_not_matter(void **state)
{
    struct policy *p = load(parent_text);
    struct ruleset *rs = ruleset_make(p, NULL);
    struct text first = TEXT_INIT;

    (void)state;
    for (unsigned round = 0; round < 50; round++) {
        char *copy = strdup(run), *at = copy, *lines[32];
        struct text events = TEXT_INIT, out = TEXT_INIT;
        uint32_t n = 0;
        struct learned *l;

        while ((lines[n] = strsep(&at, "\n")) && *lines[n])
            n++;
        for (uint32_t i = n; round && i > 1; i--) {
            uint32_t k = below(i);
            char *t = lines[k];

            lines[k] = lines[i - 1];
            lines[i - 1] = t;
        }
        for (uint32_t i = 0; i < n; i++)
            for (uint32_t k = 0; k <= (round ? below(3) : 0); k++)
                text_add(&events, "%s\n", lines[i]);
        l = learn_in(rs, text_str(&events));
        learned_print(l, round ? &out : &first);
        if (round)
            assert_string_equal(text_str(&out), text_str(&first));
        learned_free(l);
        text_fini(&events);
        text_fini(&out);
        free(copy);
    }
    text_fini(&first);
    ruleset_free(rs);
    policy_free(p);
}

/* ---- simulation */

static struct simulation replay(const struct ruleset *rs, const char *text, struct events *e,
                                struct arena *a)
{
    struct simulation s;

    *e = (struct events){ .n = 0 };
    events_text(e, text, strlen(text));
    simulate(rs, e, a, &s);
    return s;
}

static void simulation_counts_every_request_once(void **state)
{
    struct policy *p = load(parent_text);
    struct ruleset *rs = ruleset_make(p, NULL);
    struct arena a = ARENA_INIT;
    struct events e;
    struct simulation s = replay(rs,
                                 "# comment\n\nconnect pypi.org\nconnect pypi.org\r\n"
                                 "deny connect pypi.org\nallow connect x.test.example\n"
                                 "connect x.test.example\ndeny connect x.test.example\n",
                                 &e, &a);

    (void)state;
    assert_int_equal(e.requests, 6);
    assert_int_equal(s.unchanged, 3);
    assert_int_equal(s.newly_denied, 2);
    assert_int_equal(s.newly_allowed, 1);
    assert_int_equal(s.ndenied, 1);
    assert_int_equal(s.denied[0]->at, 6);
    assert_int_equal(s.denied[0]->times, 2);
    assert_int_equal(s.nallowed, 1);
    assert_false(simulation_is_safe(&s));
    events_fini(&e);
    s = replay(rs, "connect pypi.org\ndeny connect pypi.org\n", &e, &a);
    assert_true(simulation_is_safe(&s));
    events_fini(&e);
    arena_fini(&a);
    ruleset_free(rs);
    policy_free(p);
}

/* What cannot be read might have been denied: it is counted, and nothing is safe. */
static void what_cannot_be_read_is_never_allowed(void **state)
{
    static const char *const texts[] = { "file read /w/cut\xe2\x80\xa6", "nonsense x", "exec \"",
                                         "connect", "deny resource cpu.vcpus many" };
    struct policy *p = load("carrel: 1\nname: open\n");
    struct ruleset *rs = ruleset_make(p, NULL);
    struct arena a = ARENA_INIT;

    (void)state;
    for (size_t i = 0; i < array_len(texts); i++) {
        struct events e;
        struct simulation s = replay(rs, texts[i], &e, &a);

        if (strcmp(texts[i], "connect") == 0) { /* a request without a host: it is denied */
            assert_int_equal(s.newly_denied, 1);
        } else {
            assert_int_equal(e.nlost, 1);
            assert_int_equal(e.requests, 0);
        }
        assert_false(simulation_is_safe(&s));
        events_fini(&e);
    }
    arena_fini(&a);
    ruleset_free(rs);
    policy_free(p);
}

static void records_that_are_no_requests_are_counted(void **state)
{
    struct events e = { .n = 0 };

    (void)state;
    events_record(&e, 0, "sandbox.start", false, false, "", "mini");
    events_record(&e, 1, "exec", true, true, "tools/commands/x", "exec /usr/bin/make");
    events_record(&e, 2, "exec", false, false, "", "exec /usr/bin/make");
    events_record(&e, 3, "file.put", true, true, "", "a tar stream");
    events_record(&e, 4, "file", true, false, "", "exec /usr/bin/make");
    events_record(&e, 5, "exec", true, true, "", "exec /usr/bin/make");
    assert_int_equal(e.others, 3);
    assert_int_equal(e.nlost, 1);
    assert_int_equal(e.n, 1);
    assert_int_equal(e.v[0].times, 2);
    assert_int_equal(e.v[0].at, 1);
    assert_string_equal(e.v[0].rule, "tools/commands/x");
    events_fini(&e);
}

/* The table grows, and what was lost is kept up to a limit and counted beyond it. */
static void many_events_stay_apart(void **state)
{
    struct events e = { .n = 0 };
    char line[64];

    (void)state;
    for (unsigned i = 0; i < 5000; i++) {
        snprintf(line, sizeof(line), "fork %u\n", i % 2500);
        events_text(&e, line, strlen(line));
        events_text(&e, "?\n", 2);
    }
    assert_int_equal(e.n, 2500);
    assert_int_equal(e.requests, 5000);
    assert_int_equal(e.nlost, 5000);
    for (uint32_t i = 0; i < e.n; i++)
        assert_int_equal(e.v[i].times, 2);
    events_fini(&e);
}

/* What policy_write prints, policy_parse reads, for every policy that ships. */
static void one_reads_back(const char *name, void *ctx)
{
    struct problems ps = PROBLEMS_INIT;
    struct text t = TEXT_INIT, one = TEXT_INIT, two = TEXT_INIT;
    size_t len;
    char *text = shipped_file(name, ".yaml", &len);
    struct policy *p, *back;

    (void)ctx;
    assert_non_null(text);
    p = policy_parse(text, len, name, &ps);
    assert_non_null(p);
    policy_write(p, &t);
    back = policy_parse(t.p, t.len, "back", &ps);
    if (!back) {
        problems_print(&ps, &t);
        fail_msg("%s", text_str(&t));
    }
    policy_canonical(p, &one);
    policy_canonical(back, &two);
    assert_string_equal(text_str(&one), text_str(&two));
    policy_free(p);
    policy_free(back);
    problems_fini(&ps);
    text_fini(&t);
    text_fini(&one);
    text_fini(&two);
    free(text);
}

static void a_written_policy_reads_back(void **state)
{
    (void)state;
    assert_true(shipped_each(one_reads_back, NULL) >= 14);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(learned_is_small_and_enough),
        cmocka_unit_test(a_pin_is_carried),
        cmocka_unit_test(some_things_are_never_proposed),
        cmocka_unit_test(secrets_are_never_proposed),
        cmocka_unit_test(more_than_four_become_a_directory_or_a_parents_pattern),
        cmocka_unit_test(a_pattern_outside_the_parent_is_not_made),
        cmocka_unit_test(what_is_not_used_does_not_fall_to_something_wider),
        cmocka_unit_test(order_and_repetition_do_not_matter),
        cmocka_unit_test(simulation_counts_every_request_once),
        cmocka_unit_test(what_cannot_be_read_is_never_allowed),
        cmocka_unit_test(records_that_are_no_requests_are_counted),
        cmocka_unit_test(many_events_stay_apart),
        cmocka_unit_test(a_written_policy_reads_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
