/*
 * sift.h - entries of a directory or of one archive, judged (entry.h) and passed on to squashfs.
 */
#ifndef SANDBOX_IMAGE_SIFT_H
#define SANDBOX_IMAGE_SIFT_H

#include "sandbox/image/import.h"
#include "sandbox/image/squash.h"
#include "sandbox/image/tree.h"

enum { SIFT_CHUNK = 1 << 18 };

/* From tree, or from a when tree is NULL, to the stream of out. -EPIPE: out does not take more. */
must_check int sift(struct archive *a, struct tree *tree, struct squash *out,
                    const struct import_options *o, struct import_result *r, struct err *e);

/* A tar file in any of libarchive's compressions; it is opened then. */
must_check int sift_support(struct archive *a, struct err *e);

enum entry_kind sift_kind(struct archive_entry *en);

/* squashfs keeps seconds in 32 bits, and ids too. */
uint32_t sift_clamp(int64_t v);

/* Counts what is kept or left out of an entry and deserves a word. */
void sift_note(struct import_result *r, struct archive_entry *en);

/* A hole at the end of a sparse file, which libarchive does not tell of: zeros in buf (SIFT_CHUNK
 * bytes), as many as fit; 0: not a sparse file. */
ssize_t sift_hole(struct archive_entry *en, void *buf, uint64_t left);

/* A new entry that says only what we let through, or NULL. */
struct archive_entry *sift_plain(const char *path, uint32_t mode, uint32_t uid, uint32_t gid,
                                 uint32_t mtime);

#endif
