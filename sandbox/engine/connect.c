/* connect.c - see connect.h. */
#include "sandbox/engine/connect.h"

#include "base/failpoint.h"
#include "base/fd.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DOOR "port.sock" /* for as long as it takes to connect */

int connect_pairs(int dirfd, int ours[], int theirs[], unsigned n, struct err *e)
{
    (void)dirfd;
    for (unsigned i = 0; i < n; i++) {
        int fds[2];

        if (FAILPOINT("connect.pair") || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
            return err_sys(e, "socketpair");
        ours[i] = fds[0];
        theirs[i] = fds[1];
    }
    return 0;
}

static int stream(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static bool meet(int door, const struct sockaddr_un *at, int ours[], unsigned n)
{
    const struct sockaddr *sa = (const struct sockaddr *)at;

    if (FAILPOINT("connect.listen") || bind(door, sa, sizeof(*at)) || listen(door, (int)n))
        return false;
    for (unsigned i = 0; i < n; i++) {
        ours[i] = FAILPOINT("connect.meet") ? -1 : stream();
        if (ours[i] < 0 || connect(ours[i], sa, sizeof(*at)))
            return false;
    }
    return true;
}

int connect_listener(int dirfd, int ours[], int theirs[], unsigned n, struct err *e)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    int err = 0;

    snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/" DOOR, dirfd);
    if (unlinkat(dirfd, DOOR, 0) && errno != ENOENT) /* of a start that was killed */
        return err_sys(e, DOOR);
    theirs[0] = FAILPOINT("connect.socket") ? -1 : stream();
    if (theirs[0] < 0 || !meet(theirs[0], &sa, ours, n))
        err = err_sys(e, DOOR);
    if (unlinkat(dirfd, DOOR, 0) && !err)
        err = err_sys(e, DOOR);
    return err;
}
