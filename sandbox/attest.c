/* attest.c - see attest.h. */
#include "sandbox/attest.h"

#include "sandbox/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct report {
    const struct box_jail *j;
    struct attest_line *lines;
    unsigned n;
};

static struct attest_line *add(struct report *r, const char *what, enum attest_answer a,
                               const char *recorded, const char *found)
{
    struct attest_line *l = &r->lines[r->n];

    if (r->n == ATTEST_LINES)
        return l - 1; /* there are fewer kinds of lines */
    r->n++;
    *l = (struct attest_line){ .what = what, .answer = a };
    snprintf(l->recorded, sizeof(l->recorded), "%s", recorded);
    snprintf(l->found, sizeof(l->found), "%s", found);
    return l;
}

static void compare(struct report *r, const char *what, const char *recorded, const char *found)
{
    add(r, what, strcmp(recorded, found) ? ATTEST_DIFFERENT : ATTEST_SAME, recorded, found);
}

static bool applied(const struct report *r, enum jail_layer l)
{
    return r->j->outcome[l] == JAIL_APPLIED;
}

/* ---- /proc/PID/status, of every thread ---- */

static bool status_word(const char *path, const char *key, char out[96])
{
    size_t n = strlen(key);
    char line[512];
    FILE *f = fopen(path, "re");
    bool found = false;

    while (f && !found && fgets(line, sizeof(line), f)) {
        found = !strncmp(line, key, n) && line[n] == ':';
        if (found) {
            line[strcspn(line, "\n")] = '\0';
            snprintf(out, 96, "%.95s", line + n + 1 + strspn(line + n + 1, "\t "));
            for (char *tab = out; (tab = strchr(tab, '\t'));)
                *tab = ' ';
        }
    }
    if (f)
        fclose(f);
    return found;
}

/* The value that all threads have; "differs" when one has another. */
static void of_threads(pid_t pid, const char *key, char out[96])
{
    char dir[64], path[128], text[96];
    struct dirent *de;
    DIR *d;

    snprintf(dir, sizeof(dir), "/proc/%d/task", (int)pid);
    snprintf(out, 96, "unseen");
    d = opendir(dir);
    for (bool first = true; d && (de = readdir(d));) {
        char *end;
        long tid = strtol(de->d_name, &end, 10);

        if (*end || tid <= 0)
            continue;
        snprintf(path, sizeof(path), "%s/%ld/status", dir, tid);
        if (!status_word(path, key, text))
            continue; /* it ended meanwhile */
        if (first)
            snprintf(out, 96, "%s", text);
        else if (strcmp(out, text) != 0)
            snprintf(out, 96, "differs between threads: %.60s", text);
        first = false;
    }
    if (d)
        closedir(d);
}

static void check_status(struct report *r)
{
    static const char *const caps[] = { "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb" };
    char found[96], want[96];

    of_threads(r->j->pid, "Uid", found); /* real, effective, saved, of files */
    snprintf(want, sizeof(want), "%u %u %u %u", r->j->uid, r->j->uid, r->j->uid, r->j->uid);
    compare(r, "uid", want, found);
    for (size_t i = 0; i < array_len(caps) && applied(r, JAIL_CAPS); i++) {
        of_threads(r->j->pid, caps[i], found);
        compare(r, caps[i], "0000000000000000", found);
    }
    if (applied(r, JAIL_NO_NEW_PRIVS)) {
        of_threads(r->j->pid, "NoNewPrivs", found);
        compare(r, "no-new-privs", "1", found);
    }
    if (applied(r, JAIL_SECCOMP)) {
        of_threads(r->j->pid, "Seccomp", found);
        compare(r, "seccomp", "2", found);
    }
    if (applied(r, JAIL_PIDS)) {
        snprintf(want, sizeof(want), "%d 1", (int)r->j->pid);
        snprintf(found, sizeof(found), "unseen");

        char path[64];

        snprintf(path, sizeof(path), "/proc/%d/status", (int)r->j->pid);
        status_word(path, "NSpid", found);
        compare(r, "pids", want, found);
    }
}

/* ---- namespaces, root ---- */

static void check_spaces(struct report *r)
{
    static const char *const names[BOX_SPACES] = { "ns/user", "ns/pid", "ns/mnt",   "ns/ipc",
                                                   "ns/uts",  "ns/net", "ns/cgroup" };

    for (unsigned i = 0; i < BOX_SPACES; i++) {
        uint64_t now = box_space_of(r->j->pid, i);
        char want[96], found[96];

        if (!r->j->space[i])
            continue;
        snprintf(want, sizeof(want), "%" PRIu64, r->j->space[i]);
        snprintf(found, sizeof(found), "%" PRIu64, now);
        add(r, names[i],
            !now                    ? ATTEST_UNSEEN
            : now == r->j->space[i] ? ATTEST_SAME
                                    : ATTEST_DIFFERENT,
            want, now ? found : "unseen");
    }
}

/* An empty root holds no mount but itself, and that read-only. */
static void check_root(struct report *r)
{
    char path[64], line[512], found[96];
    unsigned mounts = 0, writable = 0;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)r->j->pid);
    f = fopen(path, "re");
    if (!applied(r, JAIL_ROOT) || !f) {
        if (f)
            fclose(f);
        else
            add(r, "root", ATTEST_UNSEEN, "1 mount, 0 writable", "unseen");
        return;
    }
    while (fgets(line, sizeof(line), f)) {
        char options[64] = "";

        mounts++;
        writable += sscanf(line, "%*s %*s %*s %*s %*s %63s", options) != 1 ||
                    strncmp(options, "ro", 2) != 0;
    }
    fclose(f);
    snprintf(found, sizeof(found), "%u mount%s, %u writable", mounts, mounts == 1 ? "" : "s",
             writable);
    compare(r, "root", "1 mount, 0 writable", found);
}

/* ---- limits, cgroups ---- */

static void limit_text(uint64_t n, char out[96])
{
    if (n == UINT64_MAX)
        snprintf(out, 96, "unlimited");
    else
        snprintf(out, 96, "%" PRIu64, n);
}

static void check_limits(struct report *r)
{
    static const struct {
        const char *what, *line;
    } names[JAIL_LIMITS_N] = { { "limit nofile", "Max open files" },
                               { "limit fsize", "Max file size" },
                               { "limit memlock", "Max locked memory" },
                               { "limit nproc", "Max processes" } };
    char path[64], line[256], want[96], soft[32], hard[32];
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/limits", (int)r->j->pid);
    f = fopen(path, "re");
    while (f && applied(r, JAIL_LIMITS) && fgets(line, sizeof(line), f))
        for (unsigned i = 0; i < JAIL_LIMITS_N; i++) {
            size_t n = strlen(names[i].line);

            if (strncmp(line, names[i].line, n) != 0 || r->j->limit[i] == UINT64_MAX ||
                sscanf(line + n, "%31s %31s", soft, hard) != 2)
                continue;
            limit_text(r->j->limit[i], want);
            compare(r, names[i].what, want, strcmp(soft, hard) ? "soft and hard differ" : soft);
        }
    if (f)
        fclose(f);
}

/* Each recorded leaf is the end of one line of /proc/PID/cgroup, and its limit is in force. */
static void check_cgroups(struct report *r)
{
    char path[256], text[4096] = "", value[32] = "", want[96];
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)r->j->pid);
    f = fopen(path, "re");
    if (f) {
        text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
        fclose(f);
    }
    for (uint32_t i = 0; i < r->j->ncgroups && applied(r, JAIL_CGROUP); i++) {
        const char *leaf = strrchr(r->j->cgroup[i], '/');
        /* Bytes less than a page are not counted. No plan that starts has swap. */
        const uint64_t memory = r->j->memory_max & ~UINT64_C(4095);
        const struct {
            const char *name;
            uint64_t value;
        } files[] = { { "memory.max", memory },
                      { "memory.swap.max", 0 },
                      { "memory.limit_in_bytes", memory },
                      { "memory.memsw.limit_in_bytes", memory } };

        if (!leaf)
            continue;
        snprintf(want, sizeof(want), "%.90s", leaf + 1);
        compare(r, "cgroup", want, strstr(text, leaf) ? want : "another");
        for (size_t k = 0; k < array_len(files); k++) {
            snprintf(path, sizeof(path), "%s/%s", r->j->cgroup[i], files[k].name);
            f = fopen(path, "re");
            if (!f)
                continue;
            if (!fgets(value, sizeof(value), f))
                value[0] = '\0';
            fclose(f);
            value[strcspn(value, "\n")] = '\0';
            snprintf(want, sizeof(want), "%" PRIu64, files[k].value);
            compare(r, files[k].name, want, value);
        }
    }
}

/* ---- descriptors ---- */

static bool was_given(const struct box_jail *j, const struct stat *st)
{
    for (uint32_t i = 0; i < j->nfiles; i++)
        if (j->file[i].dev == st->st_dev && j->file[i].ino == st->st_ino)
            return true;
    return false;
}

/* The directories among them, as they are called now; what lies below was granted. */
struct granted {
    char path[JAIL_FDS_MAX][PATH_MAX];
    unsigned n;
};

static bool link_path(int dir, const char *name, char out[PATH_MAX])
{
    ssize_t n = readlinkat(dir, name, out, PATH_MAX - 1);

    out[n > 0 ? n : 0] = '\0';
    return out[0] == '/';
}

static void find_granted(const struct box_jail *j, DIR *d, struct granted *g)
{
    struct dirent *de;

    while ((de = readdir(d)) && g->n < JAIL_FDS_MAX) {
        struct stat st;

        if (!fstatat(dirfd(d), de->d_name, &st, 0) && S_ISDIR(st.st_mode) && was_given(j, &st))
            g->n += link_path(dirfd(d), de->d_name, g->path[g->n]);
    }
    rewinddir(d);
}

static bool is_granted(const struct granted *g, int dir, const char *name)
{
    char path[PATH_MAX];
    bool below = false;

    if (!link_path(dir, name, path))
        return false;
    for (unsigned i = 0; i < g->n && !below; i++) {
        size_t n = strlen(g->path[i]);

        below = !strncmp(path, g->path[i], n) && (path[n] == '/' || g->path[i][n - 1] == '/');
    }
    return below;
}

/* Pipes, sockets and the kernel's own objects aside, it holds nothing that it was not given, and
 * nothing that lies not below a directory that it was given. */
static void check_files(struct report *r)
{
    char dir[64], found[96];
    unsigned all = 0, strange = 0;
    struct granted *g;
    struct dirent *de;
    DIR *d;

    snprintf(dir, sizeof(dir), "/proc/%d/fd", (int)r->j->pid);
    d = opendir(dir);
    if (!d) {
        add(r, "files", ATTEST_UNSEEN, "none but those given", "unseen");
        return;
    }
    g = calloc(1, sizeof(*g));
    if (!g)
        abort();
    find_granted(r->j, d, g);
    while ((de = readdir(d))) {
        struct stat st;

        if (de->d_name[0] == '.')
            continue;
        all++;
        if (fstatat(dirfd(d), de->d_name, &st, 0))
            continue;
        if (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode) || S_ISDIR(st.st_mode) ||
            S_ISCHR(st.st_mode))
            strange += !was_given(r->j, &st) && !(S_ISREG(st.st_mode) && st.st_nlink == 0) &&
                       !is_granted(g, dirfd(d), de->d_name);
    }
    free(g);
    closedir(d);
    snprintf(found, sizeof(found), "%s", strange ? "others too" : "none but those given");
    compare(r, "files", "none but those given", found);
    snprintf(found, sizeof(found), "%u descriptors", all);
    add(r, "descriptors", ATTEST_SAME, found, found);
}

int attest(const struct box_jail *j, struct attest_line out[ATTEST_LINES], struct err *e)
{
    struct report r = { .j = j, .lines = out };

    if (!proc_runs(j->pid, j->start))
        return err_set(e, j->pid ? ESRCH : EAGAIN,
                       j->pid ? "the process that was launched, %d, is not there"
                              : "its jail is not told yet: try again (process %d)",
                       (int)j->pid);
    check_status(&r);
    check_spaces(&r);
    if (strcmp(j->engine, "qemu") != 0)
        check_root(&r);
    check_limits(&r);
    check_cgroups(&r);
    if (strcmp(j->engine, "qemu") != 0)
        check_files(&r);
    if (applied(&r, JAIL_LANDLOCK))
        add(&r, "landlock", ATTEST_UNSEEN, "applied", "the kernel does not tell");
    return (int)r.n;
}
