/* Any line as a request to a policy of every section: an answer, the same twice; what prints, reads
 * back. */
#include "policies/decide.h"
#include "policies/layers.h"
#include "policies/points.h"

#include <stdlib.h>
#include <string.h>

static const char yaml[] =
    "carrel: 1\nname: f\ntools:\n  commands: [{id: a, exec: {path: \"/usr/**\"}, argv: [{allow: "
    "[x, {any: {count: 0..3, max: 5}}]}, "
    "{deny: [{prefix: \"-c\"}]}], env: {allow: [\"P*\"]}, paths: {ro: [/usr], rw: [/w]}, network: "
    "[n]}]\n"
    "  host: [{id: h, command: [/bin/git, {enum: [a, b]}]}]\n  mcp: [{id: m, server: [s], allow: "
    "[{tool: \"g*\", args: {p: {prefix: d}}}]}]\n"
    "storage: {mounts: [{id: w, source: ./, target: /w, access: rw, deny_write: [\"**/.git/**\"], "
    "deny_read: [\"*.pem\"]}], memory: [{id: v, target: /v, access: append}]}\n"
    "network: {allow: [{id: n, hosts: [a.b, \"*.c.d\", \"**.e.f\"], paths: [\"/p/**\", "
    "\"/*/q?\"]}], deny: [{id: d, hosts: [x.c.d]}], publish: [{guest: 1, host: \"127.0.0.1:1\"}]}\n"
    "secrets: [{id: k, from: {env: K}, inject: {rule: n, header: h, format: \"{}\"}}]\nmodels: "
    "[{id: q, endpoint: \"http://h\", names: [\"q*\"]}]\n"
    "accelerators: [{id: g, attach: passthrough, match: {vendor: nvidia}}]\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ruleset *rs;
    struct arena a = ARENA_INIT;
    struct request r, back;
    char *line = arena_copy(&a, (const char *)data, size);

    if (!rs) {
        struct policy *p = policy_load(yaml, sizeof(yaml) - 1, "fuzz", NULL, NULL, NULL);

        if (!p)
            abort();
        rs = ruleset_make(p, NULL);
    }
    if (!point_parse_line(&a, line, &r)) {
        struct decision d = decide(rs, &r), e;
        struct text t = TEXT_INIT, words = TEXT_INIT;

        decision_print(rs, &r, &d, &words);
        decision_json(rs, &r, &d, &words);
        point_print(&r, &t);
        if (point_parse_line(&a, text_str(&t), &back))
            abort();
        e = decide(rs, &back);
        if (e.allowed != d.allowed || e.rule != d.rule || e.reason != d.reason)
            abort();
        if (r.space == SPACE_FILE && r.v[FILE_PATH].present)
            (void)decide_rename(rs, r.v[FILE_PATH].s, "/w/x/y", true, 0, 0);
        text_fini(&t);
        text_fini(&words);
    }
    arena_fini(&a);
    return 0;
}
