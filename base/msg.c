/* msg.c - see msg.h. */
#include "base/msg.h"

#include <errno.h>
#include <string.h>

#define FIELD_HEADER 8u

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t get32(const uint8_t *p)
{
    return get16(p) | (uint32_t)get16(p + 2) << 16;
}

static void put16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, (uint16_t)v);
    put16(p + 2, (uint16_t)(v >> 16));
}

ssize_t msg_parse(const void *buf, size_t len, struct msg_frame *f)
{
    const uint8_t *p = buf;

    if (len < MSG_HEADER)
        return 0;

    uint32_t body = get32(p + 4);

    if (p[0] == 0 || p[1] || get16(p + 2) || body > MSG_MAX)
        return -EBADMSG;
    if (len - MSG_HEADER < body)
        return 0;
    *f = (struct msg_frame){ .type = p[0], .len = body, .body = p + MSG_HEADER };
    return (ssize_t)(MSG_HEADER + body);
}

void msg_header(uint8_t out[MSG_HEADER], enum msg_type type, uint32_t len)
{
    out[0] = (uint8_t)type;
    out[1] = 0;
    put16(out + 2, 0);
    put32(out + 4, len);
}

static bool is_text(uint16_t tag)
{
    switch (tag) {
    case MSG_ARG:
    case MSG_ENV:
    case MSG_CWD:
    case MSG_USER:
    case MSG_PATH:
    case MSG_HOSTNAME:
    case MSG_EXE:
    case MSG_RUN:
    case MSG_RO:
    case MSG_RW: return true;
    default: return false;
    }
}

int msg_next_field(const struct msg_frame *m, uint32_t *pos, struct msg_field *f)
{
    uint32_t left = m->len - *pos;
    const uint8_t *p = m->body + *pos;

    if (left == 0)
        return 0;
    if (left < FIELD_HEADER || get16(p + 2))
        return -EBADMSG;

    uint32_t len = get32(p + 4);

    if (len > left - FIELD_HEADER)
        return -EBADMSG;
    *f = (struct msg_field){ .tag = get16(p), .len = len, .at = p + FIELD_HEADER };
    if (is_text(f->tag) && len && memchr(f->at, 0, len))
        return -EBADMSG;
    *pos += FIELD_HEADER + len;
    return 1;
}

bool msg_field_u16(const struct msg_field *f, uint16_t *out)
{
    if (f->len != sizeof(*out))
        return false;
    *out = get16(f->at);
    return true;
}

bool msg_field_u32(const struct msg_field *f, uint32_t *out)
{
    if (f->len != sizeof(*out))
        return false;
    *out = get32(f->at);
    return true;
}

bool msg_field_u64(const struct msg_field *f, uint64_t *out)
{
    if (f->len != sizeof(*out))
        return false;
    *out = get32(f->at) | (uint64_t)get32(f->at + 4) << 32;
    return true;
}

void msg_begin(struct msg_builder *b, enum msg_type type)
{
    b->len = 0;
    b->overflow = false;
    b->bytes[0] = (uint8_t)type;
}

void msg_add(struct msg_builder *b, enum msg_tag tag, const void *bytes, size_t len)
{
    uint8_t *p = b->bytes + MSG_HEADER + b->len;

    if (b->overflow || len > MSG_MAX || MSG_MAX - b->len < FIELD_HEADER + len) {
        b->overflow = true;
        return;
    }
    put16(p, (uint16_t)tag);
    put16(p + 2, 0);
    put32(p + 4, (uint32_t)len);
    if (len)
        memcpy(p + FIELD_HEADER, bytes, len);
    b->len += FIELD_HEADER + (uint32_t)len;
}

void msg_add_text(struct msg_builder *b, enum msg_tag tag, const char *text)
{
    msg_add(b, tag, text, strlen(text));
}

void msg_add_u16(struct msg_builder *b, enum msg_tag tag, uint16_t v)
{
    uint8_t le[2];

    put16(le, v);
    msg_add(b, tag, le, sizeof(le));
}

void msg_add_u32(struct msg_builder *b, enum msg_tag tag, uint32_t v)
{
    uint8_t le[4];

    put32(le, v);
    msg_add(b, tag, le, sizeof(le));
}

void msg_add_u64(struct msg_builder *b, enum msg_tag tag, uint64_t v)
{
    uint8_t le[8];

    put32(le, (uint32_t)v);
    put32(le + 4, (uint32_t)(v >> 32));
    msg_add(b, tag, le, sizeof(le));
}

ssize_t msg_seal(struct msg_builder *b)
{
    if (b->overflow)
        return -E2BIG;
    msg_header(b->bytes, (enum msg_type)b->bytes[0], b->len);
    return (ssize_t)(MSG_HEADER + b->len);
}
