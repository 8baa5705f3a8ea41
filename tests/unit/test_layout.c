/* test_layout.c - documents of images of the world: what is taken, what is refused, and why. */
#include "sandbox/image/layout.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define A64            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B64            "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define MANIFEST       "\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\""
#define INDEX          "\"mediaType\":\"application/vnd.oci.image.index.v1+json\""
#define OF(d)          "\"digest\":\"sha256:" d "\",\"size\":7"
#define ON(os, cpu)    "\"platform\":{\"os\":\"" os "\",\"architecture\":\"" cpu "\"}"
#define TAG(t)         "\"annotations\":{\"org.opencontainers.image.ref.name\":\"" t "\"}"
#define ONE            "{" MANIFEST "," OF(A64) "}"
#define INDEX_OF(list) "{\"schemaVersion\":2,\"manifests\":[" list "]}"

struct answer {
    struct layout_blob blob;
    enum layout_kind kind;
    struct err e;
};

static int parse(const char *text, const char *tag, bool top, struct answer *a)
{
    *a = (struct answer){ 0 };
    return layout_parse_index(text, strlen(text), tag, top, &a->blob, &a->kind, &a->e);
}

static void an_index_leads_to_this_platform(void **state)
{
    (void)state;
    static const struct {
        const char *text, *tag;
        bool below;
        const char *digest; /* NULL: refused, with why */
        const char *why;
    } cases[] = {
        { INDEX_OF(ONE), NULL, false, A64, NULL },
        { INDEX_OF("{" MANIFEST "," OF(B64) "," ON("linux", "arm64") "},{" MANIFEST "," OF(
              A64) "," ON("linux", "amd64") "}"),
          NULL, false, A64, NULL },
        { INDEX_OF("{" MANIFEST "," OF(B64) "," ON("windows", "amd64") "}"), NULL, false, NULL,
          "there are windows/amd64" },
        { INDEX_OF("{" MANIFEST "," OF(B64) "," ON("linux", "arm64") "}"), NULL, false, NULL,
          "no image for linux/amd64 in it; there are linux/arm64" },
        { INDEX_OF("{" MANIFEST "," OF(B64) ",\"platform\":{\"os\":\"linux\",\"architecture\":"
                                            "\"amd64\",\"variant\":\"v3\"}}"),
          NULL, false, NULL, "no image" },
        { INDEX_OF(""), NULL, false, NULL, "none at all" },
        { INDEX_OF("{" MANIFEST "," OF(A64) "," TAG("a") "},{" MANIFEST
                                                         "," OF(B64) "," TAG("b") "}"),
          NULL, false, NULL, "several images (a, b): choose one with --tag" },
        { INDEX_OF("{" MANIFEST "," OF(A64) "," TAG("a") "},{" MANIFEST
                                                         "," OF(B64) "," TAG("b") "}"),
          "b", false, B64, NULL },
        { INDEX_OF("{" MANIFEST "," OF(A64) "," TAG("a") "},{" MANIFEST
                                                         "," OF(A64) "," TAG("b") "}"),
          NULL, false, A64, NULL },
        { INDEX_OF("{" MANIFEST "," OF(A64) "," TAG("a") "}"), "c", false, NULL,
          "no image \"c\" in it; there are a" },
        /* below another index the first that fits counts */
        { INDEX_OF(ONE ",{" MANIFEST "," OF(B64) "}"), NULL, true, A64, NULL },
        /* a statement about the image, not an image */
        { INDEX_OF("{" MANIFEST "," OF(B64) ",\"annotations\":{\"vnd.docker.reference.type\":"
                                            "\"attestation-manifest\"}}," ONE),
          NULL, false, A64, NULL },
        { INDEX_OF("{\"mediaType\":\"text/html\"," OF(A64) "}"), NULL, false, NULL,
          "media type \"text/html\"" },
        { INDEX_OF("{" MANIFEST ",\"digest\":\"sha512:" A64 "\",\"size\":7}"), NULL, false, NULL,
          "is not sha256:" },
        { INDEX_OF("{" MANIFEST ",\"digest\":\"sha256:" A64 "a\",\"size\":7}"), NULL, false, NULL,
          "is not sha256:" },
        { INDEX_OF("{" MANIFEST ",\"digest\":\"sha256:../../../etc/shadow\",\"size\":7}"), NULL,
          false, NULL, "is not sha256:" },
        { INDEX_OF("{" MANIFEST ",\"digest\":\"sha256:" A64 "\",\"size\":-1}"), NULL, false, NULL,
          "no size" },
        { INDEX_OF("{" MANIFEST ",\"size\":1}"), NULL, false, NULL, "no digest" },
        /* CVE-2021-41190: an index that is also a manifest */
        { "{\"schemaVersion\":2,\"layers\":[],\"manifests\":[" ONE "]}", NULL, false, NULL,
          "\"layers\", which does not belong" },
        { "{\"schemaVersion\":2," MANIFEST ",\"manifests\":[" ONE "]}", NULL, false, NULL,
          "says that it is" },
        { "{\"schemaVersion\":1,\"manifests\":[" ONE "]}", NULL, false, NULL, "schemaVersion" },
        { "{\"schemaVersion\":2,\"schemaVersion\":2,\"manifests\":[" ONE "]}", NULL, false, NULL,
          "duplicate" },
        { "[]", NULL, false, NULL, "not a JSON object" },
        { "{", NULL, false, NULL, "line 1" },
        { "{\"schemaVersion\":2}", NULL, false, NULL, "no \"manifests\"" },
    };

    for (size_t i = 0; i < array_len(cases); i++) {
        struct answer a;
        int err = parse(cases[i].text, cases[i].tag, !cases[i].below, &a);

        if (!err != !!cases[i].digest || (err && !strstr(a.e.msg, cases[i].why)))
            fail_msg("case %zu: %d %s", i, err, a.e.msg);
        if (cases[i].digest)
            assert_string_equal(a.blob.digest, cases[i].digest);
        assert_true(err || (a.kind == LAYOUT_MANIFEST && a.blob.bytes == 7));
    }
}

static void an_index_may_lead_to_an_index(void **state)
{
    (void)state;
    struct answer a;

    assert_int_equal(parse(INDEX_OF("{" INDEX "," OF(B64) "}"), NULL, true, &a), 0);
    assert_int_equal(a.kind, LAYOUT_INDEX);
    assert_string_equal(a.blob.digest, B64);
}

#define CONFIG   "\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\"," OF(A64) "}"
#define LAYER(t) "{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar" t "\"," OF(B64) "}"

static void l08_manifests(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why; /* NULL: taken */
    } cases[] = {
        { "{\"schemaVersion\":2," CONFIG
          ",\"layers\":[" LAYER("") "," LAYER("+gzip") "," LAYER("+zstd") "]}",
          NULL },
        { "{\"schemaVersion\":2," CONFIG ",\"layers\":[" LAYER("+gzip+encrypted") "]}",
          "layer 1: media type \"application/vnd.oci.image.layer.v1.tar+gzip+encrypted\"" },
        { "{\"schemaVersion\":2," CONFIG ",\"layers\":[]}", "has no layers" },
        { "{\"schemaVersion\":2," CONFIG "}", "no \"layers\"" },
        { "{\"schemaVersion\":2,\"layers\":[" LAYER("") "]}", "config: missing" },
        { "{\"schemaVersion\":2," CONFIG ",\"manifests\":[],\"layers\":[" LAYER("") "]}",
          "does not belong" },
        { "{\"schemaVersion\":2," INDEX "," CONFIG ",\"layers\":[" LAYER("") "]}", "says that" },
        { "{\"schemaVersion\":2," CONFIG ",\"layers\":[3]}", "layer 1: missing" },
    };
    struct layout_manifest m;

    for (size_t i = 0; i < array_len(cases); i++) {
        struct err e = ERR_INIT;
        int err = layout_parse_manifest(cases[i].text, strlen(cases[i].text), &m, &e);

        if (!err != !cases[i].why || (err && !strstr(e.msg, cases[i].why)))
            fail_msg("case %zu: %d %s", i, err, e.msg);
        assert_true(err || (m.nlayers == 3 && strcmp(m.layers[2].digest, B64) == 0));
    }
}

static void l08_too_many_layers(void **state)
{
    (void)state;
    static char text[LAYOUT_LAYERS_MAX * 256];
    struct layout_manifest m;

    for (int n = LAYOUT_LAYERS_MAX; n <= LAYOUT_LAYERS_MAX + 1; n++) {
        struct err e = ERR_INIT;
        size_t at = (size_t)sprintf(text, "{\"schemaVersion\":2," CONFIG ",\"layers\":[");

        for (int i = 0; i < n; i++)
            at += (size_t)sprintf(text + at, "%s" LAYER(""), i ? "," : "");
        sprintf(text + at, "]}");
        assert_int_equal(layout_parse_manifest(text, strlen(text), &m, &e),
                         n > LAYOUT_LAYERS_MAX ? -EFBIG : 0);
    }
}

#define HEAD \
    "{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"diff_ids\":[\"sha256:" A64 "\"]}"

static void a_configuration_says_how_it_is_run(void **state)
{
    (void)state;
    static const struct {
        const char *text, *run, *why;
    } cases[] = {
        { HEAD "}", "{}", NULL },
        { HEAD ",\"config\":null}", "{}", NULL },
        { HEAD ",\"config\":{\"User\":\"\",\"Env\":null,\"Cmd\":[]}}", "{}", NULL },
        { HEAD ",\"config\":{\"User\":\"u:g\",\"WorkingDir\":\"/w\",\"Env\":[\"A=\",\"B=c=d\"],"
               "\"Entrypoint\":[\"/e\",\"x\"],\"Cmd\":[\"\"]}}",
          "{\"user\":\"u:g\",\"cwd\":\"/w\",\"env\":[\"A=\",\"B=c=d\"],\"entrypoint\":[\"/"
          "e\",\"x\"],"
          "\"cmd\":[\"\"]}",
          NULL },
        { HEAD ",\"config\":{\"WorkingDir\":\"w\"}}", "{\"cwd\":\"/w\"}", NULL },
        /* a bare name would take the caller's value */
        { HEAD ",\"config\":{\"Env\":[\"AWS_SECRET_ACCESS_KEY\"]}}", NULL, "is not NAME=VALUE" },
        { HEAD ",\"config\":{\"Env\":[\"=x\"]}}", NULL, "is not NAME=VALUE" },
        { HEAD ",\"config\":{\"Env\":\"A=b\"}}", NULL, "is no list" },
        { HEAD ",\"config\":{\"Cmd\":[1]}}", NULL, "holds what is no text" },
        { HEAD ",\"config\":{\"Cmd\":[\"a\\u0000b\"]}}", NULL, "NUL" },
        { HEAD ",\"config\":{\"User\":7}}", NULL, "is no text" },
        { HEAD ",\"config\":[]}", NULL, "is no object" },
        { "{\"os\":\"linux\",\"architecture\":\"arm64\"}", NULL, "linux/arm64, not linux/amd64" },
        { "{\"os\":\"linux\",\"architecture\":\"amd64\"}", NULL, "diff_ids" },
        { "{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"diff_ids\":[\"md5:1\"]}}",
          NULL, "is not sha256" },
    };

    for (size_t i = 0; i < array_len(cases); i++) {
        struct err e = ERR_INIT;
        struct layout_config c;
        int err = layout_parse_config(cases[i].text, strlen(cases[i].text), &c, &e);
        json_t *want = cases[i].run ? json_loads(cases[i].run, 0, NULL) : NULL;

        if (!err != !cases[i].why || (err && !strstr(e.msg, cases[i].why)))
            fail_msg("case %zu: %d %s", i, err, e.msg);
        if (!err && !json_equal(want, c.run))
            fail_msg("case %zu: %s", i, json_dumps(c.run, 0));
        json_decref(want);
        layout_config_fini(&c);
    }
}

static void more_environment_than_a_request_holds(void **state)
{
    (void)state;
    static char text[(LAYOUT_TEXT_MAX << 10) + 512];
    struct layout_config c;

    for (int more = 0; more < 2; more++) {
        struct err e = ERR_INIT;
        int room = (LAYOUT_TEXT_MAX << 10) - 3 + more; /* "A=" and a NUL */
        int at = sprintf(text, HEAD ",\"config\":{\"Env\":[\"A=");

        memset(text + at, 'x', (size_t)room);
        strcpy(text + at + room, "\"]}}");
        assert_int_equal(layout_parse_config(text, strlen(text), &c, &e), more ? -E2BIG : 0);
        layout_config_fini(&c);
    }
}

#define DOCKER(config, tag) \
    "{\"Config\":\"" config "\",\"RepoTags\":[\"" tag "\"],\"Layers\":[\"x/layer.tar\",\"y\"]}"

static void docker_archives(void **state)
{
    (void)state;
    static const struct {
        const char *text, *tag, *digest, *why;
    } cases[] = {
        { "[" DOCKER(A64 ".json", "a:1") "]", NULL, A64, NULL },
        { "[" DOCKER("blobs/sha256/" A64, "a:1") "]", NULL, A64, NULL },
        { "[" DOCKER("sha256:" A64, "a:1") "]", NULL, A64, NULL },
        { "[" DOCKER(A64 ".json", "a:1") "," DOCKER(B64 ".json", "b:1") "]", "b:1", B64, NULL },
        { "[" DOCKER(A64 ".json", "a:1") "," DOCKER(B64 ".json", "b:1") "]", NULL, NULL,
          "several images (a:1, b:1)" },
        { "[" DOCKER(A64 ".json", "a:1") "]", "c", NULL, "no image \"c\" in it; there are a:1" },
        { "[" DOCKER("config.json", "a:1") "]", NULL, NULL, "not named by its digest" },
        { "[]", NULL, NULL, "none with names" },
        { "[{\"Config\":\"" A64 "\",\"Layers\":[]}]", NULL, NULL, "no layers" },
        { "[{\"Config\":\"" A64 "\",\"Layers\":[7]}]", NULL, NULL, "a layer has no name" },
        { "[{\"Layers\":[\"a\"]}]", NULL, NULL, "configuration has no name" },
    };

    for (size_t i = 0; i < array_len(cases); i++) {
        struct err e = ERR_INIT;
        struct layout_docker d;
        int err = layout_parse_docker(cases[i].text, strlen(cases[i].text), cases[i].tag, &d, &e);

        if (!err != !cases[i].why || (err && !strstr(e.msg, cases[i].why)))
            fail_msg("case %zu: %d %s", i, err, e.msg);
        assert_true(err || (strcmp(d.digest, cases[i].digest) == 0 && d.nlayers == 2 &&
                            strcmp(d.layers[1], "y") == 0));
    }
    assert_true(layout_is_docker(cases[0].text, strlen(cases[0].text)));
    assert_false(layout_is_docker("{\"name\":\"an extension\"}", 23));
    assert_false(layout_is_docker("[]", 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_index_leads_to_this_platform),
        cmocka_unit_test(an_index_may_lead_to_an_index),
        cmocka_unit_test(l08_manifests),
        cmocka_unit_test(l08_too_many_layers),
        cmocka_unit_test(a_configuration_says_how_it_is_run),
        cmocka_unit_test(more_environment_than_a_request_holds),
        cmocka_unit_test(docker_archives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
