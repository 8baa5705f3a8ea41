/* lint_network.c - rules about names, ports, addresses and requests. */
#include "policies/classes.h"
#include "policies/lint_rules.h"
#include "policies/words.h"

#include <string.h>

#define WRITES     0x3cu /* words_method: POST PUT PATCH DELETE */
#define BODIES     0x1cu /* POST PUT PATCH */
#define UP_LARGE   (1ull << 30)
#define PORTS_MANY 64u

static struct host_pattern pattern(const char *s)
{
    struct host_pattern p = { HOST_EXACT, s, 0 };

    if (strncmp(s, "**.", 3) == 0)
        p = (struct host_pattern){ HOST_DEEP, s + 3, 0 };
    else if (strncmp(s, "*.", 2) == 0)
        p = (struct host_pattern){ HOST_ONE, s + 2, 0 };
    p.len = strlen(p.name);
    return p;
}

static bool request_seen(const struct net_rule *r)
{
    return r->protocol == PROTO_HTTPS;
}

/* The first segments of a path that are fixed. */
static unsigned fixed_segments(const char *path)
{
    unsigned n = 0;

    for (const char *p = path; *p == '/' && p[1]; n++) {
        size_t len = strcspn(p + 1, "/");

        if (memchr(p + 1, '*', len) || memchr(p + 1, '?', len))
            break;
        p += len + 1;
    }
    return n;
}

static bool first_segment_open(const struct net_rule *r)
{
    if (!request_seen(r))
        return true;
    for (uint32_t i = 0; i < r->paths.n; i++)
        if (fixed_segments(r->paths.v[i]) == 0)
            return true;
    return false;
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

/* Names under which registries sell names: a wildcard there is a wildcard over strangers. */
static const char *const registry_suffixes[] = {
    "co.uk",  "org.uk", "me.uk",  "ac.uk",  "gov.uk", "com.cn", "net.cn", "org.cn", "gov.cn",
    "edu.cn", "ac.cn",  "com.au", "net.au", "org.au", "co.jp",  "ne.jp",  "or.jp",  "ac.jp",
    "co.kr",  "or.kr",  "co.in",  "net.in", "com.br", "com.tw", "com.hk", "com.sg", "co.nz",
    "co.za",  "com.mx", "com.tr", "com.ar", "co.il",  "co.id",  "com.my", "com.vn", "com.ua",
    "com.pl", "co.th",  "eu.org", "us.com", "uk.com", "de.com", "cn.com",
};

/* Names under which anybody gets one by signing up. */
static const char *const shared_suffixes[] = {
    "github.io",
    "gitlab.io",
    "gitee.io",
    "githubusercontent.com",
    "pages.dev",
    "workers.dev",
    "r2.dev",
    "vercel.app",
    "netlify.app",
    "herokuapp.com",
    "web.app",
    "firebaseapp.com",
    "appspot.com",
    "run.app",
    "cloudfunctions.net",
    "storage.googleapis.com",
    "azurewebsites.net",
    "azureedge.net",
    "azurefd.net",
    "cloudapp.net",
    "cloudfront.net",
    "fastly.net",
    "global.ssl.fastly.net",
    "akamaihd.net",
    "b-cdn.net",
    "digitaloceanspaces.com",
    "ondigitalocean.app",
    "onrender.com",
    "fly.dev",
    "railway.app",
    "up.railway.app",
    "deno.dev",
    "glitch.me",
    "repl.co",
    "replit.app",
    "surge.sh",
    "blogspot.com",
    "wordpress.com",
    "hf.space",
    "streamlit.app",
    "gradio.live",
    "supabase.co",
    "backblazeb2.com",
    "wasabisys.com",
    "readthedocs.io",
    "clouddn.com",
    "qiniucdn.com",
    "bcebos.com",
    "trycloudflare.com",
    "ngrok.io",
    "ngrok-free.app",
};

/* Stores and functions of many tenants: a wildcard anywhere below them takes in strangers. */
static const char *const shared_families[] = {
    "amazonaws.com", "amazonaws.com.cn",  "core.windows.net",         "aliyuncs.com",
    "myqcloud.com",  "myhuaweicloud.com", "r2.cloudflarestorage.com", "volces.com",
};

static void wildcard_registry(struct linter *l, const void *object)
{
    const struct net_rule *r = object;

    for (uint32_t i = 0; i < r->hosts.n; i++) {
        struct host_pattern p = pattern(r->hosts.v[i]);

        if (p.kind != HOST_EXACT &&
            lint_one_of(p.name, registry_suffixes, array_len(registry_suffixes)))
            lint_say(l, "hosts", "%s takes in everyone who bought a name under %s", r->hosts.v[i],
                     p.name);
    }
}

static bool strangers(const struct host_pattern *p)
{
    for (size_t i = 0; i < array_len(shared_suffixes); i++) {
        struct host_pattern tenants = { HOST_ONE, shared_suffixes[i], strlen(shared_suffixes[i]) };

        if (host_within(&tenants, p))
            return true;
    }
    for (size_t i = 0; i < array_len(shared_families); i++) {
        struct host_pattern family = { HOST_DEEP, shared_families[i], strlen(shared_families[i]) };

        if (host_overlaps(&family, p))
            return true;
    }
    return false;
}

static void wildcard_shared(struct linter *l, const void *object)
{
    const struct net_rule *r = object;

    for (uint32_t i = 0; i < r->hosts.n; i++) {
        struct host_pattern p = pattern(r->hosts.v[i]);

        if (p.kind != HOST_EXACT && strangers(&p))
            lint_say(l, "hosts", "%s takes in names that anybody can get", r->hosts.v[i]);
    }
}

/* One name, many tenants, told apart by the path only. */
static const char *const shared_hosts[] = {
    "s3.amazonaws.com",
    "storage.googleapis.com",
    "storage.cloud.google.com",
    "raw.githubusercontent.com",
    "objects.githubusercontent.com",
    "gist.githubusercontent.com",
    "user-images.githubusercontent.com",
    "codeload.github.com",
    "cdn.jsdelivr.net",
    "fastly.jsdelivr.net",
    "unpkg.com",
    "esm.sh",
    "cdn.skypack.dev",
    "huggingface.co",
    "hf-mirror.com",
    "cdn-lfs.huggingface.co",
    "modelscope.cn",
    "www.modelscope.cn",
    "ghcr.io",
    "quay.io",
    "registry-1.docker.io",
    "drive.google.com",
    "docs.google.com",
    "www.dropbox.com",
    "sourceforge.net",
    "archive.org",
    "web.archive.org",
};

static bool regional_store(const char *host)
{
    size_t n = strlen(host);
    static const char *const ends[] = { ".amazonaws.com", ".amazonaws.com.cn", ".aliyuncs.com",
                                        ".myqcloud.com" };

    for (size_t i = 0; i < array_len(ends); i++) {
        size_t e = strlen(ends[i]);

        if (n > e && strcmp(host + n - e, ends[i]) == 0)
            return strncmp(host, "s3.", 3) == 0 || strncmp(host, "s3-", 3) == 0 ||
                   strncmp(host, "oss-", 4) == 0 || strncmp(host, "cos.", 4) == 0;
    }
    return false;
}

static void shared_host(struct linter *l, const void *object)
{
    const struct net_rule *r = object;

    if (!first_segment_open(r))
        return;
    for (uint32_t i = 0; i < r->hosts.n; i++) {
        const char *h = r->hosts.v[i];

        if (lint_one_of(h, shared_hosts, array_len(shared_hosts)) || regional_store(h))
            lint_say(l, "hosts", "%s serves many tenants, and no path says which", h);
    }
}

static void deep_wildcard(struct linter *l, const void *object)
{
    const struct net_rule *r = object;

    for (uint32_t i = 0; i < r->hosts.n; i++)
        if (strncmp(r->hosts.v[i], "**.", 3) == 0)
            lint_say(l, "hosts", "%s is every name below, at any depth", r->hosts.v[i]);
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

static bool has_port(const struct net_rule *r, uint64_t port)
{
    for (uint32_t i = 0; i < r->ports.n; i++)
        if (r->ports.v[i].lo <= port && port <= r->ports.v[i].hi)
            return true;
    return false;
}

static void plain_port(struct linter *l, const void *object)
{
    if (has_port(object, 80))
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
        if (has_port(object, services[i].port))
            lint_say(l, "ports", "port %u is %s", services[i].port, services[i].what);
}

struct probe {
    const char *host;
    uint64_t method; /* of words_method */
    const char *path;
};

enum { GET = 0, POST = 2, PUT = 3 };

static void probes(struct linter *l, const struct probe *v, size_t n, const char *what)
{
    const struct net_rule *rule = l->object;

    for (size_t i = 0; i < n && !rule->any_host; i++) {
        struct request r;

        request_init(&r, SPACE_HTTP);
        request_text(&r, HTTP_HOST, v[i].host);
        request_number(&r, HTTP_PROTOCOL, rule->protocol);
        request_number(&r, HTTP_METHOD, v[i].method);
        request_text(&r, HTTP_PATH, v[i].path);
        request_number(&r, HTTP_UP, 1);
        if (has_port(rule, 443) && lint_allowed(l, &r, l->subject)) {
            lint_say(l, "methods", "allows %s %s on %s: %s", words_method[v[i].method], v[i].path,
                     v[i].host, what);
            return;
        }
    }
}

static void code_host(struct linter *l, const void *object)
{
    static const struct probe writes[] = {
        { "github.com", POST, "/owner/example.git/git-receive-pack" },
        { "api.github.com", POST, "/gists" },
        { "api.github.com", POST, "/repos/owner/example/issues" },
        { "gist.github.com", POST, "/" },
        { "uploads.github.com", POST, "/repos/owner/example/releases/1/assets" },
        { "gitlab.com", POST, "/owner/example.git/git-receive-pack" },
        { "gitlab.com", POST, "/api/v4/projects" },
        { "bitbucket.org", POST, "/owner/example.git/git-receive-pack" },
        { "api.bitbucket.org", POST, "/2.0/snippets" },
        { "codeberg.org", POST, "/owner/example.git/git-receive-pack" },
        { "gitee.com", POST, "/owner/example.git/git-receive-pack" },
        { "gitee.com", POST, "/api/v5/gists" },
        { "gitcode.com", POST, "/owner/example.git/git-receive-pack" },
        { "git.sr.ht", POST, "/~owner/example/git-receive-pack" },
        { "huggingface.co", POST, "/api/repos/create" },
    };

    (void)object;
    probes(l, writes, array_len(writes), "whatever is read can be published there");
}

static void package_registry(struct linter *l, const void *object)
{
    static const struct probe writes[] = {
        { "registry.npmjs.org", PUT, "/example" },
        { "upload.pypi.org", POST, "/legacy/" },
        { "pypi.org", POST, "/legacy/" },
        { "crates.io", PUT, "/api/v1/crates/new" },
        { "rubygems.org", POST, "/api/v1/gems" },
        { "registry-1.docker.io", POST, "/v2/owner/example/blobs/uploads/" },
        { "ghcr.io", POST, "/v2/owner/example/blobs/uploads/" },
        { "quay.io", POST, "/v2/owner/example/blobs/uploads/" },
        { "central.sonatype.com", POST, "/api/v1/publisher/upload" },
    };

    (void)object;
    probes(l, writes, array_len(writes), "packages can be published");
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

static void names(struct linter *l, const char *const *v, size_t n, const char *what)
{
    const struct net_rule *rule = l->object;

    for (size_t i = 0; i < n && !rule->any_host; i++) {
        struct host_pattern h = pattern(v[i]);

        for (uint32_t k = 0; k < rule->hosts.n; k++) {
            struct host_pattern p = pattern(rule->hosts.v[k]);

            if (host_overlaps(&h, &p))
                lint_say(l, "hosts", "%s %s", rule->hosts.v[k], what);
        }
    }
}

static void drop_box(struct linter *l, const void *object)
{
    static const char *const hosts[] = {
        "pastebin.com",
        "paste.ee",
        "dpaste.org",
        "hastebin.com",
        "transfer.sh",
        "file.io",
        "0x0.st",
        "webhook.site",
        "requestbin.com",
        "**.requestbin.net",
        "**.pipedream.net",
        "**.beeceptor.com",
        "**.oast.pro",
        "**.oast.live",
        "**.oast.fun",
        "**.oast.site",
        "**.interact.sh",
        "**.burpcollaborator.net",
        "**.ngrok.io",
        "**.ngrok-free.app",
        "**.ngrok.app",
        "**.trycloudflare.com",
        "**.loca.lt",
        "**.serveo.net",
        "**.localhost.run",
        "termbin.com",
        "ix.io",
        "gofile.io",
        "temp.sh",
        "bashupload.com",
    };

    (void)object;
    names(l, hosts, array_len(hosts), "takes in whatever is sent, from anybody");
}

static void resolver(struct linter *l, const void *object)
{
    static const char *const hosts[] = {
        "dns.google",      "dns.google.com",      "cloudflare-dns.com", "**.cloudflare-dns.com",
        "one.one.one.one", "dns.quad9.net",       "dns.nextdns.io",     "doh.opendns.com",
        "dns.adguard.com", "dns.adguard-dns.com", "dns.alidns.com",     "doh.pub",
        "doh.360.cn",
    };

    (void)object;
    names(l, hosts, array_len(hosts),
          "resolves names for anybody: each question carries bytes out");
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
    { { "CR103", "wildcard-registry", LINT_ERROR, "A wildcard under a suffix where registries sell names is a wildcard over strangers.", "Write the domain that you mean: *.example.co.uk." }, EACH_ALLOW, wildcard_registry },
    { { "CR104", "wildcard-shared", LINT_ERROR, "Under the suffixes of hosting and storage services anybody gets a name in a minute, to serve programs from or to send data to.", "Name your own sites and buckets." }, EACH_ALLOW, wildcard_shared },
    { { "CR105", "shared-host", LINT_WARNING, "A store or content network serves everybody's files under one name; only the path tells yours from an attacker's.", "Use protocol: https with paths that begin with your bucket, package or project." }, EACH_ALLOW, shared_host },
    { { "CR106", "deep-wildcard", LINT_NOTE, "One forgotten name below a wildcard, taken over by somebody else, is enough.", "Prefer *.x (one label) or exact names." }, EACH_ALLOW, deep_wildcard },
    { { "CR107", "opaque-protocol", LINT_WARNING, "With protocol: tcp no request, name or size is judged after the connection opens.", "Use https, or tls where the client pins certificates." }, EACH_ALLOW, opaque },
    { { "CR108", "name-only", LINT_NOTE, "With protocol: tls methods, paths and bodies are not judged.", "Use https unless the client pins certificates." }, EACH_ALLOW, name_only },
    { { "CR109", "plain-http", LINT_WARNING, "Anybody on the way can read and change what goes over plain http.", "Use port 443." }, EACH_ALLOW, plain_port },
    { { "CR110", "wide-ports", LINT_WARNING, "A wide range of ports reaches services that nobody thought of.", "List the ports that the service uses." }, EACH_ALLOW, wide_ports },
    { { "CR111", "service-port", LINT_WARNING, "Logins, mail, databases and daemons are means to act elsewhere, not to fetch.", "Let the host do it for the agent (tools.host), with approval." }, EACH_ALLOW, service_port },
    { { "CR112", "code-host-write", LINT_WARNING, "A place where anybody may publish is a way out, also when its name is trusted.", "Allow reads, or only paths of your own projects; let the host push (tools.host, approve: each)." }, EACH_ALLOW, code_host },
    { { "CR113", "private-addresses", LINT_WARNING, "Services inside a network often trust whoever can reach them.", "Give the narrowest range, and the ports and paths of that one service." }, EACH_ALLOW, private_addresses },
    { { "CR114", "all-addresses", LINT_ERROR, "A name that an attacker controls may then resolve into your own networks.", "Leave addresses out (public addresses only), or name the network." }, EACH_ALLOW, all_addresses },
    { { "CR115", "large-upload", LINT_WARNING, "A limit that no request reaches limits nothing.", "Set limits.up_per_request to what the service needs." }, EACH_ALLOW, large_upload },
    { { "CR116", "registry-write", LINT_WARNING, "Whoever can publish a package reaches everybody who installs it.", "Allow GET and HEAD only; publish from the host." }, EACH_ALLOW, package_registry },
    { { "CR117", "body-of-reads", LINT_NOTE, "A GET needs no body; one that may have a body carries data out.", "Add limits: {up_per_request: 0B}." }, EACH_ALLOW, body_of_reads },
    { { "CR118", "drop-box", LINT_ERROR, "Paste sites, request recorders and tunnels exist to take what is sent to them.", "Remove the host." }, EACH_ALLOW, drop_box },
    { { "CR119", "public-resolver", LINT_WARNING, "A resolver that anybody may ask passes bytes to any name server in the questions themselves.", "Remove the host: names are resolved for the guest by its own rules." }, EACH_ALLOW, resolver },
    { { "CR120", "publish-everywhere", LINT_WARNING, "A server that an agent wrote is then open to the network.", "Publish on 127.0.0.1 or [::1]." }, EACH_PUBLISH, publish_everywhere },
    { { "CR121", "publish-low-port", LINT_NOTE, "Ports below 1024 belong to the host's own services, and listening there needs a privilege.", "Publish on a port of 1024 or more." }, EACH_PUBLISH, publish_low },
    { { "CR122", "unnamed-rule", LINT_WARNING, "Where commands are told apart, a network rule that none of them names serves only the machine as a whole.", "Name it in the network of the command that needs it, or remove it." }, EACH_ALLOW, unused_rule },
};
/* clang-format on */

const struct lint_checks lint_network = { checks, array_len(checks) };
