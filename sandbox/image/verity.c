/* verity.c - see verity.h. */
#include "sandbox/image/verity.h"

#include "base/hex.h"
#include "base/io.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    HASH = 32,                       /* SHA-256 */
    PER_BLOCK = VERITY_BLOCK / HASH, /* hashes in a block of the tree */
    LEVELS_MAX = 8,                  /* 2^56 blocks */
};

/* cryptsetup's on-disk superblock, version 1; numbers are little-endian. */
struct super {
    uint8_t signature[8]; /* "verity" */
    uint32_t version, hash_type;
    uint8_t uuid[16];
    char algorithm[32];
    uint32_t data_block, hash_block;
    uint64_t blocks;
    uint16_t salt_bytes;
    uint8_t rest[VERITY_BLOCK - 82];
} __attribute__((packed));

_Static_assert(sizeof(struct super) == VERITY_BLOCK, "a block");

/* The last block; ours. */
struct trailer {
    char magic[16];
    uint64_t blocks; /* little-endian */
    uint8_t root[HASH];
    uint8_t rest[VERITY_BLOCK - 56];
};

_Static_assert(sizeof(struct trailer) == VERITY_BLOCK, "a block");

static const char magic[16] = "carrel verity 1";

/* A level of the tree while it is made: hashes of the level below, a block of them at a time. */
struct level {
    uint8_t hashes[VERITY_BLOCK];
    unsigned n;  /* in hashes */
    uint64_t at; /* block of the file where the next full one goes */
};

struct tree {
    int fd;
    EVP_MD *sha256; /* fetched once: looking it up costs as much as hashing a block */
    EVP_MD_CTX *ctx;
    unsigned levels;
    struct level level[LEVELS_MAX]; /* 0 is the lowest */
    uint8_t root[HASH];
};

/* Blocks of each level of the tree over so many blocks; the number of levels. */
static unsigned shape(uint64_t blocks, uint64_t out[LEVELS_MAX])
{
    unsigned n = 0;

    while (blocks > 1 && n < LEVELS_MAX) {
        blocks = blocks / PER_BLOCK + (blocks % PER_BLOCK != 0);
        out[n++] = blocks;
    }
    return n;
}

static int hash(struct tree *t, const uint8_t block[VERITY_BLOCK], uint8_t out[HASH], struct err *e)
{
    return EVP_DigestInit_ex(t->ctx, t->sha256, NULL) == 1 &&
                   EVP_DigestUpdate(t->ctx, block, VERITY_BLOCK) == 1 &&
                   EVP_DigestFinal_ex(t->ctx, out, NULL) == 1
               ? 0
               : err_set(e, EIO, "SHA-256 failed");
}

static int put(int fd, const void *block, uint64_t at, struct err *e)
{
    ssize_t n = pwrite(fd, block, VERITY_BLOCK, (off_t)(at * VERITY_BLOCK));

    if (n == VERITY_BLOCK)
        return 0;
    return n < 0 ? err_sys(e, "hash tree") : err_set(e, ENOSPC, "hash tree: no room");
}

/* A block of the level below `to`, or of the file system: its hash goes into that level, and what
 * is full goes on. */
static int add(struct tree *t, unsigned to, const uint8_t block[VERITY_BLOCK], struct err *e)
{
    for (;; to++) {
        struct level *l = &t->level[to];
        int err = hash(t, block, to == t->levels ? t->root : l->hashes + (size_t)l->n * HASH, e);

        if (err || to == t->levels || ++l->n < PER_BLOCK)
            return err;
        err = put(t->fd, l->hashes, l->at++, e);
        if (err)
            return err;
        l->n = 0;
        block = l->hashes;
    }
}

/* What is left in each level, with zeroes behind it. */
static int finish(struct tree *t, struct err *e)
{
    for (unsigned i = 0; i < t->levels; i++) {
        struct level *l = &t->level[i];
        int err;

        if (l->n == 0)
            continue;
        memset(l->hashes + (size_t)l->n * HASH, 0, VERITY_BLOCK - (size_t)l->n * HASH);
        err = put(t->fd, l->hashes, l->at, e);
        if (!err)
            err = add(t, i + 1, l->hashes, e);
        if (err)
            return err;
    }
    return 0;
}

static int feed(struct tree *t, uint64_t blocks, struct err *e)
{
    uint8_t block[VERITY_BLOCK];
    int err = 0;

    for (uint64_t i = 0; i < blocks && !err; i++) {
        ssize_t n = io_pread_full(t->fd, block, sizeof(block), (off_t)(i * VERITY_BLOCK));

        err = n == VERITY_BLOCK
                  ? add(t, 0, block, e)
                  : err_set(e, n < 0 ? (int)-n : EIO, "hash tree: the image is short");
    }
    return err ? err : finish(t, e);
}

static int put_ends(const struct tree *t, uint64_t blocks, uint64_t last, struct err *e)
{
    struct super s = { .signature = "verity",
                       .version = 1,
                       .hash_type = 1,
                       .algorithm = "sha256",
                       .data_block = VERITY_BLOCK,
                       .hash_block = VERITY_BLOCK,
                       .blocks = blocks };
    struct trailer end = { .blocks = blocks };
    int err = put(t->fd, &s, blocks, e);

    memcpy(end.magic, magic, sizeof(magic));
    memcpy(end.root, t->root, HASH);
    return err ? err : put(t->fd, &end, last, e);
}

int verity_append(int fd, struct err *e)
{
    struct stat st;

    if (fstat(fd, &st))
        return err_sys(e, "image");
    if (st.st_size <= 0)
        return err_set(e, EINVAL, "image: empty");

    uint64_t blocks = ((uint64_t)st.st_size + VERITY_BLOCK - 1) / VERITY_BLOCK, size[LEVELS_MAX];
    struct tree *t = calloc(1, sizeof(*t));
    uint64_t at = blocks + 1; /* behind the superblock */
    int err = -ENOMEM;

    if (!t)
        return err_set(e, ENOMEM, "out of memory");
    t->fd = fd;
    t->levels = shape(blocks, size);
    for (unsigned i = t->levels; i-- > 0; at += size[i]) /* the root's block first */
        t->level[i].at = at;
    t->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    t->ctx = EVP_MD_CTX_new();
    if (!t->sha256 || !t->ctx)
        err_set(e, ENOMEM, "SHA-256: out of memory");
    else if (ftruncate(fd, (off_t)(blocks * VERITY_BLOCK)))
        err = err_sys(e, "image");
    else
        err = feed(t, blocks, e);
    if (!err)
        err = put_ends(t, blocks, at, e);
    EVP_MD_CTX_free(t->ctx);
    EVP_MD_free(t->sha256);
    free(t);
    return err;
}

int verity_read(const struct data_end *end, struct verity *out, struct err *e)
{
    const uint64_t all = end->bytes / VERITY_BLOCK;
    uint64_t size[LEVELS_MAX], blocks, used;
    struct trailer t;

    memcpy(&t, end->block, sizeof(t));
    if (end->bytes % VERITY_BLOCK || memcmp(t.magic, magic, sizeof(magic)) != 0)
        return err_set(e, ENOENT, "the image has no hash tree");
    blocks = t.blocks;
    used = blocks < all ? blocks + 2 : UINT64_MAX; /* with the superblock and this one */
    for (unsigned i = 0, levels = used < UINT64_MAX ? shape(blocks, size) : 0; i < levels; i++)
        used += size[i];
    if (blocks == 0 || used != all)
        return err_set(e, EBADMSG, "the image's hash tree is not of its size");
    out->blocks = blocks;
    hex_print(out->root, t.root, HASH);
    return 0;
}
