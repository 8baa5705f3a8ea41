/*
 * policy_differential N SEED [TRIPLES] - N random requests decided by two evaluators, and TRIPLES
 * (default N / 10) of a parent, a child and a request, with 20 requests a pair: one JSON line.
 * Exit status 1, with the documents on standard error, at the first difference.
 */
#include "tests/unit/policy_differential.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PER_PAIR 20u

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t number(const char *s)
{
    char *end;
    uint64_t n = strtoull(s, &end, 10);

    if (*s < '0' || *s > '9' || *end) {
        fprintf(stderr, "policy_differential: \"%s\" is no number\n", s);
        exit(2);
    }
    return n;
}

int main(int argc, char **argv)
{
    struct differential d = { 0 };
    struct text why = TEXT_INIT;
    uint64_t n, seed, triples;
    double half;
    bool ok;

    if (argc != 3 && argc != 4) {
        fprintf(stderr, "usage: policy_differential N SEED [TRIPLES]\n");
        return 2;
    }
    n = number(argv[1]);
    seed = number(argv[2]);
    triples = argc == 4 ? number(argv[3]) : n / 10;
    ok = differential_decide(n, seed, &d, &why);
    half = seconds();
    ok = ok && differential_narrower(triples, PER_PAIR, seed, &d, &why) &&
         differential_means_something(&d, &why) && d.unknown == 0;
    printf("{\"seed\":%" PRIu64 ",\"policies\":%" PRIu64 ",\"requests\":%" PRIu64
           ",\"pairs\":%" PRIu64 ",\"triples\":%" PRIu64 ",\"proved\":%" PRIu64
           ",\"witnesses\":%" PRIu64 ",\"replayed\":%" PRIu64 ",\"too_complex\":%" PRIu64
           ",\"between\":%" PRIu64 ",\"decide_s\":%.1f,\"narrower_s\":%.1f,\"ok\":%s}\n",
           seed, d.policies, d.requests, d.pairs, d.triples, d.within, d.wider, d.replayed,
           d.unknown, d.between, half, seconds() - half, ok ? "true" : "false");
    fputs(text_str(&why), stderr);
    text_fini(&why);
    return !ok;
}
