/* ed25519.c - see ed25519.h; libcrypto does the arithmetic. */
#include "policies/ed25519.h"

#include "base/hex.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "ed25519:"

/* libcrypto fails here only without memory, which ends the process as everywhere in policies/. */
static EVP_PKEY *private_of(const uint8_t private_key[ED25519_KEY_BYTES])
{
    EVP_PKEY *k =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, private_key, ED25519_KEY_BYTES);

    if (!k)
        abort();
    return k;
}

void ed25519_public(const uint8_t private_key[ED25519_KEY_BYTES], uint8_t key[ED25519_KEY_BYTES])
{
    EVP_PKEY *k = private_of(private_key);
    size_t len = ED25519_KEY_BYTES;

    if (EVP_PKEY_get_raw_public_key(k, key, &len) != 1)
        abort();
    EVP_PKEY_free(k);
}

void ed25519_sign(const uint8_t private_key[ED25519_KEY_BYTES], const void *msg, size_t len,
                  uint8_t sig[ED25519_SIG_BYTES])
{
    EVP_PKEY *k = private_of(private_key);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t n = ED25519_SIG_BYTES;

    if (!ctx || EVP_DigestSignInit(ctx, NULL, NULL, NULL, k) != 1 ||
        EVP_DigestSign(ctx, sig, &n, msg, len) != 1 || n != ED25519_SIG_BYTES)
        abort();
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(k);
}

bool ed25519_verify(const uint8_t key[ED25519_KEY_BYTES], const void *msg, size_t len,
                    const uint8_t sig[ED25519_SIG_BYTES])
{
    EVP_PKEY *k = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, ED25519_KEY_BYTES);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = k && ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, k) == 1 &&
              EVP_DigestVerify(ctx, sig, ED25519_SIG_BYTES, msg, len) == 1;

    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(k);
    return ok;
}

/*
 * The y coordinates of the points whose order divides 8, and the two encodings of them that are not
 * reduced; the sign bit, which is the highest, is not looked at.
 */
static const uint8_t small_order[][ED25519_KEY_BYTES] = {
    { 0 },
    { 1 },
    { 0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
      0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
      0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05 },
    { 0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
      0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
      0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a },
    { 0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
    { 0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
    { 0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
};

static bool is_small(const uint8_t key[ED25519_KEY_BYTES])
{
    for (size_t i = 0; i < array_len(small_order); i++)
        if (memcmp(key, small_order[i], ED25519_KEY_BYTES - 1) == 0 &&
            (key[ED25519_KEY_BYTES - 1] & 0x7f) == small_order[i][ED25519_KEY_BYTES - 1])
            return true;
    return false;
}

#define B64_LEN(n) (4 * (((n) + 2) / 3))

/* Base64 with padding, whose unused bits are zero, of exactly len (at most 64) bytes. */
static bool base64_parse(const char *s, uint8_t *out, size_t len)
{
    uint8_t raw[ED25519_SIG_BYTES + 2];
    unsigned char again[B64_LEN(ED25519_SIG_BYTES) + 1];

    if (strlen(s) != B64_LEN(len) ||
        EVP_DecodeBlock(raw, (const unsigned char *)s, (int)B64_LEN(len)) < (int)len)
        return false;
    EVP_EncodeBlock(again, raw, (int)len);
    if (memcmp(again, s, B64_LEN(len)) != 0)
        return false;
    memcpy(out, raw, len);
    return true;
}

bool ed25519_key_parse(const char *s, uint8_t key[ED25519_KEY_BYTES])
{
    return strncmp(s, PREFIX, strlen(PREFIX)) == 0 &&
           base64_parse(s + strlen(PREFIX), key, ED25519_KEY_BYTES) && !is_small(key);
}

void ed25519_key_print(const uint8_t key[ED25519_KEY_BYTES], char out[ED25519_KEY_TEXT])
{
    memcpy(out, PREFIX, sizeof(PREFIX));
    EVP_EncodeBlock((unsigned char *)out + strlen(PREFIX), key, ED25519_KEY_BYTES);
}

bool ed25519_sig_parse(const char *s, uint8_t sig[ED25519_SIG_BYTES])
{
    return base64_parse(s, sig, ED25519_SIG_BYTES);
}

void ed25519_sig_print(const uint8_t sig[ED25519_SIG_BYTES], char out[ED25519_SIG_TEXT])
{
    EVP_EncodeBlock((unsigned char *)out, sig, ED25519_SIG_BYTES);
}

void sha256_hex(const void *data, size_t len, char out[SHA256_HEX])
{
    unsigned char md[EVP_MAX_MD_SIZE] = { 0 };
    unsigned int n = 0;

    if (!EVP_Digest(data, len, md, &n, EVP_sha256(), NULL) || n != 32)
        abort();
    hex_print(out, md, n);
}
