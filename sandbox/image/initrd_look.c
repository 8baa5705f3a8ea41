/* initrd_look.c - what an initrd has, for who only uses a kernel and needs no libarchive. */
#include "sandbox/image/initrd.h"

#include "base/io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { INITRD_MAX = 256 << 20 };

/* Read, not mapped: one that shrinks meanwhile is a short read, and no signal. */
bool initrd_has_module(int initrd, const char *name)
{
    char path[256];
    struct stat st;
    int n = snprintf(path, sizeof(path), "modules/%s.ko", name);

    if (n >= (int)sizeof(path) || fstat(initrd, &st) || st.st_size <= 0 || st.st_size > INITRD_MAX)
        return false;

    char *all = malloc((size_t)st.st_size);
    ssize_t got = all ? io_pread_full(initrd, all, (size_t)st.st_size, 0) : 0;
    bool found = got > 0 && memmem(all, (size_t)got, path, (size_t)n + 1);

    free(all);
    return found;
}
