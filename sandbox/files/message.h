/*
 * message.h - one FUSE request taken apart. Everything in it was written by a guest: lengths are
 * checked against what arrived, names against what a name may be, and each is read once.
 *
 * Header and arguments are a copy. What a WRITE brings stays where the guest has it, and can change
 * while it is read: it is nothing but bytes for a file.
 */
#ifndef SANDBOX_FILES_MESSAGE_H
#define SANDBOX_FILES_MESSAGE_H

#include "base/compiler.h"

#include <linux/fuse.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define NAME_BYTES_MAX 255u /* Linux's NAME_MAX, without the NUL */

/* The longest arguments that an operation has: a SYMLINK's two texts (255 + 4,095 bytes). */
#define MESSAGE_ARGS_MAX 8192u

struct message {
    struct fuse_in_header h;
    const uint8_t *at; /* borrowed: the arguments that were not taken yet */
    size_t left;
    struct iovec *data; /* borrowed: what follows them */
    unsigned ndata;
    size_t data_len;
};

/* How many of the len bytes behind the header are arguments; the rest is data. */
size_t message_args(uint32_t opcode, size_t len);

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
    return m->left == 0 && m->data_len == 0;
}

#endif
