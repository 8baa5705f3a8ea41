/*
 * origin.h - is a file the image's own, or one that something in the sandbox has put in its place?
 * The root that tools see is a layer above the image; PID 1 keeps both apart (mounts.h).
 */
#ifndef GUEST_ORIGIN_H
#define GUEST_ORIGIN_H

#include "base/err.h"

struct origin {
    int image; /* directory; -1: the root is the image itself, or nobody knows */
    int upper; /* directory: what was written over it */
};

/*
 * Is path, followed through links, the file that the image has by this name, unchanged? What lies
 * in another mount is no image's to have, and passes if no link leads there; so does what is not
 * there. -EACCES: no.
 */
must_check int origin_check(const struct origin *o, const char *path, struct err *e);

#endif
