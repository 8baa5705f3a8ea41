/* blob_file.c - a file as libarchive's source, read at a position of its own. See blobs.h. */
#include "sandbox/image/blobs.h"

#include "base/io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct blob_file *blob_file_new(void)
{
    return malloc(sizeof(struct blob_file));
}

void blob_file_freep(struct blob_file **f)
{
    free(*f);
    *f = NULL;
}

bool blobs_is_bomb(uint64_t in, uint64_t out)
{
    return out > BLOBS_FREE && out / BLOBS_RATIO > in;
}

static la_ssize_t file_read(struct archive *a, void *arg, const void **buf)
{
    struct blob_file *f = arg;
    ssize_t n = io_pread_full(f->fd, f->buf, sizeof(f->buf), f->at);

    *buf = f->buf;
    if (n < 0)
        archive_set_error(a, (int)-n, "%s", strerror((int)-n));
    else
        f->at += n;
    return n;
}

static la_int64_t file_skip(struct archive *a, void *arg, la_int64_t n)
{
    struct blob_file *f = arg;
    struct stat st;

    (void)a;
    /* Not past the end: what lies there is missing, which only reading tells. */
    if (n <= 0 || fstat(f->fd, &st) || st.st_size <= f->at || n > st.st_size - f->at)
        return 0;
    f->at += n;
    return n;
}

int blob_file_open(struct archive *a, struct blob_file *f, int fd, struct err *e)
{
    f->fd = fd;
    f->at = 0;
    if (archive_read_open2(a, f, NULL, file_read, file_skip, NULL) != ARCHIVE_OK)
        return err_set(e, EINVAL, "%s",
                       archive_error_string(a) ? archive_error_string(a) : "cannot be read");
    return 0;
}
