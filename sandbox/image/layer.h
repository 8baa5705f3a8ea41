/*
 * layer.h - one layer being read: its bytes are hashed as they come, packed and unpacked, and its
 * tar entries handed out.
 *
 * What was read is believed only when layer_end has compared both digests.
 */
#ifndef SANDBOX_IMAGE_LAYER_H
#define SANDBOX_IMAGE_LAYER_H

#include "sandbox/image/blobs.h"
#include "sandbox/image/data.h"

#include <archive_entry.h>

struct layer {
    struct blob blob;
    struct archive *raw, *tar; /* owned: decompresses; reads what comes out */
    struct data_hash packed, plain;
    bool empty;
    struct err why; /* of a failure inside libarchive's callbacks */
    uint64_t in, out, out_max;
    char *buf_in, *buf_out; /* owned */
};

/* Zero-initialised to start. bytes_max: of its tar. layer_close in either case. */
must_check int layer_open(struct layer *l, const struct blobs *b, const char *name,
                          uint64_t bytes_max, struct err *e);

/* The next entry: 1, 0 at the end, negative. */
must_check int layer_next(struct layer *l, struct archive_entry *en, struct err *e);

/* Its contents. */
must_check ssize_t layer_read(struct layer *l, void *buf, size_t len, struct err *e);

/* Reads the rest and compares: packed NULL: only plain; bytes: of the packed, or UINT64_MAX. */
must_check int layer_end(struct layer *l, const char *packed, uint64_t bytes, const char *plain,
                         struct err *e);
void layer_close(struct layer *l);

#endif
