/* test_places.c - where programs, recipes and data are looked for. */
#include "sandbox/places.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void program_is_found_beside_the_executable(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    char *p = places_program("test_places", &e);

    assert_non_null(p);
    assert_int_equal(*p, '/');
    assert_int_equal(access(p, X_OK), 0);
    free(p);
    assert_null(places_program("no-such-program", &e));
    assert_int_equal(e.code, ENOENT);
    assert_non_null(strstr(e.msg, "no-such-program"));
}

static void recipe_is_found_in_the_source_of_the_build(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    char *p = places_share("sandbox/places.h", &e);

    assert_non_null(p);
    assert_int_equal(access(p, R_OK), 0);
    free(p);
    assert_null(places_share("guest/no-such-recipe", &e));
    assert_int_equal(e.code, ENOENT);
}

static void variables_choose_the_directories(void **state)
{
    (void)state;
    struct err e = ERR_INIT;

    setenv("CARREL_DATA", "/d", 1);
    setenv("CARREL_STATE", "/s", 1);

    char *data = places_data_dir(&e), *st = places_state_dir(&e), *cache = places_cache_dir(&e);

    assert_string_equal(data, "/d");
    assert_string_equal(st, "/s");
    assert_string_equal(cache, "/d/cache");
    free(data);
    free(st);
    free(cache);

    setenv("CARREL_DATA", "d", 1);
    assert_null(places_data_dir(&e));
    assert_int_equal(e.code, EINVAL);
    unsetenv("CARREL_DATA");
    unsetenv("CARREL_STATE");
}

/* As another user the XDG variables count, a relative one does not, and HOME comes last. */
static void xdg_variables_count_for_users(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    char *p;

    setenv("XDG_DATA_HOME", "/x", 1);
    setenv("HOME", "/h", 1);
    if (geteuid() == 0) {
        p = places_data_dir(&e);
        assert_string_equal(p, "/var/lib/carrel");
        free(p);
        assert_int_equal(seteuid(65534), 0);
    }
    p = places_data_dir(&e);
    assert_string_equal(p, "/x/carrel");
    free(p);
    setenv("XDG_DATA_HOME", "x", 1);
    p = places_data_dir(&e);
    assert_string_equal(p, "/h/.local/share/carrel");
    free(p);
    p = places_state_dir(&e);
    assert_string_equal(p, "/h/.local/state/carrel");
    free(p);
    unsetenv("HOME");
    unsetenv("XDG_DATA_HOME");
    assert_null(places_data_dir(&e));
    assert_int_equal(e.code, ENOENT);
    if (getuid() == 0)
        assert_int_equal(seteuid(0), 0);
}

static void directories_are_made_private(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    char dir[] = "/tmp/carrel-places-XXXXXX", path[64], file[64];
    struct stat st;

    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/a/b", dir);

    auto_fd int fd = places_open_dir(path, &e);

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);

    auto_fd int again = places_open_dir(path, &e);

    assert_true(again >= 0);
    snprintf(file, sizeof(file), "%s/a/f", dir);

    auto_fd int f = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_true(f >= 0);
    snprintf(path, sizeof(path), "%s/a/f/b", dir);
    assert_int_equal(places_open_dir(path, &e), -ENOTDIR);
    assert_int_equal(places_open_dir("", &e), -EINVAL);
    unlink(file);
    snprintf(path, sizeof(path), "%s/a/b", dir);
    rmdir(path);
    snprintf(path, sizeof(path), "%s/a", dir);
    rmdir(path);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(program_is_found_beside_the_executable),
        cmocka_unit_test(recipe_is_found_in_the_source_of_the_build),
        cmocka_unit_test(variables_choose_the_directories),
        cmocka_unit_test(xdg_variables_count_for_users),
        cmocka_unit_test(directories_are_made_private),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
