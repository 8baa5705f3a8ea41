/*
 * import.h - a directory, a tar file, an image of the world or a recipe's output becomes a squashfs
 * file.
 *
 * Streams: nothing that an archive says is unpacked to disk or named on the host. Whoever's archive
 * it is, a process behind walls (confined.h) reads it.
 */
#ifndef SANDBOX_IMAGE_IMPORT_H
#define SANDBOX_IMAGE_IMPORT_H

#include "sandbox/image/data.h"
#include "sandbox/image/entry.h"
#include "sandbox/image/tool.h"

/* What became of it. Zero-initialised to start. */
struct import_result {
    uint64_t entries, bytes; /* read; of a layered image, also what other layers hide */
    uint64_t dropped;        /* device nodes and sockets */
    uint64_t attributes;     /* entries whose extended attributes, lists or flags were left out */
    uint64_t setid;          /* entries with set-id bits, which are kept */
    uint32_t layers;         /* 0: no layered image */
    char manifest[DIGEST_HEX + 1]; /* "": it has none */
    char id[DIGEST_HEX + 1];       /* of the configuration; "": it has none */
    json_t *run; /* owned: what the image says of running it (layout.h), or NULL */
};

void import_result_fini(struct import_result *r);

/* From a directory, a tar file (plain, or compressed in one of libarchive's ways), an OCI image
 * layout (either of them) or a docker archive. */
must_check int import_path(const char *source, const char *squashfs, const struct import_options *o,
                           struct import_result *r, struct err *e);

/* From a running program's standard output; waits for its end, and its failure is the reason. For
 * recipes, which are ours: read in this process. */
must_check int import_tool(struct tool *source, const char *squashfs, struct import_result *r,
                           struct err *e);

#endif
