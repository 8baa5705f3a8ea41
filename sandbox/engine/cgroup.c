/* cgroup.c - see cgroup.h. */
#include "sandbox/engine/cgroup.h"

#include "base/failpoint.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

static const char *const wanted[] = { "memory", "pids", "cpu" };

#define WANTED array_len(wanted)

/* ---- which hierarchies there are ---- */

struct hierarchy {
    char mount[96]; /* "" none */
    char root[96];  /* the part of the hierarchy that is mounted there */
    char own[128];  /* our cgroup in the hierarchy */
};

struct host {
    struct hierarchy v2, v1[WANTED];
};

static bool in_list(const char *list, const char *word)
{
    size_t n = strlen(word);

    for (const char *at = list; (at = strstr(at, word)); at += n)
        if ((at == list || at[-1] == ',') && (!at[n] || at[n] == ',' || at[n] == '\n'))
            return true;
    return false;
}

/* proc_pid_mountinfo(5): … root mount options … - type source superoptions */
static void read_mounts(struct host *h, FILE *f)
{
    char line[1024], root[96], mount[96], type[16], super[256];

    while (fgets(line, sizeof(line), f)) {
        const char *tail = strstr(line, " - ");

        if (!tail || sscanf(line, "%*s %*s %*s %95s %95s", root, mount) != 2 ||
            sscanf(tail, " - %15s %*s %255s", type, super) != 2)
            continue;

        struct hierarchy found = { 0 };

        snprintf(found.mount, sizeof(found.mount), "%s", mount);
        snprintf(found.root, sizeof(found.root), "%s", strcmp(root, "/") ? root : "");
        if (!strcmp(type, "cgroup2") && !h->v2.mount[0])
            h->v2 = found;
        for (unsigned i = 0; i < WANTED && !strcmp(type, "cgroup"); i++)
            if (in_list(super, wanted[i]) && !h->v1[i].mount[0])
                h->v1[i] = found;
    }
}

/* cgroups(7): ID:CONTROLLERS:PATH, and 0::PATH for version 2. */
static void read_own(struct host *h, FILE *f)
{
    char line[512];

    while (fgets(line, sizeof(line), f)) {
        char *list = strchr(line, ':'), *path = list ? strchr(list + 1, ':') : NULL;

        if (!path)
            continue;
        line[strcspn(line, "\n")] = '\0';
        *path++ = '\0';
        if (!strcmp(list, ":"))
            snprintf(h->v2.own, sizeof(h->v2.own), "%.127s", path);
        for (unsigned i = 0; i < WANTED; i++)
            if (in_list(list + 1, wanted[i]))
                snprintf(h->v1[i].own, sizeof(h->v1[i].own), "%.127s", path);
    }
}

/* The directory of our own cgroup; false when it lies outside what is mounted. */
static bool own_dir(const struct hierarchy *h, char out[160])
{
    size_t n = strlen(h->root);
    const char *below = h->own;

    if (!h->mount[0] || !h->own[0])
        return false;
    if (n && !strncmp(below, h->root, n) && (below[n] == '/' || !below[n]))
        below += n;
    if (!strcmp(below, "/"))
        below = "";
    return !strstr(below, "..") && snprintf(out, 160, "%s%s", h->mount, below) < 160;
}

/* ---- files ---- */

static bool read_file(const char *dir, const char *name, char out[256])
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", dir, name);

    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, 255);

    out[n > 0 ? n : 0] = '\0';
    return n >= 0;
}

static int write_file(const char *dir, const char *name, const char *text)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", dir, name);

    auto_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -errno;
}

/* "memory pids" has "memory". */
static bool has_word(const char *text, const char *word)
{
    size_t n = strlen(word);

    for (const char *at = text; (at = strstr(at, word)); at += n)
        if ((at == text || at[-1] == ' ') && (!at[n] || at[n] == ' ' || at[n] == '\n'))
            return true;
    return false;
}

/* May children of this cgroup have all controllers? Version 2: not beside processes. */
static bool gives_all(const char *dir)
{
    char text[256];

    if (access(dir, W_OK) || !read_file(dir, "cgroup.controllers", text))
        return false;
    for (unsigned i = 0; i < WANTED; i++)
        if (!has_word(text, wanted[i]))
            return false;
    for (unsigned i = 0; i < WANTED; i++) {
        char plus[16];

        if (!read_file(dir, "cgroup.subtree_control", text))
            return false;
        snprintf(plus, sizeof(plus), "+%s", wanted[i]);
        if (!has_word(text, wanted[i]) && write_file(dir, "cgroup.subtree_control", plus))
            return false;
    }
    return true;
}

/* ---- the plan ---- */

static int add_leaf(struct box_jail *b, const char *dir, const char *id, struct err *e)
{
    int n = snprintf(b->cgroup[b->ncgroups], sizeof(b->cgroup[0]), "%s/carrel-%s", dir, id);

    if (n < 0 || (size_t)n >= sizeof(b->cgroup[0]))
        return err_set(e, ENAMETOOLONG, "cgroup %s", dir);
    b->ncgroups++;
    return 0;
}

int cgroup_plan_from(FILE *mountinfo, FILE *own, struct box_jail *b, const char *id, struct err *e)
{
    struct host h = { 0 };
    char dir[160];
    int err = 0;

    b->ncgroups = 0;
    read_mounts(&h, mountinfo);
    read_own(&h, own);
    if (own_dir(&h.v2, dir)) /* upwards, until somebody may have children with limits */
        for (size_t top = strlen(h.v2.mount); strlen(dir) >= top; *strrchr(dir, '/') = '\0')
            if (gives_all(dir))
                return add_leaf(b, dir, id, e);
    for (unsigned i = 0; i < WANTED && !err; i++) {
        if (!own_dir(&h.v1[i], dir) || access(dir, W_OK))
            err = err_set(e, ENOENT, "no cgroup for %s that this user may make", wanted[i]);
        for (unsigned k = 0; k < i && !err; k++) /* cpu and memory may be one hierarchy */
            if (!strcmp(h.v1[k].mount, h.v1[i].mount))
                goto next;
        if (!err)
            err = add_leaf(b, dir, id, e);
    next:;
    }
    if (err)
        b->ncgroups = 0;
    return err;
}

int cgroup_plan(struct box_jail *b, const char *id, struct err *e)
{
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    FILE *own = fopen("/proc/self/cgroup", "re");
    int err = mounts && own ? cgroup_plan_from(mounts, own, b, id, e) : err_sys(e, "cgroups");

    if (mounts)
        fclose(mounts);
    if (own)
        fclose(own);
    return err;
}

/* ---- the leaves ---- */

/* A hierarchy of version 1 has some of the files, and a kernel without swap not all; one that is
 * there must take the value. */
static int set_limits(const char *dir, const struct cgroup_value *v, uint32_t n, struct err *e)
{
    char any[256];
    const uint8_t version = read_file(dir, "cgroup.controllers", any) ? 2 : 1;

    for (uint32_t i = 0; i < n; i++) {
        int err = v[i].version == version ? write_file(dir, v[i].file, v[i].value) : 0;

        if (err && err != -ENOENT)
            return err_set(e, -err, "%s/%s: %s", dir, v[i].file, strerror(-err));
    }
    return 0;
}

static int make_leaf(struct jail *j, const char *dir, const struct cgroup_value *v, uint32_t n,
                     struct err *e)
{
    char path[256];

    if ((FAILPOINT("cgroup.mkdir") || mkdir(dir, 0755)) && errno != EEXIST)
        return err_sys(e, "%s", dir);
    if (FAILPOINT("cgroup.limits"))
        return err_sys(e, "%s", dir);
    if (set_limits(dir, v, n, e))
        return -e->code;
    snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
    j->cgroup_fd[j->ncgroups] =
        FAILPOINT("cgroup.open") ? -1 : open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (j->cgroup_fd[j->ncgroups] < 0)
        return err_sys(e, "%s", path);
    j->ncgroups++;
    return 0;
}

int cgroup_make(struct jail *j, const struct box_jail *b, const struct cgroup_value *v, uint32_t n,
                struct err *e)
{
    int err = 0;

    for (uint32_t i = 0; i < b->ncgroups && !err; i++)
        err = make_leaf(j, b->cgroup[i], v, n, e);
    if (err) {
        while (j->ncgroups)
            fd_closep(&j->cgroup_fd[--j->ncgroups]);
        box_sweep_jail(b);
    }
    return err;
}

bool cgroup_had_oom(const struct box_jail *b)
{
    static const char *const files[] = { "memory.events", "memory.oom_control" };
    char text[256];

    for (uint32_t i = 0; i < b->ncgroups; i++)
        for (size_t k = 0; k < array_len(files); k++) {
            const char *at =
                read_file(b->cgroup[i], files[k], text) ? strstr(text, "\noom_kill ") : NULL;

            if (at && at[strlen("\noom_kill ")] != '0')
                return true;
        }
    return false;
}
