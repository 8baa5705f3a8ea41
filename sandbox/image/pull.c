/* pull.c - see pull.h. */
#include "sandbox/image/pull.h"

#include "base/fd.h"
#include "sandbox/image/data.h"
#include "sandbox/image/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { REF_MAX = 512 };

static bool only_owner_writes(const struct stat *st, uid_t owner)
{
    return st->st_uid == owner && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

int pull_find(const char *const dirs[], const char *program, uid_t owner, char path[PATH_MAX],
              struct err *e)
{
    for (size_t i = 0; dirs[i]; i++) {
        auto_fd int dir = open(dirs[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
        struct stat d, f;

        if (dir < 0 || fstat(dir, &d) || fstatat(dir, program, &f, 0))
            continue;
        if (S_ISREG(f.st_mode) && f.st_mode & S_IXUSR && only_owner_writes(&d, owner) &&
            only_owner_writes(&f, owner) &&
            snprintf(path, PATH_MAX, "%s/%s", dirs[i], program) < PATH_MAX)
            return 0;
    }
    return err_set(e, ENOENT, "%s is not installed", program);
}

/* What a registry's reference is made of; never an option, another transport or a shell's word. */
static int check_ref(const char *ref, struct err *e)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "0123456789._-/:@";
    size_t len = strlen(ref);

    if (len == 0 || len > REF_MAX || strspn(ref, good) != len || *ref == '-' || *ref == '/')
        return err_set(e, EINVAL, "\"%.100s\": not a reference (like docker.io/library/debian:12)",
                       ref);
    return 0;
}

int pull_with(const char *skopeo, const char *name, const char *ref, const struct import_options *o,
              image_progress *say, void *arg, struct err *e)
{
    cleanup_with(data_tmp_free) struct data_tmp t = DATA_TMP_INIT;
    char from[REF_MAX + 16], to[PATH_MAX + 8], layout[PATH_MAX];
    const char *const argv[] = {
        skopeo, "copy", "--override-os", "linux", "--override-arch", "amd64", from, to, NULL
    };
    struct import_options mine = *o;
    int err = data_check_name("image", name, e);

    if (!err)
        err = check_ref(ref, e);
    if (!err)
        err = data_tmp_new(&t, e);
    if (err)
        return err;
    snprintf(from, sizeof(from), "docker://%s", ref);
    if (strchr(t.path, ':'))
        return err_set(e, EINVAL, "%s: skopeo takes no directory with \":\" in its name", t.path);
    if (snprintf(layout, sizeof(layout), "%s/layout", t.path) >= (int)sizeof(layout))
        return err_set(e, ENAMETOOLONG, "%s: path too long", t.path);
    snprintf(to, sizeof(to), "oci:%s", layout);
    err = tool_run(argv, t.path, NULL, say, arg, e);
    if (err)
        return err;
    mine.source = from;
    return image_import(name, layout, &mine, say, arg, e);
}

int image_pull(const char *name, const char *ref, const struct import_options *o,
               image_progress *say, void *arg, struct err *e)
{
    static const char *const places[] = { "/usr/bin", "/usr/local/bin", "/bin", NULL };
    char path[PATH_MAX];
    int err = pull_find(places, "skopeo", 0, path, e);

    return err ? err : pull_with(path, name, ref, o, say, arg, e);
}
