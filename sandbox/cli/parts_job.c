/* parts_job.c - carrel-job's half of parts.h: opens whatever it takes. */
#include "base/fd.h"
#include "sandbox/cli/parts.h"
#include "sandbox/image/image.h"
#include "sandbox/image/kernel.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static int open_image(const struct image *img, struct err *e)
{
    return image_open(img, false, e);
}

int parts_serve(const char *kernel, const char *image)
{
    static const struct parts_ways any = { kernel_open, open_image };
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(3 * sizeof(int))];
    } control = { 0 };
    struct parts_answer a = { 0 };
    struct iovec iov = { &a, sizeof(a) };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
    cleanup_with(parts_close) struct client_parts p = CLIENT_PARTS_INIT;
    struct err e = ERR_INIT;

    if (parts_open_by(&any, *kernel ? kernel : NULL, image, &p, &e)) {
        a.code = e.code;
        snprintf(a.msg, sizeof(a.msg), "%s", e.msg);
    } else {
        const int fds[3] = { p.kernel, p.initrd, p.image };

        m.msg_control = &control;
        m.msg_controllen = sizeof(control);
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(sizeof(fds));
        memcpy(CMSG_DATA(&control.head), fds, sizeof(fds));
    }
    return sendmsg(PARTS_SOCKET, &m, MSG_NOSIGNAL) == sizeof(a) && !a.code ? 0 : 1;
}
