/*
 * notes.h - signed notes: a few lines of text, an empty line, one line for each signature of them.
 *
 *     carrel policy signature 1
 *     name org/base
 *     …
 *
 *     — ed25519:KEY SIGNATURE
 *
 * Each note has one spelling: what is read prints as the same bytes.
 */
#ifndef POLICIES_NOTES_H
#define POLICIES_NOTES_H

#include "policies/arena.h"
#include "policies/ed25519.h"
#include "policies/text.h"

#define NOTE_SIGNATURES_MAX 16u
#define NOTE_BYTES_MAX      65536u /* without the signatures */

struct note_signature {
    uint8_t key[ED25519_KEY_BYTES], sig[ED25519_SIG_BYTES];
};

struct note {
    const char *text; /* what is signed: ends with a newline, holds no empty line */
    size_t len;
    struct note_signature v[NOTE_SIGNATURES_MAX]; /* not checked; no two of one key */
    uint32_t n;
};

/* One note from *at, which moves behind it; text stays the caller's. NULL, or what is wrong. */
must_check const char *note_parse(const char **at, const char *end, struct note *out);
void note_print(const struct note *n, struct text *out);

/* Is signature i right for its own key? Who may sign is asked elsewhere. */
must_check bool note_verify(const struct note *n, uint32_t i);

/* Signs; a signature of the same key gives way. False: there are 16 others. */
must_check bool note_sign(struct note *n, const uint8_t private_key[ED25519_KEY_BYTES]);

/* The lines of a note in order. */
struct note_lines {
    const char *p, *end;
};

/* The rest of the next line, in the arena, when it begins with this word and a space; NULL. */
const char *note_line(struct note_lines *l, struct arena *a, const char *word);

/* A decimal number from 1 to 2^53 - 1. */
must_check bool note_number(const char *s, uint64_t *out);

#endif
