/* initrd_look.c - what an initrd has, for who only uses a kernel and needs no libarchive. */
#include "sandbox/image/initrd.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

bool initrd_has_module(int initrd, const char *name)
{
    char path[256];
    struct stat st;
    int n = snprintf(path, sizeof(path), "modules/%s.ko", name);

    if (n >= (int)sizeof(path) || fstat(initrd, &st) || st.st_size <= 0)
        return false;

    void *all = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, initrd, 0);
    bool found = all != MAP_FAILED && memmem(all, (size_t)st.st_size, path, (size_t)n + 1);

    if (all != MAP_FAILED)
        munmap(all, (size_t)st.st_size);
    return found;
}
