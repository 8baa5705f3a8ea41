/*
 * Trees on a real filesystem, in a directory of their own: guest/unpack.h and guest/pack.h. Runs as
 * anybody; ownership is only tried as root.
 */
#include "guest/pack.h"
#include "guest/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define ARCHIVE_MAX (8u << 20)

static char top[64]; /* holds "target" and, beside it, what must not be touched */
static int target = -1;
static uint8_t *archive;
static size_t used, at;
static struct tar_entry entry;
static struct err why;

/* ---- files ---- */

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static int make_top(void **state)
{
    (void)state;
    strcpy(top, "/tmp/carrel-unpack-XXXXXX");
    archive = malloc(ARCHIVE_MAX);
    if (!archive || !mkdtemp(top) || chdir(top) || mkdir("target", 0755) || mkdir("outside", 0755))
        return -1;
    target = open("target", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    used = at = 0;
    return target < 0 ? -1 : 0;
}

static int remove_top(void **state)
{
    (void)state;
    close(target);
    free(archive);
    if (chdir("/"))
        return -1;
    return nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void assert_file(const char *path, const char *text)
{
    char buf[256] = "";
    int fd = open(path, O_RDONLY | O_NOFOLLOW);

    if (fd < 0)
        fail_msg("%s: %s", path, strerror(errno));
    assert_true(read(fd, buf, sizeof(buf) - 1) >= 0);
    close(fd);
    assert_string_equal(buf, text);
}

static struct stat look(const char *path)
{
    struct stat st;

    if (lstat(path, &st))
        fail_msg("%s: %s", path, strerror(errno));
    return st;
}

static bool is_there(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

/* ---- archives ---- */

static void add(const void *p, size_t len)
{
    assert_true(used + len <= ARCHIVE_MAX);
    if (p)
        memcpy(archive + used, p, len);
    else
        memset(archive + used, 0, len);
    used += len;
}

static void put(enum tar_type type, mode_t mode, const char *path, const char *link,
                const char *data)
{
    static uint8_t head[TAR_HEADER_MAX];

    entry.type = type;
    entry.mode = mode;
    entry.uid = 1234;
    entry.gid = 2345;
    entry.size = strlen(data);
    entry.mtime = (struct timespec){ 1500000000, 123456789 };
    snprintf(entry.path, sizeof(entry.path), "%s", path);
    snprintf(entry.link, sizeof(entry.link), "%s", link);
    add(head, tar_header(&entry, head));
    add(data, strlen(data));
    add(NULL, tar_padding(entry.size));
}

static void file(const char *path, const char *data)
{
    put(TAR_FILE, 0644, path, "", data);
}

static void dir(const char *path)
{
    put(TAR_DIR, 0755, path, "", "");
}

static ssize_t from_archive(void *arg, void *buf, size_t len)
{
    size_t n = used - at < len ? used - at : len;

    (void)arg;
    memcpy(buf, archive + at, n);
    at += n;
    return (ssize_t)n;
}

static int to_archive(void *arg, const void *buf, size_t len)
{
    (void)arg;
    add(buf, len);
    return 0;
}

static int run_as(const struct unpack_owner *owner)
{
    struct tar_reader r = { .read = from_archive };
    int err;

    add(NULL, (size_t)2 * TAR_BLOCK);
    at = 0;
    why = ERR_INIT;
    err = unpack(&r, target, owner, &why);
    assert_int_equal(err < 0, why.msg[0] != '\0');
    used = 0;
    return err;
}

static int run(void)
{
    return run_as(&(struct unpack_owner){ 0 });
}

static int run_pack(const char *path)
{
    const struct pack_sink to = { .write = to_archive };

    used = 0;
    why = ERR_INIT;
    return pack(path, &to, &why);
}

/* ---- unpack ---- */

static void plain_tree(void **state)
{
    struct stat st;

    (void)state;
    put(TAR_DIR, 0750, "d", "", "");
    put(TAR_FILE, 0640, "d/f", "", "hello");
    put(TAR_DIR, 0700, "d/sub", "", "");
    file("d/sub/g", "deep");
    put(TAR_SYMLINK, 0777, "d/l", "f", "");
    put(TAR_HARDLINK, 0644, "d/h", "d/f", "");
    file("last", "");
    assert_int_equal(run(), 0);
    assert_file("target/d/f", "hello");
    assert_file("target/d/sub/g", "deep");
    assert_file("target/d/h", "hello");
    assert_int_equal(look("target/d/h").st_nlink, 2);
    assert_true(S_ISLNK(look("target/d/l").st_mode));
    st = look("target/d");
    assert_int_equal(st.st_mode & 07777, 0750);
    assert_int_equal(st.st_mtim.tv_sec, 1500000000);
    assert_int_equal(st.st_mtim.tv_nsec, 123456789);
    st = look("target/d/f");
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(st.st_mtim.tv_sec, 1500000000);
    assert_int_equal(look("target/d/sub").st_mtim.tv_sec, 1500000000);
    assert_int_equal(look("target/d/l").st_mtim.tv_sec, 1500000000);
    if (geteuid() == 0) {
        assert_int_equal(st.st_uid, 1234);
        assert_int_equal(st.st_gid, 2345);
        assert_int_equal(look("target/d").st_uid, 1234);
        assert_int_equal(look("target/d/l").st_uid, 1234);
    }
}

static void names_are_normalised(void **state)
{
    (void)state;
    dir(".");
    dir("./a");
    file("./a//b/./c", "1");
    file(".///d", "2");
    file("...", "3");
    file("a/..b", "4");
    dir("a/");
    assert_int_equal(run(), 0);
    assert_file("target/a/b/c", "1");
    assert_file("target/d", "2");
    assert_file("target/...", "3");
    assert_file("target/a/..b", "4");
    assert_int_equal(look("target/a/b").st_mode & 07777, 0755); /* not in the archive */
}

static void any_order(void **state)
{
    (void)state;
    file("x/y/1", "1");
    file("z/1", "2");
    file("x/y/2", "3");
    dir("x/y");
    file("x/3", "4");
    file("xy/1", "5");
    file("x/y/z/w", "6");
    file("x/yy", "7");
    assert_int_equal(run(), 0);
    assert_file("target/x/y/1", "1");
    assert_file("target/z/1", "2");
    assert_file("target/x/y/2", "3");
    assert_file("target/x/3", "4");
    assert_file("target/xy/1", "5");
    assert_file("target/x/y/z/w", "6");
    assert_file("target/x/yy", "7");
}

static void replaces_files_keeps_directories(void **state)
{
    (void)state;
    assert_int_equal(mkdir("target/d", 0700), 0);
    write_file("target/f", "old and longer");
    assert_int_equal(link("target/f", "outside/same"), 0);
    write_file("outside/kept", "kept");
    assert_int_equal(symlink("../outside/kept", "target/s"), 0);
    dir("d");
    file("f", "new");
    file("s", "not through the link");
    assert_int_equal(run(), 0);
    assert_int_equal(look("target/d").st_mode & 07777, 0700);
    assert_int_not_equal(look("target/d").st_mtim.tv_sec, 1500000000);
    assert_file("target/f", "new");
    assert_file("outside/same", "old and longer");
    assert_file("outside/kept", "kept");
    assert_file("target/s", "not through the link");
}

static void f03_mode_bits(void **state)
{
    (void)state;
    put(TAR_FILE, 06755, "f", "", "");
    put(TAR_DIR, 07777, "d", "", "");
    assert_int_equal(run(), 0);
    assert_int_equal(look("target/f").st_mode & 07777, 0755);
    assert_int_equal(look("target/d").st_mode & 07777, 01777);
}

static void mapped_owner(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    dir("d");
    file("d/f", "");
    put(TAR_SYMLINK, 0777, "d/l", "f", "");
    file("made/f", "");
    assert_int_equal(run_as(&(struct unpack_owner){ true, 77, 88 }), 0);
    assert_int_equal(look("target/d").st_uid, 77);
    assert_int_equal(look("target/d/f").st_gid, 88);
    assert_int_equal(look("target/d/l").st_uid, 77);
    assert_int_equal(look("target/made").st_uid, 77);
}

/* F01: nothing outside is made, changed or linked to. */
static void f01_ways_out(void **state)
{
    static const struct {
        const char *path, *link;
        enum tar_type type;
        int error;
    } cases[] = {
        { "/etc/x", "", TAR_FILE, EPERM },
        { "..", "", TAR_DIR, EPERM },
        { "../outside/x", "", TAR_FILE, EPERM },
        { "a/../../outside/x", "", TAR_FILE, EPERM },
        { "a/..", "", TAR_DIR, EPERM },
        { "out/x", "", TAR_FILE, ENOTDIR },
        { "out", "", TAR_DIR, ENOTDIR },
        { "out/sub", "", TAR_DIR, ENOTDIR },
        { "inner/x", "", TAR_FILE, ENOTDIR },
        { "h", "../outside/secret", TAR_HARDLINK, EPERM },
        { "h", "/etc/passwd", TAR_HARDLINK, EPERM },
        { "h", "out/secret", TAR_HARDLINK, ENOTDIR },
        { "h", "", TAR_HARDLINK, EINVAL },
        { "h", "nothing", TAR_HARDLINK, ENOENT },
        { ".", "", TAR_FILE, EISDIR },
        { "f/x", "", TAR_FILE, ENOTDIR },
        { "d", "", TAR_FILE, EISDIR },
    };

    (void)state;
    write_file("outside/secret", "secret");
    write_file("target/f", "");
    assert_int_equal(mkdir("target/d", 0755), 0);
    assert_int_equal(symlink("../outside", "target/out"), 0);
    assert_int_equal(symlink("d", "target/inner"), 0);
    for (size_t i = 0; i < array_len(cases); i++) {
        int err;

        put(cases[i].type, 0644, cases[i].path, cases[i].link, "");
        err = run();
        if (err != -cases[i].error)
            fail_msg("%s -> %s gave %d (%s), not %d", cases[i].path, cases[i].link, err, why.msg,
                     -cases[i].error);
    }
    assert_false(is_there("outside/x"));
    assert_false(is_there("outside/sub"));
    assert_false(is_there("target/h"));
    assert_false(is_there("target/d/x"));
    assert_int_equal(look("outside/secret").st_nlink, 1);
}

/* A symlink made by the archive itself is no way out either. */
static void f01_own_link(void **state)
{
    (void)state;
    put(TAR_SYMLINK, 0777, "way", "../outside", "");
    file("way/x", "");
    assert_int_equal(run(), -ENOTDIR);
    assert_false(is_there("outside/x"));

    write_file("outside/secret", "secret");
    put(TAR_SYMLINK, 0777, "s", "../outside/secret", "");
    put(TAR_HARDLINK, 0644, "h", "s", ""); /* the link itself, not what it points at */
    file("s", "replaced");
    assert_int_equal(run(), 0);
    assert_file("outside/secret", "secret");
    assert_int_equal(look("outside/secret").st_nlink, 1);
    assert_file("target/s", "replaced");
}

/* F02: a directory that is entered stays the one that was entered. */
static void f02_swapped(void **state)
{
    (void)state;
    file("d/1", "");
    assert_int_equal(run(), 0);
    assert_int_equal(rename("target/d", "target/moved"), 0);
    assert_int_equal(symlink("../outside", "target/d"), 0);
    file("d/2", "");
    assert_int_equal(run(), -ENOTDIR);
    assert_false(is_there("outside/2"));
}

static void too_deep(void **state)
{
    char path[1024] = "";

    (void)state;
    for (int i = 0; i < 127; i++)
        strcat(path, "d/");
    strcat(path, "f");
    file(path, "deep");
    assert_int_equal(run(), 0);
    for (int i = 0; i < 127; i++)
        memcpy(path + (size_t)2 * i, "e/", 2);
    strcpy(path + 254, "e/e/f");
    file(path, "");
    assert_int_equal(run(), -ENAMETOOLONG);
}

static void long_component(void **state)
{
    char path[400];

    (void)state;
    memset(path, 'a', sizeof(path));
    path[256] = '\0';
    file(path, "");
    assert_int_equal(run(), -ENAMETOOLONG);
    path[255] = '\0';
    file(path, "");
    assert_int_equal(run(), 0);
}

static void cut_short(void **state)
{
    struct tar_reader r = { .read = from_archive };

    (void)state;
    file("whole", "1");
    file("half", "0123456789");
    used -= 505; /* in the middle of the data */
    at = 0;
    assert_int_equal(unpack(&r, target, &(struct unpack_owner){ 0 }, &why), -EINVAL);
    assert_file("target/whole", "1");
}

/* ---- pack, and both ---- */

static void make_tree(void)
{
    char big[3000];
    int fd;

    memset(big, 'b', sizeof(big));
    assert_int_equal(mkdir("tree", 0751), 0);
    assert_int_equal(mkdir("tree/empty", 0500), 0);
    assert_int_equal(mkdir("tree/sub", 0755), 0);
    write_file("tree/sub/new\nline", "odd");
    write_file("tree/f", "text");
    assert_int_equal(chmod("tree/f", 0604), 0);
    assert_int_equal(symlink("/no/where", "tree/l"), 0);
    assert_int_equal(mkfifo("tree/fifo", 0644), 0);
    fd = open("tree/big", O_WRONLY | O_CREAT, 0600);
    for (int i = 0; i < 100; i++)
        assert_int_equal(write(fd, big, sizeof(big)), sizeof(big));
    close(fd);
}

static void round_trip(void **state)
{
    char path[128];

    (void)state;
    make_tree();
    snprintf(path, sizeof(path), "%s/tree/", top);
    assert_int_equal(run_pack(path), 0);
    assert_int_equal(used % TAR_BLOCK, 0);
    used -= (size_t)2 * TAR_BLOCK;
    assert_int_equal(run(), 0);
    assert_false(is_there("target/tree/fifo"));
    assert_int_equal(look("target/tree").st_mode & 07777, 0751);
    assert_int_equal(look("target/tree/empty").st_mode & 07777, 0500);
    assert_int_equal(look("target/tree/f").st_mode & 07777, 0604);
    assert_int_equal(look("target/tree/f").st_mtim.tv_nsec, look("tree/f").st_mtim.tv_nsec);
    assert_int_equal(look("target/tree/sub").st_mtim.tv_nsec, look("tree/sub").st_mtim.tv_nsec);
    assert_int_equal(system("rm tree/fifo && diff -r --no-dereference tree target/tree"), 0);
}

static void single_file(void **state)
{
    char path[128];

    (void)state;
    write_file("outside/one", "one");
    assert_int_equal(symlink("one", "outside/link"), 0);
    snprintf(path, sizeof(path), "%s/outside/one", top);
    assert_int_equal(run_pack(path), 0);
    used -= (size_t)2 * TAR_BLOCK;
    assert_int_equal(run(), 0);
    assert_file("target/one", "one");
    snprintf(path, sizeof(path), "%s/outside/link", top);
    assert_int_equal(run_pack(path), 0);
    used -= (size_t)2 * TAR_BLOCK;
    assert_int_equal(run(), 0);
    assert_true(S_ISLNK(look("target/link").st_mode));
}

static void contents_by_dot(void **state)
{
    char path[128];

    (void)state;
    write_file("outside/one", "one");
    snprintf(path, sizeof(path), "%s/outside/.", top);
    assert_int_equal(run_pack(path), 0);
    used -= (size_t)2 * TAR_BLOCK;
    assert_int_equal(run(), 0);
    assert_file("target/one", "one");
}

static void nothing_there(void **state)
{
    char path[128];

    (void)state;
    snprintf(path, sizeof(path), "%s/missing", top);
    assert_int_equal(run_pack(path), -ENOENT);
    assert_non_null(strstr(why.msg, "missing"));
    assert_int_equal(run_pack("/no/such/dir/x"), -ENOENT);
    snprintf(path, sizeof(path), "%s/..", top);
    assert_int_equal(run_pack(path), -EINVAL);
    assert_int_equal(mkfifo("fifo", 0644), 0);
    snprintf(path, sizeof(path), "%s/fifo", top);
    assert_int_equal(run_pack(path), -EINVAL);
}

static int shrink_then_write(void *arg, const void *buf, size_t len)
{
    /* After the header was written the file loses its second half. */
    if (used == 0 && truncate("outside/f", 5))
        return -errno;
    return to_archive(arg, buf, len);
}

static void shrinking_file(void **state)
{
    const struct pack_sink to = { .write = shrink_then_write };
    char path[128];

    (void)state;
    write_file("outside/f", "0123456789");
    snprintf(path, sizeof(path), "%s/outside/f", top);
    used = 0;
    assert_int_equal(pack(path, &to, &why), -EAGAIN);
    used -= (size_t)2 * TAR_BLOCK;
    assert_int_equal(run(), 0);
    assert_int_equal(look("target/f").st_size, 10);
    assert_file("target/f", "01234");
}

static int grow_then_write(void *arg, const void *buf, size_t len)
{
    if (used == 0)
        write_file("outside/f", "0123456789 and more");
    return to_archive(arg, buf, len);
}

static void growing_file(void **state)
{
    const struct pack_sink to = { .write = grow_then_write };
    char path[128];

    (void)state;
    write_file("outside/f", "0123456789");
    snprintf(path, sizeof(path), "%s/outside/f", top);
    used = 0;
    assert_int_equal(pack(path, &to, &why), 0);
    used -= (size_t)2 * TAR_BLOCK;
    assert_int_equal(run(), 0);
    assert_file("target/f", "0123456789");
}

static int remove_then_write(void *arg, const void *buf, size_t len)
{
    /* The directory was listed: one of the two is being written, the other will not be found. */
    if (used > 0) {
        (void)unlink("outside/one");
        (void)unlink("outside/two");
    }
    return to_archive(arg, buf, len);
}

static void vanishing_file(void **state)
{
    const struct pack_sink to = { .write = remove_then_write };
    char path[128];

    (void)state;
    write_file("outside/one", "1");
    write_file("outside/two", "2");
    snprintf(path, sizeof(path), "%s/outside", top);
    used = 0;
    assert_int_equal(pack(path, &to, &why), 0);
    used -= (size_t)2 * TAR_BLOCK;
    assert_int_equal(run(), 0);
    assert_true(is_there("target/outside/one") != is_there("target/outside/two"));
}

static int full(void *arg, const void *buf, size_t len)
{
    (void)arg;
    (void)buf;
    (void)len;
    return -EPIPE;
}

static void reader_gone(void **state)
{
    const struct pack_sink to = { .write = full };

    (void)state;
    assert_int_equal(pack(top, &to, &why), -EPIPE);
}

/* What the system's tar makes, in each of its formats, and what it says of ours. */
static void other_tar(void **state)
{
    static const char *const formats[] = { "ustar", "pax", "gnu", "oldgnu" };
    char command[512], path[128];
    int fd;

    (void)state;
    if (system("tar --version >/dev/null 2>&1"))
        skip();
    make_tree();
    assert_int_equal(system("rm tree/fifo; ln tree/f tree/sub/hard; cd tree; "
                            "p=$(printf '%090d' 0); mkdir $p; echo x > $p/$p"),
                     0);
    for (size_t i = 0; i < array_len(formats); i++) {
        ssize_t n;

        snprintf(command, sizeof(command), "rm -rf target/tree; tar --format=%s -cf a.tar tree",
                 formats[i]);
        assert_int_equal(system(command), 0);
        fd = open("a.tar", O_RDONLY);
        n = read(fd, archive, ARCHIVE_MAX / 2);
        close(fd);
        assert_true(n > 0);
        used = (size_t)n;
        assert_int_equal(run(), 0);
        assert_int_equal(system("diff -r --no-dereference tree target/tree"), 0);
        assert_int_equal(look("target/tree/f").st_nlink, 2);
    }
    snprintf(path, sizeof(path), "%s/tree", top);
    assert_int_equal(run_pack(path), 0);
    fd = open("b.tar", O_WRONLY | O_CREAT, 0644);
    assert_int_equal(write(fd, archive, used), used);
    close(fd);
    assert_int_equal(system("mkdir theirs && tar -C theirs -xf b.tar 2>&1 && "
                            "diff -r --no-dereference tree theirs/tree"),
                     0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_top, remove_top)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(plain_tree),      TEST(names_are_normalised),
        TEST(any_order),       TEST(replaces_files_keeps_directories),
        TEST(f03_mode_bits),   TEST(mapped_owner),
        TEST(f01_ways_out),    TEST(f01_own_link),
        TEST(f02_swapped),     TEST(too_deep),
        TEST(long_component),  TEST(cut_short),
        TEST(round_trip),      TEST(single_file),
        TEST(contents_by_dot), TEST(nothing_there),
        TEST(shrinking_file),  TEST(vanishing_file),
        TEST(growing_file),    TEST(reader_gone),
        TEST(other_tar),
    };

    umask(022);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
