/*
 * test_verity.c - hash trees, against what veritysetup 2.6.1 makes of the same bytes:
 *
 *     veritysetup format --salt=- --hash=sha256 --uuid=00000000-0000-0000-0000-000000000000 DATA
 * TREE
 */
#include "sandbox/image/verity.h"

#include "base/fd.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

/* Each block is its own number, 1,024 times; the last one is cut short. */
static int make_file(uint64_t blocks, unsigned cut)
{
    int fd = memfd_create("image", MFD_CLOEXEC);
    uint32_t words[VERITY_BLOCK / 4];

    assert_true(fd >= 0);
    for (uint64_t b = 0; b < blocks; b++) {
        for (unsigned i = 0; i < array_len(words); i++)
            words[i] = (uint32_t)b;
        assert_int_equal(write(fd, words, sizeof(words)), sizeof(words));
    }
    assert_int_equal(ftruncate(fd, (off_t)(blocks * VERITY_BLOCK - cut)), 0);
    return fd;
}

static int tree_of(int fd, struct verity *out, struct err *e)
{
    struct data_end end;

    assert_int_equal(data_end_read(fd, &end, e), 0);
    return verity_read(&end, out, e);
}

/* The digest of a part of a file, in blocks. */
static void digest_of(int fd, uint64_t from, uint64_t to, char hex[DIGEST_HEX + 1])
{
    size_t len = (to - from) * VERITY_BLOCK;
    void *part = malloc(len);

    assert_non_null(part);
    assert_int_equal(pread(fd, part, len, (off_t)(from * VERITY_BLOCK)), len);
    assert_int_equal(data_digest_bytes(part, len, hex, NULL), 0);
    free(part);
}

static const struct {
    uint64_t blocks, tree; /* with its superblock */
    const char *root, *digest;
} known[] = {
    { 1, 1, "ad7facb2586fc6e966c004d7d1d16b024f5805ff7cb47c7a85dabd8b48892ca7",
      "25826ee5bc85f026eacfaa63ef944655ac26bc99ddb8a6b4bc435afc07f61e05" },
    { 2, 2, "fe081ebb4d3b623191033e4c9493ea5ad5cee59080a09afd89a4c1a5ae8ce699",
      "56747530f65e9c260439f3f8da0381dbbb4e89a4149fa9cef1492965b275220b" },
    { 128, 2, "99e169f0bd63cb40fe0a04da6a105de97280a7d846d5b528085684f258ac6390",
      "b216f737cdda4b09a7a50676551bb77948c6f2be15bf9334f7b58ec40f46434a" },
    { 129, 4, "a4775aa2f6a70f893550e19227f60ae929c00bdf832531ae81731d34f751a502",
      "fbc7fb83e1f57f624c5cb41b096a4e9e6356e8308acb38295bc4c85bebeda2ee" },
    { 16385, 133, "2c20621eda9e8f8d6c656754f361b140237ed7cff790e8d67981fbb9bd3b7ced",
      "08b242c98610b06040e9976ec9e8d14f47fa01faf8733292d2a17cb60ab47db7" },
};

static void trees_are_those_of_veritysetup(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_len(known); i++) {
        auto_fd int fd = make_file(known[i].blocks, 0);
        uint64_t tree = known[i].blocks + known[i].tree;
        char hex[DIGEST_HEX + 1];
        struct verity v;

        assert_int_equal(verity_append(fd, NULL), 0);
        assert_int_equal(lseek(fd, 0, SEEK_END), (tree + 1) * VERITY_BLOCK);
        digest_of(fd, known[i].blocks, tree, hex);
        assert_string_equal(hex, known[i].digest);
        assert_int_equal(tree_of(fd, &v, NULL), 0);
        assert_int_equal(v.blocks, known[i].blocks);
        assert_string_equal(v.root, known[i].root);
    }
}

/* The number of the last block is 0 in its first bytes: zeroes instead of its rest change nothing.
 */
static void what_is_behind_the_file_system_is_zero(void **state)
{
    (void)state;
    auto_fd int fd = make_file(1, VERITY_BLOCK - 1);
    struct verity v;

    assert_int_equal(verity_append(fd, NULL), 0);
    assert_int_equal(tree_of(fd, &v, NULL), 0);
    assert_string_equal(v.root, known[0].root);
}

static void a_changed_byte_is_another_root(void **state)
{
    (void)state;
    auto_fd int fd = make_file(129, 0);
    struct verity v;

    assert_int_equal(pwrite(fd, "x", 1, 128 * VERITY_BLOCK + 17), 1);
    assert_int_equal(verity_append(fd, NULL), 0);
    assert_int_equal(tree_of(fd, &v, NULL), 0);
    assert_string_not_equal(v.root, known[3].root);
}

static void what_is_no_tree_is_refused(void **state)
{
    (void)state;
    auto_fd int fd = make_file(129, 0);
    struct verity v;
    struct err e = ERR_INIT;
    off_t size;
    uint64_t blocks = 129;

    assert_int_equal(tree_of(fd, &v, &e), -ENOENT);
    assert_int_equal(verity_append(fd, NULL), 0);
    size = lseek(fd, 0, SEEK_END);

    /* every other number of blocks */
    for (uint64_t b = 0; b < 1 << 20; b = b < 300 ? b + 1 : b * 2) {
        if (b == blocks)
            continue;
        assert_int_equal(pwrite(fd, &b, sizeof(b), size - VERITY_BLOCK + 16), sizeof(b));
        assert_int_equal(tree_of(fd, &v, &e), -EBADMSG);
    }
    for (uint64_t b = 1ull << 63; b; b = b == 1ull << 63   ? UINT64_MAX
                                         : b == UINT64_MAX ? 1ull << 52
                                                           : 0) {
        assert_int_equal(pwrite(fd, &b, sizeof(b), size - VERITY_BLOCK + 16), sizeof(b));
        assert_int_equal(tree_of(fd, &v, &e), -EBADMSG);
    }
    assert_int_equal(pwrite(fd, &blocks, sizeof(blocks), size - VERITY_BLOCK + 16), sizeof(blocks));
    assert_int_equal(tree_of(fd, &v, &e), 0);

    /* not in whole blocks, though it ends as it should */
    struct data_end end;

    assert_int_equal(data_end_read(fd, &end, &e), 0);
    end.bytes++;
    assert_int_equal(verity_read(&end, &v, &e), -ENOENT);

    /* cut anywhere */
    assert_int_equal(ftruncate(fd, size - 1), 0);
    assert_int_equal(tree_of(fd, &v, &e), -ENOENT);
    assert_int_equal(ftruncate(fd, size - VERITY_BLOCK), 0);
    assert_int_equal(tree_of(fd, &v, &e), -ENOENT);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(tree_of(fd, &v, &e), -ENOENT);
    assert_int_equal(verity_append(fd, &e), -EINVAL);
}

/* One reading gives both: what is put there afterwards is neither hashed nor believed. */
static void the_tree_is_of_the_bytes_that_were_hashed(void **state)
{
    static const uint64_t sizes[] = { 1, 129 }; /* less than is read at once, and more */
    char digest[DIGEST_HEX + 1], now[DIGEST_HEX + 1];
    struct data_end hashed, looked;
    struct verity v;

    (void)state;
    for (size_t i = 0; i < array_len(sizes); i++) {
        auto_fd int fd = make_file(sizes[i], 5);
        auto_fd int other = make_file(sizes[i], 5);

        assert_int_equal(pwrite(other, "x", 1, 7), 1);
        assert_int_equal(verity_append(fd, NULL), 0);
        assert_int_equal(verity_append(other, NULL), 0);
        assert_int_equal(data_digest_end(fd, digest, &hashed, NULL), 0);
        assert_int_equal(data_digest(fd, now, NULL), 0);
        assert_string_equal(digest, now);
        assert_int_equal(data_end_read(fd, &looked, NULL), 0);
        assert_memory_equal(&hashed, &looked, sizeof(hashed));
        assert_int_equal(verity_read(&hashed, &v, NULL), 0);
        assert_int_equal(data_end_read(other, &looked, NULL), 0);
        assert_int_equal(
            pwrite(fd, looked.block, VERITY_BLOCK, (off_t)(looked.bytes - VERITY_BLOCK)),
            VERITY_BLOCK);

        const struct verity was = v;

        assert_int_equal(verity_read(&hashed, &v, NULL), 0);
        assert_string_equal(v.root, was.root);
        assert_int_equal(tree_of(fd, &v, NULL), 0);
        assert_string_not_equal(v.root, was.root);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trees_are_those_of_veritysetup),
        cmocka_unit_test(what_is_behind_the_file_system_is_zero),
        cmocka_unit_test(a_changed_byte_is_another_root),
        cmocka_unit_test(what_is_no_tree_is_refused),
        cmocka_unit_test(the_tree_is_of_the_bytes_that_were_hashed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
