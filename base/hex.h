/* hex.h - bytes as lower-case hexadecimal digits, and back. Pure. */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 2 * n digits and a NUL. */
void hex_print(char *out, const uint8_t *bytes, size_t n);

/* False: the text is not 2 * n such digits, and nothing else; out is undefined then. */
must_check bool hex_parse(const char *text, uint8_t *out, size_t n);

#endif
