/* parts.c - see parts.h. */
#include "sandbox/cli/parts.h"

#include "base/fd.h"
#include "base/own.h"
#include "sandbox/image/image.h"
#include "sandbox/image/kernel.h"
#include "sandbox/places.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

static int open_image(const struct parts_ways *w, const char *name, struct err *e)
{
    struct image img;
    int fd, err;

    if (strchr(name, '/')) {
        fd = open(name, O_RDONLY | O_CLOEXEC);
        return fd < 0 ? err_sys(e, "image %s", name) : fd;
    }
    err = image_load(name, &img, e);
    if (err)
        return err;
    fd = w->image(&img, e);
    image_fini(&img);
    return fd;
}

int parts_open_by(const struct parts_ways *w, const char *kernel, const char *image,
                  struct client_parts *p, struct err *e)
{
    struct kernel k;
    int err = kernel_load(kernel, &k, e);

    *p = CLIENT_PARTS_INIT;
    if (err)
        return err;
    err = w->kernel(&k, &p->kernel, &p->initrd, e);
    kernel_fini(&k);
    if (err)
        return err;
    p->image = open_image(w, image, e);
    return p->image < 0 ? p->image : 0;
}

void parts_close(struct client_parts *p)
{
    fd_closep(&p->kernel);
    fd_closep(&p->initrd);
    fd_closep(&p->image);
}

/* In the child. Interrupts end it, as they end any long work. */
static _Noreturn void become_job(const char *job, int sock, const char *kernel, const char *image)
{
    char name[] = "carrel-job", option[] = PARTS_OPTION;
    char *const argv[] = { name, option, (char *)kernel, (char *)image, NULL };

    sock = fcntl(sock, F_DUPFD_CLOEXEC, PARTS_SOCKET + 1);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && dup2(sock, PARTS_SOCKET) == PARTS_SOCKET &&
        close_range(PARTS_SOCKET + 1, ~0u, 0) == 0)
        execv(job, argv);
    _exit(127);
}

/* The descriptors that came with an answer. */
static int take(struct msghdr *m, struct client_parts *p)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(m);
    int fds[3];

    if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
        c->cmsg_len != CMSG_LEN(sizeof(fds)))
        return -EBADMSG;
    memcpy(fds, CMSG_DATA(c), sizeof(fds));
    *p = (struct client_parts){ fds[0], fds[1], fds[2] };
    return 0;
}

static int receive(int sock, struct client_parts *p, struct err *e)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(3 * sizeof(int))];
    } control;
    struct parts_answer a;
    struct iovec iov = { &a, sizeof(a) };
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
    };
    ssize_t n;

    do
        n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n != sizeof(a))
        return err_set(e, EIO, "carrel-job ended before kernel and image were ready");
    a.msg[sizeof(a.msg) - 1] = '\0';
    if (a.code)
        return err_set(e, a.code > 0 && a.code < 4096 ? a.code : EIO, "%s", a.msg);
    return take(&m, p) ? err_set(e, EBADMSG, "carrel-job sent no descriptors") : 0;
}

static int ask_job(const char *kernel, const char *image, struct client_parts *p, struct err *e)
{
    auto_str char *job = places_program("carrel-job", e);
    int ends[2], status;

    if (!job)
        return e ? -e->code : -ENOENT;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
        return err_sys(e, "carrel-job");

    auto_fd int ours = ends[0];
    auto_fd int theirs = ends[1];
    pid_t pid = fork();

    if (pid < 0)
        return err_sys(e, "carrel-job");
    if (pid == 0)
        become_job(job, theirs, kernel, image);
    fd_closep(&theirs);

    int err = receive(ours, p, e);

    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return err;
}

int parts_open(const struct box_config *cfg, struct client_parts *p, struct err *e)
{
    static const struct parts_ways finished = { kernel_open_known, image_open_known };
    struct err why = ERR_INIT;
    int err;

    *p = CLIENT_PARTS_INIT;
    if (!cfg->image)
        return err_set(e, EINVAL, "the sandbox has no image");
    err = parts_open_by(&finished, cfg->kernel, cfg->image, p, &why);
    if (err == -ESTALE) {
        parts_close(p);
        return ask_job(cfg->kernel ? cfg->kernel : "", cfg->image, p, e);
    }
    return err ? err_set(e, why.code, "%s", why.msg) : 0;
}
