/* P01: whatever 256 KiB say, a document is loaded or refused in less than 50 ms of processor time,
 * by limits that are counted. */
#include "policies/addrs.h"
#include "policies/layers.h"
#include "policies/load.h"
#include "policies/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define FULL 100000u /* as many as fit */

#define RULES    "network: {allow: ["
#define COMMANDS "tools: {commands: ["

/* In texts: # is the number of the item, ~ the same counted down, & its last hexadecimal digits,
 * ^ a path as deep as it, $ the number of the group. */
struct part {
    const char *open, *group, *item, *close; /* open (group item… close)… */
    unsigned groups, items;
};

static const struct {
    const char *what;
    struct part part[2];
    const char *end, *said; /* NULL: it is sound */
} documents[] = {
    { "a list without end",
      { { "", "a: [", "a,", "", 1, 70000 } },
      "]\n",
      "more than 32768 entries" },
    { "entries without end",
      { { RULES, "", "{id: a#, hosts: [x.y]},", "", 1, FULL } },
      "]}\n",
      "allow: more than 2048 entries" },
    { "unknown keys",
      { { RULES, "", "{id: a#, hots: [x]},", "", 1, 2048 } },
      "]}\n",
      "did you mean \"hosts\"" },
    { "unknown system calls",
      { { COMMANDS, "{id: a$, exec: {path: /a}, syscalls: {remove: [", "io_uring_setuppp#,", "]}},",
          1, 4096 } },
      "]}\n",
      "no system call" },
    { "scalars for maps", { { RULES, "", "a,", "", 1, 2048 } }, "]}\n", "wanted a map" },
    { "one id", { { RULES, "", "{id: a},", "", 1, 2048 } }, "]}\n", "there twice" },
    { "hosts backwards", { { RULES, "{id: a$, hosts: [", "~.a,", "]},", 4, 4096 } }, "]}\n", NULL },
    { "sets without end",
      { { RULES, "{id: a$, hosts: [", "~.a,", "]},", 16, 4096 } },
      "]}\n",
      "more than 16384 entries in all sets" },
    { "env backwards",
      { { COMMANDS, "{id: a$, exec: {path: /a}, env: {allow: [", "A~,", "]}},", 4, 4096 } },
      "]}\n",
      NULL },
    { "rules for one host",
      { { RULES, "", "{id: a#, hosts: [x.y]},", "", 1, 2048 } },
      "]}\n",
      NULL },
    { "crossing paths",
      { { RULES, "", "{id: a#, hosts: [x.y], paths: [\"/*&*x*/**\"]},", "", 1, 2048 } },
      "]}\n",
      NULL },
    { "protocols that disagree",
      { { RULES, "", "{id: a#, hosts: [x.y]},", "", 1, 1024 },
        { "", "", "{id: b#, hosts: [x.y], protocol: tls},", "", 1, 1024 } },
      "]}\n",
      "disagrees with it on protocol" },
    { "protocols of names apart",
      { { RULES, "", "{id: a#, hosts: [x#.y]},", "", 1, 1024 },
        { "", "", "{id: b#, hosts: [z#.y], protocol: tls},", "", 1, 1024 } },
      "]}\n",
      NULL },
    { "protocols of many names apart",
      { { RULES, "", "{id: a#, hosts: [a#.y, b#.y, c#.y, d#.y]},", "", 1, 1024 },
        { "", "", "{id: b#, hosts: [e#.y, f#.y, g#.y], protocol: tls},", "", 1, 1024 } },
      "]}\n",
      "too many rules to compare" },
    { "secrets and crossing paths",
      { { RULES, "", "{id: a#, hosts: [x.y], paths: [\"/*&*x*/z#/**\"]},", "", 1, 1000 },
        { "]}\nsecrets: [", "",
          "{id: s#, from: {file: /k}, inject: {rule: a#, header: h, format: \"{}\"}},", "", 1,
          1000 } },
      "]\n",
      "" },
    { "denials of what is not seen",
      { { RULES, "", "{id: a#, hosts: [x.y], protocol: tls},", "", 1, 2048 },
        { "], deny: [", "", "{id: a#, paths: [/x]},", "", 1, 2048 } },
      "]}\n",
      "does not see requests" },
    { "denials and names apart",
      { { RULES, "", "{id: a#, hosts: [x#.y], protocol: tls},", "", 1, 2048 },
        { "], deny: [", "", "{id: a#, hosts: [z#.y], paths: [/x]},", "", 1, 2048 } },
      "]}\n",
      "too many rules to compare" },
    { "references",
      { { RULES, "", "{id: a#, hosts: [x#.y]},", "", 1, 2048 },
        { "]}\n" COMMANDS, "{id: c$, exec: {path: /c$}, network: [", "a#,", "]},", 7, 2048 } },
      "]}\n",
      NULL },
    { "references to nothing",
      { { COMMANDS, "{id: c$, exec: {path: /c$}, spawn: [", "d#,", "]},", 4, 4096 } },
      "]}\n",
      "which is not there" },
    { "commands and rules",
      { { RULES, "", "{id: a#, hosts: [x#.y]},", "", 1, 2048 },
        { "]}\n" COMMANDS, "", "{id: c#, exec: {path: /a}, network: [a#]},", "", 1, 2048 } },
      "]}\n",
      NULL },
    { "mounts inside mounts",
      { { "storage: {mounts: [", "", "{id: a#, source: /, target: ^/#},", "", 1, 1024 } },
      "]}\n",
      NULL },
    { "volumes inside volumes",
      { { "storage: {memory: [", "", "{id: a#, access: write, target: ^/#},", "", 1, 1024 } },
      "]}\n",
      NULL },
    { "globs",
      { { "storage: {mounts: [", "{id: a$, source: /, target: /a$, deny_read: [",
          "\"**/*#*a*b*c*d*e*f*g*h\",", "]},", 200, 40 } },
      "]}\n",
      NULL },
    { "arguments",
      { { COMMANDS, "",
          "{id: a#, exec: {path: /a}, argv: [{allow: [{any: {count: 0..512}}, {any: {count: "
          "0..512}}, {any: {count: 0..512}}, {any: {count: 0..512}}]}]},",
          "", 1, 2048 } },
      "]}\n",
      NULL },
    { "argument lists",
      { { COMMANDS "{id: a, exec: {path: /a}, argv: [", "", "{allow: [a]},", "", 1, 2048 } },
      "]}]}\n",
      "too complex (6144 states" },
};

static char doc[YAML_BYTES_MAX];
static size_t len;

static void put(const char *s, unsigned item, unsigned group)
{
    for (; *s && len + 600 < sizeof(doc); s++) {
        char *to = doc + len;

        switch (*s) {
        case '#': len += (size_t)sprintf(to, "%u", item); break;
        case '~': len += (size_t)sprintf(to, "%05u", 99999 - item - group * 5000); break;
        case '&': len += (size_t)sprintf(to, "%02x", item & 0xff); break;
        case '$': len += (size_t)sprintf(to, "%u", group); break;
        case '^':
            for (unsigned i = 0; i <= item % 90; i++, len += 2)
                memcpy(doc + len, "/a", 2);
            break;
        default: doc[len++] = *s;
        }
    }
}

static void make(const struct part *p, const char *end)
{
    len = (size_t)sprintf(doc, "carrel: 1\nname: t\n");
    for (unsigned k = 0; k < 2 && p[k].open; k++) {
        put(p[k].open, 0, 0);
        for (unsigned g = 0; g < p[k].groups; g++) {
            put(p[k].group, 0, g);
            /* Room is left for what closes it. */
            for (unsigned i = 0; i < p[k].items && len + 2000 < sizeof(doc); i++)
                put(p[k].item, i, g);
            put(p[k].close, 0, g);
        }
    }
    put(end, 0, 0);
}

/* What instrumented and unoptimised code costs more. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLACK 16.0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SLACK 16.0
#endif
#endif
#ifndef SLACK
#ifdef __OPTIMIZE__
#define SLACK 1.0
#else
#define SLACK 4.0
#endif
#endif

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* One load: its time; said and errors are judged. */
static double load(const char *what, const char *said)
{
    struct problems ps = PROBLEMS_INIT;
    struct text t = TEXT_INIT;
    double from = now_ms(), ms;
    struct policy *p = policy_load(doc, len, "f", NULL, NULL, &ps);

    ms = now_ms() - from;
    problems_print(&ps, &t);
    if (!p != !!said || (said && !strstr(text_str(&t), said)))
        fail_msg("%s: wanted \"%s\", got %.300s", what, said ? said : "a policy", text_str(&t));
    /* Reading stops at that many; a check of the whole may name each of its references. */
    assert_true(ps.n <= PROBLEMS_MAX);
    text_fini(&t);
    policy_free(p);
    problems_fini(&ps);
    return ms;
}

static void p01_hostile_documents_take_less_than_50_ms(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_len(documents); i++) {
        double best = 1e9;

        make(documents[i].part, documents[i].end);
        for (int try = 0; try < 20 && best > 50 * SLACK; try++) {
            double ms = load(documents[i].what, documents[i].said);

            best = ms < best ? ms : best;
        }
        print_message("%-32s %6zu bytes %7.1f ms\n", documents[i].what, len, best);
        if (best > 50 * SLACK)
            fail_msg("%s: %.1f ms", documents[i].what, best);
    }
}

/* The same without a clock: nobody reads on after so many problems. */
static void p01_reading_stops_after_64_problems(void **state)
{
    static const char *const items[] = {
        "{id: a#, hots: [x]},",    "{id: a#, ports: [0]},", "a,", "{},", "{id: a},",
        "{id: a#, hosts: [x..y]},"
    };

    (void)state;
    for (size_t i = 0; i < array_len(items); i++) {
        struct part p[2] = { { RULES, "", items[i], "", 1, 2048 } };
        struct problems ps = PROBLEMS_INIT;

        make(p, "]}\n");
        assert_null(policy_parse(doc, len, "f", &ps));
        assert_int_equal(ps.errors, PROBLEMS_MAX);
        problems_fini(&ps);
    }
}

static void p01_limits_are_where_they_are_said(void **state)
{
    struct part rules[2] = { { RULES, "", "{id: a#, hosts: [x#.y]},", "", 1, 2048 } };
    struct part sets[2] = { { RULES, "{id: a$, hosts: [", "~.a,", "]},", 4, 4095 },
                            { "", "{id: b, hosts: [", "x#.b,", "]},", 1, 4 } };

    (void)state;
    make(rules, "]}\n");
    load("2048 entries", NULL);
    rules[0].items++;
    make(rules, "]}\n");
    load("2049 entries", "f:3:18: error: allow: more than 2048 entries");
    make(sets, "]}\n");
    load("16384 items", NULL);
    sets[1].items++;
    make(sets, "]}\n");
    load("16385 items", "hosts: more than 16384 entries in all sets of the document");
}

static void sets_are_sorted_and_disjoint(void **state)
{
    struct arena a = ARENA_INIT;
    struct ranges r = { NULL, 0 };
    struct addr_range v[4];
    struct addr_set s;

    (void)state;
    ranges_add(&a, &r, 82, 82);
    ranges_add(&a, &r, 80, 80);
    assert_int_equal(r.n, 2);
    ranges_add(&a, &r, 81, 81);
    assert_int_equal(r.n, 1);
    ranges_add(&a, &r, 90, 99);
    ranges_add(&a, &r, 83, 85);
    assert_int_equal(r.n, 2);
    assert_int_equal(r.v[0].lo, 80);
    assert_int_equal(r.v[0].hi, 85);
    ranges_add(&a, &r, 84, 95);
    assert_int_equal(r.n, 1);
    assert_int_equal(r.v[0].hi, 99);

    assert_null(cidr_parse("10.0.0.1", &v[0]));
    assert_null(cidr_parse("9.0.0.0/8", &v[1]));
    assert_null(cidr_parse("9.1.0.0/16", &v[2]));
    assert_null(cidr_parse("10.0.0.1", &v[3]));
    addr_set_make(&a, &s, v, 4);
    assert_int_equal(s.n, 2);
    assert_null(cidr_parse("9.0.0.0/8", &v[0]));
    assert_int_equal(addr_cmp(&s.v[0].hi, &v[0].hi), 0);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(p01_hostile_documents_take_less_than_50_ms),
        cmocka_unit_test(p01_reading_stops_after_64_problems),
        cmocka_unit_test(p01_limits_are_where_they_are_said),
        cmocka_unit_test(sets_are_sorted_and_disjoint),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
