/*
 * image_place.c - puts finished images in place, takes them away, and removes blobs nobody names.
 *
 * Both hold an exclusive lock on images/, so that no blob is removed between the moment it is found
 * to be there already and the moment a name refers to it.
 */
#include "sandbox/image/image_store.h"

#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

static void json_freep(json_t **j)
{
    json_decref(*j);
}

/* images/ opened and locked. */
static int lock_images(struct err *e)
{
    auto_fd int images = images_open(e);

    if (images < 0)
        return images;
    if (flock(images, LOCK_EX))
        return err_sys(e, "images: lock");
    return fd_steal(&images);
}

static bool named(const struct image *list, size_t n, const char *file)
{
    for (size_t i = 0; i < n; i++)
        if (strncmp(file, list[i].digest, DIGEST_HEX) == 0)
            return true;
    return false;
}

/* Removes the blobs that no image names. Under the lock. */
static int collect(int images, struct err *e)
{
    struct image *list = NULL;
    size_t n = 0;
    int fd = openat(images, "blobs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *ent;

    if (!d) {
        int err = fd < 0 && errno == ENOENT ? 0 : err_sys(e, "images/blobs");

        fd_closep(&fd);
        return err;
    }

    int err = image_list(&list, &n, e);

    while (!err && (ent = readdir(d)))
        if (ent->d_name[0] != '.' && !named(list, n, ent->d_name) &&
            unlinkat(dirfd(d), ent->d_name, 0))
            err = err_sys(e, "images/blobs/%s", ent->d_name);
    closedir(d);
    for (size_t i = 0; i < n; i++)
        image_fini(&list[i]);
    free(list);
    return err;
}

int image_remove(const char *name, struct err *e)
{
    auto_fd int lock = lock_images(e);

    if (lock < 0)
        return lock;

    auto_fd int images = -1;
    cleanup_with(json_freep) json_t *j = image_document(name, &images, e);
    char file[80];

    /* One that cannot be read can still be removed. */
    if (!j && (!e || e->code == ENOENT || data_check_name("image", name, NULL)))
        return e ? -e->code : -ENOENT;
    snprintf(file, sizeof(file), "%s.json", name);
    if (unlinkat(lock, file, 0))
        return err_sys(e, "image \"%s\"", name);
    return collect(lock, e);
}

/* The blob's place: where one of the same digest lies and is whole, that one stays, since other
 * images know it by its inode. */
static int place_blob(struct data_tmp *t, int images, const char *digest, struct file_id *id,
                      struct err *e)
{
    char path[96], have[DIGEST_HEX + 1] = "";

    if (mkdirat(images, "blobs", 0700) && errno != EEXIST)
        return err_sys(e, "images/blobs");
    snprintf(path, sizeof(path), "blobs/%s.squashfs", digest);

    auto_fd int old = openat(images, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (old >= 0 && data_digest(old, have, NULL) == 0 && strcmp(have, digest) == 0)
        return file_id_of(old, id, e);
    if (renameat(t->fd, "image", images, path))
        return err_sys(e, "images/%s", path);

    auto_fd int fd = openat(images, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    return fd < 0 ? err_sys(e, "images/%s", path) : file_id_of(fd, id, e);
}

int image_place(struct data_tmp *t, const char *name, const char *source, json_t *config,
                const char *recipe, struct err *e)
{
    cleanup_with(json_freep) json_t *cfg = config;
    auto_fd int blob = openat(t->fd, "image", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    char digest[DIGEST_HEX + 1] = "", file[80];
    struct file_id id = { 0 };
    struct timespec now;

    if (blob < 0 || fchmod(blob, 0444) || fsync(blob))
        return err_sys(e, "image \"%s\"", name);

    int err = data_digest(blob, digest, e);

    if (err)
        return err_wrap(e, "image \"%s\"", name);

    auto_fd int images = lock_images(e);

    if (images < 0)
        return images;
    err = place_blob(t, images, digest, &id, e);
    if (err)
        return err;
    clock_gettime(CLOCK_REALTIME, &now);

    cleanup_with(json_freep) json_t *j =
        json_pack("{s:s, s:s, s:I, s:I, s:s, s:O, s:o, s:s*}", "name", name, "digest", digest,
                  "bytes", (json_int_t)id.bytes, "created_ns",
                  (json_int_t)now.tv_sec * 1000000000 + (json_int_t)now.tv_nsec, "source", source,
                  "config", cfg, "file", file_id_json(&id), "recipe", recipe);

    snprintf(file, sizeof(file), "%s.json", name);
    err = data_store_json(images, file, j, e);

    /* Also what this name held before, and, after a failure, the blob that has no name now. */
    int swept = collect(images, err ? NULL : e);

    return err ? err : swept;
}
