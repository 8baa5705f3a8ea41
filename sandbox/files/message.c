/* message.c - see message.h. */
#include "sandbox/files/message.h"

#include <string.h>

size_t message_args(uint32_t opcode, size_t len)
{
    size_t most = opcode == FUSE_WRITE ? sizeof(struct fuse_write_in) : MESSAGE_ARGS_MAX;

    return len < most ? len : most;
}

bool message_take(struct message *m, void *out, size_t len)
{
    if (m->left < len)
        return false;
    memcpy(out, m->at, len);
    m->at += len;
    m->left -= len;
    return true;
}

const char *message_text(struct message *m)
{
    const char *text = (const char *)m->at;
    const uint8_t *end = m->left ? memchr(m->at, 0, m->left) : NULL;

    if (!end)
        return NULL;
    m->left -= (size_t)(end + 1 - m->at);
    m->at = end + 1;
    return text;
}

const char *message_name(struct message *m)
{
    const char *name = message_text(m);

    if (!name || !*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
        strlen(name) > NAME_BYTES_MAX)
        return NULL;
    return name;
}
