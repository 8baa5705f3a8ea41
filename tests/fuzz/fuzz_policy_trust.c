/* Any bytes as a signature file, a grant, a trust document: refused with a reason, or taken; what
 * is taken prints as the same bytes, and a stranger's signature never counts. */
#include "policies/grants.h"
#include "policies/judge.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const struct text *t, const char *data, size_t size)
{
    if (t->len != size || memcmp(t->p, data, size) != 0)
        abort();
}

static void signatures(const char *data, size_t size, const struct trust *trust)
{
    struct problems ps = PROBLEMS_INIT;
    struct signatures *s = signatures_parse(data, size, "fuzz", &ps);
    struct arena a = ARENA_INIT;
    struct text t = TEXT_INIT;
    struct judgement j;

    if (!s != (ps.errors != 0))
        abort();
    if (s) {
        const struct signed_document doc = { s->v[0].name, s->v[0].sha256, "x", NULL, s };

        signatures_print(s, &t);
        same(&t, data, size);
        if (trust_judge(trust, &doc, 1, s->v[0].from, &a, &j, &ps))
            abort();
        judgement_json(&j, &t);
        judgement_print(&j, &t);
    }
    arena_fini(&a);
    text_fini(&t);
    signatures_free(s);
    problems_fini(&ps);
}

/* What a stranger would be granted, were it signed: judged, and joined to a policy, without harm.
 */
static void granted(const struct grants *g, const struct trust *trust)
{
    static const char text[] = "carrel: 1\nname: x\nnetwork: {allow: [{id: a, hosts: [a.org]}]}\n";
    const struct grant *last = &g->v[g->n - 1];
    struct problems ps = PROBLEMS_INIT;
    struct policy *part = policy_parse_part(last->widen, strlen(last->widen), "part", 0, &ps);
    struct policy *p = policy_parse(text, strlen(text), "policy", &ps);
    bool ok;

    if (!part || !p)
        abort();
    ok = grant_within(part, &trust_role(trust, "base")->may_grant, "bound", &ps);
    if (ok != (ps.errors == 0))
        abort();
    ok = grants_apply(g, p, NULL);
    (void)ok;
    policy_free(part);
    policy_free(p);
    problems_fini(&ps);
}

static void grants(const char *data, size_t size, const struct trust *trust)
{
    struct problems ps = PROBLEMS_INIT;
    struct grants *g = grants_parse(data, size, "fuzz", &ps);
    struct text t = TEXT_INIT;

    if (!g != (ps.errors != 0))
        abort();
    if (g) {
        grants_print(g, &t);
        same(&t, data, size);
        if (grants_check(g, trust, g->v[0].policy, g->v[0].sha256, g->v[0].from, &ps))
            abort();
        granted(g, trust);
    }
    text_fini(&t);
    grants_free(g);
    problems_fini(&ps);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Its private key is in no corpus. */
    static const char known[] =
        "carrel: 1\nkeys: [{id: a, key: "
        "\"ed25519:PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=\"}]\n"
        "roles: [{id: base, keys: [a], names: [\"*\"], may_grant: {budget: {egress: 1GiB}, "
        "network: {allow: [{id: any, hosts: [\"**.example.org\"]}]}, tools: {commands: [{id: any, "
        "exec: {path: "
        "/usr/bin/*}}]}, storage: {mounts: [{id: a, source: /srv, target: /data}]}}}]\n";
    const char *text = (const char *)data;
    struct problems ps = PROBLEMS_INIT;
    struct trust *t;

    if (size && *text == 'c') {
        t = trust_parse(known, strlen(known), "known", NULL);
        if (!t)
            abort();
        signatures(text, size, t);
        grants(text, size, t);
        trust_free(t);
    }
    t = trust_parse(text, size, "fuzz", &ps);
    if (!t != (ps.errors != 0))
        abort();
    trust_free(t);
    problems_fini(&ps);
    return 0;
}
