#include "policies/classes.h"

#include "policies/addrs.h"
#include "policies/globs.h"
#include "policies/hosts.h"

#include <stdlib.h>
#include <string.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"
#define HEX   "0123456789abcdef"

static bool made_of(const char *s, const char *set, size_t min, size_t max)
{
    size_t n = strspn(s, set);

    return s[n] == '\0' && n >= min && n <= max;
}

static bool printable(const char *s, size_t max)
{
    size_t n = strlen(s);

    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
            return false;
    return n > 0 && n <= max;
}

static bool is_digest(const char *s)
{
    return made_of(s, HEX, 64, 64);
}

static const char *check_ref(const char *s)
{
    const char *at = strstr(s, "@sha256:");

    if (!at || !is_digest(at + 8))
        return "a pinned policy: name@sha256: and 64 hexadecimal digits";
    for (const char *p = s; p < at; p++)
        if (!strchr(LOWER DIGIT "._/-", *p))
            return "a name of lower-case letters, digits, and . _ / -";
    return at == s || at - s > 128 ? "a name of at most 128 bytes" : NULL;
}

static const char *check_dir(const char *s)
{
    if (!path_is_canonical(s, strlen(s)))
        return "an absolute path without \"//\", \".\", \"..\" or a trailing slash";
    if (strpbrk(s, "*?"))
        return "a path without wildcards";
    return strlen(s) > GLOB_TEXT_MAX - 50 ? "a path of at most 200 bytes" : NULL;
}

static const char *check_source(struct arena *a, const char *s, const char **out)
{
    const char *rest = s;

    if (s[0] == '/') {
        *out = s;
        return check_dir(s);
    }
    if (strncmp(s, "${", 2) == 0) {
        size_t n = strspn(s + 2, LOWER DIGIT "_");

        if (n == 0 || s[2 + n] != '}')
            return "a variable such as ${workspace}";
        rest = s + 2 + n + 1;
    } else if (s[0] == '.' && (s[1] == '/' || s[1] == '\0')) {
        rest = s + 1;
    } else {
        return "a directory: absolute, ./ or ${variable}";
    }
    /* "./" and "." are one directory; the canonical form has no slash at the end. */
    if (strcmp(rest, "/") == 0)
        rest = "";

    const char *why = *rest ? check_dir(rest) : NULL;

    if (!why)
        *out = s[0] == '.' ? arena_printf(a, "${cwd}%s", rest)
                           : arena_printf(a, "%.*s", (int)(rest - s) + (int)strlen(rest), s);
    return why;
}

static const char *check_url(const char *s)
{
    const char *host = strncmp(s, "https://", 8) == 0  ? s + 8
                       : strncmp(s, "http://", 7) == 0 ? s + 7
                                                       : NULL;

    if (!host || !made_of(host, LOWER DIGIT UPPER "._~/:[]-", 1, 200) || host[0] == '/')
        return "an http:// or https:// URL without user, query or fragment";
    if (strstr(host, "//") || strstr(host, "/.") || host[strlen(host) - 1] == '/')
        return "a URL in canonical form (no \"//\", no dot segments, no trailing slash)";
    return NULL;
}

static const char *check_header(struct arena *a, const char *s, const char **out)
{
    /* Hop-by-hop and framing headers belong to the gate (RFC 9110, 7.6.1; RFC 9112, 6). */
    static const char *const reserved[] = {
        "host",    "connection", "content-length", "te", "transfer-encoding",
        "upgrade", "trailer",    "expect"
    };
    char *low = arena_copy(a, s, strlen(s));

    if (!made_of(s, LOWER UPPER DIGIT "_-", 1, 64))
        return "the name of a header";
    for (char *p = low; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p + 32);
    for (size_t i = 0; i < array_len(reserved); i++)
        if (strcmp(low, reserved[i]) == 0)
            return "a header that does not steer the connection";
    *out = low;
    return NULL;
}

static const char *check_format(const char *s)
{
    const char *hole = strstr(s, "{}");

    if (!printable(s, 128) || !hole || strstr(hole + 2, "{}"))
        return "printable text with one {} for the secret";
    return NULL;
}

const char *listen_parse(const char *s, struct addr *addr, uint64_t *port)
{
    char host[64];
    const char *colon = strrchr(s, ':');
    size_t n = colon ? (size_t)(colon - s) : 0;
    const char *from = s;

    if (n > 2 && s[0] == '[' && s[n - 1] == ']') {
        from++;
        n -= 2;
    } else if (memchr(s, ':', n)) {
        n = 0;
    }
    if (n == 0 || n >= sizeof(host))
        return "an address and a port, such as 127.0.0.1:8080";
    memcpy(host, from, n);
    host[n] = '\0';
    if (addr_parse(host, addr))
        return "an address and a port, such as 127.0.0.1:8080";
    if (units_parse(UNIT_COUNT, colon + 1, NULL, port) || strspn(colon + 1, DIGIT) > 5 ||
        strspn(colon + 1, DIGIT) != strlen(colon + 1) || *port == 0 || *port > 65535)
        return "a port from 1 to 65535";
    return NULL;
}

const char *pci_id_parse(const char *s, uint64_t *out)
{
    if (strlen(s) != 9 || s[4] != ':' || strspn(s, HEX) != 4 || strspn(s + 5, HEX) != 4)
        return "vendor:device in hexadecimal, such as 10de:2330";
    *out = strtoull(s, NULL, 16) << 16 | strtoull(s + 5, NULL, 16);
    return NULL;
}

static const char *check_listen(struct arena *a, const char *s, const char **out)
{
    struct addr addr;
    uint64_t port;
    const char *why = listen_parse(s, &addr, &port);
    char buf[80];
    struct text t = text_fixed(buf, sizeof(buf));

    if (why)
        return why;
    text_add(&t, addr.family == 6 ? "[" : "");
    addr_print(&addr, &t);
    text_add(&t, "%s:%u", addr.family == 6 ? "]" : "", (unsigned)port);
    *out = arena_copy(a, buf, t.len);
    return NULL;
}

static const char *check_cidr(struct arena *a, const char *s, const char **out)
{
    struct addr_range r;
    const char *why = cidr_parse(s, &r);
    char buf[80];
    struct text t = text_fixed(buf, sizeof(buf));

    if (why)
        return why;

    const char *slash = strchr(s, '/');

    addr_print(&r.lo, &t);
    text_add(&t, "%s", slash ? slash : r.lo.family == 4 ? "/32" : "/128");
    *out = arena_copy(a, buf, t.len);
    return NULL;
}

static const char *check_host(struct arena *a, const char *s, const char **out)
{
    struct host_pattern p;
    const char *why = host_pattern_parse(a, s, &p);

    if (why)
        return why;

    const char *const words[] = { p.kind == HOST_DEEP  ? "**."
                                  : p.kind == HOST_ONE ? "*."
                                                       : "",
                                  p.name };

    *out = arena_join(a, words, array_len(words));
    return NULL;
}

static const char *check_glob(struct arena *a, enum text_class c, const char *s)
{
    struct glob g;
    const char *why = NULL;

    switch (c) {
    case TEXT_EXEC: return glob_parse(a, GLOB_PATH, NULL, s, &g);
    case TEXT_HTTP_GLOB:
        why = glob_parse(a, GLOB_HTTP, NULL, s, &g);
        return why ? why : strpbrk(s, "\\%#") ? "a path without \\, % or #" : NULL;
    case TEXT_NAME_GLOB: return glob_parse(a, GLOB_NAME, NULL, s, &g);
    case TEXT_ENV: return glob_parse(a, GLOB_ENV, NULL, s, &g);
    default: break;
    }
    /* Relative to a mount whose target is at most 200 bytes long. */
    why = glob_parse(a, GLOB_PATH, "/", s, &g);
    return why ? why : strlen(s) > 48 ? "a pattern of at most 48 bytes" : NULL;
}

const char *class_check(struct arena *a, enum text_class c, const char *s, const char **out)
{
    *out = s;
    switch (c) {
    case TEXT_LINE: return printable(s, 200) ? NULL : "one line of at most 200 bytes";
    case TEXT_ID:
        return made_of(s, LOWER DIGIT "_.-", 1, 64) ? NULL
                                                    : "an id: lower-case letters, digits, . _ -";
    case TEXT_NAME:
        return made_of(s, LOWER DIGIT "._/-", 1, 128)
                   ? NULL
                   : "a name: lower-case letters, digits, . _ / -";
    case TEXT_REF: return check_ref(s);
    case TEXT_DIGEST: return is_digest(s) ? NULL : "64 hexadecimal digits in lower case";
    case TEXT_PIN:
        return strncmp(s, "sha256:", 7) == 0 && is_digest(s + 7)
                   ? NULL
                   : "sha256: and 64 hexadecimal digits in lower case";
    case TEXT_DIR:
    case TEXT_FILE: return check_dir(s);
    case TEXT_EXEC:
    case TEXT_REL_GLOB:
    case TEXT_HTTP_GLOB:
    case TEXT_NAME_GLOB:
    case TEXT_ENV: return check_glob(a, c, s);
    case TEXT_HOST: return check_host(a, s, out);
    case TEXT_CIDR: return check_cidr(a, s, out);
    case TEXT_LISTEN: return check_listen(a, s, out);
    case TEXT_SOURCE: return check_source(a, s, out);
    case TEXT_HEADER: return check_header(a, s, out);
    case TEXT_FORMAT: return check_format(s);
    case TEXT_URL: return check_url(s);
    case TEXT_PCI_ID: {
        uint64_t id;

        return pci_id_parse(s, &id);
    }
    }
    return "a text";
}

const char *class_regex(enum text_class c)
{
    switch (c) {
    case TEXT_ID: return "^[a-z0-9_.-]{1,64}$";
    case TEXT_NAME: return "^[a-z0-9._/-]{1,128}$";
    case TEXT_REF: return "^[a-z0-9._/-]{1,128}@sha256:[0-9a-f]{64}$";
    case TEXT_DIGEST: return "^[0-9a-f]{64}$";
    case TEXT_PIN: return "^sha256:[0-9a-f]{64}$";
    case TEXT_DIR:
    case TEXT_FILE:
    case TEXT_EXEC:
    case TEXT_HTTP_GLOB: return "^/";
    case TEXT_REL_GLOB: return "^[^/]";
    case TEXT_ENV: return "^[A-Za-z_*?][A-Za-z0-9_*?]*$";
    case TEXT_HOST: return "^(\\*{1,2}\\.)?[A-Za-z0-9-]+(\\.[A-Za-z0-9-]+)+\\.?$";
    case TEXT_CIDR: return "^[0-9a-fA-F.:]+(/[0-9]{1,3})?$";
    case TEXT_LISTEN: return "^(\\[[0-9a-fA-F:.]+\\]|[0-9.]+):[0-9]{1,5}$";
    case TEXT_SOURCE: return "^(/|\\.|\\$\\{[a-z0-9_]+\\})";
    case TEXT_HEADER: return "^[A-Za-z0-9_-]{1,64}$";
    case TEXT_FORMAT: return "\\{\\}";
    case TEXT_URL: return "^https?://";
    case TEXT_PCI_ID: return "^[0-9a-f]{4}:[0-9a-f]{4}$";
    case TEXT_LINE:
    case TEXT_NAME_GLOB: break;
    }
    return "^.+$";
}
