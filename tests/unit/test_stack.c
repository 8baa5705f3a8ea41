/* test_stack.c - whole images of the world, made here by libarchive, through the reader's walls and
 * the real sqfstar (L07, L08). */
#include "sandbox/image/confined.h"
#include "sandbox/image/import.h"
#include "sandbox/image/layer.h"
#include "sandbox/image/pull.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char top[64];

static const char *in_top(const char *name)
{
    static char path[4][PATH_MAX];
    static int turn;
    char *p = path[turn++ % 4];

    snprintf(p, PATH_MAX, "%s/%s", top, name);
    return p;
}

static int shell(const char *fmt, ...) printf_like(1, 2);

static int shell(const char *fmt, ...)
{
    char line[2048];
    va_list ap;
    int n = snprintf(line, sizeof(line), "cd %s && ", top);

    va_start(ap, fmt);
    vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
    va_end(ap);
    return system(line);
}

static int set_up(void **state)
{
    (void)state;
    strcpy(top, "/tmp/carrel-stack-XXXXXX");
    return mkdtemp(top) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return shell("rm -rf %s", top);
}

/* --- making them ------------------------------------------------------------------------------ */

enum packing { PLAIN, GZIP, ZSTD };

struct sheet {
    enum packing packing;
    struct archive *a;
    char *buf;
    size_t len, room;
    char packed[DIGEST_HEX + 1], plain[DIGEST_HEX + 1];
};

static void digest(const void *p, size_t n, char out[DIGEST_HEX + 1])
{
    assert_int_equal(data_digest_bytes(p, n, out, NULL), 0);
}

static void begin(struct sheet *s, enum packing packing)
{
    *s = (struct sheet){ .packing = packing, .room = 4 << 20, .buf = malloc(4 << 20) };
    s->a = archive_write_new();
    archive_write_set_format_pax(s->a);
    archive_write_set_options(s->a, "hdrcharset=BINARY");
    assert_int_equal(archive_write_open_memory(s->a, s->buf, s->room, &s->len), ARCHIVE_OK);
}

static struct archive_entry *entry(const char *path, mode_t mode)
{
    struct archive_entry *en = archive_entry_new();

    archive_entry_set_pathname(en, path);
    archive_entry_set_mode(en, mode);
    archive_entry_set_uid(en, 1000);
    archive_entry_set_gid(en, 1000);
    archive_entry_set_mtime(en, 1700000000, 0);
    return en;
}

static void put(struct sheet *s, struct archive_entry *en, const char *body)
{
    if (body)
        archive_entry_set_size(en, (la_int64_t)strlen(body));
    assert_int_equal(archive_write_header(s->a, en), ARCHIVE_OK);
    if (body)
        archive_write_data(s->a, body, strlen(body));
    archive_entry_free(en);
}

static void file(struct sheet *s, const char *path, const char *body)
{
    put(s, entry(path, AE_IFREG | 0644), body);
}

static void dir(struct sheet *s, const char *path)
{
    put(s, entry(path, AE_IFDIR | 0755), NULL);
}

static void hard(struct sheet *s, const char *path, const char *target)
{
    struct archive_entry *en = entry(path, AE_IFREG | 0644);

    archive_entry_set_hardlink(en, target);
    put(s, en, NULL);
}

static void soft(struct sheet *s, const char *path, const char *target)
{
    struct archive_entry *en = entry(path, AE_IFLNK | 0777);

    archive_entry_set_symlink(en, target);
    put(s, en, NULL);
}

/* What it hashes to, where it was put. */
static size_t blob(const void *p, size_t n, char hex[DIGEST_HEX + 1])
{
    char name[128];

    digest(p, n, hex);
    snprintf(name, sizeof(name), "layout/blobs/sha256/%s", hex);
    assert_int_equal(io_store(AT_FDCWD, in_top(name), p, n, 0644, NULL), 0);
    return n;
}

static void end(struct sheet *s)
{
    static const char *const program[] = { "cat", "gzip -n", "zstd -q" };
    char line[256];

    assert_int_equal(archive_write_close(s->a), ARCHIVE_OK);
    archive_write_free(s->a);
    digest(s->buf, s->len, s->plain);
    assert_int_equal(io_store(AT_FDCWD, in_top("t"), s->buf, s->len, 0600, NULL), 0);
    free(s->buf);
    snprintf(line, sizeof(line), "%s <t >p", program[s->packing]);
    assert_int_equal(shell("%s", line), 0);
    s->buf = io_load(AT_FDCWD, in_top("p"), 4 << 20, &s->len, NULL);
    assert_non_null(s->buf);
}

static size_t json(char hex[DIGEST_HEX + 1], const char *fmt, ...) printf_like(2, 3);

static size_t json(char hex[DIGEST_HEX + 1], const char *fmt, ...)
{
    static char text[8192];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return blob(text, strlen(text), hex);
}

/* Parts of a layout that a test may make wrong. */
static struct wrong {
    const char *diff, *config, *index; /* text in place of what is right */
    int size;                          /* bytes that a descriptor is off */
    const char *run;                   /* the configuration's "config" */
} wrong;

/* A layout of these layers at top/layout; the manifest's digest. */
static const char *layout(struct sheet *sheets, int n)
{
    static const char *const suffix[] = { "", "+gzip", "+zstd" };
    static char manifest[DIGEST_HEX + 1];
    char config[DIGEST_HEX + 1], diffs[2048] = "", layers[4096] = "", index[1024];
    size_t bytes;

    assert_int_equal(shell("rm -rf layout && mkdir -p layout/blobs/sha256"), 0);
    for (int i = 0; i < n; i++) {
        bytes = blob(sheets[i].buf, sheets[i].len, sheets[i].packed);
        free(sheets[i].buf);
        sprintf(diffs + strlen(diffs), "%s\"sha256:%s\"", i ? "," : "",
                wrong.diff && i == 0 ? wrong.diff : sheets[i].plain);
        sprintf(layers + strlen(layers),
                "%s{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar%s\",\"size\":%zu,"
                "\"digest\":\"sha256:%s\"}",
                i ? "," : "", suffix[sheets[i].packing], bytes + (i == 0 ? wrong.size : 0),
                sheets[i].packed);
    }
    bytes = json(config,
                 "{\"os\":\"linux\",\"architecture\":\"amd64\",\"config\":%s,\"rootfs\":{\"type\":"
                 "\"layers\",\"diff_ids\":[%s]}}",
                 wrong.run ? wrong.run : "{}", diffs);
    bytes = json(manifest,
                 "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/vnd.oci.image.config"
                 ".v1+json\",\"size\":%zu,\"digest\":\"sha256:%s\"},\"layers\":[%s]}",
                 bytes, wrong.config ? wrong.config : config, layers);
    snprintf(index, sizeof(index),
             "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/vnd.oci.image."
             "manifest.v1+json\",\"size\":%zu,\"digest\":\"sha256:%s\"}]}",
             bytes, wrong.index ? wrong.index : manifest);
    assert_int_equal(
        io_store(AT_FDCWD, in_top("layout/index.json"), index, strlen(index), 0644, NULL), 0);
    assert_int_equal(shell("echo '{\"imageLayoutVersion\":\"1.0.0\"}' >layout/oci-layout"), 0);
    wrong = (struct wrong){ 0 };
    return manifest;
}

static int import(const char *name, const struct import_options *o, struct import_result *r,
                  struct err *e)
{
    *e = ERR_INIT;
    unlink(in_top("out"));

    int err = import_path(in_top(name), in_top("out"), o, r, e);

    if (err == -ENOENT && strstr(e->msg, "sqfstar")) {
        print_message("%s\n", e->msg);
        skip();
    }
    return err;
}

static const struct import_options usual;

static void refused(const char *name, int code, const char *why)
{
    struct import_result r;
    struct err e;
    int err = import(name, &usual, &r, &e);

    if (err != -code || !strstr(e.msg, why))
        fail_msg("%d %s, not %d %s", err, e.msg, -code, why);
    import_result_fini(&r);
}

static struct import_result taken(const char *name, const struct import_options *o)
{
    struct import_result r;
    struct err e;
    int err = import(name, o, &r, &e);

    assert_string_equal(e.msg, "");
    assert_int_equal(err, 0);
    return r;
}

/* What unsquashfs, which is not ours, says is in it. */
static const char *listing(void)
{
    static char text[8192];
    size_t len;

    assert_int_equal(shell("unsquashfs -d '' -lln out >list"), 0);

    char *got = io_load(AT_FDCWD, in_top("list"), sizeof(text) - 1, &len, NULL);

    assert_non_null(got);
    strcpy(text, got);
    free(got);
    return text;
}

/* Two layers that say something of everything. */
static void usual_layers(struct sheet s[2])
{
    begin(&s[0], GZIP);
    dir(&s[0], "./");
    dir(&s[0], "a/");
    file(&s[0], "a/x", "one");
    file(&s[0], "a/y", "two");
    file(&s[0], "a/gone", "gone");
    hard(&s[0], "a/kept", "a/gone");
    hard(&s[0], "a/x2", "a/x");
    soft(&s[0], "l", "a/x");
    put(&s[0], entry("su", AE_IFREG | 04755), "root");
    put(&s[0], entry("null", AE_IFCHR | 0666), NULL);
    file(&s[0], "b/old", "old");
    end(&s[0]);
    begin(&s[1], ZSTD);
    file(&s[1], "a/.wh.gone", "");
    file(&s[1], "b/.wh..wh..opq", "");
    file(&s[1], "b/new\xff", "new");
    file(&s[1], "a/y", "three");
    end(&s[1]);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void a_layout_becomes_an_image(void **state)
{
    (void)state;
    struct sheet s[2];

    usual_layers(s);
    wrong.run = "{\"User\":\"agent\",\"Env\":[\"A=b\"],\"Entrypoint\":[\"/e\"],\"Cmd\":[\"c\"]}";

    const char *manifest = layout(s, 2);
    struct import_result r = taken("layout", &usual);
    const char *all = listing();
    json_t *run = json_loads("{\"user\":\"agent\",\"env\":[\"A=b\"],\"entrypoint\":[\"/e\"],"
                             "\"cmd\":[\"c\"]}",
                             0, NULL);

    assert_string_equal(r.manifest, manifest);
    assert_int_equal(strlen(r.id), DIGEST_HEX);
    assert_true(json_equal(run, r.run));
    json_decref(run);
    assert_int_equal(r.layers, 2);
    assert_int_equal(r.dropped, 1);
    assert_int_equal(r.setid, 1);
    import_result_fini(&r);
    assert_null(strstr(all, "gone\n"));
    assert_null(strstr(all, "old"));
    assert_null(strstr(all, "null"));
    assert_null(strstr(all, ".wh."));
    assert_non_null(strstr(all, "/a/kept\n"));
    assert_non_null(strstr(all, "/a/x2\n"));
    assert_non_null(strstr(all, "/b/new\xff\n"));
    assert_non_null(strstr(all, "/l -> a/x\n"));
    assert_non_null(strstr(all, "-rwsr-xr-x 1000/1000                 4 2023-11-14"));
    assert_non_null(strstr(all, "1970-01-01 00:00 /b\n")); /* that nobody mentioned */
    assert_int_equal(shell("[ \"$(unsquashfs -cat out a/x a/y a/kept)\" = onethreegone ]"), 0);
}

/* Directory, tar in any order, compressed tar: the same bytes, every time. */
static void the_same_layout_is_the_same_image(void **state)
{
    (void)state;
    struct sheet s[2];
    static const char *const ways[] = {
        "cp -r layout one",
        "tar -C layout -cf one index.json oci-layout blobs",
        "tar -C layout -cf one $(cd layout && find blobs -type f | sort -r) oci-layout index.json",
        "tar -C layout -czf one .",
    };

    usual_layers(s);
    layout(s, 2);
    for (size_t i = 0; i < array_len(ways); i++) {
        assert_int_equal(shell("rm -rf one; %s", ways[i]), 0);

        struct import_result r = taken("one", &usual);

        assert_int_equal(strlen(r.manifest), DIGEST_HEX);
        import_result_fini(&r);
        assert_int_equal(shell(i ? "cmp out first" : "cp out first"), 0);
    }
}

/* As docker save wrote it, with a layer that comes twice as a link. */
static void docker_save(void **state)
{
    (void)state;
    struct sheet s[2];
    char config[DIGEST_HEX + 1];

    usual_layers(s);
    layout(s, 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            shell("mkdir -p d/%d%063d && %s layout/blobs/sha256/%s >d/%d%063d/layer.tar", i, 0,
                  i ? "zstd -dcq" : "gzip -dc <", s[i].packed, i, 0),
            0);
    assert_int_equal(
        shell("mkdir d/2%063d && ln -s ../1%063d/layer.tar d/2%063d/layer.tar", 0, 0, 0), 0);
    json(config,
         "{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"diff_ids\":[\"sha256:%s\","
         "\"sha256:%s\",\"sha256:%s\"]}}",
         s[0].plain, s[1].plain, s[1].plain);
    assert_int_equal(
        shell("cp layout/blobs/sha256/%s d/%s.json && echo '[{\"Config\":\"%s.json\",\"RepoTags\":"
              "[\"a:1\"],\"Layers\":[\"0%063d/layer.tar\",\"1%063d/layer.tar\",\"2%063d/"
              "layer.tar\"]}]'"
              " >d/manifest.json && tar -C d -cf saved . && gzip -k saved",
              config, config, config, 0, 0, 0),
        0);
    for (int i = 0; i < 2; i++) {
        struct import_result r =
            taken(i ? "saved.gz" : "saved", &(struct import_options){ .tag = i ? "a:1" : NULL });

        assert_string_equal(r.manifest, "");
        assert_string_equal(r.id, config);
        import_result_fini(&r);
        assert_non_null(strstr(listing(), "/a/kept\n"));
    }
    /* a layer that is another one */
    assert_int_equal(
        shell("tar -C d -cf d/0%063d/layer.tar manifest.json && tar -C d -cf saved .", 0), 0);
    refused("saved", EBADMSG, "digest unpacked");
    assert_int_equal(shell("rm -r d/1%063d && tar -C d -cf saved .", 0), 0);
    refused("saved", ENOENT, "missing");
}

/* A root directory may have files of these names. */
static void a_file_system_is_no_layout(void **state)
{
    (void)state;
    assert_int_equal(shell("mkdir -p f/bin f/blobs && echo '{\"name\":1}' >f/manifest.json && "
                           "echo x >f/bin/x && tar -C f -cf f.tar manifest.json blobs bin && "
                           "tar -C f -cf g.tar manifest.json blobs"),
                     0);
    for (int i = 0; i < 3; i++) {
        struct import_result r = taken(i == 0 ? "f" : i == 1 ? "f.tar" : "g.tar", &usual);

        assert_int_equal(r.layers, 0);
        assert_null(r.run);
        import_result_fini(&r);
        assert_non_null(strstr(listing(), "/manifest.json\n"));
    }
    struct import_result r;
    struct err e;

    assert_int_equal(import("f.tar", &(struct import_options){ .tag = "x" }, &r, &e), -EINVAL);
    assert_non_null(strstr(e.msg, "no tags"));
}

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* Each link of the chain. */
static void every_digest_is_verified(void **state)
{
    (void)state;
    struct sheet s[2];

    usual_layers(s);
    wrong.diff = A64;
    layout(s, 2);
    refused("layout", EBADMSG, "layer 1 of 2: blobs/sha256/");

    /* a configuration of one layer more than the manifest has */
    char more[256];

    usual_layers(s);
    snprintf(more, sizeof(more), "%s\",\"sha256:%s", s[0].plain, s[1].plain);
    wrong.diff = more;
    layout(s, 2);
    refused("layout", EINVAL, "3 layers, the manifest has 2");

    usual_layers(s);
    wrong.config = A64;
    layout(s, 2);
    refused("layout", ENOENT, "blobs/sha256/" A64 ": missing");

    usual_layers(s);
    wrong.index = A64;
    layout(s, 2);
    refused("layout", ENOENT, "blobs/sha256/" A64 ": missing");

    usual_layers(s);
    wrong.size = 1;
    layout(s, 2);
    refused("layout", EBADMSG, "layer 1 of 2");

    /* bytes of the same length and another meaning: in the manifest, the configuration, a layer */
    usual_layers(s);

    const char *manifest = layout(s, 2);

    assert_int_equal(shell("cp -r layout good && sed -i s/schemaVersion/SchemaVersion/ "
                           "layout/blobs/sha256/%s",
                           manifest),
                     0);
    refused("layout", EBADMSG, "its digest is");
    assert_int_equal(shell("rm -r layout; cp -r good layout; sed -i 's/\"os\"/\"0s\"/' "
                           "layout/blobs/sha256/$(grep -l diff_ids layout/blobs/sha256/*  | xargs "
                           "-n1 basename)"),
                     0);
    refused("layout", EBADMSG, "its digest is");
    /* what follows the packed stream is part of it, too */
    assert_int_equal(
        shell("rm -r layout; cp -r good layout; printf x >>layout/blobs/sha256/%s", s[0].packed),
        0);
    refused("layout", EBADMSG, "layer 1 of 2");
    assert_int_equal(
        shell("rm -r layout; cp -r good layout; rm layout/blobs/sha256/%s", s[1].packed), 0);
    refused("layout", ENOENT, "layer 2 of 2: blobs/sha256/");
    assert_int_equal(shell("rm -r layout; cp -r good layout; echo '{}' >layout/oci-layout"), 0);
    refused("layout", ENOTSUP, "version 1");
    /* the same contents, packed at another time (RFC 1952, MTIME) */
    assert_int_equal(shell("rm -r layout; cp -r good layout; printf x | dd bs=1 seek=4 status=none "
                           "conv=notrunc of=layout/blobs/sha256/%s",
                           s[0].packed),
                     0);
    refused("layout", EBADMSG, "layer 1 of 2");
    /* what follows the packed stream is part of it, however much it is */
    usual_layers(s);
    s[0].buf = realloc(s[0].buf, s[0].len + (1 << 20));
    memset(s[0].buf + s[0].len, 0, 1 << 20);
    s[0].len += 1 << 20;
    layout(s, 2);

    struct import_result r = taken("layout", &usual);

    import_result_fini(&r);
}

/* L07: a blob that is a link out of the layout is not followed, and nothing of it is read. */
static void l07_blobs_lie_in_the_layout(void **state)
{
    (void)state;
    struct sheet s[2];

    usual_layers(s);
    layout(s, 2);
    assert_int_equal(shell("mv layout/blobs/sha256/%s outside && ln -s ../../../outside "
                           "layout/blobs/sha256/%s",
                           s[1].packed, s[1].packed),
                     0);
    refused("layout", EXDEV, "layer 2 of 2");
    assert_int_equal(shell("ln -sf %s/outside layout/blobs/sha256/%s", top, s[1].packed), 0);
    refused("layout", EXDEV, "layer 2 of 2");
    assert_int_equal(shell("ln -sf /proc/self/fd/0 layout/blobs/sha256/%s", s[1].packed), 0);
    refused("layout", EXDEV, "layer 2 of 2");
    assert_int_equal(shell("rm layout/blobs/sha256/%s && mkfifo layout/blobs/sha256/%s",
                           s[1].packed, s[1].packed),
                     0);
    refused("layout", EINVAL, "not a file");
    /* a link within it is as good as the file */
    assert_int_equal(shell("rm layout/blobs/sha256/%s && cp outside layout/blobs/inside && ln -s "
                           "../inside layout/blobs/sha256/%s",
                           s[1].packed, s[1].packed),
                     0);

    struct import_result r = taken("layout", &usual);

    import_result_fini(&r);
}

static void l08_hostile_layers(void **state)
{
    (void)state;
    static const struct {
        const char *path, *link, *why;
        mode_t type;
    } cases[] = {
        { "../evil", NULL, "\"..\"", AE_IFREG },
        { "/tmp/carrel-evil", NULL, "absolute", AE_IFREG },
        { "x", "/etc/shadow", "absolute", 0 },
        { "x", "../../etc/shadow", "\"..\"", 0 },
        { "x", "nowhere", "no file that came before", 0 },
        { "ok", NULL, "comes twice", AE_IFREG },
        { "ok/x", NULL, "not a directory", AE_IFREG },
        { ".wh...", NULL, "whiteout of nothing", AE_IFREG },
        { "l/x", NULL, "not a directory in layer 1", AE_IFREG },
    };

    for (size_t i = 0; i < array_len(cases); i++) {
        struct sheet s[2];

        begin(&s[0], GZIP);
        soft(&s[0], "l", "/etc");
        end(&s[0]);
        begin(&s[1], PLAIN);
        file(&s[1], "ok", "ok");
        if (cases[i].type)
            put(&s[1], entry(cases[i].path, cases[i].type | 0644), "");
        else
            hard(&s[1], cases[i].path, cases[i].link);
        end(&s[1]);
        layout(s, 2);

        struct import_result r;
        struct err e;

        assert_true(import("layout", &usual, &r, &e) < 0);
        if (!strstr(e.msg, cases[i].why))
            fail_msg("%s: %s", cases[i].path, e.msg);
        assert_int_equal(access("/tmp/carrel-evil", F_OK), -1);
    }
}

/* 10,000:1 and more by zstd; by its header; by the sum of what is hidden. */
static void l08_bombs(void **state)
{
    (void)state;
    struct sheet s[2];
    struct import_result r;
    struct err e;

    assert_true(blobs_is_bomb(1 << 16, UINT64_C(10000) << 16));
    assert_false(blobs_is_bomb(0, BLOBS_FREE));
    assert_true(blobs_is_bomb(0, BLOBS_FREE + BLOBS_RATIO));
    assert_false(blobs_is_bomb(BLOBS_FREE, BLOBS_FREE * BLOBS_RATIO + BLOBS_RATIO - 1));
    assert_true(blobs_is_bomb(BLOBS_FREE, (BLOBS_FREE + 1) * BLOBS_RATIO));

    /* 400 MiB of zeros in 13 KB */
    begin(&s[0], PLAIN);
    file(&s[0], "f", "f");
    end(&s[0]);
    assert_int_equal(shell("truncate -s 400M z && tar -cf - z | zstd -q >bomb"), 0);
    free(s[0].buf);
    s[0].buf = io_load(AT_FDCWD, in_top("bomb"), 1 << 20, &s[0].len, NULL);
    s[0].packing = ZSTD;
    layout(s, 1);
    refused("layout", EFBIG, "a bomb");
    refused("bomb", EFBIG, "a bomb"); /* the same as a plain tar file */

    usual_layers(s);
    layout(s, 2);
    assert_int_equal(import("layout", &(struct import_options){ .bytes_max = 20 }, &r, &e), -EFBIG);
    assert_int_equal(import("layout", &(struct import_options){ .count_max = 10 }, &r, &e), -EFBIG);
    assert_non_null(strstr(e.msg, "more than 10 entries"));

    /* compressed twice */
    usual_layers(s);
    assert_int_equal(shell("cp p once && zstd -q once && gzip -n once.zst"), 0);
    free(s[1].buf);
    s[1].buf = io_load(AT_FDCWD, in_top("once.zst.gz"), 1 << 20, &s[1].len, NULL);
    layout(s, 2);
    refused("layout", EINVAL, "compressed more than once");
}

/* What a layer unpacks to is limited as it comes, whatever its headers say. */
static void l08_a_layer_has_an_end(void **state)
{
    (void)state;
    struct sheet s[2];
    char name[128];

    usual_layers(s);
    layout(s, 2);
    snprintf(name, sizeof(name), "blobs/sha256/%s", s[0].packed);
    for (int more = 0; more < 2; more++) {
        struct blobs b;
        struct layer l;
        struct err e = ERR_INIT;
        struct archive_entry *en = archive_entry_new();
        int fd = open(in_top("layout"), O_RDONLY | O_DIRECTORY), err;

        assert_int_equal(blobs_open(&b, fd, true, &e), 1);
        err = layer_open(&l, &b, name, more ? 1 << 20 : 4096, &e);
        while (!err && (err = layer_next(&l, en, &e)) > 0)
            err = 0;
        if (!err)
            err = layer_end(&l, s[0].packed, UINT64_MAX, s[0].plain, &e);
        assert_int_equal(err, more ? 0 : -EFBIG);
        layer_close(&l);
        blobs_fini(&b);
        close(fd);
        archive_entry_free(en);
    }
}

/* A file with holes, as GNU tar writes it: also at its end. */
static void sparse_files(void **state)
{
    (void)state;
    struct sheet s[1];

    assert_int_equal(
        shell("truncate -s 1M hole && printf x | dd of=hole bs=1 seek=70000 "
              "conv=notrunc status=none && tar -Scf holes hole && [ $(wc -c <holes) -lt "
              "100000 ]"),
        0);
    for (int layered = 0; layered < 2; layered++) {
        if (layered) {
            s[0] = (struct sheet){ .packing = PLAIN };
            s[0].buf = io_load(AT_FDCWD, in_top("holes"), 1 << 20, &s[0].len, NULL);
            digest(s[0].buf, s[0].len, s[0].plain);
            layout(s, 1);
        }

        struct import_result r = taken(layered ? "layout" : "holes", &usual);

        import_result_fini(&r);
        assert_int_equal(shell("unsquashfs -cat out hole | cmp - hole"), 0);
    }
}

/* Cut off anywhere, changed anywhere: refused, and never a crash. */
static void broken_tars_of_layouts(void **state)
{
    (void)state;
    struct sheet s[2];
    size_t len;

    usual_layers(s);
    layout(s, 2);
    assert_int_equal(shell("tar -C layout -cf whole ."), 0);

    char *text = io_load(AT_FDCWD, in_top("whole"), 1 << 20, &len, NULL);

    for (size_t at = 512; at < len - 10240; at += 3 * 512 + 100) {
        struct import_result r;
        struct err e;

        assert_int_equal(io_store(AT_FDCWD, in_top("cut"), text, at, 0600, NULL), 0);
        assert_true(import("cut", &usual, &r, &e) < 0);
        assert_null(strstr(e.msg, "signal"));
        import_result_fini(&r);
    }
    free(text);
}

/* --- walls ------------------------------------------------------------------------------------ */

static int try_what(int what, const char *outside)
{
    int fds[2];
    pid_t pid;

    switch (what) {
    case 0: return open(outside, O_RDONLY);
    case 1: return open(in_top("inside/new"), O_WRONLY | O_CREAT, 0600);
    case 2: return open(in_top("inside/file"), O_RDWR);
    case 3: return socket(AF_INET, SOCK_STREAM, 0);
    case 4: return socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
    case 5: pid = fork(); return pid == 0 ? (_exit(0), 0) : pid;
    case 6: return execl("/bin/true", "true", NULL);
    case 7: return unlink(in_top("inside/file"));
    case 8: return kill(getppid(), 0);
    case 9:
        return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
                       MAP_FAILED
                   ? -1
                   : 0;
    case 10: return open(in_top("inside/file"), O_RDONLY | O_TRUNC);
    case 11: return mkdir(in_top("inside/dir"), 0700);
    case 12: return pipe(fds);
    default: return open(in_top("inside/file"), O_RDONLY);
    }
}

static void the_reader_stays_behind_its_walls(void **state)
{
    (void)state;
    const int last = 13; /* the one that is allowed, of a directory */

    assert_int_equal(shell("mkdir inside && echo in >inside/file && echo out >outside"), 0);
    for (int tree = 0; tree < 2; tree++) {
        int dirfd = tree ? open(in_top("inside"), O_RDONLY | O_DIRECTORY) : -1;
        static struct confined c;

        assert_int_equal(confined_prepare(&c, dirfd, NULL), 0);
        for (int i = 0; i <= last; i++) {
            const char *outside = in_top("outside");
            pid_t pid = fork();
            int status;

            if (pid == 0)
                _exit(confined_enter(&c, NULL) ? 2 : try_what(i, outside) < 0);
            assert_int_equal(waitpid(pid, &status, 0), pid);

            bool refused = WIFEXITED(status) && WEXITSTATUS(status) == 1;
            bool wanted = !(tree && i == last);

            /* without Landlock a directory's reader may read other files */
            if (tree && i == 0 && c.rules < 0)
                continue;
            if (refused != wanted)
                fail_msg("%s, action %d: status %#x", tree ? "directory" : "file", i, status);
        }
        confined_fini(&c);
        if (dirfd >= 0)
            close(dirfd);
    }
}

/* sqfstar writes where it has to, and nowhere else. */
static void a_tool_stays_in_its_directory(void **state)
{
    (void)state;
    static const char *const say[] = { "echo ok >in/file", "echo no >other", "cat secret",
                                       "rm secret" };
    struct err e = ERR_INIT;

    assert_int_equal(shell("mkdir in; echo s >secret"), 0);
    for (size_t i = 0; i < array_len(say); i++) {
        struct confined_tool walls;
        struct tool t;
        char line[256];
        const char *const argv[] = { "sh", "-c", line, NULL };

        snprintf(line, sizeof(line), "cd %s && %s", top, say[i]);
        assert_int_equal(confined_tool_prepare(&walls, in_top("in/out"), 1 << 20, &e), 0);
        if (walls.rules < 0)
            skip();
        assert_int_equal(tool_start_confined(&t, argv, 0, &walls, &e), 0);
        assert_int_equal(!tool_finish(&t, &e), i == 0);
        confined_tool_fini(&walls);
    }
}

/* --- pull ------------------------------------------------------------------------------------- */

static void pull_asks_for_what_is_roots(void **state)
{
    (void)state;
    char path[PATH_MAX];
    const char *const dirs[] = { in_top("p1"), in_top("p2"), NULL };
    struct err e = ERR_INIT;

    umask(022);
    assert_int_equal(shell("mkdir -m 755 p2; mkdir -m 777 p1; chmod 777 p1; printf '#!/bin/sh\\n' "
                           ">p1/skopeo; chmod 755 p1/skopeo"),
                     0);
    assert_int_equal(pull_find(dirs, "skopeo", getuid(), path, &e), -ENOENT); /* open directory */
    assert_int_equal(shell("cp p1/skopeo p2/skopeo; chmod 775 p2/skopeo"), 0);
    assert_int_equal(pull_find(dirs, "skopeo", getuid(), path, &e), -ENOENT); /* open program */
    assert_int_equal(shell("chmod 644 p2/skopeo"), 0);
    assert_int_equal(pull_find(dirs, "skopeo", getuid(), path, &e), -ENOENT); /* no program */
    assert_int_equal(shell("chmod 755 p2/skopeo"), 0);
    assert_int_equal(pull_find(dirs, "skopeo", getuid() + 1, path, &e), -ENOENT); /* not root's */
    assert_int_equal(pull_find(dirs, "skopeo", getuid(), path, &e), 0);
    assert_string_equal(path, in_top("p2/skopeo"));
}

static void pull_imports_what_skopeo_fetched(void **state)
{
    (void)state;
    struct sheet s[2];
    struct err e = ERR_INIT;
    struct image img;
    static const char *const bad[] = { "", "-h", "/etc", "a b", "a;b", "$(x)", "a\nb" };

    usual_layers(s);

    const char *manifest = layout(s, 2);

    setenv("CARREL_DATA", in_top("data"), 1);
    assert_int_equal(shell("printf '#!/bin/sh\\necho \"$@\" >%s/said\\ncp -r %s/layout "
                           "\"${7#oci:}\"\\n' >skopeo; chmod 755 skopeo",
                           top, top),
                     0);

    int err =
        pull_with(in_top("skopeo"), "deb", "docker.io/library/debian:12", &usual, NULL, NULL, &e);

    if (err == -ENOENT && strstr(e.msg, "sqfstar"))
        skip();
    assert_string_equal(e.msg, "");
    assert_int_equal(shell("grep -q '^copy --override-os linux --override-arch amd64 "
                           "docker://docker.io/library/debian:12 oci:/' said && rm said"),
                     0);
    assert_int_equal(image_load("deb", &img, &e), 0);
    assert_string_equal(img.manifest, manifest);
    assert_string_equal(img.source, "docker://docker.io/library/debian:12");
    image_fini(&img);
    for (size_t i = 0; i < array_len(bad); i++)
        assert_int_equal(pull_with(in_top("skopeo"), "deb", bad[i], &usual, NULL, NULL, &e),
                         -EINVAL);
    assert_int_equal(access(in_top("said"), F_OK), -1);
    assert_int_equal(shell("printf '#!/bin/sh\\necho no such host >&2; exit 1\\n' >skopeo"), 0);
    assert_int_equal(pull_with(in_top("skopeo"), "deb", "x", &usual, NULL, NULL, &e), -EIO);
    assert_non_null(strstr(e.msg, "no such host"));
}

/* NAME@sha256:HEX means these bytes or none. */
static void pinned_names(void **state)
{
    (void)state;
    struct sheet s[2];
    struct err e = ERR_INIT;
    struct image img;
    char name[256], own[3][DIGEST_HEX + 1];

    usual_layers(s);
    layout(s, 2);
    setenv("CARREL_DATA", in_top("data"), 1);

    int err = image_import("one", in_top("layout"), &usual, NULL, NULL, &e);

    if (err == -ENOENT && strstr(e.msg, "sqfstar"))
        skip();
    assert_string_equal(e.msg, "");
    assert_int_equal(image_load("one", &img, &e), 0);
    strcpy(own[0], img.manifest);
    strcpy(own[1], img.id);
    strcpy(own[2], img.digest);
    image_fini(&img);
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof(name), "one@sha256:%s", own[i]);
        assert_int_equal(image_load(name, &img, &e), 0);
        assert_string_equal(img.name, "one");
        image_fini(&img);
        name[strlen(name) - 1] ^= 1;
        assert_int_equal(image_load(name, &img, &e), -EINVAL);
        assert_non_null(strstr(e.msg, "not sha256:"));
    }
    static const char *const bad[] = { "one@",         "one@sha256:", "one@sha256:" A64 "a",
                                       "one@md5:" A64, "one@" A64,    "one@sha256:" A64 "@x" };

    for (size_t i = 0; i < array_len(bad); i++) {
        assert_int_equal(image_load(bad[i], &img, &e), -EINVAL);
        assert_non_null(strstr(e.msg, "64 digits"));
    }
    assert_int_equal(image_load("two@sha256:" A64, &img, &e), -ENOENT);
}

int main(void)
{
#define IN_TOP(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        IN_TOP(a_layout_becomes_an_image),
        IN_TOP(the_same_layout_is_the_same_image),
        IN_TOP(docker_save),
        IN_TOP(a_file_system_is_no_layout),
        IN_TOP(every_digest_is_verified),
        IN_TOP(l07_blobs_lie_in_the_layout),
        IN_TOP(l08_hostile_layers),
        IN_TOP(l08_bombs),
        IN_TOP(l08_a_layer_has_an_end),
        IN_TOP(sparse_files),
        IN_TOP(broken_tars_of_layouts),
        IN_TOP(the_reader_stays_behind_its_walls),
        IN_TOP(a_tool_stays_in_its_directory),
        IN_TOP(pull_asks_for_what_is_roots),
        IN_TOP(pull_imports_what_skopeo_fetched),
        IN_TOP(pinned_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
