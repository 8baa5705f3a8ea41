/* log.c - the keeper's clock, its settings from the environment, and keeper.log. */
#include "sandbox/keeper/keeper.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int64_t keeper_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t keeper_setting(const char *name, int64_t otherwise)
{
    const char *text = getenv(name);
    char *end;
    long long v = text ? strtoll(text, &end, 10) : 0;

    return text && *text && *end == '\0' && v > 0 ? v : otherwise;
}

/* ---- the log: standard error, which is keeper.log ---- */

void keeper_log(struct keeper *k, const char *fmt, ...)
{
    char line[512];
    struct timespec t;
    va_list ap;
    int n;

    clock_gettime(CLOCK_MONOTONIC, &t);
    n = snprintf(line, sizeof(line), "[%6lld.%03ld] ", (long long)t.tv_sec, t.tv_nsec / 1000000);
    va_start(ap, fmt);
    n += vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
    va_end(ap);
    if (n > (int)sizeof(line) - 2)
        n = sizeof(line) - 2;
    line[n++] = '\n';
    if ((uint64_t)n > k->log_left)
        return;
    k->log_left -= (uint64_t)n;
    if (write(STDERR_FILENO, line, (size_t)n) < 0)
        k->log_left = 0; /* a full disk: the sandbox goes on without */
}

void keeper_trace(struct keeper *k, const char *what)
{
    struct timespec t;

    if (!k->trace)
        return;
    clock_gettime(CLOCK_MONOTONIC, &t);
    keeper_log(k, "trace: %8.3f ms %s (clock %lld.%06ld)",
               (double)((t.tv_sec * 1000000000LL + t.tv_nsec) - k->t0) / 1e6, what,
               (long long)t.tv_sec, t.tv_nsec / 1000);
}

int64_t keeper_utc_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}
