/*
 * squash.h - a squashfs file being made from a stream of entries, by sqfstar.
 *
 * The same entries give the same bytes. sqfstar reads only the tar that is written here, from
 * entries already judged (entry.h).
 */
#ifndef SANDBOX_IMAGE_SQUASH_H
#define SANDBOX_IMAGE_SQUASH_H

#include "sandbox/image/tool.h"

#include <archive.h>
#include <archive_entry.h>
#include <limits.h>

struct squash {
    struct tool tool;
    struct archive *tar; /* owned */
    int stream;          /* borrowed: where the tar goes; -1: to the tool */
    char path[PATH_MAX];
};

#define SQUASH_INIT ((struct squash){ .tool = TOOL_INIT, .stream = -1 })

/* How the file system is made; part of what decides whether a built image is up to date. */
extern const char squash_recipe[];

/* Starts making path, which must not exist; the file has at most bytes bytes. */
must_check int squash_start(struct squash *s, const char *path, uint64_t bytes, struct err *e);

/* The same where another process writes the stream: into s->tool.in, by squash_stream. */
must_check int squash_start_tool(struct squash *s, const char *path, uint64_t bytes, struct err *e);
must_check int squash_stream(struct squash *s, int fd, struct err *e);
must_check int squash_stream_end(struct squash *s, struct err *e);

/* An entry's header, then exactly its size in bytes. The reason for a failure may be known only to
 * squash_finish: call it, and let its error count. */
must_check int squash_header(struct squash *s, struct archive_entry *entry);
must_check int squash_data(struct squash *s, const void *buf, size_t len);

/* Ends the stream and waits. The file is complete when 0. */
must_check int squash_finish(struct squash *s, struct err *e);
void squash_stop(struct squash *s);

#endif
