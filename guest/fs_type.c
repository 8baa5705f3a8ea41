/* fs_type.c - which filesystem an image is, by its superblock: see mounts.h. */
#include "guest/mounts.h"

#include <string.h>

static const struct {
    const char *type;
    unsigned at, len;
    unsigned char magic[4];
} known[] = {
    { "squashfs", 0, 4, { 'h', 's', 'q', 's' } },     /* fs/squashfs: "hsqs" */
    { "erofs", 1024, 4, { 0xe2, 0xe1, 0xf5, 0xe0 } }, /* EROFS_SUPER_MAGIC_V1 */
    { "ext4", 1024 + 56, 2, { 0x53, 0xef } },         /* EXT4_SUPER_MAGIC, s_magic */
};

const char *mounts_fs_type(const unsigned char *head, unsigned long len)
{
    for (unsigned i = 0; i < array_len(known); i++)
        if (len >= known[i].at + known[i].len &&
            memcmp(head + known[i].at, known[i].magic, known[i].len) == 0)
            return known[i].type;
    return NULL;
}
