/*
 * stack.h - an image of the world, from its documents to the stream of its files: every digest on
 * the way is verified, layers are merged by path (merge.h), then read again for their contents.
 */
#ifndef SANDBOX_IMAGE_STACK_H
#define SANDBOX_IMAGE_STACK_H

#include "sandbox/image/blobs.h"
#include "sandbox/image/import.h"
#include "sandbox/image/squash.h"

/* Whether what lies in b is such an image, and not a file system that has files of these names. */
bool stack_is_image(const struct blobs *b);

/* -EPIPE: out does not take more. */
must_check int stack_copy(const struct blobs *b, struct squash *out, const struct import_options *o,
                          struct import_result *r, struct err *e);

#endif
