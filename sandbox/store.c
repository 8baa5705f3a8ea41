/*
 * store.c - see store.h: making, finding and listing sandboxes.
 *
 * A sandbox is prepared in a directory whose name begins with a dot and appears by one rename; it
 * disappears the same way. What a crash leaves behind therefore never looks like a sandbox, and is
 * deleted by the next create.
 */
#include "sandbox/store.h"

#include "base/failpoint.h"
#include "base/fd.h"
#include "base/own.h"
#include "sandbox/places.h"
#include "sandbox/store_dirs.h"
#include "sandbox/words.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#define NAME_TRIES 64

static int open_sub(int root, const char *name, struct err *e)
{
    if ((FAILPOINT("store.open.mkdir") || mkdirat(root, name, 0700)) && errno != EEXIST)
        return err_sys(e, "state directory: %s", name);

    auto_fd int fd = openat(root, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;

    if (fd < 0 || fstat(fd, &st))
        return err_sys(e, "state directory: %s", name);
    /* Who could put files here could give a machine any file of ours for a disk (H01). */
    if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
        return err_set(e, EPERM, "state directory: %s: another user can write to it", name);
    return fd_steal(&fd);
}

struct store *store_open(struct err *e)
{
    auto_str char *path = places_state_dir(e);
    auto_fd int root = path ? places_open_dir(path, e) : -1;
    struct store *s = root >= 0 ? malloc(sizeof(*s)) : NULL;

    if (!s) {
        if (root >= 0)
            err_set(e, ENOMEM, "out of memory");
        return NULL;
    }
    *s = (struct store){ .boxes = -1, .names = -1, .born = -1, .client = -1 };
    s->boxes = open_sub(root, "sandboxes", e);
    s->names = s->boxes < 0 ? -1 : open_sub(root, "names", e);
    if (s->names < 0) {
        store_close(s);
        return NULL;
    }
    return s;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    fd_closep(&s->boxes);
    fd_closep(&s->names);
    fd_closep(&s->born);
    fd_closep(&s->client);
    free(s);
}

/* ---- names and ids ---- */

bool store_is_id(const char *s)
{
    size_t n = strspn(s, "0123456789abcdef");

    return n > 0 && n <= BOX_ID_LEN && s[n] == '\0';
}

static bool is_name(const char *s)
{
    static const char more[] = "abcdefghijklmnopqrstuvwxyz0123456789_.-";
    size_t n = strspn(s, more);

    return n > 0 && n <= BOX_NAME_MAX && s[n] == '\0' && !strchr("_.-", s[0]);
}

/* Where a name leads; false when nowhere, or at something that is not an id. */
static bool read_name(struct store *s, const char *name, char id[BOX_ID_LEN + 1])
{
    char to[BOX_ID_LEN + 2];
    ssize_t n = readlinkat(s->names, name, to, sizeof(to) - 1);

    if (n != BOX_ID_LEN)
        return false;
    to[n] = '\0';
    if (!store_is_id(to))
        return false;
    memcpy(id, to, BOX_ID_LEN + 1);
    return true;
}

static bool box_exists(struct store *s, const char *id)
{
    return faccessat(s->boxes, id, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int store_lock_names(struct store *s, struct err *e)
{
    auto_fd int fd = openat(s->names, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || FAILPOINT("store.names.lock") || flock(fd, LOCK_EX))
        return err_sys(e, "state directory: names");
    return fd_steal(&fd);
}

static void drop(struct store *s, const char *name, const char *id)
{
    char to[BOX_ID_LEN + 1];

    if (is_name(name) && read_name(s, name, to) && !strcmp(to, id) &&
        !FAILPOINT("store.name.unlink"))
        unlinkat(s->names, name, 0);
}

void store_drop_name(struct store *s, const char *name, const char *id)
{
    auto_fd int lock = store_lock_names(s, NULL);

    if (lock < 0)
        return;
    if (name) {
        drop(s, name, id);
        return;
    }

    int own = openat(s->names, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    auto_dir DIR *d = own < 0 ? NULL : fdopendir(own);
    const struct dirent *de;

    if (!d)
        fd_closep(&own);
    while (d && (de = readdir(d)))
        drop(s, de->d_name, id);
}

/* With the names locked: makes name free if nothing is behind it. */
static bool name_is_free(struct store *s, const char *name)
{
    char to[BOX_ID_LEN + 1];

    if (read_name(s, name, to) && box_exists(s, to))
        return false;
    return unlinkat(s->names, name, 0) == 0 || errno == ENOENT;
}

static int random_bytes(void *out, size_t len, struct err *e)
{
    return getrandom(out, len, 0) == (ssize_t)len ? 0 : err_sys(e, "random numbers");
}

static int choose_id(struct store *s, char id[BOX_ID_LEN + 1], struct err *e)
{
    uint64_t r;

    do {
        if (random_bytes(&r, sizeof(r), e))
            return -EIO;
        snprintf(id, BOX_ID_LEN + 1, "%012llx", (unsigned long long)(r >> 16));
    } while (box_exists(s, id));
    return 0;
}

/* With the names locked. */
static int choose_name(struct store *s, char *name, struct err *e)
{
    uint32_t r;

    for (int i = 0; i < NAME_TRIES; i++) {
        if (random_bytes(&r, sizeof(r), e))
            return -EIO;
        words_name(r, name);
        if (i >= NAME_TRIES / 2) /* thousands of sandboxes: a number makes it unique */
            snprintf(name + strlen(name), 8, "-%u", r >> 12 & 0xfff);
        if (name_is_free(s, name))
            return 0;
    }
    return err_set(e, EEXIST, "no free name found: give one");
}

/* ---- create ---- */

void box_let_go(int dirfd)
{
    unlinkat(dirfd, BOX_CLIENT, 0);
}

void store_let_go(struct store *s)
{
    if (s->born >= 0)
        box_let_go(s->born);
    fd_closep(&s->born);
    fd_closep(&s->client);
}

/* From before it can be seen: whoever finds it unlocked knows that its maker is gone. */
static int hold(struct store *s, int dir, struct err *e)
{
    store_let_go(s);
    s->client = FAILPOINT("store.client.open")
                    ? -1
                    : openat(dir, BOX_CLIENT, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->client < 0 || FAILPOINT("store.client.lock") || flock(s->client, LOCK_EX | LOCK_NB))
        return err_sys(e, "new sandbox");
    s->born = fcntl(dir, F_DUPFD_CLOEXEC, 3);
    return s->born < 0 ? err_sys(e, "new sandbox") : 0;
}

/* Fills the new directory and takes the name; everything but the last rename. */
static int prepare(struct store *s, int dir, const struct box_config *cfg, struct err *e)
{
    const struct box_state first = { .phase = BOX_CREATED, .exit_code = -1 };
    int err = hold(s, dir, e);

    if (!err)
        err = box_save_config(dir, cfg, e);
    if (!err)
        err = box_save_state(dir, &first, !cfg->ephemeral, e);
    if (!err && (FAILPOINT("store.name.link") || symlinkat(cfg->id, s->names, cfg->name)))
        err = err_sys(e, "name \"%s\"", cfg->name);
    return err;
}

bool store_is_half(const char *name)
{
    return name[0] == '.' && store_is_id(name + 1);
}

/* With the names locked nobody makes a sandbox, and two may delete one together. */
static void delete_stale(struct store *s)
{
    auto_dir DIR *d = store_open_list(s, ".");
    const struct dirent *de;

    while (d && (de = readdir(d)))
        if (store_is_half(de->d_name))
            (void)!store_delete_tree(s, de->d_name, NULL); /* `carrel gc` says why not */
}

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int store_create(struct store *s, struct box_config *cfg, struct err *e)
{
    char tmp[BOX_ID_LEN + 2];
    auto_fd int lock = -1;
    int err;

    if (cfg->name[0] && !is_name(cfg->name))
        return err_set(e, EINVAL,
                       "\"%s\" is not a name: [a-z0-9][a-z0-9_.-]*, at most %d characters",
                       cfg->name, BOX_NAME_MAX);
    lock = store_lock_names(s, e);
    if (lock < 0)
        return lock;
    delete_stale(s);
    if (cfg->name[0] && !name_is_free(s, cfg->name))
        return err_set(e, EEXIST, "the name \"%s\" is taken", cfg->name);
    err = choose_id(s, cfg->id, e);
    if (!err && !cfg->name[0])
        err = choose_name(s, cfg->name, e);
    if (err)
        return err;
    cfg->created_ns = now_ns();
    snprintf(tmp, sizeof(tmp), ".%s", cfg->id);
    if (FAILPOINT("store.create.mkdir") || mkdirat(s->boxes, tmp, 0700))
        return err_sys(e, "new sandbox");

    auto_fd int dir = FAILPOINT("store.create.open")
                          ? -1
                          : openat(s->boxes, tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    err = dir < 0 ? err_sys(e, "new sandbox") : prepare(s, dir, cfg, e);
    if (!err && (FAILPOINT("store.create.rename") || renameat(s->boxes, tmp, s->boxes, cfg->id)))
        err = err_sys(e, "new sandbox");
    if (err) {
        char to[BOX_ID_LEN + 1];

        if (read_name(s, cfg->name, to) && !strcmp(to, cfg->id))
            unlinkat(s->names, cfg->name, 0);
        if (store_delete_tree(s, tmp, NULL))
            return err; /* its dot hides it until it is stale */
    }
    return err;
}

/* ---- find and list ---- */

int store_open_box(struct store *s, const char *id, struct err *e)
{
    int fd = openat(s->boxes, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return errno == ENOENT ? err_set(e, ENOENT, "no such sandbox: %s", id)
                               : err_sys(e, "sandbox %s", id);
    return fd;
}

/* The only sandbox whose id begins like this. */
static int find_prefix(struct store *s, const char *prefix, char id[BOX_ID_LEN + 1], struct err *e)
{
    auto_dir DIR *d = store_open_list(s, ".");
    const struct dirent *de;

    if (!d)
        return err_sys(e, "state directory");
    id[0] = '\0';
    while ((de = readdir(d))) {
        if (strlen(de->d_name) != BOX_ID_LEN || !store_is_id(de->d_name) ||
            strncmp(de->d_name, prefix, strlen(prefix)) != 0)
            continue;
        if (id[0])
            return err_set(e, ENOTUNIQ, "\"%s\" is the beginning of more than one id: %s, %s",
                           prefix, id, de->d_name);
        memcpy(id, de->d_name, BOX_ID_LEN + 1);
    }
    return id[0] ? 0 : err_set(e, ENOENT, "no such sandbox: %s", prefix);
}

int store_find(struct store *s, const char *what, char id[BOX_ID_LEN + 1], struct err *e)
{
    if (is_name(what) && read_name(s, what, id) && box_exists(s, id))
        return store_open_box(s, id, e);
    if (!store_is_id(what))
        return err_set(e, ENOENT, "no such sandbox: %.*s", BOX_NAME_MAX, what);

    int err = find_prefix(s, what, id, e);

    return err ? err : store_open_box(s, id, e);
}

struct entry {
    char *id; /* owned until it is handed over */
    int64_t created;
};

static int by_creation(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    if (x->created != y->created)
        return x->created < y->created ? -1 : 1;
    return strcmp(x->id, y->id);
}

/* When a sandbox was made: the directory's own rename is near enough, and cheap. */
static int64_t created(struct store *s, const char *id)
{
    struct box_config c;
    auto_fd int dir = store_open_box(s, id, NULL);

    if (dir < 0 || box_load_config(dir, &c, NULL))
        return 0;

    int64_t ns = c.created_ns;

    box_config_fini(&c);
    return ns;
}

static int collect(struct store *s, struct entry **list, size_t *n, struct err *e)
{
    auto_dir DIR *d = store_open_list(s, ".");
    const struct dirent *de;

    if (!d)
        return err_sys(e, "state directory");
    while ((de = readdir(d))) {
        if (strlen(de->d_name) != BOX_ID_LEN || !store_is_id(de->d_name))
            continue;

        struct entry *more = realloc(*list, (*n + 1) * sizeof(**list));

        if (!more)
            return err_set(e, ENOMEM, "out of memory");
        *list = more;
        more[*n].id = strdup(de->d_name);
        if (!more[*n].id)
            return err_set(e, ENOMEM, "out of memory");
        more[*n].created = created(s, de->d_name);
        ++*n;
    }
    return 0;
}

int store_list(struct store *s, char ***out, size_t *n, struct err *e)
{
    struct entry *list = NULL;
    size_t count = 0;
    int err = collect(s, &list, &count, e);
    char **ids = err ? NULL : calloc(count + 1, sizeof(*ids));

    if (!err && !ids)
        err = err_set(e, ENOMEM, "out of memory");
    if (count)
        qsort(list, count, sizeof(*list), by_creation);
    for (size_t i = 0; i < count; i++) {
        if (ids)
            ids[i] = list[i].id;
        else
            free(list[i].id);
    }
    free(list);
    if (err)
        return err;
    *out = ids;
    *n = count;
    return 0;
}
