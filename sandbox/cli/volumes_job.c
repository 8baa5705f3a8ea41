/* volumes_job.c - carrel-job's half of volumes.h. */
#include "sandbox/cli/volumes.h"

#include "base/fd.h"
#include "base/io.h"
#include "policies/text.h"
#include "policies/words.h"
#include "sandbox/cli/export.h"
#include "sandbox/store.h"
#include "sandbox/volume/export.h"
#include "sandbox/volume/memory.h"

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

        if (m->access != ACCESS_RW || m->share == SHARE_LIVE || m->export.mode == EXPORT_NONE)
            continue;
        err = export_open(&x, p, VOLUMES_BOX, m, NULL, false, e);
        if (!err)
            *changes += (uint32_t)(x.changes.n - export_count(&x, CHANGE_DONE));
        export_close(&x);
    }
    return err;
}

/* Between two runs: into the log of the sandbox, whose keeper has ended; or before its start, into
 * the notes for its keeper. */
struct recorder {
    bool quiet;
    struct export_log *log;
    struct text notes;
};

static void record(void *arg, bool denied, const char *rule, const char *line)
{
    struct recorder *r = arg;

    if (r->log && export_log_word(r->log, denied, rule, line, NULL))
        fprintf(stderr, "%s: not recorded\n", line);
    if (!r->log) {
        text_add(&r->notes, "%s\tmemory\t%s\t", denied ? "deny" : "event", rule);
        for (; *line; line++)
            text_add(&r->notes, "%c", (unsigned char)*line < 0x20 || *line == 0x7f ? '?' : *line);
        text_add(&r->notes, "\n");
    }
}

static void tell(void *arg, const char *line)
{
    struct recorder *r = arg;

    say(&r->quiet, line);
}

static int keep_notes(const struct recorder *r, struct err *e)
{
    auto_fd int fd = r->notes.len
                         ? openat(VOLUMES_BOX, VOLUME_NOTES,
                                  O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)
                         : -1;
    int err;

    if (!r->notes.len)
        return 0;
    if (fd < 0)
        return err_sys(e, VOLUME_NOTES);
    err = io_write_full(fd, r->notes.p, r->notes.len);
    return err ? err_set(e, -err, VOLUME_NOTES ": %s", strerror(-err)) : 0;
}

static int start_memory(struct volume_policy *p, bool quiet, char hint[240], struct err *e)
{
    struct recorder r = { .quiet = quiet, .notes = TEXT_INIT };
    const struct adopt_ask ask = { VOLUMES_BOX, p, tell, record, &r };
    int err = memory_prepare(&ask, hint, e);

    if (!err)
        err = keep_notes(&r, e);
    text_fini(&r.notes);
    return err;
}

static int end_memory(struct volume_policy *p, bool quiet, struct err *e)
{
    struct recorder r = { .quiet = quiet, .notes = TEXT_INIT };
    const struct adopt_ask ask = { VOLUMES_BOX, p, tell, record, &r };
    struct box_config c;
    int err = p->policy->storage.memory.n ? box_load_config(VOLUMES_BOX, &c, e) : 0;

    if (err || !p->policy->storage.memory.n)
        return err;
    err = export_log_open(&r.log, c.id, p, e);
    box_config_fini(&c);
    if (!err)
        err = memory_adopt(&ask, e);
    export_log_close(r.log);
    text_fini(&r.notes);
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
        if (!err)
            err = start_memory(&p, quiet, a->hint, e);
    } else if (!err) {
        err = end_memory(&p, quiet, e);
        if (!err)
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
