/* Directories of live mounts: apart from each other, and from the state. */
#include "sandbox/keeper/roots.h"

#include "base/compiler.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static char top[] = "/tmp/carrel-roots-XXXXXX";
static int base;

static int setup(void **state)
{
    static const char *const dirs[] = { "a", "a/b", "ab", "state", "state/x" };

    (void)state;
    base = mkdtemp(top) ? open(top, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    for (size_t i = 0; i < array_len(dirs); i++)
        if (base < 0 || mkdirat(base, dirs[i], 0755))
            return -1;
    return symlinkat("a", base, "link");
}

static int teardown(void **state)
{
    static const char *const dirs[] = { "a/b", "a", "ab", "state/x", "state" };

    (void)state;
    unlinkat(base, "link", 0);
    for (size_t i = 0; i < array_len(dirs); i++)
        unlinkat(base, dirs[i], AT_REMOVEDIR);
    close(base);
    return rmdir(top);
}

static int check(const char *one, const char *other)
{
    const char *const paths[] = { one, other, "state" };
    struct root r[3];
    int err;

    for (size_t i = 0; i < array_len(r); i++) {
        r[i].id = paths[i];
        r[i].fd = openat(base, paths[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
        assert_true(r[i].fd >= 0);
    }
    err = roots_check(r, 2, r[2].fd, NULL);
    for (size_t i = 0; i < array_len(r); i++)
        close(r[i].fd);
    return err;
}

static void directories_apart_are_taken(void **state)
{
    (void)state;
    assert_int_equal(check("a", "ab"), 0);
    assert_int_equal(check("ab", "a/b"), 0);
}

static void one_in_another_is_refused(void **state)
{
    (void)state;
    assert_int_equal(check("a", "a/b"), -EINVAL);
    assert_int_equal(check("a/b", "a"), -EINVAL);
    assert_int_equal(check("a", "a"), -EINVAL);
    assert_int_equal(check("a/b", "link"), -EINVAL);
}

static void the_state_directory_is_not_shared(void **state)
{
    (void)state;
    assert_int_equal(check("a", "state"), -EINVAL);
    assert_int_equal(check("state/x", "a"), -EINVAL);
    assert_int_equal(check("a", "."), -EINVAL);
    assert_int_equal(roots_check(&(struct root){ "r", base }, 1, base, NULL), -EINVAL);
}

static void folded_names_are_refused(void **state)
{
    (void)state;
    assert_true(roots_fold(MSDOS_SUPER_MAGIC, 0));
    assert_true(roots_fold(0xff534d42, 0));                    /* cifs */
    assert_true(roots_fold((uint64_t)(int32_t)0xff534d42, 0)); /* … as a signed f_type has it */
    assert_true(roots_fold(EXT4_SUPER_MAGIC, FS_CASEFOLD_FL));
    assert_false(roots_fold(EXT4_SUPER_MAGIC, FS_EXTENT_FL));
    assert_false(roots_fold(TMPFS_MAGIC, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(directories_apart_are_taken),
        cmocka_unit_test(one_in_another_is_refused),
        cmocka_unit_test(the_state_directory_is_not_shared),
        cmocka_unit_test(folded_names_are_refused),
    };

    return cmocka_run_group_tests_name("keeper_roots", tests, setup, teardown);
}
