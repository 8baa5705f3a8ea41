/* learn_network.c - what was reached: one rule for each rule of the parent that was used. */
#include "policies/hosts.h"
#include "policies/learner.h"
#include "policies/load.h"
#include "policies/words.h"

#include <inttypes.h>
#include <string.h>

static const enum space_id streams[] = { SPACE_CONNECT, SPACE_DIAL, SPACE_HTTP };

struct reached {
    struct texts hosts, paths;
    struct ranges ports;
    uint64_t methods, up;
    bool any, requests;
};

static void take(const struct learner *l, struct arena *a, const struct net_rule *r,
                 struct reached *x)
{
    struct seen *s;

    for (size_t i = 0; i < array_len(streams); i++) {
        for (uint32_t at = 0; (s = learner_next(l, streams[i], r->o.spot, &at));) {
            x->any = true;
            texts_add(a, &x->hosts, s->r.v[0].s);
            ranges_add(a, &x->ports, s->r.v[1].n, s->r.v[1].n);
            if (streams[i] != SPACE_HTTP)
                continue;
            x->requests = true;
            if (s->r.v[HTTP_METHOD].present)
                x->methods |= 1ull << s->r.v[HTTP_METHOD].n;
            if (s->r.v[HTTP_PATH].present)
                texts_add(a, &x->paths, s->r.v[HTTP_PATH].s);
            x->up = s->r.v[HTTP_UP].n > x->up ? s->r.v[HTTP_UP].n : x->up;
        }
    }
}

/* Many names under one pattern of the parent become that pattern; no other is ever made. */
static void fold_hosts(struct arena *a, const struct net_rule *r, struct texts *hosts)
{
    for (uint32_t i = 0; i < r->hosts.n; i++) {
        struct host_pattern p;
        struct texts rest = { NULL, 0 };

        if (host_pattern_parse(a, r->hosts.v[i], &p) || p.kind == HOST_EXACT)
            continue;
        for (uint32_t k = 0; k < hosts->n; k++)
            if (!host_matches(&p, hosts->v[k], strlen(hosts->v[k])))
                texts_add(a, &rest, hosts->v[k]);
        if (hosts->n - rest.n <= LEARN_HOSTS_MAX)
            continue;
        texts_add(a, &rest, r->hosts.v[i]);
        *hosts = rest;
    }
}

static void ports(const struct ranges *r, struct text *out)
{
    text_add(out, "\"ports\":[");
    for (uint32_t i = 0; i < r->n; i++) {
        text_add(out, "%s%" PRIu64, i ? "," : "", r->v[i].lo);
        if (r->v[i].hi != r->v[i].lo)
            text_add(out, "..%" PRIu64, r->v[i].hi);
    }
    text_add(out, "],");
}

static void net_rule(const struct learner *l, struct arena *a, const struct net_rule *r,
                     struct text *out)
{
    struct reached x = { .any = false };
    bool general = l->freedom[SPACE_HTTP] == FREEDOM_GENERAL;

    take(l, a, r, &x);
    if (!x.any)
        return;
    if (general)
        fold_hosts(a, r, &x.hosts);
    text_add(out, "{\"id\":\"%s\",%s\"hosts\":", r->id, r->any_host ? "\"any_host\":false," : "");
    learner_list(&x.hosts, out);
    text_add(out, ",");
    ports(&x.ports, out);
    /* Where requests are not seen, nothing about them can be said. */
    if (x.requests && r->protocol == PROTO_HTTPS) {
        if (general)
            learner_fold(a, &x.paths, "/**");
        text_add(out, "\"methods\":[");
        for (unsigned i = 0; words_method[i]; i++)
            text_add(out, "%s%s", x.methods >> i & 1 ? words_method[i] : "",
                     x.methods >> i & 1 ? "," : "");
        text_add(out, "],\"paths\":");
        learner_list(&x.paths, out);
        text_add(out, ",\"limits\":{\"up_per_request\":\"%" PRIu64 "B\"},", x.up);
    }
    text_add(out, "},");
}

void learner_write_network(const struct learner *l, struct text *out)
{
    const struct policy_network *n = &l->parent->network;
    struct arena a = ARENA_INIT;

    text_add(out, "\"allow\":[");
    for (uint32_t i = 0; i < n->allow.n; i++)
        net_rule(l, &a, n->allow.v[i], out);
    text_add(out, "],\"publish\":[");
    for (uint32_t i = 0; i < n->publish.n; i++) {
        const struct publish *p = n->publish.v[i];

        if (!learner_uses(l, SPACE_PUBLISH, p->o.spot))
            continue;
        text_add(out, "{\"guest\":%" PRIu64 ",\"host\":", p->guest);
        text_json(out, p->host);
        text_add(out, "},");
    }
    text_add(out, "],");
    arena_fini(&a);
}
