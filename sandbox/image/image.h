/*
 * image.h - images: read-only root file systems that sandboxes boot from.
 *
 * $CARREL_DATA (default $XDG_DATA_HOME/carrel, as root /var/lib/carrel) holds
 *
 *     images/blobs/SHA256.squashfs   the file system, named by its own digest
 *     images/NAME.json               { name, digest, bytes, created_ns, source, config{…}, … }
 *     kernels/NAME/…                 see kernel.h
 *     cache/…                        downloads and build results; safe to delete
 */
#ifndef SANDBOX_IMAGE_IMAGE_H
#define SANDBOX_IMAGE_IMAGE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* What an image says about how its programs are run. Strings owned; lists end with NULL. */
struct image {
    char *name;
    char digest[65];     /* lower-case hexadecimal SHA-256 of the blob */
    char *manifest, *id; /* the same of an OCI manifest and configuration; NULL: it had none */
    uint64_t bytes;      /* of the blob */
    int64_t created_ns;
    char *source;     /* where it came from, for a person */
    char *user, *cwd; /* NULL = root, "/" */
    char **env;
    char **entrypoint, **cmd; /* before a command; the default command */
};

void image_fini(struct image *img);

/* Loads by name, or NAME@sha256:HEX: then its digest, its manifest's or its configuration's must be
 * that one. -ENOENT "image \"x\" not found". */
must_check int image_load(const char *name, struct image *out, struct err *e);

/* Opens the blob read-only and checks that it is what it was when imported (size and identity kept
 * at import; the whole digest with verify). Descriptor of the caller. */
must_check int image_open(const struct image *img, bool verify, struct err *e);

/* The same for a blob that is the very file that was imported: -ESTALE when it is not, even if it
 * is a good copy. Reads none of it. */
must_check int image_open_known(const struct image *img, struct err *e);

/* All images by name; *out and each element's content are the caller's. */
must_check int image_list(struct image **out, size_t *n, struct err *e);
must_check int image_remove(const char *name, struct err *e);

/* Called now and then during long work, with a line for a person; may be NULL. */
typedef void image_progress(void *arg, const char *line);

struct import_options {
    uint64_t bytes_max; /* of all contents; 0 = 64 GiB */
    uint64_t count_max; /* entries; 0 = 2,000,000 */
    const char *tag;    /* which image of a layout that has several, or NULL */
    const char *source; /* where it came from, for a person; NULL: the path */
};

/* Makes image `name` from a directory or a tar file (plain or compressed), or from an OCI image
 * layout or a docker archive. Streams; the host's own files are never touched by what an archive
 * says: nothing is unpacked to disk. */
must_check int image_import(const char *name, const char *source, const struct import_options *o,
                            image_progress *say, void *arg, struct err *e);

/* Makes image `name` of what a registry calls ref, by skopeo. -ENOENT: it is not installed. */
must_check int image_pull(const char *name, const char *ref, const struct import_options *o,
                          image_progress *say, void *arg, struct err *e);

/* Builds a shipped image: "mini" or "base". Cached: a second call returns at once unless force. */
must_check int image_build(const char *name, bool force, image_progress *say, void *arg,
                           struct err *e);

/* The data directory, opened; created when absent. */
must_check int data_dir_open(struct err *e);

#endif
