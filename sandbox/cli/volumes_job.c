/* volumes_job.c - carrel-job's half of volumes.h. */
#include "sandbox/cli/volumes.h"

#include "base/fd.h"
#include "base/io.h"
#include "policies/words.h"
#include "sandbox/store.h"
#include "sandbox/volume/export.h"

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

/* What would be lost with the sandbox. */
static int count(struct volume_policy *p, uint32_t *changes, struct err *e)
{
    const struct list *mounts = &p->policy->storage.mounts;
    int err = 0;

    for (uint32_t i = 0; i < mounts->n && !err; i++) {
        const struct mount *m = mounts->v[i];
        struct export x;

        if (m->access != ACCESS_RW || m->export.mode == EXPORT_NONE)
            continue;
        err = export_open(&x, p, VOLUMES_BOX, m, NULL, false, e);
        if (!err)
            *changes += (uint32_t)(x.changes.n - export_count(&x, CHANGE_DONE));
        export_close(&x);
    }
    return err;
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
    } else if (!err) {
        err = count(&p, &a->changes, e);
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
