/* mounts.c - see mounts.h. */
#include "guest/mounts.h"

#include "guest/kmsg.h"
#include "guest/uevent.h"
#include "guest/verity.h"

#include "base/fd.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>

/* Paths in the initramfs. */
#define IMAGE "/image"
#define LAYER "/layer"
#define ROOT  "/root"

#define INODE_BYTES 8192u /* one inode for each page of the half of RAM that the layer may fill */

#define TREE_CLONE 1u /* OPEN_TREE_CLONE, linux/mount.h, which sys/mount.h does not go with */

#define CLOSED (MS_NOSUID | MS_NODEV | MS_NOEXEC)

struct mount_point {
    const char *path, *type, *options;
    unsigned long flags;
    mode_t mode; /* of the directory, where it has to be made */
};

static const struct mount_point early[] = {
    { "/dev", "devtmpfs", "mode=755", MS_NOSUID | MS_NOEXEC, 0755 },
    { "/proc", "proc", NULL, CLOSED, 0555 },
    { "/sys", "sysfs", NULL, CLOSED | MS_RDONLY, 0555 },
};

static const struct mount_point late[] = {
    { "/dev/pts", "devpts", "gid=5,mode=620,ptmxmode=666", MS_NOSUID | MS_NOEXEC, 0755 },
    { "/run", "tmpfs", "mode=755,size=20%", MS_NOSUID | MS_NODEV, 0755 },
};

/* What any uid 0 may write, whatever its capabilities; absent where the kernel lacks it. */
static const char *const steering[] = { "/proc/sys", "/proc/sysrq-trigger",
                                        "/proc/irq", "/proc/bus",
                                        "/proc/fs",  "/proc/acpi" };

static const struct {
    const char *path, *target;
} links[] = {
    { "/dev/fd", "/proc/self/fd" },
    { "/dev/stdin", "/proc/self/fd/0" },
    { "/dev/stdout", "/proc/self/fd/1" },
    { "/dev/stderr", "/proc/self/fd/2" },
};

static int mount_at(const struct mount_point *m, struct err *e)
{
    if (mkdir(m->path, m->mode) && errno != EEXIST)
        return err_sys(e, "making %s", m->path);
    if (mount(m->type, m->path, m->type, m->flags, m->options))
        return err_sys(e, "mounting %s", m->path);
    return 0;
}

int mounts_early(struct err *e)
{
    for (unsigned i = 0; i < array_len(early); i++) {
        int err = mount_at(&early[i], e);

        if (err)
            return err;
    }
    return 0;
}

static bool exists(void *arg)
{
    return access(arg, F_OK) == 0;
}

/* Waits for a disk and says which filesystem it has. */
static const char *disk_type(int uevents, char *disk, struct err *e)
{
    unsigned char head[MOUNTS_MAGIC_BYTES];
    auto_fd int fd = -1;
    const char *type;
    ssize_t n;

    if (uevent_wait(uevents, exists, disk, disk, e))
        return NULL;
    fd = open(disk, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? -errno : io_read_full(fd, head, sizeof(head));
    if (n < 0) {
        errno = (int)-n;
        err_sys(e, "reading %s", disk);
        return NULL;
    }
    type = mounts_fs_type(head, (unsigned long)n);
    if (!type)
        err_set(e, EINVAL, "%s holds neither squashfs nor erofs nor ext4", disk);
    return type;
}

static int mount_image(const struct cmdline *c, int uevents, struct err *e)
{
    char disk[] = "/dev/vda", checked[] = VERITY_DISK;
    const char *type = disk_type(uevents, disk, e);
    int err;

    if (!type)
        return e->code ? -e->code : -EINVAL;
    if (c->verity_blocks) {
        err = verity_open(c->verity_blocks, c->verity_root, e);
        if (err)
            return err;
        /* What it is, too, was read unchecked. */
        type = disk_type(uevents, checked, e);
        if (!type)
            return e->code ? -e->code : -EINVAL;
    }
    if (mkdir(IMAGE, 0755) ||
        mount(c->verity_blocks ? checked : disk, IMAGE, type, MS_RDONLY | MS_NODEV, NULL))
        return err_sys(e, "mounting the image, %s", type);
    return 0;
}

/* What a layer has before anybody makes a file: its root, upper, work, and the overlay's own
 * directory in that. */
#define LAYER_OWN 4u

static int mount_layer(const struct cmdline *c, int uevents, int *layer, struct err *e)
{
    char disk[] = "/dev/vdb";
    char options[80];
    struct sysinfo si;

    if (mkdir(LAYER, 0755))
        return err_sys(e, LAYER);
    if (c->overlay == OVERLAY_TMPFS) {
        if (sysinfo(&si))
            return err_sys(e, "size of memory");
        if (c->overlay_bytes)
            snprintf(options, sizeof(options), "mode=755,size=%" PRIu64 ",nr_inodes=%" PRIu64,
                     c->overlay_bytes, c->overlay_inodes + LAYER_OWN);
        else
            snprintf(options, sizeof(options), "mode=755,size=50%%,nr_inodes=%" PRIu64,
                     (uint64_t)si.totalram * si.mem_unit / INODE_BYTES);
        if (mount("tmpfs", LAYER, "tmpfs", MS_NODEV, options))
            return err_sys(e, "mounting the writable layer in memory");
    } else {
        const char *type = disk_type(uevents, disk, e);

        if (!type)
            return e->code ? -e->code : -EINVAL;
        if (mount(disk, LAYER, type, MS_NODEV | MS_NOATIME, NULL))
            return err_sys(e, "mounting the writable layer %s, %s", disk, type);
        *layer = open(LAYER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (*layer < 0)
            return err_sys(e, LAYER);
    }
    if ((mkdir(LAYER "/upper", 0755) || mkdir(LAYER "/work", 0700)) && errno != EEXIST)
        return err_sys(e, "preparing the writable layer");
    return 0;
}

/* The image once more, where no path leads and nobody mounts anything over it. */
static int keep_image(struct origin *o, struct err *e)
{
    o->image = (int)syscall(SYS_open_tree, AT_FDCWD, IMAGE, TREE_CLONE | O_CLOEXEC);
    return o->image < 0 ? err_sys(e, "the image once more") : 0;
}

int mounts_root(const struct cmdline *c, int uevents, int *layer, struct origin *o, struct err *e)
{
    int err = mount_image(c, uevents, e);

    *layer = -1;
    *o = (struct origin){ -1, -1, c };
    if (!err)
        kmsg_trace("image");
    if (!err && !c->read_only)
        err = mount_layer(c, uevents, layer, e);
    if (err)
        return err;
    if (mkdir(ROOT, 0755) && errno != EEXIST)
        return err_sys(e, ROOT);
    err = keep_image(o, e);
    if (err)
        return err;
    if (c->read_only)
        return mount(IMAGE, ROOT, NULL, MS_MOVE, NULL) ? err_sys(e, "moving the image") : 0;
    if (mount("overlay", ROOT, "overlay", MS_NODEV,
              "lowerdir=" IMAGE ",upperdir=" LAYER "/upper,workdir=" LAYER "/work"))
        return err_sys(e, "mounting the overlay");
    o->upper = open(LAYER "/upper", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return o->upper < 0 ? err_sys(e, LAYER "/upper") : 0;
}

/* The image decides nothing here: a mount point that is not a directory of its own is refused. */
static int move_in(const struct mount_point *m, struct err *e)
{
    char to[64];
    struct stat st;

    snprintf(to, sizeof(to), ROOT "%s", m->path);
    if (mkdir(to, m->mode) && errno != EEXIST)
        return err_sys(e, "making %s", m->path);
    if (lstat(to, &st) || !S_ISDIR(st.st_mode))
        return err_set(e, ENOTDIR, "the image's %s is not a directory", m->path);
    return mount(m->path, to, NULL, MS_MOVE, NULL) ? err_sys(e, "moving %s", m->path) : 0;
}

/*
 * /tmp is a directory of the writable layer, so that one budget covers it and not two; it is memory
 * of its own where there is no layer, or a size was given.
 */
static int make_tmp(const struct cmdline *c, struct err *e)
{
    char options[64] = "mode=1777";
    const struct mount_point shm = { "/dev/shm", "tmpfs", options, CLOSED, 01777 };
    const struct mount_point tmp = { "/tmp", "tmpfs", options, MS_NOSUID | MS_NODEV, 01777 };
    struct stat st;
    int err;

    if (c->tmp_bytes)
        snprintf(options, sizeof(options), "mode=1777,size=%" PRIu64, c->tmp_bytes);
    err = mount_at(&shm, e);
    if (err || c->tmp_bytes || c->read_only)
        return err ? err : mount_at(&tmp, e);

    if (mkdir("/tmp", 01777) && errno != EEXIST)
        kmsg(KMSG_WARNING, "/tmp cannot be made");
    if (lstat("/tmp", &st) == 0 && S_ISDIR(st.st_mode) && (st.st_mode & 07777) != 01777)
        (void)chmod("/tmp", 01777);
    return 0;
}

int mounts_switch(const struct cmdline *c, struct err *e)
{
    int err;

    for (unsigned i = 0; i < array_len(early); i++) {
        err = move_in(&early[i], e);
        if (err)
            return err;
    }
    if (chdir(ROOT) || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
        return err_sys(e, "switching to the image");
    for (unsigned i = 0; i < array_len(late); i++) {
        err = mount_at(&late[i], e);
        if (err)
            return err;
    }
    for (unsigned i = 0; i < array_len(links); i++)
        if (symlink(links[i].target, links[i].path) && errno != EEXIST)
            kmsg(KMSG_WARNING, "%s cannot be made", links[i].path);
    return make_tmp(c, e);
}

int mounts_close(struct err *e)
{
    for (unsigned i = 0; i < array_len(steering); i++) {
        const char *path = steering[i];

        if (mount(path, path, NULL, MS_BIND, NULL) == 0) {
            if (mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | CLOSED, NULL))
                return err_sys(e, "closing %s", path);
        } else if (errno != ENOENT) {
            return err_sys(e, "closing %s", path);
        }
    }
    return 0;
}
