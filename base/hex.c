/* hex.c - see hex.h. */
#include "base/hex.h"

#include <string.h>

static const char digits[] = "0123456789abcdef";

void hex_print(char *out, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = '\0';
}

bool hex_parse(const char *text, uint8_t *out, size_t n)
{
    if (strspn(text, digits) != 2 * n || text[2 * n])
        return false;
    for (size_t i = 0; i < n; i++) {
        const size_t high = (size_t)(strchr(digits, text[2 * i]) - digits);

        out[i] = (uint8_t)(high << 4 | (size_t)(strchr(digits, text[2 * i + 1]) - digits));
    }
    return true;
}
