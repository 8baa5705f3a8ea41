/* crash_check.c - see crash.h. */
#include "crash.h"

#include "base/fd.h"
#include "base/io.h"
#include "sandbox/audit/log.h"
#include "sandbox/box_jail.h"
#include "sandbox/client.h"
#include "sandbox/engine/cgroup.h"
#include "sandbox/gc.h"
#include "sandbox/store_dirs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <fts.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>

#define IN_TIME_MS 2000 /* h02 */

static unsigned bad;
static const char *title;

static void complain(const char *fmt, ...) printf_like(1, 2);

static void complain(const char *fmt, ...)
{
    va_list ap;

    bad++;
    printf("FAILED %s: ", title);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
}

static long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

unsigned check_mounts(void)
{
    FILE *f = fopen("/proc/self/mountinfo", "re");
    unsigned n = 0;
    int c;

    while (f && (c = getc(f)) != EOF)
        n += c == '\n';
    if (f)
        fclose(f);
    return n;
}

unsigned check_descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    unsigned n = 0;

    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}

/* ---- sandboxes ---- */

/* One that lives on is what it says: it is told to end, as `rm -f` would. */
static void end_living(int box)
{
    static struct client c;
    struct err e = ERR_INIT;
    struct msg_builder *b = calloc(1, sizeof(*b));
    struct msg_frame f;

    c = (struct client){ .fd = client_connect(box, &e) };
    msg_begin(b, MSG_KILL);
    if (c.fd >= 0 && client_request(&c, b, &e) == 0)
        while (client_next(&c, &f, &e) == 1)
            ;
    fd_closep(&c.fd);
    free(b);
}

static bool is_held(int box)
{
    auto_fd int fd = openat(box, "lock", O_RDONLY | O_CLOEXEC);

    return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0;
}

static void each_box(struct store *s, void (*one)(struct store *s, const char *id))
{
    char **ids = NULL;
    size_t n = 0;
    struct err e = ERR_INIT;

    if (store_list(s, &ids, &n, &e))
        complain("list: %s", e.msg);
    for (size_t i = 0; i < n; i++) {
        one(s, ids[i]);
        free(ids[i]);
    }
    free(ids);
}

static void settle(struct store *s, const char *id)
{
    auto_fd int box = store_open_box(s, id, NULL);

    for (int i = 0; box >= 0 && i < 500 && is_held(box); i++) {
        if (i % 25 == 24)
            end_living(box); /* it does not end by itself: it need not, and may only begin */
        poll(NULL, 0, 10);
    }
    if (box >= 0 && is_held(box))
        complain("a keeper does not end");
}

static void reconcile(struct store *s, const char *id)
{
    struct err e = ERR_INIT;
    long before = now_ms();
    int err = store_reconcile(s, id, &e);

    if (err < 0 && err != -ENOENT) /* an ephemeral one may go by itself meanwhile */
        complain("reconcile: %s", e.msg);
    if (now_ms() - before > IN_TIME_MS)
        complain("reconciled in %ld ms", now_ms() - before);
}

static void check_volume(int box)
{
    unsigned char bytes[CRASH_BYTES];
    auto_fd int fd = openat(box, CRASH_FILE, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || io_read_full(fd, bytes, sizeof(bytes)) != sizeof(bytes))
        return; /* it was not made yet */
    for (size_t i = 0; i < sizeof(bytes); i++)
        if (bytes[i] != life_byte(i)) {
            complain("volume: byte %zu", i);
            return;
        }
}

/* Its cgroups have gone with its machine. */
static void check_cgroups(const char *id)
{
    struct box_jail plan = { 0 };

    if (cgroup_plan(&plan, id, NULL) == 0)
        for (uint32_t i = 0; i < plan.ncgroups; i++)
            if (access(plan.cgroup[i], F_OK) == 0)
                complain("%s is there", plan.cgroup[i]);
}

/* False: there is nothing to tell of. */
static bool is_told_truly(struct store *s, const char *id)
{
    struct box_state st;
    struct err e = ERR_INIT;
    auto_fd int box = store_open_box(s, id, NULL);

    if (box < 0)
        return false; /* an ephemeral one */
    if (is_held(box))
        return true; /* see below */
    if (box_load_state(box, &st, &e))
        complain("state: %s", e.msg);
    else if (st.phase != BOX_CREATED && st.phase != BOX_ENDED)
        complain("state: %s", box_phase_name(st.phase));
    else if (st.vmm_pid || st.keeper_pid)
        complain("state: pids of what has ended");
    check_volume(box);
    check_cgroups(id);
    return true;
}

/* As `rm -f` would. A start may have been under way whose client died before its keeper had the
 * lock: then that is what is ended, and looked at again. */
static void is_the_truth(struct store *s, const char *id)
{
    struct err e = ERR_INIT;
    int err = 0;

    for (int i = 0; i < 3; i++) {
        if (!is_told_truly(s, id))
            return;
        err = store_remove(s, id, &e);
        if (err != -EBUSY)
            break;
        settle(s, id);
        reconcile(s, id);
    }
    if (err)
        complain("rm: %s", e.msg);
}

/* ---- everything else ---- */

static void heard(void *arg, const struct gc_item *item)
{
    if (item->why || arg)
        complain("gc %s %s %s: %s", arg ? "again" : "", item->kind, item->what,
                 item->why ? item->why : item->did);
}

/* What stays on purpose: logs, keys, and empty directories. */
static bool may_stay(const char *path)
{
    static const char *const fine[] = {
        "/state/audit/*/log",         "/state/audit/*/checkpoints", "/state/audit/*/spent",
        "/state/audit/*/policy.json", "/state/audit/key",           "/state/audit/key.pub",
        "/state/audit/key.lock",      "/state/trust/lock",          "/counts",
    };

    for (size_t i = 0; i < array_len(fine); i++)
        if (fnmatch(fine[i], path, FNM_PATHNAME) == 0)
            return true;
    return false;
}

static void check_log(const char *path, const char *id, bool audit_may_fail)
{
    auto_fd int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct audit_verdict v;
    struct err e = ERR_INIT;

    check_cgroups(id);
    if (dir < 0 || faccessat(dir, "log", F_OK, 0))
        return; /* it was never begun */
    if (audit_log_verify(dir, NULL, NULL, NULL, &v, &e))
        complain("audit: %s", e.msg);
    else if (!v.closed && !audit_may_fail)
        complain("audit: not closed");
}

static void check_files(const char *root, bool audit_may_fail)
{
    char copy[256];
    char *const roots[] = { copy, NULL };
    size_t n = strlen(root);
    FTSENT *f;

    snprintf(copy, sizeof(copy), "%s", root);

    FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);

    while (fts && (f = fts_read(fts))) {
        const char *path = f->fts_path + n;

        if (f->fts_info == FTS_D && fnmatch("/state/audit/*", path, FNM_PATHNAME) == 0)
            check_log(f->fts_path, f->fts_name, audit_may_fail);
        if (f->fts_info == FTS_D && (fnmatch("/state/sandboxes/*", path, FNM_PATHNAME) == 0 ||
                                     fnmatch("/data/cache/*", path, FNM_PATHNAME) == 0))
            complain("%s is there", path);
        if (f->fts_info != FTS_D && f->fts_info != FTS_DP && !may_stay(path))
            complain("%s is there", path);
    }
    if (fts)
        fts_close(fts);
}

/* Everything that was started by the life is a child of ours by now. */
static void check_processes(void)
{
    long until = now_ms() + IN_TIME_MS;
    pid_t pid;

    while ((pid = waitpid(-1, NULL, WNOHANG)) >= 0 && now_ms() < until)
        if (pid == 0)
            poll(NULL, 0, 2);
    if (pid >= 0)
        complain("a process lives on");
}

unsigned check_all(const char *root, const char *about, bool audit_may_fail)
{
    struct err e = ERR_INIT;
    struct store *s;

    bad = 0;
    title = about;
    s = store_open(&e);
    if (!s) {
        complain("%s", e.msg);
        return bad;
    }
    each_box(s, settle);

    long before = now_ms();

    each_box(s, reconcile);
    each_box(s, is_the_truth);

    while (waitpid(-1, NULL, WNOHANG) > 0)
        ; /* as init would: one that is not reaped still has its pid */

    struct gc g = { .store = s, .tell = heard };

    if (gc_run(&g, &e))
        complain("gc: %s", e.msg);
    if (now_ms() - before > IN_TIME_MS)
        complain("all reconciled in %ld ms", now_ms() - before);
    g.arg = &g; /* it has nothing left to do */
    if (gc_run(&g, &e))
        complain("gc: %s", e.msg);
    store_close(s);
    check_processes();
    check_files(root, audit_may_fail);
    return bad;
}
