/* nodes.c - see nodes.h. */
#include "guest/nodes.h"

#include "guest/kmsg.h"

#include "base/compiler.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Names of character devices, or how they begin. */
static const char *const unused[] = {
    "vport",           "mem",      "port",        "kmem",          "nvram", "hpet",
    "cpu_dma_latency", "snapshot", "userfaultfd", "vsock",         "vhost", "watchdog",
    "vga_arbiter",     "mcelog",   "hwrng",       "btrfs-control", "loop",  "rtc",
};

static bool is_unused(const char *name)
{
    for (unsigned i = 0; i < array_len(unused); i++)
        if (strncmp(name, unused[i], strlen(unused[i])) == 0)
            return true;
    return false;
}

void nodes_remove(void)
{
    DIR *dir = opendir("/dev");
    const struct dirent *d;
    struct stat st;

    while (dir && (d = readdir(dir))) {
        if (fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW))
            continue;
        if (!S_ISBLK(st.st_mode) && !(S_ISCHR(st.st_mode) && is_unused(d->d_name)))
            continue;
        if (unlinkat(dirfd(dir), d->d_name, 0))
            kmsg(KMSG_WARNING, "/dev/%s stays: %s", d->d_name, strerror(errno));
    }
    if (dir)
        closedir(dir);
}
