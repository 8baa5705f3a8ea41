/*
 * journal.h - files that others fill through us: bounded, whatever they send.
 *
 * Used for the guest's console, the engine's stderr and the main command's output.
 */
#ifndef SANDBOX_KEEPER_JOURNAL_H
#define SANDBOX_KEEPER_JOURNAL_H

#include "base/loop.h"

struct journal {
    int file;      /* owned; -1: nothing is kept */
    uint64_t left; /* bytes that still fit */
    bool full;     /* "truncated" was written */
    uint64_t size; /* of what was written there, without "truncated" */

    struct loop *loop;       /* borrowed, when fed by a descriptor */
    struct loop_source from; /* fd owned; -1: fed by journal_write only */
};

/* Takes file. */
void journal_init(struct journal *j, int file, uint64_t cap);
void journal_fini(struct journal *j);

/* What is in the file already counts. */
void journal_go_on(struct journal *j);

/* Never fails: what cannot be kept is lost, and the file says so. */
void journal_write(struct journal *j, const void *bytes, size_t len);

/* Feeds it from a descriptor, which is taken, until that ends. */
must_check int journal_follow(struct journal *j, struct loop *l, int fd, struct err *e);

/* Takes what is waiting there now; for the end, when no loop runs any more. */
void journal_drain(struct journal *j);

#endif
