/*
 * Policy figures: ns a decision (p50, p99) with 10, 100 and 1,000 rules, ms for parse + check +
 * compile and for a plan, ms for narrower; "load" leaves the decisions out. One JSON line each.
 * Times are CPU time of this thread.
 */
#include "policies/compare.h"
#include "policies/layers.h"
#include "policies/plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void network(struct text *t, unsigned n, bool child)
{
    text_add(t, "network:\n  allow:\n");
    for (unsigned i = 0; i < n; i++)
        text_add(t,
                 "  - {id: n%u, hosts: [h%u.example.org, \"**.w%u.example.net\"], ports: [443], "
                 "methods: [GET%s], paths: [\"/v%u/**\"]}\n",
                 i, i, i, child ? "" : ", POST", i % 7);
    text_add(t, "  deny:\n");
    for (unsigned i = 0; i < n / 10 + 1; i++)
        text_add(t, "  - {id: d%u, hosts: [x.w%u.example.net]}\n", i, i);
}

/* n rules: three fifths network, the rest commands, mounts and MCP tools. */
static void document(struct text *t, unsigned n, bool child)
{
    text_add(t, "carrel: 1\nname: bench\n");
    network(t, n * 3 / 5, child);
    text_add(t, "tools:\n  commands:\n");
    for (unsigned i = 0; i < n / 5; i++)
        text_add(t,
                 "  - {id: c%u, exec: {path: /usr/bin/c%u}, argv: [{allow: [run, {any: {count: "
                 "0..8%s}}]}, {deny: [{prefix: \"-c\"}]}]}\n",
                 i, i, child ? ", max: 64" : "");
    text_add(t, "  mcp:\n");
    for (unsigned i = 0; i < n / 10 + 1; i++)
        text_add(t,
                 "  - {id: m%u, server: [npx, m%u], allow: [\"get_*\", {tool: put, args: {path: "
                 "{prefix: \"d/\"}}}]}\n",
                 i, i);
    text_add(t, "storage:\n  mounts:\n");
    for (unsigned i = 0; i < n / 10 + 1; i++)
        text_add(t,
                 "  - {id: w%u, source: ./w%u, target: /w%u, access: %s, deny_write: "
                 "[\"**/.git/hooks/**\", \"**/.git/config\", \"**/.envrc\"], "
                 "deny_read: [\"**/.env\", \"**/*.pem\", \"**/id_*\"]}\n",
                 i, i, i, child ? "ro" : "rw");
}

static int by_value(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

static bool only_load;

#define REQUESTS 64u
#define BATCH    32u
#define SAMPLES  20000u

struct asked {
    struct request r[REQUESTS];
    char text[REQUESTS][96];
};

static void requests(struct asked *q, unsigned n)
{
    static const char *const argv[] = { "run", "a", "b" }, *const args[] = { "path", "d/x" };

    for (unsigned i = 0; i < REQUESTS; i++) {
        unsigned k = (i * 7919u) % n;
        struct request *r = &q->r[i];
        char *s = q->text[i];
        size_t room = sizeof(q->text[i]);

        switch (i % 5) {
        case 0:
            request_init(r, SPACE_CONNECT);
            snprintf(s, room, "h%u.example.org", k % (n * 3 / 5 ? n * 3 / 5 : 1));
            request_text(r, CONNECT_HOST, s);
            break;
        case 1:
            request_init(r, SPACE_HTTP);
            snprintf(s, room, "a.b.w%u.example.net", k);
            request_text(r, HTTP_HOST, s);
            request_number(r, HTTP_METHOD, 0);
            request_text(r, HTTP_PATH, "/v1/models/list");
            break;
        case 2:
            request_init(r, SPACE_EXEC);
            snprintf(s, room, "/usr/bin/c%u", k % (n / 5 ? n / 5 : 1));
            request_text(r, EXEC_PATH, s);
            request_list(r, EXEC_ARGV, argv, 3);
            break;
        case 3:
            request_init(r, SPACE_FILE);
            snprintf(s, room, "/w%u/src/lib/deep/module.c", k % (n / 10 ? n / 10 : 1));
            request_text(r, FILE_PATH, s);
            request_number(r, FILE_OP, i % 2 ? 0 : 2);
            break;
        default:
            request_init(r, SPACE_MCP);
            snprintf(s, room, "m%u", k % (n / 10 ? n / 10 : 1));
            request_text(r, MCP_SERVER, s);
            request_text(r, MCP_TOOL, "put");
            request_list(r, MCP_ARGS, args, 2);
            break;
        }
    }
}

static void decisions(const struct ruleset *rs, unsigned n)
{
    static struct asked q;
    static uint64_t sample[SAMPLES];
    uint64_t allowed = 0;

    requests(&q, n);
    /* The clock costs as much as a decision: a sample is a batch of one request. */
    for (unsigned i = 0; i < SAMPLES; i++) {
        const struct request *r = &q.r[i % REQUESTS];
        uint64_t a = now_ns();

        for (unsigned k = 0; k < BATCH; k++)
            allowed += decide(rs, r).allowed;
        sample[i] = (now_ns() - a) / BATCH;
    }
    qsort(sample, SAMPLES, sizeof(*sample), by_value);
    printf("{\"bench\":\"decide\",\"rules\":%u,\"p50_ns\":%" PRIu64 ",\"p99_ns\":%" PRIu64
           ",\"allowed\":%" PRIu64 "}\n",
           n, sample[SAMPLES / 2], sample[SAMPLES * 99 / 100], allowed / BATCH);
}

static double ms_since(uint64_t a)
{
    return (double)(now_ns() - a) / 1e6;
}

/* The whole plan, which compiles for itself; negative: none was made. */
static double plan(const struct policy *p, struct problems *ps)
{
    static const struct pair vars[] = { { "cwd", "/work" } };
    struct plan_request r = { .vars = vars, .nvars = 1 };
    struct host_facts h = { .engine = "kvm",
                            .features = UINT64_MAX,
                            .landlock = true,
                            .seccomp = true,
                            .userns = true,
                            .core_sched = true,
                            .interrupt_remapping = true,
                            .cpus = 8,
                            .memory = 1ull << 40 };
    uint64_t a = now_ns();
    struct plan *made = plan_make(p, &r, &h, ps);
    double ms = ms_since(a);

    plan_free(made);
    return made ? ms : -1;
}

/* One policy of the library, as each run loads it: microseconds, the best of a hundred. */
static int library(const char *name)
{
    char path[256], *text = calloc(1, 65536);
    double best[3] = { 1e9, 1e9, 1e9 };
    FILE *f;
    size_t len;

    snprintf(path, sizeof(path), "%s/policies/library/%s.yaml",
             getenv("CARREL_SOURCE") ? getenv("CARREL_SOURCE") : ".", name);
    f = fopen(path, "r");
    if (!f || !text) {
        perror(path);
        free(text);
        return 1;
    }
    len = fread(text, 1, 65535, f);
    fclose(f);
    for (unsigned i = 0; i < 100; i++) {
        struct problems ps = PROBLEMS_INIT;
        uint64_t a = now_ns();
        struct policy *p = policy_load(text, len, name, NULL, NULL, &ps);
        double t[3] = { ms_since(a), 0, 0 };
        struct ruleset *rs;

        if (!p)
            return 1;
        a = now_ns();
        rs = ruleset_make(p, NULL);
        t[1] = ms_since(a);
        t[2] = plan(p, &ps);
        for (unsigned k = 0; k < 3; k++)
            best[k] = t[k] < best[k] ? t[k] : best[k];
        ruleset_free(rs);
        policy_free(p);
        problems_fini(&ps);
    }
    printf("{\"bench\":\"library\",\"policy\":\"%s\",\"load_us\":%.0f,\"compile_us\":%.0f,"
           "\"plan_us\":%.0f}\n",
           name, best[0] * 1e3, best[1] * 1e3, best[2] * 1e3);
    free(text);
    return 0;
}

static int run(unsigned n)
{
    struct text pt = TEXT_INIT, ct = TEXT_INIT;
    struct problems ps = PROBLEMS_INIT;
    uint64_t a;

    document(&pt, n, false);
    document(&ct, n, true);
    a = now_ns();

    struct policy *p = policy_parse(pt.p, pt.len, "parent", &ps);
    double parse = ms_since(a);

    if (!p) {
        struct text why = TEXT_INIT;

        problems_print(&ps, &why);
        fprintf(stderr, "%s", text_str(&why));
        return 1;
    }
    a = now_ns();

    struct ruleset *rp = ruleset_make(p, NULL);
    double compile = ms_since(a);
    bool ok;

    a = now_ns();
    ok = policy_check(p, &ps);

    double check = ms_since(a), planned = plan(p, &ps);
    struct policy *c = policy_parse(ct.p, ct.len, "child", &ps);
    struct ruleset *rc = c ? ruleset_make(c, NULL) : NULL;
    struct arena arena = ARENA_INIT;
    struct witness w = { .rule = NULL };

    if (!rc)
        return 1;
    printf("{\"bench\":\"load\",\"rules\":%u,\"bytes\":%zu,\"parse_ms\":%.2f,\"compile_ms\":%.2f,"
           "\"check_ms\":%.2f,\"plan_ms\":%.2f,\"ok\":%d}\n",
           n, pt.len, parse, compile, check, planned, ok && planned >= 0);
    if (!only_load)
        decisions(rp, n);
    a = now_ns();

    enum compared down = narrower(rc, rp, &arena, &w);
    double yes = ms_since(a);

    a = now_ns();

    enum compared up = narrower(rp, rc, &arena, &w);

    printf("{\"bench\":\"narrower\",\"rules\":%u,\"proof_ms\":%.2f,\"proved\":%d,\"witness_ms\":%."
           "2f,\"found\":%d}\n",
           n, yes, down == COMPARED_WITHIN, ms_since(a), up == COMPARED_WIDER);
    arena_fini(&arena);
    ruleset_free(rc);
    ruleset_free(rp);
    policy_free(c);
    policy_free(p);
    problems_fini(&ps);
    text_fini(&pt);
    text_fini(&ct);
    return 0;
}

int main(int argc, char **argv)
{
    only_load = argc > 1 && strcmp(argv[1], "load") == 0;
    return run(10) || run(100) || run(1000) || library("locked") || library("balanced");
}
