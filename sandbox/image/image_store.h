/* image_store.h - NAME.json and blobs; shared by the image's own files. */
#ifndef SANDBOX_IMAGE_IMAGE_STORE_H
#define SANDBOX_IMAGE_IMAGE_STORE_H

#include "sandbox/image/data.h"
#include "sandbox/image/image.h"

/* images/, opened. */
must_check int images_open(struct err *e);

/* The document of an image; a new reference. *images: images/ opened, the caller's. */
json_t *image_document(const char *name, int *images, struct err *e);

/* images/ opened and locked. */
must_check int images_lock(struct err *e);

/* The blob of a loaded image, opened, and what was kept of it. The caller's. */
must_check int image_blob(const struct image *img, struct file_id *id, struct err *e);

/* Removes the blobs that no image names. Under the lock. */
must_check int images_collect(int images, struct err *e);

/* Where an image came from. */
struct image_origin {
    const char *source; /* for a person */
    const char *recipe; /* the digest that says what it was built from, or NULL */
    const char *manifest,
        *id; /* digests of a layered image's manifest and configuration, or NULL */
};

/* Puts the finished squashfs (file "image" in t) and its document in place under name, replacing an
 * image of that name. config: the reference is taken over. */
must_check int image_place(struct data_tmp *t, const char *name, const struct image_origin *from,
                           json_t *config, struct err *e);

#endif
