/* volumes_job.c - carrel-job's half of volumes.h. */
#include "sandbox/cli/volumes.h"

#include "base/fd.h"
#include "base/io.h"
#include "sandbox/store.h"
#include "sandbox/volume/prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static void say(void *arg, const char *line)
{
    const bool *quiet = arg;

    if (!*quiet)
        fprintf(stderr, "%s\n", line);
}

static int serve(const char *option, bool quiet, struct volumes_answer *a, struct err *e)
{
    auto_fd int lock = box_lock(VOLUMES_BOX, e);
    struct volume_policy p;
    int err = lock < 0 ? lock : volume_policy_load(&p, VOLUMES_BOX, e);

    if (lock < 0)
        return err;
    if (!err && strcmp(option, VOLUMES_PREPARE) == 0) {
        const struct prepare_ask ask = { VOLUMES_BOX, &p, say, &quiet };

        err = prepare(&ask, a->hint, e);
    }
    volume_policy_fini(&p);
    return err;
}

int volumes_serve(const char *option, bool quiet)
{
    struct volumes_answer a = { 0 };
    struct err e = ERR_INIT;

    umask(077);
    fcntl(VOLUMES_BOX, F_SETFD, FD_CLOEXEC);
    fcntl(VOLUMES_ANSWER, F_SETFD, FD_CLOEXEC);
    if (serve(option, quiet, &a, &e)) {
        a.code = e.code;
        snprintf(a.msg, sizeof(a.msg), "%s", e.msg);
    }
    return io_write_full(VOLUMES_ANSWER, &a, sizeof(a)) || a.code;
}
