/*
 * data.h - what images and kernels share in the data directory: names, digests, documents, and
 * temporary directories that do not outlive their makers.
 */
#ifndef SANDBOX_IMAGE_DATA_H
#define SANDBOX_IMAGE_DATA_H

#include "base/err.h"

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#define DIGEST_HEX 64

#define DATA_NAME_MAX 63

/* A name is [a-z0-9][a-z0-9_.-]{0,62}. kind says of what, in the message. */
must_check int data_check_name(const char *kind, const char *name, struct err *e);

/* A directory below the data directory, opened; made when absent. The caller's. */
must_check int data_open(const char *sub, struct err *e);

/* SHA-256 in lower-case hexadecimal: of a file from its start (the position does not move), and of
 * bytes in memory. */
must_check int data_digest(int fd, char hex[DIGEST_HEX + 1], struct err *e);
/* How a file ends: its last block is what it says of itself (verity.h). */
struct data_end {
    uint64_t bytes; /* of all of it */
    uint8_t block[4096];
};

must_check int data_end_read(int fd, struct data_end *end, struct err *e);
/* As data_digest; the end is of the bytes that were hashed, whatever is in the file afterwards. */
must_check int data_digest_end(int fd, char hex[DIGEST_HEX + 1], struct data_end *end,
                               struct err *e);
must_check int data_digest_bytes(const void *data, size_t len, char hex[DIGEST_HEX + 1],
                                 struct err *e);

/* The same of bytes that come in pieces. data_hash_free in either case. */
struct data_hash {
    struct evp_md_ctx_st *ctx; /* owned */
};

must_check int data_hash_start(struct data_hash *h, struct err *e);
must_check int data_hash_add(struct data_hash *h, const void *data, size_t len);
must_check int data_hash_end(struct data_hash *h, char hex[DIGEST_HEX + 1], struct err *e);
void data_hash_free(struct data_hash *h);

/* A file as it was when it was made: cheap to compare, changed by every write. */
struct file_id {
    uint64_t bytes, inode;
    int64_t mtime_ns;
};

must_check int file_id_of(int fd, struct file_id *out, struct err *e);
bool file_id_same(const struct file_id *a, const struct file_id *b);
json_t *file_id_json(const struct file_id *id);                     /* a new reference, or NULL */
must_check int file_id_parse(const json_t *j, struct file_id *out); /* 0 or -EINVAL */

/* 0 when fd is the file whose identity was kept, by a look at it; else -ESTALE, also for a copy. */
must_check int data_known_file(int fd, const struct file_id *id, const char *what, struct err *e);

/* 0 when fd is the file whose identity and digest were kept. A different identity (a copied data
 * directory) or verify makes it read the whole file; -ESTALE when its digest is another. */
must_check int data_check_file(int fd, const struct file_id *id, const char *digest, bool verify,
                               const char *what, struct err *e);

/* A JSON object from a file of at most 1 MiB; a new reference. NULL and -ENOENT in e->code when it
 * is not there. */
json_t *data_load_json(int dirfd, const char *path, struct err *e);
must_check int data_store_json(int dirfd, const char *path, const json_t *j, struct err *e);

/* A temporary directory in the cache, on the same file system as images and kernels. It is locked
 * as long as it is open; what a killed process left behind is removed by the next one's
 * data_tmp_new.
 */
struct data_tmp {
    int fd; /* owned; -1 = none */
    char path[PATH_MAX];
};

#define DATA_TMP_INIT ((struct data_tmp){ .fd = -1 })

must_check int data_tmp_new(struct data_tmp *t, struct err *e);
void data_tmp_free(struct data_tmp *t);

/* Removes (dry: finds) those that killed processes left behind, and tells of each. */
void data_tmp_sweep(bool dry,
                    void (*tell)(void *arg, const char *name, int err, const struct err *e),
                    void *arg);

/* Removes path under dirfd with everything below it; symbolic links are not followed. */
must_check int data_remove_tree(int dirfd, const char *path, struct err *e);

#endif
