/*
 * build.c - images from a directory, a tar file, or a shipped recipe. See image.h.
 *
 * A recipe is guest/image/NAME, a program that writes a tar file to its standard output and tells
 * its progress on its standard error, with guest/image/NAME.json beside it: user, cwd, env, cmd.
 */
#include "base/fd.h"
#include "base/io.h"
#include "base/own.h"
#include "sandbox/image/image_store.h"
#include "sandbox/image/import.h"
#include "sandbox/image/squash.h"
#include "sandbox/places.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECIPE_MAX = 1 << 20 };

static void say_count(const char *before, uint64_t n, const char *after, image_progress *say,
                      void *arg)
{
    char line[240];

    if (!n)
        return;
    snprintf(line, sizeof(line), "%s %llu %s", before, (unsigned long long)n, after);
    say(arg, line);
}

/* Tells what became of it. */
static void say_done(const char *name, const struct import_result *r, image_progress *say,
                     void *arg)
{
    char line[240];

    if (!say)
        return;
    snprintf(line, sizeof(line), "image %s: %llu entries, %llu MiB", name,
             (unsigned long long)r->entries, (unsigned long long)r->bytes >> 20);
    say(arg, line);
    say_count("left out:", r->dropped, "device nodes or sockets", say, arg);
    say_count("left out: extended attributes, access lists or flags of", r->attributes, "entries",
              say, arg);
    say_count("kept, for the guest: set-id bits of", r->setid, "files", say, arg);
}

/* What the record says of running it: what the image says; of a mere file system, a shell. */
static json_t *config_of(const struct import_result *r)
{
    return r->run ? json_incref(r->run) : json_pack("{s:[s]}", "cmd", "/bin/sh");
}

int image_import(const char *name, const char *source, const struct import_options *o,
                 image_progress *say, void *arg, struct err *e)
{
    cleanup_with(data_tmp_free) struct data_tmp t = DATA_TMP_INIT;
    cleanup_with(import_result_fini) struct import_result r = { 0 };
    char path[PATH_MAX];
    int err = data_check_name("image", name, e);

    if (!err)
        err = data_tmp_new(&t, e);
    if (err)
        return err;
    if (snprintf(path, sizeof(path), "%s/image", t.path) >= (int)sizeof(path))
        return err_set(e, ENAMETOOLONG, "%s: path too long", t.path);
    if (say)
        say(arg, "reading and compressing");
    err = import_path(source, path, o, &r, e);
    if (err)
        return err;

    const struct image_origin from = { .source = o->source ? o->source : source,
                                       .manifest = *r.manifest ? r.manifest : NULL,
                                       .id = *r.id ? r.id : NULL };

    err = image_place(&t, name, &from, config_of(&r), e);
    if (!err)
        say_done(name, &r, say, arg);
    return err;
}

/* A shipped recipe: its program, its configuration, and the digest of both. */
struct recipe {
    char *program; /* owned: path */
    json_t *config;
    char digest[DIGEST_HEX + 1];
};

static void recipe_fini(struct recipe *r)
{
    free(r->program);
    json_decref(r->config);
}

static int recipe_load(const char *name, struct recipe *r, struct err *e)
{
    char rel[96];
    struct err why = ERR_INIT;
    json_error_t bad;

    snprintf(rel, sizeof(rel), "guest/image/%s", name);
    r->program = places_share(rel, &why);
    if (!r->program)
        return why.code == ENOENT
                   ? err_set(e, ENOENT,
                             "no recipe for image \"%s\"; there are \"mini\" and \"base\"", name)
                   : err_set(e, why.code, "%s", why.msg);
    snprintf(rel, sizeof(rel), "guest/image/%s.json", name);

    auto_str char *json = places_share(rel, e);
    size_t len, plen, klen = 0;
    auto_str char *text = json ? io_load(AT_FDCWD, json, RECIPE_MAX, &len, e) : NULL;
    auto_str char *prog = text ? io_load(AT_FDCWD, r->program, RECIPE_MAX, &plen, e) : NULL;
    auto_str char *key = NULL;

    if (!prog)
        return e ? -e->code : -EIO;
    r->config = json_loadb(text, len, JSON_REJECT_DUPLICATES, &bad);
    if (!r->config)
        return err_set(e, EINVAL, "%s:%d: %s", json, bad.line, bad.text);

    FILE *f = open_memstream(&key, &klen);

    if (!f)
        return err_set(e, ENOMEM, "out of memory");
    fprintf(f, "%s\n%zu %zu\n", squash_recipe, plen, len);
    fwrite(prog, 1, plen, f);
    fwrite(text, 1, len, f);
    if (fclose(f))
        return err_set(e, ENOMEM, "out of memory");
    return data_digest_bytes(key, klen, r->digest, e);
}

/* True when the image is there, whole, and was built from this recipe. */
static bool up_to_date(const char *name, const struct recipe *r)
{
    auto_fd int images = -1;
    json_auto_t *j = image_document(name, &images, NULL);
    const char *built = j ? json_string_value(json_object_get(j, "recipe")) : NULL;
    struct image img;

    if (!built || strcmp(built, r->digest) != 0 || image_load(name, &img, NULL))
        return false;

    auto_fd int blob = image_open(&img, false, NULL);

    image_fini(&img);
    return blob >= 0;
}

static int run_recipe(const char *name, struct recipe *r, image_progress *say, void *arg,
                      struct err *e)
{
    cleanup_with(data_tmp_free) struct data_tmp t = DATA_TMP_INIT;
    cleanup_with(import_result_fini) struct import_result got = { 0 };
    cleanup_with(tool_stop) struct tool tool = TOOL_INIT;
    char path[PATH_MAX], source[80], tmpdir[PATH_MAX];
    const char *const argv[] = { r->program, NULL };
    const char *const env[] = { tmpdir, NULL };
    int err = data_tmp_new(&t, e);

    if (err)
        return err;
    if (snprintf(path, sizeof(path), "%s/image", t.path) >= (int)sizeof(path) ||
        snprintf(tmpdir, sizeof(tmpdir), "TMPDIR=%s", t.path) >= (int)sizeof(tmpdir))
        return err_set(e, ENAMETOOLONG, "%s: path too long", t.path);
    err = tool_start(&tool, argv, TOOL_OUT, t.path, env, say, arg, e);
    if (!err)
        err = import_tool(&tool, path, &got, e);
    if (err)
        return err_wrap(e, "building image \"%s\"", name);
    snprintf(source, sizeof(source), "built: %s", name);

    const struct image_origin from = { .source = source, .recipe = r->digest };

    err = image_place(&t, name, &from, json_incref(r->config), e);
    if (!err)
        say_done(name, &got, say, arg);
    return err;
}

int image_build(const char *name, bool force, image_progress *say, void *arg, struct err *e)
{
    cleanup_with(recipe_fini) struct recipe r = { 0 };
    int err = data_check_name("image", name, e);

    if (!err)
        err = recipe_load(name, &r, e);
    if (err)
        return err;
    if (!force && up_to_date(name, &r)) {
        if (say)
            say(arg, "up to date");
        return 0;
    }
    return run_recipe(name, &r, say, arg, e);
}
