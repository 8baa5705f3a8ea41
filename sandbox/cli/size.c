/* size.c - see size.h. */
#include "sandbox/cli/size.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* A decimal number as units of 10^-9: digits, at most nine after the point. */
static int number_parse(const char **p, uint64_t *whole, uint32_t *nanos)
{
    const char *s = *p;
    uint32_t scale = 1000000000;

    *whole = 0;
    *nanos = 0;
    if (*s < '0' || *s > '9')
        return -EINVAL;
    for (; *s >= '0' && *s <= '9'; s++)
        if (mul_overflows(*whole, 10u, whole) || add_overflows(*whole, (uint64_t)(*s - '0'), whole))
            return -ERANGE;
    if (*s == '.') {
        s++;
        if (*s < '0' || *s > '9')
            return -EINVAL;
        for (; *s >= '0' && *s <= '9'; s++) {
            scale /= 10;
            if (scale == 0)
                return -ERANGE;
            *nanos += (uint32_t)(*s - '0') * scale;
        }
    }
    *p = s;
    return 0;
}

/* whole.nanos times unit, exactly. */
static int scaled(uint64_t whole, uint32_t nanos, uint64_t unit, uint64_t *out)
{
    uint64_t part;

    if (mul_overflows(whole, unit, out) || mul_overflows(unit, (uint64_t)nanos, &part) ||
        part % 1000000000u || add_overflows(*out, part / 1000000000u, out))
        return -ERANGE;
    return 0;
}

int size_parse(const char *text, uint64_t *bytes)
{
    static const char letters[] = "bkmgt";
    uint64_t whole, unit = 1;
    uint32_t nanos;
    int err = number_parse(&text, &whole, &nanos);

    if (err)
        return err;
    if (*text) {
        const char *at = strchr(letters, *text | 0x20);

        if (!at)
            return -EINVAL;
        unit <<= 10u * (unsigned)(at - letters);
        text++;
        if (*text && (at == letters || (strcasecmp(text, "b") != 0 && strcasecmp(text, "ib") != 0)))
            return -EINVAL;
    }
    return scaled(whole, nanos, unit, bytes);
}

int duration_parse(const char *text, uint32_t *ms)
{
    static const struct {
        const char *unit;
        uint32_t ms;
    } units[] = { { "", 1000 },   { "ms", 1 },      { "s", 1000 },
                  { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 } };
    uint64_t whole, total;
    uint32_t nanos;
    int err = number_parse(&text, &whole, &nanos);

    if (err)
        return err;
    for (size_t i = 0; i < array_len(units); i++) {
        if (strcmp(text, units[i].unit) != 0)
            continue;
        err = scaled(whole, nanos, units[i].ms, &total);
        if (err || total > UINT32_MAX)
            return -ERANGE;
        *ms = (uint32_t)total;
        return 0;
    }
    return -EINVAL;
}

int count_parse(const char *text, uint32_t min, uint32_t max, uint32_t *out)
{
    uint64_t n;
    uint32_t nanos;
    int err = number_parse(&text, &n, &nanos);

    if (err)
        return err;
    if (*text || nanos)
        return -EINVAL;
    if (n < min || n > max)
        return -ERANGE;
    *out = (uint32_t)n;
    return 0;
}

const char *size_text(uint64_t bytes, char *buf, size_t len)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
    unsigned shift = 0;

    while (shift < 40 && bytes >> shift >= 1024)
        shift += 10;

    uint64_t whole = bytes >> shift;
    uint64_t tenths = shift ? ((bytes - (whole << shift)) * 10) >> shift : 0;

    if (tenths)
        snprintf(buf, len, "%" PRIu64 ".%" PRIu64 " %s", whole, tenths, units[shift / 10]);
    else
        snprintf(buf, len, "%" PRIu64 " %s", whole, units[shift / 10]);
    return buf;
}

const char *span_text(int64_t ns, char *buf, size_t len)
{
    int64_t s = ns > 0 ? ns / 1000000000 : 0;

    if (s < 60)
        snprintf(buf, len, "%" PRId64 "s", s);
    else if (s < 3600)
        snprintf(buf, len, "%" PRId64 "m%" PRId64 "s", s / 60, s % 60);
    else if (s < 86400)
        snprintf(buf, len, "%" PRId64 "h%" PRId64 "m", s / 3600, s / 60 % 60);
    else
        snprintf(buf, len, "%" PRId64 "d%" PRId64 "h", s / 86400, s / 3600 % 24);
    return buf;
}

const char *time_text(int64_t ns, char *buf, size_t len)
{
    time_t s = (time_t)(ns / 1000000000);
    struct tm tm;
    char date[40];

    buf[0] = '\0';
    if (ns <= 0 || !gmtime_r(&s, &tm) || !strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm))
        return buf;
    snprintf(buf, len, "%s.%03dZ", date, (int)(ns / 1000000 % 1000));
    return buf;
}
