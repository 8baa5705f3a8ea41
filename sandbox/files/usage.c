/* usage.c - what the sandbox may add to a tree (F07): see server.h. */
#include "sandbox/files/server.h"

#include <errno.h>

int usage_add(struct usage *u, uint64_t bytes, uint64_t inodes)
{
    if (bytes > u->max_bytes - u->bytes || inodes > u->max_inodes - u->inodes)
        return -EDQUOT;
    u->bytes += bytes;
    u->inodes += inodes;
    return 0;
}

void usage_take_back(struct usage *u, uint64_t bytes, uint64_t inodes)
{
    u->bytes -= bytes < u->bytes ? bytes : u->bytes;
    u->inodes -= inodes < u->inodes ? inodes : u->inodes;
}
