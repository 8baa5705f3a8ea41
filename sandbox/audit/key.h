/*
 * key.h - Ed25519 keys for checkpoints, and signed notes.
 *
 * A note is text that ends with a newline, an empty line, and one signature line:
 *
 *     — NAME BASE64( first 4 bytes of SHA-256(public key) || Ed25519 signature of the text )
 *
 * Keys are PEM files (PKCS #8 private, SubjectPublicKeyInfo public), as `openssl pkey` reads them.
 */
#ifndef SANDBOX_AUDIT_KEY_H
#define SANDBOX_AUDIT_KEY_H

#include "base/err.h"

#include <stdint.h>

struct audit_key; /* private and public, or public alone */

/* The host's audit key: PRIVATE and PRIVATE.pub under dirfd, made on first use (0600, 0644). */
struct audit_key *audit_key_own(int dirfd, const char *private_path, struct err *e);

/* A public key to check with. */
struct audit_key *audit_key_public(int dirfd, const char *path, struct err *e);
void audit_key_free(struct audit_key *k);

#define AUDIT_NOTE_MAX 1024u

/* Appends the signature to text in note (room AUDIT_NOTE_MAX, text ends with a newline). The whole
 * length, or -errno. */
must_check int audit_note_sign(const struct audit_key *k, char note[AUDIT_NOTE_MAX], size_t len,
                               struct err *e);

/* Length of the text that the note's signature covers, or -EBADMSG. */
must_check int audit_note_open(const struct audit_key *k, const char *note, size_t len);

#endif
