/*
 * beneath.h - names below a directory of ours, whatever others make of them meanwhile: the kernel
 * resolves them without leaving it and without following any link (F01, F02).
 */
#ifndef SANDBOX_VOLUME_BENEATH_H
#define SANDBOX_VOLUME_BENEATH_H

#include "base/compiler.h"

#include <sys/types.h>

/* A descriptor, close-on-exec, or -errno: -ELOOP for a link, -EXDEV for a way out. */
must_check int beneath_open(int dirfd, const char *path, int flags, mode_t mode);

/* The same, and in the directory's own file system: -EXDEV at another one's mount point too. */
must_check int beneath_stay(int dirfd, const char *path, int flags, mode_t mode);

/* The directory that holds path, and in *last its last component, which points into path. */
must_check int beneath_parent(int dirfd, const char *path, const char **last);

#endif
