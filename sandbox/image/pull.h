/*
 * pull.h - images from registries, by skopeo where it is installed: it fetches, into a layout in
 * the cache, and what it fetched is imported as any stranger's.
 */
#ifndef SANDBOX_IMAGE_PULL_H
#define SANDBOX_IMAGE_PULL_H

#include "sandbox/image/image.h"

#include <limits.h>
#include <sys/types.h>

/* The program in one of these directories: the owner's, and nobody else may change it or what it
 * lies in. PATH is not asked: a directory that somebody else can write to may be in it. -ENOENT. */
must_check int pull_find(const char *const dirs[], const char *program, uid_t owner,
                         char path[PATH_MAX], struct err *e);

/* With skopeo at this path. */
must_check int pull_with(const char *skopeo, const char *name, const char *ref,
                         const struct import_options *o, image_progress *say, void *arg,
                         struct err *e);

#endif
