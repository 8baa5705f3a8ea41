/*
 * tar_read.c - reading, see tar.h.
 *
 * Every number comes from the archive: sizes are only ever compared and counted down, and what is
 * kept in memory has a fixed bound.
 */
#include "guest/tar.h"

#include <errno.h>
#include <string.h>

#define EXTRA_MAX 65536u /* bytes of one pax header: far above path, linkpath and the numbers */

/* Where the ustar fields are: pax(1), "ustar Interchange Format". */
enum {
    NAME = 0,
    MODE = 100,
    UID = 108,
    GID = 116,
    SIZE = 124,
    MTIME = 136,
    SUM = 148,
    TYPE = 156,
    LINK = 157,
    MAGIC = 257,
    PREFIX = 345,
};

/* What pax and GNU headers said about the entry that follows them. */
struct extra {
    bool has_path, has_link, has_size, has_mtime, has_uid, has_gid;
    uint64_t size, uid, gid;
    struct timespec mtime;
};

/* An octal field, or GNU's base-256 form (first byte 0x80). */
static bool field_number(const uint8_t *p, size_t len, uint64_t *out)
{
    uint64_t v = 0;
    size_t i = 0;

    if (p[0] & 0x80) {
        /* Only non-negative values below 2^64: the leading byte is the marker and nothing else. */
        for (i = 1; i < len; i++) {
            if (v >> 56)
                return false;
            v = v << 8 | p[i];
        }
        *out = v;
        return p[0] == 0x80;
    }
    while (i < len && p[i] == ' ')
        i++;
    for (; i < len && p[i] >= '0' && p[i] <= '7'; i++)
        v = v << 3 | (uint64_t)(p[i] - '0'); /* at most 12 digits: no overflow */
    *out = v;
    return i == len || p[i] == ' ' || p[i] == '\0';
}

static bool sum_is_right(const uint8_t *h)
{
    uint64_t said;
    uint32_t sum = 0;

    for (unsigned i = 0; i < TAR_BLOCK; i++)
        sum += i >= SUM && i < SUM + 8 ? ' ' : h[i];
    return field_number(h + SUM, 8, &said) && said == sum;
}

static ssize_t pull(struct tar_reader *r, void *buf, size_t len)
{
    ssize_t n = r->read(r->arg, buf, len);

    if (n < 0)
        return n;
    return (size_t)n == len ? n : -EINVAL;
}

static int skip(struct tar_reader *r)
{
    uint8_t scrap[4096];

    while (r->left || r->pad) {
        uint64_t all = r->left + r->pad;
        size_t want = all < sizeof(scrap) ? (size_t)all : sizeof(scrap);
        ssize_t n = pull(r, scrap, want);

        if (n < 0)
            return (int)n;
        if (want <= r->left) {
            r->left -= want;
        } else {
            r->pad -= (uint32_t)(want - r->left);
            r->left = 0;
        }
    }
    return 0;
}

ssize_t tar_read(struct tar_reader *r, void *buf, size_t len)
{
    ssize_t n;

    if (len > r->left)
        len = (size_t)r->left;
    if (len == 0)
        return 0;
    n = pull(r, buf, len);
    if (n > 0)
        r->left -= (uint64_t)n;
    return n;
}

/* A field that ends at a NUL or at its width, appended to out. */
static bool append(char out[TAR_PATH_MAX], const void *text, size_t width)
{
    size_t have = strlen(out), n = strnlen(text, width);

    if (n >= TAR_PATH_MAX - have)
        return false;
    memcpy(out + have, text, n);
    out[have + n] = '\0';
    return true;
}

static bool decimal(const char *p, size_t len, uint64_t *out)
{
    uint64_t v = 0;

    for (size_t i = 0; i < len; i++)
        if (p[i] < '0' || p[i] > '9' || mul_overflows(v, 10u, &v) ||
            add_overflows(v, (uint64_t)(p[i] - '0'), &v))
            return false;
    *out = v;
    return len > 0;
}

/* Seconds with an optional fraction and sign: "1700000000.5". */
static bool seconds(const char *p, size_t len, struct timespec *out)
{
    bool minus = len && p[0] == '-';
    const char *dot;
    uint64_t whole;
    long nsec = 0, unit = 100000000;

    p += minus;
    len -= minus;
    dot = memchr(p, '.', len);
    if (!decimal(p, dot ? (size_t)(dot - p) : len, &whole) || whole > INT64_MAX / 2)
        return false;
    for (const char *d = dot ? dot + 1 : p + len; d < p + len; d++, unit /= 10) {
        if (*d < '0' || *d > '9')
            return false;
        nsec += (*d - '0') * unit;
    }
    *out = (struct timespec){ .tv_sec = (time_t)whole, .tv_nsec = nsec };
    if (minus) {
        out->tv_sec = -out->tv_sec - (nsec ? 1 : 0);
        out->tv_nsec = nsec ? 1000000000 - nsec : 0;
    }
    return true;
}

static bool key_is(const char *key, size_t len, const char *text)
{
    return strlen(text) == len && memcmp(key, text, len) == 0;
}

/* One pax record's key and value. Unknown keys mean nothing to us; sparse maps would change what
 * the data is, so they are refused. */
static int take_record(const char *key, size_t klen, const char *val, size_t vlen,
                       struct tar_entry *t, struct extra *x)
{
    if (key_is(key, klen, "path") || key_is(key, klen, "linkpath")) {
        bool path = klen == 4;
        char *to = path ? t->path : t->link;

        to[0] = '\0';
        *(path ? &x->has_path : &x->has_link) = true;
        return vlen && !memchr(val, 0, vlen) && append(to, val, vlen) ? 0 : -EINVAL;
    }
    if (key_is(key, klen, "size"))
        return (x->has_size = decimal(val, vlen, &x->size)) ? 0 : -EINVAL;
    if (key_is(key, klen, "uid"))
        return (x->has_uid = decimal(val, vlen, &x->uid)) ? 0 : -EINVAL;
    if (key_is(key, klen, "gid"))
        return (x->has_gid = decimal(val, vlen, &x->gid)) ? 0 : -EINVAL;
    if (key_is(key, klen, "mtime"))
        return (x->has_mtime = seconds(val, vlen, &x->mtime)) ? 0 : -EINVAL;
    if (klen > 11 && memcmp(key, "GNU.sparse.", 11) == 0)
        return -EPERM;
    return 0;
}

/* "LEN KEY=VALUE\n", LEN counting itself: pax(1), "pax Extended Header". */
static int take_records(const char *p, size_t len, struct tar_entry *t, struct extra *x)
{
    while (len) {
        const char *space = memchr(p, ' ', len < 10 ? len : 10);
        uint64_t size;

        if (!space || !decimal(p, (size_t)(space - p), &size) || size > len ||
            size < (uint64_t)(space - p) + 4 || p[size - 1] != '\n')
            return -EINVAL;

        const char *key = space + 1, *end = p + size - 1;
        const char *equals = memchr(key, '=', (size_t)(end - key));

        if (!equals || equals == key)
            return -EINVAL;

        int err =
            take_record(key, (size_t)(equals - key), equals + 1, (size_t)(end - equals - 1), t, x);

        if (err)
            return err;
        p += size;
        len -= (size_t)size;
    }
    return 0;
}

/* The body of a pax header or of a GNU long name; both describe the entry that follows. */
static int take_extra(struct tar_reader *r, int type, struct tar_entry *t, struct extra *x)
{
    static char body[EXTRA_MAX];
    size_t len = (size_t)r->left;
    ssize_t n;

    if (r->left > sizeof(body))
        return -EINVAL;
    n = tar_read(r, body, len);
    if (n < 0)
        return (int)n;
    if (type == 'x')
        return take_records(body, len, t, x);

    char *to = type == 'L' ? t->path : t->link;

    to[0] = '\0';
    *(type == 'L' ? &x->has_path : &x->has_link) = true;
    return append(to, body, len) ? 0 : -EINVAL;
}

static int set_type(struct tar_entry *t, int type)
{
    size_t len = strlen(t->path);

    switch (type) {
    case '0':
    case '\0':
    case '7': t->type = len && t->path[len - 1] == '/' ? TAR_DIR : TAR_FILE; break;
    case '1': t->type = TAR_HARDLINK; break;
    case '2': t->type = TAR_SYMLINK; break;
    case '5': t->type = TAR_DIR; break;
    default: return -EPERM;
    }
    while (t->type == TAR_DIR && len > 1 && t->path[len - 1] == '/')
        t->path[--len] = '\0';
    return len ? 0 : -EINVAL;
}

/* The entry from its ustar header and what came before it. */
static int take_header(struct tar_reader *r, const uint8_t *h, struct tar_entry *t,
                       const struct extra *x)
{
    bool posix = memcmp(h + MAGIC, "ustar", 6) == 0; /* GNU's magic has no prefix field */
    uint64_t mode, uid, gid, mtime;
    int err;

    if (!field_number(h + MODE, 8, &mode) || !field_number(h + UID, 8, &uid) ||
        !field_number(h + GID, 8, &gid) || !field_number(h + MTIME, 12, &mtime))
        return -EINVAL;
    if (!x->has_path) {
        t->path[0] = '\0';
        if (posix && h[PREFIX] && (!append(t->path, h + PREFIX, 155) || !append(t->path, "/", 1)))
            return -EINVAL;
        if (!append(t->path, h + NAME, 100))
            return -EINVAL;
    }
    if (!x->has_link) {
        t->link[0] = '\0';
        if (!append(t->link, h + LINK, 100))
            return -EINVAL;
    }
    uid = x->has_uid ? x->uid : uid;
    gid = x->has_gid ? x->gid : gid;
    if (uid >= UINT32_MAX || gid >= UINT32_MAX || mtime > INT64_MAX / 2)
        return -EINVAL;
    t->mode = (mode_t)(mode & 07777);
    t->uid = (uid_t)uid;
    t->gid = (gid_t)gid;
    t->mtime = x->has_mtime ? x->mtime : (struct timespec){ .tv_sec = (time_t)mtime };
    err = set_type(t, h[TYPE]);
    if (t->type != TAR_FILE) {
        /* A link's size field may tell the target's size; no data follows (pax(1), "size"). */
        r->left = 0;
        r->pad = 0;
    }
    t->size = r->left;
    return err;
}

static bool is_zero(const uint8_t *h)
{
    for (unsigned i = 0; i < TAR_BLOCK; i++)
        if (h[i])
            return false;
    return true;
}

static int next(struct tar_reader *r, struct tar_entry *t)
{
    struct extra x = { 0 };
    uint8_t h[TAR_BLOCK];

    for (;;) {
        int err = skip(r);
        ssize_t n = err ? err : r->read(r->arg, h, sizeof(h));

        if (n < 0)
            return (int)n;
        if (n == 0)
            return 0;
        if ((size_t)n < sizeof(h))
            return -EINVAL;
        if (is_zero(h))
            return 0;
        if (!sum_is_right(h) || !field_number(h + SIZE, 12, &r->left))
            return -EINVAL;
        if (x.has_size)
            r->left = x.size;
        if (r->left > INT64_MAX)
            return -EINVAL;
        r->pad = tar_padding(r->left);

        switch (h[TYPE]) {
        case 'g': continue; /* comments and defaults of the whole archive */
        case 'x':
        case 'L':
        case 'K':
            err = take_extra(r, h[TYPE], t, &x);
            if (err)
                return err;
            continue;
        default: err = take_header(r, h, t, &x); return err ? err : 1;
        }
    }
}

int tar_next(struct tar_reader *r, struct tar_entry *out, struct err *e)
{
    int got;

    out->path[0] = '\0';
    got = next(r, out);
    if (got == -EINVAL)
        return err_set(e, EINVAL, "the archive is damaged or cut short after \"%.128s\"",
                       out->path);
    if (got == -EPERM)
        return err_set(e, EPERM, "\"%.128s\": devices, fifos and sparse files are refused",
                       out->path);
    if (got < 0)
        return err_set(e, -got, "reading the archive: %s", strerror(-got));
    return got;
}
