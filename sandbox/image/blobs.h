/*
 * blobs.h - the files of an image layout, by name: below a directory, or members of a tar file.
 *
 * A tar file is read from its start for each, so that nothing is unpacked; members that are links
 * to others are followed. Nothing outside the layout is ever opened.
 */
#ifndef SANDBOX_IMAGE_BLOBS_H
#define SANDBOX_IMAGE_BLOBS_H

#include "base/err.h"

#include <archive.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { BLOBS_CHUNK = 1 << 16, BLOBS_MEMBERS_MAX = 4096 };

/* Output of a decompressor that no honest archive has: beyond the first BLOBS_FREE bytes, at most
 * this many times its input. gzip reaches 1030, zstd and xz 10,000 and more; file systems 50. */
#define BLOBS_RATIO 500
#define BLOBS_FREE  (UINT64_C(256) << 20)

bool blobs_is_bomb(uint64_t in, uint64_t out);

/* A file read at its own position: what libarchive's callbacks work on. */
struct blob_file {
    int fd; /* borrowed */
    off_t at;
    char buf[BLOBS_CHUNK];
};

struct blob_file *blob_file_new(void); /* NULL: out of memory */
void blob_file_freep(struct blob_file **f);

/* Opens a as an archive of these bytes, from the start. */
must_check int blob_file_open(struct archive *a, struct blob_file *f, int fd, struct err *e);

struct blobs_member {
    char *name; /* owned, clean */
    char *link; /* owned: of a link, what it leads to; else NULL */
    uint64_t bytes;
    uint32_t seq;
};

/* fd: of the directory or the file, borrowed. */
struct blobs {
    int fd;
    bool dir;
    struct blobs_member *members; /* owned; of a tar file */
    size_t nmembers;
};

/* Looks at what lies in it: 1 when it may be an image layout, 0 when it is anything else.
 * blobs_fini in either case. */
must_check int blobs_open(struct blobs *b, int fd, bool dir, struct err *e);
void blobs_fini(struct blobs *b);

bool blobs_have(const struct blobs *b, const char *name);

/* One of them, being read. Zero-initialised to start; blob_close in either case. */
struct blob {
    int fd;            /* owned; -1: of a tar */
    struct archive *a; /* owned */
    struct blob_file *file;
    uint64_t bytes; /* its size */
    char name[100];
};

#define BLOB_INIT ((struct blob){ .fd = -1 })

must_check int blob_open(const struct blobs *b, const char *name, struct blob *out, struct err *e);
must_check ssize_t blob_read(struct blob *in, void *buf, size_t len, struct err *e);
void blob_close(struct blob *in);

/* A whole document of at most max bytes, with a NUL at its end; the caller's. NULL with *e. digest:
 * what it must hash to, or NULL; bytes: its size, or UINT64_MAX. */
char *blobs_load(const struct blobs *b, const char *name, size_t max, const char *digest,
                 uint64_t bytes, size_t *len, struct err *e);

#endif
