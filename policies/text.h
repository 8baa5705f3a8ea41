/*
 * text.h - a string that grows, or one that fills a buffer the caller gave; plain text and JSON.
 *
 * A fixed text never allocates: what does not fit is cut and `full` is set. A growing one ends the
 * process when memory is out. The string is always terminated.
 */
#ifndef POLICIES_TEXT_H
#define POLICIES_TEXT_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stdint.h>

struct text {
    char *p; /* owned unless fixed */
    size_t len, cap;
    bool fixed, full;
};

#define TEXT_INIT ((struct text){ NULL, 0, 0, false, false })

/* size > 0; the buffer is borrowed. */
struct text text_fixed(char *buf, size_t size);

void text_add(struct text *t, const char *fmt, ...) printf_like(2, 3);
void text_bytes(struct text *t, const char *s, size_t len);

/* In decimal digits. */
void text_number(struct text *t, uint64_t n);

/* A JSON string with its quotes: RFC 8785 escapes; bytes >= 0x80 are taken as UTF-8. */
void text_json(struct text *t, const char *s);

/* For a terminal: control bytes, quotes and spaces make it a quoted, escaped word. */
void text_word(struct text *t, const char *s, size_t len);

/* For a manual page's source, scdoc(5): what has a meaning there is escaped. */
void text_scd(struct text *t, const char *s);

/* Never NULL. */
const char *text_str(const struct text *t);

void text_fini(struct text *t);

#endif
