/* disk.h - the writable layer of a sandbox that keeps one: a sparse file with an empty ext4. */
#ifndef SANDBOX_KEEPER_DISK_H
#define SANDBOX_KEEPER_DISK_H

#include "base/err.h"

#include <stdint.h>

/*
 * Opens disk.img in boxfd for reading and writing, the caller's; makes it first when absent, with
 * room for so many files and directories (sandbox/volume/ext4.h), or one for each 8 KiB.
 */
must_check int disk_open(int boxfd, uint64_t bytes, uint64_t inodes, char hint[240], struct err *e);

#endif
