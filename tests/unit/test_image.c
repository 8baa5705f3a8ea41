/* test_image.c - images and kernels in a data directory: found, checked, replaced, removed. */
#include "sandbox/image/data.h"
#include "sandbox/image/image.h"
#include "sandbox/image/kernel.h"

#include "base/fd.h"
#include "base/io.h"
#include "sandbox/places.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char top[32];

static int set_up(void **state)
{
    char data[64];

    (void)state;
    strcpy(top, "/tmp/carrel-image-XXXXXX");
    if (!mkdtemp(top))
        return -1;
    snprintf(data, sizeof(data), "%s/data", top);
    return setenv("CARREL_DATA", data, 1);
}

static int tear_down(void **state)
{
    (void)state;
    return data_remove_tree(AT_FDCWD, top, NULL);
}

static const char *in_top(const char *name)
{
    static char path[4][256];
    static unsigned turn;
    char *p = path[turn++ % 4];

    snprintf(p, sizeof(path[0]), "%s/%s", top, name);
    return p;
}

/* A directory tree to import: one file with this text. */
static const char *tree(const char *text)
{
    static const struct timespec times[2] = { { .tv_sec = 1700000000 }, { .tv_sec = 1700000000 } };
    const char *dir = in_top("tree");

    assert_true(mkdir(dir, 0755) == 0 || errno == EEXIST);
    assert_int_equal(io_store(AT_FDCWD, in_top("tree/file"), text, strlen(text), 0644, NULL), 0);
    /* The same text is the same image: times are part of it. */
    assert_int_equal(utimensat(AT_FDCWD, in_top("tree/file"), times, 0), 0);
    assert_int_equal(utimensat(AT_FDCWD, dir, times, 0), 0);
    return dir;
}

static const struct import_options usual;

static void import(const char *name, const char *text)
{
    struct err e = ERR_INIT;
    int err = image_import(name, tree(text), &usual, NULL, NULL, &e);

    if (err == -ENOENT && strstr(e.msg, "sqfstar")) {
        print_message("%s\n", e.msg);
        skip();
    }
    assert_string_equal(e.msg, "");
    assert_int_equal(err, 0);
}

static size_t entries(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *ent;
    size_t n = 0;

    while (d && (ent = readdir(d)))
        n += ent->d_name[0] != '.';
    if (d)
        closedir(d);
    return n;
}

static struct image load(const char *name)
{
    struct image img;
    struct err e = ERR_INIT;

    assert_int_equal(image_load(name, &img, &e), 0);
    return img;
}

static void blob_path(const struct image *img, char path[256])
{
    snprintf(path, 256, "%s/data/images/blobs/%s.squashfs", top, img->digest);
}

static void an_image_is_found_by_its_name(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct image img, *list;
    size_t n;
    char hex[65];

    assert_int_equal(image_load("nosuch", &img, &e), -ENOENT);
    assert_string_equal(e.msg, "image \"nosuch\" not found");
    import("one", "1");
    img = load("one");
    assert_string_equal(img.name, "one");
    assert_string_equal(img.cmd[0], "/bin/sh");
    assert_null(img.cmd[1]);
    assert_null(img.env[0]);
    assert_null(img.user);
    assert_true(img.created_ns > 0);

    auto_fd int fd = image_open(&img, true, &e);

    assert_true(fd >= 0);
    assert_int_equal(data_digest(fd, hex, &e), 0);
    assert_string_equal(hex, img.digest);
    assert_int_equal(lseek(fd, 0, SEEK_END), img.bytes);
    assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
    image_fini(&img);

    import("a-two", "2");
    assert_int_equal(image_list(&list, &n, &e), 0);
    assert_int_equal(n, 2);
    assert_string_equal(list[0].name, "a-two");
    assert_string_equal(list[1].name, "one");
    for (size_t i = 0; i < n; i++)
        image_fini(&list[i]);
    free(list);
    assert_int_equal(entries(in_top("data/cache")), 0);
}

static void names_cannot_leave_the_directory(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "..", "../x", "a/b", "/x", ".x", "-x", "A", "a b", "a\n"
    };
    struct image img;
    struct kernel k;
    struct err e = ERR_INIT;
    char longest[65];

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_int_equal(image_load(bad[i], &img, &e), -EINVAL);
        assert_int_equal(image_remove(bad[i], &e), -EINVAL);
        assert_int_equal(image_import(bad[i], top, &usual, NULL, NULL, &e), -EINVAL);
        assert_int_equal(image_build(bad[i], false, NULL, NULL, &e), -EINVAL);
        assert_int_equal(kernel_load(bad[i], &k, &e), -EINVAL);
        assert_int_equal(kernel_remove(bad[i], &e), -EINVAL);
        assert_int_equal(kernel_add(bad[i], "/x", NULL, NULL, NULL, &e), -EINVAL);
        assert_int_equal(kernel_fetch(bad[i], NULL, NULL, NULL, &e), -EINVAL);
    }
    memset(longest, 'a', sizeof(longest));
    longest[64] = '\0';
    assert_int_equal(image_load(longest, &img, &e), -EINVAL);
    longest[63] = '\0';
    assert_int_equal(image_load(longest, &img, &e), -ENOENT);
    assert_int_equal(kernel_fetch("x", "-o=Evil", NULL, NULL, &e), -EINVAL);
}

static void l06_a_changed_blob_is_refused(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    char path[256];
    struct image img;

    import("one", "1");
    img = load("one");
    blob_path(&img, path);
    assert_int_equal(chmod(path, 0600), 0);

    auto_fd int fd = open(path, O_RDWR | O_CLOEXEC);

    /* One byte changed, same length; and back. */
    assert_int_equal(pwrite(fd, "x", 1, 100), 1);
    assert_int_equal(image_open(&img, false, &e), -ESTALE);
    assert_int_equal(image_open(&img, true, &e), -ESTALE);

    char old[4096];
    ssize_t n = pread(fd, old, sizeof(old), 0);

    assert_true(n > 0);
    assert_int_equal(ftruncate(fd, n - 1), 0);
    assert_int_equal(image_open(&img, false, &e), -ESTALE);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(image_open(&img, false, &e), -ESTALE);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(image_open(&img, false, &e), -ENOENT);

    /* A link in its place is not followed. */
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(image_open(&img, false, &e), -ELOOP);
    image_fini(&img);

    /* Importing again mends it. */
    import("one", "1");
    img = load("one");
    fd_closep(&fd);
    fd = image_open(&img, true, &e);
    assert_true(fd >= 0);
    image_fini(&img);
}

/* Same bytes, another inode and time: a copied data directory works. */
static void a_copied_blob_is_accepted(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    char path[256], line[1100];
    struct image img;

    import("one", "1");
    img = load("one");
    blob_path(&img, path);
    snprintf(line, sizeof(line), "cp %s %s.new && mv %s.new %s", path, path, path, path);
    assert_int_equal(system(line), 0);

    assert_int_equal(image_open_known(&img, &e), -ESTALE);

    auto_fd int fd = image_open(&img, false, &e);

    assert_true(fd >= 0);

    auto_fd int again = image_open_known(&img, &e);

    assert_true(again >= 0);
    image_fini(&img);
}

/* A disk image is no image of ours, whatever its header promises. */
static void l07_a_qcow2_file_is_refused(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    static const char qcow2[512] = "QFI\xfb\0\0\0\3\0\0\0\0\0\0\1\0\0\0\0\13/etc/shadow";

    assert_int_equal(io_store(AT_FDCWD, in_top("disk"), qcow2, sizeof(qcow2), 0600, NULL), 0);
    assert_true(image_import("evil", in_top("disk"), &usual, NULL, NULL, &e) < 0);
    assert_int_equal(entries(in_top("data/images")), 0);
    assert_int_equal(entries(in_top("data/cache")), 0);
}

static void blobs_live_as_long_as_a_name_needs_them(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct image a, b;
    struct stat before, after;
    char path[256];

    import("a", "same");
    a = load("a");
    blob_path(&a, path);
    assert_int_equal(stat(path, &before), 0);
    import("b", "same");
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    b = load("b");
    assert_string_equal(a.digest, b.digest);
    assert_int_equal(entries(in_top("data/images/blobs")), 1);

    /* Both still know the blob, though it was there when b came. */
    auto_fd int fa = image_open(&a, false, &e);
    auto_fd int fb = image_open(&b, false, &e);

    assert_true(fa >= 0 && fb >= 0);
    assert_int_equal(image_remove("a", &e), 0);
    assert_int_equal(entries(in_top("data/images/blobs")), 1);
    import("b", "other");
    assert_int_equal(entries(in_top("data/images/blobs")), 1);
    assert_int_equal(image_open(&b, false, &e), -ENOENT);
    assert_int_equal(image_remove("b", &e), 0);
    assert_int_equal(image_remove("b", &e), -ENOENT);
    assert_int_equal(entries(in_top("data/images/blobs")), 0);
    image_fini(&a);
    image_fini(&b);
}

static void a_failed_import_leaves_the_old_image(void **state)
{
    (void)state;
    struct err e = ERR_INIT;

    import("one", "1");
    assert_int_equal(io_store(AT_FDCWD, in_top("bad.tar"), "garbage", 7, 0600, NULL), 0);
    assert_true(image_import("one", in_top("bad.tar"), &usual, NULL, NULL, &e) < 0);
    assert_true(image_import("one", in_top("absent"), &usual, NULL, NULL, &e) == -ENOENT);

    struct image img = load("one");
    auto_fd int fd = image_open(&img, true, &e);

    assert_true(fd >= 0);
    image_fini(&img);
    assert_int_equal(entries(in_top("data/cache")), 0);
}

static void a_broken_document_is_named_and_removable(void **state)
{
    (void)state;
    static const char *const bad[] = { "{", "[]", "{}", "{\"digest\": \"../../etc/passwd\"}",
                                       "{\"digest\":\"00\",\"digest\":\"11\"}" };
    struct err e = ERR_INIT;
    struct image img, *list;
    size_t n;

    import("good", "1");
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_int_equal(
            io_store(AT_FDCWD, in_top("data/images/bad.json"), bad[i], strlen(bad[i]), 0600, NULL),
            0);
        assert_int_equal(image_load("bad", &img, &e), -EINVAL);
        assert_non_null(strstr(e.msg, "bad"));
    }
    assert_int_equal(image_list(&list, &n, &e), 0);
    assert_int_equal(n, 1);
    image_fini(&list[0]);
    free(list);
    assert_int_equal(image_remove("bad", &e), 0);
    assert_int_equal(image_load("bad", &img, &e), -ENOENT);
}

/* What a killed import left goes with the next one; what a living one holds stays. */
static void h02_leftovers_are_swept(void **state)
{
    (void)state;
    struct data_tmp mine, other;
    struct err e = ERR_INIT;
    struct stat st;

    assert_int_equal(data_tmp_new(&mine, &e), 0);
    assert_int_equal(mkdir(in_top("data/cache/tmp.gone"), 0700), 0);
    assert_int_equal(mkdir(in_top("data/cache/tmp.gone/locked"), 0500), 0);
    assert_int_equal(mkdir(in_top("data/cache/kept"), 0700), 0);
    assert_int_equal(data_tmp_new(&other, &e), 0);
    assert_int_equal(stat(mine.path, &st), 0);
    assert_int_equal(stat(in_top("data/cache/tmp.gone"), &st), -1);
    assert_int_equal(stat(in_top("data/cache/kept"), &st), 0);
    data_tmp_free(&mine);
    data_tmp_free(&other);
    assert_int_equal(entries(in_top("data/cache")), 1);
}

/* --- a disk that is full ---------------------------------------------------------------------- */

/* The data directory on a file system of this size, seen by this process only. */
static void small_disk(const char *size)
{
    char opt[32];

    snprintf(opt, sizeof(opt), "size=%s", size);
    assert_int_equal(mkdir(in_top("data"), 0700), 0);
    if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("tmpfs", in_top("data"), "tmpfs", 0, opt)) {
        print_message("needs root\n");
        skip();
    }
}

static int tear_down_disk(void **state)
{
    umount2(in_top("data"), MNT_DETACH);
    return tear_down(state);
}

static void fill(const char *path, size_t bytes)
{
    auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    auto_fd int random = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    char buf[4096];

    for (size_t at = 0; at < bytes; at += sizeof(buf)) {
        assert_int_equal(read(random, buf, sizeof(buf)), sizeof(buf));
        assert_int_equal(write(fd, buf, sizeof(buf)), sizeof(buf));
    }
}

static void h07_no_room_for_an_image(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct image img;

    small_disk("256k");
    import("old", "1");
    fill(in_top("tree/big"), 1 << 20);
    assert_int_equal(image_import("new", in_top("tree"), &usual, NULL, NULL, &e), -ENOSPC);
    assert_int_equal(entries(in_top("data/cache")), 0);
    assert_int_equal(image_load("new", &img, &e), -ENOENT);
    img = load("old");

    auto_fd int fd = image_open(&img, true, &e);

    assert_true(fd >= 0);
    image_fini(&img);
}

/* --- kernels ---------------------------------------------------------------------------------- */

/* The smallest thing that is taken for a kernel; size bytes of it are loaded. */
static const char *elf(const char *version, size_t size)
{
    static char b[1 << 20];
    Elf64_Ehdr h = { .e_type = ET_EXEC,
                     .e_machine = EM_X86_64,
                     .e_phoff = sizeof(h),
                     .e_phentsize = sizeof(Elf64_Phdr),
                     .e_phnum = 1 };
    Elf64_Phdr p = { .p_type = PT_LOAD,
                     .p_vaddr = 0xffffffff81000000,
                     .p_paddr = 0x1000000,
                     .p_filesz = size,
                     .p_memsz = size };

    assert_true(size <= sizeof(b));
    memset(b, 'k', sizeof(b));
    memcpy(h.e_ident, ELFMAG, SELFMAG);
    h.e_ident[EI_CLASS] = ELFCLASS64;
    h.e_ident[EI_DATA] = ELFDATA2LSB;
    memcpy(b, &h, sizeof(h));
    memcpy(b + sizeof(h), &p, sizeof(p));
    snprintf(b + 512, 200, "Linux version %s (x)", version);
    assert_int_equal(io_store(AT_FDCWD, in_top("vmlinux"), b, size, 0600, NULL), 0);
    return in_top("vmlinux");
}

static void add(const char *name, const char *version)
{
    struct err e = ERR_INIT;
    char *init = places_program("carrel-init", NULL);
    int err;

    if (!init) {
        print_message("carrel-init is not built\n");
        skip();
    }
    free(init);
    err = kernel_add(name, elf(version, 4096), NULL, NULL, NULL, &e);
    assert_string_equal(e.msg, "");
    assert_int_equal(err, 0);
}

static void assert_default(const char *name)
{
    struct kernel k;

    assert_int_equal(kernel_load(NULL, &k, NULL), 0);
    assert_string_equal(k.name, name);
    assert_true(k.is_default);
    kernel_fini(&k);
}

static void kernels_and_their_default(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct kernel k, *list;
    size_t n;

    assert_int_equal(kernel_load(NULL, &k, &e), -ENOENT);
    assert_non_null(strstr(e.msg, "carrel kernel fetch"));
    assert_int_equal(kernel_load("x", &k, &e), -ENOENT);
    add("debian", "6.1.0-49-cloud");
    assert_default("debian");
    add("another", "6.12.0");
    assert_default("debian");
    add("lean", "6.12.117-carrel");
    assert_default("lean");
    assert_int_equal(kernel_set_default("another", &e), 0);
    assert_default("another");
    assert_int_equal(kernel_set_default("nosuch", &e), -ENOENT);
    assert_int_equal(kernel_list(&list, &n, &e), 0);
    assert_int_equal(n, 3);
    assert_string_equal(list[0].name, "another");
    assert_true(list[0].is_default);
    assert_string_equal(list[1].version, "6.1.0-49-cloud");
    assert_false(list[1].is_default);
    assert_false(list[1].pvh);
    for (size_t i = 0; i < n; i++)
        kernel_fini(&list[i]);
    free(list);
    assert_int_equal(kernel_remove("another", &e), 0);
    assert_default("debian");
    assert_int_equal(kernel_remove("debian", &e), 0);
    assert_int_equal(kernel_remove("lean", &e), 0);
    assert_int_equal(kernel_remove("lean", &e), -ENOENT);
    assert_int_equal(kernel_load(NULL, &k, &e), -ENOENT);
    assert_int_equal(kernel_add("default", "/x", NULL, NULL, NULL, &e), -EINVAL);
    assert_int_equal(entries(in_top("data/cache")), 0);
}

static void a_kernel_is_replaced_in_one_step(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct kernel k;
    int vmlinux, initrd;

    add("one", "6.1.1");
    assert_int_equal(kernel_load("one", &k, &e), 0);
    assert_int_equal(kernel_open(&k, &vmlinux, &initrd, &e), 0);
    kernel_fini(&k);
    add("one", "6.1.2");
    assert_int_equal(kernel_load("one", &k, &e), 0);
    assert_string_equal(k.version, "6.1.2");
    kernel_fini(&k);

    /* Who had it open still has the old one. */
    char text[64] = "";

    assert_int_equal(io_pread_full(vmlinux, text, 20, 512), 20);
    assert_string_equal(text, "Linux version 6.1.1 ");
    close(vmlinux);
    close(initrd);

    assert_true(kernel_add("one", in_top("tree"), NULL, NULL, NULL, &e) < 0);
    assert_int_equal(kernel_load("one", &k, &e), 0);
    assert_string_equal(k.version, "6.1.2");
    kernel_fini(&k);
    assert_int_equal(entries(in_top("data/cache")), 0);
}

static void l06_a_changed_kernel_is_refused(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct kernel k;
    int vmlinux = -1, initrd = -1;

    add("one", "6.1.1");
    assert_int_equal(kernel_load("one", &k, &e), 0);

    auto_fd int fd = open(in_top("data/kernels/one/vmlinux"), O_RDWR | O_CLOEXEC);

    assert_int_equal(pwrite(fd, "x", 1, 600), 1);
    assert_int_equal(kernel_open(&k, &vmlinux, &initrd, &e), -ESTALE);
    assert_int_equal(pwrite(fd, "k", 1, 600), 1);

    /* Whole again, but not the file that it was: once somebody has read it, it is known. */
    assert_int_equal(kernel_open_known(&k, &vmlinux, &initrd, &e), -ESTALE);
    assert_int_equal(kernel_open(&k, &vmlinux, &initrd, &e), 0);
    close(vmlinux);
    close(initrd);
    assert_int_equal(kernel_open_known(&k, &vmlinux, &initrd, &e), 0);
    close(vmlinux);
    close(initrd);
    assert_int_equal(ftruncate(fd, 4095), 0);
    assert_int_equal(kernel_open(&k, &vmlinux, &initrd, &e), -ESTALE);
    kernel_fini(&k);
}

static void a_missing_initrd_is_made_again(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct kernel k;
    int vmlinux = -1, initrd = -1;
    char line[256], magic[7] = "";

    add("one", "6.1.1");
    snprintf(line, sizeof(line), "rm %s/data/kernels/one/initrd-*.img", top);
    assert_int_equal(system(line), 0);
    assert_int_equal(kernel_load("one", &k, &e), 0);
    assert_int_equal(kernel_open_known(&k, &vmlinux, &initrd, &e), -ESTALE);
    assert_int_equal(kernel_open(&k, &vmlinux, &initrd, &e), 0);
    assert_int_equal(io_pread_full(initrd, magic, 6, 0), 6);
    assert_string_equal(magic, "070701");
    close(vmlinux);
    close(initrd);
    assert_int_equal(entries(in_top("data/kernels/one")), 3);

    assert_int_equal(kernel_open_known(&k, &vmlinux, &initrd, &e), 0);
    close(vmlinux);
    close(initrd);

    /* Those of other installations stay, but not without end. */
    for (int i = 0; i < 9; i++) {
        snprintf(line, sizeof(line), "touch -d @%d %s/data/kernels/one/initrd-%d.img", i + 1, top,
                 i);
        assert_int_equal(system(line), 0);
    }
    snprintf(line, sizeof(line), "rm %s/data/kernels/one/initrd-*?????.img", top);
    assert_int_equal(system(line), 0);
    assert_int_equal(kernel_open(&k, &vmlinux, &initrd, &e), 0);
    close(vmlinux);
    close(initrd);
    assert_int_equal(entries(in_top("data/kernels/one")), 6);
    kernel_fini(&k);
}

static void h07_no_room_for_a_kernel(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct kernel k;

    small_disk("512k");
    assert_int_equal(kernel_add("big", elf("6.1.1", 1 << 20), NULL, NULL, NULL, &e), -ENOSPC);
    assert_int_equal(entries(in_top("data/cache")), 0);
    assert_int_equal(kernel_load("big", &k, &e), -ENOENT);
}

/* The kernel fits, its initrd does not: the machine starts all the same. */
static void h07_no_room_for_an_initrd(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct kernel k;
    int vmlinux = -1, initrd = -1;
    char line[256];

    small_disk("16m"); /* a sanitized carrel-init is not small */
    add("one", "6.1.1");
    snprintf(line, sizeof(line), "rm %s/data/kernels/one/initrd-*.img", top);
    assert_int_equal(system(line), 0);
    snprintf(line, sizeof(line), "head -c 32M /dev/zero 2>/dev/null >%s/data/hog", top);
    assert_int_not_equal(system(line), -1);
    assert_int_equal(kernel_load("one", &k, &e), 0);
    assert_int_equal(kernel_open(&k, &vmlinux, &initrd, &e), 0);
    assert_true(lseek(initrd, 0, SEEK_END) > 1000);
    close(vmlinux);
    close(initrd);
    assert_int_equal(entries(in_top("data/kernels/one")), 2);
    kernel_fini(&k);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define D(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down_disk)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_image_is_found_by_its_name),
        T(names_cannot_leave_the_directory),
        T(l06_a_changed_blob_is_refused),
        T(a_copied_blob_is_accepted),
        T(l07_a_qcow2_file_is_refused),
        T(blobs_live_as_long_as_a_name_needs_them),
        T(a_failed_import_leaves_the_old_image),
        T(a_broken_document_is_named_and_removable),
        T(h02_leftovers_are_swept),
        T(kernels_and_their_default),
        T(a_kernel_is_replaced_in_one_step),
        T(l06_a_changed_kernel_is_refused),
        T(a_missing_initrd_is_made_again),
        D(h07_no_room_for_an_image),
        D(h07_no_room_for_a_kernel),
        D(h07_no_room_for_an_initrd),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
