#include "policies/hosts.h"

#include <string.h>

#define LABEL_MAX 63u
/* A wildcard leaves room for labels in front, so that every pattern has names (253 in all). */
#define SUFFIX_MAX 200u

static bool is_label_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

/* The last label decides whether resolvers take the name for an address (WHATWG URL, 3.5). */
static bool ends_in_number(const char *label)
{
    if (label[0] == '0' && label[1] == 'x')
        return strspn(label + 2, "0123456789abcdef") == strlen(label + 2);
    return strspn(label, "0123456789") == strlen(label);
}

static const char *check_labels(const char *s, size_t min_labels)
{
    size_t labels = 0;
    const char *last = s;

    for (const char *p = s;; labels++) {
        size_t n = strcspn(p, ".");

        if (n == 0)
            return "an empty label";
        if (n > LABEL_MAX)
            return "a label longer than 63 bytes";
        for (size_t i = 0; i < n; i++)
            if (!is_label_byte(p[i]))
                return p[i] == '*' ? "a * that is not the whole first label"
                                   : "a byte that is not a letter, digit or hyphen";
        if (p[0] == '-' || p[n - 1] == '-')
            return "a label that begins or ends with a hyphen";
        if (strncmp(p, "xn--", 4) == 0)
            return "an internationalised name (look-alikes cannot be told apart)";
        last = p;
        if (!p[n]) {
            labels++;
            break;
        }
        p += n + 1;
    }
    if (ends_in_number(last))
        return "an address, not a name (use addresses:)";
    if (labels < min_labels)
        return min_labels == 2 && labels == 1 ? "a single label (a name needs a dot)" : "too wide";
    return NULL;
}

static const char *fold(const char *s, char out[HOST_BYTES])
{
    size_t n = strlen(s);

    if (n && s[n - 1] == '.')
        n--;
    if (n == 0)
        return "an empty name";
    if (n >= HOST_BYTES)
        return "longer than 253 bytes";
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)s[i] >= 0x80)
            return "an internationalised name (look-alikes cannot be told apart)";
        out[i] = s[i];
        if (s[i] >= 'A' && s[i] <= 'Z')
            out[i] = (char)(s[i] + ('a' - 'A'));
    }
    out[n] = '\0';
    return NULL;
}

const char *host_canonical(const char *s, char out[HOST_BYTES])
{
    const char *why = fold(s, out);

    return why ? why : check_labels(out, 2);
}

bool host_is_canonical(const char *s, size_t len)
{
    char out[HOST_BYTES] = "";

    if (len == 0 || len >= HOST_BYTES)
        return false;
    /* The fast path of every decision: no upper case, no dot at the end, then the label rules. */
    for (size_t i = 0; i < len; i++)
        if (!is_label_byte(s[i]) && s[i] != '.')
            return false;
    if (s[len - 1] == '.')
        return false;
    memcpy(out, s, len);
    out[len] = '\0';
    return check_labels(out, 2) == NULL;
}

const char *host_pattern_parse(struct arena *a, const char *s, struct host_pattern *p)
{
    char buf[HOST_BYTES] = "";
    const char *why = fold(s, buf), *name = buf;

    if (why)
        return why;
    p->kind = HOST_EXACT;
    if (strcmp(buf, "*") == 0 || strcmp(buf, "**") == 0)
        return "every host (say any_host: true, if that is meant)";
    if (strncmp(buf, "**.", 3) == 0) {
        p->kind = HOST_DEEP;
        name += 3;
    } else if (strncmp(buf, "*.", 2) == 0) {
        p->kind = HOST_ONE;
        name += 2;
    }
    why = check_labels(name, 2);
    if (why && p->kind != HOST_EXACT && strcmp(why, "a single label (a name needs a dot)") == 0)
        return "a wildcard over a whole top-level domain";
    if (why)
        return why;
    if (p->kind != HOST_EXACT && strlen(name) > SUFFIX_MAX)
        return "a wildcard over a name longer than 200 bytes";
    p->len = strlen(name);
    p->name = arena_copy(a, name, p->len);
    return NULL;
}

/* The bytes in front of ".suffix", or -1 when the name does not end so. */
static long in_front(const char *suffix, size_t suffix_len, const char *host, size_t len)
{
    if (suffix_len == 0)
        return (long)len;
    if (len < suffix_len + 2 || host[len - suffix_len - 1] != '.' ||
        memcmp(host + len - suffix_len, suffix, suffix_len) != 0)
        return -1;
    return (long)(len - suffix_len - 1);
}

bool host_matches(const struct host_pattern *p, const char *host, size_t len)
{
    if (p->kind == HOST_EXACT)
        return p->len == len && memcmp(p->name, host, len) == 0;

    long front = in_front(p->name, p->len, host, len);

    return front > 0 && (p->kind == HOST_DEEP || !memchr(host, '.', (size_t)front));
}

bool host_within(const struct host_pattern *a, const struct host_pattern *b)
{
    if (a->kind == HOST_EXACT)
        return host_matches(b, a->name, a->len);
    if (a->len == b->len && memcmp(a->name, b->name, a->len) == 0)
        return b->kind == HOST_DEEP || (b->kind == HOST_ONE && a->kind == HOST_ONE);
    /* Names below a.name are below b.name, and at least two labels deep there. */
    return b->kind == HOST_DEEP && in_front(b->name, b->len, a->name, a->len) > 0;
}

bool host_overlaps(const struct host_pattern *a, const struct host_pattern *b)
{
    if (a->kind == HOST_EXACT)
        return host_matches(b, a->name, a->len);
    if (b->kind == HOST_EXACT)
        return host_matches(a, b->name, b->len);
    if (a->len == b->len)
        return memcmp(a->name, b->name, a->len) == 0;
    /* Only the shorter one can have names below the longer one, and only if it goes deep. */
    if (a->len > b->len)
        return b->kind == HOST_DEEP && in_front(b->name, b->len, a->name, a->len) > 0;
    return a->kind == HOST_DEEP && in_front(a->name, a->len, b->name, b->len) > 0;
}
