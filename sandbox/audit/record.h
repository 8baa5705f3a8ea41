/*
 * record.h - one line of the audit log, and the hash chain through all of them. Pure.
 *
 * A record is one line of canonical JSON (RFC 8785: keys sorted, no spaces, shortest escapes), so
 * that there is exactly one spelling of each record and the bytes on disk are the bytes that are
 * hashed:
 *
 *     h(i) = SHA-256( h(i-1) || line(i) without its newline ),   h(-1) = 32 zero bytes
 *
 * and line(i) holds h(i-1) as "prev". Every field is under the hash. Text that a guest chose is
 * capped and escaped before it comes here, and the record says that it is the guest's word
 * ("untrusted").
 */
#ifndef SANDBOX_AUDIT_RECORD_H
#define SANDBOX_AUDIT_RECORD_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define AUDIT_HASH 32u
/* Bytes of a line with its newline: enough for every field at its longest, all escaped. */
#define AUDIT_LINE_MAX 12288u

#define AUDIT_ACTOR_MAX  64u /* bytes with the NUL, for each text */
#define AUDIT_KIND_MAX   32u
#define AUDIT_RULE_MAX   128u
#define AUDIT_OBJECT_MAX 1024u
#define AUDIT_ID_MAX     65u

enum audit_decision { AUDIT_ALLOW, AUDIT_DENY, AUDIT_EVENT };

struct audit_record {
    uint64_t seq;        /* 0, 1, 2 … without a gap */
    uint64_t time_ns;    /* UTC */
    uint64_t mono_ns;    /* CLOCK_BOOTTIME of the host: orders records when the clock is set */
    uint64_t generation; /* of the policy: raised by every live change */
    uint64_t bytes;      /* moved by what is recorded; 0 where there is no such number */
    enum audit_decision decision;
    char grade;     /* 'H', 'G', 'A', or '-' for events */
    bool untrusted; /* object was chosen by the guest */
    char sandbox[AUDIT_ID_MAX];
    char policy[AUDIT_ID_MAX];     /* SHA-256 of the policy's canonical form, or "" */
    char actor[AUDIT_ACTOR_MAX];   /* "user:1000", "guest", "keeper" */
    char kind[AUDIT_KIND_MAX];     /* "exec", "connect", "file.put", "sandbox.start" … */
    char rule[AUDIT_RULE_MAX];     /* id of the rule that decided, or "" */
    char object[AUDIT_OBJECT_MAX]; /* what was asked for, in words */
    uint8_t prev[AUDIT_HASH];
};

/* Copies text into a field: valid UTF-8 stays, other bytes become U+FFFD, the tail that does not
 * fit is cut at a character and marked with U+2026. */
void audit_text(char *field, size_t room, const void *text, size_t len);

/* Writes the canonical line, with its newline. The length; 0 when it would not fit the line. */
must_check size_t audit_line(const struct audit_record *r, char out[AUDIT_LINE_MAX]);

/* Reads a line (without its newline) back. -EBADMSG unless it is exactly what audit_line makes. */
must_check int audit_parse(const char *line, size_t len, struct audit_record *r);

/* Where a log stands: how many records, the chain's head, and the Merkle tree over all lines. */
struct audit_chain {
    uint64_t size;
    uint8_t head[AUDIT_HASH];
    unsigned nroots; /* the tree's perfect subtrees, largest first: one for each bit of size */
    uint8_t root[64][AUDIT_HASH];
};

/* Adds a line (without its newline) to the chain and to the tree. */
void audit_chain_add(struct audit_chain *c, const char *line, size_t len);

/* Root of the Merkle tree (RFC 6962 section 2.1) over the lines so far; of nothing: SHA-256(""). */
void audit_chain_root(const struct audit_chain *c, uint8_t out[AUDIT_HASH]);

const char *audit_decision_name(enum audit_decision d);

#endif
