/* test_initrd.c - the archive that the guest kernel unpacks: exact bytes, and read back by an
 * independent reader (libarchive). */
#include "sandbox/image/initrd.h"

#include "base/fd.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void header_and_padding_are_newc(void **state)
{
    (void)state;
    struct cpio c = { 0 };
    static const char expect[] = "070701"
                                 "00000001"
                                 "000081ED"
                                 "00000000"
                                 "00000000"
                                 "00000001"
                                 "00000000"
                                 "00000005"
                                 "00000000"
                                 "00000000"
                                 "00000000"
                                 "00000000"
                                 "00000005"
                                 "00000000"
                                 "init\0\0" /* 110 + 5, padded to 116 */
                                 "hello\0\0" /* the literal's own NUL is the third */;

    assert_int_equal(cpio_add(&c, "init", S_IFREG | 0755, "hello", 5, NULL), 0);
    assert_int_equal(c.len, sizeof(expect));
    assert_memory_equal(c.data, expect, sizeof(expect));
    assert_int_equal(cpio_end(&c, NULL), 0);
    assert_int_equal(c.len % 4, 0);
    assert_memory_equal(c.data + sizeof(expect), "07070100000000", 14);
    assert_memory_equal(c.data + sizeof(expect) + 110, "TRAILER!!!", 11);
    cpio_fini(&c);
}

static const char init[] = "\x7f"
                           "ELF init";

static void make(struct cpio *c)
{
    struct module m[] = {
        { (char *)"virtio_ring", (uint8_t *)"ring", 4, false },
        { (char *)"virtio", (uint8_t *)"virtio!", 7, false },
        { (char *)"dm_mod", (uint8_t *)"dm", 2, true },
    };
    struct module_list list = { m, 3 };

    assert_int_equal(initrd_make(init, sizeof(init), &list, c, NULL), 0);
}

static void the_tree_is_what_init_expects(void **state)
{
    (void)state;
    struct cpio c;
    struct archive *a = archive_read_new();
    struct archive_entry *en;
    char seen[512] = "", line[128], content[64];

    make(&c);
    assert_int_equal(archive_read_support_format_cpio(a), ARCHIVE_OK);
    assert_int_equal(archive_read_open_memory(a, c.data, c.len), ARCHIVE_OK);
    while (archive_read_next_header(a, &en) == ARCHIVE_OK) {
        la_ssize_t n = archive_read_data(a, content, sizeof(content) - 1);

        assert_int_equal(archive_entry_uid(en), 0);
        assert_int_equal(archive_entry_gid(en), 0);
        assert_int_equal(archive_entry_mtime(en), 0);
        content[n > 0 ? n : 0] = '\0';
        snprintf(line, sizeof(line), "%s %o", archive_entry_pathname(en), archive_entry_mode(en));
        strcat(seen, line);
        strcat(seen, "\n");
        if (strcmp(archive_entry_pathname(en), "init") == 0) {
            assert_int_equal(n, sizeof(init));
            assert_memory_equal(content, init, sizeof(init));
        } else if (strcmp(archive_entry_pathname(en), "modules/order") == 0) {
            assert_string_equal(content, "virtio_ring.ko\nvirtio.ko\nverity:dm_mod.ko\n");
        } else if (strcmp(archive_entry_pathname(en), "modules/virtio.ko") == 0) {
            assert_string_equal(content, "virtio!");
        } else if (strcmp(archive_entry_pathname(en), "dev/console") == 0) {
            assert_int_equal(archive_entry_rdevmajor(en), 5);
            assert_int_equal(archive_entry_rdevminor(en), 1);
        }
    }
    assert_string_equal(seen, "dev 40755\nproc 40755\nsys 40755\nrun 40755\nroot 40755\n"
                              "modules 40755\ndev/console 20600\ninit 100755\n"
                              "modules/virtio_ring.ko 100644\nmodules/virtio.ko 100644\n"
                              "modules/dm_mod.ko 100644\nmodules/order 100644\n");
    archive_read_free(a);
    cpio_fini(&c);
}

static void same_input_same_bytes(void **state)
{
    (void)state;
    struct cpio a, b;

    make(&a);
    make(&b);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.data, b.data, a.len);
    cpio_fini(&a);
    cpio_fini(&b);
}

static void without_modules_there_is_no_order(void **state)
{
    (void)state;
    struct cpio c;
    struct module_list none = { 0 };

    assert_int_equal(initrd_make(init, sizeof(init), &none, &c, NULL), 0);
    assert_null(memmem(c.data, c.len, "modules/order", 13));
    cpio_fini(&c);
}

static void a_module_is_found_in_it(void **state)
{
    (void)state;
    struct cpio c;
    auto_fd int fd = memfd_create("initrd", MFD_CLOEXEC);

    make(&c);
    assert_false(initrd_has_module(fd, "dm_mod")); /* an empty file */
    assert_int_equal(write(fd, c.data, c.len), c.len);
    assert_true(initrd_has_module(fd, "dm_mod"));
    assert_true(initrd_has_module(fd, "virtio"));
    assert_false(initrd_has_module(fd, "virti"));
    assert_false(initrd_has_module(fd, "dm_verity"));
    assert_false(initrd_has_module(-1, "dm_mod"));
    cpio_fini(&c);
}

static void names_too_long_are_refused(void **state)
{
    (void)state;
    struct cpio c = { 0 };
    char name[300];

    memset(name, 'a', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(cpio_add(&c, name, S_IFREG, "", 0, NULL), -EFBIG);
    name[254] = '\0';
    assert_int_equal(cpio_add(&c, name, S_IFREG, "", 0, NULL), 0);
    cpio_fini(&c);

    struct module m = { name, (uint8_t *)"x", 1, false };
    struct module_list list = { &m, 1 };

    assert_int_equal(initrd_make(init, sizeof(init), &list, &c, NULL), -EFBIG);
    assert_null(c.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_and_padding_are_newc),
        cmocka_unit_test(the_tree_is_what_init_expects),
        cmocka_unit_test(same_input_same_bytes),
        cmocka_unit_test(without_modules_there_is_no_order),
        cmocka_unit_test(a_module_is_found_in_it),
        cmocka_unit_test(names_too_long_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
