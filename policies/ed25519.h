/*
 * ed25519.h - signatures (RFC 8032, pure Ed25519) and the one spelling of keys: "ed25519:" and the
 * base64 of the 32 bytes. Randomness for new keys comes from the caller.
 */
#ifndef POLICIES_ED25519_H
#define POLICIES_ED25519_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stdint.h>

#define ED25519_KEY_BYTES 32u
#define ED25519_SIG_BYTES 64u
#define ED25519_KEY_TEXT  53u /* with the NUL */
#define ED25519_SIG_TEXT  89u

#define SHA256_HEX 65u

/* The public half of a private key (the 32-byte seed). */
void ed25519_public(const uint8_t private_key[ED25519_KEY_BYTES], uint8_t key[ED25519_KEY_BYTES]);

void ed25519_sign(const uint8_t private_key[ED25519_KEY_BYTES], const void *msg, size_t len,
                  uint8_t sig[ED25519_SIG_BYTES]);

must_check bool ed25519_verify(const uint8_t key[ED25519_KEY_BYTES], const void *msg, size_t len,
                               const uint8_t sig[ED25519_SIG_BYTES]);

/* Exactly one spelling is read; points of small order, under which anyone can sign, are no keys. */
must_check bool ed25519_key_parse(const char *s, uint8_t key[ED25519_KEY_BYTES]);
void ed25519_key_print(const uint8_t key[ED25519_KEY_BYTES], char out[ED25519_KEY_TEXT]);

must_check bool ed25519_sig_parse(const char *s, uint8_t sig[ED25519_SIG_BYTES]);
void ed25519_sig_print(const uint8_t sig[ED25519_SIG_BYTES], char out[ED25519_SIG_TEXT]);

/* SHA-256 in hexadecimal, which is how documents are named. */
void sha256_hex(const void *data, size_t len, char out[SHA256_HEX]);

#endif
