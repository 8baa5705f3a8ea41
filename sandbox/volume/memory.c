/* memory.c - see memory.h: names, versions, copies. */
#include "sandbox/volume/memory.h"

#include "base/fd.h"
#include "base/io.h"
#include "base/own.h"
#include "sandbox/places.h"
#include "sandbox/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define IMAGE "%" PRIu64 ".img"
#define FROM  "%" PRIu64 ".from"

static int open_all(struct err *e)
{
    char *state = places_state_dir(e), *path = NULL;
    int fd;

    if (!state)
        return -e->code;
    fd = asprintf(&path, "%s/volumes", state) < 0 ? err_set(e, ENOMEM, "out of memory")
                                                  : places_open_dir(path, e);
    free(path);
    free(state);
    return fd;
}

/* An id of a policy: it names a directory, so it is looked at once more. */
static bool id_ok(const char *id)
{
    return *id && *id != '.' && !strchr(id, '/') && strlen(id) < sizeof(((struct memory *)0)->id);
}

int memory_open(struct memory *m, const char *id, bool make, enum memory_hold hold, struct err *e)
{
    auto_fd int all = -1;
    struct stat st;
    int err;

    *m = MEMORY_INIT;
    if (!id_ok(id))
        return err_set(e, EINVAL, "no name of a memory volume: %s", id);
    snprintf(m->id, sizeof(m->id), "%s", id);
    all = open_all(e);
    if (all < 0)
        return all;
    if (make && mkdirat(all, id, 0700) && errno != EEXIST)
        return err_sys(e, "memory volume %s", id);
    m->dir = openat(all, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (m->dir < 0)
        return errno == ENOENT ? err_set(e, ENOENT, "no such memory volume: %s", id)
                               : err_sys(e, "memory volume %s", id);
    if (hold == MEMORY_LOOK)
        return 0;
    m->lock = openat(m->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (m->lock < 0)
        return err_sys(e, "memory volume %s", id);
    if (flock(m->lock, LOCK_EX | LOCK_NB) == 0) /* of a volume that was not removed meanwhile */
        return fstat(m->lock, &st) == 0 && st.st_nlink
                   ? 0
                   : err_set(e, ENOENT, "no such memory volume: %s", id);
    err = errno == EWOULDBLOCK
              ? err_set(e, EBUSY, "the memory volume %s is in use by another sandbox", id)
              : err_sys(e, "memory volume %s", id);
    fd_closep(&m->lock);
    return err;
}

void memory_close(struct memory *m)
{
    fd_closep(&m->lock);
    fd_closep(&m->dir);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int memory_list(char ***out, size_t *n, struct err *e)
{
    int all = open_all(e);
    auto_dir DIR *d = all < 0 ? NULL : fdopendir(all);
    const struct dirent *de;

    *out = NULL;
    *n = 0;
    if (!d)
        return all < 0 ? all : err_sys(e, "volumes");
    while ((de = readdir(d))) {
        char **more;

        if (!id_ok(de->d_name))
            continue;
        more = reallocarray(*out, *n + 1, sizeof(**out));
        if (more)
            *out = more;
        if (!more || !(more[*n] = strdup(de->d_name)))
            return err_set(e, ENOMEM, "out of memory");
        ++*n;
    }
    if (*n)
        qsort(*out, *n, sizeof(**out), by_text);
    return 0;
}

static int by_number(const void *a, const void *b)
{
    const struct memory_version *x = a, *y = b;

    return x->number < y->number ? -1 : x->number > y->number;
}

static void learn(const struct memory *m, struct memory_version *v)
{
    char name[48];
    struct stat st;

    snprintf(name, sizeof(name), IMAGE, v->number);
    if (fstatat(m->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        v->bytes = (uint64_t)st.st_blocks * 512;
        v->made = st.st_mtime;
    }
    snprintf(name, sizeof(name), FROM, v->number);

    auto_fd int fd = openat(m->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd < 0 ? 0 : io_read_full(fd, v->from, sizeof(v->from) - 1);

    v->from[n > 0 ? n : 0] = '\0';
}

int memory_versions(const struct memory *m, struct memory_version **out, size_t *n, struct err *e)
{
    int dir = openat(m->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    auto_dir DIR *d = dir < 0 ? NULL : fdopendir(dir);
    const struct dirent *de;

    *out = NULL;
    *n = 0;
    if (!d)
        return err_sys(e, "memory volume %s", m->id);
    while ((de = readdir(d))) {
        struct memory_version *more;
        char *end;
        uint64_t number = strtoull(de->d_name, &end, 10);

        if (de->d_name[0] < '1' || de->d_name[0] > '9' || strcmp(end, ".img") != 0)
            continue;
        more = reallocarray(*out, *n + 1, sizeof(**out));
        if (!more)
            return err_set(e, ENOMEM, "out of memory");
        *out = more;
        more[*n] = (struct memory_version){ .number = number };
        learn(m, &more[(*n)++]);
    }
    if (*n)
        qsort(*out, *n, sizeof(**out), by_number);
    return 0;
}

uint64_t memory_newest(const struct memory *m)
{
    struct memory_version *v;
    uint64_t newest = 0;
    size_t n;

    if (memory_versions(m, &v, &n, NULL) == 0 && n)
        newest = v[n - 1].number;
    free(v);
    return newest;
}

int memory_image(const struct memory *m, uint64_t number, struct err *e)
{
    char name[48];
    int fd;

    snprintf(name, sizeof(name), IMAGE, number);
    fd = openat(m->dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return err_set(e, ENOENT, "the memory volume %s has no version %" PRIu64, m->id, number);
    return fd < 0 ? err_sys(e, "%s", name) : fd;
}

/* One run of data; what lies between stays a hole. */
static int copy_run(int from, int to, off_t at, off_t end)
{
    char buf[256 << 10];

    while (at < end) {
        size_t want = end - at < (off_t)sizeof(buf) ? (size_t)(end - at) : sizeof(buf);
        ssize_t n = pread(from, buf, want, at);

        if (n > 0 && pwrite(to, buf, (size_t)n, at) != n)
            return errno ? -errno : -EIO;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        at += n;
    }
    return 0;
}

int volume_copy(int from, int to, struct err *e)
{
    struct stat st;
    off_t at = 0, end;
    int err = 0;

    if (ioctl(to, FICLONE, from) == 0)
        return 0;
    if (fstat(from, &st) || ftruncate(to, 0) || ftruncate(to, st.st_size))
        return err_sys(e, "copying a volume");
    while (!err && (at = lseek(from, at, SEEK_DATA)) >= 0) {
        end = lseek(from, at, SEEK_HOLE);
        err = end < 0 ? -errno : copy_run(from, to, at, end);
        at = end;
    }
    if (!err && errno != ENXIO) /* nothing but a hole follows */
        err = -errno;
    return err ? err_set(e, -err, "copying a volume: %s", strerror(-err)) : 0;
}

int memory_add(const struct memory *m, int image, const char *from, uint64_t *number, struct err *e)
{
    char name[48], origin[48];
    auto_fd int fd =
        openat(m->dir, MEMORY_DRAFT, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    int err;

    if (fd < 0)
        return err_sys(e, "memory volume %s", m->id);
    *number = memory_newest(m) + 1;
    snprintf(name, sizeof(name), IMAGE, *number);
    snprintf(origin, sizeof(origin), FROM, *number);
    err = volume_copy(image, fd, e);
    if (!err && (fsync(fd) || futimens(fd, NULL)))
        err = err_sys(e, "memory volume %s", m->id);
    if (!err)
        err = io_store(m->dir, origin, from, strlen(from), 0600, e);
    if (!err && (renameat(m->dir, MEMORY_DRAFT, m->dir, name) || fsync(m->dir)))
        err = err_sys(e, "memory volume %s", m->id);
    if (err)
        unlinkat(m->dir, MEMORY_DRAFT, 0);
    return err;
}

static void forget(const struct memory *m, uint64_t number)
{
    char name[48];

    snprintf(name, sizeof(name), IMAGE, number);
    unlinkat(m->dir, name, 0);
    snprintf(name, sizeof(name), FROM, number);
    unlinkat(m->dir, name, 0);
}

void memory_prune(const struct memory *m, uint64_t keep, uint64_t retain_ms, uint64_t quota)
{
    struct memory_version *v;
    uint64_t sum = 0;
    size_t n;
    time_t now = time(NULL);

    if (memory_versions(m, &v, &n, NULL)) {
        free(v);
        return;
    }
    for (size_t i = n; i-- > 0;) {
        uint64_t age = now > v[i].made ? (uint64_t)(now - v[i].made) : 0;

        sum += v[i].bytes;
        if (i + 1 < n && (n - i > keep || (retain_ms && age > retain_ms / 1000) || sum > quota)) {
            sum -= v[i].bytes;
            forget(m, v[i].number);
        }
    }
    free(v);
}

/* The sandbox that has a copy lives; one that does not leaves it to nobody. */
static bool is_lent(const struct memory *m)
{
    char id[BOX_ID_LEN + 1], found[BOX_ID_LEN + 1];
    size_t len;
    char *text = io_load(m->dir, MEMORY_PENDING, BOX_ID_LEN + 1, &len, NULL);
    struct store *s = text && len >= BOX_ID_LEN ? store_open(NULL) : NULL;
    auto_fd int fd = -1;
    auto_fd int lock = -1;

    if (s) {
        memcpy(id, text, BOX_ID_LEN);
        id[BOX_ID_LEN] = '\0';
        fd = store_find(s, id, found, NULL);
        lock = fd >= 0 ? box_lock(fd, NULL) : -1;
        store_close(s);
    }
    free(text);
    return fd >= 0 && lock < 0;
}

int memory_remove(const struct memory *m, struct err *e)
{
    int dir = openat(m->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    auto_dir DIR *d = dir < 0 ? NULL : fdopendir(dir);
    auto_fd int all = open_all(e);
    const struct dirent *de;

    if (!d || all < 0)
        return err_sys(e, "memory volume %s", m->id);
    if (is_lent(m))
        return err_set(e, EBUSY, "the memory volume %s is in use by a sandbox", m->id);
    while ((de = readdir(d)))
        if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0 &&
            unlinkat(m->dir, de->d_name, 0) && errno != ENOENT)
            return err_sys(e, "memory volume %s", m->id);
    return unlinkat(all, m->id, AT_REMOVEDIR) ? err_sys(e, "memory volume %s", m->id) : 0;
}
