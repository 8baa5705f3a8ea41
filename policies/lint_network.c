/* lint_network.c - rules about names, ports, addresses and requests. */
#include "policies/classes.h"
#include "policies/lint_rules.h"
#include "policies/words.h"

#include <string.h>

#define WRITES     0x3cu /* words_method: POST PUT PATCH DELETE */
#define BODIES     0x1cu /* POST PUT PATCH */
#define UP_LARGE   (1ull << 30)
#define PORTS_MANY 64u

static bool request_seen(const struct net_rule *r)
{
    return r->protocol == PROTO_HTTPS;
}

static void any_host(struct linter *l, const void *object)
{
    const struct net_rule *r = object;

    if (r->any_host)
        lint_say(l, "any_host", "every public host can be reached");
}

static void any_host_upload(struct linter *l, const void *object)
{
    const struct net_rule *r = object;

    if (r->any_host && (!request_seen(r) || (r->methods & BODIES)))
        lint_say(l, request_seen(r) ? "methods" : "protocol",
                 "anything that can be read can be sent to any host");
}

static void deep_wildcard(struct linter *l, const void *object)
{
    const struct net_rule *r = object;

    for (uint32_t i = 0; i < r->hosts.n; i++)
        if (strncmp(r->hosts.v[i], "**.", 3) == 0)
            lint_say(l, "hosts", "%s is every name below, at any depth", r->hosts.v[i]);
}

bool lint_has_port(const struct net_rule *r, uint64_t port)
{
    for (uint32_t i = 0; i < r->ports.n; i++)
        if (r->ports.v[i].lo <= port && port <= r->ports.v[i].hi)
            return true;
    return false;
}

static void opaque(struct linter *l, const void *object)
{
    const struct net_rule *r = object;

    if (r->protocol == PROTO_TCP)
        lint_say(l, "protocol", "bytes that nobody looks at");
}

static void name_only(struct linter *l, const void *object)
{
    const struct net_rule *r = object;

    if (r->protocol == PROTO_TLS)
        lint_say(l, "protocol", "requests are not seen, only the name");
}

static void plain_port(struct linter *l, const void *object)
{
    if (lint_has_port(object, 80))
        lint_say(l, "ports", "port 80 is plain http");
}

static void wide_ports(struct linter *l, const void *object)
{
    const struct net_rule *r = object;
    uint64_t n = 0;

    for (uint32_t i = 0; i < r->ports.n; i++)
        n += r->ports.v[i].hi - r->ports.v[i].lo + 1;
    if (n > PORTS_MANY)
        lint_say(l, "ports", "%u ports", (unsigned)n);
}

static void service_port(struct linter *l, const void *object)
{
    static const struct {
        uint16_t port;
        const char *what;
    } services[] = {
        { 22, "ssh" },
        { 23, "telnet" },
        { 25, "mail" },
        { 465, "mail" },
        { 587, "mail" },
        { 53, "name service" },
        { 445, "file sharing" },
        { 2375, "a docker daemon" },
        { 2376, "a docker daemon" },
        { 3306, "a database" },
        { 3389, "remote desktop" },
        { 5432, "a database" },
        { 6379, "a database" },
        { 6443, "a cluster's API" },
        { 10250, "a cluster's node" },
        { 27017, "a database" },
    };

    for (size_t i = 0; i < array_len(services); i++)
        if (lint_has_port(object, services[i].port))
            lint_say(l, "ports", "port %u is %s", services[i].port, services[i].what);
}

static void private_addresses(struct linter *l, const void *object)
{
    const struct net_rule *r = object;

    for (uint32_t i = 0; i < r->addresses.n; i++) {
        struct addr_range range;

        if (!cidr_parse(r->addresses.v[i], &range) &&
            (!addr_set_has(&l->rs->reachable, &range.lo) ||
             !addr_set_has(&l->rs->reachable, &range.hi)))
            lint_say(l, "addresses", "%s is not the public internet", r->addresses.v[i]);
    }
}

static void all_addresses(struct linter *l, const void *object)
{
    const struct net_rule *r = object;

    for (uint32_t i = 0; i < r->addresses.n; i++)
        if (strcmp(strchr(r->addresses.v[i], '/'), "/0") == 0)
            lint_say(l, "addresses", "%s is every network, those inside yours too",
                     r->addresses.v[i]);
}

static void large_upload(struct linter *l, const void *object)
{
    const struct net_rule *r = object;

    if (r->limits.up_per_request >= UP_LARGE)
        lint_say(l, "limits.up_per_request", "one request may carry 1 GiB or more out");
}

static void body_of_reads(struct linter *l, const void *object)
{
    const struct net_rule *r = object;

    if (request_seen(r) && !(r->methods & WRITES) && r->limits.up_per_request)
        lint_say(l, "limits.up_per_request", "only reads, and still each may carry a body out");
}

static void publish_everywhere(struct linter *l, const void *object)
{
    const struct publish *p = object;
    struct addr a;
    uint64_t port = 0;

    if (listen_parse(p->host, &a, &port))
        return;
    if (a.family == 4 ? a.lo >> 24 != 127 : a.hi || a.lo != 1)
        lint_say(l, "host", "other machines can connect to the guest");
}

static void publish_low(struct linter *l, const void *object)
{
    const struct publish *p = object;
    struct addr a;
    uint64_t port = 0;

    if (!listen_parse(p->host, &a, &port) && port < 1024)
        lint_say(l, "host", "port %u of the host is one of the system's", (unsigned)port);
}

static void unused_rule(struct linter *l, const void *object)
{
    const struct net_rule *r = object;
    const struct list *commands = &l->p->tools.commands;

    for (uint32_t i = 0; i < commands->n; i++)
        if (texts_have(&((const struct command *)commands->v[i])->network, r->id))
            return;
    if (commands->n)
        lint_say(l, "id", "no command names it in its network");
}

/* clang-format off */
static const struct lint_check checks[] = {
    { { "CR101", "any-host", LINT_WARNING, "A rule for every host is no rule about hosts: what the agent can read, it can carry anywhere by name and path.", "Name the hosts." }, EACH_ALLOW, any_host },
    { { "CR102", "any-host-upload", LINT_ERROR, "Requests with a body to every host are a way out for everything that the agent can read.", "Allow GET and HEAD only, or name the hosts that may receive." }, EACH_ALLOW, any_host_upload },
    { { "CR103", "wildcard-registry", LINT_ERROR, "A wildcard under a suffix where registries sell names is a wildcard over strangers.", "Write the domain that you mean: *.example.co.uk." }, EACH_ALLOW, lint_wildcard_registry },
    { { "CR104", "wildcard-shared", LINT_ERROR, "Under the suffixes of hosting and storage services anybody gets a name in a minute, to serve programs from or to send data to.", "Name your own sites and buckets." }, EACH_ALLOW, lint_wildcard_shared },
    { { "CR105", "shared-host", LINT_WARNING, "A store or content network serves everybody's files under one name; only the path tells yours from an attacker's.", "Use protocol: https with paths that begin with your bucket, package or project." }, EACH_ALLOW, lint_shared_host },
    { { "CR106", "deep-wildcard", LINT_NOTE, "One forgotten name below a wildcard, taken over by somebody else, is enough.", "Prefer *.x (one label) or exact names." }, EACH_ALLOW, deep_wildcard },
    { { "CR107", "opaque-protocol", LINT_WARNING, "With protocol: tcp no request, name or size is judged after the connection opens.", "Use https, or tls where the client pins certificates." }, EACH_ALLOW, opaque },
    { { "CR108", "name-only", LINT_NOTE, "With protocol: tls methods, paths and bodies are not judged.", "Use https unless the client pins certificates." }, EACH_ALLOW, name_only },
    { { "CR109", "plain-http", LINT_WARNING, "Anybody on the way can read and change what goes over plain http.", "Use port 443." }, EACH_ALLOW, plain_port },
    { { "CR110", "wide-ports", LINT_WARNING, "A wide range of ports reaches services that nobody thought of.", "List the ports that the service uses." }, EACH_ALLOW, wide_ports },
    { { "CR111", "service-port", LINT_WARNING, "Logins, mail, databases and daemons are means to act elsewhere, not to fetch.", "Let the host do it for the agent (tools.host), with approval." }, EACH_ALLOW, service_port },
    { { "CR112", "code-host-write", LINT_WARNING, "A place where anybody may publish is a way out, also when its name is trusted.", "Allow reads, or only paths of your own projects; let the host push (tools.host, approve: each)." }, EACH_ALLOW, lint_code_host },
    { { "CR113", "private-addresses", LINT_WARNING, "Services inside a network often trust whoever can reach them.", "Give the narrowest range, and the ports and paths of that one service." }, EACH_ALLOW, private_addresses },
    { { "CR114", "all-addresses", LINT_ERROR, "A name that an attacker controls may then resolve into your own networks.", "Leave addresses out (public addresses only), or name the network." }, EACH_ALLOW, all_addresses },
    { { "CR115", "large-upload", LINT_WARNING, "A limit that no request reaches limits nothing.", "Set limits.up_per_request to what the service needs." }, EACH_ALLOW, large_upload },
    { { "CR116", "registry-write", LINT_WARNING, "Whoever can publish a package reaches everybody who installs it.", "Allow GET and HEAD only; publish from the host." }, EACH_ALLOW, lint_package_registry },
    { { "CR117", "body-of-reads", LINT_NOTE, "A GET needs no body; one that may have a body carries data out.", "Add limits: {up_per_request: 0B}." }, EACH_ALLOW, body_of_reads },
    { { "CR118", "drop-box", LINT_ERROR, "Paste sites, request recorders and tunnels exist to take what is sent to them.", "Remove the host." }, EACH_ALLOW, lint_drop_box },
    { { "CR119", "public-resolver", LINT_WARNING, "A resolver that anybody may ask passes bytes to any name server in the questions themselves.", "Remove the host: names are resolved for the guest by its own rules." }, EACH_ALLOW, lint_resolver },
    { { "CR120", "publish-everywhere", LINT_WARNING, "A server that an agent wrote is then open to the network.", "Publish on 127.0.0.1 or [::1]." }, EACH_PUBLISH, publish_everywhere },
    { { "CR121", "publish-low-port", LINT_NOTE, "Ports below 1024 belong to the host's own services, and listening there needs a privilege.", "Publish on a port of 1024 or more." }, EACH_PUBLISH, publish_low },
    { { "CR122", "unnamed-rule", LINT_WARNING, "Where commands are told apart, a network rule that none of them names serves only the machine as a whole.", "Name it in the network of the command that needs it, or remove it." }, EACH_ALLOW, unused_rule },
};
/* clang-format on */

const struct lint_checks lint_network = { checks, array_len(checks) };
