/* compile_network.c - clauses for names, ports, addresses, requests, and the secrets put into them.
 */
#include "policies/classes.h"
#include "policies/ruleset.h"
#include "policies/words.h"

#include <stdlib.h>
#include <string.h>

static const struct cell *hosts_cell(struct ruleset *rs, const struct net_rule *r)
{
    struct cell *c = cell_new(rs, DIM_HOST);

    if (r->any_host) {
        c->hosts.v = arena_get(&rs->arena, sizeof(*c->hosts.v));
        c->hosts.v[0] = (struct host_pattern){ HOST_DEEP, "", 0 };
        c->hosts.n = 1;
        return c;
    }
    c->hosts.v = arena_get(&rs->arena, (r->hosts.n + 1) * sizeof(*c->hosts.v));
    for (uint32_t i = 0; i < r->hosts.n; i++)
        if (!host_pattern_parse(&rs->arena, r->hosts.v[i], &c->hosts.v[c->hosts.n]))
            c->hosts.n++;
    return c;
}

static const struct cell *ports_cell(struct ruleset *rs, const struct net_rule *r)
{
    struct cell *c = cell_new(rs, DIM_NUM);

    c->ranges = r->ports;
    return c;
}

static void addresses(struct ruleset *rs, const struct texts *t, struct addr_set *out)
{
    struct addr_range *v = arena_get(&rs->arena, (t->n + 1) * sizeof(*v));
    uint32_t n = 0;

    for (uint32_t i = 0; i < t->n; i++)
        if (!cidr_parse(t->v[i], &v[n]))
            n++;
    addr_set_make(&rs->arena, out, v, n);
}

static const struct cell *addrs_cell(struct ruleset *rs, const struct net_rule *r,
                                     const struct addr_set *own)
{
    struct cell *c = cell_new(rs, DIM_ADDR);

    if (!r->addresses.n) {
        c->addrs = rs->reachable;
        return c;
    }
    addresses(rs, &r->addresses, &c->addrs);
    addr_set_remove_never(&rs->arena, &c->addrs);
    for (uint32_t i = 0; own && i < own->n; i++)
        addr_set_remove(&rs->arena, &c->addrs, &own->v[i]);
    return c;
}

static const struct cell *paths_cell(struct ruleset *rs, const struct texts *paths)
{
    struct cell *c = cell_new(rs, DIM_GLOB);

    c->globs.pos.v = arena_get(&rs->arena, (paths->n + 1) * sizeof(*c->globs.pos.v));
    for (uint32_t i = 0; i < paths->n; i++)
        if (!glob_parse(&rs->arena, GLOB_HTTP, NULL, paths->v[i], &c->globs.pos.v[c->globs.pos.n]))
            c->globs.pos.n++;
    return c;
}

/* Which commands name a rule: by rule, then by command. */
struct use {
    const char *rule, *command;
};

struct uses {
    struct use *v;
    uint32_t n;
};

static int by_rule(const void *a, const void *b)
{
    const struct use *x = a, *y = b;
    int d = strcmp(x->rule, y->rule);

    return d ? d : strcmp(x->command, y->command);
}

static struct uses uses_make(struct ruleset *rs)
{
    const struct list *commands = &rs->policy->tools.commands;
    struct uses u = { NULL, 0 };

    for (uint32_t i = 0; i < commands->n; i++) {
        const struct command *c = commands->v[i];

        for (uint32_t k = 0; k < c->network.n; k++) {
            *(struct use *)arena_push(&rs->arena, (void **)&u.v, u.n, sizeof(*u.v)) =
                (struct use){ c->network.v[k], c->id };
            u.n++;
        }
    }
    if (u.n)
        qsort(u.v, u.n, sizeof(*u.v), by_rule);
    return u;
}

/* The machine itself, and the commands that name the rule. */
static const struct cell *tools_cell(struct ruleset *rs, const struct uses *u, const char *id)
{
    struct cell *c = cell_new(rs, DIM_WORD);
    uint32_t lo = 0, hi = u->n;

    c->absent_ok = true;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (strcmp(u->v[mid].rule, id) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < u->n && strcmp(u->v[lo].rule, id) == 0; lo++) {
        *(const char **)arena_push(&rs->arena, (void **)&c->words.v, c->words.n,
                                   sizeof(*c->words.v)) = u->v[lo].command;
        c->words.n++;
    }
    return c;
}

struct net_cells {
    const struct cell *host, *port, *addr, *protocol, *method, *path, *up, *rate, *tool;
};

static void allow_streams(struct ruleset *rs, uint32_t rule, const struct net_cells *x)
{
    struct clause *c = clause_new(rs, SPACE_CONNECT, rule);

    c->cell[CONNECT_HOST] = x->host;
    c->cell[CONNECT_PORT] = x->port;
    c->cell[CONNECT_TOOL] = x->tool;
    c = clause_new(rs, SPACE_DIAL, rule);
    c->cell[DIAL_HOST] = x->host;
    c->cell[DIAL_PORT] = x->port;
    c->cell[DIAL_ADDR] = x->addr;
    c->cell[DIAL_TOOL] = x->tool;
}

static void requests(struct ruleset *rs, uint32_t rule, const struct net_cells *x)
{
    struct clause *c = clause_new(rs, SPACE_HTTP, rule);

    c->cell[HTTP_HOST] = x->host;
    c->cell[HTTP_PORT] = x->port;
    c->cell[HTTP_PROTOCOL] = x->protocol;
    c->cell[HTTP_METHOD] = x->method;
    c->cell[HTTP_PATH] = x->path;
    c->cell[HTTP_UP] = x->up;
    c->cell[HTTP_RATE] = x->rate;
    c->cell[HTTP_TOOL] = x->tool;
}

/* What all of a rule's requests have to do with: whom they ask, how, and for what. */
static struct net_cells asked_for(struct ruleset *rs, const struct net_rule *r)
{
    struct net_cells x = { .host = hosts_cell(rs, r), .port = ports_cell(rs, r) };

    if (r->protocol == PROTO_HTTPS) {
        x.method = cell_bits(rs, r->methods);
        x.path = paths_cell(rs, &r->paths);
    }
    return x;
}

static void allow(struct ruleset *rs, const struct net_rule *r, const struct uses *uses,
                  const struct addr_set *own)
{
    uint32_t rule = rule_new(rs, "network", "", r->id, r->o.spot, 'H', false);
    struct net_cells x = asked_for(rs, r);

    x.addr = addrs_cell(rs, r, own);
    /* A rule for opaque bytes also covers what could be seen in them: tcp has tls has https. */
    x.protocol = cell_bits(rs, (2ull << r->protocol) - 1);
    x.up = cell_number_to(rs, r->limits.up_per_request);
    x.rate = cell_number_to(rs, r->limits.rate);
    x.tool = tools_cell(rs, uses, r->id);
    allow_streams(rs, rule, &x);
    requests(rs, rule, &x);
}

/* What a denial does not say, it does not restrict itself to. */
static bool says(const struct net_rule *r, const char *key)
{
    const struct table *t = table_by_path("network.deny");
    int i = t ? field_index(t, key) : -1;

    return i >= 0 && object_has(&r->o, (uint32_t)i);
}

static void deny_streams(struct ruleset *rs, uint32_t rule, const struct net_rule *r,
                         const struct net_cells *x)
{
    struct cell *addrs = r->addresses.n ? cell_new(rs, DIM_ADDR) : NULL;
    struct clause *c;

    if (addrs) {
        addresses(rs, &r->addresses, &addrs->addrs);
    } else {
        c = clause_new(rs, SPACE_CONNECT, rule);
        c->cell[CONNECT_HOST] = x->host;
        c->cell[CONNECT_PORT] = x->port;
    }
    c = clause_new(rs, SPACE_DIAL, rule);
    c->cell[DIAL_HOST] = x->host;
    c->cell[DIAL_PORT] = x->port;
    c->cell[DIAL_ADDR] = addrs;
}

static void deny(struct ruleset *rs, const struct net_rule *r, bool requests_only)
{
    uint32_t rule = rule_new(rs, "network", "deny", r->id, r->o.spot, 'H', true);
    struct net_cells x = { .host = r->hosts.n ? hosts_cell(rs, r) : NULL,
                           .port = says(r, "ports") ? ports_cell(rs, r) : NULL,
                           .method = says(r, "methods") ? cell_bits(rs, r->methods) : NULL,
                           .path = says(r, "paths") ? paths_cell(rs, &r->paths) : NULL };

    if (!requests_only && !x.method && !x.path)
        deny_streams(rs, rule, r, &x);
    if (!r->addresses.n)
        requests(rs, rule, &x);
}

static void publish(struct ruleset *rs, const struct publish *p)
{
    uint32_t rule =
        rule_new(rs, "network", "publish", p->host ? p->host : "", p->o.spot, 'H', false);
    struct clause *c = clause_new(rs, SPACE_PUBLISH, rule);
    struct cell *addr = cell_new(rs, DIM_ADDR);
    struct addr_range r;
    uint64_t port = 0;

    if (p->host && !listen_parse(p->host, &r.lo, &port)) {
        r.hi = r.lo;
        addr_set_add(&rs->arena, &addr->addrs, &r);
    }
    c->cell[PUBLISH_GUEST] = cell_number(rs, p->guest, p->guest);
    c->cell[PUBLISH_ADDR] = addr;
    c->cell[PUBLISH_PORT] = cell_number(rs, port, port);
}

static const struct net_rule *rule_by_id(const struct policy *p, const char *id)
{
    for (uint32_t i = 0; id && i < p->network.allow.n; i++) {
        const struct net_rule *r = p->network.allow.v[i];

        if (strcmp(r->id, id) == 0)
            return r;
    }
    return NULL;
}

/* A secret goes where its rule goes, whatever the rule is called. */
static void secret(struct ruleset *rs, const struct secret *s)
{
    const struct net_rule *r = rule_by_id(rs->policy, s->inject.rule);
    uint32_t rule = rule_new(rs, "secrets", "", s->id, s->o.spot, 'H', false);
    const char *source = s->from.file
                             ? arena_printf(&rs->arena, "file:%s", s->from.file)
                             : arena_printf(&rs->arena, "env:%s", s->from.env ? s->from.env : "");

    if (!r || !s->inject.header || !s->inject.format)
        return;

    struct clause *c = clause_new(rs, SPACE_SECRET, rule);

    c->cell[SECRET_ID] = cell_word(rs, s->id);
    c->cell[SECRET_SOURCE] = cell_word(rs, source);
    c->cell[SECRET_HEADER] = cell_word(rs, s->inject.header);
    c->cell[SECRET_FORMAT] = cell_word(rs, s->inject.format);
    c->cell[SECRET_HOST] = hosts_cell(rs, r);
    c->cell[SECRET_PORT] = ports_cell(rs, r);
    c->cell[SECRET_METHOD] = cell_bits(rs, r->methods);
    c->cell[SECRET_PATH] = paths_cell(rs, &r->paths);
}

void compile_network(struct ruleset *rs, const struct addr_set *own)
{
    const struct policy *p = rs->policy;
    struct uses uses = uses_make(rs);

    addr_set_public(&rs->arena, &rs->reachable);
    for (uint32_t i = 0; own && i < own->n; i++)
        addr_set_remove(&rs->arena, &rs->reachable, &own->v[i]);
    for (uint32_t i = 0; i < p->network.allow.n; i++)
        allow(rs, p->network.allow.v[i], &uses, own);
    for (uint32_t i = 0; i < p->network.deny.n; i++)
        deny(rs, p->network.deny.v[i], false);
    for (uint32_t i = 0; i < p->network.publish.n; i++)
        publish(rs, p->network.publish.v[i]);
    for (uint32_t i = 0; i < p->secrets.n; i++)
        secret(rs, p->secrets.v[i]);
}

/*
 * The other dimensions of a request never keep two rules that allow apart: all have one that is
 * seen as https, sends nothing, waits as long as it must, and is the machine's own.
 */
void compile_requests(struct ruleset *rs)
{
    const struct policy *p = rs->policy;

    for (uint32_t i = 0; i < p->network.allow.n; i++) {
        const struct net_rule *r = p->network.allow.v[i];
        uint32_t rule = rule_new(rs, "network", "", r->id, r->o.spot, 'H', false);
        struct net_cells x = asked_for(rs, r);

        requests(rs, rule, &x);
    }
    for (uint32_t i = 0; i < p->network.deny.n; i++)
        deny(rs, p->network.deny.v[i], true);
}
