/* Layers: pinned parents, inheritance, narrow-only with a witness (P06, P07, P08), comparison by
 * name. */
#include "policies/canon.h"
#include "policies/compare.h"
#include "policies/layers.h"
#include "policies/points.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct store {
    const char *name, *text;
};

static int find(void *ctx, const char *name, const char **text, size_t *len, const char **file)
{
    for (const struct store *s = ctx; s->name; s++) {
        if (strcmp(s->name, name) == 0) {
            *text = s->text;
            *len = strlen(s->text);
            *file = s->name;
            return 0;
        }
    }
    return -ENOENT;
}

static void hash_of(const char *text, char out[POLICY_HASH_HEX])
{
    struct policy *p = policy_parse(text, strlen(text), "x", NULL);

    assert_non_null(p);
    policy_hash(p, out);
    policy_free(p);
}

/* "base@sha256:…" for each named document in front of the rest of a child. */
static char *child_of(const struct store *parents, const char *rest)
{
    struct text t = TEXT_INIT;

    text_add(&t, "carrel: 1\nname: child\nextends: [");
    for (uint32_t i = 0; parents[i].name; i++) {
        char h[POLICY_HASH_HEX];

        hash_of(parents[i].text, h);
        text_add(&t, "%s%s@sha256:%s", i ? ", " : "", parents[i].name, h);
    }
    text_add(&t, "]\n%s", rest);
    return t.p;
}

static struct policy *load(const char *text, struct store *s, char **why)
{
    struct problems ps = PROBLEMS_INIT;
    struct policy *p = policy_load(text, strlen(text), "child.yaml", find, s, &ps);
    struct text t = TEXT_INIT;

    problems_print(&ps, &t);
    text_add(&t, "%s", "");
    *why = t.p ? t.p : calloc(1, 1);
    assert_true((p != NULL) == (ps.errors == 0));
    problems_fini(&ps);
    return p;
}

static void refused(const char *parent, const char *rest, const char *what)
{
    struct store s[] = { { "base", parent }, { NULL, NULL } };
    char *text = child_of(s, rest), *why;
    struct policy *p = load(text, s, &why);

    if (p || !strstr(why, what))
        fail_msg("wanted \"%s\" for\n%s\ngot: %s", what, rest, p ? "taken" : why);
    free(text);
    free(why);
}

static struct policy *taken(const char *parent, const char *rest)
{
    struct store s[] = { { "base", parent }, { NULL, NULL } };
    char *text = child_of(s, rest), *why;
    struct policy *p = load(text, s, &why);

    if (!p)
        fail_msg("refused: %s", why);
    free(text);
    free(why);
    return p;
}

#define BASE "carrel: 1\nname: base\n"
#define NET(x)                                                                            \
    BASE "network: {allow: [{id: a, hosts: [\"**.x.org\"], methods: [GET, POST], paths: " \
         "[\"/p/**\"]" x "}]}\n"

static void p06_extends(void **state)
{
    struct store s[] = { { "base", BASE }, { NULL, NULL }, { NULL, NULL } };
    char *text = child_of(s, ""), *why;
    struct policy *p = load(text, s, &why);
    char buf[512];

    (void)state;
    assert_non_null(p);
    policy_free(p);
    free(why);

    /* Missing, another hash, not pinned, no way to find any. */
    s[0].name = "other";
    p = load(text, s, &why);
    assert_null(p);
    assert_non_null(strstr(why, "child.yaml:3:1: error: extends: base is not there"));
    free(why);
    s[0] = (struct store){ "base", BASE "owner: x\n" };
    p = load(text, s, &why);
    assert_null(p);
    assert_non_null(strstr(why, "another hash"));
    free(why);
    p = load("carrel: 1\nname: c\nextends: [base]\n", s, &why);
    assert_null(p);
    assert_non_null(strstr(why, "pinned"));
    free(why);
    assert_null(policy_load(text, strlen(text), "f", NULL, NULL, NULL));
    free(text);

    /* A hash cannot be known before it is written, so a cycle can only be attempted. */
    snprintf(buf, sizeof(buf), "carrel: 1\nname: base\nextends: [base@sha256:%064d]\n", 0);
    s[0].text = buf;
    text = child_of(s, "");
    p = load(text, s, &why);
    assert_null(p);
    assert_non_null(strstr(why, "base extends itself"));
    free(why);
    free(text);
}

static void p06_depth(void **state)
{
    struct store s[12] = { { NULL, NULL } };
    char names[11][8], *why;

    (void)state;
    s[0] = (struct store){ "l0", BASE };
    for (int i = 1; i <= 10; i++) {
        struct store above[] = { s[i - 1], { NULL, NULL } };
        char *text = child_of(above, "");
        struct policy *p = load(text, s, &why);

        if ((p != NULL) != (i <= 8))
            fail_msg("%d layers: %s", i, why);
        if (!p)
            assert_non_null(strstr(why, "more than 8"));
        policy_free(p);
        free(why);
        snprintf(names[i], sizeof(names[i]), "l%d", i);
        s[i] = (struct store){ names[i], text };
    }
    for (int i = 1; i <= 10; i++)
        free((void *)(uintptr_t)s[i].text);
}

static void a_child_has_what_it_does_not_say(void **state)
{
    struct policy *p = taken(
        BASE "memory: {max: 1GiB}\nnetwork:\n  allow:\n  - {id: a, hosts: [x.org], ports: [80, "
             "443], limits: {rate: 5/s}}\n"
             "  - {id: b, hosts: [y.org]}\n  deny: [{id: d, hosts: [x.org], paths: [\"/no/**\"]}]\n"
             "storage: {mounts: [{id: w, source: ./, target: /w, access: rw, deny_read: "
             "[\"*.pem\"]}]}\n",
        "network: {allow: [{id: a, ports: [443]}]}\n"
        "storage: {mounts: [{id: w, access: ro, deny_read: [\"*.key\"]}]}\nlimits: {wall: 1m}\n");
    const struct net_rule *a = p->network.allow.v[0];
    const struct mount *w = p->storage.mounts.v[0];

    (void)state;
    assert_int_equal(p->memory.max, 1 << 30);
    assert_int_equal(p->limits.wall, 60000);
    assert_int_equal(p->network.allow.n, 1); /* b is not asked for */
    assert_string_equal(a->hosts.v[0], "x.org");
    assert_int_equal(a->ports.n, 1);
    assert_int_equal(a->limits.rate, 5 * 86400);
    assert_int_equal(p->network.deny.n, 1);
    assert_string_equal(w->target, "/w");
    assert_int_equal(w->deny_read.n, 2); /* denials unite */

    struct text t = TEXT_INIT;

    policy_place(p, a->o.at[3].line ? a->o.at[3] : a->o.spot, &t);
    text_add(&t, " ");
    policy_place(p, p->memory.o.at[0], &t);
    assert_non_null(strstr(text_str(&t), "base:3"));
    text_fini(&t);
    policy_free(p);
}

static void two_parents_both_bind(void **state)
{
    struct store s[] = {
        { "one", BASE "memory: {max: 1GiB}\nnetwork: {allow: [{id: a, hosts: [x.org, y.org]}]}\n" },
        { "two", BASE "memory: {max: 2GiB}\nnetwork: {allow: [{id: a, hosts: [y.org, z.org]}]}\n" },
        { NULL, NULL }
    };
    char *text = child_of(s, "network: {allow: [{id: a}]}\n"), *why;
    struct policy *p = load(text, s, &why);

    (void)state;
    if (!p)
        fail_msg("%s", why);
    assert_int_equal(p->memory.max, 1 << 30);
    assert_int_equal(((struct net_rule *)p->network.allow.v[0])->hosts.n, 1);
    policy_free(p);
    free(text);
    free(why);
    text = child_of(s, "network: {allow: [{id: a, hosts: [x.org]}]}\n");
    p = load(text, s, &why);
    assert_null(p);
    assert_non_null(strstr(why, "is wider than base, which denies: connect --host x.org"));
    free(text);
    free(why);
}

static void p07_overlapping_allows_that_disagree(void **state)
{
    struct problems ps = PROBLEMS_INIT;
    const char *protocol = BASE "network:\n  allow:\n  - {id: a, hosts: [\"*.x.org\"]}\n  - {id: "
                                "b, hosts: [q.x.org], protocol: tls}\n";
    const char *secret =
        BASE "network:\n  allow:\n  - {id: a, hosts: [\"*.x.org\"]}\n  - {id: b, hosts: [q.x.org], "
             "paths: [\"/b/**\"]}\n"
             "secrets: [{id: k, from: {env: K}, inject: {rule: b, header: x, format: \"{}\"}}]\n";
    const char *fine =
        BASE "network:\n  allow:\n  - {id: a, hosts: [\"*.x.org\"], paths: [\"/a/**\"]}\n  - {id: "
             "b, hosts: [q.x.org], paths: [\"/b/**\"]}\n"
             "  - {id: c, hosts: [q.x.org], ports: [22], protocol: tcp}\n"
             "secrets: [{id: k, from: {env: K}, inject: {rule: b, header: x, format: \"{}\"}}]\n";
    struct text t = TEXT_INIT;

    (void)state;
    assert_null(policy_load(protocol, strlen(protocol), "f", NULL, NULL, &ps));
    problems_print(&ps, &t);
    assert_non_null(strstr(
        text_str(&t),
        "f:5:5: error: network/a: overlaps network/b (f:6) and disagrees with it on protocol"));
    text_fini(&t);
    problems_fini(&ps);
    assert_null(policy_load(secret, strlen(secret), "f", NULL, NULL, &ps));
    problems_print(&ps, &t);
    assert_non_null(strstr(text_str(&t), "disagrees with it on secrets"));
    text_fini(&t);
    problems_fini(&ps);

    struct policy *p = policy_load(fine, strlen(fine), "f", NULL, NULL, &ps);

    assert_non_null(p);
    policy_free(p);
    problems_fini(&ps);
}

#define HASH(last) "000000000000000000000000000000000000000000000000000000000000000" last

/* One widening a section; each must be refused with a request that shows it. */
static void p08_wider_in_each_section(void **state)
{
    static const struct {
        const char *parent, *child, *witness;
    } cases[] = {
        { "mode: enforce\n", "mode: audit\n", "resource --field mode --value audit" },
        { "require: {landlock: required}\n", "require: {landlock: preferred}\n",
          "require.landlock --value preferred" },
        { "cpu: {vcpus: 2}\n", "cpu: {vcpus: 4}\n", "cpu.vcpus --value 3" },
        { "cpu: {nested: false}\n", "cpu: {nested: true}\n", "cpu.nested --value true" },
        { "memory: {max: 1GiB}\n", "memory: {max: 2GiB}\n", "memory.max" },
        { "limits: {wall: 1m}\n", "limits: {wall: 2m}\n", "limits.wall" },
        { "budget: {egress: 1MiB}\n", "budget: {egress: 2MiB}\n", "budget.egress" },
        { "budget: {forks: 1}\n", "budget: {forks: 2}\n", "budget.forks" },
        { "image: {name: base}\n", "image: {name: other}\n", "image --name other" },
        { "image: {verity: true}\n", "image: {verity: false}\n", "image.verity" },
        { "snapshot: {restore: true, max_age: 1h}\n", "snapshot: {max_age: 2h}\n", "snapshot" },
        { "snapshot: {restore: true}\n", "snapshot: {save: true}\n", "snapshot.save" },
        { "tools: {commands: [{id: a, exec: {path: /bin/a}}]}\n",
          "tools: {commands: [{id: b, exec: {path: /bin/b}}]}\n", "exec --path /bin/b" },
        { "tools: {commands: [{id: a, exec: {path: /bin/a}, argv: [{allow: [{any: {}}]}, {deny: "
          "[{prefix: \"-c\"}]}]}]}\n",
          "tools: {commands: [{id: a, argv: [{allow: [{any: {}}]}]}]}\n", "-- -c" },
        { "tools: {commands: [{id: a, exec: {path: /bin/a}, env: {allow: [PATH]}}]}\n",
          "tools: {commands: [{id: a, env: {allow: [PATH, LD_PRELOAD]}}]}\n", "--env LD_PRELOAD=" },
        { "tools: {commands: [{id: a, exec: {path: /bin/a}}]}\n",
          "tools: {commands: [{id: a, user: 0}]}\n", "--user 0" },
        { "tools: {commands: [{id: a, exec: {path: /bin/a, sha256: " HASH("a") "}}]}\n",
          "tools: {commands: [{id: b, exec: {path: /bin/a}}]}\n", "exec --path /bin/a\n" },
        { "tools: {commands: [{id: a, exec: {path: /bin/a, sha256: " HASH("a") "}}]}\n",
          "tools: {commands: [{id: a, exec: {sha256: " HASH("b") "}}]}\n", "--sha256 " HASH("b") },
        { "tools: {commands: [{id: a, exec: {path: /bin/a}, broker: host}]}\n",
          "tools: {commands: [{id: a, broker: guest}]}\n", "--broker guest" },
        { "tools: {commands: [{id: a, exec: {path: /bin/a}}]}\n",
          "tools: {commands: [{id: a, capabilities: [sys_admin]}]}\n", "--caps cap_sys_admin" },
        { "tools: {commands: [{id: a, exec: {path: /bin/a}}]}\n",
          "tools: {commands: [{id: a, syscalls: {add: [bpf]}}]}\n", "--syscalls bpf" },
        { "tools: {commands: [{id: a, exec: {path: /bin/a}, paths: {ro: [/usr]}}]}\n",
          "tools: {commands: [{id: a, paths: {rw: [/usr]}}]}\n", "--rw /usr" },
        { "tools: {host: [{id: a, command: [/bin/a], approve: each}]}\n",
          "tools: {host: [{id: a, approve: never}]}\n", "host" },
        { "tools: {mcp: [{id: m, server: [a], allow: [x]}]}\n",
          "tools: {mcp: [{id: m, server: [b]}]}\n", "host --for m --approval each -- b" },
        { "tools: {mcp: [{id: m, server: [a], allow: [{tool: x, args: {p: {prefix: d}}}]}]}\n",
          "tools: {mcp: [{id: m, allow: [x]}]}\n", "mcp --server m --tool x" },
        { "tools: {mcp: [{id: m, server: [a], allow: [x]}]}\n",
          "tools: {mcp: [{id: m, max_body: 2MiB}]}\n", "--body" },
        { "storage: {mounts: [{id: w, source: ./a, target: /w}]}\n",
          "storage: {mounts: [{id: w, source: ./}]}\n", "mount --source" },
        { "storage: {mounts: [{id: w, source: ./, target: /w}]}\n",
          "storage: {mounts: [{id: w, access: rw}]}\n", "--op write" },
        { "storage: {mounts: [{id: w, source: ./, target: /w, access: rw, deny_write: "
          "[\"**/.git/**\"]}]}\n",
          "storage: {mounts: [{id: v, source: ./, target: /w, access: rw}]}\n", "/w/.git" },
        { "storage: {mounts: [{id: w, source: ./, target: /w}], memory: []}\n",
          "storage: {memory: [{id: n, target: /n, access: read}]}\n",
          "file --path /n --inodes 100001" },
        { "storage: {root: {mode: read-only}}\n", "storage: {root: {mode: overlay}}\n",
          "storage.root.mode" },
        { "network: {allow: [{id: a, hosts: [x.org]}]}\n",
          "network: {allow: [{id: b, hosts: [\"*.x.org\"]}]}\n", "connect --host a.x.org" },
        { "network: {allow: [{id: a, hosts: [x.org]}]}\n",
          "network: {allow: [{id: a, ports: [443, 80]}]}\n", "--port 80" },
        { "network: {allow: [{id: a, hosts: [x.org]}]}\n",
          "network: {allow: [{id: a, protocol: tls}]}\n", "--protocol tls" },
        { "network: {allow: [{id: a, hosts: [x.org]}]}\n",
          "network: {allow: [{id: a, addresses: [10.0.0.0/8]}]}\n", "--addr 10.0.0.0" },
        { "network: {allow: [{id: a, hosts: [x.org], limits: {rate: 1/s}}]}\n",
          "network: {allow: [{id: a, limits: {rate: 2/s}}]}\n", "--rate" },
        { "network: {publish: []}\n", "network: {publish: [{guest: 80, host: \"127.0.0.1:80\"}]}\n",
          "publish --guest 80" },
        { "network: {allow: [{id: a, hosts: [x.org]}, {id: b, hosts: [y.org]}]}\nsecrets: [{id: k, "
          "from: {env: K}, inject: {rule: a, header: x, format: \"{}\"}}]\n",
          "network: {allow: [{id: a, hosts: [y.org]}]}\nsecrets: [{id: k}]\n", "secret --id k" },
        { "models: [{id: m, endpoint: \"http://h/v1\", names: [a]}]\n",
          "models: [{id: m, names: [\"*\"]}]\n", "model --endpoint http://h/v1" },
        { "models: [{id: m, endpoint: \"http://h/v1\", names: [a]}]\n",
          "models: [{id: m, endpoint: \"http://i/v1\"}]\n", "http://i/v1" },
        { "accelerators: [{id: g, match: {vendor: nvidia}, attach: passthrough}]\n",
          "accelerators: [{id: g, iommu: {exclusive_group: false}}]\n", "device" },
        { "accelerators: [{id: g, match: {vendor: nvidia}}]\n",
          "accelerators: [{id: g, count: 2}]\n", "--count 2" },
        { "audit: {level: all}\n", "audit: {level: off}\n", "audit.level" },
        { "audit: {retain: 90d}\n", "audit: {retain: 1d}\n", "audit.retain" },
    };

    (void)state;
    for (size_t i = 0; i < array_len(cases); i++) {
        char parent[1024];
        struct policy *p;

        snprintf(parent, sizeof(parent), BASE "%s", cases[i].parent);
        refused(parent, cases[i].child, "is wider than base, which denies: ");
        refused(parent, cases[i].child, cases[i].witness);
        /* The parent's own words are never wider. */
        p = taken(parent, cases[i].parent);
        policy_free(p);
    }
}

static void a_pin_narrows(void **state)
{
    struct policy *p = taken(BASE "tools: {commands: [{id: a, exec: {path: /bin/a}}]}\n",
                             "tools: {commands: [{id: a, exec: {sha256: " HASH("a") "}}]}\n");

    (void)state;
    assert_string_equal(((struct command *)p->tools.commands.v[0])->exec.sha256, HASH("a"));
    policy_free(p);
    p = taken(BASE "tools: {commands: [{id: a, exec: {path: /bin/a, sha256: " HASH("a") "}}]}\n",
              "tools: {commands: [{id: a}]}\n");
    assert_string_equal(((struct command *)p->tools.commands.v[0])->exec.sha256, HASH("a"));
    policy_free(p);
}

static void narrower_sees_through_unions(void **state)
{
    struct policy *p = taken(
        NET(""),
        "network: {allow: [{id: a, hosts: [\"*.a.x.org\", b.x.org], paths: [\"/p/*/q\"]}]}\n");

    (void)state;
    policy_free(p);
    /* Covered by no single rule, but by all together. */
    p = taken(BASE "network: {allow: [{id: a, hosts: [x.org], ports: [1..500]}, {id: b, hosts: "
                   "[x.org], ports: [501..65535]}]}\n",
              "network: {allow: [{id: c, hosts: [x.org], ports: [400..600]}]}\n");
    policy_free(p);
    p = taken(BASE "network: {allow: [{id: a, hosts: [x.org], methods: [GET]}, {id: b, hosts: "
                   "[x.org], methods: [POST], paths: [\"/a/**\"]}]}\n",
              "network: {allow: [{id: c, hosts: [x.org], methods: [GET, POST], paths: "
              "[\"/a/b/**\"]}]}\n");
    policy_free(p);
    refused(BASE "network: {allow: [{id: a, hosts: [x.org], methods: [GET]}, {id: b, hosts: "
                 "[x.org], methods: [POST], paths: [\"/a/**\"]}]}\n",
            "network: {allow: [{id: c, hosts: [x.org], methods: [GET, POST], paths: [\"/a/b/**\", "
            "\"/c\"]}]}\n",
            "http --host x.org --method POST --path /c");
    /* Two labels in front are not one. */
    refused(BASE "network: {allow: [{id: a, hosts: [\"*.x.org\", x.org]}]}\n",
            "network: {allow: [{id: a, hosts: [\"**.x.org\"]}]}\n", "connect --host a.a.x.org");
    /* argv: any{0..2} is words of one, two and none. */
    p = taken(BASE "tools: {commands: [{id: a, exec: {path: /a}, argv: [{allow: []}, {allow: "
                   "[{any: {count: 1}}]}, {allow: [{any: {count: 2}}]}]}]}\n",
              "tools: {commands: [{id: b, exec: {path: /a}, argv: [{allow: [{any: {count: "
              "0..2}}]}]}]}\n");
    policy_free(p);
    refused(
        BASE "tools: {commands: [{id: a, exec: {path: /a}, argv: [{allow: []}, {allow: [{any: "
             "{count: 2}}]}]}]}\n",
        "tools: {commands: [{id: b, exec: {path: /a}, argv: [{allow: [{any: {count: 0..2}}]}]}]}\n",
        "exec --path /a -- x");
    refused(
        BASE "tools: {commands: [{id: a, exec: {path: /a}, argv: [{allow: [{any: {count: 1, max: "
             "8}}]}]}]}\n",
        "tools: {commands: [{id: b, exec: {path: /a}, argv: [{allow: [{prefix: ab, max: 9}]}]}]}\n",
        "-- abxxxxxxx");
    /* Named arguments: the first value is covered, the second is not; two rules cover one name
     * each. */
    refused(
        BASE "tools: {mcp: [{id: m, server: [s], allow: [{tool: x, args: {p: {prefix: d}}}]}]}\n",
        "tools: {mcp: [{id: m, allow: [{tool: x, args: {p: {enum: [d1, z]}}}]}]}\n", "--args p=z");
    refused(BASE "tools: {mcp: [{id: m, server: [s], allow: [{tool: x, args: {p: {prefix: d}}}, "
                 "{tool: x, args: {q: {prefix: e}}}]}]}\n",
            "tools: {mcp: [{id: m, allow: [{tool: x, args: {p: {enum: [d1, z]}, q: {enum: [e1, "
            "z]}}}]}]}\n",
            "--args p=z --args q=z");
    p = taken(BASE "tools: {mcp: [{id: m, server: [s], allow: [{tool: x, args: {p: {prefix: d}}}, "
                   "{tool: x, args: {q: {prefix: e}}}]}]}\n",
              "tools: {mcp: [{id: m, allow: [{tool: x, args: {p: {enum: [d1, z]}, q: e1}}, {tool: "
              "x, args: {p: d2, r: {any: {}}}}]}]}\n");
    policy_free(p);
    /* Globs: what a*b and a*c have in common is neither. */
    p = taken(BASE "models: [{id: m, endpoint: \"http://h\", names: [\"a*b\", \"a*c\"]}]\n",
              "models: [{id: m, names: [\"a*bb\", \"ab*c\", \"a?c\"]}]\n");
    policy_free(p);
    refused(BASE "models: [{id: m, endpoint: \"http://h\", names: [\"a*b\", \"a*c\"]}]\n",
            "models: [{id: m, names: [\"a*\"]}]\n", "--name a");
}

static enum change change_of(const char *before, const char *after, struct text *out)
{
    struct policy *a = policy_parse(before, strlen(before), "a", NULL),
                  *b = policy_parse(after, strlen(after), "b", NULL);
    struct ruleset *ra = ruleset_make(a, NULL), *rb = ruleset_make(b, NULL);
    struct arena arena = ARENA_INIT;
    struct diff d;

    policy_diff(ra, rb, &arena, &d);
    diff_print(ra, rb, &d, out);
    diff_json(&d, out);
    arena_fini(&arena);
    ruleset_free(ra);
    ruleset_free(rb);
    policy_free(a);
    policy_free(b);
    return d.change;
}

static void diff_says_what_changes(void **state)
{
    struct text t = TEXT_INIT;

    (void)state;
    /* Another way to say the same. */
    assert_int_equal(
        change_of(BASE "network: {allow: [{id: a, hosts: [x.org, y.org], ports: [80..90]}]}\n",
                  BASE "network: {allow: [{id: b, hosts: [y.org], ports: [80..85, 86..90]}, {id: "
                       "c, hosts: [x.org], ports: [80..90]}]}\n",
                  &t),
        CHANGE_SAME);
    assert_int_equal(change_of(NET(""), NET(", ports: [443, 22]"), &t), CHANGE_WIDENS);
    assert_non_null(strstr(text_str(&t), "+ connect --host"));
    assert_int_equal(change_of(NET(", ports: [443, 22]"), NET(""), &t), CHANGE_NARROWS);
    assert_int_equal(change_of(NET(", ports: [22]"), NET(""), &t), CHANGE_BOTH);
    text_fini(&t);
}

static void a_limit_not_the_clock(void **state)
{
    /* Unions of crossing globs whose product explodes: refused as too complex, and soon. */
    struct text a = TEXT_INIT, b = TEXT_INIT;
    struct timespec from, to;

    (void)state;
    text_add(&a, BASE "models: [{id: m, endpoint: \"http://h\", names: [x");
    text_add(&b, "models: [{id: m, names: [\"*a*b*c*d*e*f*g*h*i*j*\"");
    for (int i = 0; i < 26; i++) {
        text_add(&a, ", \"*%c?%c*%c?%c*z\"", 'a' + i % 26, 'a' + (i * 7 + 3) % 26,
                 'a' + i * 11 % 26, 'a' + (i * 5 + 1) % 26);
        text_add(&b, ", \"*%c*%c*%c*\"", 'a' + i % 26, 'a' + (i * 3 + 1) % 26,
                 'a' + (i * 5 + 2) % 26);
    }
    text_add(&a, ", \"*?*z\", \"*a*b*c*d*e*f*g*h*i*j*\"]}]\n");
    text_add(&b, "]}]\n");
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    refused(text_str(&a), text_str(&b), "cannot be compared with base: too complex");
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    assert_true(to.tv_sec - from.tv_sec <= 20);
    text_fini(&a);
    text_fini(&b);
}

static void whole_policies_are_checked(void **state)
{
    static const char *const cases[][2] = {
        { "network: {allow: [{id: a}]}\n", "wanted hosts, or any_host" },
        { "network: {allow: [{id: a, hosts: [x.org], protocol: tls, methods: [GET]}]}\n",
          "only with protocol: https" },
        { "network: {deny: [{id: a, hosts: [x.org], protocol: tls}]}\n", "a denial has" },
        { "secrets: [{id: k, from: {env: K}, inject: {rule: n, header: x, format: \"{}\"}}]\n",
          "\"n\" is not there" },
        { "secrets: [{id: k, inject: {rule: n, header: x, format: \"{}\"}}]\n",
          "wanted file or env" },
        { "tools: {commands: [{id: a}]}\n", "path is missing" },
        { "tools: {commands: [{id: a, exec: {path: /a}, network: [n]}]}\n", "network rule \"n\"" },
        { "tools: {commands: [{id: a, exec: {path: /a}, spawn: [b]}]}\n", "spawns \"b\"" },
        { "tools: {commands: [{id: a, exec: {path: /a}, argv: [{}]}]}\n", "allow or deny" },
        { "tools: {host: [{id: a, command: [git]}]}\n", "absolute path" },
        { "tools: {host: [{id: a, command: [/git], cwd: w}]}\n", "mount \"w\"" },
        { "tools: {mcp: [{id: a, server: [{prefix: x}]}]}\n", "one fixed command" },
        { "storage: {mounts: [{id: a, source: ./, target: /proc/x}]}\n", "nothing can be mounted" },
        { "storage: {mounts: [{id: a, source: ./, target: /x}, {id: b, source: ./, target: /x}]}\n",
          "two mounts" },
        { "storage: {mounts: [{id: a, target: /x}]}\n", "source is missing" },
        { "accelerators: [{id: a}]\n", "vendor is missing" },
        { "network: {allow: [{id: a, hosts: [\"*.x.org\"], protocol: tls}], deny: [{id: d, "
          "methods: [POST]}]}\n",
          "network/deny/d: cannot hold where network/a (f:3)" },
        { "tools: {commands: [{id: a, exec: {path: /a}, argv: [{allow: [{any: {count: 0..512}}, "
          "{any: {count: 0..512}}, {any: {count: 0..512}}, {any: {count: 0..512}}]},"
          " {deny: [{any: {count: 0..512}}, {any: {count: 0..512}}, {any: {count: 0..512}}, {any: "
          "{count: 0..512}}]}]}]}\n",
          "argv: too complex (4100 states" },
        { "models: [{id: a, endpoint: \"http://h\"}]\n", "no names" },
    };

    (void)state;
    for (size_t i = 0; i < array_len(cases); i++) {
        struct problems ps = PROBLEMS_INIT;
        struct text t = TEXT_INIT, y = TEXT_INIT;

        text_add(&y, BASE "%s", cases[i][0]);
        assert_null(policy_load(y.p, y.len, "f", NULL, NULL, &ps));
        problems_print(&ps, &t);
        if (!strstr(text_str(&t), cases[i][1]) || !strstr(text_str(&t), "f:3:"))
            fail_msg("%s: %s", cases[i][0], text_str(&t));
        text_fini(&t);
        text_fini(&y);
        problems_fini(&ps);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(p06_extends),
        cmocka_unit_test(p06_depth),
        cmocka_unit_test(a_child_has_what_it_does_not_say),
        cmocka_unit_test(two_parents_both_bind),
        cmocka_unit_test(p07_overlapping_allows_that_disagree),
        cmocka_unit_test(p08_wider_in_each_section),
        cmocka_unit_test(a_pin_narrows),
        cmocka_unit_test(narrower_sees_through_unions),
        cmocka_unit_test(diff_says_what_changes),
        cmocka_unit_test(a_limit_not_the_clock),
        cmocka_unit_test(whole_policies_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
