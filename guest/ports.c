/* ports.c - see ports.h. */
#include "guest/ports.h"

#include "guest/uevent.h"

#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PORTS_DIR "/sys/class/virtio-ports"

struct search {
    const char *name;
    char *path; /* out, 64 bytes */
};

static bool is_named(const char *port, const char *name)
{
    char path[320], text[64];
    auto_fd int fd = -1;
    ssize_t n;

    snprintf(path, sizeof(path), PORTS_DIR "/%s/name", port);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (n < 0)
        return false; /* the name comes after the port, with an event of its own */
    text[n] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return strcmp(text, name) == 0;
}

static bool found(void *arg)
{
    struct search *s = arg;
    DIR *dir = opendir(PORTS_DIR);
    const struct dirent *d;
    bool yes = false;

    while (dir && !yes && (d = readdir(dir)))
        if (d->d_name[0] != '.' && strlen(d->d_name) < 50 && is_named(d->d_name, s->name)) {
            snprintf(s->path, 64, "/dev/%.50s", d->d_name);
            yes = access(s->path, F_OK) == 0;
        }
    if (dir)
        closedir(dir);
    return yes;
}

int port_find(const char *name, int uevents, char path[64], struct err *e)
{
    struct search s = { name, path };

    return uevent_wait(uevents, found, &s, name, e);
}

int port_hold(char path[64], struct err *e)
{
    int fd = open(path, O_PATH | O_CLOEXEC);

    if (fd < 0)
        return err_sys(e, "%s", path);
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return 0;
}

int port_open(const char *path, int *fd, struct err *e)
{
    *fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    return *fd < 0 ? err_sys(e, "%s", path) : 0;
}

bool port_connected(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };

    return poll(&p, 1, 0) == 0 || !(p.revents & POLLHUP);
}
