/* bench_run.c - runs a command N times and prints the nanoseconds of each run, and their median
 * without the first: `bench_run N COMMAND...`. In an emulated host whose clock counts instructions,
 * nanoseconds are instructions. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <sys/wait.h>

#define RUNS_MAX 100

static long long now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    long long x = *(const long long *)a, y = *(const long long *)b;

    return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
    long long ns[RUNS_MAX];
    int n = argc > 2 ? (int)strtol(argv[1], NULL, 10) : 0;

    if (n < 2 || n > RUNS_MAX) {
        fprintf(stderr, "usage: bench_run N COMMAND...\n");
        return 2;
    }
    for (int i = 0; i < n; i++) {
        long long start = now();
        pid_t pid = fork();
        int status;

        if (!pid) {
            execvp(argv[2], argv + 2);
            _exit(127);
        }
        if (pid < 0 || waitpid(pid, &status, 0) != pid || status) {
            fprintf(stderr, "bench_run: %s failed\n", argv[2]);
            return 1;
        }
        ns[i] = now() - start;
        printf("%lld ", ns[i]);
    }
    qsort(ns + 1, (size_t)n - 1, sizeof(ns[0]), by_value);
    printf("median %lld\n", ns[1 + (n - 1) / 2]);
    return 0;
}
