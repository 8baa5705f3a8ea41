#include "tests/unit/policy_naive.h"

#include "policies/fields.h"
#include "policies/words.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- names */

static bool name_ok(const char *s)
{
    int labels = 0;
    const char *p = s;

    if (strlen(s) > 253)
        return false;
    for (;;) {
        const char *dot = strchr(p, '.');
        size_t n = dot ? (size_t)(dot - p) : strlen(p);

        if (n < 1 || n > 63 || p[0] == '-' || p[n - 1] == '-' || !strncmp(p, "xn--", 4))
            return false;
        for (size_t i = 0; i < n; i++)
            if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-", p[i]))
                return false;
        labels++;
        if (!dot) {
            bool digits = true, hex = n > 2 && p[0] == '0' && p[1] == 'x';

            for (size_t i = 0; i < n; i++) {
                digits = digits && p[i] >= '0' && p[i] <= '9';
                hex = hex && (i < 2 || strchr("0123456789abcdef", p[i]));
            }
            return labels >= 2 && !digits && !hex && strcmp(p, "0x") != 0;
        }
        p = dot + 1;
    }
}

static bool host_like(const char *pattern, const char *host)
{
    if (!strncmp(pattern, "**.", 3)) {
        for (const char *d = strchr(host, '.'); d; d = strchr(d + 1, '.'))
            if (!strcmp(d + 1, pattern + 3))
                return true;
        return false;
    }
    if (!strncmp(pattern, "*.", 2)) {
        const char *d = strchr(host, '.');

        return d && !strcmp(d + 1, pattern + 2);
    }
    return !strcmp(pattern, host);
}

static bool any_host_like(const struct texts *t, const char *host)
{
    for (uint32_t i = 0; i < t->n; i++)
        if (host_like(t->v[i], host))
            return true;
    return false;
}

/* ---- paths: segment by segment */

struct segs {
    const char *v[300];
    size_t len[300];
    int n;
};

static struct segs cut(const char *s)
{
    struct segs out = { .n = 0 };

    while (*s == '/') {
        const char *end = strchr(s + 1, '/');

        out.v[out.n] = s + 1;
        out.len[out.n++] = end ? (size_t)(end - s - 1) : strlen(s + 1);
        s = end ? end : "";
    }
    return out;
}

static bool bytes_like(const char *p, size_t np, const char *s, size_t ns)
{
    if (np == 0)
        return ns == 0;
    if (*p == '*')
        return bytes_like(p + 1, np - 1, s, ns) || (ns && bytes_like(p, np, s + 1, ns - 1));
    return ns && (*p == '?' || *p == *s) && bytes_like(p + 1, np - 1, s + 1, ns - 1);
}

static bool segs_like(const struct segs *p, int i, const struct segs *s, int k)
{
    if (i == p->n)
        return k == s->n;
    if (p->len[i] == 2 && !strncmp(p->v[i], "**", 2)) {
        for (int m = k; m <= s->n; m++)
            if (segs_like(p, i + 1, s, m))
                return true;
        return false;
    }
    if (k == s->n || (p->len[i] == 1 && p->v[i][0] == '*' && s->len[k] == 0))
        return false;
    return bytes_like(p->v[i], p->len[i], s->v[k], s->len[k]) && segs_like(p, i + 1, s, k + 1);
}

static bool path_like(const char *pattern, const char *path)
{
    struct segs p = cut(pattern), s = cut(path);

    /* "/" is no segment at all, not one empty segment. */
    if (!strcmp(path, "/"))
        s.n = strcmp(pattern, "/") ? 0 : 1;
    if (!strcmp(path, "/") && !strcmp(pattern, "/*"))
        return false;
    return segs_like(&p, 0, &s, 0);
}

static bool path_ok(const char *s, bool http)
{
    struct segs c = cut(s);

    if (*s != '/' || strlen(s) > 4095 || (http && strpbrk(s, "\\%?#")))
        return false;
    for (const char *p = s; *p; p++)
        if ((unsigned char)*p < 32 || *p == 127)
            return false;
    if (!strcmp(s, "/"))
        return true;
    for (int i = 0; i < c.n; i++) {
        bool last = i == c.n - 1;

        if ((c.len[i] == 0 && !(http && last)) || (c.len[i] == 1 && c.v[i][0] == '.') ||
            (c.len[i] == 2 && !strncmp(c.v[i], "..", 2)))
            return false;
    }
    return http || c.n <= 127;
}

static bool at_or_below(const char *dir, const char *path)
{
    size_t n = strcmp(dir, "/") ? strlen(dir) : 0;

    return !strncmp(dir, path, n) && (path[n] == '/' || !path[n] || n == 0);
}

/* ---- arguments */

static bool token_like(const struct token *t, const char *arg)
{
    if (t->kind == TOKEN_WORDS) {
        for (uint32_t i = 0; i < t->words.n; i++)
            if (!strcmp(arg, t->words.v[i]))
                return true;
        return false;
    }
    if (strlen(arg) > t->max)
        return false;
    return t->kind == TOKEN_ANY || !strncmp(arg, t->words.v[0], strlen(t->words.v[0]));
}

/* The pattern from token i, of whose repetitions `done` are behind, against the list from k. */
static bool argv_like(const struct argv_pattern *p, uint32_t i, uint32_t done, const struct args *a,
                      uint32_t k, bool open)
{
    if (i == p->n)
        return open || k == a->n;
    if (p->v[i].kind == TOKEN_ANY) {
        if (done >= p->v[i].lo && argv_like(p, i + 1, 0, a, k, open))
            return true;
        return done < p->v[i].hi && k < a->n && token_like(&p->v[i], a->v[k]) &&
               argv_like(p, i, done + 1, a, k + 1, open);
    }
    return k < a->n && token_like(&p->v[i], a->v[k]) && argv_like(p, i + 1, 0, a, k + 1, open);
}

static bool argv_ok(const struct list *rules, const struct args *a)
{
    bool allowed = false, said = false;

    for (uint32_t i = 0; i < rules->n; i++) {
        const struct argv_rule *r = rules->v[i];

        for (uint32_t k = 0; r->deny.n && k <= a->n; k++)
            if (argv_like(&r->deny, 0, 0, a, k, true))
                return false;
        if (!r->deny.n) {
            said = true;
            allowed = allowed || argv_like(&r->allow, 0, 0, a, 0, false);
        }
    }
    return said ? allowed : a->n == 0;
}

/* ---- spaces */

static bool in_ranges(const struct ranges *r, uint64_t n)
{
    for (uint32_t i = 0; i < r->n; i++)
        if (n >= r->v[i].lo && n <= r->v[i].hi)
            return true;
    return false;
}

static bool has_text(const struct texts *t, const char *s)
{
    for (uint32_t i = 0; i < t->n; i++)
        if (!strcmp(t->v[i], s))
            return true;
    return false;
}

static bool tool_may(const struct policy *p, const struct value *tool, const char *rule)
{
    if (!tool->present)
        return true;
    for (uint32_t i = 0; i < p->tools.commands.n; i++) {
        const struct command *c = p->tools.commands.v[i];

        if (!strcmp(c->id, tool->s) && has_text(&c->network, rule))
            return true;
    }
    return false;
}

static bool said(const struct net_rule *r, const char *key)
{
    const struct table *t = table_by_path("network.deny");

    return r->o.has >> field_index(t, key) & 1;
}

static bool rule_paths(const struct net_rule *r, const char *path)
{
    for (uint32_t i = 0; i < r->paths.n; i++)
        if (path_like(r->paths.v[i], path))
            return true;
    return false;
}

/* inet_pton's bytes, compared under a mask: nothing of addrs.c. */
static bool in_cidr(const char *cidr, const struct addr *a)
{
    char buf[64];
    unsigned char net[16], it[16];
    const char *slash = strchr(cidr, '/');
    int family = strchr(cidr, ':') ? 6 : 4, bits = atoi(slash + 1), n = family == 4 ? 4 : 16;

    snprintf(buf, sizeof(buf), "%.*s", (int)(slash - cidr), cidr);
    if (family != (int)a->family || inet_pton(family == 4 ? AF_INET : AF_INET6, buf, net) != 1)
        return false;
    for (int i = 0; i < n; i++) {
        int low = n - 1 - i;

        it[i] = (unsigned char)(low < 8 ? a->lo >> (8 * low) : a->hi >> (8 * (low - 8)));
    }
    for (int b = 0; b < bits; b++)
        if ((net[b / 8] ^ it[b / 8]) >> (7 - b % 8) & 1)
            return false;
    return true;
}

static bool in_any(const char *const *list, const struct addr *a)
{
    for (; *list; list++)
        if (in_cidr(*list, a))
            return true;
    return false;
}

static bool reachable(const struct net_rule *r, const struct addr *a)
{
    static const char *const never[] = { "0.0.0.0/8",
                                         "127.0.0.0/8",
                                         "169.254.0.0/16",
                                         "100.100.100.200/32",
                                         "168.63.129.16/32",
                                         "192.0.0.0/24",
                                         "192.88.99.0/24",
                                         "198.18.0.0/15",
                                         "224.0.0.0/4",
                                         "240.0.0.0/4",
                                         "::/96",
                                         "::ffff:0:0/96",
                                         "::ffff:0:0:0/96",
                                         "64:ff9b::/96",
                                         "64:ff9b:1::/48",
                                         "100::/64",
                                         "2001::/32",
                                         "2002::/16",
                                         "fd00:ec2::254/128",
                                         "fd20:ce::254/128",
                                         "fe80::/10",
                                         "fec0::/10",
                                         "ff00::/8",
                                         NULL };
    static const char *const inside[] = {
        "10.0.0.0/8",      "100.64.0.0/10",  "172.16.0.0/12", "192.0.2.0/24", "192.168.0.0/16",
        "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "fc00::/7",     NULL
    };

    if (in_any(never, a))
        return false;
    if (!r->addresses.n)
        return !in_any(inside, a);
    for (uint32_t i = 0; i < r->addresses.n; i++)
        if (in_cidr(r->addresses.v[i], a))
            return true;
    return false;
}

struct net {
    const char *host;
    uint64_t port;
    const struct addr *addr;
    const struct request *http;
    const struct value *tool;
};

static bool net_denied(const struct policy *p, const struct net *n)
{
    for (uint32_t i = 0; i < p->network.deny.n; i++) {
        const struct net_rule *r = p->network.deny.v[i];
        bool l7 = said(r, "methods") || said(r, "paths");

        if (r->hosts.n && !any_host_like(&r->hosts, n->host))
            continue;
        if (said(r, "ports") && !in_ranges(&r->ports, n->port))
            continue;
        if (r->addresses.n) {
            bool in = false;

            for (uint32_t k = 0; n->addr && k < r->addresses.n; k++)
                in = in || in_cidr(r->addresses.v[k], n->addr);
            if (!in)
                continue;
        }
        if (l7 && !n->http)
            continue;
        if (said(r, "methods") &&
            !(n->http->v[HTTP_METHOD].present && r->methods >> n->http->v[HTTP_METHOD].n & 1))
            continue;
        if (said(r, "paths") &&
            !(n->http->v[HTTP_PATH].present && rule_paths(r, n->http->v[HTTP_PATH].s)))
            continue;
        return true;
    }
    return false;
}

static bool http_ok(const struct net_rule *r, const struct request *q)
{
    uint64_t proto = q->v[HTTP_PROTOCOL].n;

    if (proto > r->protocol || q->v[HTTP_UP].n > r->limits.up_per_request ||
        q->v[HTTP_RATE].n > r->limits.rate)
        return false;
    if (r->protocol != PROTO_HTTPS)
        return true;
    return q->v[HTTP_METHOD].present && (r->methods >> q->v[HTTP_METHOD].n & 1) &&
           q->v[HTTP_PATH].present && rule_paths(r, q->v[HTTP_PATH].s);
}

static bool net_allows(const struct policy *p, const struct net *n)
{
    if (!n->host || !name_ok(n->host) || net_denied(p, n))
        return false;
    for (uint32_t i = 0; i < p->network.allow.n; i++) {
        const struct net_rule *r = p->network.allow.v[i];

        if ((r->any_host || any_host_like(&r->hosts, n->host)) && in_ranges(&r->ports, n->port) &&
            tool_may(p, n->tool, r->id) && (!n->addr || reachable(r, n->addr)) &&
            (!n->http || http_ok(r, n->http)))
            return true;
    }
    return false;
}

static bool var_like(const char *pattern, const char *pair)
{
    char with[128];

    snprintf(with, sizeof(with), "%s=*", pattern);
    return bytes_like(with, strlen(with), pair, strlen(pair));
}

static bool env_ok(const struct exec_env *e, const char *pair)
{
    char buf[512];

    for (uint32_t i = 0; i < e->allow.n; i++)
        if (var_like(e->allow.v[i], pair))
            return true;
    for (uint32_t i = 0; i < e->set.n; i++) {
        snprintf(buf, sizeof(buf), "%s=%s", e->set.v[i].key, e->set.v[i].value);
        if (!strcmp(buf, pair))
            return true;
    }
    return false;
}

static bool in_trees(const struct texts *t, const char *path)
{
    for (uint32_t i = 0; i < t->n; i++)
        if (at_or_below(t->v[i], path))
            return true;
    return false;
}

static bool syscall_ok(const struct exec_syscalls *s, unsigned nr)
{
    struct bits base;

    syscall_base(s->base, &base);
    return (bits_has(&base, nr) || bits_has(&s->add, nr)) && !bits_has(&s->remove, nr);
}

static bool wants_ok(const struct command *c, const struct request *r)
{
    for (uint32_t i = 0; i < r->v[EXEC_ENV].list.n; i++)
        if (!env_ok(&c->env, r->v[EXEC_ENV].list.v[i]))
            return false;
    for (unsigned i = 0; i < BITS_MAX; i++) {
        if (r->v[EXEC_CAPS].bits && bits_has(r->v[EXEC_CAPS].bits, i) &&
            !bits_has(&c->capabilities, i))
            return false;
        if (r->v[EXEC_SYSCALLS].bits && bits_has(r->v[EXEC_SYSCALLS].bits, i) &&
            !syscall_ok(&c->syscalls, i))
            return false;
    }
    for (uint32_t i = 0; i < r->v[EXEC_RO].list.n; i++)
        if (!in_trees(&c->paths.ro, r->v[EXEC_RO].list.v[i]) &&
            !in_trees(&c->paths.rw, r->v[EXEC_RO].list.v[i]))
            return false;
    for (uint32_t i = 0; i < r->v[EXEC_RW].list.n; i++)
        if (!in_trees(&c->paths.rw, r->v[EXEC_RW].list.v[i]))
            return false;
    for (uint32_t i = 0; i < r->v[EXEC_USES].list.n; i++) {
        const char *u = r->v[EXEC_USES].list.v[i];

        if (!(!strncmp(u, "network:", 8) && has_text(&c->network, u + 8)) &&
            !(!strncmp(u, "spawn:", 6) && has_text(&c->spawn, u + 6)))
            return false;
    }
    return true;
}

static bool is(const struct value *v, const char *s)
{
    return v->present && s && !strcmp(v->s, s);
}

static bool exec_allows(const struct policy *p, const struct request *r)
{
    if (!r->v[EXEC_PATH].present || !path_ok(r->v[EXEC_PATH].s, false))
        return false;
    for (uint32_t i = 0; i < r->v[EXEC_RO].list.n; i++)
        if (!path_ok(r->v[EXEC_RO].list.v[i], false))
            return false;
    for (uint32_t i = 0; i < r->v[EXEC_RW].list.n; i++)
        if (!path_ok(r->v[EXEC_RW].list.v[i], false))
            return false;
    for (uint32_t i = 0; i < p->tools.commands.n; i++) {
        const struct command *c = p->tools.commands.v[i];

        if (path_like(c->exec.path, r->v[EXEC_PATH].s) &&
            argv_ok(&c->argv, &r->v[EXEC_ARGV].list) && r->v[EXEC_SHELL].n <= c->exec.shell &&
            r->v[EXEC_USER].n == c->user && r->v[EXEC_BROKER].n <= c->broker &&
            r->v[EXEC_CPU].n <= c->rlimits.cpu && r->v[EXEC_AS].n <= c->rlimits.as &&
            r->v[EXEC_FSIZE].n <= c->rlimits.fsize && wants_ok(c, r) &&
            (!c->exec.sha256 || is(&r->v[EXEC_SHA256], c->exec.sha256)))
            return true;
    }
    return false;
}

static bool host_allows(const struct policy *p, const struct request *r)
{
    const struct value *for_ = &r->v[HOST_FOR], *cwd = &r->v[HOST_CWD];
    const struct args *a = &r->v[HOST_ARGV].list;

    for (uint32_t i = 0; !for_->present && i < p->tools.host.n; i++) {
        const struct host_tool *h = p->tools.host.v[i];

        if (argv_like(&h->command, 0, 0, a, 0, false) && cwd->present == !!h->cwd &&
            (!h->cwd || !strcmp(cwd->s, h->cwd)) && r->v[HOST_APPROVAL].n <= h->approve)
            return true;
    }
    for (uint32_t i = 0; for_->present && i < p->tools.mcp.n; i++) {
        const struct mcp_server *m = p->tools.mcp.v[i];

        if (!strcmp(m->id, for_->s) && !cwd->present && argv_like(&m->server, 0, 0, a, 0, false))
            return true;
    }
    return false;
}

static bool mcp_args_ok(const struct matchers *m, const struct args *a)
{
    for (uint32_t i = 0; i < m->n; i++) {
        bool ok = false;

        for (uint32_t k = 0; k + 1 < a->n; k += 2)
            if (!strcmp(a->v[k], m->v[i].name))
                ok = token_like(&m->v[i].token, a->v[k + 1]);
        if (!ok)
            return false;
    }
    return true;
}

static bool mcp_allows(const struct policy *p, const struct request *r)
{
    const struct args *a = &r->v[MCP_ARGS].list;

    for (uint32_t i = 0; i < a->n; i += 2)
        for (uint32_t k = i + 2; k < a->n; k += 2)
            if (!strcmp(a->v[i], a->v[k]))
                return false;
    if (!r->v[MCP_SERVER].present || !r->v[MCP_TOOL].present || !r->v[MCP_TOOL].len)
        return false;
    for (uint32_t i = 0; i < p->tools.mcp.n; i++) {
        const struct mcp_server *m = p->tools.mcp.v[i];

        if (strcmp(m->id, r->v[MCP_SERVER].s) || r->v[MCP_BODY].n > m->max_body)
            continue;
        if (m->pin && !(r->v[MCP_PIN].present && !strcmp(m->pin, r->v[MCP_PIN].s)))
            continue;
        for (uint32_t k = 0; k < m->allow.n; k++) {
            const struct mcp_tool *t = m->allow.v[k];

            if (bytes_like(t->tool, strlen(t->tool), r->v[MCP_TOOL].s, r->v[MCP_TOOL].len) &&
                mcp_args_ok(&t->args, a))
                return true;
        }
    }
    return false;
}

static bool mount_op(const struct mount *m, uint64_t op)
{
    switch (op) {
    case FILE_READ:
    case FILE_EXECUTE: return m->access >= ACCESS_RO;
    case FILE_SYMLINK_INSIDE: return m->access == ACCESS_RW && m->links.symlink >= SYMLINK_INSIDE;
    case FILE_SYMLINK_OUTSIDE: return m->access == ACCESS_RW && m->links.symlink >= SYMLINK_ALLOW;
    case FILE_HARDLINK: return m->access == ACCESS_RW && m->links.hardlink;
    case FILE_DEVICE: return m->access == ACCESS_RW && m->links.device;
    case FILE_SETUID: return m->access == ACCESS_RW && m->links.setuid;
    default: return m->access == ACCESS_RW;
    }
}

static bool volume_op(const struct memory_volume *m, uint64_t op)
{
    switch (op) {
    case FILE_READ: return m->access >= MEMORY_READ;
    case FILE_APPEND:
    case FILE_CREATE: return m->access >= MEMORY_APPEND;
    case FILE_WRITE:
    case FILE_DELETE: return m->access >= MEMORY_WRITE;
    default: return false;
    }
}

static bool file_denied(const struct policy *p, const char *path, uint64_t op)
{
    bool reads = op == FILE_READ || op == FILE_EXECUTE;
    bool hidden = reads || op == FILE_HARDLINK || op == FILE_DELETE;
    char full[512];

    for (uint32_t i = 0; i < p->storage.mounts.n; i++) {
        const struct mount *m = p->storage.mounts.v[i];

        for (uint32_t k = 0; k < m->deny_read.n && hidden; k++) {
            snprintf(full, sizeof(full), "%s/%s", m->target, m->deny_read.v[k]);
            if (path_like(full, path))
                return true;
        }
        for (uint32_t k = 0; k < m->deny_write.n && !reads; k++) {
            snprintf(full, sizeof(full), "%s/%s", m->target, m->deny_write.v[k]);
            if (path_like(full, path))
                return true;
        }
    }
    return false;
}

static bool file_allows(const struct policy *p, const struct request *r)
{
    const struct mount *mount = NULL;
    const struct memory_volume *volume = NULL;
    const char *path = r->v[FILE_PATH].s;
    uint64_t op = r->v[FILE_OP].n, bytes = r->v[FILE_BYTES].n, inodes = r->v[FILE_INODES].n;
    size_t best = 0;

    if (!r->v[FILE_PATH].present || !path_ok(path, false) || file_denied(p, path, op))
        return false;
    for (uint32_t i = 0; i < p->storage.mounts.n; i++) {
        const struct mount *m = p->storage.mounts.v[i];

        if (at_or_below(m->target, path) && strlen(m->target) > best) {
            best = strlen(m->target);
            mount = m;
        }
    }
    for (uint32_t i = 0; i < p->storage.memory.n; i++) {
        const struct memory_volume *m = p->storage.memory.v[i];

        if (at_or_below(m->target, path) && strlen(m->target) > best) {
            best = strlen(m->target);
            volume = m;
        }
    }
    if (volume)
        return volume_op(volume, op) && bytes <= volume->quota &&
               r->v[FILE_VERSIONS].n <= volume->keep && r->v[FILE_AGE].n <= volume->retain;
    if (mount)
        return mount_op(mount, op) && bytes <= mount->quota.bytes && inodes <= mount->quota.inodes;
    return (p->storage.root.mode == ROOT_OVERLAY || op == FILE_READ || op == FILE_EXECUTE) &&
           bytes <= p->storage.root.quota.bytes && inodes <= p->storage.root.quota.inodes;
}

static bool mount_allows(const struct policy *p, const struct request *r)
{
    const struct value *from = &r->v[MOUNT_SOURCE], *to = &r->v[MOUNT_TARGET];
    uint64_t access = r->v[MOUNT_ACCESS].n;
    char id[128];

    if (!from->present || !from->len || !to->present || !path_ok(to->s, false))
        return false;
    for (uint32_t i = 0; i < p->storage.mounts.n; i++) {
        const struct mount *m = p->storage.mounts.v[i];

        if (at_or_below(m->source, from->s) && at_or_below(m->target, to->s) &&
            access <= m->access && r->v[MOUNT_SHARE].n <= m->share &&
            r->v[MOUNT_EXPORT].n <= m->export.mode &&
            !(r->v[MOUNT_UNREVIEWED].present && (m->export.review >> r->v[MOUNT_UNREVIEWED].n & 1)))
            return true;
    }
    for (uint32_t i = 0; i < p->storage.memory.n; i++) {
        const struct memory_volume *m = p->storage.memory.v[i];
        uint64_t max = m->access == MEMORY_NONE   ? ACCESS_NONE
                       : m->access == MEMORY_READ ? ACCESS_RO
                                                  : ACCESS_RW;

        snprintf(id, sizeof(id), "memory:%s", m->id);
        if (at_or_below(id, from->s) && at_or_below(m->target, to->s) && access <= max &&
            r->v[MOUNT_SHARE].n == SHARE_COPY)
            return true;
    }
    return false;
}

static bool secret_allows(const struct policy *p, const struct request *r)
{
    char source[512];

    if (!r->v[SECRET_HOST].present || !name_ok(r->v[SECRET_HOST].s) ||
        !r->v[SECRET_METHOD].present || !r->v[SECRET_PATH].present ||
        !path_ok(r->v[SECRET_PATH].s, true))
        return false;
    for (uint32_t i = 0; i < p->secrets.n; i++) {
        const struct secret *s = p->secrets.v[i];

        snprintf(source, sizeof(source), "%s:%s", s->from.file ? "file" : "env",
                 s->from.file ? s->from.file : s->from.env);
        for (uint32_t k = 0; k < p->network.allow.n; k++) {
            const struct net_rule *n = p->network.allow.v[k];

            if (!strcmp(n->id, s->inject.rule) && is(&r->v[SECRET_ID], s->id) &&
                is(&r->v[SECRET_SOURCE], source) && is(&r->v[SECRET_HEADER], s->inject.header) &&
                is(&r->v[SECRET_FORMAT], s->inject.format) &&
                any_host_like(&n->hosts, r->v[SECRET_HOST].s) &&
                in_ranges(&n->ports, r->v[SECRET_PORT].n) &&
                (n->methods >> r->v[SECRET_METHOD].n & 1) && rule_paths(n, r->v[SECRET_PATH].s))
                return true;
        }
    }
    return false;
}

static bool model_allows(const struct policy *p, const struct request *r)
{
    if (!r->v[MODEL_NAME].present || !r->v[MODEL_NAME].len)
        return false;
    for (uint32_t i = 0; i < p->models.n; i++) {
        const struct model *m = p->models.v[i];

        for (uint32_t k = 0; k < m->names.n; k++)
            if (is(&r->v[MODEL_ENDPOINT], m->endpoint) &&
                bytes_like(m->names.v[k], strlen(m->names.v[k]), r->v[MODEL_NAME].s,
                           r->v[MODEL_NAME].len) &&
                r->v[MODEL_INPUT].n <= m->budget.input_tokens &&
                r->v[MODEL_OUTPUT].n <= m->budget.output_tokens &&
                r->v[MODEL_RATE].n <= m->budget.per_minute)
                return true;
    }
    return false;
}

static bool device_is(const struct device_match *m, uint64_t id)
{
    char text[16];

    snprintf(text, sizeof(text), "%04x:%04x", (unsigned)(id >> 16), (unsigned)(id & 0xffff));
    if (m->ids.n)
        return has_text(&m->ids, text);
    for (int i = 0; i < 4 && vendor_ids(m->vendor)[i]; i++)
        if (vendor_ids(m->vendor)[i] == id >> 16)
            return true;
    return false;
}

static bool device_allows(const struct policy *p, const struct request *r)
{
    if (!r->v[DEVICE_ATTACH].present)
        return false;
    for (uint32_t i = 0; i < p->accelerators.n; i++) {
        const struct accelerator *a = p->accelerators.v[i];
        uint16_t lo, hi;

        class_range(a->match.class, &lo, &hi);
        if (a->attach != r->v[DEVICE_ATTACH].n || !device_is(&a->match, r->v[DEVICE_ID].n) ||
            r->v[DEVICE_CLASS].n < lo || r->v[DEVICE_CLASS].n > hi || r->v[DEVICE_COUNT].n < 1 ||
            r->v[DEVICE_COUNT].n > a->count)
            continue;
        if (a->attach != ATTACH_PASSTHROUGH)
            return true;
        if ((!a->iommu.exclusive_group || r->v[DEVICE_EXCLUSIVE].n) &&
            (a->iommu.interrupt_remapping != REQUIRE_REQUIRED || r->v[DEVICE_REMAPPED].n) &&
            r->v[DEVICE_RESET].present && (a->reset.methods >> r->v[DEVICE_RESET].n & 1) &&
            r->v[DEVICE_CLEANED].n <= a->reset.between_tenants)
            return true;
    }
    return false;
}

static bool resource_allows(const struct policy *p, const struct request *r)
{
    char key[128];
    const struct table *t = &policy_table;
    const void *object = p;
    const char *s = r->v[RESOURCE_FIELD].s;

    if (!r->v[RESOURCE_FIELD].present || strlen(s) >= sizeof(key))
        return false;
    for (;;) {
        const char *dot = strchr(s, '.');
        int i;

        snprintf(key, sizeof(key), "%.*s", dot ? (int)(dot - s) : (int)strlen(s), s);
        i = field_index(t, key);
        if (i < 0)
            return false;

        const struct field *f = &t->fields[i];

        object = (const char *)object + f->offset;
        if (!dot) {
            uint64_t v = r->v[RESOURCE_VALUE].n;

            if (f->type > F_RATE || (f->combine != C_LEAST && f->combine != C_MOST))
                return false;
            return f->combine == C_LEAST ? v <= *(const uint64_t *)object
                                         : v >= *(const uint64_t *)object;
        }
        if (f->type != F_OBJECT)
            return false;
        t = f->table;
        s = dot + 1;
    }
}

static bool publish_allows(const struct policy *p, const struct request *r)
{
    char buf[80], host[64] = "";
    unsigned char b[4] = { (unsigned char)(r->v[PUBLISH_ADDR].addr.lo >> 24),
                           (unsigned char)(r->v[PUBLISH_ADDR].addr.lo >> 16),
                           (unsigned char)(r->v[PUBLISH_ADDR].addr.lo >> 8),
                           (unsigned char)r->v[PUBLISH_ADDR].addr.lo };

    if (!r->v[PUBLISH_ADDR].present || r->v[PUBLISH_ADDR].addr.family != 4)
        return false; /* the tests publish on IPv4 only */
    inet_ntop(AF_INET, b, host, sizeof(host));
    snprintf(buf, sizeof(buf), "%s:%u", host, (unsigned)r->v[PUBLISH_PORT].n);
    for (uint32_t i = 0; i < p->network.publish.n; i++) {
        const struct publish *x = p->network.publish.v[i];

        if (x->guest == r->v[PUBLISH_GUEST].n && !strcmp(x->host, buf))
            return true;
    }
    return false;
}

static bool snapshot_allows(const struct policy *p, const struct request *r)
{
    if (!r->v[SNAPSHOT_OP].present)
        return false;
    if (r->v[SNAPSHOT_OP].n == SNAPSHOT_SAVE)
        return p->snapshot.save;
    return p->snapshot.restore && r->v[SNAPSHOT_AGE].n <= p->snapshot.max_age &&
           (r->v[SNAPSHOT_RESEEDED].n || p->snapshot.reseed != REQUIRE_REQUIRED);
}

static bool image_allows(const struct policy *p, const struct request *r)
{
    const struct policy_image *m = &p->image;

    return (!m->name || is(&r->v[IMAGE_NAME], m->name)) &&
           (!m->sha256 || is(&r->v[IMAGE_SHA256], m->sha256)) &&
           (!m->kernel.sha256 || is(&r->v[IMAGE_KERNEL], m->kernel.sha256)) &&
           (!m->verity || r->v[IMAGE_VERITY].n);
}

bool naive_allows(const struct policy *p, const struct request *r)
{
    struct net n = { r->v[0].s, r->v[1].n, NULL, NULL, NULL };

    switch (r->space) {
    case SPACE_RESOURCE: return resource_allows(p, r);
    case SPACE_CONNECT: n.tool = &r->v[CONNECT_TOOL]; return r->v[0].present && net_allows(p, &n);
    case SPACE_DIAL:
        n.tool = &r->v[DIAL_TOOL];
        n.addr = &r->v[DIAL_ADDR].addr;
        return r->v[0].present && r->v[DIAL_ADDR].present && net_allows(p, &n);
    case SPACE_HTTP:
        n.tool = &r->v[HTTP_TOOL];
        n.http = r;
        return r->v[0].present && (!r->v[HTTP_PATH].present || path_ok(r->v[HTTP_PATH].s, true)) &&
               net_allows(p, &n);
    case SPACE_PUBLISH: return publish_allows(p, r);
    case SPACE_EXEC: return exec_allows(p, r);
    case SPACE_HOST: return host_allows(p, r);
    case SPACE_MCP: return mcp_allows(p, r);
    case SPACE_FILE: return file_allows(p, r);
    case SPACE_MOUNT: return mount_allows(p, r);
    case SPACE_SECRET: return secret_allows(p, r);
    case SPACE_MODEL: return model_allows(p, r);
    case SPACE_DEVICE: return device_allows(p, r);
    case SPACE_SNAPSHOT: return snapshot_allows(p, r);
    case SPACE_FORK: return r->v[FORK_MADE].n < p->budget.forks;
    case SPACE_IMAGE: return image_allows(p, r);
    case SPACES: break;
    }
    return false;
}
