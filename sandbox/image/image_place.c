/*
 * image_place.c - puts finished images in place, and opens blobs that have to be read to be known.
 *
 * Placing and removing (image_remove.c) hold an exclusive lock on images/, so that no blob is
 * removed between the moment it is found to be there already and the moment a name refers to it.
 */
#include "sandbox/image/image_store.h"
#include "sandbox/image/verity.h"

#include "base/failpoint.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* The blob's place: where one of the same digest lies and is whole, that one stays, since other
 * images know it by its inode. */
static int place_blob(struct data_tmp *t, int images, const char *digest, struct file_id *id,
                      struct err *e)
{
    char path[96], have[DIGEST_HEX + 1] = "";

    if ((FAILPOINT("image.mkdir") || mkdirat(images, "blobs", 0700)) && errno != EEXIST)
        return err_sys(e, "images/blobs");
    snprintf(path, sizeof(path), "blobs/%s.squashfs", digest);

    auto_fd int old = openat(images, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (old >= 0 && data_digest(old, have, NULL) == 0 && strcmp(have, digest) == 0)
        return file_id_of(old, id, e);
    if (FAILPOINT("image.rename") || renameat(t->fd, "image", images, path))
        return err_sys(e, "images/%s", path);

    auto_fd int fd = openat(images, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    return fd < 0 ? err_sys(e, "images/%s", path) : file_id_of(fd, id, e);
}

int image_place(struct data_tmp *t, const char *name, const struct image_origin *from,
                json_t *config, struct err *e)
{
    json_auto_t *cfg = config;
    auto_fd int blob = openat(t->fd, "image", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    char digest[DIGEST_HEX + 1] = "", file[80];
    struct file_id id = { 0 };
    struct timespec now;

    if (blob < 0)
        return err_sys(e, "image \"%s\"", name);

    int err = verity_append(blob, e);

    if (!err && (fchmod(blob, 0444) || FAILPOINT("image.sync") || fsync(blob)))
        err = err_sys(e, "blob");
    if (!err)
        err = data_digest(blob, digest, e);
    if (err)
        return err_wrap(e, "image \"%s\"", name);

    auto_fd int images = images_lock(e);

    if (images < 0)
        return images;
    err = place_blob(t, images, digest, &id, e);
    if (err)
        return err;
    clock_gettime(CLOCK_REALTIME, &now);

    json_auto_t *j = json_pack("{s:s, s:s, s:I, s:I, s:s, s:O, s:o, s:s*, s:s*, s:s*}", "name",
                               name, "digest", digest, "bytes", (json_int_t)id.bytes, "created_ns",
                               (json_int_t)now.tv_sec * 1000000000 + (json_int_t)now.tv_nsec,
                               "source", from->source, "config", cfg, "file", file_id_json(&id),
                               "recipe", from->recipe, "manifest", from->manifest, "id", from->id);

    snprintf(file, sizeof(file), "%s.json", name);
    err = data_store_json(images, file, j, e);

    /* Also what this name held before, and, after a failure, the blob that has no name now. */
    int swept = images_collect(images, err ? NULL : e);

    return err ? err : swept;
}

/* The blob is whole, though not the file it was: by its identity now the next one knows it. Where
 * that cannot be written, the next one reads the whole file again. */
static void keep_identity(const struct image *img, int blob)
{
    auto_fd int lock = images_lock(NULL), images = -1;
    json_auto_t *j = lock < 0 ? NULL : image_document(img->name, &images, NULL);
    const char *digest = json_string_value(json_object_get(j, "digest"));
    struct file_id id;
    char file[80];

    if (!digest || strcmp(digest, img->digest) != 0 || file_id_of(blob, &id, NULL) ||
        json_object_set_new(j, "file", file_id_json(&id)))
        return;
    snprintf(file, sizeof(file), "%s.json", img->name);
    (void)!data_store_json(images, file, j, NULL);
}

int image_open(const struct image *img, bool verify, struct err *e)
{
    struct file_id id;
    auto_fd int fd = image_blob(img, &id, e);
    bool known = fd >= 0 && data_known_file(fd, &id, img->name, NULL) == 0;
    int err = fd < 0 ? fd : data_check_file(fd, &id, img->digest, verify, img->name, e);

    if (err)
        return fd < 0 ? err : err_wrap(e, "image");
    if (!known)
        keep_identity(img, fd);
    return fd_steal(&fd);
}
