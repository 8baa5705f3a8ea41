/*
 * import.h - a directory, a tar file or a recipe's output becomes a squashfs file.
 *
 * Streams: nothing that an archive says is unpacked to disk or named on the host.
 */
#ifndef SANDBOX_IMAGE_IMPORT_H
#define SANDBOX_IMAGE_IMPORT_H

#include "sandbox/image/entry.h"
#include "sandbox/image/tool.h"

/* From a directory or a tar file (plain, or compressed in one of libarchive's ways). */
must_check int import_path(const char *source, const char *squashfs, struct entry_judge *j,
                           struct err *e);

/* From a running program's standard output; waits for its end, and its failure is the reason. */
must_check int import_tool(struct tool *source, const char *squashfs, struct entry_judge *j,
                           struct err *e);

#endif
