/*
 * message.h - one FUSE request taken apart. Everything in it was written by a guest: lengths are
 * checked against what arrived, names against what a name may be, and each is read once.
 */
#ifndef SANDBOX_FILES_MESSAGE_H
#define SANDBOX_FILES_MESSAGE_H

#include "base/compiler.h"

#include <linux/fuse.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAME_BYTES_MAX 255u /* Linux's NAME_MAX, without the NUL */

struct message {
    struct fuse_in_header h; /* a copy */
    const uint8_t *at;       /* borrowed: what was not taken yet */
    size_t left;
};

/* The length of the message that begins here; 0: more bytes are needed to know; -EPROTO: it is
 * out of bounds (base/files.h), and the stream with it. */
must_check int message_length(const void *bytes, size_t have, size_t *len);

/* len is what message_length said, and all of it is there. */
void message_begin(struct message *m, const void *bytes, size_t len);

/* Copies fixed arguments off the front. False: there are not as many bytes. */
must_check bool message_take(struct message *m, void *out, size_t len);

/* A terminated text off the front; NULL: it has no end in the message. */
must_check const char *message_text(struct message *m);

/* The same, when it is the name of an entry: not empty, no slash, neither "." nor "..", at most
 * NAME_BYTES_MAX. */
must_check const char *message_name(struct message *m);

/* Nothing is left: what was not asked for was not sent either. */
static inline bool message_done(const struct message *m)
{
    return m->left == 0;
}

#endif
