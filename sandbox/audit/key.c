/* key.c - see key.h. */
#include "sandbox/audit/key.h"

#include "base/failpoint.h"
#include "base/fd.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

#define SIG_BYTES 64u
#define ID_BYTES  4u
#define PEM_MAX   4096u

static const char signer[] = "\xe2\x80\x94 carrel-audit ";

struct audit_key {
    EVP_PKEY *pkey; /* owned */
    uint8_t id[ID_BYTES];
};

void audit_key_free(struct audit_key *k)
{
    if (!k)
        return;
    EVP_PKEY_free(k->pkey);
    free(k);
}

/* Takes pkey, also on failure. */
static struct audit_key *key_of(EVP_PKEY *pkey, const char *what, struct err *e)
{
    uint8_t raw[32], digest[SHA256_DIGEST_LENGTH];
    size_t len = sizeof(raw);
    struct audit_key *k;

    if (!pkey || EVP_PKEY_get_id(pkey) != EVP_PKEY_ED25519 ||
        EVP_PKEY_get_raw_public_key(pkey, raw, &len) != 1) {
        EVP_PKEY_free(pkey);
        err_set(e, EINVAL, "%s: not an Ed25519 key in PEM form", what);
        return NULL;
    }
    k = calloc(1, sizeof(*k));
    if (!k) {
        EVP_PKEY_free(pkey);
        err_set(e, ENOMEM, "%s: no memory", what);
        return NULL;
    }
    k->pkey = pkey;
    SHA256(raw, len, digest);
    memcpy(k->id, digest, ID_BYTES);
    return k;
}

static struct audit_key *load(int dirfd, const char *path, bool private, struct err *e)
{
    size_t len;
    char *pem = io_load(dirfd, path, PEM_MAX, &len, e);
    EVP_PKEY *pkey = NULL;
    BIO *bio;

    if (!pem)
        return NULL;
    bio = BIO_new_mem_buf(pem, (int)len);
    if (bio)
        pkey = private ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL)
                       : PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    BIO_free(bio);
    OPENSSL_cleanse(pem, len);
    free(pem);
    return key_of(pkey, path, e);
}

struct audit_key *audit_key_public(int dirfd, const char *path, struct err *e)
{
    return load(dirfd, path, false, e);
}

/* Writes one half of the key; the private half first, so that a public key always has its own. */
static int store(int dirfd, const char *path, EVP_PKEY *pkey, bool private, struct err *e)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *pem;
    long len;
    int err;

    if (!bio || (private ? PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL)
                         : PEM_write_bio_PUBKEY(bio, pkey)) != 1) {
        BIO_free(bio);
        return err_set(e, EIO, "%s: cannot encode the key", path);
    }
    len = BIO_get_mem_data(bio, &pem);
    err = FAILPOINT("audit.key.store")
              ? err_sys(e, "%s", path)
              : io_store(dirfd, path, pem, (size_t)len, private ? 0600 : 0644, e);
    BIO_free(bio);
    return err;
}

static int make(int dirfd, const char *path, struct err *e)
{
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    char public_path[256];
    int err;

    if (!pkey)
        return err_set(e, EIO, "%s: cannot make a key", path);
    snprintf(public_path, sizeof(public_path), "%s.pub", path);
    err = store(dirfd, path, pkey, true, e);
    if (!err)
        err = store(dirfd, public_path, pkey, false, e);
    EVP_PKEY_free(pkey);
    return err;
}

struct audit_key *audit_key_own(int dirfd, const char *path, struct err *e)
{
    /* Two first uses at once must not make two keys: the directory's lock decides. */
    char lock_path[256];

    snprintf(lock_path, sizeof(lock_path), "%s.lock", path);

    auto_fd int lock = openat(dirfd, lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    const struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    struct stat st; /* not asked for: a keeper's filter has this call, and no faccessat */

    if (lock < 0 || FAILPOINT("audit.key.lock") || fcntl(lock, F_OFD_SETLKW, &whole)) {
        err_sys(e, "%s", lock_path);
        return NULL;
    }
    if (fstatat(dirfd, path, &st, 0) && errno == ENOENT && make(dirfd, path, e))
        return NULL;
    return load(dirfd, path, true, e);
}

int audit_note_sign(const struct audit_key *k, char note[AUDIT_NOTE_MAX], size_t len, struct err *e)
{
    uint8_t sig[ID_BYTES + SIG_BYTES];
    size_t sig_len = SIG_BYTES;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char b64[4 * (sizeof(sig) + 2) / 3 + 1];
    int ok, n;

    memcpy(sig, k->id, ID_BYTES);
    ok = ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->pkey) == 1 &&
         EVP_DigestSign(ctx, sig + ID_BYTES, &sig_len, (const uint8_t *)note, len) == 1;
    EVP_MD_CTX_free(ctx);
    if (!ok)
        return err_set(e, EIO, "cannot sign a checkpoint");
    EVP_EncodeBlock(b64, sig, sizeof(sig));
    n = snprintf(note + len, AUDIT_NOTE_MAX - len, "\n%s%s\n", signer, (const char *)b64);
    if (n < 0 || (size_t)n >= AUDIT_NOTE_MAX - len)
        return err_set(e, EMSGSIZE, "checkpoint too long");
    return (int)len + n;
}

int audit_note_open(const struct audit_key *k, const char *note, size_t len)
{
    /* 4 + 64 bytes: 23 groups of four characters, without padding but for the last. */
    enum { B64 = 4 * ((ID_BYTES + SIG_BYTES + 2) / 3) };
    const size_t tail = 1 + sizeof(signer) - 1 + B64 + 1;
    uint8_t sig[3 * B64 / 4];
    unsigned char again[B64 + 1];
    size_t text;
    EVP_MD_CTX *ctx;
    int ok;

    if (len <= tail)
        return -EBADMSG;
    text = len - tail;
    if (note[text - 1] != '\n' || note[text] != '\n' || note[len - 1] != '\n' ||
        memcmp(note + text + 1, signer, sizeof(signer) - 1) != 0)
        return -EBADMSG;
    if (EVP_DecodeBlock(sig, (const uint8_t *)note + len - 1 - B64, B64) != (int)sizeof(sig) ||
        memcmp(sig, k->id, ID_BYTES) != 0)
        return -EBADMSG;
    /* One spelling only: the bits that the last group leaves unused are zero. */
    EVP_EncodeBlock(again, sig, ID_BYTES + SIG_BYTES);
    if (memcmp(again, note + len - 1 - B64, B64) != 0)
        return -EBADMSG;
    ctx = EVP_MD_CTX_new();
    ok = ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, k->pkey) == 1 &&
         EVP_DigestVerify(ctx, sig + ID_BYTES, SIG_BYTES, (const uint8_t *)note, text) == 1;
    EVP_MD_CTX_free(ctx);
    return ok ? (int)text : -EBADMSG;
}
