/* cgroup.c - see cgroup.h. */
#include "guest/cgroup.h"

#include "guest/detached.h"

#include "base/fd.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int cgroup_write(int dir, const char *file, const char *text)
{
    auto_fd int fd = openat(dir, file, O_WRONLY | O_CLOEXEC);

    return fd < 0 ? -errno : io_write_full(fd, text, strlen(text));
}

int cgroup_open(void)
{
    auto_fd int root = detached_mount("cgroup2", NULL, 0);
    auto_fd int dir = -1;

    if (root < 0)
        return root;
    /* Who lacks the controller has groups all the same; pids.h says what holds then. */
    (void)!cgroup_write(root, "cgroup.subtree_control", "+pids");
    if (mkdirat(root, "commands", 0755) && errno != EEXIST)
        return -errno;
    dir = openat(root, "commands", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || faccessat(dir, "cgroup.kill", F_OK, 0))
        return -errno;
    return fd_steal(&dir);
}
