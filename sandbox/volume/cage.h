/*
 * cage.h - what a process gives up before it reads a file system that a guest has written.
 *
 * should: read and write the descriptors it has. must not: open a file, reach another process or
 * the network, or gain anything by being taken over.
 */
#ifndef SANDBOX_VOLUME_CAGE_H
#define SANDBOX_VOLUME_CAGE_H

#include "base/err.h"

enum cage {
    CAGE_READER, /* nothing but its descriptors and memory */
    CAGE_E2FSCK, /* also: execute the programs of the system, and open the image for writing */
};

/*
 * In a child, with one thread. Cannot be undone. The filter of system calls is required; Landlock
 * is had where the kernel has it, and required for CAGE_E2FSCK, which may open files.
 */
must_check int cage_enter(enum cage kind, int image, struct err *e);

#endif
