/* checkpoint.c - see checkpoint.h. */
#include "sandbox/audit/checkpoint.h"

#include "base/hex.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int audit_checkpoint_text(const struct audit_checkpoint *c, char out[AUDIT_NOTE_MAX])
{
    char root[2 * AUDIT_HASH + 1], head[2 * AUDIT_HASH + 1];
    int n;

    hex_print(root, c->root, AUDIT_HASH);
    hex_print(head, c->head, AUDIT_HASH);
    n = snprintf(out, AUDIT_NOTE_MAX, "carrel-audit %s\n%llu\n%s\n%s\n%llu\n%s\n", c->sandbox,
                 (unsigned long long)c->size, root, head, (unsigned long long)c->time_ns,
                 c->closed ? "closed" : "live");
    return n < (int)AUDIT_NOTE_MAX ? n : -EMSGSIZE;
}

int audit_checkpoint_parse(const char *text, size_t len, struct audit_checkpoint *out)
{
    char copy[AUDIT_NOTE_MAX], again[AUDIT_NOTE_MAX];
    char root[2 * AUDIT_HASH + 1], head[2 * AUDIT_HASH + 1], state[8];
    char size[24], time_ns[24];

    if (len >= sizeof(copy))
        return -EBADMSG;
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (sscanf(copy, "carrel-audit %64s %23s %64s %64s %23s %7s", out->sandbox, size, root, head,
               time_ns, state) != 6 ||
        !hex_parse(root, out->root, AUDIT_HASH) || !hex_parse(head, out->head, AUDIT_HASH))
        return -EBADMSG;
    out->size = strtoull(size, NULL, 10);
    out->time_ns = strtoull(time_ns, NULL, 10);
    out->closed = !strcmp(state, "closed");
    /* What it means is one thing; that it is spelled the one way, another. */
    return audit_checkpoint_text(out, again) == (int)len && !memcmp(again, text, len) ? 0
                                                                                      : -EBADMSG;
}
