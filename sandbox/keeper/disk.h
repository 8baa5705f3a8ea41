/* disk.h - the writable layer of a sandbox that keeps one: a sparse file with an empty ext4. */
#ifndef SANDBOX_KEEPER_DISK_H
#define SANDBOX_KEEPER_DISK_H

#include "base/err.h"

#include <stdint.h>

/* Opens disk.img in boxfd for reading and writing, the caller's; makes it first when absent. */
must_check int disk_open(int boxfd, uint64_t bytes, char hint[240], struct err *e);

#endif
