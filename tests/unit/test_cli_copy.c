/* test_cli_copy.c - cp: docker's rules for names, and hostile archives that must stay below. */
#include "sandbox/cli/copy_path.h"
#include "sandbox/cli/totar.h"
#include "sandbox/cli/untar.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- names ---- */

static void operands(void **state)
{
    struct copy_path p;

    (void)state;
    assert_int_equal(copy_path_parse("box:/a/b", &p), 0);
    assert_string_equal(p.box, "box");
    assert_string_equal(p.path, "/a/b");
    assert_int_equal(copy_path_parse("box:a", &p), 0);
    assert_string_equal(p.path, "/a");
    assert_int_equal(copy_path_parse("./x:y", &p), 0); /* a slash before the colon: ours */
    assert_string_equal(p.box, "");
    assert_string_equal(p.path, "./x:y");
    assert_int_equal(copy_path_parse("-", &p), 0);
    assert_true(p.is_stream);
    assert_int_equal(copy_path_parse("dir//", &p), 0);
    assert_true(p.slash && !p.contents);
    assert_string_equal(p.path, "dir");
    assert_int_equal(copy_path_parse("box:/dir/.", &p), 0);
    assert_true(p.contents);
    assert_string_equal(p.path, "/dir");
    assert_int_equal(copy_path_parse("/", &p), 0);
    assert_string_equal(p.path, "/");
    assert_int_equal(copy_path_parse("box:/.", &p), 0);
    assert_true(p.contents);
    assert_string_equal(p.path, "/");
    assert_int_equal(copy_path_parse(".", &p), 0);
    assert_true(p.contents);
    assert_int_equal(copy_path_parse("", &p), -EINVAL);
    assert_int_equal(copy_path_parse(":/x", &p), -EINVAL);
    assert_int_equal(copy_path_parse("box:", &p), -EINVAL);
}

static void target(const char *src, bool is_dir, const char *dst, enum copy_there there,
                   const char *want)
{
    struct copy_path s, d;
    struct copy_target t = { "", "" };
    char got[PATH_MAX + NAME_MAX + 8];

    assert_int_equal(copy_path_parse(src, &s), 0);
    assert_int_equal(copy_path_parse(dst, &d), 0);
    assert_int_equal(copy_path_target(&s, is_dir, &d, there, &t), 0);
    snprintf(got, sizeof(got), "%s + %s", t.dir, t.root);
    assert_string_equal(got, want);
}

static void refused(const char *src, bool is_dir, const char *dst, enum copy_there there, int why)
{
    struct copy_path s, d;
    struct copy_target t = { "", "" };

    assert_int_equal(copy_path_parse(src, &s), 0);
    assert_int_equal(copy_path_parse(dst, &d), 0);
    assert_int_equal(copy_path_target(&s, is_dir, &d, there, &t), why);
}

static void docker_rules(void **state)
{
    (void)state;
    /* a file */
    target("f", false, "b:/new", COPY_NOTHING, "/ + new");
    target("f", false, "b:/d/new", COPY_NOTHING, "/d + new");
    refused("f", false, "b:/new/", COPY_NOTHING, -ENOENT);
    target("f", false, "b:/old", COPY_FILE, "/ + old");
    refused("f", false, "b:/old/", COPY_FILE, -ENOTDIR);
    target("x/f", false, "b:/d", COPY_DIR, "/d + f");
    target("x/f", false, "b:/d/", COPY_DIR, "/d + f");
    target("b:/x/f", false, "new", COPY_NOTHING, ". + new");
    refused("f/", false, "b:/d", COPY_DIR, -ENOTDIR);
    refused("f/.", false, "b:/d", COPY_DIR, -ENOTDIR);
    refused("f/.", false, "b:/new", COPY_NOTHING, -ENOTDIR);
    refused("f/.", false, "b:/old", COPY_FILE, -ENOTDIR);
    /* a directory */
    target("d", true, "b:/new", COPY_NOTHING, "/ + new");
    target("d", true, "b:/new/", COPY_NOTHING, "/ + new");
    target("d/.", true, "b:/new", COPY_NOTHING, "/ + new");
    refused("d", true, "b:/old", COPY_FILE, -ENOTDIR);
    target("x/d", true, "b:/there", COPY_DIR, "/there + d");
    target("x/d/", true, "b:/there", COPY_DIR, "/there + d");
    target("x/d/.", true, "b:/there", COPY_DIR, "/there + .");
    target(".", true, "b:/there", COPY_DIR, "/there + .");
    target("b:/", true, "here", COPY_DIR, "here + .");
    target("..", true, "b:/there", COPY_DIR, "/there + .");
    refused("f", false, "b:/d/..", COPY_NOTHING, -EINVAL);
}

static void f01_names_below_the_first_component(void **state)
{
    char first[64] = "";

    (void)state;
    assert_string_equal(untar_name("root/", first, sizeof(first)), "");
    assert_string_equal(first, "root");
    assert_string_equal(untar_name("root/a/b", first, sizeof(first)), "a/b");
    assert_string_equal(untar_name("root//./a", first, sizeof(first)), "a");
    assert_null(untar_name("other/a", first, sizeof(first)));
    assert_null(untar_name("rootx", first, sizeof(first)));
    assert_null(untar_name("/root/a", first, sizeof(first)));
    assert_null(untar_name("root/../a", first, sizeof(first)));
    assert_null(untar_name("root/a/..", first, sizeof(first)));
    assert_null(untar_name("..", first, sizeof(first)));
    assert_null(untar_name("", first, sizeof(first)));
    assert_string_equal(untar_name("root/..a", first, sizeof(first)), "..a");
    first[0] = '\0';
    assert_string_equal(untar_name("./x", first, sizeof(first)), "x");
    assert_string_equal(first, ".");
    assert_string_equal(untar_name("./", first, sizeof(first)), "");
    assert_null(untar_name("x", first, sizeof(first)));
    first[0] = '\0';
    assert_null(untar_name("../x", first, sizeof(first)));
}

/* ---- archives ---- */

struct world {
    char dir[64]; /* dir/out is where archives go; nothing else may change */
    uint8_t tar[1 << 20];
    size_t len, at, chunk;
    uint64_t max; /* 0: 1 MiB */
    struct archive *a;
};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    char out[80];

    if (!w)
        return -1;
    snprintf(w->dir, sizeof(w->dir), "/tmp/carrel-copy-XXXXXX");
    if (!mkdtemp(w->dir)) {
        free(w);
        return -1;
    }
    snprintf(out, sizeof(out), "%s/out", w->dir);
    w->chunk = 1000;
    *state = w;
    return mkdir(out, 0755);
}

static int tear_down(void **state)
{
    struct world *w = *state;
    char cmd[96];

    snprintf(cmd, sizeof(cmd), "rm -rf '%s'", w->dir);
    int failed = system(cmd); /* NOLINT(cert-env33-c): our own name */
    free(w);
    return failed;
}

static la_ssize_t collect(struct archive *ar, void *arg, const void *buf, size_t len)
{
    struct world *w = arg;

    (void)ar;
    assert_true(w->len + len <= sizeof(w->tar));
    memcpy(w->tar + w->len, buf, len);
    w->len += len;
    return (la_ssize_t)len;
}

static void tar_begin(struct world *w)
{
    w->len = w->at = 0;
    w->a = archive_write_new();
    archive_write_set_format_pax_restricted(w->a);
    archive_write_open(w->a, w, NULL, collect, NULL);
}

static void tar_add(struct world *w, const char *name, unsigned type, unsigned mode,
                    const char *body)
{
    struct archive_entry *en = archive_entry_new();

    archive_entry_set_pathname(en, name);
    archive_entry_set_perm(en, mode);
    archive_entry_set_mtime(en, 1000000000, 0);
    archive_entry_set_uid(en, 12345);
    if (type == 'h')
        archive_entry_set_hardlink(en, body);
    else if (type == AE_IFLNK)
        archive_entry_set_symlink(en, body);
    if (type != 'h')
        archive_entry_set_filetype(en, type);
    if (type == AE_IFREG)
        archive_entry_set_size(en, (la_int64_t)strlen(body));
    if (type == AE_IFREG && mode == 0601)
        archive_entry_xattr_add_entry(en, "user.evil", "x", 1);
    assert_int_equal(archive_write_header(w->a, en), ARCHIVE_OK);
    if (type == AE_IFREG)
        archive_write_data(w->a, body, strlen(body));
    archive_entry_free(en);
}

static void tar_end(struct world *w)
{
    archive_write_close(w->a);
    archive_write_free(w->a);
}

static ssize_t next(void *arg, const void **bytes, struct err *e)
{
    struct world *w = arg;
    size_t n = w->len - w->at < w->chunk ? w->len - w->at : w->chunk;

    (void)e;
    *bytes = w->tar + w->at;
    w->at += n;
    return (ssize_t)n;
}

static int extract(struct world *w, const char *root, struct err *e)
{
    char out[80];
    int fd, err;

    snprintf(out, sizeof(out), "%s/out", w->dir);
    fd = open(out, O_RDONLY | O_DIRECTORY);
    assert_true(fd >= 0);

    const struct untar_ask ask = { .dirfd = fd,
                                   .root = root,
                                   .shown = "out",
                                   .max_bytes = w->max ? w->max : 1 << 20,
                                   .read = next,
                                   .arg = w };

    err = untar(&ask, e);
    close(fd);
    return err;
}

static const char *at(struct world *w, const char *name)
{
    static char path[256];

    snprintf(path, sizeof(path), "%s/%s", w->dir, name);
    return path;
}

static void expect_file(struct world *w, const char *name, const char *body, unsigned mode)
{
    char got[64] = "";
    struct stat st;
    int fd = open(at(w, name), O_RDONLY | O_NOFOLLOW);

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 07777, mode);
    assert_int_equal(st.st_uid, geteuid());
    assert_int_equal(read(fd, got, sizeof(got) - 1), (ssize_t)strlen(body));
    assert_string_equal(got, body);
    close(fd);
}

static void a_tree_arrives(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;
    struct stat st;
    char link[64] = "";

    umask(022);
    tar_begin(w);
    tar_add(w, "src/", AE_IFDIR, 0555, NULL); /* no write permission: set last */
    tar_add(w, "src/sub/", AE_IFDIR, 0755, NULL);
    tar_add(w, "src/sub/f", AE_IFREG, 0644, "hello");
    tar_add(w, "src/sub/gr\xc3\xbc\xc3\x9f", AE_IFREG, 0600, "utf-8");
    tar_add(w, "src/l", AE_IFLNK, 0777, "sub/f");
    tar_add(w, "src/hard", 'h', 0644, "src/sub/f");
    tar_add(w, "src/deep/er/x", AE_IFREG, 0600, "no entry for its directories");
    tar_end(w);
    assert_int_equal(extract(w, "dst", &e), -ENOENT); /* src/deep was never announced */
    assert_non_null(strstr(e.msg, "deep"));
    expect_file(w, "out/dst/sub/f", "hello", 0644);
    expect_file(w, "out/dst/hard", "hello", 0644);
    expect_file(w, "out/dst/sub/gr\xc3\xbc\xc3\x9f", "utf-8", 0600);
    assert_true(readlink(at(w, "out/dst/l"), link, sizeof(link) - 1) == 5);
    assert_string_equal(link, "sub/f");
    assert_int_equal(stat(at(w, "out/dst"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0555);
    assert_int_equal(st.st_mtime, 1000000000);
    assert_int_equal(stat(at(w, "out/dst/sub"), &st), 0);
    assert_int_equal(st.st_mtime, 1000000000);
}

/* Extracts one entry after a harmless root; it must be refused and leave no trace outside. */
static void refuse(struct world *w, const char *name, unsigned type, const char *body,
                   const char *words)
{
    struct err e = ERR_INIT;

    tar_begin(w);
    tar_add(w, "src/", AE_IFDIR, 0755, NULL);
    tar_add(w, name, type, 0644, body);
    tar_end(w);
    assert_true(extract(w, "dst", &e) < 0);
    assert_non_null(strstr(e.msg, words));
    assert_int_equal(access(at(w, "evil"), F_OK), -1);
    assert_int_equal(access("/tmp/carrel-evil", F_OK), -1);
}

static void f01_no_name_leads_out(void **state)
{
    struct world *w = *state;

    refuse(w, "../evil", AE_IFREG, "x", "leads outside");
    refuse(w, "src/../../evil", AE_IFREG, "x", "leads outside");
    refuse(w, "/tmp/carrel-evil", AE_IFREG, "x", "leads outside");
    refuse(w, "other", AE_IFREG, "x", "leads outside");
    refuse(w, "src/..", AE_IFDIR, "x", "leads outside");
    refuse(w, "src/h", 'h', "/etc/passwd", "leads outside");
    refuse(w, "src/h", 'h', "src/../../x", "leads outside");
    refuse(w, "src/h", 'h', "elsewhere", "leads outside");
}

static void f02_no_link_leads_out(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;
    int fd;

    /* Through a link that the archive made itself. */
    tar_begin(w);
    tar_add(w, "src/", AE_IFDIR, 0755, NULL);
    tar_add(w, "src/up", AE_IFLNK, 0777, "../..");
    tar_add(w, "src/up/evil", AE_IFREG, 0644, "x");
    tar_end(w);
    assert_int_equal(extract(w, "dst", &e), -EPERM);
    assert_non_null(strstr(e.msg, "symbolic link"));
    assert_int_equal(access(at(w, "evil"), F_OK), -1);

    /* A hard link to a link, then a file through it. */
    tar_begin(w);
    tar_add(w, "src/", AE_IFDIR, 0755, NULL);
    tar_add(w, "src/a", AE_IFLNK, 0777, "../../evil");
    tar_add(w, "src/b", 'h', 0644, "src/a");
    tar_add(w, "src/b", AE_IFREG, 0644, "x"); /* replaces the link, does not follow it */
    tar_end(w);
    assert_int_equal(extract(w, "dst2", &e), 0);
    assert_int_equal(access(at(w, "evil"), F_OK), -1);

    /* A file that stands where the user has a link: the link is replaced, its target untouched. */
    fd = open(at(w, "victim"), O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(symlink("../victim", at(w, "out/f")), 0);
    tar_begin(w);
    tar_add(w, "f", AE_IFREG, 0644, "new");
    tar_end(w);
    assert_int_equal(extract(w, "f", &e), 0);
    expect_file(w, "out/f", "new", 0644);
    expect_file(w, "victim", "", 0600);

    /* A directory entry where the archive made a link to a directory. */
    tar_begin(w);
    tar_add(w, "src/", AE_IFDIR, 0755, NULL);
    tar_add(w, "src/d", AE_IFLNK, 0777, "..");
    tar_add(w, "src/d", AE_IFDIR, 0700, NULL);
    tar_end(w);
    assert_true(extract(w, "dst3", &e) < 0);
}

static void f03_no_power_comes_along(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;

    tar_begin(w);
    tar_add(w, "src/", AE_IFDIR, 01777, NULL);
    tar_add(w, "src/suid", AE_IFREG, 06755, "x");
    tar_add(w, "src/attr", AE_IFREG, 0601, "x");
    tar_end(w);
    assert_int_equal(extract(w, "dst", &e), 0);
    expect_file(w, "out/dst/suid", "x", 0755);

    refuse(w, "src/dev", AE_IFCHR, NULL, "neither file");
    refuse(w, "src/dev", AE_IFBLK, NULL, "neither file");
    refuse(w, "src/fifo", AE_IFIFO, NULL, "neither file");
}

static void a_file_replaces_a_file_but_no_directory(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;

    assert_int_equal(mkdir(at(w, "out/d"), 0755), 0);
    tar_begin(w);
    tar_add(w, "d", AE_IFREG, 0644, "x");
    tar_end(w);
    assert_true(extract(w, "d", &e) < 0);
    w->at = 0;
    assert_int_equal(extract(w, "f", &e), 0);
    w->at = 0;
    assert_int_equal(extract(w, "f", &e), 0);
}

static void damaged_archives_end(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;

    memset(w->tar, 'x', 4096);
    w->len = 4096;
    w->at = 0;
    assert_true(extract(w, "dst", &e) < 0);
    tar_begin(w);
    tar_add(w, "src/", AE_IFDIR, 0755, NULL);
    tar_add(w, "src/f", AE_IFREG, 0644, "0123456789");
    tar_end(w);
    w->len = 512 + 512 + 5 > w->len ? w->len : 512 + 512 + 5; /* in the middle of f */
    w->at = 0;
    assert_true(extract(w, "dst", &e) < 0);
    assert_int_equal(access(at(w, "out/dst/f"), F_OK), -1); /* no half file */
}

/* ---- the other way ---- */

static int append(void *arg, const void *buf, size_t len, struct err *e)
{
    struct world *w = arg;

    (void)e;
    assert_true(w->len + len <= sizeof(w->tar));
    memcpy(w->tar + w->len, buf, len);
    w->len += len;
    return 0;
}

/* The permissions that the archive itself gives an entry. */
static unsigned perm_in_tar(struct world *w, const char *name)
{
    struct archive *ar = archive_read_new();
    struct archive_entry *en;
    unsigned perm = 0;

    archive_read_support_format_tar(ar);
    assert_int_equal(archive_read_open_memory(ar, w->tar, w->len), ARCHIVE_OK);
    while (archive_read_next_header(ar, &en) == ARCHIVE_OK)
        if (strcmp(archive_entry_pathname(en), name) == 0)
            perm = archive_entry_perm(en);
    archive_read_free(ar);
    return perm;
}

static int refuse_bytes(void *arg, const void *buf, size_t len, struct err *e)
{
    (void)arg;
    (void)buf;
    (void)len;
    return err_set(e, ENOSPC, "in the sandbox: full");
}

static void a_tree_there_and_back(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;
    char src[96];
    FILE *f;

    umask(022);
    snprintf(src, sizeof(src), "%s/src", w->dir);
    mkdir(src, 0755);
    mkdir(at(w, "src/sub"), 0750);
    f = fopen(at(w, "src/sub/f"), "w");
    assert_non_null(f);
    fputs("hello", f);
    fclose(f);
    chmod(at(w, "src/sub/f"), 04711);
    assert_int_equal(symlink("/etc/passwd", at(w, "src/l")), 0);
    assert_int_equal(mkfifo(at(w, "src/fifo"), 0600), 0);

    struct totar_ask ask = { .path = src, .root = "name", .write = append, .arg = w };

    w->len = w->at = 0;
    assert_int_equal(totar(&ask, &e), 0);
    assert_int_equal(ask.skipped, 1);
    assert_int_equal(ask.changed, 0);
    assert_int_equal(perm_in_tar(w, "name/sub/f"), 0711); /* no set-ID bit goes in */
    assert_int_equal(extract(w, "copy", &e), 0);
    expect_file(w, "out/copy/sub/f", "hello", 0711);
    assert_int_equal(access(at(w, "out/copy/fifo"), F_OK), -1);

    /* Contents only. */
    ask.root = ".";
    w->len = w->at = 0;
    assert_int_equal(totar(&ask, &e), 0);
    assert_int_equal(extract(w, ".", &e), 0);
    expect_file(w, "out/sub/f", "hello", 0711);

    /* The reason of a writer that gives up is the one that is told. */
    ask.write = refuse_bytes;
    assert_int_equal(totar(&ask, &e), -ENOSPC);
    assert_string_equal(e.msg, "in the sandbox: full");
}

/* A file of which only `pieces` bytes are there, one each 64 KiB. */
static void tar_add_sparse(struct world *w, const char *name, unsigned pieces)
{
    struct archive_entry *en = archive_entry_new();
    const la_int64_t size = 1ll << 40;

    archive_entry_set_pathname(en, name);
    archive_entry_set_perm(en, 0600);
    archive_entry_set_filetype(en, AE_IFREG);
    archive_entry_set_size(en, size);
    for (unsigned i = 0; i < pieces; i++)
        archive_entry_sparse_add_entry(en, (la_int64_t)i << 16, 1);
    assert_int_equal(archive_write_header(w->a, en), ARCHIVE_OK);
    for (unsigned i = 0; i < pieces; i++) {
        static char gap[1 << 16] = "x";

        archive_write_data(w->a, gap, i + 1 < pieces ? sizeof(gap) : 1);
    }
    archive_entry_free(en);
}

static void f07_no_archive_fills_the_disk(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;
    static char body[UNTAR_BLOCK + 2];

    memset(body, 'b', sizeof(body) - 1);
    tar_begin(w);
    tar_add(w, "src/", AE_IFDIR, 0755, NULL);
    tar_add(w, "src/f", AE_IFREG, 0600, body); /* one for its name, two for what is in it */
    tar_add(w, "src/l", AE_IFLNK, 0777, "f");
    tar_end(w);
    w->max = 5 * UNTAR_BLOCK;
    w->chunk = 1000; /* in pieces of any size, a block is counted once */
    assert_int_equal(extract(w, "all", &e), 0);
    w->at = 0;
    w->max = 5 * UNTAR_BLOCK - 1;
    assert_int_equal(extract(w, "most", &e), -E2BIG);
    assert_non_null(strstr(e.msg, "src/l"));
    assert_int_equal(access(at(w, "out/most/f"), F_OK), 0);
    w->at = 0;
    w->max = 4 * UNTAR_BLOCK - 1;
    assert_int_equal(extract(w, "half", &e), -E2BIG);
    assert_int_equal(access(at(w, "out/half/f"), F_OK), -1); /* no half file */

    /* A hole takes nothing, a byte takes a block. */
    tar_begin(w);
    tar_add_sparse(w, "src", 8);
    tar_end(w);
    w->max = 9 * UNTAR_BLOCK;
    assert_int_equal(extract(w, "holes", &e), 0);
    w->at = 0;
    w->max = 9 * UNTAR_BLOCK - 1;
    assert_int_equal(extract(w, "holes2", &e), -E2BIG);
    assert_int_equal(access(at(w, "out/holes2"), F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operands),
        cmocka_unit_test(docker_rules),
        cmocka_unit_test(f01_names_below_the_first_component),
        cmocka_unit_test_setup_teardown(a_tree_arrives, set_up, tear_down),
        cmocka_unit_test_setup_teardown(f01_no_name_leads_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(f02_no_link_leads_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(f03_no_power_comes_along, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_replaces_a_file_but_no_directory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_archives_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(f07_no_archive_fills_the_disk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_tree_there_and_back, set_up, tear_down),
    };

    setlocale(LC_CTYPE, "C.UTF-8");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
