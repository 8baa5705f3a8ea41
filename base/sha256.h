/*
 * sha256.h - SHA-256 (FIPS 180-4) for carrel-init, which is one static program without a library
 * of them; who has libcrypto takes that one. Pure.
 */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32u
#define SHA256_BLOCK 64u

struct sha256 {
    uint32_t h[8];
    uint8_t block[SHA256_BLOCK]; /* what is not a whole block yet */
    uint64_t len;                /* bytes so far */
};

void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *bytes, size_t len);
void sha256_end(struct sha256 *s, uint8_t out[SHA256_BYTES]);

#endif
