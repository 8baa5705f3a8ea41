/* tar_write.c - writing, see tar.h. */
#include "guest/tar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_USTAR   100u
#define PREFIX_MAX_USTAR 155u
#define ID_MAX_USTAR     07777777u
#define SIZE_MAX_USTAR   077777777777ull

/* A pax header's body under construction. */
struct records {
    char *at;
    size_t len, room;
};

/* Numbers are NUL-terminated octal, as wide as the field; what does not fit is in a pax record. */
static void put_octal(uint8_t *field, size_t width, uint64_t v, uint64_t max)
{
    if (v > max)
        v = 0;
    for (size_t i = width - 1; i-- > 0; v >>= 3)
        field[i] = (uint8_t)('0' + (v & 7));
}

static void put_text(uint8_t *field, size_t width, const char *text, size_t len)
{
    memcpy(field, text, len < width ? len : width);
}

static void finish(uint8_t *h, char type)
{
    uint32_t sum = 0;

    h[156] = (uint8_t)type;
    memcpy(h + 257,
           "ustar\0"
           "00",
           8);
    memset(h + 148, ' ', 8);
    for (unsigned i = 0; i < TAR_BLOCK; i++)
        sum += h[i];
    put_octal(h + 148, 7, sum, ID_MAX_USTAR);
    h[154] = '\0';
}

static void add_record(struct records *r, const char *key, const char *value)
{
    /* The length counts its own digits: grow until it agrees with itself. */
    size_t rest = strlen(key) + strlen(value) + 3, len = rest, digits;

    do {
        char number[24];

        digits = (size_t)snprintf(number, sizeof(number), "%zu", len);
        if (len == rest + digits)
            break;
        len = rest + digits;
    } while (true);
    /* TAR_HEADER_MAX has room for all records at their longest: anything else is our own mistake.
     */
    if (len >= r->room - r->len)
        abort();
    r->len += (size_t)snprintf(r->at + r->len, r->room - r->len, "%zu %s=%s\n", len, key, value);
}

/* Where to cut a path into prefix and name: the slash's offset, or 0 when there is no place. */
static size_t split(const char *path, size_t len)
{
    size_t at = len > NAME_MAX_USTAR ? len - NAME_MAX_USTAR - 1 : 1;

    for (; at <= PREFIX_MAX_USTAR && at + 1 < len; at++)
        if (path[at] == '/')
            return at;
    return 0;
}

static void add_extras(const struct tar_entry *t, const char *path, bool fits, struct records *r)
{
    char number[48];

    if (!fits)
        add_record(r, "path", path);
    if (strlen(t->link) > NAME_MAX_USTAR)
        add_record(r, "linkpath", t->link);
    if (t->type == TAR_FILE && t->size > SIZE_MAX_USTAR) {
        snprintf(number, sizeof(number), "%llu", (unsigned long long)t->size);
        add_record(r, "size", number);
    }
    if (t->uid > ID_MAX_USTAR) {
        snprintf(number, sizeof(number), "%u", t->uid);
        add_record(r, "uid", number);
    }
    if (t->gid > ID_MAX_USTAR) {
        snprintf(number, sizeof(number), "%u", t->gid);
        add_record(r, "gid", number);
    }
    if (t->mtime.tv_sec < 0 || t->mtime.tv_nsec || (uint64_t)t->mtime.tv_sec > SIZE_MAX_USTAR) {
        /* The fraction is added to the seconds, so a time before 1970 is written as -(s - f). */
        long long s = t->mtime.tv_sec;
        long ns = t->mtime.tv_nsec;

        if (s < 0 && ns) {
            s++;
            ns = 1000000000 - ns;
        }
        snprintf(number, sizeof(number), "%s%lld.%09ld", t->mtime.tv_sec < 0 ? "-" : "",
                 s < 0 ? -s : s, ns);
        add_record(r, "mtime", number);
    }
}

size_t tar_header(const struct tar_entry *t, uint8_t out[TAR_HEADER_MAX])
{
    char path[TAR_PATH_MAX + 1];
    size_t len =
        (size_t)snprintf(path, sizeof(path), "%s%s", t->path, t->type == TAR_DIR ? "/" : "");
    size_t cut = len > NAME_MAX_USTAR ? split(path, len) : 0;
    bool fits = len <= NAME_MAX_USTAR || cut;
    struct records r = { .at = (char *)out + TAR_BLOCK, .room = TAR_HEADER_MAX - 2 * TAR_BLOCK };
    size_t used = 0;

    memset(out, 0, TAR_HEADER_MAX);
    add_extras(t, path, fits, &r);
    if (r.len) {
        put_text(out, NAME_MAX_USTAR, "pax", 3);
        put_octal(out + 100, 8, 0644, ID_MAX_USTAR);
        put_octal(out + 108, 8, 0, ID_MAX_USTAR);
        put_octal(out + 116, 8, 0, ID_MAX_USTAR);
        put_octal(out + 124, 12, r.len, SIZE_MAX_USTAR);
        put_octal(out + 136, 12, 0, SIZE_MAX_USTAR);
        finish(out, 'x');
        used = TAR_BLOCK + r.len;
        out[used] = '\0'; /* snprintf's terminator is already padding */
        used += tar_padding(used);
    }

    uint8_t *h = out + used;

    if (cut) {
        put_text(h + 345, PREFIX_MAX_USTAR, path, cut);
        put_text(h, NAME_MAX_USTAR, path + cut + 1, len - cut - 1);
    } else {
        put_text(h, NAME_MAX_USTAR, path, len);
    }
    put_octal(h + 100, 8, t->mode & 07777, ID_MAX_USTAR);
    put_octal(h + 108, 8, t->uid, ID_MAX_USTAR);
    put_octal(h + 116, 8, t->gid, ID_MAX_USTAR);
    put_octal(h + 124, 12, t->type == TAR_FILE ? t->size : 0, SIZE_MAX_USTAR);
    put_octal(h + 136, 12, t->mtime.tv_sec < 0 ? 0 : (uint64_t)t->mtime.tv_sec, SIZE_MAX_USTAR);
    put_text(h + 157, NAME_MAX_USTAR, t->link, strlen(t->link));
    finish(h, (char)t->type);
    return used + TAR_BLOCK;
}
