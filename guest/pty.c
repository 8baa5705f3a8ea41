/* pty.c - see pty.h. */
#include "guest/pty.h"

#include "guest/detached.h"

#include "base/fd.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41) /* opens the slave without its path; Linux 4.13 */
#endif

#define FROM_DESCRIPTOR 0x4u /* MOVE_MOUNT_F_EMPTY_PATH, linux/mount.h */

int pty_place(struct err *e)
{
    /* All commands there can be have room below the kernel's 4,096 (kernel.pty.max). */
    static const char *const options[] = { "gid", "5",   "mode", "620", "ptmxmode",
                                           "666", "max", "60",   NULL };
    int place = detached_mount("devpts", options, DETACHED_NOSUID | DETACHED_NOEXEC);

    return place < 0 ? err_set(e, -place, "terminals of its own: %s", strerror(-place)) : place;
}

/* What was mounted there is private with us; where a test runs, it need not be. */
int pty_enter(int place, struct err *e)
{
    if (unshare(CLONE_NEWNS) || mount(NULL, "/dev/pts", NULL, MS_PRIVATE, NULL) ||
        syscall(SYS_move_mount, place, "", AT_FDCWD, "/dev/pts", FROM_DESCRIPTOR))
        return err_sys(e, "terminals of its own");
    return 0;
}

int pty_open(int place, uint16_t rows, uint16_t cols, int *master, int *slave, struct err *e)
{
    auto_fd int m = openat(place < 0 ? AT_FDCWD : place, place < 0 ? "/dev/ptmx" : "ptmx",
                           O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    auto_fd int s = -1;
    struct termios t;
    int unlock = 0;

    if (m < 0 || ioctl(m, TIOCSPTLCK, &unlock))
        return err_sys(e, "pseudo-terminal");
    s = ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (s < 0 || tcgetattr(s, &t))
        return err_sys(e, "pseudo-terminal: slave");
    t.c_iflag |= IUTF8; /* erase takes a whole character */
    if (tcsetattr(s, TCSANOW, &t))
        return err_sys(e, "pseudo-terminal: slave");
    pty_resize(m, rows, cols);
    *master = fd_steal(&m);
    *slave = fd_steal(&s);
    return 0;
}

void pty_resize(int master, uint16_t rows, uint16_t cols)
{
    struct winsize size = { .ws_row = rows, .ws_col = cols };

    (void)ioctl(master, TIOCSWINSZ, &size);
}
