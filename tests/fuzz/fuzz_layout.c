/* Any text as a document of an image of the world: refused, or within its limits. */
#include "sandbox/image/layout.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
    if (!good)
        abort();
}

static void check_digest(const char *d)
{
    check(strlen(d) == DIGEST_HEX && strspn(d, "0123456789abcdef") == DIGEST_HEX);
}

static void check_config(const struct layout_config *c)
{
    const json_t *env = json_object_get(c->run, "env"), *cwd = json_object_get(c->run, "cwd");

    check(c->nlayers > 0 && c->nlayers <= LAYOUT_LAYERS_MAX);
    for (size_t i = 0; i < c->nlayers; i++)
        check_digest(c->diff[i]);
    check(!cwd || *json_string_value(cwd) == '/');
    for (size_t i = 0; i < json_array_size(env); i++)
        check(strchr(json_string_value(json_array_get(env, i)), '='));
}

/* The first byte says what it is taken for. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data + 1;
    struct err e = ERR_INIT;
    struct layout_blob blob;
    struct layout_manifest m;
    struct layout_docker d;
    struct layout_config c = { 0 };
    enum layout_kind kind;
    int err = 0;

    if (size-- == 0)
        return 0;
    switch (*data % 5) {
    case 0:
    case 1:
        err = layout_parse_index(text, size, *data % 5 ? "latest" : NULL, *data & 8, &blob, &kind,
                                 &e);
        if (!err)
            check_digest(blob.digest);
        break;
    case 2:
        err = layout_parse_manifest(text, size, &m, &e);
        check(err || (m.nlayers > 0 && m.nlayers <= LAYOUT_LAYERS_MAX));
        for (size_t i = 0; !err && i < m.nlayers; i++)
            check_digest(m.layers[i].digest);
        break;
    case 3:
        err = layout_parse_config(text, size, &c, &e);
        if (!err)
            check_config(&c);
        layout_config_fini(&c);
        break;
    default:
        err = layout_parse_docker(text, size, NULL, &d, &e);
        if (!err)
            check_digest(d.digest);
    }
    check(err <= 0 && (!err || (e.code == -err && e.msg[0])));
    return 0;
}
