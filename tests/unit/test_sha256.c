/* test_sha256.c - sha256.h against the examples of FIPS 180-4 and every way to cut a message. */
#include "base/sha256.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *hex(const void *bytes, size_t len, size_t step)
{
    static char out[2 * SHA256_BYTES + 1];
    uint8_t raw[SHA256_BYTES];
    struct sha256 s;

    sha256_init(&s);
    for (size_t at = 0; at < len; at += step)
        sha256_add(&s, (const char *)bytes + at, len - at < step ? len - at : step);
    sha256_end(&s, raw);
    for (unsigned i = 0; i < SHA256_BYTES; i++)
        snprintf(out + 2ul * i, 3, "%02x", raw[i]);
    return out;
}

static const char *of(const char *text)
{
    return hex(text, strlen(text), 64);
}

static void examples(void **state)
{
    static char million[1000000];

    (void)state;
    memset(million, 'a', sizeof(million));
    assert_string_equal(of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_string_equal(of("abc"),
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_string_equal(of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
                        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    assert_string_equal(hex(million, sizeof(million), 4096),
                        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* Each length round the padding's two cases, cut at every step: the cut makes no difference, the
 * length and each bit do. */
static void every_cut(void **state)
{
    char bytes[200], whole[2 * SHA256_BYTES + 1], before[2 * SHA256_BYTES + 1] = "";

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(i * 7 + 1);
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        strcpy(whole, hex(bytes, len, sizeof(bytes)));
        assert_string_not_equal(whole, before);
        strcpy(before, whole);
        for (size_t step = 1; step <= 130; step++)
            assert_string_equal(hex(bytes, len, step), whole);
        for (size_t bit = 0; bit < 8 * len; bit += 61) {
            bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
            assert_string_not_equal(hex(bytes, len, 64), whole);
            bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples),
        cmocka_unit_test(every_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
