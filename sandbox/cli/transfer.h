/* transfer.h - a tar stream between us and the guest: PUT and GET. */
#ifndef SANDBOX_CLI_TRANSFER_H
#define SANDBOX_CLI_TRANSFER_H

#include "sandbox/cli/box.h"
#include "sandbox/cli/link.h"

struct transfer {
    struct link *link; /* owned */
    bool ended;        /* DONE was seen */
    bool all_read;     /* GET: EOF was seen */
    uint32_t at, len;  /* GET: what is left of the frame being read */
    const uint8_t *body;
    char *hint;            /* borrowed: transfer_open's */
    const struct box *box; /* borrowed: transfer_open's */
    struct err guest;      /* what ERROR said; code 0 = nothing */
};

/* Takes the request. transfer_fini in either case. */
must_check int transfer_open(struct transfer *t, const struct box *b, struct msg_builder *request,
                             char hint[HINT_MAX], struct err *e);
void transfer_fini(struct transfer *t);

/* PUT: all of it, unless the guest has refused meanwhile: then negative with its reason. */
must_check int transfer_write(struct transfer *t, const void *buf, size_t len, struct err *e);

/* PUT: the end, and the guest's verdict. */
must_check int transfer_finish(struct transfer *t, struct err *e);

/* GET: the next bytes, borrowed until the next call: their number, 0 at the end of the archive, or
 * negative. */
must_check ssize_t transfer_read(struct transfer *t, const void **bytes, struct err *e);

/* What a path is in the guest, with symbolic links followed: 1 = a directory, 0 = something else,
 * -ENOENT = nothing. */
must_check int transfer_is_dir(const struct box *b, const char *path, char hint[HINT_MAX],
                               struct err *e);

#endif
