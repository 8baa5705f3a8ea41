/*
 * nameless.c - in a guest: makes a file without a name in the directory DIR, writes it, and gives
 * it the name DIR/whole.
 *
 *     nameless DIR        says "named", or what the kernel said instead
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int failed(const char *what)
{
    printf("%s: %s\n", what, errno == EOPNOTSUPP ? "not supported" : strerror(errno));
    return 1;
}

int main(int argc, char **argv)
{
    char from[64], to[256];
    int fd = argc == 2 ? open(argv[1], O_TMPFILE | O_RDWR | O_CLOEXEC, 0644) : -1;

    if (fd < 0)
        return failed("O_TMPFILE");
    snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
    snprintf(to, sizeof(to), "%s/whole", argv[1]);
    if (write(fd, "whole\n", 6) != 6 || linkat(AT_FDCWD, from, AT_FDCWD, to, AT_SYMLINK_FOLLOW))
        return failed(to);
    puts("named");
    return 0;
}
