#include "policies/addrs.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *cidr, *why;
} never[] = {
    { "0.0.0.0/8", "unspecified" },
    { "127.0.0.0/8", "loopback" },
    { "169.254.0.0/16", "link-local and metadata" },
    { "100.100.100.200/32", "metadata service" },
    { "168.63.129.16/32", "metadata service" },
    { "192.0.0.0/24", "protocol assignments and metadata" },
    { "192.88.99.0/24", "6to4 relay" },
    { "198.18.0.0/15", "the sandbox's own synthetic addresses" },
    { "224.0.0.0/4", "multicast" },
    { "240.0.0.0/4", "reserved and broadcast" },
    { "::/96", "unspecified, loopback or IPv4-compatible" },
    { "::ffff:0:0/96", "IPv4-mapped" },
    { "::ffff:0:0:0/96", "IPv4-translated" },
    { "64:ff9b::/96", "NAT64" },
    { "64:ff9b:1::/48", "NAT64" },
    { "100::/64", "discard" },
    { "2001::/32", "Teredo" },
    { "2002::/16", "6to4" },
    { "fd00:ec2::254/128", "metadata service" },
    { "fd20:ce::254/128", "metadata service" },
    { "fe80::/10", "link-local" },
    { "fec0::/10", "site-local" },
    { "ff00::/8", "multicast" },
};

/* Reachable only where a rule names them (RFC 1918, 6598, 4193, 5737, 3849). */
static const char *const private_networks[] = {
    "10.0.0.0/8",      "100.64.0.0/10",  "172.16.0.0/12", "192.0.2.0/24", "192.168.0.0/16",
    "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "fc00::/7",
};

int addr_cmp(const struct addr *a, const struct addr *b)
{
    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    if (a->hi != b->hi)
        return a->hi < b->hi ? -1 : 1;
    return a->lo < b->lo ? -1 : a->lo > b->lo;
}

static uint64_t big_endian(const unsigned char *b, size_t n)
{
    uint64_t v = 0;

    for (size_t i = 0; i < n; i++)
        v = v << 8 | b[i];
    return v;
}

const char *addr_parse(const char *s, struct addr *out)
{
    unsigned char b[16];

    if (inet_pton(AF_INET, s, b) == 1) {
        *out = (struct addr){ 4, 0, big_endian(b, 4) };
        return NULL;
    }
    if (inet_pton(AF_INET6, s, b) == 1) {
        *out = (struct addr){ 6, big_endian(b, 8), big_endian(b + 8, 8) };
        return NULL;
    }
    return "an IPv4 or IPv6 address";
}

void addr_print(const struct addr *a, struct text *out)
{
    unsigned char b[16];
    char buf[INET6_ADDRSTRLEN];

    for (unsigned i = 0; i < 8; i++) {
        b[i] = (unsigned char)(a->hi >> (56 - 8 * i));
        b[8 + i] = (unsigned char)(a->lo >> (56 - 8 * i));
    }
    if (a->family == 4)
        inet_ntop(AF_INET, b + 12, buf, sizeof(buf));
    else
        inet_ntop(AF_INET6, b, buf, sizeof(buf));
    text_add(out, "%s", buf);
}

const char *cidr_parse(const char *s, struct addr_range *out)
{
    char buf[64];
    const char *slash = strchr(s, '/');
    size_t n = slash ? (size_t)(slash - s) : strlen(s);
    unsigned width, bits;

    if (n >= sizeof(buf))
        return "an address with a prefix length, such as 10.0.0.0/8";
    memcpy(buf, s, n);
    buf[n] = '\0';
    if (addr_parse(buf, &out->lo))
        return "an address with a prefix length, such as 10.0.0.0/8";
    width = out->lo.family == 4 ? 32 : 128;
    bits = width;
    if (slash) {
        const char *d = slash + 1;
        size_t len = strspn(d, "0123456789");

        if (len == 0 || len > 3 || d[len] || (d[0] == '0' && len > 1))
            return "a prefix length in plain digits";
        bits = (unsigned)strtoul(d, NULL, 10);
        if (bits > width)
            return "a prefix length that fits the address";
    }

    unsigned host = width - bits;
    uint64_t low = host >= 64 ? UINT64_MAX : (1ull << host) - 1;
    uint64_t high = host <= 64 ? 0 : host == 128 ? UINT64_MAX : (1ull << (host - 64)) - 1;

    if (width == 32)
        low &= 0xffffffff;
    if ((out->lo.lo & low) || (out->lo.hi & high))
        return "a network (no bits set behind the prefix)";
    out->hi = (struct addr){ out->lo.family, out->lo.hi | high, out->lo.lo | low };
    return NULL;
}

bool addr_set_has(const struct addr_set *s, const struct addr *a)
{
    uint32_t lo = 0, hi = s->n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (addr_cmp(&s->v[mid].hi, a) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < s->n && addr_cmp(&s->v[lo].lo, a) <= 0;
}

static struct addr before(struct addr a)
{
    a.hi -= a.lo == 0;
    a.lo--;
    return a;
}

static struct addr after(struct addr a)
{
    a.lo++;
    a.hi += a.lo == 0;
    return a;
}

void addr_set_remove(struct arena *a, struct addr_set *s, const struct addr_range *r)
{
    struct addr_set out = { NULL, 0 };

    for (uint32_t i = 0; i < s->n; i++) {
        const struct addr_range *x = &s->v[i];

        if (addr_cmp(&x->hi, &r->lo) < 0 || addr_cmp(&x->lo, &r->hi) > 0) {
            *(struct addr_range *)arena_push(a, (void **)&out.v, out.n, sizeof(*out.v)) = *x;
            out.n++;
            continue;
        }
        if (addr_cmp(&x->lo, &r->lo) < 0) {
            *(struct addr_range *)arena_push(a, (void **)&out.v, out.n, sizeof(*out.v)) =
                (struct addr_range){ x->lo, before(r->lo) };
            out.n++;
        }
        if (addr_cmp(&x->hi, &r->hi) > 0) {
            *(struct addr_range *)arena_push(a, (void **)&out.v, out.n, sizeof(*out.v)) =
                (struct addr_range){ after(r->hi), x->hi };
            out.n++;
        }
    }
    *s = out;
}

static int by_start(const void *a, const void *b)
{
    const struct addr_range *x = a, *y = b;

    return addr_cmp(&x->lo, &y->lo);
}

void addr_set_make(struct arena *a, struct addr_set *s, struct addr_range *v, uint32_t n)
{
    *s = (struct addr_set){ arena_get(a, (n + 1) * sizeof(*v)), 0 };
    if (n)
        qsort(v, n, sizeof(*v), by_start);
    for (uint32_t i = 0; i < n; i++) {
        struct addr_range *last = s->n ? &s->v[s->n - 1] : NULL;

        if (!last || addr_cmp(&last->hi, &v[i].lo) < 0)
            s->v[s->n++] = v[i];
        else if (addr_cmp(&last->hi, &v[i].hi) < 0)
            last->hi = v[i].hi;
    }
}

void addr_set_add(struct arena *a, struct addr_set *s, const struct addr_range *r)
{
    struct addr_set out = { NULL, 0 };
    bool placed = false;

    addr_set_remove(a, s, r);
    for (uint32_t i = 0; i < s->n || !placed; i++) {
        if (!placed && (i == s->n || addr_cmp(&r->hi, &s->v[i].lo) < 0)) {
            *(struct addr_range *)arena_push(a, (void **)&out.v, out.n, sizeof(*out.v)) = *r;
            out.n++;
            placed = true;
        }
        if (i < s->n) {
            *(struct addr_range *)arena_push(a, (void **)&out.v, out.n, sizeof(*out.v)) = s->v[i];
            out.n++;
        }
    }
    *s = out;
}

const char *addr_never(const struct addr *a)
{
    for (size_t i = 0; i < array_len(never); i++) {
        struct addr_range r;

        if (!cidr_parse(never[i].cidr, &r) && addr_cmp(&r.lo, a) <= 0 && addr_cmp(a, &r.hi) <= 0)
            return never[i].why;
    }
    return NULL;
}

void addr_set_remove_never(struct arena *a, struct addr_set *s)
{
    for (size_t i = 0; i < array_len(never); i++) {
        struct addr_range r;

        if (!cidr_parse(never[i].cidr, &r))
            addr_set_remove(a, s, &r);
    }
}

void addr_set_public(struct arena *a, struct addr_set *s)
{
    static const char *const all[] = { "0.0.0.0/0", "::/0" };
    struct addr_range r;

    for (size_t i = 0; i < array_len(all); i++)
        if (!cidr_parse(all[i], &r))
            addr_set_add(a, s, &r);
    addr_set_remove_never(a, s);
    for (size_t i = 0; i < array_len(private_networks); i++)
        if (!cidr_parse(private_networks[i], &r))
            addr_set_remove(a, s, &r);
}
