/* digest.c - see digest.h. */
#include "sandbox/guard/digest.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <openssl/evp.h>

#define PIECE 65536u

static void context_free(EVP_MD_CTX **c)
{
    EVP_MD_CTX_free(*c);
}

int digest_of(int fd, char out[65], struct err *e)
{
    cleanup_with(context_free) EVP_MD_CTX *c = EVP_MD_CTX_new();
    uint8_t buf[PIECE], md[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    off_t at = 0;
    ssize_t n;

    if (!c || EVP_DigestInit_ex(c, EVP_sha256(), NULL) != 1)
        return err_set(e, ENOMEM, "digest: no memory");
    while ((n = pread(fd, buf, sizeof(buf), at)) > 0) {
        at += n;
        if (EVP_DigestUpdate(c, buf, (size_t)n) != 1)
            return err_set(e, EIO, "digest");
    }
    if (n < 0)
        return err_sys(e, "digest");
    if (EVP_DigestFinal_ex(c, md, &len) != 1 || len != 32)
        return err_set(e, EIO, "digest");
    for (size_t i = 0; i < len; i++)
        snprintf(out + 2 * i, 3, "%02x", md[i]);
    return 0;
}
