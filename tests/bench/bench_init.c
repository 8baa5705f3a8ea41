/*
 * bench_init.c - the shortest /init: the machine ends with its first instructions in user space.
 * With reads=N on the kernel's command line it first reads N blocks of 4 KiB from /dev/vda, one
 * after the other, past the page cache.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>

#define BLOCK 4096

static _Alignas(BLOCK) char block[BLOCK];

static void read_disk(long n)
{
    int fd;

    mkdir("/dev", 0755);
    if (mount("devtmpfs", "/dev", "devtmpfs", 0, NULL))
        return;
    fd = open("/dev/vda", O_RDONLY | O_DIRECT | O_CLOEXEC);
    for (long i = 0; fd >= 0 && i < n; i++)
        if (pread(fd, block, BLOCK, i % 256 * BLOCK) != BLOCK)
            return;
}

int main(void)
{
    const char *reads = getenv("reads");

    if (reads)
        read_disk(strtol(reads, NULL, 10));
    reboot(RB_AUTOBOOT);
    for (;;)
        pause();
}
