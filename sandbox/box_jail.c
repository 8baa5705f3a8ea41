/* box_jail.c - see box_jail.h. */
#include "sandbox/box_jail.h"

#include "base/failpoint.h"
#include "base/fd.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define FILE_MAX 65536u

static const char *const names[BOX_PROCESSES] = { "jail.json", "files.json" };

static const char *const spaces[BOX_SPACES] = {
    "user", "pid", "mnt", "ipc", "uts", "net", "cgroup"
};
static const char *const layers[] = {
#define X(id, name, what) [JAIL_##id] = (name),
    JAIL_LAYERS_LIST(X)
#undef X
};
static const char *const limits[JAIL_LIMITS_N] = { "nofile", "fsize", "memlock", "nproc" };
static const char *const outcomes[] = { "not-asked", "applied", "absent" };
static const char *const levels[] = { "off", "preferred", "required" };

const char *box_space_name(unsigned i)
{
    return i < BOX_SPACES ? spaces[i] : "?";
}

const char *box_layer_name(unsigned layer)
{
    return layer < JAIL_LAYERS ? layers[layer] : "?";
}

const char *box_outcome_name(unsigned outcome)
{
    return outcome < array_len(outcomes) ? outcomes[outcome] : "?";
}

const char *box_level_name(unsigned level)
{
    return level < array_len(levels) ? levels[level] : "?";
}

uint64_t box_space_of(pid_t pid, unsigned i)
{
    char path[64];
    struct stat st;

    snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, box_space_name(i));
    return stat(path, &st) ? 0 : (uint64_t)st.st_ino;
}

/* ---- what it leaves behind ---- */

#define SWEEP_TRIES 100 /* of 5 ms: the last process of a cgroup may still be on its way out */

/* The directory above what could be a cgroup of sandbox id, wherever its path leads; -1. */
static int open_above(const char *path, const char *id, const char **leaf)
{
    const char *base = strrchr(path, '/');
    auto_fd int dir = -1;
    char above[160];
    struct statfs fs;

    if (path[0] != '/' || strncmp(base, "/carrel-", 8) != 0 || strcmp(base + 8, id) != 0)
        return -1;
    snprintf(above, sizeof(above), "%.*s", (int)(base - path), path);
    dir = open(above, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || fstatfs(dir, &fs) ||
        (fs.f_type != CGROUP2_SUPER_MAGIC && fs.f_type != CGROUP_SUPER_MAGIC))
        return -1;
    *leaf = base + 1;
    return fd_steal(&dir);
}

static bool remove_leaf(int dir, const char *leaf)
{
    const struct timespec pause = { 0, 5000000 };
    int tries = SWEEP_TRIES;

    while (tries && (FAILPOINT("cgroup.rmdir") || unlinkat(dir, leaf, AT_REMOVEDIR)) &&
           errno == EBUSY && --tries)
        nanosleep(&pause, NULL);
    return tries;
}

bool box_sweep_jail(const struct box_jail *j)
{
    bool clean = true;

    for (uint32_t i = 0; i < j->ncgroups; i++)
        clean = remove_leaf(AT_FDCWD, j->cgroup[i]) && clean;
    return clean;
}

bool box_has_leaves(int dirfd, const char *id)
{
    struct box_jail j;
    bool found = false;

    if (!faccessat(dirfd, names[BOX_ENGINE], F_OK, AT_SYMLINK_NOFOLLOW) &&
        !box_load_jail(dirfd, BOX_ENGINE, &j, NULL))
        for (uint32_t i = 0; i < j.ncgroups && !found; i++) {
            const char *leaf;
            auto_fd int dir = open_above(j.cgroup[i], id, &leaf);

            found = dir >= 0 && !faccessat(dir, leaf, F_OK, AT_SYMLINK_NOFOLLOW);
        }
    return found;
}

void box_sweep_jail_of(int dirfd, const char *id)
{
    struct box_jail j;

    if (box_load_jail(dirfd, BOX_ENGINE, &j, NULL))
        return;
    for (uint32_t i = 0; i < j.ncgroups; i++) {
        const char *leaf;
        auto_fd int dir = open_above(j.cgroup[i], id, &leaf);

        if (dir >= 0)
            remove_leaf(dir, leaf);
    }
}

/* ---- to JSON ---- */

static json_t *number(uint64_t n)
{
    return json_integer(n > INT64_MAX ? -1 : (json_int_t)n);
}

static json_t *layers_to_json(const struct box_jail *j)
{
    json_t *o = json_object();

    for (unsigned i = 0; i < JAIL_LAYERS; i++)
        json_object_set_new(o, layers[i],
                            json_pack("{s:s, s:s, s:i}", "level", box_level_name(j->level[i]),
                                      "outcome", box_outcome_name(j->outcome[i]), "error",
                                      (int)j->error[i]));
    return o;
}

static json_t *to_json(const struct box_jail *j)
{
    json_t *o = json_pack("{s:s, s:i, s:o, s:o, s:i, s:o}", "engine", j->engine, "pid", (int)j->pid,
                          "start", number(j->start), "uid", number(j->uid), "landlock",
                          (int)j->landlock, "layers", layers_to_json(j));
    json_t *lim = json_object(), *sp = json_object(), *files = json_array(), *cg = json_array();

    for (unsigned i = 0; i < JAIL_LIMITS_N; i++)
        json_object_set_new(lim, limits[i], number(j->limit[i]));
    for (unsigned i = 0; i < BOX_SPACES; i++)
        json_object_set_new(sp, spaces[i], number(j->space[i]));
    for (uint32_t i = 0; i < j->nfiles; i++)
        json_array_append_new(files,
                              json_pack("[o, o]", number(j->file[i].dev), number(j->file[i].ino)));
    for (uint32_t i = 0; i < j->ncgroups; i++)
        json_array_append_new(cg, json_string(j->cgroup[i]));
    json_object_set_new(o, "limits", lim);
    json_object_set_new(o, "namespaces", sp);
    json_object_set_new(o, "files", files);
    json_object_set_new(o, "cgroups", cg);
    json_object_set_new(o, "memory_max", number(j->memory_max));
    json_object_set_new(o, "pids_max", number(j->pids_max));
    return o;
}

int box_save_jail(int dirfd, enum box_process which, const struct box_jail *j, struct err *e)
{
    json_t *o = to_json(j);
    char *text = o ? json_dumps(o, JSON_INDENT(2)) : NULL;
    int err = FAILPOINT("jail.save") ? err_sys(e, "%s", names[which])
              : text                 ? io_store(dirfd, names[which], text, strlen(text), 0600, e)
                                     : err_set(e, ENOMEM, "%s: out of memory", names[which]);

    free(text);
    json_decref(o);
    return err;
}

/* ---- from JSON ---- */

static uint64_t get(const json_t *o, const char *key)
{
    json_int_t n = json_integer_value(json_object_get(o, key));

    return n < 0 ? UINT64_MAX : (uint64_t)n;
}

static unsigned word(const json_t *o, const char *key, const char *const *list, unsigned n)
{
    const char *s = json_string_value(json_object_get(o, key));

    for (unsigned i = 0; s && i < n; i++)
        if (strcmp(s, list[i]) == 0)
            return i;
    return 0;
}

static void from_json(const json_t *o, struct box_jail *j)
{
    const char *engine = json_string_value(json_object_get(o, "engine"));
    const json_t *files = json_object_get(o, "files"), *cg = json_object_get(o, "cgroups");

    snprintf(j->engine, sizeof(j->engine), "%s", engine ? engine : "");
    j->pid = (pid_t)get(o, "pid");
    j->start = get(o, "start");
    j->uid = (uint32_t)get(o, "uid");
    j->landlock = (uint32_t)get(o, "landlock");
    for (unsigned i = 0; i < JAIL_LAYERS; i++) {
        const json_t *l = json_object_get(json_object_get(o, "layers"), layers[i]);

        j->level[i] = (uint8_t)word(l, "level", levels, array_len(levels));
        j->outcome[i] = (uint8_t)word(l, "outcome", outcomes, array_len(outcomes));
        j->error[i] = (int32_t)get(l, "error");
    }
    for (unsigned i = 0; i < JAIL_LIMITS_N; i++)
        j->limit[i] = get(json_object_get(o, "limits"), limits[i]);
    for (unsigned i = 0; i < BOX_SPACES; i++)
        j->space[i] = get(json_object_get(o, "namespaces"), spaces[i]);
    for (size_t i = 0; i < json_array_size(files) && j->nfiles < JAIL_FDS_MAX; i++) {
        const json_t *f = json_array_get(files, i);

        j->file[j->nfiles++] =
            (struct box_file){ (uint64_t)json_integer_value(json_array_get(f, 0)),
                               (uint64_t)json_integer_value(json_array_get(f, 1)) };
    }
    for (size_t i = 0; i < json_array_size(cg) && j->ncgroups < JAIL_CGROUPS_MAX; i++) {
        const char *path = json_string_value(json_array_get(cg, i));

        snprintf(j->cgroup[j->ncgroups++], sizeof(j->cgroup[0]), "%s", path ? path : "");
    }
    j->memory_max = get(o, "memory_max");
    j->pids_max = get(o, "pids_max");
}

void box_forget_jail(int dirfd, enum box_process which)
{
    unlinkat(dirfd, names[which], 0); /* only a record: one too many names a process that is gone */
}

int box_load_jail(int dirfd, enum box_process which, struct box_jail *j, struct err *e)
{
    json_error_t bad;
    size_t len;
    char *text = io_load(dirfd, names[which], FILE_MAX, &len, e);
    json_t *o = text ? json_loadb(text, len, JSON_REJECT_DUPLICATES, &bad) : NULL;

    *j = (struct box_jail){ 0 };
    if (!text)
        return -ENOENT;
    free(text);
    if (!json_is_object(o)) {
        json_decref(o);
        return err_set(e, EINVAL, "%s is not what a keeper wrote", names[which]);
    }
    from_json(o, j);
    json_decref(o);
    return 0;
}
