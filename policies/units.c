#include "policies/units.h"

#include <string.h>

struct scale {
    const char *suffix;
    uint64_t times;
};

#define SCALES 6u

/* Smallest first; the first is the base unit. */
static const struct scale scales[][SCALES] = {
    [UNIT_COUNT] = { { "", 1 }, { "k", 1000 }, { "M", 1000000 }, { "G", 1000000000 } },
    [UNIT_BYTES] = { { "B", 1 },
                     { "KiB", 1ull << 10 },
                     { "MiB", 1ull << 20 },
                     { "GiB", 1ull << 30 },
                     { "TiB", 1ull << 40 } },
    [UNIT_TIME] = { { "ms", 1 },
                    { "s", 1000 },
                    { "m", 60000 },
                    { "h", 3600000 },
                    { "d", 86400000 } },
    [UNIT_PERCENT] = { { "%", 1 } },
    [UNIT_PLAIN] = { { "", 1 } },
    [UNIT_RATE] = { { "/d", 1 }, { "/h", 24 }, { "/m", 1440 }, { "/s", 86400 } },
};

static const char *const usage[] = {
    [UNIT_COUNT] = "a whole number in plain digits, optionally with k, M or G",
    [UNIT_BYTES] = "a size with its unit: B, KiB, MiB, GiB or TiB",
    [UNIT_TIME] = "a time with its unit: ms, s, m, h or d",
    [UNIT_PERCENT] = "a percentage such as 150%",
    [UNIT_PLAIN] = "a whole number in plain digits",
    [UNIT_RATE] = "a rate such as 20/s, 100/m, 1000/h or 5000/d",
};

/* Digits without sign, without leading zero: the count of bytes read, 0 when there are none. */
static size_t digits(const char *s, uint64_t *out, bool *too_big)
{
    size_t n = 0;
    uint64_t v = 0;

    *too_big = false;
    for (; s[n] >= '0' && s[n] <= '9'; n++)
        if (mul_overflows(v, 10u, &v) || add_overflows(v, (uint64_t)(s[n] - '0'), &v))
            *too_big = true;
    *out = v;
    return n > 1 && s[0] == '0' ? 0 : n;
}

const char *units_parse(enum unit u, const char *s, const char *word, uint64_t *out)
{
    bool too_big;
    uint64_t v;
    size_t n = digits(s, &v, &too_big);
    const char *rest = s + n;

    if (n == 0)
        return usage[u];
    for (unsigned i = 0; i < SCALES && scales[u][i].suffix; i++) {
        size_t len = strlen(scales[u][i].suffix);

        if (strncmp(rest, scales[u][i].suffix, len) != 0)
            continue;

        const char *tail = rest + len;

        if (*tail && !(u == UNIT_COUNT && word && *tail == ' ' && strcmp(tail + 1, word) == 0))
            continue;
        /* Beyond 2^53-1 a JSON reader would round (RFC 8785, section 3.2.2.3). */
        if (too_big || mul_overflows(v, scales[u][i].times, out) || *out > (1ull << 53) - 1)
            return "a smaller number (the largest is 2^53-1 of the base unit)";
        return NULL;
    }
    return usage[u];
}

void units_print(enum unit u, uint64_t v, struct text *out)
{
    unsigned best = 0;

    for (unsigned i = 0; i < SCALES && scales[u][i].suffix; i++)
        if (v && v % scales[u][i].times == 0)
            best = i;
    text_number(out, v / scales[u][best].times);
    text_bytes(out, scales[u][best].suffix, strlen(scales[u][best].suffix));
}

void units_canonical(enum unit u, uint64_t v, struct text *out)
{
    text_number(out, v);
    text_bytes(out, scales[u][0].suffix, strlen(scales[u][0].suffix));
}
