/*
 * bench_yamux.c - two sessions back to back in one thread: MB/s and nanoseconds a message, one
 * JSON line a case. The price of the wire itself, without any port or system call.
 */
#include "base/yamux.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Everything one side has to say, to the other, in pieces as a port gives them. */
static void carry(struct yamux *from, struct yamux *to, size_t piece)
{
    static uint8_t wire[65536];
    size_t n;

    while ((n = yamux_output(from, wire, piece)) != 0)
        for (size_t at = 0; at < n;) {
            ssize_t took = yamux_input(to, wire + at, n - at);

            if (took < 0)
                exit(1);
            at += (size_t)took;
        }
}

static void run(unsigned streams, size_t message, size_t piece, uint64_t total)
{
    struct yamux *a =
        yamux_new(&(struct yamux_config){ .client = true, .max_streams = 64, .accept = true });
    struct yamux *b = yamux_new(&(struct yamux_config){ .max_streams = 64, .accept = true });
    static uint8_t buf[65536];
    uint32_t ids[64];
    uint64_t got = 0, sent = 0;

    if (!a || !b)
        exit(1);
    for (unsigned i = 0; i < streams; i++)
        ids[i] = yamux_open(a);

    double start = now();

    for (unsigned i = 0; got < total; i = (i + 1) % streams) {
        struct yamux_event ev;
        ssize_t n = yamux_write(a, ids[i], buf, message);

        if (n > 0)
            sent += (uint64_t)n;
        carry(a, b, piece);
        while (yamux_next_event(b, &ev))
            if (ev.type == YAMUX_READABLE)
                while ((n = yamux_read(b, ev.id, buf, sizeof(buf))) > 0)
                    got += (uint64_t)n;
        carry(b, a, piece);
        while (yamux_next_event(a, &ev))
            ;
    }

    double took = now() - start;

    printf("{\"bench\":\"yamux\",\"streams\":%u,\"message\":%zu,\"piece\":%zu,"
           "\"MB_per_s\":%.0f,\"ns_per_message\":%.0f}\n",
           streams, message, piece, (double)got / took / 1e6,
           took * 1e9 / ((double)sent / (double)message));
    yamux_free(a);
    yamux_free(b);
}

int main(void)
{
    run(1, 64, 65536, 64u << 20);
    run(1, 4096, 4096, 512u << 20);
    run(1, 65536, 65536, 2048u << 20);
    run(20, 65536, 65536, 2048u << 20);
    run(20, 65536, 4096, 2048u << 20);
    return 0;
}
