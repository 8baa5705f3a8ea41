/* image_remove.c - takes images away, and blobs that nobody names. See image_place.c. */
#include "sandbox/image/image_store.h"

#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

int images_lock(struct err *e)
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

int images_collect(int images, struct err *e)
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
    auto_fd int lock = images_lock(e);

    if (lock < 0)
        return lock;

    auto_fd int images = -1;
    json_auto_t *j = image_document(name, &images, e);
    char file[80];

    /* One that cannot be read can still be removed. */
    if (!j && (!e || e->code == ENOENT || data_check_name("image", name, NULL)))
        return e ? -e->code : -ENOENT;
    snprintf(file, sizeof(file), "%s.json", name);
    if (unlinkat(lock, file, 0))
        return err_sys(e, "image \"%s\"", name);
    return images_collect(lock, e);
}
