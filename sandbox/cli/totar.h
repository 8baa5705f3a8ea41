/* totar.h - a file or tree of ours becomes a tar archive for the guest. */
#ifndef SANDBOX_CLI_TOTAR_H
#define SANDBOX_CLI_TOTAR_H

#include "base/err.h"

#include <stddef.h>

struct totar_ask {
    const char *path; /* what to read; a link is kept as a link */
    const char *root; /* how the archive calls it; "." = its contents only */
    int (*write)(void *arg, const void *buf, size_t len, struct err *e);
    void *arg;
    unsigned skipped; /* out: sockets, fifos and devices */
    unsigned changed; /* out: files that shrank while they were read, padded with zeros */
};

must_check int totar(struct totar_ask *ask, struct err *e);

#endif
