/* What the language refuses, each refusal with its place (P01-P05), and its one canonical form. */
#include "policies/canon.h"
#include "policies/schema.h"
#include "policies/yaml.h"

#include "base/io.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define HEAD "carrel: 1\nname: t\n"

static void refused_bytes(const char *yaml, size_t len, const char *where, const char *what)
{
    struct problems ps = PROBLEMS_INIT;
    struct policy *p = policy_parse(yaml, len, "f", &ps);
    struct text out = TEXT_INIT;

    problems_print(&ps, &out);
    if (p || !strstr(text_str(&out), where) || !strstr(text_str(&out), what))
        fail_msg("wanted a refusal \"%s\" \"%s\", got: %s", where, what,
                 p ? "none" : text_str(&out));
    text_fini(&out);
    problems_fini(&ps);
    policy_free(p);
}

static void refused(const char *yaml, const char *where, const char *what)
{
    refused_bytes(yaml, strlen(yaml), where, what);
}

static struct policy *taken(const char *yaml)
{
    struct problems ps = PROBLEMS_INIT;
    struct policy *p = policy_parse(yaml, strlen(yaml), "f", &ps);
    struct text out = TEXT_INIT;

    problems_print(&ps, &out);
    if (!p)
        fail_msg("refused: %s", text_str(&out));
    text_fini(&out);
    problems_fini(&ps);
    return p;
}

static char *canonical(const char *yaml)
{
    struct policy *p = taken(yaml);
    struct text out = TEXT_INIT;

    policy_canonical(p, &out);
    policy_free(p);
    return out.p;
}

static void p01_forbidden_yaml(void **state)
{
    (void)state;
    refused("carrel: 1\nname: &a t\n", "f:2:7:", "anchor");
    refused("carrel: 1\nname: t\nowner: *a\n", "f:3:8:", "alias");
    refused("carrel: 1\nname: !!str t\n", "f:2:7:", "tag");
    refused("carrel: 1\nname: t\ncpu: {<<: {vcpus: 1}}\n", "f:3:7:", "merge");
    refused("%YAML 1.1\n---\ncarrel: 1\n", "f:", "directive");
    refused("carrel: 1\nname: t\n---\ncarrel: 1\n", "f:3:1:", "second document");
    refused("carrel: 1\nname:\tt\n", "f:2:6:", "tab");
    refused("\xef\xbb\xbf" HEAD, "f:1:1:", "byte order mark");
    refused_bytes("carrel: 1\nname: \0t\n", 19, "f:2:7:", "NUL");
    refused("carrel: 1\nname: \"\\0t\"\n", "f:2:7:", "NUL");
    refused("carrel: 1\nname: \xff\n", "f:2:7:", "not UTF-8");
    refused("carrel: 1\nname: \xc0\xaf\n", "f:2:7:", "not UTF-8");
    refused("carrel: 1\nname: \xed\xa0\x80\n", "f:2:7:", "not UTF-8");
    refused("carrel: 1\nowner: a\xe2\x80\xae"
            "b\n",
            "f:2:9:", "invisible");
    refused("carrel: 1\r\nname: t\r\n", "f:1:10:", "control");
    refused("", "f:1:1:", "empty");
    refused("[]", "f:1:1:", "map");
    refused("a: [b\n", "f:", "error");
    refused("carrel: 1\nname: t\n? [a]\n: b\n", "f:3:3:", "key");
    refused("a: [[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]\n", "f:1:20:", "deeper than 16");
}

static double parse_ms(const char *text, size_t len)
{
    struct problems ps = PROBLEMS_INIT;
    struct timespec a, b;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    policy_free(policy_parse(text, len, "f", &ps));
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    assert_true(ps.errors > 0);
    problems_fini(&ps);
    return (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6;
}

#if defined(__SANITIZE_ADDRESS__)
#define SLACK 8.0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLACK 8.0
#endif
#endif
#ifndef SLACK
#define SLACK 1.0
#endif

/* 256 KiB of each unit in a row, on one line and on lines of their own. */
static void p01_hostile_size_takes_less_than_50_ms(void **state)
{
    static const char *const units[] = { "[",     "{",     "- ",       "? ",   "a: ",   "a,",
                                         "\"",    "'",     "[a,",      "{a: ", "- - ",  "? - ",
                                         "!",     "&a ",   "|\n",      "# ",   "a\n",   "a: b\n",
                                         "- a\n", "  ",    "\n",       "[]\n", "{}",    ", ",
                                         ": ",    "a b ",  "\\",       "'' ",  "---\n", "...\n",
                                         "%a\n",  "[a]: ", "\xc3\xa9", "-" };
    static char buf[YAML_BYTES_MAX];
    const char *heads[] = { "", "[", "{", "a: [", "a: \"", "- ", "a: |\n  " };

    (void)state;
    for (size_t i = 0; i < array_len(units); i++) {
        for (size_t h = 0; h < array_len(heads); h++) {
            size_t n = strlen(heads[h]), u = strlen(units[i]);
            double best = 1e9;

            memcpy(buf, heads[h], n);
            for (; n + u <= sizeof(buf); n += u)
                memcpy(buf + n, units[i], u);
            for (int try = 0; try < 3 && best > 50 * SLACK; try++) {
                double ms = parse_ms(buf, n);

                best = ms < best ? ms : best;
            }
            if (best > 50 * SLACK)
                fail_msg("%s%s…: %.1f ms", heads[h], units[i], best);
        }
    }
}

static void p01_larger_than_256_kib(void **state)
{
    char *big = malloc(YAML_BYTES_MAX + 1);

    (void)state;
    assert_non_null(big);
    memset(big, '#', YAML_BYTES_MAX + 1);
    refused_bytes(big, YAML_BYTES_MAX + 1, "f:1:1:", "larger than 256 KiB");
    memcpy(big, HEAD "#", sizeof(HEAD "#") - 1);

    struct problems ps = PROBLEMS_INIT;
    struct policy *p = policy_parse(big, YAML_BYTES_MAX, "f", &ps);

    assert_non_null(p);
    policy_free(p);
    free(big);
}

static void p02_keys(void **state)
{
    (void)state;
    refused(HEAD "cpu: {vcpus: 1, vcpus: 2}\n", "f:3:17:", "there twice (first at line 3)");
    refused(HEAD "name: u\n", "f:3:1:", "there twice");
    refused(HEAD "netwrok: {}\n",
            "f:3:1:", "unknown key \"netwrok\" in policy (did you mean \"network\"?)");
    refused(HEAD "cpu: {vcpu: 2}\n", "f:3:7:", "did you mean \"vcpus\"");
    refused(HEAD "xyzzy: 2\n", "f:3:1:", "unknown key \"xyzzy\" in policy\n");
    refused("name: t\n", "f:1:1:", "version");
    refused("carrel: 1\n", "f:1:1:", "no name");
    refused("carrel: 2\nname: t\n", "f:1:9:", "from 1 to 1");
    refused(HEAD "network: {allow: [{id: a}, {id: a}]}\n", "f:3:28:", "\"a\" is there twice");
    refused(HEAD "network: {allow: [{hosts: [a.b]}]}\n", "f:3:19:", "without id");
    refused(HEAD "network: {allow: {a: b}}\n", "f:3:18:", "wanted a list");
    refused(HEAD "network: [a]\n", "f:3:10:", "wanted a map");
}

static void p02_implicit_types(void **state)
{
    static const char *const bools[] = { "no",   "yes",  "on", "off", "y",
                                         "True", "TRUE", "0",  "1",   "\"true\"" };
    static const char *const counts[] = { "0777", "0x10", "1_000", "1e3", "1.0", "+1", "\"2\"",
                                          " ",    "~",    "null",  ".5",  "1k1", "2K" };
    char buf[128];

    (void)state;
    for (size_t i = 0; i < array_len(bools); i++) {
        snprintf(buf, sizeof(buf), HEAD "cpu: {nested: %s}\n", bools[i]);
        refused(buf, "f:3:15:", "nested");
    }
    for (size_t i = 0; i < array_len(counts); i++) {
        snprintf(buf, sizeof(buf), HEAD "cpu: {vcpus: %s}\n", counts[i]);
        refused(buf, "f:3:", "vcpus");
    }
    refused(HEAD "mode: enforced\n", "f:3:7:", "did you mean \"enforce\"");
    refused(HEAD "network: {allow: [{id: a, methods: [get]}]}\n", "f:3:37:", "unknown word");
    refused(HEAD "network: {allow: [{id: a, methods: [GET, GET]}]}\n", "f:3:42:", "twice");
    refused(HEAD "tools: {commands: [{id: a, capabilities: [cap_net_admn]}]}\n",
            "f:3:43:", "did you mean \"cap_net_admin\"");
    refused(HEAD "tools: {commands: [{id: a, syscalls: {remove: [pbf]}}]}\n",
            "f:3:48:", "no system call \"pbf\" (did you mean \"bpf\"?)");
}

static void p03_hosts(void **state)
{
    static const char *const bad[] = {
        "\"*\"",
        "\"**\"",
        "\"*.com\"",
        "\"**.com\"",
        "a.*.com",
        "\"*a.com\"",
        "\"a*.com\"",
        "localhost",
        "\"pypi\xd0\xbe.org\"",
        "xn--pypi-0ra.org",
        "1.2.3.4",
        "0x7f.1",
        "127.1",
        "a..b",
        "-a.b",
        "a-.b",
        "\"a_b.c\"",
        "\"[::1]\"",
        "\"::1\"",
        "a.b:443",
        "\"a b.c\"",
        "\"a%00.b\"",
        "\".\"",
        "\"**.**.a.b\"",
        "\"*.*.a.b\"",
        "1.2.3.0x4",
        "http://a.b",
    };
    char buf[512];

    (void)state;
    for (size_t i = 0; i < array_len(bad); i++) {
        snprintf(buf, sizeof(buf), HEAD "network: {allow: [{id: a, hosts: [%s]}]}\n", bad[i]);
        refused(buf, "f:3:35:", "hosts");
    }
    memset(buf, 'a', sizeof(buf));
    memcpy(buf, HEAD "network: {allow: [{id: a, hosts: [", 52);
    strcpy(buf + 52 + 64, ".b]}]}\n");
    refused(buf, "f:3:35:", "63");

    char *one = canonical(HEAD "network: {allow: [{id: a, hosts: [PyPI.org., \"*.A.b\"]}]}\n");

    assert_non_null(strstr(one, "\"hosts\":[\"*.a.b\",\"pypi.org\"]"));
    free(one);
    refused(HEAD "network: {allow: [{id: a, hosts: [a.b, A.B.]}]}\n", "f:3:40:", "twice");
}

static void p04_paths(void **state)
{
    static const char *const dirs[] = { "/a/../b", "/a//b", "a/b",   "\"/a/\\0b\"",
                                        "/a/./b",  "/a/",   "\"/*\"" };
    static const char *const globs[] = { "\"a/**/b\"", "\"**/a/**/b\"", "\"../a\"", "\"a/../b\"",
                                         "\"a//b\"",   "\"/a\"",        "\"a**\"",  "\"***\"",
                                         "\"**a/b\"",  "\"\"",          "\"a/\"" };
    char buf[256];

    (void)state;
    for (size_t i = 0; i < array_len(dirs); i++) {
        snprintf(buf, sizeof(buf), HEAD "storage: {mounts: [{id: a, target: %s}]}\n", dirs[i]);
        refused(buf, "f:3:36:", "");
    }
    for (size_t i = 0; i < array_len(globs); i++) {
        snprintf(buf, sizeof(buf), HEAD "storage: {mounts: [{id: a, deny_read: [%s]}]}\n",
                 globs[i]);
        refused(buf, "f:3:40:", "deny_read");
    }
    refused(HEAD "network: {allow: [{id: a, paths: [\"/a%2e\"]}]}\n", "f:3:35:", "paths");
    refused(HEAD "network: {allow: [{id: a, paths: [\"a\"]}]}\n", "f:3:35:", "absolute");
    policy_free(taken(HEAD "storage: {mounts: [{id: a, deny_read: [\"**\", \"**/a/**\", \"a/**\", "
                           "\"*.x\", \"?/b*c\"]}]}\n"));
}

static void p05_quantities(void **state)
{
    static const char *const sizes[] = {
        "99999999999TiB", "-1GiB", "1024",   "1GB",   "1gib", "1.5GiB",
        "1 GiB",          "GiB",   "0x1KiB", "01GiB", "2TiB", "18446744073709551616B",
        "63MiB"
    };
    static const char *const times[] = { "-1s",   "30",   "1min",
                                         "1h30m", "0.5h", "99999999999999999999d",
                                         "1w",    "500ms" };
    char buf[128];

    (void)state;
    for (size_t i = 0; i < array_len(sizes); i++) {
        snprintf(buf, sizeof(buf), HEAD "memory: {max: %s}\n", sizes[i]);
        refused(buf, "f:3:15:", "wanted");
    }
    for (size_t i = 0; i < array_len(times); i++) {
        snprintf(buf, sizeof(buf), HEAD "limits: {wall: %s}\n", times[i]);
        refused(buf, "f:3:16:", "wanted");
    }
    /* What wraps round to nothing is not nothing. */
    refused(HEAD "memory: {swap: 18446744073709551616B}\n", "f:3:16:", "2^53-1");
    refused(HEAD "memory: {swap: 16777216TiB}\n", "f:3:16:", "2^53-1");
    refused(HEAD "memory: {swap: 9007199254740992B}\n", "f:3:16:", "2^53-1");
    refused(HEAD "cpu: {quota: 150}\n", "f:3:14:", "150%");
    refused(HEAD "network: {allow: [{id: a, limits: {rate: 20}}]}\n", "f:3:42:", "20/s");
    refused(HEAD "network: {allow: [{id: a, ports: [0]}]}\n", "f:3:35:", "port");
    refused(HEAD "network: {allow: [{id: a, ports: [65536]}]}\n", "f:3:35:", "port");
    refused(HEAD "network: {allow: [{id: a, ports: [90..80]}]}\n", "f:3:35:", "port");
    refused(HEAD "tools: {mcp: [{id: a, max_body: 64}]}\n", "f:3:33:", "unit");

    struct policy *p =
        taken(HEAD "memory: {max: 64MiB}\nlimits: {wall: 1000ms}\ncpu: {quota: 3200%}\n"
                   "storage: {memory: [{id: a, keep: 30 versions}]}\n");

    assert_int_equal(p->memory.max, 64 << 20);
    assert_int_equal(p->limits.wall, 1000);
    assert_int_equal(p->limits.idle, 600000); /* the default */
    policy_free(p);
}

static void argument_patterns(void **state)
{
    (void)state;
    refused(HEAD "tools: {commands: [{id: a, argv: [{allow: [{any: {count: 0..513}}]}]}]}\n",
            "f:3:58:", "count");
    refused(HEAD "tools: {commands: [{id: a, argv: [{allow: [{any: {cuont: 1}}]}]}]}\n",
            "f:3:", "cuont");
    refused(HEAD "tools: {commands: [{id: a, argv: [{allow: [{prefx: a}]}]}]}\n",
            "f:3:", "did you mean \"prefix\"");
    refused(HEAD "tools: {commands: [{id: a, argv: [{allow: [{prefix: a, enum: [b]}]}]}]}\n",
            "f:3:", "one of");
    refused(HEAD "tools: {commands: [{id: a, argv: [{allow: [{prefix: aaaa, max: 3}]}]}]}\n",
            "f:3:", "longer than max");
    refused(HEAD "tools: {commands: [{id: a, argv: [{allow: [{any: {count: 512}}, {any: {count: "
                 "512}}, {any: {count: 512}},"
                 " {any: {count: 512}}, {any: {count: 512}}, {any: {count: 512}}, {any: {count: "
                 "512}}, {any: {count: 512}}]}]}]}\n",
            "f:3:", "too complex");
}

static void every_problem_is_named(void **state)
{
    struct problems ps = PROBLEMS_INIT;
    const char *yaml = HEAD "cpu: {vcpus: 99}\nmemory: {max: 1}\nnetwrok: 1\n";

    (void)state;
    assert_null(policy_parse(yaml, strlen(yaml), "f", &ps));
    assert_int_equal(ps.errors, 3);

    struct text out = TEXT_INIT;

    problems_json(&ps, &out);
    assert_non_null(strstr(text_str(&out), "\"line\":4"));
    text_fini(&out);
    problems_fini(&ps);
}

static void canonical_form_is_one(void **state)
{
    char *a = canonical("carrel: 1\nname: t\nmemory: {max: 1GiB, swap: 0B}\nnetwork: {allow: [{id: "
                        "b, ports: [443, 80, 81..90]}, {id: a}]}\n");
    char *b = canonical("network:\n  allow:\n  - id: a\n  - ports: [80..89, 90, 443]\n    id: "
                        "b\nmemory:\n  swap: 0KiB\n  max: \"1024MiB\"\nname: 't'\ncarrel: 1\n");

    (void)state;
    assert_string_equal(a, b);
    assert_string_equal(
        a, "{\"carrel\":1,\"memory\":{\"max\":\"1073741824B\",\"swap\":\"0B\"},\"name\":\"t\","
           "\"network\":{\"allow\":[{\"id\":\"a\"},{\"id\":\"b\",\"ports\":[\"80..90\",443]}]}}");
    free(a);
    free(b);
}

static char *load_draft(size_t *n)
{
    struct err e = ERR_INIT;
    char path[512];
    const char *src = getenv("CARREL_SOURCE");

    snprintf(path, sizeof(path), "%s/tests/golden/policy/draft.yaml", src ? src : ".");

    char *text = io_load(AT_FDCWD, path, YAML_BYTES_MAX, n, &e);

    if (!text)
        fail_msg("%s", e.msg);
    return text;
}

static void draft_reads_back_from_its_canonical_form(void **state)
{
    size_t n;
    char *text = load_draft(&n);
    char *one = canonical(text), *two = canonical(one);
    struct policy *p = taken(text), *q = taken(one);
    char h[POLICY_HASH_HEX], g[POLICY_HASH_HEX];

    (void)state;
    assert_string_equal(one, two);
    policy_hash(p, h);
    policy_hash(q, g);
    assert_string_equal(h, g);
    assert_int_equal(strlen(h), 64);
    q->cpu.vcpus++;
    policy_hash(q, g);
    assert_string_not_equal(h, g);
    policy_free(p);
    policy_free(q);
    free(one);
    free(two);
    free(text);
}

static void hash_is_sha256_of_the_canonical_form(void **state)
{
    struct policy *p = taken(HEAD);
    char h[POLICY_HASH_HEX];

    (void)state;
    policy_hash(p, h);
    /* printf '%s' '{"carrel":1,"name":"t"}' | sha256sum */
    assert_string_equal(h, "82961d224dd32b74689a6caa780ead9f27e283204d8638ea816ebc07aa9e058b");
    policy_free(p);
}

static void fields_explain_themselves(void **state)
{
    struct text out = TEXT_INIT;

    (void)state;
    assert_true(schema_explain("network.allow.ports", &out));
    assert_non_null(strstr(text_str(&out), "default: 443"));
    assert_false(schema_explain("network.alow", &out));
    assert_false(schema_explain("cpu.vcpus.x", &out));
    text_fini(&out);
    schema_markdown(&out);
    assert_non_null(strstr(text_str(&out), "`storage.mounts.links.symlink`"));
    text_fini(&out);
    schema_json(&out);
    assert_non_null(strstr(text_str(&out), "\"cap_net_admin\""));
    text_fini(&out);
}

static void the_key_list_is_current(void **state)
{
    struct err e = ERR_INIT;
    char path[512];
    const char *src = getenv("CARREL_SOURCE"), *list;
    size_t n;
    struct text out = TEXT_INIT;

    (void)state;
    snprintf(path, sizeof(path), "%s/docs/policy-keys.md", src ? src : ".");

    char *text = io_load(AT_FDCWD, path, YAML_BYTES_MAX, &n, &e);

    if (!text)
        fail_msg("%s", e.msg);
    schema_markdown(&out);
    list = strstr(text, "- `carrel`");
    assert_non_null(list);
    assert_string_equal(list, text_str(&out));
    text_fini(&out);
    free(text);
}

static void fixed_text_is_cut_not_overrun(void **state)
{
    char buf[8];
    struct text t = text_fixed(buf, sizeof(buf));

    (void)state;
    text_add(&t, "%s", "0123456789");
    assert_string_equal(buf, "0123456");
    assert_true(t.full);
    text_add(&t, "x");
    assert_int_equal(strlen(buf), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(p01_forbidden_yaml),
        cmocka_unit_test(p01_hostile_size_takes_less_than_50_ms),
        cmocka_unit_test(p01_larger_than_256_kib),
        cmocka_unit_test(p02_keys),
        cmocka_unit_test(p02_implicit_types),
        cmocka_unit_test(p03_hosts),
        cmocka_unit_test(p04_paths),
        cmocka_unit_test(p05_quantities),
        cmocka_unit_test(argument_patterns),
        cmocka_unit_test(every_problem_is_named),
        cmocka_unit_test(canonical_form_is_one),
        cmocka_unit_test(draft_reads_back_from_its_canonical_form),
        cmocka_unit_test(hash_is_sha256_of_the_canonical_form),
        cmocka_unit_test(fields_explain_themselves),
        cmocka_unit_test(the_key_list_is_current),
        cmocka_unit_test(fixed_text_is_cut_not_overrun),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
