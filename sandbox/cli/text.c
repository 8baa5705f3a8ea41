/* text.c - see text.h. */
#include "sandbox/cli/text.h"

#include "base/compiler.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/*
 * Decodes one sequence (Unicode 15, table 3-7: no overlong forms, no surrogates): its length, 0
 * when more bytes are needed, -1 when no sequence begins here.
 */
static int decode(const uint8_t *p, size_t len, uint32_t *rune)
{
    uint8_t low = 0x80, high = 0xbf;
    unsigned n;

    if (p[0] < 0x80) {
        *rune = p[0];
        return 1;
    }
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return -1;
    n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (p[0] == 0xe0)
        low = 0xa0;
    else if (p[0] == 0xed)
        high = 0x9f;
    else if (p[0] == 0xf0)
        low = 0x90;
    else if (p[0] == 0xf4)
        high = 0x8f;
    *rune = p[0] & (0x7fu >> n);
    for (unsigned i = 1; i < n; i++) {
        if (i == len)
            return 0;
        if (p[i] < low || p[i] > high)
            return -1;
        *rune = *rune << 6 | (p[i] & 0x3fu);
        low = 0x80;
        high = 0xbf;
    }
    return (int)n;
}

/* C1 controls, and characters that a reader cannot see or that change the order of others:
 * Unicode 15, property Bidi_Control, zero-width characters, tags, line and paragraph separators. */
static bool hides(uint32_t r)
{
    static const struct {
        uint32_t from, to;
    } ranges[] = {
        { 0x80, 0x9f },     { 0xad, 0xad },     { 0x061c, 0x061c },
        { 0x200b, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f },
        { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe007f },
    };

    for (size_t i = 0; i < array_len(ranges); i++)
        if (r >= ranges[i].from && r <= ranges[i].to)
            return true;
    return false;
}

/* Writes a string without its NUL. */
static size_t put(char *out, const char *text)
{
    size_t n = 0;

    for (; text[n]; n++)
        out[n] = text[n];
    return n;
}

static size_t put_byte(char *out, uint8_t byte)
{
    char spelled[8];

    snprintf(spelled, sizeof(spelled), "\\x%02x", byte);
    return put(out, spelled);
}

static size_t put_rune(char *out, const uint8_t *p, int n, uint32_t rune)
{
    char spelled[16];

    if (rune == '\n' || rune == '\t' || (rune >= 0x20 && rune != 0x7f && !hides(rune))) {
        memcpy(out, p, (size_t)n);
        return (size_t)n;
    }
    if (rune < 0x20 || rune == 0x7f) {
        out[0] = '^';
        out[1] = (char)(rune ^ 0x40);
        return 2;
    }
    snprintf(spelled, sizeof(spelled), "<U+%04X>", (unsigned)rune);
    /* At least two bytes came in, so 9 out is within TEXT_GROWTH. */
    return put(out, spelled);
}

/* Filters bytes that are all there; with more to come, an unfinished sequence at the end is held
 * back: *left bytes of it. */
static size_t filter(const uint8_t *p, size_t len, bool more, char *out, size_t *left)
{
    size_t at = 0, used = 0;

    while (at < len) {
        uint32_t rune;
        int n = decode(p + at, len - at, &rune);

        if (n == 0 && more)
            break;
        if (p[at] == '\r' && at + 1 == len && more)
            break;
        if (p[at] == '\r' && at + 1 < len && p[at + 1] == '\n') {
            at++; /* a terminal's line end */
        } else if (n <= 0) {
            used += put_byte(out + used, p[at++]);
        } else {
            used += put_rune(out + used, p + at, n, rune);
            at += (size_t)n;
        }
    }
    *left = len - at;
    return used;
}

size_t text_visible(struct text_filter *f, const void *in, size_t len, char *out)
{
    const uint8_t *p = in;
    size_t used = 0, left;

    /* Complete what is held, byte by byte: at most three rounds. */
    while (f->nheld && len) {
        f->held[f->nheld++] = *p++;
        len--;
        used += filter(f->held, f->nheld, true, out + used, &left);
        memmove(f->held, f->held + (f->nheld - left), left);
        f->nheld = (unsigned)left;
    }
    if (len) {
        used += filter(p, len, true, out + used, &left);
        memcpy(f->held, p + (len - left), left);
        f->nheld = (unsigned)left;
    }
    return used;
}

size_t text_visible_end(struct text_filter *f, char *out)
{
    size_t left, used = filter(f->held, f->nheld, false, out, &left);

    f->nheld = 0;
    return used;
}

const char *text_line(const char *in, char *buf, size_t len)
{
    const uint8_t *p = (const uint8_t *)in;
    size_t left = strlen(in), used = 0;

    while (left) {
        char piece[16];
        uint32_t rune;
        int n = decode(p, left, &rune);
        size_t got;

        if (n <= 0)
            got = put_byte(piece, *p);
        else if (rune == '\n' || rune == '\t')
            got = put(piece, rune == '\n' ? "^J" : "^I");
        else
            got = put_rune(piece, p, n, rune);
        if (used + got >= len)
            break;
        memcpy(buf + used, piece, got);
        used += got;
        p += n > 0 ? n : 1;
        left -= (size_t)(n > 0 ? n : 1);
    }
    buf[used] = '\0';
    return buf;
}

size_t text_utf8_prefix(const void *in, size_t len, size_t *partial)
{
    const uint8_t *p = in;
    size_t at = 0;

    *partial = 0;
    while (at < len) {
        uint32_t rune;
        int n = decode(p + at, len - at, &rune);

        if (n == 0)
            *partial = len - at;
        if (n <= 0)
            break;
        at += (size_t)n;
    }
    return at;
}
