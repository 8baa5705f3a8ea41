/* when.c - see when.h. */
#include "sandbox/cli/when.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#define NS 1000000000ull

/* n digits and what must follow them. */
static bool digits(const char **p, unsigned n, int *out)
{
    *out = 0;
    for (; n; n--, (*p)++) {
        if (**p < '0' || **p > '9')
            return false;
        *out = *out * 10 + (**p - '0');
    }
    return true;
}

static bool expect(const char **p, const char *set)
{
    if (!**p || !strchr(set, **p))
        return false;
    (*p)++;
    return true;
}

int age_parse(const char *text, uint64_t *ns)
{
    static const struct {
        char unit;
        uint64_t ns;
    } units[] = { { 's', NS }, { 'm', 60 * NS }, { 'h', 3600 * NS }, { 'd', 86400 * NS } };
    uint64_t n = 0;
    const char *p = text;

    for (; *p >= '0' && *p <= '9'; p++)
        if (mul_overflows(n, 10u, &n) || add_overflows(n, (uint64_t)(*p - '0'), &n))
            return -ERANGE;
    if (p == text || !*p || p[1])
        return -EINVAL;
    for (size_t i = 0; i < array_len(units); i++)
        if (units[i].unit == *p)
            return mul_overflows(n, units[i].ns, ns) ? -ERANGE : 0;
    return -EINVAL;
}

/* The time of day, if there is one. */
static bool clock_time(const char **p, struct tm *tm, uint64_t *fraction)
{
    uint64_t unit = NS / 10;

    *fraction = 0;
    if (!**p)
        return true;
    if (!expect(p, "T ") || !digits(p, 2, &tm->tm_hour) || !expect(p, ":") ||
        !digits(p, 2, &tm->tm_min))
        return false;
    if (**p == ':') {
        (*p)++;
        if (!digits(p, 2, &tm->tm_sec))
            return false;
    }
    if (**p == '.') {
        (*p)++;
        for (; **p >= '0' && **p <= '9'; (*p)++, unit /= 10)
            *fraction += (uint64_t)(**p - '0') * unit;
    }
    if (**p == 'Z')
        (*p)++;
    return tm->tm_hour < 24 && tm->tm_min < 60 && tm->tm_sec < 61 && !**p;
}

int when_parse(const char *text, uint64_t now_ns, uint64_t *ns)
{
    struct tm tm = { 0 }, back;
    const char *p = text;
    uint64_t fraction, age;
    time_t t;

    if (age_parse(text, &age) == 0) {
        *ns = age < now_ns ? now_ns - age : 0;
        return 0;
    }
    if (!digits(&p, 4, &tm.tm_year) || !expect(&p, "-") || !digits(&p, 2, &tm.tm_mon) ||
        !expect(&p, "-") || !digits(&p, 2, &tm.tm_mday) || !clock_time(&p, &tm, &fraction))
        return -EINVAL;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    back = tm;
    t = timegm(&back);
    /* The 31st of February is none. */
    if (t < 0 || back.tm_mday != tm.tm_mday || back.tm_mon != tm.tm_mon)
        return -EINVAL;
    *ns = (uint64_t)t * NS + fraction;
    return 0;
}
