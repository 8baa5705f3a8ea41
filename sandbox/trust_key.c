/* trust_key.c - see trust_key.h. */
#include "sandbox/trust_key.h"

#include "base/fd.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

#define PEM_MAX 4096u

/* Takes all or leaves nothing behind. */
static int create(const char *path, const void *bytes, size_t len, mode_t mode, struct err *e)
{
    auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    int err;

    if (fd < 0)
        return errno == EEXIST
                   ? err_set(e, EEXIST, "%s: is there already; keys are not overwritten", path)
                   : err_sys(e, "%s", path);
    err = io_write_full(fd, bytes, len);
    if (!err && fsync(fd))
        err = -errno;
    if (!err)
        return 0;
    unlink(path);
    return err_set(e, -err, "%s: cannot write it", path);
}

int trust_key_make(const char *file, char public_key[ED25519_KEY_TEXT], struct err *e)
{
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    BIO *bio = BIO_new(BIO_s_secmem());
    uint8_t raw[ED25519_KEY_BYTES];
    char pub[PATH_MAX], line[ED25519_KEY_TEXT + 1];
    size_t len = sizeof(raw);
    char *pem;
    long n;
    int err = 0;

    if (!pkey || !bio || EVP_PKEY_get_raw_public_key(pkey, raw, &len) != 1 ||
        PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL) != 1)
        err = err_set(e, EIO, "%s: cannot make a key", file);
    else if (snprintf(pub, sizeof(pub), "%s.pub", file) >= (int)sizeof(pub))
        err = err_set(e, ENAMETOOLONG, "%s: too long", file);
    if (!err) {
        ed25519_key_print(raw, public_key);
        snprintf(line, sizeof(line), "%s\n", public_key);
        n = BIO_get_mem_data(bio, &pem);
        err = create(file, pem, (size_t)n, 0600, e);
    }
    if (!err) {
        err = create(pub, line, strlen(line), 0644, e);
        if (err)
            unlink(file);
    }
    BIO_free(bio);
    EVP_PKEY_free(pkey);
    return err;
}

/* A key with a passphrase is not one of ours; nothing is asked on the terminal. */
static int no_passphrase(char *buf, int size, int rwflag, void *u)
{
    (void)buf;
    (void)size;
    (void)rwflag;
    (void)u;
    return -1;
}

static int parse(const char *file, const char *pem, size_t len, uint8_t key[ED25519_KEY_BYTES],
                 struct err *e)
{
    BIO *bio = BIO_new_mem_buf(pem, (int)len);
    EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    size_t n = ED25519_KEY_BYTES;
    int err = 0;

    if (!pkey || EVP_PKEY_get_id(pkey) != EVP_PKEY_ED25519 ||
        EVP_PKEY_get_raw_private_key(pkey, key, &n) != 1 || n != ED25519_KEY_BYTES)
        err = err_set(e, EINVAL, "%s: not a private Ed25519 key in PEM form", file);
    BIO_free(bio);
    EVP_PKEY_free(pkey);
    return err;
}

int trust_key_load(const char *file, uint8_t key[ED25519_KEY_BYTES], struct err *e)
{
    auto_fd int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    char pem[PEM_MAX];
    struct stat st;
    ssize_t n;
    int err;

    if (fd < 0 || fstat(fd, &st))
        return err_sys(e, "%s", file);
    if (!S_ISREG(st.st_mode))
        return err_set(e, EINVAL, "%s: not a file", file);
    if (st.st_mode & 077)
        return err_set(e, EPERM, "%s: others may read this key (chmod 600)", file);
    n = io_read_full(fd, pem, sizeof(pem));
    if (n < 0)
        return err_set(e, (int)-n, "%s: cannot read it", file);
    err = parse(file, pem, (size_t)n, key, e);
    OPENSSL_cleanse(pem, sizeof(pem));
    return err;
}

void trust_key_wipe(uint8_t key[ED25519_KEY_BYTES])
{
    OPENSSL_cleanse(key, ED25519_KEY_BYTES);
}
