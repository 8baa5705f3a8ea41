/*
 * bench_tree - bench_tree DIR [NAME]: what a directory costs, as a tool in a guest meets it: one
 * JSON line, the least of three rounds. Operations: 1,000 small files created, looked at, removed.
 * Data: 16 MiB written in 128 KiB pieces and flushed, and read back through a new descriptor.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILES  1000
#define BYTES  (16u << 20)
#define PIECE  (128u << 10)
#define ROUNDS 3

enum { CREATE, STAT, UNLINK, WRITE, READ, STEPS };

static char path[4096], buf[PIECE];

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(1);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static const char *file(const char *dir, int i)
{
    snprintf(path, sizeof(path), "%s/bench-%d", dir, i);
    return path;
}

static void step(int which, const char *dir)
{
    struct stat st;
    int fd;

    for (int i = 0; which <= UNLINK && i < FILES; i++) {
        const char *name = file(dir, i);

        if (which == CREATE &&
            ((fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0644)) < 0 || close(fd)))
            die(name);
        if (which == STAT && stat(name, &st))
            die(name);
        if (which == UNLINK && unlink(name))
            die(name);
    }
    if (which < WRITE)
        return;
    fd = open(file(dir, FILES), which == WRITE ? O_CREAT | O_TRUNC | O_WRONLY : O_RDONLY, 0644);
    if (fd < 0)
        die(path);
    for (unsigned done = 0; done < BYTES; done += PIECE)
        if ((which == WRITE ? write(fd, buf, PIECE) : read(fd, buf, PIECE)) != PIECE)
            die(path);
    if (which == WRITE && fsync(fd))
        die(path);
    close(fd);
    if (which == READ && unlink(path))
        die(path);
}

int main(int argc, char **argv)
{
    double least[STEPS] = { 0 };

    if (argc < 2) {
        fprintf(stderr, "bench_tree DIR [NAME]\n");
        return 2;
    }
    memset(buf, 'x', sizeof(buf));
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < STEPS; i++) {
            double t = now();

            step(i, argv[1]);
            t = now() - t;
            if (!round || t < least[i])
                least[i] = t;
        }
    printf("{\"tree\":\"%s\",\"create_us\":%.0f,\"stat_us\":%.0f,\"unlink_us\":%.0f,\"write_mib_"
           "s\":%.1f,"
           "\"read_mib_s\":%.1f}\n",
           argc > 2 ? argv[2] : argv[1], least[CREATE] * 1e6 / FILES, least[STAT] * 1e6 / FILES,
           least[UNLINK] * 1e6 / FILES, BYTES / 1048576.0 / least[WRITE],
           BYTES / 1048576.0 / least[READ]);
    return 0;
}
