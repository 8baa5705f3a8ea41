/* layer.c - see layer.h. One archive of libarchive's unpacks (format "raw"), a second reads tar. */
#include "sandbox/image/layer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int reason(struct layer *l, struct archive *a, struct err *e)
{
    if (l->why.code)
        return err_set(e, l->why.code, "%s", l->why.msg);
    return err_set(e, EINVAL, "%s: %s", l->blob.name,
                   archive_error_string(a) ? archive_error_string(a) : "cannot be read");
}

/* Packed bytes, for the decompressor. */
static la_ssize_t read_packed(struct archive *a, void *arg, const void **buf)
{
    struct layer *l = arg;
    ssize_t n = blob_read(&l->blob, l->buf_in, BLOBS_CHUNK, &l->why);

    *buf = l->buf_in;
    if (n > 0 && data_hash_add(&l->packed, l->buf_in, (size_t)n))
        n = err_set(&l->why, EIO, "SHA-256 failed");
    if (n < 0)
        archive_set_error(a, EIO, "%s", l->why.msg);
    else
        l->in += (uint64_t)n;
    return n;
}

/* Plain bytes: 0 at the end. */
static ssize_t unpack(struct layer *l)
{
    ssize_t n = l->empty ? 0 : archive_read_data(l->raw, l->buf_out, BLOBS_CHUNK);

    if (n < 0)
        return l->why.code ? -l->why.code
                           : err_set(&l->why, EINVAL, "%s: %s", l->blob.name,
                                     archive_error_string(l->raw) ? archive_error_string(l->raw)
                                                                  : "cannot be unpacked");
    l->out += (uint64_t)n;
    if (l->out > l->out_max)
        return err_set(&l->why, EFBIG, "%s: more than %llu MiB unpacked", l->blob.name,
                       (unsigned long long)l->out_max >> 20);
    if (blobs_is_bomb(l->in, l->out))
        return err_set(&l->why, EFBIG, "%s: compressed more than %d:1: a bomb", l->blob.name,
                       BLOBS_RATIO);
    if (data_hash_add(&l->plain, l->buf_out, (size_t)n))
        return err_set(&l->why, EIO, "SHA-256 failed");
    return n;
}

static la_ssize_t read_plain(struct archive *a, void *arg, const void **buf)
{
    struct layer *l = arg;
    ssize_t n = unpack(l);

    *buf = l->buf_out;
    if (n < 0)
        archive_set_error(a, EIO, "%s", l->why.msg);
    return n;
}

static int open_raw(struct layer *l, struct err *e)
{
    struct archive_entry *en;

    l->raw = archive_read_new();
    if (!l->raw || archive_read_support_filter_gzip(l->raw) != ARCHIVE_OK ||
        archive_read_support_filter_zstd(l->raw) != ARCHIVE_OK ||
        archive_read_support_format_raw(l->raw) != ARCHIVE_OK ||
        archive_read_support_format_empty(l->raw) != ARCHIVE_OK)
        return err_set(e, ENOTSUP, "this libarchive was built without gzip or zstd");
    if (archive_read_open(l->raw, l, NULL, read_packed, NULL) != ARCHIVE_OK)
        return reason(l, l->raw, e);

    int got = archive_read_next_header(l->raw, &en);

    if (got != ARCHIVE_EOF && got < ARCHIVE_WARN)
        return reason(l, l->raw, e);
    l->empty = got == ARCHIVE_EOF;
    if (archive_filter_count(l->raw) > 2)
        return err_set(e, EINVAL, "%s: compressed more than once", l->blob.name);
    return 0;
}

int layer_open(struct layer *l, const struct blobs *b, const char *name, uint64_t bytes_max,
               struct err *e)
{
    int err;

    *l = (struct layer){ .blob = BLOB_INIT, .out_max = bytes_max };
    err = blob_open(b, name, &l->blob, e);
    if (!err)
        err = data_hash_start(&l->packed, e);
    if (!err)
        err = data_hash_start(&l->plain, e);
    if (err)
        return err;
    l->buf_in = malloc(BLOBS_CHUNK);
    l->buf_out = malloc(BLOBS_CHUNK);
    if (!l->buf_in || !l->buf_out)
        return err_set(e, ENOMEM, "out of memory");
    err = open_raw(l, e);
    if (err)
        return err;
    l->tar = archive_read_new();
    if (!l->tar || archive_read_support_format_tar(l->tar) != ARCHIVE_OK ||
        archive_read_support_format_empty(l->tar) != ARCHIVE_OK)
        return err_set(e, ENOMEM, "out of memory");
    if (archive_read_open(l->tar, l, NULL, read_plain, NULL) != ARCHIVE_OK)
        return reason(l, l->tar, e);
    return 0;
}

int layer_next(struct layer *l, struct archive_entry *en, struct err *e)
{
    int got = archive_read_next_header2(l->tar, en);

    if (got == ARCHIVE_EOF)
        return 0;
    return got < ARCHIVE_WARN ? reason(l, l->tar, e) : 1;
}

ssize_t layer_read(struct layer *l, void *buf, size_t len, struct err *e)
{
    ssize_t n = archive_read_data(l->tar, buf, len);

    return n < 0 ? reason(l, l->tar, e) : n;
}

static int compare(struct layer *l, struct data_hash *h, const char *want, const char *what,
                   struct err *e)
{
    char hex[DIGEST_HEX + 1];
    int err = data_hash_end(h, hex, e);

    if (err || strcmp(hex, want) == 0)
        return err;
    return err_set(e, EBADMSG, "%s: its digest%s is sha256:%.12s..., not sha256:%.12s...",
                   l->blob.name, what, hex, want);
}

int layer_end(struct layer *l, const char *packed, uint64_t bytes, const char *plain, struct err *e)
{
    const void *rest;
    ssize_t n;
    int err;

    /* What follows the end of the tar, and of the packed stream. */
    do
        n = unpack(l);
    while (n > 0);
    if (n == 0)
        do
            n = read_packed(l->raw, l, &rest);
        while (n > 0);
    if (n < 0)
        return reason(l, l->raw, e);
    if (bytes != UINT64_MAX && l->in != bytes)
        return err_set(e, EBADMSG, "%s: %llu bytes, not %llu", l->blob.name,
                       (unsigned long long)l->in, (unsigned long long)bytes);
    err = packed ? compare(l, &l->packed, packed, "", e) : 0;
    return err ? err : compare(l, &l->plain, plain, " unpacked", e);
}

void layer_close(struct layer *l)
{
    if (l->tar)
        archive_read_free(l->tar);
    if (l->raw)
        archive_read_free(l->raw);
    data_hash_free(&l->packed);
    data_hash_free(&l->plain);
    free(l->buf_in);
    free(l->buf_out);
    blob_close(&l->blob);
    *l = (struct layer){ .blob = BLOB_INIT };
}
