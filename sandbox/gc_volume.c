/* gc_volume.c - memory volumes: what was to become a version, and notes of sandboxes that are gone.
 * A version, and what an ended sandbox has not handed in yet, is never touched. */
#include "sandbox/gc_parts.h"

#include "base/fd.h"
#include "base/io.h"
#include "base/own.h"
#include "sandbox/store_dirs.h"
#include "sandbox/volume/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static void drop(struct gc *g, const char *kind, int dir, const char *where, const char *name)
{
    struct err e = ERR_INIT;
    char path[560];
    int err = 0;

    snprintf(path, sizeof(path), "%s/%s", where, name);
    if (!g->dry && unlinkat(dir, name, 0) && errno != ENOENT)
        err = err_sys(&e, "%s", path);
    gc_tell(g, kind, path, "removed", err, &e);
}

/* "N.from" comes before "N.img", and goes after it. */
static bool is_half(int dir, const char *name)
{
    char image[48], *end;

    strtoull(name, &end, 10);
    if (*name < '1' || *name > '9' || strcmp(end, ".from") != 0)
        return false;
    return snprintf(image, sizeof(image), "%.*s.img", (int)(end - name), name) < 48 &&
           faccessat(dir, image, F_OK, AT_SYMLINK_NOFOLLOW) && errno == ENOENT;
}

static void one_file(struct gc *g, int dir, const char *where, const char *name)
{
    if (strcmp(name, MEMORY_DRAFT) == 0 || is_half(dir, name))
        drop(g, "file", dir, where, name);
}

/* Nobody can hand in what a removed sandbox had. */
static void judge_note(struct gc *g, int dir, const char *where)
{
    char id[BOX_ID_LEN + 1] = "";
    size_t len = 0;
    auto_str char *text = io_load(dir, MEMORY_PENDING, BOX_ID_LEN + 1, &len, NULL);

    if (text && len >= BOX_ID_LEN)
        memcpy(id, text, BOX_ID_LEN);
    if (text && (!store_is_id(id) ||
                 (faccessat(g->store->boxes, id, F_OK, AT_SYMLINK_NOFOLLOW) && errno == ENOENT)))
        drop(g, "note", dir, where, MEMORY_PENDING);
}

static void one_volume(struct gc *g, int dirfd, const char *top, const char *name)
{
    auto_fd int dir = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    auto_fd int lock = dir < 0 ? -1 : openat(dir, "lock", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    char where[300];

    if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB))
        return; /* never used; somebody's now */
    snprintf(where, sizeof(where), "%s/%s", top, name);
    gc_files(g, dir, where);
    gc_each(g, dir, ".", where, one_file);
    judge_note(g, dir, where);
}

void gc_volumes(struct gc *g, int state)
{
    gc_each(g, state, "volumes", "volumes", one_volume);
}
