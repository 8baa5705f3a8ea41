/*
 * origin.h - is a file the image's own, or one that something in the sandbox has put in its place?
 * The root that tools see is a layer above the image; PID 1 keeps both apart (mounts.h).
 */
#ifndef GUEST_ORIGIN_H
#define GUEST_ORIGIN_H

#include "base/err.h"
#include "guest/cmdline.h"

#include <limits.h>

struct origin {
    /* Directory of a mount of the image that lies nowhere: no path leads there, nothing can be
     * mounted over it, and /proc/PID/exe says of what runs from it what the image calls it. -1:
     * nobody knows. */
    int image;
    int upper; /* directory: what was written over the image; -1: nothing can be */
    const struct cmdline *mounts; /* where PID 1 has mounted volumes; NULL: nowhere */
};

/* A program that was looked at. All zero but for -1 is none; close-on-exec. */
struct program {
    int named;  /* O_PATH: what its path led to */
    int own;    /* the image's file, to read it; -1: it lies in a volume, or nobody knows */
    int dir;    /* O_PATH: the directory of own */
    char *name; /* of own in dir, in real */
    char real[PATH_MAX];
};

#define PROGRAM_NONE ((struct program){ .named = -1, .own = -1, .dir = -1 })

/*
 * Is path, followed through links, the file that the image has by this name, unchanged? What is
 * mounted at or below the target of a volume is no image's to have, and passes if no link leads
 * there. -EACCES: no; -ENOENT and others: there is nothing that could be looked at.
 */
must_check int origin_open(const struct origin *o, const char *path, struct program *out,
                           struct err *e);
void origin_close(struct program *p);

/* The file that an O_PATH descriptor stands for, to read it: -errno, -EACCES if it is no regular
 * file. */
must_check int origin_read(int fd);

#endif
