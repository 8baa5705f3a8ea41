/* checkpoint.h - what a log was at one moment, as text to be signed. Pure. */
#ifndef SANDBOX_AUDIT_CHECKPOINT_H
#define SANDBOX_AUDIT_CHECKPOINT_H

#include "sandbox/audit/key.h"
#include "sandbox/audit/record.h"

struct audit_checkpoint {
    char sandbox[AUDIT_ID_MAX];
    uint64_t size, time_ns;
    uint8_t root[AUDIT_HASH], head[AUDIT_HASH];
    bool closed;
};

/* The text without a signature: its length. */
must_check int audit_checkpoint_text(const struct audit_checkpoint *c, char out[AUDIT_NOTE_MAX]);

/* -EBADMSG unless text is exactly what audit_checkpoint_text makes of *out. */
must_check int audit_checkpoint_parse(const char *text, size_t len, struct audit_checkpoint *out);

#endif
