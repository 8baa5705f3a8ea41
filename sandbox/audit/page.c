/* page.c - see page.h. */
#include "sandbox/audit/page.h"

#include "base/compiler.h"

#include <time.h>

/* HTML text and attribute values. */
void page_text(FILE *out, const char *s)
{
    for (; *s; s++) {
        switch (*s) {
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '&': fputs("&amp;", out); break;
        case '"': fputs("&quot;", out); break;
        case '\'': fputs("&#39;", out); break;
        default:
            if ((unsigned char)*s < 0x20 || *s == 0x7f)
                fprintf(out, "\\x%02x", (unsigned char)*s);
            else
                fputc(*s, out);
        }
    }
}

void page_time(FILE *out, uint64_t ns)
{
    time_t s = (time_t)(ns / 1000000000u);
    struct tm tm;
    char buf[32];

    gmtime_r(&s, &tm);
    strftime(buf, sizeof(buf), "%Y-%m-%d %H:%M:%S", &tm);
    fprintf(out, "%s.%03u", buf, (unsigned)(ns / 1000000u % 1000u));
}

void page_span(FILE *out, uint64_t ns)
{
    if (ns < 1000000000u)
        fprintf(out, "%u ms", (unsigned)(ns / 1000000u));
    else if (ns < 120000000000u)
        fprintf(out, "%.1f s", (double)ns / 1e9);
    else if (ns < 7200000000000u)
        fprintf(out, "%.1f min", (double)ns / 6e10);
    else if (ns < 172800000000000u)
        fprintf(out, "%.1f h", (double)ns / 3.6e12);
    else
        fprintf(out, "%.1f days", (double)ns / 8.64e13);
}

void page_bytes(FILE *out, uint64_t n)
{
    static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB" };
    double v = (double)n;
    unsigned u = 0;

    while (v >= 1024 && u + 1 < array_len(unit)) {
        v /= 1024;
        u++;
    }
    fprintf(out, u ? "%.1f %s" : "%.0f %s", v, unit[u]);
}

/* Digits in groups of three, for people. */
void page_count(FILE *out, uint64_t n)
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);

    for (int i = 0; i < len; i++)
        fprintf(out, "%c%s", digits[i],
                len > 4 && i + 1 < len && (len - i - 1) % 3 == 0 ? "&#8239;" : "");
}
