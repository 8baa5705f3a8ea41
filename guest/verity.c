/*
 * verity.c - see verity.h. The device mapper's control device (linux/dm-ioctl.h, version 4) and the
 * table line of Documentation/admin-guide/device-mapper/verity.rst.
 */
#include "guest/verity.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/dm-ioctl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CONTROL "/dev/mapper/control"
#define DISK    "/dev/vda"
#define NAME    "image"
#define BLOCK   4096u
#define SECTOR  512u

/* A request with the one target that a table here has. */
struct order {
    struct dm_ioctl head;
    struct dm_target_spec target;
    char line[256];
};

static struct order order_new(uint32_t flags)
{
    struct order o = { .head = { .version = { 4, 0, 0 },
                                 .data_size = sizeof(o),
                                 .data_start = sizeof(o.head),
                                 .flags = flags,
                                 .name = NAME } };

    return o;
}

/* Corruption ends the machine: what reads an error instead may go on without the file. */
static struct order table(uint64_t blocks, const char *root)
{
    struct order o = order_new(DM_READONLY_FLAG);

    o.head.target_count = 1;
    o.target.length = blocks * (BLOCK / SECTOR);
    snprintf(o.target.target_type, sizeof(o.target.target_type), "verity");
    snprintf(o.line, sizeof(o.line),
             "1 " DISK " " DISK " %u %u %" PRIu64 " %" PRIu64 " sha256 %s - 1 panic_on_corruption",
             BLOCK, BLOCK, blocks, blocks + 1, root);
    return o;
}

int verity_open(uint64_t blocks, const char *root, struct err *e)
{
    auto_fd int fd = open(CONTROL, O_RDWR | O_CLOEXEC);
    struct order create = order_new(0), load = table(blocks, root), resume = order_new(0);

    if (fd < 0)
        return errno == ENOENT ? err_set(e, ENODEV, "this kernel has no device mapper")
                               : err_sys(e, CONTROL);
    if (ioctl(fd, DM_DEV_CREATE, &create))
        return err_sys(e, "device mapper");
    if (ioctl(fd, DM_TABLE_LOAD, &load))
        return err_sys(e, "dm-verity over the image");
    if (ioctl(fd, DM_DEV_SUSPEND, &resume)) /* without DM_SUSPEND_FLAG: the opposite */
        return err_sys(e, "dm-verity");
    return unlink(CONTROL) || rmdir("/dev/mapper") ? err_sys(e, CONTROL) : 0;
}
