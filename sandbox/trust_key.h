/*
 * trust_key.h - private keys in files: PEM (PKCS #8), as `openssl pkey` reads them, 0600. What is
 * in one is never printed.
 */
#ifndef SANDBOX_TRUST_KEY_H
#define SANDBOX_TRUST_KEY_H

#include "base/err.h"
#include "policies/ed25519.h"

/*
 * A new pair: FILE, and FILE.pub with the public key as the trust document has it. Neither is
 * overwritten.
 */
must_check int trust_key_make(const char *file, char public_key[ED25519_KEY_TEXT], struct err *e);

/* -EPERM when others may read the file. trust_key_wipe what was read. */
must_check int trust_key_load(const char *file, uint8_t key[ED25519_KEY_BYTES], struct err *e);
void trust_key_wipe(uint8_t key[ED25519_KEY_BYTES]);

#endif
