/* fuzz_tar.c - any bytes as an archive: read to the end, and what was read is written again. */
#include "guest/tar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *at;
    size_t left;
};

static ssize_t from_input(void *arg, void *buf, size_t len)
{
    struct input *in = arg;
    size_t n = in->left < len ? in->left : len;

    memcpy(buf, in->at, n);
    in->at += n;
    in->left -= n;
    return (ssize_t)n;
}

/* An entry that was read survives a round trip: the writer can say all that the reader accepts. */
static void check(const struct tar_entry *t)
{
    static uint8_t head[TAR_HEADER_MAX];
    static struct tar_entry again;
    struct input in = { head, tar_header(t, head) };
    struct tar_reader r = { .read = from_input, .arg = &in };
    size_t len = strlen(t->path);

    /* The writer is given paths from a filesystem; these cannot end in a slash. */
    if (len == 0 || t->path[len - 1] == '/' || len + 2 > TAR_PATH_MAX)
        return;
    if (tar_next(&r, &again, NULL) != 1 || again.type != t->type || again.mode != t->mode ||
        again.uid != t->uid || again.gid != t->gid || again.size != t->size ||
        strcmp(again.path, t->path) != 0 || strcmp(again.link, t->link) != 0 ||
        again.mtime.tv_sec != t->mtime.tv_sec || again.mtime.tv_nsec != t->mtime.tv_nsec)
        abort();
}

/* Makes the checksums right, which chance never would. */
static void mend(uint8_t *bytes, size_t size)
{
    for (uint8_t *h = bytes; size - (size_t)(h - bytes) >= TAR_BLOCK; h += TAR_BLOCK) {
        unsigned sum = 0;
        char text[8];

        if (h[257] != 'u')
            continue;
        memset(h + 148, ' ', 8);
        for (unsigned i = 0; i < TAR_BLOCK; i++)
            sum += h[i];
        snprintf(text, sizeof(text), "%06o", sum);
        memcpy(h + 148, text, 7);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t bytes[1 << 16];
    static struct tar_entry t;

    size = size < sizeof(bytes) ? size : sizeof(bytes);
    memcpy(bytes, data, size);
    mend(bytes, size);

    struct input in = { bytes, size };
    struct tar_reader r = { .read = from_input, .arg = &in };
    struct err e = ERR_INIT;
    uint8_t buf[700];

    while (tar_next(&r, &t, &e) == 1) {
        ssize_t n;

        check(&t);
        while ((n = tar_read(&r, buf, sizeof(buf))) > 0)
            ;
        if (n < 0)
            break;
    }
    return 0;
}
