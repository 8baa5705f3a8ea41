/* digest.c - what data.h says of digests: apart, so that who only opens finished files needs none.
 */
#include "sandbox/image/data.h"

#include "base/hex.h"
#include "base/io.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>

enum { DIGEST_CHUNK = 1 << 16 };

static void md_freep(EVP_MD_CTX **c)
{
    EVP_MD_CTX_free(*c);
}

static int md_end(EVP_MD_CTX *md, char hex[DIGEST_HEX + 1], struct err *e)
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    if (EVP_DigestFinal_ex(md, sum, &n) != 1 || n * 2 != DIGEST_HEX)
        return err_set(e, EIO, "SHA-256 failed");
    hex_print(hex, sum, n);
    return 0;
}

int data_hash_start(struct data_hash *h, struct err *e)
{
    h->ctx = EVP_MD_CTX_new();
    if (!h->ctx || EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL) != 1)
        return err_set(e, ENOMEM, "SHA-256: out of memory");
    return 0;
}

int data_hash_add(struct data_hash *h, const void *data, size_t len)
{
    return EVP_DigestUpdate(h->ctx, data, len) == 1 ? 0 : -EIO;
}

int data_hash_end(struct data_hash *h, char hex[DIGEST_HEX + 1], struct err *e)
{
    return md_end(h->ctx, hex, e);
}

void data_hash_free(struct data_hash *h)
{
    EVP_MD_CTX_free(h->ctx);
    h->ctx = NULL;
}

int data_end_read(int fd, struct data_end *end, struct err *e)
{
    struct stat st;
    ssize_t n = fstat(fd, &st) ? -errno : 0;

    *end = (struct data_end){ 0 };
    if (n == 0 && (size_t)st.st_size >= sizeof(end->block))
        n = io_pread_full(fd, end->block, sizeof(end->block),
                          st.st_size - (off_t)sizeof(end->block));
    if (n < 0)
        return err_set(e, (int)-n, "read: %s", strerror((int)-n));
    end->bytes = (uint64_t)st.st_size;
    return 0;
}

/* The chunk goes on from what end has. */
static void end_with(struct data_end *end, const uint8_t *chunk, size_t n)
{
    const size_t room = sizeof(end->block), take = n < room ? n : room;

    memmove(end->block, end->block + take, room - take);
    memcpy(end->block + room - take, chunk + n - take, take);
    end->bytes += n;
}

int data_digest(int fd, char hex[DIGEST_HEX + 1], struct err *e)
{
    struct data_end end;

    return data_digest_end(fd, hex, &end, e);
}

int data_digest_end(int fd, char hex[DIGEST_HEX + 1], struct data_end *end, struct err *e)
{
    cleanup_with(md_freep) EVP_MD_CTX *md = EVP_MD_CTX_new();
    uint8_t buf[DIGEST_CHUNK];

    if (!md || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1)
        return err_set(e, ENOMEM, "out of memory");
    *end = (struct data_end){ 0 };
    for (;;) {
        ssize_t n = io_pread_full(fd, buf, sizeof(buf), (off_t)end->bytes);

        if (n < 0)
            return err_set(e, (int)-n, "read: %s", strerror((int)-n));
        if (n == 0)
            return md_end(md, hex, e);
        if (EVP_DigestUpdate(md, buf, (size_t)n) != 1)
            return err_set(e, EIO, "SHA-256 failed");
        end_with(end, buf, (size_t)n);
    }
}

int data_digest_bytes(const void *data, size_t len, char hex[DIGEST_HEX + 1], struct err *e)
{
    cleanup_with(md_freep) EVP_MD_CTX *md = EVP_MD_CTX_new();

    if (!md || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1 ||
        EVP_DigestUpdate(md, data, len) != 1)
        return err_set(e, ENOMEM, "SHA-256: out of memory");
    return md_end(md, hex, e);
}

int data_check_file(int fd, const struct file_id *id, const char *digest, bool verify,
                    const char *what, struct err *e)
{
    struct file_id now = { 0 };
    char hex[DIGEST_HEX + 1];
    int err = file_id_of(fd, &now, e);

    if (err || (!verify && file_id_same(id, &now)))
        return err;
    err = now.bytes == id->bytes ? data_digest(fd, hex, e) : 0;
    if (err)
        return err_wrap(e, "%s", what);
    if (now.bytes != id->bytes || strcmp(hex, digest) != 0)
        return err_set(e, ESTALE, "%s: the file is not the one that was added (%llu bytes of %llu)",
                       what, (unsigned long long)now.bytes, (unsigned long long)id->bytes);
    return 0;
}
