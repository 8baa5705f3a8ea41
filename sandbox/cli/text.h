/*
 * text.h - what others wrote, made safe to show on a terminal. Pure.
 *
 * Names, messages and logs come from guests, images and files. A terminal obeys escape sequences in
 * them; these functions let printable UTF-8, newlines and tabs through and spell out the rest:
 * control characters as ^X, DEL as ^?, C1 controls and characters that reorder or hide text as
 * <U+XXXX>, bytes that are not UTF-8 as \xNN.
 */
#ifndef SANDBOX_CLI_TEXT_H
#define SANDBOX_CLI_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* At most this many bytes come out for each byte in, plus as many once at the end. */
#define TEXT_GROWTH 8u

/* A UTF-8 sequence that began in one chunk and ends in the next. */
struct text_filter {
    uint8_t held[4];
    unsigned nheld;
};

/* Filters a chunk into out, which has room for TEXT_GROWTH * (len + 4) bytes: the bytes written. */
size_t text_visible(struct text_filter *f, const void *in, size_t len, char *out);

/* What is still held, made visible: the input ends here. */
size_t text_visible_end(struct text_filter *f, char *out);

/* One line into buf, cut to len - 1 bytes: newlines and tabs are spelled out too. Returns buf. */
const char *text_line(const char *in, char *buf, size_t len);

/* Bytes at the start of in[0..len) that are whole, valid UTF-8 sequences. *partial is the number of
 * bytes after them that may still become one (at most 3). */
size_t text_utf8_prefix(const void *in, size_t len, size_t *partial);

#endif
