/* client.c - see client.h. */
#include "sandbox/client.h"

#include "base/failpoint.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/own.h"
#include "sandbox/keeper/ready.h"
#include "sandbox/places.h"
#include "sandbox/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>

#define START_MS 60000 /* for a keeper to make its machine; it takes milliseconds */

/* Numbers under which the keeper finds its descriptors. */
enum { BOX_FD = 3, READY_FD, KERNEL_FD, INITRD_FD, IMAGE_FD, END_FD };

int client_quiet_ms(void)
{
    const char *text = getenv("CARREL_QUIET_MS");

    return text ? (int)strtol(text, NULL, 10) : CLIENT_QUIET_MS;
}

/* Who is silent, and how. */
static int silent(int boxfd, struct err *e)
{
    const struct box_holder h = box_holder(boxfd);
    const int pid = (int)h.pid;

    if (proc_is_stopped(h.pid, h.start))
        return err_set(e, ETIMEDOUT, "the sandbox's keeper is stopped (process %d): kill -CONT %d",
                       pid, pid);
    if (pid)
        return err_set(e, ETIMEDOUT, "the sandbox's keeper (process %d) does not answer", pid);
    return err_set(e, ETIMEDOUT, "the sandbox's keeper does not answer");
}

/* ---- starting a keeper ---- */

/* In the child: the keeper's descriptors and nothing else, default signals, no terminal. Only calls
 * that are safe between fork and exec. */
static _Noreturn void become_keeper(const char *path, int log, const int fds[END_FD],
                                    bool await_main)
{
    char name[] = "carrel-keeper", box[] = "3", ready[] = "4", kernel[] = "5", initrd[] = "6",
         image[] = "7", await[] = KEEPER_AWAIT_MAIN;
    char *const argv[] = {
        name, box, ready, kernel, initrd, image, await_main ? await : NULL, NULL
    };
    static const char failed[] = "carrel-keeper could not be executed\n";
    static const int ignorable[] = { SIGHUP,  SIGINT,  SIGQUIT, SIGPIPE, SIGTERM,
                                     SIGCHLD, SIGTSTP, SIGTTIN, SIGTTOU };
    sigset_t none;

    bool whole = true;
    int high[END_FD];

    /* Out of the way of the numbers that are about to be taken. */
    log = fcntl(log, F_DUPFD_CLOEXEC, 10);
    for (int fd = BOX_FD; fd < END_FD; fd++)
        high[fd] = fcntl(fds[fd], F_DUPFD_CLOEXEC, 10);

    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (size_t i = 0; i < array_len(ignorable); i++) /* handlers do not survive an exec anyway */
        signal(ignorable[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int fd = BOX_FD; fd < END_FD; fd++)
        whole = dup2(high[fd], fd) == fd && whole;
    if (whole && dup2(null, 0) == 0 && dup2(log, 1) == 1 && dup2(log, 2) == 2 &&
        close_range(END_FD, ~0u, 0) == 0)
        execv(path, argv);
    if (write(2, failed, sizeof(failed) - 1) < 0)
        _exit(126);
    _exit(127);
}

/* Forks twice: the keeper is nobody's child, so that nobody has to reap it. */
static int spawn_keeper(const char *path, int log, const int fds[END_FD], bool await_main,
                        struct err *e)
{
    int status;
    pid_t pid = FAILPOINT("client.fork") ? -1 : fork();

    if (pid < 0)
        return err_sys(e, "starting the keeper");
    if (pid == 0) {
        setsid();
        pid = fork();
        if (pid == 0)
            become_keeper(path, log, fds, await_main);
        _exit(pid < 0);
    }
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_sys(e, "starting the keeper");
    if (!WIFEXITED(status) || WEXITSTATUS(status))
        return err_set(e, EAGAIN, "starting the keeper: the host allows no more processes");
    return 0;
}

/* Until there is a word, or nobody who could say one. */
static int await_ready(int ready, int boxfd, struct err *e)
{
    struct pollfd p = { .fd = ready, .events = POLLIN };
    int left = START_MS;

    while (left > 0) {
        int slice = client_quiet_ms(), n = poll(&p, 1, slice);

        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return err_sys(e, "starting the keeper");
        left -= slice;

        const struct box_holder h = box_holder(boxfd);

        if (proc_is_stopped(h.pid, h.start))
            break;
    }
    return silent(boxfd, e);
}

static int start(int boxfd, const struct client_parts *p, bool await_main, char hint[240],
                 struct err *e)
{
    struct keeper_ready r = { 0 };
    auto_str char *path = places_program("carrel-keeper", e);
    auto_fd int log = -1;
    int pipefd[2];

    hint[0] = '\0';
    if (!path)
        return e ? -e->code : -ENOENT;
    log = FAILPOINT("client.log.open")
              ? -1
              : openat(boxfd, "keeper.log",
                       O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (log < 0)
        return err_sys(e, "keeper.log");
    if (FAILPOINT("client.ready.pipe") || pipe2(pipefd, O_CLOEXEC))
        return err_sys(e, "starting the keeper");

    auto_fd int ready = pipefd[0];
    auto_fd int theirs = pipefd[1];
    const int fds[END_FD] = { [BOX_FD] = boxfd,
                              [READY_FD] = theirs,
                              [KERNEL_FD] = p->kernel,
                              [INITRD_FD] = p->initrd,
                              [IMAGE_FD] = p->image };
    int err = spawn_keeper(path, log, fds, await_main, e);

    if (err)
        return err;
    fd_closep(&theirs);
    err = await_ready(ready, boxfd, e);
    if (err)
        return err;
    if (io_read_full(ready, &r, sizeof(r)) != sizeof(r) || r.magic != KEEPER_READY_MAGIC)
        return err_set(e, EIO, "the sandbox's keeper died before it was ready: see its keeper.log");
    r.msg[sizeof(r.msg) - 1] = r.hint[sizeof(r.hint) - 1] = '\0';
    snprintf(hint, 240, "%s", r.hint);
    return r.code ? err_set(e, r.code, "%s", r.msg) : 0;
}

int client_start(int boxfd, const struct client_parts *parts, char hint[240], struct err *e)
{
    return start(boxfd, parts, false, hint, e);
}

int client_start_for_main(int boxfd, const struct client_parts *parts, char hint[240],
                          struct err *e)
{
    return start(boxfd, parts, true, hint, e);
}

/* ---- talking to one ---- */

/* How long a call on this socket may wait; 0: for ever. */
static void set_patience(int fd, int ms)
{
    const struct timeval t = { ms / 1000, ms % 1000 * 1000L };

    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
}

int client_check(int boxfd, struct err *e)
{
    const struct box_holder h = box_holder(boxfd);
    struct msg_builder b;
    uint8_t any;

    if (proc_is_stopped(h.pid, h.start))
        return silent(boxfd, e);

    auto_fd int fd = client_connect(boxfd, e);

    if (fd < 0)
        return fd == -ECONNREFUSED ? 0 : fd;
    msg_begin(&b, MSG_STATUS);
    set_patience(fd, client_quiet_ms() * (CLIENT_ANSWER_MS / CLIENT_QUIET_MS));

    ssize_t n = msg_seal(&b);

    if (n > 0 && send(fd, b.bytes, (size_t)n, MSG_NOSIGNAL) == n && recv(fd, &any, 1, 0) < 0) {
        if (errno == EAGAIN)
            return silent(boxfd, e);
        if (errno == EINTR)
            return -EINTR;
    }
    return 0; /* a word, or the end: both are answers */
}

int client_connect(int boxfd, struct err *e)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    auto_fd int fd =
        FAILPOINT("client.socket") ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return err_sys(e, "socket");
    set_patience(fd, client_quiet_ms()); /* with a full queue, connect() waits for a place */
    /* A state directory may lie deeper than the 108 bytes of an address. */
    snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/keeper.sock", boxfd);
    while (FAILPOINT("client.connect") || connect(fd, (const struct sockaddr *)&sa, sizeof(sa))) {
        if (errno == ENOENT || errno == ECONNREFUSED)
            return err_set(e, ECONNREFUSED, "the sandbox is not running");
        if (errno == EAGAIN)
            return silent(boxfd, e);
        if (errno != EINTR)
            return err_sys(e, "keeper.sock");
    }
    set_patience(fd, 0);
    return fd_steal(&fd);
}

static int put(int fd, const void *bytes, size_t len, struct err *e)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = FAILPOINT("client.send")
                        ? -1
                        : send(fd, (const char *)bytes + done, len - done, MSG_NOSIGNAL);

        if (n < 0 && errno != EINTR)
            return err_sys(e, "the sandbox's keeper went away");
        if (n > 0)
            done += (size_t)n;
    }
    return 0;
}

int client_send(struct client *c, enum msg_type type, const void *body, size_t len, struct err *e)
{
    uint8_t head[MSG_HEADER];

    if (len > MSG_MAX)
        return err_set(e, EMSGSIZE, "message of %zu bytes", len);
    msg_header(head, type, (uint32_t)len);

    int err = put(c->fd, head, sizeof(head), e);

    return err || len == 0 ? err : put(c->fd, body, len, e);
}

int client_request(struct client *c, struct msg_builder *b, struct err *e)
{
    ssize_t n = msg_seal(b);

    if (n < 0)
        return err_set(e, E2BIG, "the command line, environment or path is longer than %u bytes",
                       MSG_MAX);
    return put(c->fd, b->bytes, (size_t)n, e);
}

int client_next(struct client *c, struct msg_frame *f, struct err *e)
{
    for (;;) {
        ssize_t n = msg_parse(c->buf + c->used, c->have - c->used, f);

        if (n < 0)
            return err_set(e, EBADMSG, "the sandbox's keeper sent something that is no message");
        if (n > 0) {
            c->used += (size_t)n;
            return 1;
        }
        memmove(c->buf, c->buf + c->used, c->have - c->used);
        c->have -= c->used;
        c->used = 0;
        do
            n = FAILPOINT("client.read") ? -1
                                         : read(c->fd, c->buf + c->have, sizeof(c->buf) - c->have);
        while (n < 0 && errno == EINTR);
        if (n < 0)
            return err_sys(e, "the sandbox's keeper went away");
        if (n == 0)
            return c->have ? err_set(e, EPIPE, "the sandbox's keeper went away in mid-message") : 0;
        c->have += (size_t)n;
    }
}
