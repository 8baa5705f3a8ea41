#include "tests/unit/policy_random.h"

#include "policies/words.h"

#include <string.h>

uint32_t rng_below(struct rng *r, uint32_t n)
{
    r->s ^= r->s << 13;
    r->s ^= r->s >> 7;
    r->s ^= r->s << 17;
    return (uint32_t)((r->s >> 32) % n);
}

#define PIN "00000000000000000000000000000000000000000000000000000000000000"

enum { NET, DENY, COMMAND, HOST, MCP, MOUNT, MEMORY, SECRET, MODEL, DEVICE, PUBLISH, SECTIONS };

/* Roughly from wide to narrow. */
static const char *const hosts[] = { "\"**.a.b\"", "\"**.a.b\", c.d", "\"*.a.b\", a.b",
                                     "\"*.a.b\"",  "\"**.x.a.b\"",    "\"*.x.a.b\", y.a.b",
                                     "x.a.b, c.d", "y.a.b",           "x.a.b",
                                     "c.d" };
static const char *const ports[] = { "1..65535",        "80..443", "80, 443",
                                     "443, 8000..8010", "443",     "80" };
static const char *const http_paths[] = {
    "\"/**\"",   "\"/a/**\", \"/b\"",   "\"/a/**\"", "\"/a/*\"", "\"/*/b\"",
    "\"/**/b\"", "\"/a/b*\", \"/a/c\"", "\"/a/b\"",  "\"/a/\""
};
static const char *const methods[] = { "GET, HEAD, POST, PUT, DELETE", "GET, POST", "GET, HEAD",
                                       "GET", "POST" };
static const char *const addresses[] = {
    "", "", "10.0.0.0/8, 8.8.0.0/16", "10.1.0.0/16", "10.1.2.3/32", "\"2600::/16\""
};
static const char *const protocols[] = { "tcp", "tls", "https" };
static const char *const argvs[] = {
    "{allow: [{any: {count: 0..4, max: 8}}]}",
    "{allow: [{any: {count: 0..4, max: 4}}]}, {deny: [{prefix: \"-c\"}]}",
    "{allow: [{any: {count: 0..2, max: 4}}]}",
    "{allow: [x, {any: {count: 0..2, max: 4}}]}, {allow: [\"-c\"]}",
    "{allow: [{enum: [x, y]}, {any: {count: 1..2}}]}, {deny: [y, y]}",
    "{allow: [{prefix: x}, {any: {count: 0..2, max: 3}}]}",
    "{allow: [{prefix: \"-\", max: 3}]}",
    "{allow: [x, {enum: [x, y]}]}",
    "{allow: [x, x]}",
    "{allow: []}",
};
static const char *const exec_paths[] = { "/usr/**", "/usr/bin/*", "/usr/bin/p*", "/usr/bin/py",
                                          "/usr/bin/p?" };
/* The one that is no pattern can be pinned. */
static const char *const pins[] = { "", "", PIN "aa", PIN "bb" };
static const char *const envs[] = { "\"*\"", "\"PY*\", PATH", "\"P*\"", "PATH", "PYX" };
static const char *const capses[] = { "net_admin, sys_admin", "net_admin", "" };
static const char *const removes[] = { "", "bpf", "bpf, keyctl, read" };
static const char *const trees[] = { "/", "/usr, /w", "/usr", "/usr/lib" };
static const char *const uses[] = { "n0, n1, n2", "n0, n1", "n1", "" };
static const char *const commands[] = { "/bin/git, {any: {count: 0..3}}",
                                        "/bin/git, {enum: [push, pull]}", "/bin/git, push",
                                        "/bin/ls" };
static const char *const tools[] = { "\"*\"",
                                     "\"get_*\", list",
                                     "\"get_?\"",
                                     "get_a",
                                     "{tool: \"get_*\", args: {p: {prefix: d}}}",
                                     "{tool: get_a, args: {p: {prefix: \"d/\", max: 8}}}",
                                     "{tool: get_a, args: {p: d/x, q: {enum: [x, y]}}}" };
static const char *const targets[] = { "/w", "/w/s", "/w/s/t", "/x", "/w/o", "/y" };
static const char *const denies[] = {
    "", "\"**/.git/**\"", "\"**/.git/**\", \"*.pem\"", "\"**/*.pem\"", "\"s/**\"", "\"s/?\""
};
static const char *const sources[] = { "./", "./a", "./a/b", "/srv" };
static const char *const models[] = { "\"*\"", "\"q*\"", "\"q?n\"", "qwn", "deep, \"q*n\"" };
static const char *const vendors[] = { "nvidia", "amd", "metax" };
static const char *const ids[] = { "", "", "\"10de:0001\", \"10de:0002\"", "\"10de:0001\"" };

#define PICK(list, g) ((list)[(g) % array_len(list)])

static uint8_t *gene(struct genome *g, int section, uint32_t rule)
{
    return g->rule[section][rule].gene;
}

void genome_random(struct rng *r, struct genome *g)
{
    memset(g, 0, sizeof(*g));
    for (int s = 0; s < SECTIONS; s++) {
        for (uint32_t i = 0; i < RULES; i++) {
            g->rule[s][i].there = rng_below(r, s == DENY ? 5 : s == SECRET ? 1 : 3) == 0;
            for (int k = 0; k < GENES; k++)
                gene(g, s, i)[k] = (uint8_t)rng_below(r, rng_below(r, 2) ? 4 : 12);
        }
    }
    for (int i = 0; i < 32; i++)
        g->scalar[i] = (uint8_t)rng_below(r, 3);
}

void genome_derive(struct rng *r, const struct genome *parent, struct genome *child)
{
    *child = *parent;
    for (int s = 0; s < SECTIONS; s++) {
        for (uint32_t i = 0; i < RULES; i++) {
            bool *there = &child->rule[s][i].there;

            if (rng_below(r, 8) == 0 && (s != DENY || rng_below(r, 4) == 0))
                *there = !*there && (s == DENY || rng_below(r, 6) == 0);
            for (int k = 0; k < GENES; k++)
                if (rng_below(r, 40) == 0)
                    gene(child, s, i)[k] = (uint8_t)(gene(child, s, i)[k] + 1 + rng_below(r, 2));
        }
    }
    for (int i = 0; i < 32; i++)
        if (rng_below(r, 30) == 0)
            child->scalar[i] =
                (uint8_t)(child->scalar[i] ? child->scalar[i] - 1 : rng_below(r, 6) == 0);
}

static void net_rule(const struct genome *g, int section, uint32_t i, struct text *out)
{
    const uint8_t *x = g->rule[section][i].gene;
    const char *proto = PICK(protocols, x[5] < 3 ? 2 : x[5]);

    text_add(out, "  - id: n%u\n", i);
    if (section == NET || x[0] % 3)
        text_add(out, "    hosts: [%s]\n", PICK(hosts, x[0]));
    if (section == NET || x[1] % 2)
        text_add(out, "    ports: [%s]\n", PICK(ports, x[1]));
    if (*PICK(addresses, x[2]) && (section == NET || x[2] % 4 == 2))
        text_add(out, "    addresses: [%s]\n", PICK(addresses, x[2]));
    if (section == NET)
        text_add(out, "    protocol: %s\n    limits: {up_per_request: %uB, rate: %u/d}\n", proto,
                 20u - x[6] % 4 * 5, 20u - x[7] % 4 * 5);
    if (strcmp(proto, "https") != 0 || (section == DENY && (x[2] % 4 == 2 || x[8] % 3 == 0)))
        return;
    text_add(out, "    methods: [%s]\n    paths: [%s]\n", PICK(methods, x[3]),
             PICK(http_paths, x[4]));
}

static void network(const struct genome *g, struct text *out)
{
    text_add(out, "network:\n  allow:\n  - {id: never, hosts: [never.never]}\n");
    for (uint32_t i = 0; i < 3; i++)
        if (!g->rule[NET][i].there)
            text_add(out, "  - {id: n%u, hosts: [never.n%u]}\n", i, i);
    for (uint32_t i = 0; i < RULES; i++)
        if (g->rule[NET][i].there)
            net_rule(g, NET, i, out);
    text_add(out, "  deny:\n  - {id: never, hosts: [never.never]}\n");
    for (uint32_t i = 0; i < RULES; i++)
        if (g->rule[DENY][i].there)
            net_rule(g, DENY, i, out);
    text_add(out, "  publish:\n  - {guest: 1, host: \"127.0.0.1:1\"}\n");
    for (uint32_t i = 0; i < RULES; i++)
        if (g->rule[PUBLISH][i].there)
            text_add(out, "  - {guest: %u, host: \"127.0.0.1:%u\"}\n", 8080 + i % 2,
                     9000u + g->rule[PUBLISH][i].gene[0] % 3);
}

static void tool_rules(const struct genome *g, struct text *out)
{
    text_add(out, "tools:\n  commands:\n  - {id: never, exec: {path: /never}}\n");
    for (uint32_t i = 0; i < RULES; i++) {
        const uint8_t *x = g->rule[COMMAND][i].gene;

        const char *path = PICK(exec_paths, x[0]);
        const char *pin = strpbrk(path, "*?") ? "" : PICK(pins, x[17]);

        if (!g->rule[COMMAND][i].there)
            continue;
        text_add(out,
                 "  - id: c%u\n    exec: {path: \"%s\", shell: %s%s%s}\n    argv: [%s]\n    env: "
                 "{allow: [%s], set: {%s}}\n"
                 "    user: %u\n    broker: %s\n    capabilities: [%s]\n    syscalls: {base: %s, "
                 "remove: [%s]}\n"
                 "    rlimits: {cpu: %us, as: %uMiB, fsize: %uB}\n    paths: {ro: [%s], rw: [%s]}\n"
                 "    network: [%s]\n    spawn: [%s]\n",
                 i, path, x[1] % 4 ? "false" : "true", *pin ? ", sha256: " : "", pin,
                 PICK(argvs, x[2]), PICK(envs, x[3]), x[4] % 2 ? "PYX: \"1\"" : "LD: a",
                 x[5] % 5 ? 1000u : 0u, x[6] % 3 ? "guest" : "host", PICK(capses, x[7]),
                 x[8] % 3 ? "tool-default" : "all", PICK(removes, x[9]), 4u - x[10] % 3,
                 4u - x[11] % 3, 4u - x[12] % 3, PICK(trees, x[13]), PICK(trees, x[14]),
                 PICK(uses, x[15]), x[16] % 2 ? "never" : "");
    }
    text_add(out, "  host:\n  - {id: never, command: [/never]}\n");
    for (uint32_t i = 0; i < RULES; i++) {
        const uint8_t *x = g->rule[HOST][i].gene;

        if (g->rule[HOST][i].there)
            text_add(out, "  - {id: h%u, command: [%s], approve: %s%s}\n", i, PICK(commands, x[0]),
                     words_approve[x[1] % 3], x[2] % 3 ? "" : ", cwd: m0");
    }
    text_add(out, "  mcp:\n  - {id: never, server: [never]}\n");
    for (uint32_t i = 0; i < RULES; i++) {
        const uint8_t *x = g->rule[MCP][i].gene;

        if (g->rule[MCP][i].there)
            text_add(
                out, "  - {id: s%u, server: [npx, \"%c\"], max_body: %uB, allow: [%s, %s]%s%s%s}\n",
                i, 'a' + x[5] % 8 / 7, 4u - x[0] % 3, PICK(tools, x[1]), PICK(tools, x[2]),
                x[3] % 3 ? "" : ", pin: \"sha256:",
                x[3] % 3 ? "" : "00000000000000000000000000000000000000000000000000000000000000aa",
                x[3] % 3 ? "" : "\"");
    }
}

static void storage(const struct genome *g, struct text *out)
{
    text_add(out,
             "storage:\n  root: {mode: %s, quota: {bytes: %uB, inodes: %u}}\n  mounts:\n"
             "  - {id: m0, source: ./m, target: /m0}\n",
             g->scalar[0] ? "overlay" : "read-only", 10u + g->scalar[1], 10u + g->scalar[2]);
    for (uint32_t i = 0; i < RULES; i++) {
        const uint8_t *x = g->rule[MOUNT][i].gene;

        if (!g->rule[MOUNT][i].there)
            continue;
        text_add(out,
                 "  - {id: w%u, source: %s, target: %s, access: %s, share: %s,\n"
                 "     quota: {bytes: %uB, inodes: %u},\n"
                 "     deny_write: [%s], deny_read: [%s],\n"
                 "     links: {symlink: %s, hardlink: %s, device: deny, setuid: %s},\n"
                 "     export: {mode: %s, review: [%s]}}\n",
                 i, PICK(sources, x[0]), targets[i], words_access[x[1] % 4 ? 2 : x[1] % 3],
                 words_share[x[7] / 2 % 2], 8u - x[2] % 4, 8u - x[3] % 4, PICK(denies, x[4]),
                 PICK(denies, x[5]), words_symlink[2 - x[6] % 3], x[7] % 2 ? "deny" : "allow",
                 x[8] % 3 ? "deny" : "allow", words_export[2 - x[9] % 3],
                 x[10] % 2 ? "hidden" : "");
    }
    text_add(out, "  memory:\n  - {id: never, target: /never}\n");
    for (uint32_t i = 0; i < RULES; i++) {
        const uint8_t *x = g->rule[MEMORY][i].gene;

        if (g->rule[MEMORY][i].there && !g->rule[MOUNT][i].there)
            text_add(out,
                     "  - {id: v%u, target: %s, access: %s, quota: %uB, keep: %u, retain: %us}\n",
                     i, targets[i], words_memory[3 - x[0] % 4], 8u - x[1] % 4, 4u - x[2] % 3,
                     4u - x[3] % 3);
    }
}

static void others(const struct genome *g, struct text *out)
{
    text_add(out, "secrets:\n  - {id: never, from: {env: X}, inject: {rule: never, header: a, "
                  "format: \"{}\"}}\n");
    for (uint32_t i = 0; i < RULES; i++) {
        const uint8_t *x = g->rule[SECRET][i].gene, *n = g->rule[NET][i].gene;

        if (g->rule[SECRET][i].there && g->rule[NET][i].there && (n[5] < 3 || n[5] % 3 == 2))
            text_add(out,
                     "  - {id: k%u, from: {file: /k%u}, inject: {rule: n%u, header: h, format: "
                     "\"%s{}\"}}\n",
                     i, x[0] % 8 / 7, i, x[1] % 8 ? "" : "B ");
    }
    text_add(out, "models:\n  - {id: never, endpoint: \"http://never\", names: [never]}\n");
    for (uint32_t i = 0; i < RULES; i++) {
        const uint8_t *x = g->rule[MODEL][i].gene;

        if (g->rule[MODEL][i].there)
            text_add(out,
                     "  - {id: q%u, endpoint: \"http://%c\", names: [%s], budget: {input_tokens: "
                     "%u, output_tokens: %u, per_minute: %u}}\n",
                     i, 'a' + x[0] % 8 / 7, PICK(models, x[1]), 8u - x[2] % 3, 8u - x[3] % 3,
                     8u - x[4] % 3);
    }
    text_add(out, "accelerators:\n  - {id: never, match: {vendor: kunlun}}\n");
    for (uint32_t i = 0; i < RULES; i++) {
        const uint8_t *x = g->rule[DEVICE][i].gene;
        const char *list = PICK(ids, x[2]);

        if (g->rule[DEVICE][i].there)
            text_add(out,
                     "  - {id: d%u, attach: %s, match: {vendor: %s, class: %s%s%s%s}, count: %u,\n"
                     "     iommu: {exclusive_group: %s, interrupt_remapping: %s}, reset: {methods: "
                     "[%s], between_tenants: %s}}\n",
                     i, words_attach[x[0] % 5 < 3 ? 2 : x[0] % 2], PICK(vendors, x[1] / 3),
                     words_class[x[3] % 3 ? 0 : 3], *list ? ", ids: [" : "", list, *list ? "]" : "",
                     3u - x[4] % 3, x[5] % 3 ? "true" : "false", words_require[x[6] % 3],
                     x[7] % 3 ? "flr, bus" : "flr", words_between[2 - x[8] % 3]);
    }
}

void genome_write(const struct genome *g, const char *name, struct text *out)
{
    const uint8_t *s = g->scalar + 3;

    text_add(out, "carrel: 1\nname: %s\nmode: %s\nrequire: {landlock: %s, seccomp: %s}\n", name,
             words_mode[s[0]], words_require[s[1]], words_require[s[2]]);
    text_add(out,
             "cpu: {vcpus: %u, quota: %u%%, nested: %s}\nmemory: {max: %uMiB, balloon: %s, "
             "hugepages: %s, swap: %uB}\n",
             1u + s[3], 1u + s[4], s[5] ? "true" : "false", 64u + s[6], s[7] ? "true" : "false",
             words_hugepages[s[8]], 0u + s[9]);
    text_add(out,
             "budget: {forks: %u, egress: %uB}\nsnapshot: {save: %s, restore: %s, max_age: %us, "
             "reseed: %s}\n",
             0u + s[10], 0u + s[11], s[12] ? "true" : "false", s[13] ? "true" : "false", 1u + s[14],
             words_require[s[15]]);
    text_add(out, "image: {verity: %s%s}\n", s[16] ? "false" : "true",
             s[17] == 2 ? "" : ", name: base");
    text_add(out, "audit: {level: %s, retain: %us, on_fail: %s}\n", words_audit[s[18]], 3u - s[19],
             words_on_fail[s[20]]);
    network(g, out);
    tool_rules(g, out);
    storage(g, out);
    others(g, out);
}

/* ---- requests */

#define ONE_OF(r, ...) one_of((r), (const char *const[]){ __VA_ARGS__, NULL })

static const char *one_of(struct rng *r, const char *const *words)
{
    return words[rng_below(r, (uint32_t)words_count(words))];
}

static void text_or_none(struct rng *r, struct request *q, unsigned dim, const char *s)
{
    if (rng_below(r, 12))
        request_text(q, dim, s);
}

static const char *a_host(struct rng *r)
{
    return ONE_OF(r, "a.b", "x.a.b", "y.a.b", "x.x.a.b", "z.x.a.b", "c.d", "e.c.d", "b",
                  "never.never", "X.a.b", "xn--a.b", "1.2.3.4", "a..b", "d.a.b.");
}

static const char *a_path(struct rng *r)
{
    return ONE_OF(r, "/", "/a", "/a/", "/a/b", "/a/b/", "/a/c", "/a/bc", "/a/b/c", "/b", "/c/b",
                  "/a//b", "/a/../b", "/.", "a", "/a/b/b", "/b/b", "/%61", "/\xc3\xa9");
}

static const char *a_file(struct rng *r)
{
    return ONE_OF(r, "/", "/w", "/w/s", "/w/s/t", "/w/s/t/u", "/w/f", "/w/.git", "/w/.git/x",
                  "/w/s/.git/hooks/y", "/w/k.pem", "/w/s/k.pem", "/w/s/x", "/w/ss", "/x/a",
                  "/x/s/b", "/y/.git", "/w/o/z", "/etc/passwd", "/usr/bin/py", "/w/../x", "/w/",
                  "//w", "/m0/a");
}

static void args_random(struct rng *r, struct arena *a, struct request *q, unsigned dim, bool env)
{
    uint32_t n = rng_below(r, 5);
    const char **v = arena_get(a, (n + 1) * sizeof(*v));

    for (uint32_t i = 0; i < n; i++)
        v[i] = env ? ONE_OF(r, "PATH=x", "PYX=1", "PYX=2", "LD=a", "LD=b", "HOME=/")
                   : ONE_OF(r, "x", "y", "xx", "-c", "-cx", "-", "xxxxx", "zzzzzzzzz", "");
    request_list(q, dim, v, n);
}

static void exec_random(struct rng *r, struct arena *a, struct request *q)
{
    struct bits *caps = arena_get(a, sizeof(*caps)), *calls = arena_get(a, sizeof(*calls));
    const char **v = arena_get(a, 3 * sizeof(*v));

    text_or_none(r, q, EXEC_PATH,
                 ONE_OF(r, "/usr/bin/py", "/usr/bin/p", "/usr/bin/px", "/usr/x", "/bin/x",
                        "/usr/bin/../x", "/never"));
    args_random(r, a, q, EXEC_ARGV, false);
    request_number(q, EXEC_SHELL, rng_below(r, 6) == 0);
    request_number(q, EXEC_USER, rng_below(r, 6) ? 1000 : 0);
    request_number(q, EXEC_BROKER, rng_below(r, 2));
    if (rng_below(r, 2))
        args_random(r, a, q, EXEC_ENV, true);
    if (rng_below(r, 3) == 0) {
        bits_set(caps, rng_below(r, 2) ? 12 : 21);
        q->v[EXEC_CAPS].bits = caps;
    }
    if (rng_below(r, 3) == 0) {
        bits_set(calls, rng_below(r, 3) ? 0 : 321);
        q->v[EXEC_SYSCALLS].bits = calls;
    }
    request_number(q, EXEC_CPU, rng_below(r, 5) * 1000);
    request_number(q, EXEC_AS, rng_below(r, 5) << 20);
    request_number(q, EXEC_FSIZE, rng_below(r, 5));
    v[0] = ONE_OF(r, "/usr", "/usr/lib/x", "/w", "/", "/usrx", "/usr/");
    v[1] = ONE_OF(r, "/usr", "/usr/lib/x", "/w", "/");
    request_list(q, EXEC_RO, v, rng_below(r, 3));
    request_list(q, EXEC_RW, v + 1, rng_below(r, 2));
    v[2] = ONE_OF(r, "network:n0", "network:n1", "spawn:never", "spawn:n1", "x");
    request_list(q, EXEC_USES, v + 2, rng_below(r, 2));
    if (rng_below(r, 3))
        request_text(q, EXEC_SHA256, ONE_OF(r, PIN "aa", PIN "aa", PIN "bb", "x"));
}

static void net_random(struct rng *r, struct request *q)
{
    static const struct addr some[] = {
        { 4, 0, 0x08080808 },
        { 4, 0, 0x0a010203 },
        { 4, 0, 0x0a020304 },
        { 4, 0, 0x7f000001 },
        { 4, 0, 0xa9fea9fe },
        { 4, 0, 0xc0a80001 },
        { 6, 0, 1 },
        { 6, 0, 0xffff0a010203 },
        { 6, 0x2600000000000000, 1 },
        { 6, 0x64ff9b0000000000, 1 },
        { 4, 0, 0x01010101 },
        { 6, 0xfd00000000000000, 1 },
    };

    text_or_none(r, q, 0, a_host(r));
    request_number(q, 1, (uint64_t[]){ 443, 80, 8005, 81, 1, 70000 }[rng_below(r, 6)]);
    if (q->space == SPACE_DIAL) {
        q->v[DIAL_ADDR].present = rng_below(r, 20) != 0;
        q->v[DIAL_ADDR].addr = some[rng_below(r, array_len(some))];
        if (rng_below(r, 4) == 0)
            request_text(q, DIAL_TOOL, ONE_OF(r, "c0", "c1", "c2", "c5", "never"));
    } else if (q->space == SPACE_CONNECT) {
        if (rng_below(r, 3) == 0)
            request_text(q, CONNECT_TOOL, ONE_OF(r, "c0", "c1", "c2", "c5", "never"));
    } else {
        request_number(q, HTTP_PROTOCOL, rng_below(r, 3) ? 0 : rng_below(r, 3));
        if (rng_below(r, 8))
            request_number(q, HTTP_METHOD, rng_below(r, 7));
        text_or_none(r, q, HTTP_PATH, a_path(r));
        request_number(q, HTTP_UP, rng_below(r, 3) * 10);
        request_number(q, HTTP_RATE, rng_below(r, 3) * 10);
        if (rng_below(r, 4) == 0)
            request_text(q, HTTP_TOOL, ONE_OF(r, "c0", "c1", "c2", "c5", "never"));
    }
}

static void mcp_random(struct rng *r, struct arena *a, struct request *q)
{
    const char **v = arena_get(a, 4 * sizeof(*v));

    text_or_none(r, q, MCP_SERVER, ONE_OF(r, "s0", "s1", "s2", "s3", "s4", "s5", "never"));
    text_or_none(r, q, MCP_TOOL, ONE_OF(r, "get_a", "get_b", "get_", "get_aa", "list", "x"));
    if (rng_below(r, 2))
        request_text(
            q, MCP_PIN,
            ONE_OF(r, "sha256:00000000000000000000000000000000000000000000000000000000000000aa",
                   "x"));
    request_number(q, MCP_BODY, rng_below(r, 5));
    v[0] = "p";
    v[1] = ONE_OF(r, "d", "d/x", "d/xxxxxxx", "e");
    v[2] = ONE_OF(r, "q", "q", "p");
    v[3] = ONE_OF(r, "x", "z");
    request_list(q, MCP_ARGS, v, rng_below(r, 3) * 2);
}

static void secret_random(struct rng *r, struct request *q)
{
    static const char *const names[][2] = { { "k0", "file:/k0" }, { "k1", "file:/k1" },
                                            { "k2", "file:/k2" }, { "k3", "file:/k3" },
                                            { "k4", "file:/k4" }, { "k5", "file:/k5" },
                                            { "k0", "file:/k1" }, { "never", "env:X" } };
    const char *const *name = names[rng_below(r, array_len(names))];

    text_or_none(r, q, SECRET_ID, name[0]);
    text_or_none(r, q, SECRET_SOURCE, name[1]);
    text_or_none(r, q, SECRET_HEADER, "h");
    text_or_none(r, q, SECRET_FORMAT, ONE_OF(r, "{}", "{}", "B {}"));
    text_or_none(r, q, SECRET_HOST, ONE_OF(r, "x.a.b", "y.a.b", "c.d", "x.x.a.b"));
    request_number(q, SECRET_PORT, rng_below(r, 3) ? 443 : 80);
    request_number(q, SECRET_METHOD, rng_below(r, 3));
    text_or_none(r, q, SECRET_PATH, ONE_OF(r, "/a/b", "/b", "/a/", "/a/b/c", "/a//b"));
}

static void device_random(struct rng *r, struct request *q)
{
    request_number(q, DEVICE_ATTACH, rng_below(r, 3) ? 2 : rng_below(r, 2));
    request_number(q, DEVICE_ID,
                   (uint64_t[]){ 0x10de0001, 0x10de0002, 0x10de0003, 0x10020001, 0x10220001,
                                 0x99990001 }[rng_below(r, 6)]);
    request_number(q, DEVICE_CLASS,
                   (uint64_t[]){ 0x0300, 0x0302, 0x1200, 0x0400 }[rng_below(r, 4)]);
    request_number(q, DEVICE_COUNT, rng_below(r, 4));
    request_number(q, DEVICE_EXCLUSIVE, rng_below(r, 2));
    request_number(q, DEVICE_REMAPPED, rng_below(r, 2));
    if (rng_below(r, 6))
        request_number(q, DEVICE_RESET, rng_below(r, 3));
    request_number(q, DEVICE_CLEANED, rng_below(r, 3));
}

static void machine_random(struct rng *r, struct request *q)
{
    switch (q->space) {
    case SPACE_RESOURCE:
        text_or_none(r, q, RESOURCE_FIELD,
                     ONE_OF(r, "mode", "require.landlock", "cpu.vcpus", "cpu.quota", "cpu.nested",
                            "memory.max", "memory.balloon", "memory.hugepages", "memory.swap",
                            "budget.forks", "budget.egress", "snapshot.save", "snapshot.max_age",
                            "image.verity", "audit.level", "audit.retain", "storage.root.mode",
                            "name", "x", "storage.root.quota.bytes", "network.allow", "cpu"));
        request_number(q, RESOURCE_VALUE,
                       rng_below(r, 2) ? rng_below(r, 5)
                                       : (uint64_t[]){ 64u << 20, 65u << 20, 1000, 2000, 3000, 11,
                                                       12 }[rng_below(r, 7)]);
        break;
    case SPACE_PUBLISH:
        request_number(q, PUBLISH_GUEST, rng_below(r, 3) ? 8080 + rng_below(r, 2) : 1);
        q->v[PUBLISH_ADDR].present = true;
        q->v[PUBLISH_ADDR].addr = (struct addr){ 4, 0, rng_below(r, 8) ? 0x7f000001 : 0 };
        request_number(q, PUBLISH_PORT, rng_below(r, 5) ? 9000 + rng_below(r, 3) : 1);
        break;
    case SPACE_SNAPSHOT:
        request_number(q, SNAPSHOT_OP, rng_below(r, 2));
        request_number(q, SNAPSHOT_AGE, rng_below(r, 5) * 1000);
        request_number(q, SNAPSHOT_RESEEDED, rng_below(r, 2));
        break;
    case SPACE_FORK: request_number(q, FORK_MADE, rng_below(r, 4)); break;
    default:
        text_or_none(r, q, IMAGE_NAME, ONE_OF(r, "base", "other"));
        text_or_none(r, q, IMAGE_SHA256, "x");
        request_number(q, IMAGE_VERITY, rng_below(r, 2));
        break;
    }
}

void request_random(struct rng *r, struct arena *a, struct request *q)
{
    request_init(q, rng_below(r, SPACES));
    switch (q->space) {
    case SPACE_CONNECT:
    case SPACE_DIAL:
    case SPACE_HTTP: net_random(r, q); break;
    case SPACE_EXEC: exec_random(r, a, q); break;
    case SPACE_HOST: {
        const char **v = arena_get(a, 4 * sizeof(*v));

        v[0] = ONE_OF(r, "/bin/git", "/bin/ls", "npx", "/never", "never");
        v[1] = ONE_OF(r, "push", "pull", "a", "b");
        v[2] = "x";
        request_list(q, HOST_ARGV, v, rng_below(r, 4));
        if (rng_below(r, 3) == 0)
            request_text(q, HOST_FOR, ONE_OF(r, "s0", "s1", "s2", "never"));
        if (rng_below(r, 3) == 0)
            request_text(q, HOST_CWD, ONE_OF(r, "m0", "x"));
        request_number(q, HOST_APPROVAL, rng_below(r, 3));
        break;
    }
    case SPACE_MCP: mcp_random(r, a, q); break;
    case SPACE_FILE:
        text_or_none(r, q, FILE_PATH, a_file(r));
        request_number(q, FILE_OP, rng_below(r, FILE_OPS));
        request_number(q, FILE_BYTES, rng_below(r, 13));
        request_number(q, FILE_INODES, rng_below(r, 13));
        request_number(q, FILE_VERSIONS, rng_below(r, 5));
        request_number(q, FILE_AGE, rng_below(r, 5) * 1000);
        break;
    case SPACE_MOUNT:
        text_or_none(r, q, MOUNT_SOURCE,
                     ONE_OF(r, "${cwd}", "${cwd}/a", "${cwd}/a/b", "/srv", "/srv/x", "memory:v1",
                            "/", "memory:v1x"));
        text_or_none(r, q, MOUNT_TARGET, a_file(r));
        request_number(q, MOUNT_ACCESS, rng_below(r, 3));
        request_number(q, MOUNT_EXPORT, rng_below(r, 3));
        request_number(q, MOUNT_SHARE, rng_below(r, 2));
        if (rng_below(r, 2))
            request_number(q, MOUNT_UNREVIEWED, rng_below(r, 5));
        break;
    case SPACE_SECRET: secret_random(r, q); break;
    case SPACE_MODEL:
        text_or_none(r, q, MODEL_ENDPOINT, ONE_OF(r, "http://a", "http://a", "http://b"));
        text_or_none(r, q, MODEL_NAME, ONE_OF(r, "qwn", "qwen", "q", "deep", "x", "qn"));
        request_number(q, MODEL_INPUT, rng_below(r, 10));
        request_number(q, MODEL_OUTPUT, rng_below(r, 10));
        request_number(q, MODEL_RATE, rng_below(r, 10));
        break;
    case SPACE_DEVICE: device_random(r, q); break;
    default: machine_random(r, q); break;
    }
}
