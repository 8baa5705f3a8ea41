/*
 * The worst documents we could think of, of at most 256 KiB: every one is answered, and what the
 * answer costs is counted and has a limit. Nothing here looks at a clock.
 */
#include "policies/compare.h"
#include "policies/layers.h"
#include "policies/solve.h"
#include "policies/words.h"
#include "policies/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

typedef void writer(struct text *t, bool child);

#define FULL(t) ((t)->len + 400 > YAML_BYTES_MAX)
#define SETS    15000u /* entries in sets: a document may have 16,384 */

static void many_hosts(struct text *t, bool child)
{
    text_add(t, "network:\n  allow:\n");
    for (unsigned r = 0, k = 0; !FULL(t) && k < SETS; r++) {
        text_add(t, "  - {id: r%u, ports: [%u], hosts: [a%u.b", r, r + 1, k++);
        for (unsigned i = 0; i < 2000 && t->len + 40 < YAML_BYTES_MAX; i++)
            text_add(t, ", %sa%u.b", child ? "" : "x.", k++);
        text_add(t, "]}\n");
    }
}

static void many_ports(struct text *t, bool child)
{
    text_add(t, "network:\n  allow:\n");
    for (unsigned r = 0; r < 3; r++) {
        text_add(t, "  - {id: r%u, hosts: [\"**.a.b\"], ports: [%u", r, 1 + child);
        for (unsigned i = 1; i < 4000 && t->len + 40 < YAML_BYTES_MAX; i++)
            text_add(t, ",%u", i * 4 + r + 1 + child);
        text_add(t, "]}\n");
    }
}

static void many_networks(struct text *t, bool child)
{
    text_add(t, "network:\n  allow:\n");
    for (unsigned r = 0; r < 3; r++) {
        text_add(t, "  - {id: r%u, hosts: [\"**.a.b\"], addresses: [8.8.8.%u", r, child);
        for (unsigned i = 1; i < 4000 && t->len + 40 < YAML_BYTES_MAX; i++)
            text_add(t, ",9.%u.%u.%u", r, i / 100, i % 100 * 2 + child);
        text_add(t, "]}\n");
    }
}

/* Stars everywhere: the product of the patterns' automata is as large as it can be. */
static void many_stars(struct text *t, bool child)
{
    text_add(t, "network:\n  allow:\n");
    for (unsigned r = 0; !FULL(t); r++) {
        text_add(t, "  - {id: r%u, hosts: [a.b], paths: [", r);
        for (unsigned i = 0; i < 40 && t->len + 300 < YAML_BYTES_MAX; i++) {
            text_add(t, "%s\"/", i ? "," : "");
            for (unsigned k = 0; k < 12; k++)
                text_add(t, "*%c", 'a' + (int)((i * 7 + k * (r + 3) + child) % 9));
            text_add(t, "*%u*%u/**\"", i, r);
        }
        text_add(t, "]}\n");
    }
}

static void many_denials(struct text *t, bool child)
{
    text_add(t, "storage:\n  root: {mode: overlay}\n  mounts:\n");
    for (unsigned r = 0; !FULL(t) && r < 1000; r++) {
        text_add(t, "  - {id: m%u, source: /s, target: /t%s/m%u, access: rw, deny_write: [", r,
                 r % 2 ? "/n" : "", r);
        for (unsigned i = 0; i < 5; i++)
            text_add(t, "%s\"**/*%c*%c*%c?/**\"", i ? "," : "", 'a' + (int)((r + i) % 20),
                     'a' + (int)((r * 3 + i) % 20), 'a' + (int)((r * 5 + child) % 20));
        text_add(t, "]}\n");
    }
}

/* Counts that overlap: sets of states grow with every argument. */
static void deep_arguments(struct text *t, bool child)
{
    text_add(t, "tools:\n  commands:\n");
    for (unsigned r = 0; !FULL(t) && r < 1000; r++) {
        text_add(t, "  - {id: c%u, exec: {path: \"/usr/*%u\"}, argv: [", r, child ? r % 10 : r % 7);
        for (unsigned i = 0; i < 7; i++)
            text_add(
                t,
                "%s{allow: [{any: {count: 0..%u}}, {prefix: \"%c\"}, {any: {count: %u..%u, max: "
                "%u}}]}",
                i ? "," : "", 250 + i, 'a' + (int)(i + r % 5), i, 250 + i * 3,
                100 + i + r % 9 - child);
        text_add(t, ", {deny: [{prefix: \"x%u\"}, {any: {count: 1..20}}, y]}]}\n", r % 11);
    }
}

static void long_enums(struct text *t, bool child)
{
    text_add(t, "tools:\n  commands:\n");
    for (unsigned r = 0; r < 3; r++) {
        text_add(t, "  - {id: c%u, exec: {path: \"/usr/*\"}, argv: [{allow: [{enum: [w", r);
        for (unsigned i = 0; i < 4000 && t->len + 60 < YAML_BYTES_MAX; i++)
            text_add(t, ",%x", i * 16 + r + (i == 7 && child));
        text_add(t, "]}]}]}\n");
    }
}

/* A child that is covered by many only together: every subset must be looked at. */
static void many_dimensions(struct text *t, bool child)
{
    text_add(t, "tools:\n  commands:\n");
    for (unsigned r = 0; !FULL(t) && r < (child ? 1 : 600); r++) {
        text_add(
            t,
            "  - {id: c%u, exec: {path: \"/u/%s\", shell: true}, argv: [{allow: [{any: {count: "
            "0..9}}]}], env: {allow: [",
            r,
            child   ? "**"
            : r % 3 ? "*a*/**"
                    : "*b?/**");
        for (unsigned i = 0; i < 24; i++)
            if (child || (r * 2654435761u >> i & 1))
                text_add(t, "V%u,", i);
        text_add(t, "], set: {}}, capabilities: [");
        for (unsigned i = 0; i < 10; i++)
            if (child || (r * 40503u >> i & 1))
                text_add(t, "%s,", capability_name(i));
        text_add(t, "], rlimits: {cpu: %us, as: %uMiB}, paths: {ro: [", 100 - r % 90,
                 10 + r * 7 % 600);
        for (unsigned i = 0; i < 12; i++)
            if (child || (r * 2246822519u >> i & 1))
                text_add(t, "/p%u,", i);
        text_add(t, "]}}\n");
    }
}

static uint32_t dice(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 28;
}

/* Every rule has a random part of each set: covering the child is a puzzle without a short cut. */
static void random_parts(struct text *t, bool child)
{
    static const char *const names[] = { "GET",    "HEAD",    "POST",  "PUT",
                                         "DELETE", "OPTIONS", "PATCH", "CONNECT" };
    uint32_t state = 7;

    text_add(t, "network:\n  allow:\n");
    for (unsigned r = 0; r < (child ? 1 : 90); r++) {
        text_add(t, "  - {id: r%u, hosts: [never.r%u", r, r);
        for (unsigned i = 0; i < 80; i++)
            if (child || dice(&state) < 14)
                text_add(t, ",h%u.a.b", i);
        text_add(t, "], ports: [%u", 60000 + r);
        for (unsigned i = 0; i < 60; i++)
            if (child || dice(&state) < 14)
                text_add(t, ",%u", 1 + 2 * i);
        text_add(t, "], methods: [GET");
        for (unsigned i = 1; i < 5; i++)
            if (child || dice(&state) < 14)
                text_add(t, ",%s", names[i]);
        text_add(t, "], paths: [/never%u", r);
        for (unsigned i = 0; i < 40; i++)
            if (child || dice(&state) < 14)
                text_add(t, ",\"/%u/**\"", i);
        text_add(t, "]}\n");
    }
}

static struct ruleset *make(writer *w, bool child, struct policy **p)
{
    struct text t = TEXT_INIT;
    struct problems ps = PROBLEMS_INIT;

    text_add(&t, "carrel: 1\nname: x\n");
    w(&t, child);
    assert_true(t.len <= YAML_BYTES_MAX);
    *p = policy_parse(t.p, t.len, "x", &ps);
    if (!*p) {
        problems_print(&ps, &t);
        fail_msg("%.300s", strstr(t.p, "error: ") ? strstr(t.p, "error: ") - 20 : t.p);
    }
    problems_fini(&ps);
    text_fini(&t);
    return ruleset_make(*p, NULL);
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void compare(const char *name, writer *w)
{
    static const char *const answers[] = { "within", "wider", "too complex" };
    struct policy *cp, *pp;
    struct ruleset *c = make(w, true, &cp), *p = make(w, false, &pp);
    struct arena a = ARENA_INIT;

    for (unsigned turn = 0; turn < 2; turn++) {
        struct witness x;
        double t = seconds();
        enum compared got = narrower(turn ? p : c, turn ? c : p, &a, &x);

        print_message("%-16s %-11s %9llu units %6.0f ms\n", name, answers[got],
                      (unsigned long long)x.work, (seconds() - t) * 1e3);
        assert_true(x.work <= SOLVE_WORK);
        assert_true(got == COMPARED_TOO_COMPLEX || x.work < SOLVE_WORK);
        if (got == COMPARED_WIDER) {
            assert_true(x.inside.allowed);
            assert_false(x.outside.allowed);
        }
    }

    struct diff d;
    double t = seconds();

    policy_diff(c, p, &a, &d);
    print_message("%-16s diff %u + %u %6.0f ms\n", name, d.nadded, d.nremoved,
                  (seconds() - t) * 1e3);
    arena_fini(&a);
    ruleset_free(c);
    ruleset_free(p);
    policy_free(cp);
    policy_free(pp);
}

static void every_comparison_has_a_limit(void **state)
{
    (void)state;
    compare("many_hosts", many_hosts);
    compare("many_ports", many_ports);
    compare("many_networks", many_networks);
    compare("many_stars", many_stars);
    compare("many_denials", many_denials);
    compare("deep_arguments", deep_arguments);
    compare("long_enums", long_enums);
    compare("many_dimensions", many_dimensions);
    compare("random_parts", random_parts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_comparison_has_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
