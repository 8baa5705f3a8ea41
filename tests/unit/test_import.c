/* test_import.c - what an archive may say (L08), judged in memory, and through the real sqfstar. */
#include "sandbox/image/import.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

/* --- names and limits, in memory -------------------------------------------------------------- */

static int judge(struct entry_judge *j, const char *path, enum entry_kind kind, const char *target,
                 uint64_t size, struct entry_name *n)
{
    struct err e = ERR_INIT;
    int verdict = entry_judge(j, path, kind, target, size, n, &e);

    assert_true(verdict >= 0 || e.msg[0]);
    assert_true(verdict >= 0 || e.code == -verdict);
    return verdict;
}

static void l08_names(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out; /* NULL = refused */
    } cases[] = {
        { "a", "a" },
        { "./b", "b" },
        { "c/", "c" },
        { ".//./d//e/./", "d/e" },
        { "...", "..." },
        { "..x/x..", "..x/x.." },
        { "/etc/passwd", NULL },
        { "/", NULL },
        { "..", NULL },
        { "../x", NULL },
        { "a1/../x", NULL },
        { "a2/..", NULL },
        { "./../x", NULL },
        { "", NULL },
        { NULL, NULL },
    };
    struct entry_judge j = { 0 };
    struct entry_name n;

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        int verdict = judge(&j, cases[i].in, ENTRY_FILE, NULL, 1, &n);

        assert_int_equal(verdict >= 0, cases[i].out != NULL);
        if (cases[i].out)
            assert_string_equal(n.path, cases[i].out);
    }
    assert_int_equal(judge(&j, ".", ENTRY_DIR, NULL, 0, &n), ENTRY_DROP);
    assert_int_equal(judge(&j, "./", ENTRY_FILE, NULL, 0, &n), -EINVAL);
    entry_judge_fini(&j);
}

static void l08_long_names(void **state)
{
    (void)state;
    struct entry_judge j = { 0 };
    struct entry_name n;
    char name[6000];

    memset(name, 'a', sizeof(name));
    name[255] = '\0';
    assert_int_equal(judge(&j, name, ENTRY_FILE, NULL, 0, &n), ENTRY_KEEP);
    name[255] = 'a';
    name[256] = '\0';
    assert_int_equal(judge(&j, name, ENTRY_FILE, NULL, 0, &n), -ENAMETOOLONG);
    name[256] = 'a';
    for (size_t i = 100; i < sizeof(name); i += 100)
        name[i] = '/';
    name[4095] = '\0'; /* as long as Linux takes */
    assert_true(judge(&j, name, ENTRY_FILE, NULL, 0, &n) >= 0);
    assert_int_equal(strlen(n.path), 4095);
    name[4095] = 'b';
    name[4096] = '\0';
    assert_int_equal(judge(&j, name, ENTRY_FILE, NULL, 0, &n), -ENAMETOOLONG);
    entry_judge_fini(&j);
}

static void missing_parents_are_told(void **state)
{
    (void)state;
    struct entry_judge j = { 0 };
    struct entry_name n;

    assert_int_equal(judge(&j, "a", ENTRY_DIR, NULL, 0, &n), ENTRY_KEEP);
    assert_int_equal(judge(&j, "a/f", ENTRY_FILE, NULL, 0, &n), ENTRY_KEEP);
    assert_int_equal(judge(&j, "a/b/c/f", ENTRY_FILE, NULL, 0, &n), ENTRY_KEEP_PARENTS);
    assert_int_equal(n.missing, 1);
    assert_int_equal(judge(&j, "a/b/c/g", ENTRY_FILE, NULL, 0, &n), ENTRY_KEEP);
    assert_int_equal(judge(&j, "x/y", ENTRY_LINK, NULL, 0, &n), ENTRY_KEEP_PARENTS);
    assert_int_equal(n.missing, 0);
    assert_int_equal(j.count, 8); /* a f b c f g x y */

    /* A directory may come again, with its attributes; nothing else may. */
    assert_int_equal(judge(&j, "a/b", ENTRY_DIR, NULL, 0, &n), ENTRY_KEEP);
    assert_int_equal(judge(&j, "a/f", ENTRY_FILE, NULL, 0, &n), -EEXIST);
    assert_int_equal(judge(&j, "a/f", ENTRY_DIR, NULL, 0, &n), -EEXIST);
    assert_int_equal(judge(&j, "a/b", ENTRY_LINK, NULL, 0, &n), -EEXIST);
    entry_judge_fini(&j);
}

/* The classic: a link, then a file "below" it. */
static void l08_nothing_lies_below_a_link(void **state)
{
    (void)state;
    struct entry_judge j = { 0 };
    struct entry_name n;

    assert_int_equal(judge(&j, "l", ENTRY_LINK, NULL, 0, &n), ENTRY_KEEP);
    assert_int_equal(judge(&j, "l/passwd", ENTRY_FILE, NULL, 0, &n), -EINVAL);
    assert_int_equal(judge(&j, "l/a/b", ENTRY_FILE, NULL, 0, &n), -EINVAL);
    assert_int_equal(judge(&j, "ll/a", ENTRY_FILE, NULL, 0, &n), ENTRY_KEEP_PARENTS);
    entry_judge_fini(&j);
}

static void l08_hard_links(void **state)
{
    (void)state;
    struct entry_judge j = { 0 };
    struct entry_name n;

    assert_int_equal(judge(&j, "f", ENTRY_FILE, NULL, 0, &n), ENTRY_KEEP);
    assert_int_equal(judge(&j, "d", ENTRY_DIR, NULL, 0, &n), ENTRY_KEEP);
    assert_int_equal(judge(&j, "h", ENTRY_HARD, "./f", 0, &n), ENTRY_KEEP);
    assert_string_equal(n.target, "f");
    assert_int_equal(judge(&j, "h1", ENTRY_HARD, "/etc/shadow", 0, &n), -EINVAL);
    assert_int_equal(judge(&j, "h2", ENTRY_HARD, "../f", 0, &n), -EINVAL);
    assert_int_equal(judge(&j, "h3", ENTRY_HARD, "later", 0, &n), -EINVAL);
    assert_int_equal(judge(&j, "h4", ENTRY_HARD, "d", 0, &n), -EINVAL);
    assert_int_equal(judge(&j, "h5", ENTRY_HARD, "h5", 0, &n), -EINVAL);
    assert_int_equal(judge(&j, "h6", ENTRY_HARD, "", 0, &n), -EINVAL);
    assert_int_equal(judge(&j, "h7", ENTRY_HARD, NULL, 0, &n), -EINVAL);
    entry_judge_fini(&j);
}

static void l08_bombs(void **state)
{
    (void)state;
    struct entry_judge j = { .bytes_max = 100, .count_max = 4 };
    struct entry_name n;

    assert_int_equal(judge(&j, "a", ENTRY_FILE, NULL, 60, &n), ENTRY_KEEP);
    assert_int_equal(judge(&j, "b", ENTRY_FILE, NULL, 41, &n), -EFBIG);
    assert_int_equal(judge(&j, "b", ENTRY_FILE, NULL, UINT64_MAX, &n), -EFBIG);
    assert_int_equal(judge(&j, "b", ENTRY_FILE, NULL, UINT64_MAX - 59, &n), -EFBIG);
    assert_int_equal(judge(&j, "b", ENTRY_FILE, NULL, 40, &n), ENTRY_KEEP);
    assert_int_equal(judge(&j, "c/d", ENTRY_FILE, NULL, 0, &n), ENTRY_KEEP_PARENTS);
    assert_int_equal(judge(&j, "e", ENTRY_FILE, NULL, 0, &n), -EFBIG);
    entry_judge_fini(&j);

    /* With the limits that ship: one entry of 8 EiB is refused by its header. */
    assert_int_equal(judge(&j, "big", ENTRY_FILE, NULL, UINT64_C(1) << 63, &n), -EFBIG);
    assert_int_equal(judge(&j, "big", ENTRY_FILE, NULL, ENTRY_BYTES_MAX, &n), ENTRY_KEEP);
    assert_int_equal(judge(&j, "one", ENTRY_FILE, NULL, 1, &n), -EFBIG);
    entry_judge_fini(&j);
}

static void many_names_are_found_again(void **state)
{
    (void)state;
    struct entry_judge j = { 0 };
    struct entry_name n;
    char name[32];

    for (int i = 0; i < 20000; i++) {
        snprintf(name, sizeof(name), "d%d/f%d", i % 97, i);
        assert_true(judge(&j, name, ENTRY_FILE, NULL, 0, &n) >= 0);
    }
    assert_int_equal(j.count, 20097);
    for (int i = 0; i < 20000; i += 37) {
        snprintf(name, sizeof(name), "d%d/f%d", i % 97, i);
        assert_int_equal(judge(&j, name, ENTRY_FILE, NULL, 0, &n), -EEXIST);
    }
    entry_judge_fini(&j);
}

static void devices_and_sockets_are_dropped(void **state)
{
    (void)state;
    struct entry_judge j = { 0 };
    struct entry_name n;

    assert_int_equal(judge(&j, "dev/sda", ENTRY_OTHER, NULL, 0, &n), ENTRY_DROP);
    assert_int_equal(j.dropped, 1);
    assert_int_equal(j.count, 0);
    assert_int_equal(judge(&j, "../dev/sda", ENTRY_OTHER, NULL, 0, &n), -EINVAL);
    assert_int_equal(judge(&j, "pipe", ENTRY_FIFO, NULL, 0, &n), ENTRY_KEEP);
    entry_judge_fini(&j);
}

/* --- whole archives, made byte by byte, through sqfstar --------------------------------------- */

struct place {
    char dir[32], tar[48], out[48];
    FILE *f;
};

static int set_up(void **state)
{
    static struct place p;

    strcpy(p.dir, "/tmp/carrel-import-XXXXXX");
    if (!mkdtemp(p.dir))
        return -1;
    snprintf(p.tar, sizeof(p.tar), "%s/t.tar", p.dir);
    snprintf(p.out, sizeof(p.out), "%s/t.squashfs", p.dir);
    p.f = fopen(p.tar, "w");
    *state = &p;
    return p.f ? 0 : -1;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    char line[128];

    snprintf(line, sizeof(line), "rm -rf %s", p->dir);
    return system(line);
}

/* One ustar entry (POSIX.1-1988), nothing checked: that is what is tested. */
static void tar_put(struct place *p, const char *name, char type, unsigned mode, const char *link,
                    const char *body, size_t announced)
{
    char h[512] = { 0 };
    unsigned sum = 0;
    size_t len = body ? strlen(body) : 0;
    static const char zero[512];

    strncpy(h, name, 100);
    snprintf(h + 100, 8, "%07o", mode);
    snprintf(h + 108, 8, "%07o", 1000U);
    snprintf(h + 116, 8, "%07o", 1000U);
    snprintf(h + 124, 12, "%011lo", (unsigned long)announced & 077777777777UL);
    snprintf(h + 136, 12, "%011lo", 1700000000UL);
    memset(h + 148, ' ', 8);
    h[156] = type;
    if (link)
        strncpy(h + 157, link, 100);
    memcpy(h + 257, "ustar\00000", 8);
    snprintf(h + 329, 8, "%07o", 8U);
    snprintf(h + 337, 8, "%07o", 1U);
    for (size_t i = 0; i < sizeof(h); i++)
        sum += (unsigned char)h[i];
    snprintf(h + 148, 8, "%06o", sum);
    fwrite(h, 1, sizeof(h), p->f);
    if (len) {
        fwrite(body, 1, len, p->f);
        fwrite(zero, 1, -len & 511, p->f);
    }
}

static void file(struct place *p, const char *name, const char *body)
{
    tar_put(p, name, '0', 0644, NULL, body, strlen(body));
}

/* Without what is told of it. */
static int read_path(const char *source, const char *out, const struct import_options *o,
                     struct err *e)
{
    struct import_result r;
    int err = import_path(source, out, o, &r, e);

    import_result_fini(&r);
    return err;
}

static int read_tool(struct tool *t, const char *out, struct err *e)
{
    struct import_result r;
    int err = import_tool(t, out, &r, e);

    import_result_fini(&r);
    return err;
}

static int import(struct place *p, const struct import_options *j, struct err *e)
{
    static const char end[1024];

    fwrite(end, 1, sizeof(end), p->f);
    fclose(p->f);
    *e = ERR_INIT;

    int err = read_path(p->tar, p->out, j, e);

    if (err == -ENOENT && strstr(e->msg, "sqfstar")) {
        print_message("%s\n", e->msg);
        skip();
    }
    return err;
}

/* What unsquashfs, which is not ours, says is in it: lines of its -lln listing. */
static char *listing(const struct place *p)
{
    static char text[4096];
    char line[256];

    snprintf(line, sizeof(line), "unsquashfs -d '' -lln %s", p->out);

    FILE *f = popen(line, "r");
    size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

    text[n] = '\0';
    assert_int_equal(pclose(f), 0);
    return text;
}

static void an_archive_becomes_an_image(void **state)
{
    struct place *p = *state;
    struct import_options j = { 0 };
    struct err e;

    tar_put(p, "./", '5', 0700, NULL, NULL, 0);
    tar_put(p, "bin/", '5', 0755, NULL, NULL, 0);
    tar_put(p, "bin/su", '0', 04755, NULL, "su", 2);
    tar_put(p, "bin/ln", '1', 0644, "bin/su", NULL, 0);
    tar_put(p, "sh", '2', 0777, "/bin/su", NULL, 0);
    tar_put(p, "null", '3', 0666, NULL, NULL, 0);
    tar_put(p, "sda", '4', 0660, NULL, NULL, 0);
    tar_put(p, "fifo", '6', 0600, NULL, NULL, 0);
    file(p, "deep/down/\xc3\xa9\xff", "x");

    int err = import(p, &j, &e);

    assert_string_equal(e.msg, "");
    assert_int_equal(err, 0);

    const char *all = listing(p);

    assert_non_null(strstr(all, "drwxr-xr-x 0/0 "));
    assert_non_null(strstr(all, "-rwsr-xr-x 1000/1000                 2 2023-11-14"));
    assert_non_null(strstr(all, "/bin/ln\n"));
    assert_non_null(strstr(all, "/sh -> /bin/su"));
    assert_non_null(strstr(all, "prw------- "));
    assert_non_null(strstr(all, "/deep/down/\xc3\xa9\xff\n"));
    assert_null(strstr(all, "null"));
    assert_null(strstr(all, "sda"));

    /* The root and the directories nobody mentioned are root's and of no time. */
    assert_non_null(strstr(all, "1970-01-01 00:00 /deep/down\n"));
    assert_non_null(strstr(all, "1970-01-01 00:00 \n"));
}

static void l08_hostile_archives(void **state)
{
    (void)state;
    static const struct {
        const char *name, *link, *why;
        char type;
    } cases[] = {
        { "../../tmp/carrel-evil", NULL, "\"..\"", '0' },
        { "/tmp/carrel-evil", NULL, "absolute", '0' },
        { "x", "/etc/shadow", "absolute", '1' },
        { "x", "ok/../../y", "\"..\"", '1' },
        { "x", "nowhere", "no file that came before", '1' },
        { "ok", NULL, "twice", '0' },
        { "ok/below", NULL, "not a directory", '0' },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        void *s;
        struct import_options j = { 0 };
        struct err e;

        assert_int_equal(set_up(&s), 0);

        struct place *p = s;

        file(p, "ok", "ok");
        tar_put(p, cases[i].name, cases[i].type, 0644, cases[i].link, NULL, 0);
        assert_true(import(p, &j, &e) < 0);
        if (!strstr(e.msg, cases[i].why))
            print_message("%s: %s\n", cases[i].name, e.msg);
        assert_non_null(strstr(e.msg, cases[i].why));
        assert_int_equal(access("/tmp/carrel-evil", F_OK), -1);
        tear_down(&s);
    }
}

/* A pax header (POSIX.1-2001) with the target, then the link. */
static int import_link(size_t len, struct err *e)
{
    static char record[8192];
    struct import_options j = { 0 };
    void *s = NULL;
    int n, err;

    assert_int_equal(set_up(&s), 0);

    struct place *p = s;

    n = snprintf(record, sizeof(record), "%zu linkpath=", len + 15); /* four digits: 4 + 10 + 1 */
    memset(record + n, 'a', len);
    memcpy(record + n + len, "\n", 2);
    assert_int_equal(strlen(record), len + 15);
    file(p, "ok", "ok");
    tar_put(p, "x", 'x', 0644, NULL, record, strlen(record));
    tar_put(p, "link", '2', 0777, "short", NULL, 0);
    err = import(p, &j, e);
    tear_down(&s);
    return err;
}

static void l08_long_links(void **state)
{
    (void)state;
    struct err e;

    assert_int_equal(import_link(ENTRY_NAME_MAX, &e), 0);
    assert_int_equal(import_link(ENTRY_NAME_MAX + 1, &e), -ENAMETOOLONG);
}

static void l08_a_bomb_is_refused_by_its_header(void **state)
{
    struct place *p = *state;
    struct import_options j = { .bytes_max = 1 << 20 };
    struct err e;

    tar_put(p, "big", '0', 0644, NULL, NULL, (1 << 20) + 1);
    assert_int_equal(import(p, &j, &e), -EFBIG);
}

static void truncated_archives_are_refused(void **state)
{
    struct place *p = *state;
    struct import_options j = { 0 };
    struct err e = ERR_INIT;

    file(p, "whole", "whole");
    tar_put(p, "cut", '0', 0644, NULL, "only this", 5000);
    fclose(p->f);
    assert_true(read_path(p->tar, p->out, &j, &e) < 0);
    assert_non_null(strstr(e.msg, p->tar));

    /* No tar at all, an empty file, a tar without entries. */
    static const char *const texts[] = { "hello, I am no archive\n", "" };

    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(io_store(AT_FDCWD, p->tar, texts[i], strlen(texts[i]), 0600, NULL), 0);
        unlink(p->out);
        assert_true(read_path(p->tar, p->out, &j, &e) < 0);
    }

    char nothing[1024] = { 0 };

    assert_int_equal(io_store(AT_FDCWD, p->tar, nothing, sizeof(nothing), 0600, NULL), 0);
    unlink(p->out);
    assert_int_equal(read_path(p->tar, p->out, &j, &e), -EINVAL);
    assert_non_null(strstr(e.msg, "no files"));
}

static void compressed_once_not_twice(void **state)
{
    struct place *p = *state;
    struct import_options j = { 0 };
    struct err e = ERR_INIT;
    char line[256];
    static const char end[1024];

    file(p, "f", "f");
    fwrite(end, 1, sizeof(end), p->f);
    fclose(p->f);
    snprintf(line, sizeof(line), "gzip -f %s && mv %s.gz %s", p->tar, p->tar, p->tar);
    assert_int_equal(system(line), 0);

    int err = read_path(p->tar, p->out, &j, &e);

    if (err == -ENOENT)
        skip();
    assert_string_equal(e.msg, "");
    unlink(p->out);
    assert_int_equal(system(line), 0);
    assert_int_equal(read_path(p->tar, p->out, &j, &e), -EINVAL);
    assert_non_null(strstr(e.msg, "more than once"));
}

/* A directory and the tar of it are the same image; hard links stay links. */
static void a_directory_is_its_tar(void **state)
{
    struct place *p = *state;
    struct import_options j = { 0 };
    struct err e = ERR_INIT;
    char line[512];

    fclose(p->f);
    snprintf(line, sizeof(line),
             "cd %s && mkdir -p tree/a/b && echo one >tree/a/one && ln tree/a/one tree/a/b/two && "
             "ln -s ../a tree/link && mkfifo tree/pipe && tar -C tree --sort=name -cf t.tar .",
             p->dir);
    assert_int_equal(system(line), 0);

    int err = read_path(p->tar, p->out, &j, &e);

    if (err == -ENOENT)
        skip();
    assert_string_equal(e.msg, "");

    char *first = strdup(listing(p));

    assert_non_null(first);
    unlink(p->out);
    snprintf(line, sizeof(line), "%s/tree/", p->dir);
    err = read_path(line, p->out, &j, &e);
    assert_string_equal(e.msg, "");
    assert_string_equal(listing(p), first);
    assert_non_null(strstr(first, "/a/b/two"));
    free(first);
}

/* A tmpfs lists the newest name first: two trees that differ only in who came first. */
static void a_directory_is_the_same_in_any_order(void **state)
{
    struct place *p = *state;
    struct import_options j = { 0 };
    struct err e = ERR_INIT;
    char dir[] = "/dev/shm/carrel-import.XXXXXX", line[640];

    fclose(p->f);
    if (!mkdtemp(dir))
        skip();
    snprintf(line, sizeof(line),
             "cd %s && for t in one two; do mkdir $t; "
             "[ $t = one ] && names='a b sub z' || names='z sub b a'; "
             "for n in $names; do mkdir -p $t/d; [ $n = sub ] && mkdir $t/d/sub || "
             "echo $n >$t/d/$n; done; ln $t/d/b $t/d/sub/hard; ln -s b $t/d/link; "
             "find $t -exec touch -h -d @1000000000 {} +; done",
             dir);
    assert_int_equal(system(line), 0);
    for (int i = 0; i < 2; i++) {
        char root[64], out[320];

        snprintf(root, sizeof(root), "%s/%s", dir, i ? "two" : "one");
        snprintf(out, sizeof(out), "%s.%d", p->out, i);

        int err = read_path(root, out, &j, &e);

        if (err == -ENOENT)
            skip();
        assert_string_equal(e.msg, "");
    }
    snprintf(line, sizeof(line), "rm -rf %s; cmp %s.0 %s.1; s=$?; rm %s.0 %s.1; exit $s", dir,
             p->out, p->out, p->out, p->out);
    assert_int_equal(system(line), 0);
}

/* Neither end may hang or kill us: the recipe fails in the middle; the room runs out. */
static void a_failing_recipe_is_the_reason(void **state)
{
    struct place *p = *state;
    static const char *const argv[] = {
        "sh", "-c", "echo working >&2; head -c 100000 /dev/zero; echo out of eggs >&2; exit 3", NULL
    };
    static const char *const missing[] = { "no-such-program-here", NULL };
    struct tool t;
    struct err e = ERR_INIT;

    fclose(p->f);
    assert_int_equal(tool_start(&t, argv, TOOL_OUT, NULL, NULL, NULL, NULL, &e), 0);
    assert_int_equal(read_tool(&t, p->out, &e), -EIO);
    assert_string_equal(e.msg, "sh: out of eggs");
    tool_stop(&t);

    unlink(p->out);
    assert_int_equal(tool_start(&t, missing, TOOL_OUT, NULL, NULL, NULL, NULL, &e), 0);
    assert_int_equal(read_tool(&t, p->out, &e), -ENOENT);
    tool_stop(&t);
}

static void a_file_system_that_cannot_be_written(void **state)
{
    struct place *p = *state;
    struct import_options j = { 0 };
    struct err e = ERR_INIT;
    static const char end[1024];

    file(p, "f", "f");
    fwrite(end, 1, sizeof(end), p->f);
    fclose(p->f);
    assert_true(read_path(p->tar, "/nonexistent/dir/out", &j, &e) < 0);
    assert_true(e.msg[0] != '\0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(l08_names),
        cmocka_unit_test(l08_long_names),
        cmocka_unit_test(missing_parents_are_told),
        cmocka_unit_test(l08_nothing_lies_below_a_link),
        cmocka_unit_test(l08_hard_links),
        cmocka_unit_test(l08_bombs),
        cmocka_unit_test(many_names_are_found_again),
        cmocka_unit_test(devices_and_sockets_are_dropped),
        cmocka_unit_test_setup_teardown(an_archive_becomes_an_image, set_up, tear_down),
        cmocka_unit_test(l08_long_links),
        cmocka_unit_test(l08_hostile_archives),
        cmocka_unit_test_setup_teardown(l08_a_bomb_is_refused_by_its_header, set_up, tear_down),
        cmocka_unit_test_setup_teardown(truncated_archives_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(compressed_once_not_twice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_directory_is_its_tar, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_directory_is_the_same_in_any_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failing_recipe_is_the_reason, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_system_that_cannot_be_written, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
