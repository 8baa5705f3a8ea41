#include "policies/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text text_fixed(char *buf, size_t size)
{
    buf[0] = '\0';
    return (struct text){ buf, 0, size, true, false };
}

static size_t room_for(struct text *t, size_t len)
{
    if (t->cap - t->len > len)
        return len;
    if (t->fixed) {
        t->full = true;
        return t->cap - t->len - 1;
    }

    size_t cap = t->cap ? t->cap : 256;

    while (cap - t->len <= len)
        cap *= 2;

    char *p = realloc(t->p, cap);

    if (!p)
        abort();
    t->p = p;
    t->cap = cap;
    return len;
}

void text_bytes(struct text *t, const char *s, size_t len)
{
    size_t n = room_for(t, len);

    if (n)
        memcpy(t->p + t->len, s, n);
    t->len += n;
    t->p[t->len] = '\0';
}

void text_add(struct text *t, const char *fmt, ...)
{
    va_list ap, again;
    char small[256];

    if (!strchr(fmt, '%')) {
        text_bytes(t, fmt, strlen(fmt));
        return;
    }
    va_start(ap, fmt);
    va_copy(again, ap);

    int n = vsnprintf(small, sizeof(small), fmt, ap);

    if (n > 0 && (size_t)n < sizeof(small)) {
        text_bytes(t, small, (size_t)n);
    } else if (n > 0) {
        char *big = malloc((size_t)n + 1);

        if (!big)
            abort();
        vsnprintf(big, (size_t)n + 1, fmt, again);
        text_bytes(t, big, (size_t)n);
        free(big);
    }
    va_end(again);
    va_end(ap);
}

void text_number(struct text *t, uint64_t n)
{
    char digits[20]; /* 2^64 - 1 has as many */
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    text_bytes(t, digits + at, sizeof(digits) - at);
}

void text_json(struct text *t, const char *s)
{
    static const char *const shorts[] = {
        ['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n", ['\f'] = "\\f", ['\r'] = "\\r",
    };

    text_bytes(t, "\"", 1);
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;

        if (c == '"' || c == '\\') {
            char two[2] = { '\\', (char)c };

            text_bytes(t, two, 2);
        } else if (c >= 0x20) {
            size_t n = 1;

            while ((unsigned char)s[n] >= 0x20 && s[n] != '"' && s[n] != '\\')
                n++;
            text_bytes(t, s, n);
            s += n - 1;
        } else if (c < array_len(shorts) && shorts[c]) {
            text_bytes(t, shorts[c], 2);
        } else {
            text_add(t, "\\u%04x", c);
        }
    }
    text_bytes(t, "\"", 1);
}

static bool is_plain(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (s[i] <= ' ' || s[i] >= 0x7f || strchr("'\"\\", s[i]))
            return false;
    return len > 0;
}

void text_word(struct text *t, const char *s, size_t len)
{
    if (is_plain(s, len)) {
        text_bytes(t, s, len);
        return;
    }
    text_bytes(t, "\"", 1);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];

        if (c == '"' || c == '\\')
            text_add(t, "\\%c", c);
        else if (c < 0x20 || c >= 0x7f)
            text_add(t, "\\x%02x", c);
        else
            text_bytes(t, s + i, 1);
    }
    text_bytes(t, "\"", 1);
}

void text_scd(struct text *t, const char *s)
{
    for (; *s; s++) {
        if (strchr("\\_*<[#+~", *s))
            text_bytes(t, "\\", 1);
        text_bytes(t, s, 1);
    }
}

const char *text_str(const struct text *t)
{
    return t->p ? t->p : "";
}

void text_fini(struct text *t)
{
    if (!t->fixed)
        free(t->p);
    *t = TEXT_INIT;
}
