/* test_io.c - whole transfers, whole files, and the error texts of err.h. */
#include "base/fd.h"
#include "base/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cmocka.h>

static char dir[64];
static int dirfd_;

static int up(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/test_io.XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    dirfd_ = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dirfd_ < 0;
}

static int down(void **state)
{
    DIR *d = opendir(dir);
    struct dirent *entry;

    (void)state;
    while ((entry = readdir(d)) != NULL)
        if (entry->d_name[0] != '.')
            unlinkat(dirfd_, entry->d_name, entry->d_type == DT_DIR ? AT_REMOVEDIR : 0);
    closedir(d);
    close(dirfd_);
    return rmdir(dir);
}

static unsigned entries(void)
{
    DIR *d = opendir(dir);
    unsigned n = 0;

    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

static uint8_t big[1 << 20];

static void *drip(void *arg)
{
    int fd = *(int *)arg;

    for (size_t at = 0; at < sizeof(big); at += 65536)
        if (write(fd, big + at, 65536) != 65536)
            break;
    close(fd);
    return NULL;
}

static void reads_until_full_or_the_end(void **state)
{
    static uint8_t got[sizeof(big) + 10];
    pthread_t thread;
    int p[2];

    (void)state;
    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = (uint8_t)(i * 7 + (i >> 8));
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    assert_int_equal(pthread_create(&thread, NULL, drip, &p[1]), 0);
    assert_int_equal(io_read_full(p[0], got, 100000), 100000);
    assert_int_equal(io_read_full(p[0], got + 100000, sizeof(got) - 100000), sizeof(big) - 100000);
    assert_memory_equal(got, big, sizeof(big));
    assert_int_equal(io_read_full(p[0], got, 1), 0);
    pthread_join(thread, NULL);
    close(p[0]);
    assert_int_equal(io_read_full(-1, got, 1), -EBADF);
}

static void *swallow(void *arg)
{
    static uint8_t got[sizeof(big)];

    assert_int_equal(io_read_full(*(int *)arg, got, sizeof(got)), sizeof(got));
    assert_memory_equal(got, big, sizeof(got));
    return NULL;
}

static void writes_all(void **state)
{
    pthread_t thread;
    int s[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
    assert_int_equal(pthread_create(&thread, NULL, swallow, &s[1]), 0);
    assert_int_equal(io_write_full(s[0], big, sizeof(big)), 0);
    pthread_join(thread, NULL);
    close(s[0]);
    close(s[1]);
    assert_int_equal(io_write_full(-1, big, 1), -EBADF);

    auto_fd int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

    assert_int_equal(io_write_full(full, big, 1), -ENOSPC);
}

static void preads_without_moving(void **state)
{
    struct err e;
    char got[8] = "";

    (void)state;
    assert_int_equal(io_store(dirfd_, "f", "0123456789", 10, 0600, &e), 0);

    auto_fd int fd = openat(dirfd_, "f", O_RDONLY | O_CLOEXEC);

    assert_int_equal(io_pread_full(fd, got, 4, 3), 4);
    assert_memory_equal(got, "3456", 4);
    assert_int_equal(io_pread_full(fd, got, 8, 7), 3);
    assert_memory_equal(got, "789", 3);
    assert_int_equal(io_pread_full(fd, got, 8, 10), 0);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
    assert_int_equal(io_pread_full(-1, got, 8, 0), -EBADF);
}

static void loads_what_was_stored(void **state)
{
    struct err e;
    struct stat st;
    size_t len = 99;

    (void)state;
    assert_int_equal(io_store(dirfd_, "f", "old and long", 12, 0640, &e), 0);
    assert_int_equal(io_store(dirfd_, "f", "ne\0w", 4, 0640, &e), 0);
    assert_int_equal(entries(), 1); /* no temporary file is left */
    assert_int_equal(fstatat(dirfd_, "f", &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0640);

    char *got = io_load(dirfd_, "f", 4, &len, &e);

    assert_non_null(got);
    assert_int_equal(len, 4);
    assert_memory_equal(got, "ne\0w", 5); /* and a NUL after it */
    free(got);
    assert_int_equal(io_store(dirfd_, "empty", NULL, 0, 0600, &e), 0);
    got = io_load(dirfd_, "empty", 0, &len, &e);
    assert_non_null(got);
    assert_int_equal(len, 0);
    assert_int_equal(got[0], 0);
    free(got);
}

static void refuses_to_load(void **state)
{
    struct err e = ERR_INIT;
    size_t len;

    (void)state;
    assert_int_equal(io_store(dirfd_, "f", "12345", 5, 0600, &e), 0);
    assert_null(io_load(dirfd_, "f", 4, &len, &e));
    assert_int_equal(e.code, EFBIG);
    assert_string_equal(e.msg, "f: larger than 4 bytes");
    assert_null(io_load(dirfd_, "absent", 4, &len, &e));
    assert_int_equal(e.code, ENOENT);
    assert_string_equal(e.msg, "absent: No such file or directory");
    assert_null(io_load(dirfd_, ".", 4, &len, &e));
    assert_string_equal(e.msg, ".: not a regular file");
    assert_int_equal(mkfifoat(dirfd_, "fifo", 0600), 0); /* without waiting for a writer */
    assert_null(io_load(dirfd_, "fifo", 4, &len, &e));
    assert_int_equal(e.code, EINVAL);
    assert_null(io_load(AT_FDCWD, "/proc/self/status", 1 << 20, &len, &e)); /* says it is empty */
    assert_int_equal(e.code, EAGAIN);
}

static void h07_a_failed_store_leaves_the_old_file(void **state)
{
    struct err e = ERR_INIT;
    size_t len;

    (void)state;
    assert_int_equal(mkdirat(dirfd_, "d", 0700), 0);
    assert_true(io_store(dirfd_, "d", "x", 1, 0600, &e) < 0); /* cannot be renamed over */
    assert_int_equal(entries(), 1);
    assert_int_equal(io_store(dirfd_, "absent/f", "x", 1, 0600, &e), -ENOENT);
    assert_int_equal(entries(), 1);

    char name[5000];

    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_true(io_store(dirfd_, name, "x", 1, 0600, &e) < 0);
    name[4990] = '/';
    assert_int_equal(io_store(dirfd_, name, "x", 1, 0600, &e), -ENAMETOOLONG);
    assert_int_equal(entries(), 1);

    /* What an earlier process of this number left half-written does not show through. */
    char tmp[64];

    snprintf(tmp, sizeof(tmp), "g.%d.tmp", (int)getpid());
    assert_int_equal(io_store(dirfd_, tmp, "left over", 9, 0600, &e), 0);
    assert_int_equal(io_store(dirfd_, "g", "new", 3, 0600, &e), 0);

    char *new = io_load(dirfd_, "g", 99, &len, &e);

    assert_non_null(new);
    assert_string_equal(new, "new");
    free(new);

    /* A link where the temporary file would be is not followed. */
    assert_int_equal(io_store(dirfd_, "victim", "keep", 4, 0600, &e), 0);
    assert_int_equal(symlinkat("victim", dirfd_, tmp), 0);
    assert_int_equal(io_store(dirfd_, "g", "x", 1, 0600, &e), -ELOOP);

    char *got = io_load(dirfd_, "victim", 10, &len, &e);

    assert_non_null(got);
    assert_string_equal(got, "keep");
    free(got);
}

static void stores_by_absolute_path(void **state)
{
    struct err e;
    char path[96];
    size_t len;

    (void)state;
    snprintf(path, sizeof(path), "%s/f", dir);
    assert_int_equal(io_store(AT_FDCWD, path, "x", 1, 0600, &e), 0);

    char *got = io_load(dirfd_, "f", 1, &len, &e);

    assert_non_null(got);
    free(got);
}

static void error_texts(void **state)
{
    struct err e = ERR_INIT;
    char lots[400];

    (void)state;
    assert_int_equal(err_set(&e, EINVAL, "line %d", 7), -EINVAL);
    assert_int_equal(e.code, EINVAL);
    assert_int_equal(err_wrap(&e, "policy %s", "a.yaml"), -EINVAL);
    assert_string_equal(e.msg, "policy a.yaml: line 7");
    errno = ENOENT;
    assert_int_equal(err_sys(&e, "%s", "x"), -ENOENT);
    assert_string_equal(e.msg, "x: No such file or directory");
    errno = 0;
    assert_int_equal(err_sys(&e, "x"), -EIO); /* never a success by accident */
    assert_int_equal(err_set(NULL, EPERM, "x"), -EPERM);
    errno = EACCES;
    assert_int_equal(err_sys(NULL, "x"), -EACCES);
    assert_int_equal(err_wrap(NULL, "x"), -EIO);

    memset(lots, 'x', sizeof(lots));
    lots[sizeof(lots) - 1] = '\0';
    for (size_t keep = 200; keep < sizeof(lots); keep++) {
        err_set(&e, EINVAL, "%s", "tail of the message");
        lots[keep - 1] = '\0';
        assert_int_equal(err_wrap(&e, "%s", lots), -EINVAL);
        assert_true(strlen(e.msg) < sizeof(e.msg));
        lots[keep - 1] = 'x';
    }
    e = ERR_INIT;
    assert_int_equal(err_wrap(&e, "x"), -EIO);
}

static void descriptors_change_hands(void **state)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), taken;

    (void)state;
    {
        auto_fd int mine = fd;

        taken = fd_steal(&mine);
        assert_int_equal(mine, -1);
    }
    assert_int_equal(taken, fd);
    assert_true(fcntl(fd, F_GETFD) >= 0);
    {
        auto_fd int mine = fd;

        (void)mine;
    }
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

#define in_dir(test) cmocka_unit_test_setup_teardown(test, up, down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_until_full_or_the_end),
        cmocka_unit_test(writes_all),
        in_dir(preads_without_moving),
        in_dir(loads_what_was_stored),
        in_dir(refuses_to_load),
        in_dir(h07_a_failed_store_leaves_the_old_file),
        in_dir(stores_by_absolute_path),
        cmocka_unit_test(error_texts),
        cmocka_unit_test(descriptors_change_hands),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
