/* pty.c - see pty.h. */
#include "guest/pty.h"

#include "base/fd.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41) /* opens the slave without its path; Linux 4.13 */
#endif

int pty_open(uint16_t rows, uint16_t cols, int *master, int *slave, struct err *e)
{
    auto_fd int m = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
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
