/* message.c - see message.h. */
#include "sandbox/files/message.h"

#include "base/files.h"

#include <errno.h>
#include <string.h>

_Static_assert(sizeof(struct fuse_in_header) == FILES_REQUEST_MIN, "linux/fuse.h");
_Static_assert(sizeof(struct fuse_out_header) == FILES_REPLY_MIN, "linux/fuse.h");

int message_length(const void *bytes, size_t have, size_t *len)
{
    uint32_t said;

    *len = 0;
    if (have < sizeof(said))
        return 0;
    memcpy(&said, bytes, sizeof(said));
    if (said < FILES_REQUEST_MIN || said > FILES_MESSAGE_MAX)
        return -EPROTO;
    *len = said;
    return 0;
}

void message_begin(struct message *m, const void *bytes, size_t len)
{
    memcpy(&m->h, bytes, sizeof(m->h));
    m->at = (const uint8_t *)bytes + sizeof(m->h);
    m->left = len - sizeof(m->h);
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
