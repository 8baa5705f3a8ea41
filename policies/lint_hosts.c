/* lint_hosts.c - rules that know names of the public internet: who serves strangers, who takes
 * data. */
#include "policies/lint_rules.h"
#include "policies/words.h"

#include <string.h>

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
    if (r->protocol != PROTO_HTTPS)
        return true;
    for (uint32_t i = 0; i < r->paths.n; i++)
        if (fixed_segments(r->paths.v[i]) == 0)
            return true;
    return false;
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

void lint_wildcard_registry(struct linter *l, const void *object)
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

void lint_wildcard_shared(struct linter *l, const void *object)
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

void lint_shared_host(struct linter *l, const void *object)
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
        if (lint_has_port(rule, 443) && lint_allowed(l, &r, l->subject)) {
            lint_say(l, "methods", "allows %s %s on %s: %s", words_method[v[i].method], v[i].path,
                     v[i].host, what);
            return;
        }
    }
}

void lint_code_host(struct linter *l, const void *object)
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

void lint_package_registry(struct linter *l, const void *object)
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

void lint_drop_box(struct linter *l, const void *object)
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

void lint_resolver(struct linter *l, const void *object)
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
