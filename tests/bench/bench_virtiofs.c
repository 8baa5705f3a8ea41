/*
 * bench_virtiofs.c - what a file system costs, by the clock of who asks: 1,000 files created,
 * looked at and removed, 16 MiB written and read. One line a phase: its name, nanoseconds.
 *
 *     bench_virtiofs DIRECTORY
 *
 * As /init it mounts the virtio-fs of the tag carrel.files first, speaks on the first port, and
 * ends the machine.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>

#define FILES 1000
#define BYTES (16u << 20)
#define CHUNK (128u << 10)

static char chunk[CHUNK];

static void check(int failed, const char *what)
{
    if (!failed)
        return;
    printf("failed: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void name(char out[16], int i)
{
    snprintf(out, 16, "file%d", i);
}

static void create_all(void)
{
    char path[16];

    for (int i = 0; i < FILES; i++) {
        name(path, i);
        check(close(open(path, O_WRONLY | O_CREAT | O_EXCL, 0644)), "create");
    }
}

static void stat_all(void)
{
    char path[16];
    struct stat st;

    for (int i = 0; i < FILES; i++) {
        name(path, i);
        check(stat(path, &st), "stat");
    }
}

static void unlink_all(void)
{
    char path[16];

    for (int i = 0; i < FILES; i++) {
        name(path, i);
        check(unlink(path), "unlink");
    }
}

static void write_all(void)
{
    int fd = open("data", O_WRONLY | O_CREAT | O_TRUNC, 0644);

    check(fd < 0, "data");
    for (unsigned n = 0; n < BYTES; n += CHUNK)
        check(write(fd, chunk, CHUNK) != CHUNK, "write");
    check(fsync(fd) || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) || close(fd), "fsync");
}

static void read_all(void)
{
    int fd = open("data", O_RDONLY);

    check(fd < 0, "data");
    for (unsigned n = 0; n < BYTES; n += CHUNK)
        check(read(fd, chunk, CHUNK) != CHUNK, "read");
    close(fd);
}

static void phase(const char *what, void (*run)(void))
{
    uint64_t begun = now();

    run();
    printf("%s %llu\n", what, (unsigned long long)(now() - begun));
}

static void prepare_machine(void)
{
    char path[300] = "";
    struct dirent *e;
    DIR *d;

    mkdir("/dev", 0755);
    mkdir("/m", 0755);
    check(mount("devtmpfs", "/dev", "devtmpfs", 0, NULL), "/dev");
    d = opendir("/dev");
    while ((e = readdir(d)))
        if (!strncmp(e->d_name, "vport", 5))
            snprintf(path, sizeof(path), "/dev/%s", e->d_name);
    check(!freopen(path, "w", stdout), path);
    setvbuf(stdout, NULL, _IOLBF, 0);
    check(mount("carrel.files", "/m", "virtiofs", 0, NULL), "mount");
}

int main(int argc, char **argv)
{
    static char mount_point[] = "/m";
    const char *at = argc > 1 ? argv[1] : mount_point;

    if (getpid() == 1) {
        at = mount_point;
        prepare_machine();
    }
    check(chdir(at), at);
    phase("create", create_all);
    phase("stat", stat_all);
    phase("unlink", unlink_all);
    phase("write", write_all);
    phase("read", read_all);
    unlink("data");
    fflush(stdout);
    if (getpid() == 1)
        reboot(RB_AUTOBOOT);
    return 0;
}
