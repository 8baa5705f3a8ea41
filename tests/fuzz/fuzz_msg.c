/*
 * fuzz_msg.c - frames and fields of the control protocol from a hostile peer. Checked: what is
 * parsed lies inside what was given, and rebuilding the fields gives the same bytes.
 */
#include "base/msg.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const struct msg_frame *f)
{
    static struct msg_builder b;
    struct msg_field field;
    uint32_t pos = 0;
    int more;

    msg_begin(&b, (enum msg_type)f->type);
    while ((more = msg_next_field(f, &pos, &field)) == 1) {
        uint16_t v16;
        uint32_t v32;
        uint64_t v64;

        if (pos > f->len || field.at < f->body || field.at + field.len != f->body + pos)
            abort();
        msg_add(&b, (enum msg_tag)field.tag, field.at, field.len);
        if (msg_field_u16(&field, &v16) + msg_field_u32(&field, &v32) +
                msg_field_u64(&field, &v64) >
            1)
            abort();
    }
    if (more == 0 && (msg_seal(&b) != (ssize_t)(MSG_HEADER + f->len) ||
                      memcmp(b.bytes + MSG_HEADER, f->body, f->len) != 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    while (size) {
        struct msg_frame f;
        ssize_t n = msg_parse(data, size, &f);

        if (n <= 0)
            break;
        if ((size_t)n > size || f.len > MSG_MAX || f.body + f.len != data + n)
            abort();
        walk(&f);
        data += n;
        size -= (size_t)n;
    }
    return 0;
}
