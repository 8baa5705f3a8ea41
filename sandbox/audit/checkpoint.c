/* checkpoint.c - see checkpoint.h. */
#include "sandbox/audit/checkpoint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void to_hex(char out[2 * AUDIT_HASH + 1], const uint8_t h[AUDIT_HASH])
{
    for (size_t i = 0; i < AUDIT_HASH; i++)
        snprintf(out + 2 * i, 3, "%02x", h[i]);
}

int audit_checkpoint_text(const struct audit_checkpoint *c, char out[AUDIT_NOTE_MAX])
{
    char root[2 * AUDIT_HASH + 1], head[2 * AUDIT_HASH + 1];
    int n;

    to_hex(root, c->root);
    to_hex(head, c->head);
    n = snprintf(out, AUDIT_NOTE_MAX, "carrel-audit %s\n%llu\n%s\n%s\n%llu\n%s\n", c->sandbox,
                 (unsigned long long)c->size, root, head, (unsigned long long)c->time_ns,
                 c->closed ? "closed" : "live");
    return n < (int)AUDIT_NOTE_MAX ? n : -EMSGSIZE;
}

static bool from_hex(uint8_t out[AUDIT_HASH], const char *text)
{
    for (size_t i = 0; i < AUDIT_HASH; i++) {
        const char two[3] = { text[2 * i], text[2 * i + 1] };
        char *end;

        out[i] = (uint8_t)strtoul(two, &end, 16);
        if (*end || end == two)
            return false;
    }
    return true;
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
        strlen(root) != sizeof(root) - 1 || strlen(head) != sizeof(head) - 1 ||
        !from_hex(out->root, root) || !from_hex(out->head, head))
        return -EBADMSG;
    out->size = strtoull(size, NULL, 10);
    out->time_ns = strtoull(time_ns, NULL, 10);
    out->closed = !strcmp(state, "closed");
    /* What it means is one thing; that it is spelled the one way, another. */
    return audit_checkpoint_text(out, again) == (int)len && !memcmp(again, text, len) ? 0
                                                                                      : -EBADMSG;
}
