/* disk.c - see disk.h. Made under another name and renamed: a torn file system is never used. */
#include "sandbox/keeper/disk.h"

#include "base/failpoint.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define DRAFT "disk.new"

static _Noreturn void become_mkfs(int disk)
{
    char name[] = "mkfs.ext4", path[32], quiet[] = "-qF", reserved[] = "-m0", e_flag[] = "-E",
         lazy[] = "lazy_itable_init=1,lazy_journal_init=1,nodiscard",
         env_path[] = "PATH=/usr/sbin:/sbin:/usr/bin:/bin";
    char *const argv[] = { name, quiet, reserved, e_flag, lazy, path, NULL };
    char *const env[] = { env_path, NULL };
    static const char *const where[] = { "/usr/sbin/mkfs.ext4", "/sbin/mkfs.ext4" };
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    dup2(2, 1);
    fcntl(disk, F_SETFD, 0);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", disk);
    for (size_t i = 0; i < array_len(where); i++)
        execve(where[i], argv, env);
    _exit(errno == ENOENT ? 127 : 126);
}

static int make_filesystem(int disk, char hint[240], struct err *e)
{
    int status;
    pid_t pid = FAILPOINT("disk.fork") ? -1 : fork();

    if (pid < 0)
        return err_sys(e, "mkfs.ext4");
    if (pid == 0)
        become_mkfs(disk);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_sys(e, "mkfs.ext4");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
        snprintf(hint, 240, "sudo apt-get install e2fsprogs");
        return err_set(e, ENOENT, "mkfs.ext4 is not installed");
    }
    return err_set(e, EIO, "the writable disk could not be made: see keeper.log");
}

int disk_open(int boxfd, uint64_t bytes, char hint[240], struct err *e)
{
    auto_fd int fd = openat(boxfd, "disk.img", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    int err;

    if (fd >= 0)
        return fd_steal(&fd);
    if (errno != ENOENT)
        return err_sys(e, "disk.img");
    fd = FAILPOINT("disk.open")
             ? -1
             : openat(boxfd, DRAFT, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || FAILPOINT("disk.truncate") || ftruncate(fd, (off_t)bytes))
        return err_sys(e, "disk.img");
    err = make_filesystem(fd, hint, e);
    if (!err && (FAILPOINT("disk.rename") || renameat(boxfd, DRAFT, boxfd, "disk.img")))
        err = err_sys(e, "disk.img");
    if (err) {
        unlinkat(boxfd, DRAFT, 0);
        return err;
    }
    return fd_steal(&fd);
}
