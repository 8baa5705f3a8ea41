/* record.c - see record.h. */
#include "sandbox/audit/record.h"

#include "base/hex.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The one-shot and EVP interfaces look an implementation up, and allocate, for every digest: for
 * lines of a few hundred bytes that costs more than hashing them. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

/* ---- text ---- */

/* Length of the valid UTF-8 sequence at p (1 to 4), or 0. No overlong forms, no surrogates. */
static unsigned utf8_len(const uint8_t *p, size_t left)
{
    unsigned n = p[0] < 0x80       ? 1
                 : p[0] >> 5 == 6  ? 2
                 : p[0] >> 4 == 14 ? 3
                 : p[0] >> 3 == 30 ? 4
                                   : 0;
    uint32_t c;

    if (n == 0 || n > left)
        return 0;
    if (n == 1)
        return p[0] != 0;
    c = p[0] & (0x7fu >> n);
    for (unsigned i = 1; i < n; i++) {
        if (p[i] >> 6 != 2)
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    if (c < (n == 2   ? 0x80u
             : n == 3 ? 0x800u
                      : 0x10000u) ||
        c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return 0;
    return n;
}

static const char replaced[] = "\xef\xbf\xbd", cut[] = "\xe2\x80\xa6";

/* Whether all of it has room, with a NUL: what does not fit is looked at no further. */
static bool fits(const uint8_t *p, size_t len, size_t room)
{
    size_t at = 0;

    for (size_t i = 0; i < len && at < room;) {
        unsigned n = utf8_len(p + i, len - i);

        at += n ? n : sizeof(replaced) - 1;
        i += n ? n : 1;
    }
    return at < room;
}

void audit_text(char *field, size_t room, const void *text, size_t len)
{
    const uint8_t *p = text;
    /* Room for the mark of a cut, when there will be one. */
    const size_t mark = fits(p, len, room) ? 0 : sizeof(cut) - 1;
    size_t at = 0;

    for (size_t i = 0; i < len;) {
        unsigned n = utf8_len(p + i, len - i);
        size_t take = n ? n : sizeof(replaced) - 1;

        if (at + take + mark >= room) {
            if (at + sizeof(cut) <= room) {
                memcpy(field + at, cut, sizeof(cut) - 1);
                at += sizeof(cut) - 1;
            }
            break;
        }
        memcpy(field + at, n ? (const char *)p + i : replaced, take);
        at += take;
        i += n ? n : 1;
    }
    field[at] = '\0';
}

/* ---- writing ---- */

struct out {
    char *at, *end; /* at == NULL: it did not fit */
};

static void put(struct out *o, const char *text, size_t len)
{
    if (!o->at || (size_t)(o->end - o->at) < len) {
        o->at = NULL;
        return;
    }
    memcpy(o->at, text, len);
    o->at += len;
}

static void put_text(struct out *o, const char *text)
{
    put(o, text, strlen(text));
}

/* How many bytes at s need no escape. */
static size_t plain_run(const char *s)
{
    size_t n = 0;

    while ((unsigned char)s[n] >= 0x20 && s[n] != '"' && s[n] != '\\')
        n++;
    return n;
}

static void put_escape(struct out *o, char c)
{
    static const char escaped[] = "\b\t\n\f\r\"\\", letter[] = "btnfr\"\\";
    const char *e = strchr(escaped, c);
    char esc[8] = { '\\' };

    if (e)
        esc[1] = letter[e - escaped];
    else
        snprintf(esc, sizeof(esc), "\\u%04x", (unsigned)(unsigned char)c);
    put_text(o, esc);
}

/* RFC 8785 section 3.2.2.2: the two-character escapes where there is one, \u00xx for other
 * controls. */
static void put_string(struct out *o, const char *key, const char *s)
{
    put_text(o, key);
    put(o, "\"", 1);
    while (*s) {
        size_t plain = plain_run(s);

        put(o, s, plain);
        s += plain;
        if (*s)
            put_escape(o, *s++);
    }
    put(o, "\"", 1);
}

static void put_digits(struct out *o, uint64_t v)
{
    char digits[20];
    size_t at = sizeof(digits);

    do
        digits[--at] = (char)('0' + v % 10);
    while (v /= 10);
    put(o, digits + at, sizeof(digits) - at);
}

static void put_number(struct out *o, const char *key, uint64_t v)
{
    put_text(o, key);
    put_digits(o, v);
}

static void put_hash(struct out *o, const char *key, const uint8_t h[AUDIT_HASH])
{
    char text[2 * AUDIT_HASH + 1];

    hex_print(text, h, AUDIT_HASH);
    put_text(o, key);
    put(o, "\"", 1);
    put(o, text, sizeof(text) - 1);
    put(o, "\"", 1);
}

const char *audit_decision_name(enum audit_decision d)
{
    return d == AUDIT_ALLOW ? "allow" : d == AUDIT_DENY ? "deny" : "event";
}

/* Times are strings: nanoseconds since 1970 do not fit the 53 bits of a JSON number. */
static void put_time(struct out *o, const char *key, uint64_t ns)
{
    put_text(o, key);
    put(o, "\"", 1);
    put_digits(o, ns);
    put(o, "\"", 1);
}

size_t audit_line(const struct audit_record *r, char out[AUDIT_LINE_MAX])
{
    struct out o = { out, out + AUDIT_LINE_MAX };
    const char grade[2] = { r->grade, 0 };

    put_string(&o, "{\"actor\":", r->actor);
    put_number(&o, ",\"bytes\":", r->bytes);
    put_string(&o, ",\"decision\":", audit_decision_name(r->decision));
    put_number(&o, ",\"generation\":", r->generation);
    put_string(&o, ",\"grade\":", grade);
    put_string(&o, ",\"kind\":", r->kind);
    put_time(&o, ",\"mono\":", r->mono_ns);
    put_string(&o, ",\"object\":", r->object);
    put_string(&o, ",\"policy\":", r->policy);
    put_hash(&o, ",\"prev\":", r->prev);
    put_string(&o, ",\"rule\":", r->rule);
    put_string(&o, ",\"sandbox\":", r->sandbox);
    put_number(&o, ",\"seq\":", r->seq);
    put_time(&o, ",\"time\":", r->time_ns);
    put_text(&o, r->untrusted ? ",\"untrusted\":true}\n" : ",\"untrusted\":false}\n");
    return o.at ? (size_t)(o.at - out) : 0;
}

/* ---- reading ---- */

struct in {
    const char *at, *end; /* at == NULL: malformed */
};

static void expect(struct in *in, const char *text)
{
    size_t n = strlen(text);

    if (!in->at || (size_t)(in->end - in->at) < n || memcmp(in->at, text, n) != 0) {
        in->at = NULL;
        return;
    }
    in->at += n;
}

static int nibble(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void get_escape(struct in *in, char *c)
{
    static const char escaped[] = "\b\t\n\f\r\"\\", letter[] = "btnfr\"\\";
    const char *l;

    *c = '\0';
    if (in->end - in->at < 2) {
        in->at = NULL;
        return;
    }
    l = in->at[1] ? strchr(letter, in->at[1]) : NULL;
    if (l) {
        *c = escaped[l - letter];
        in->at += 2;
        return;
    }
    if (in->end - in->at < 6 || memcmp(in->at, "\\u00", 4) != 0 || nibble(in->at[4]) < 0 ||
        nibble(in->at[5]) < 0) {
        in->at = NULL;
        return;
    }
    *c = (char)(nibble(in->at[4]) << 4 | nibble(in->at[5]));
    in->at += 6;
}

/* A string into a field of room bytes. What is not canonical is caught by audit_parse's comparison.
 */
static void get_string(struct in *in, const char *key, char *field, size_t room)
{
    size_t n = 0;

    expect(in, key);
    expect(in, "\"");
    while (in->at && in->at < in->end && *in->at != '"') {
        size_t run = 0, left = (size_t)(in->end - in->at);
        char c;

        while (run < left && in->at[run] != '"' && in->at[run] != '\\')
            run++;
        if (run >= room - n || memchr(in->at, 0, run)) {
            in->at = NULL;
            break;
        }
        memcpy(field + n, in->at, run);
        n += run;
        in->at += run;
        if (run == left || *in->at != '\\')
            continue;
        get_escape(in, &c);
        if (!in->at || !c || n + 1 >= room)
            in->at = NULL;
        else
            field[n++] = c;
    }
    field[n] = '\0';
    expect(in, "\"");
}

static uint64_t get_digits(struct in *in)
{
    uint64_t v = 0;
    unsigned n = 0;

    for (; in->at && in->at < in->end && *in->at >= '0' && *in->at <= '9'; in->at++, n++)
        if (mul_overflows(v, 10u, &v) || add_overflows(v, (uint64_t)(*in->at - '0'), &v)) {
            in->at = NULL;
            return 0;
        }
    if (n == 0)
        in->at = NULL;
    return v;
}

static uint64_t get_number(struct in *in, const char *key)
{
    expect(in, key);
    return get_digits(in);
}

static uint64_t get_time(struct in *in, const char *key)
{
    uint64_t v;

    expect(in, key);
    expect(in, "\"");
    v = get_digits(in);
    expect(in, "\"");
    return v;
}

static void get_hash(struct in *in, const char *key, uint8_t out[AUDIT_HASH])
{
    expect(in, key);
    expect(in, "\"");
    for (unsigned i = 0; i < AUDIT_HASH; i++) {
        int hi = -1, lo = -1;

        if (in->at && in->end - in->at >= 2) {
            hi = nibble(in->at[0]);
            lo = nibble(in->at[1]);
        }
        if (hi < 0 || lo < 0) {
            in->at = NULL;
            return;
        }
        out[i] = (uint8_t)(hi << 4 | lo);
        in->at += 2;
    }
    expect(in, "\"");
}

static bool get_decision(struct in *in, enum audit_decision *d)
{
    char name[8];

    get_string(in, ",\"decision\":", name, sizeof(name));
    for (*d = AUDIT_ALLOW; in->at && *d <= AUDIT_EVENT; (*d)++)
        if (!strcmp(name, audit_decision_name(*d)))
            return true;
    return false;
}

int audit_parse(const char *line, size_t len, struct audit_record *r)
{
    struct in in = { line, line + len };
    char grade[2], again[AUDIT_LINE_MAX];

    get_string(&in, "{\"actor\":", r->actor, sizeof(r->actor));
    r->bytes = get_number(&in, ",\"bytes\":");
    if (!get_decision(&in, &r->decision))
        return -EBADMSG;
    r->generation = get_number(&in, ",\"generation\":");
    get_string(&in, ",\"grade\":", grade, sizeof(grade));
    r->grade = grade[0];
    get_string(&in, ",\"kind\":", r->kind, sizeof(r->kind));
    r->mono_ns = get_time(&in, ",\"mono\":");
    get_string(&in, ",\"object\":", r->object, sizeof(r->object));
    get_string(&in, ",\"policy\":", r->policy, sizeof(r->policy));
    get_hash(&in, ",\"prev\":", r->prev);
    get_string(&in, ",\"rule\":", r->rule, sizeof(r->rule));
    get_string(&in, ",\"sandbox\":", r->sandbox, sizeof(r->sandbox));
    r->seq = get_number(&in, ",\"seq\":");
    r->time_ns = get_time(&in, ",\"time\":");
    if (!in.at)
        return -EBADMSG;
    r->untrusted = in.end - in.at > 13 && in.at[13] == 't';

    size_t n = audit_line(r, again);

    return n == len + 1 && !memcmp(again, line, len) ? 0 : -EBADMSG;
}

/* ---- the chain and the tree ---- */

static void hash_two(uint8_t out[AUDIT_HASH], const void *a, size_t na, const void *b, size_t nb)
{
    SHA256_CTX ctx;

    SHA256_Init(&ctx);
    SHA256_Update(&ctx, a, na);
    SHA256_Update(&ctx, b, nb);
    SHA256_Final(out, &ctx);
}

/* RFC 6962 section 2.1: 0 before a leaf, 1 before a pair. */
static void hash_pair(uint8_t out[AUDIT_HASH], const uint8_t *left, const uint8_t *right)
{
    uint8_t first[1 + AUDIT_HASH] = { 1 };

    memcpy(first + 1, left, AUDIT_HASH);
    hash_two(out, first, sizeof(first), right, AUDIT_HASH);
}

void audit_chain_add(struct audit_chain *c, const char *line, size_t len)
{
    static const uint8_t leaf = 0;
    uint8_t node[AUDIT_HASH];

    hash_two(c->head, c->head, AUDIT_HASH, line, len);
    hash_two(node, &leaf, 1, line, len);
    /* As in binary counting: each trailing one-bit of size is a subtree to be joined. */
    for (uint64_t bits = c->size; bits & 1; bits >>= 1)
        hash_pair(node, c->root[--c->nroots], node);
    memcpy(c->root[c->nroots++], node, AUDIT_HASH);
    c->size++;
}

void audit_chain_root(const struct audit_chain *c, uint8_t out[AUDIT_HASH])
{
    if (c->nroots == 0) {
        hash_two(out, "", 0, "", 0);
        return;
    }
    memcpy(out, c->root[c->nroots - 1], AUDIT_HASH);
    for (unsigned i = c->nroots - 1; i--;)
        hash_pair(out, c->root[i], out);
}
