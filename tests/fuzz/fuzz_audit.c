/* fuzz_audit.c - a line or a checkpoint from anywhere: refused, or exactly what we would write. */
#include "sandbox/audit/checkpoint.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct audit_record r;
    static struct audit_checkpoint c;
    char line[AUDIT_LINE_MAX], note[AUDIT_NOTE_MAX], field[64];

    if (len < AUDIT_LINE_MAX && audit_parse((const char *)data, len, &r) == 0) {
        size_t n = audit_line(&r, line);

        if (n != len + 1 || memcmp(line, data, len))
            __builtin_trap();
    }
    if (audit_checkpoint_parse((const char *)data, len, &c) == 0 &&
        (audit_checkpoint_text(&c, note) != (int)len || memcmp(note, data, len)))
        __builtin_trap();
    audit_text(field, sizeof(field), data, len);
    if (strlen(field) >= sizeof(field))
        __builtin_trap();
    return 0;
}
