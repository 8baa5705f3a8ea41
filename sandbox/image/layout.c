/* layout.c - see layout.h. */
#include "sandbox/image/layout.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PLATFORM "linux/amd64"

/* image-spec 1.1, media-types.md, and what Docker called the same before it. */
static const char *const index_types[] = {
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    NULL,
};
static const char *const manifest_types[] = {
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    NULL,
};
static const char *const config_types[] = {
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
    NULL,
};
static const char *const layer_types[] = {
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd",
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    NULL,
};

static bool one_of(const char *text, const char *const list[])
{
    for (size_t i = 0; text && list[i]; i++)
        if (strcmp(text, list[i]) == 0)
            return true;
    return false;
}

static const char *text_at(const json_t *j, const char *key)
{
    return json_string_value(json_object_get(j, key));
}

/* NULL with a reason. An object, or an array where that is wanted; no name twice. */
static json_t *document(const char *text, size_t len, const char *what, json_type type,
                        struct err *e)
{
    json_error_t bad;
    json_t *j = len <= LAYOUT_JSON_MAX ? json_loadb(text, len, JSON_REJECT_DUPLICATES, &bad) : NULL;

    if (len > LAYOUT_JSON_MAX)
        err_set(e, EFBIG, "%s: larger than %d MiB", what, LAYOUT_JSON_MAX >> 20);
    else if (!j)
        err_set(e, EINVAL, "%s: line %d: %.120s", what, bad.line, bad.text);
    else if (json_typeof(j) != type) {
        json_decref(j);
        err_set(e, EINVAL, "%s: not a JSON %s", what, type == JSON_ARRAY ? "array" : "object");
        return NULL;
    }
    return j;
}

/* Hexadecimal digits of a digest, nothing else. */
static bool is_hex(const char *text, size_t len)
{
    return len == DIGEST_HEX && strspn(text, "0123456789abcdef") >= DIGEST_HEX;
}

/* "sha256:HEX". */
static int parse_digest(const char *text, const char *what, char out[DIGEST_HEX + 1], struct err *e)
{
    static const char prefix[] = "sha256:";
    size_t skip = sizeof(prefix) - 1;

    if (!text)
        return err_set(e, EINVAL, "%s: has no digest", what);
    if (strncmp(text, prefix, skip) != 0 || !is_hex(text + skip, strlen(text + skip)))
        return err_set(e, EINVAL, "%s: digest \"%.80s\" is not sha256: and 64 digits", what, text);
    memcpy(out, text + skip, DIGEST_HEX + 1);
    return 0;
}

/* A descriptor (image-spec, descriptor.md) whose media type is one of these. */
static int parse_descriptor(const json_t *j, const char *what, const char *const types[],
                            struct layout_blob *out, struct err *e)
{
    const char *type = text_at(j, "mediaType");
    const json_t *size = json_object_get(j, "size");

    if (!json_is_object(j))
        return err_set(e, EINVAL, "%s: missing, or not an object", what);
    if (!one_of(type, types))
        return err_set(e, ENOTSUP, "%s: media type \"%.100s\" is none that can be read", what,
                       type ? type : "");
    if (!json_is_integer(size) || json_integer_value(size) < 0)
        return err_set(e, EINVAL, "%s: has no size", what);
    out->bytes = (uint64_t)json_integer_value(size);
    return parse_digest(text_at(j, "digest"), what, out->digest, e);
}

/* A document is of one kind only, the one that it was announced as: else the same bytes could be
 * two images, depending on who reads them (CVE-2021-41190). */
static int check_kind(const json_t *j, const char *what, const char *const types[],
                      const char *const foreign[], struct err *e)
{
    const json_t *type = json_object_get(j, "mediaType");

    if (json_integer_value(json_object_get(j, "schemaVersion")) != 2)
        return err_set(e, ENOTSUP, "%s: schemaVersion is not 2", what);
    if (type && !one_of(json_string_value(type), types))
        return err_set(e, EINVAL, "%s: says that it is \"%.100s\"", what,
                       json_is_string(type) ? json_string_value(type) : "");
    for (size_t i = 0; foreign[i]; i++)
        if (json_object_get(j, foreign[i]))
            return err_set(e, EINVAL, "%s: has \"%s\", which does not belong there", what,
                           foreign[i]);
    return 0;
}

/* --- index ----------------------------------------------------------------------------------- */

static const char *tag_of(const json_t *entry)
{
    const json_t *notes = json_object_get(entry, "annotations");
    const char *full = text_at(notes, "io.containerd.image.name");

    return full ? full : text_at(notes, "org.opencontainers.image.ref.name");
}

static bool has_tag(const json_t *entry, const char *tag)
{
    const json_t *notes = json_object_get(entry, "annotations");
    const char *full = text_at(notes, "io.containerd.image.name");
    const char *ref = text_at(notes, "org.opencontainers.image.ref.name");

    return (full && strcmp(full, tag) == 0) || (ref && strcmp(ref, tag) == 0);
}

/* Statements about images lie in the same index (BuildKit's attestations). */
static bool is_image(const json_t *entry)
{
    return !text_at(json_object_get(entry, "annotations"), "vnd.docker.reference.type") &&
           !json_object_get(entry, "artifactType");
}

/* Of this platform, or of none that it mentions: then the configuration says. Variants v2 to v4
 * need instructions that a machine may not have. */
static bool fits(const json_t *entry)
{
    const json_t *p = json_object_get(entry, "platform");
    const char *os = text_at(p, "os"), *cpu = text_at(p, "architecture");
    const char *variant = text_at(p, "variant");

    return !p || (os && cpu && strcmp(os, "linux") == 0 && strcmp(cpu, "amd64") == 0 &&
                  (!variant || !*variant || strcmp(variant, "v1") == 0));
}

/* "a, b, c" of what is there, as far as there is room. */
struct list {
    char text[160];
    size_t len;
};

static void list_add(struct list *l, const char *a, const char *sep, const char *b)
{
    char one[80];

    snprintf(one, sizeof(one), "%s%.30s%s%.30s", l->len ? ", " : "", a ? a : "?", sep, b);
    if (l->len + strlen(one) < sizeof(l->text) - 5)
        l->len += (size_t)snprintf(l->text + l->len, sizeof(l->text) - l->len, "%s", one);
    else if (l->len && strcmp(l->text + l->len - 3, "...") != 0)
        l->len += (size_t)snprintf(l->text + l->len, sizeof(l->text) - l->len, " ...");
}

struct choice {
    const json_t *found;
    bool several;
    struct list platforms, tags;
};

static void choose(struct choice *c, const json_t *entry, const char *tag, bool top)
{
    const json_t *p = json_object_get(entry, "platform");
    const char *digest = text_at(entry, "digest"), *have = text_at(c->found, "digest");

    if (!is_image(entry))
        return;
    if (!fits(entry)) {
        const char *cpu = text_at(p, "architecture");

        list_add(&c->platforms, text_at(p, "os"), "/", cpu ? cpu : "?");
        return;
    }
    list_add(&c->tags, tag_of(entry), "", "");
    if (tag && !has_tag(entry, tag))
        return;
    /* Two names of one image are one image. */
    if (c->found && top && !(digest && have && strcmp(digest, have) == 0))
        c->several = true;
    if (!c->found)
        c->found = entry;
}

int layout_parse_index(const char *text, size_t len, const char *tag, bool top,
                       struct layout_blob *out, enum layout_kind *kind, struct err *e)
{
    static const char *const foreign[] = { "layers", "config", "fsLayers", NULL };
    const char *what = top ? "index.json" : "index";
    json_auto_t *j = document(text, len, what, JSON_OBJECT, e);
    const json_t *all = json_object_get(j, "manifests");
    struct choice c = { 0 };
    int err = j ? check_kind(j, what, index_types, foreign, e) : e ? -e->code : -EINVAL;

    if (err)
        return err;
    if (!json_is_array(all))
        return err_set(e, EINVAL, "%s: has no \"manifests\"", what);
    for (size_t i = 0; i < json_array_size(all); i++)
        choose(&c, json_array_get(all, i), tag, top);
    if (c.several)
        return err_set(e, EINVAL, "%s: several images (%s): choose one with --tag", what,
                       c.tags.text);
    if (!c.found && tag && c.tags.len)
        return err_set(e, ENOENT, "%s: no image \"%.60s\" in it; there are %s", what, tag,
                       c.tags.text);
    if (!c.found)
        return err_set(e, ENOENT, "%s: no image for " PLATFORM " in it; there are %s", what,
                       c.platforms.len ? c.platforms.text : "none at all");
    *kind = one_of(text_at(c.found, "mediaType"), index_types) ? LAYOUT_INDEX : LAYOUT_MANIFEST;
    return parse_descriptor(c.found, what, *kind == LAYOUT_INDEX ? index_types : manifest_types,
                            out, e);
}

/* --- manifest -------------------------------------------------------------------------------- */

static int check_count(size_t n, const char *what, struct err *e)
{
    if (n == 0)
        return err_set(e, EINVAL, "%s: has no layers", what);
    return n <= LAYOUT_LAYERS_MAX
               ? 0
               : err_set(e, EFBIG, "%s: %zu layers; at most %d", what, n, LAYOUT_LAYERS_MAX);
}

int layout_parse_manifest(const char *text, size_t len, struct layout_manifest *out, struct err *e)
{
    static const char *const foreign[] = { "manifests", "fsLayers", NULL };
    json_auto_t *j = document(text, len, "manifest", JSON_OBJECT, e);
    const json_t *layers = json_object_get(j, "layers");
    int err = j ? check_kind(j, "manifest", manifest_types, foreign, e) : e ? -e->code : -EINVAL;

    *out = (struct layout_manifest){ 0 };
    if (!err && !json_is_array(layers))
        err = err_set(e, EINVAL, "manifest: has no \"layers\"");
    if (!err)
        err = check_count(json_array_size(layers), "manifest", e);
    if (!err)
        err = parse_descriptor(json_object_get(j, "config"), "manifest: config", config_types,
                               &out->config, e);
    for (size_t i = 0; !err && i < json_array_size(layers); i++) {
        char what[40];

        snprintf(what, sizeof(what), "manifest: layer %zu", i + 1);
        err = parse_descriptor(json_array_get(layers, i), what, layer_types, &out->layers[i], e);
        out->nlayers = i + 1;
    }
    return err;
}

/* --- configuration --------------------------------------------------------------------------- */

/* Text that is not empty, if there is any. */
static int take_text(const json_t *from, const char *key, json_t *to, const char *as, struct err *e)
{
    json_t *v = json_object_get(from, key);

    if (!v || json_is_null(v))
        return 0;
    if (!json_is_string(v))
        return err_set(e, EINVAL, "configuration: \"%s\" is no text", key);
    if (*json_string_value(v) && json_object_set(to, as, v))
        return err_set(e, ENOMEM, "out of memory");
    return 0;
}

/* From the root, whatever it says. */
static int take_cwd(const json_t *from, json_t *to, struct err *e)
{
    int err = take_text(from, "WorkingDir", to, "cwd", e);
    const char *cwd = text_at(to, "cwd");

    if (!err && cwd && *cwd != '/' && json_object_set_new(to, "cwd", json_sprintf("/%s", cwd)))
        err = err_set(e, ENOMEM, "out of memory");
    return err;
}

/* A list of texts, if there is one; room is what all lists may still take. */
static int take_list(const json_t *from, const char *key, json_t *to, const char *as, size_t *room,
                     struct err *e)
{
    json_t *v = json_object_get(from, key);

    if (!v || json_is_null(v))
        return 0;
    if (!json_is_array(v))
        return err_set(e, EINVAL, "configuration: \"%s\" is no list", key);
    for (size_t i = 0; i < json_array_size(v); i++) {
        const char *text = json_string_value(json_array_get(v, i));

        if (!text)
            return err_set(e, EINVAL, "configuration: \"%s\" holds what is no text", key);
        if (strlen(text) + 1 > *room)
            return err_set(e, E2BIG, "configuration: more than %d KiB of environment and commands",
                           LAYOUT_TEXT_MAX);
        *room -= strlen(text) + 1;
        /* A name alone would mean the value of whoever runs it. */
        if (strcmp(as, "env") == 0 && (*text == '=' || !strchr(text, '=')))
            return err_set(e, EINVAL, "configuration: environment \"%.60s\" is not NAME=VALUE",
                           text);
    }
    return json_array_size(v) && json_object_set(to, as, v) ? err_set(e, ENOMEM, "out of memory")
                                                            : 0;
}

static int take_run(const json_t *from, json_t *to, struct err *e)
{
    size_t room = LAYOUT_TEXT_MAX << 10;
    int err;

    if (!to)
        return err_set(e, ENOMEM, "out of memory");
    if (from && !json_is_null(from) && !json_is_object(from))
        return err_set(e, EINVAL, "configuration: \"config\" is no object");
    err = take_text(from, "User", to, "user", e);
    if (!err)
        err = take_cwd(from, to, e);
    if (!err)
        err = take_list(from, "Env", to, "env", &room, e);
    if (!err)
        err = take_list(from, "Entrypoint", to, "entrypoint", &room, e);
    return err ? err : take_list(from, "Cmd", to, "cmd", &room, e);
}

int layout_parse_config(const char *text, size_t len, struct layout_config *out, struct err *e)
{
    json_auto_t *j = document(text, len, "configuration", JSON_OBJECT, e);
    const char *os = text_at(j, "os"), *cpu = text_at(j, "architecture");
    const json_t *diff = json_object_get(json_object_get(j, "rootfs"), "diff_ids");
    int err;

    *out = (struct layout_config){ 0 };
    if (!j)
        return e ? -e->code : -EINVAL;
    if (!os || !cpu || strcmp(os, "linux") != 0 || strcmp(cpu, "amd64") != 0)
        return err_set(e, ENOTSUP, "configuration: an image for %.30s/%.30s, not " PLATFORM,
                       os ? os : "?", cpu ? cpu : "?");
    if (!json_is_array(diff))
        return err_set(e, EINVAL, "configuration: has no \"diff_ids\"");
    err = check_count(json_array_size(diff), "configuration", e);
    for (size_t i = 0; !err && i < json_array_size(diff); i++) {
        char what[48];

        snprintf(what, sizeof(what), "configuration: layer %zu", i + 1);
        err = parse_digest(json_string_value(json_array_get(diff, i)), what, out->diff[i], e);
        out->nlayers = i + 1;
    }
    if (err)
        return err;
    out->run = json_object();
    return take_run(json_object_get(j, "config"), out->run, e);
}

void layout_config_fini(struct layout_config *c)
{
    json_decref(c->run);
    c->run = NULL;
}

/* --- docker save ----------------------------------------------------------------------------- */

bool layout_is_docker(const char *text, size_t len)
{
    json_auto_t *j = document(text, len, "", JSON_ARRAY, NULL);
    const json_t *first = json_array_get(j, 0);

    return json_is_string(json_object_get(first, "Config")) &&
           json_is_array(json_object_get(first, "Layers"));
}

static int take_name(const json_t *v, const char *what, char out[LAYOUT_NAME_MAX + 1],
                     struct err *e)
{
    const char *text = json_string_value(v);

    if (!text || !*text)
        return err_set(e, EINVAL, "manifest.json: %s has no name", what);
    if (strlen(text) > LAYOUT_NAME_MAX)
        return err_set(e, ENAMETOOLONG, "manifest.json: the name of %s is too long", what);
    memcpy(out, text, strlen(text) + 1);
    return 0;
}

/* Its name is its digest, in one of the forms that are about. */
static int name_digest(struct layout_docker *d, struct err *e)
{
    static const char *const prefixes[] = { "blobs/sha256/", "sha256:" };
    static const char suffix[] = ".json";
    const char *name = d->config;
    size_t len;

    for (size_t i = 0; i < array_len(prefixes); i++)
        if (strncmp(d->config, prefixes[i], strlen(prefixes[i])) == 0)
            name = d->config + strlen(prefixes[i]);
    len = strlen(name);
    if (len > strlen(suffix) && strcmp(name + len - strlen(suffix), suffix) == 0)
        len -= strlen(suffix);
    if (!is_hex(name, len))
        return err_set(e, EINVAL,
                       "manifest.json: configuration \"%.80s\" is not named by its digest",
                       d->config);
    memcpy(d->digest, name, DIGEST_HEX);
    d->digest[DIGEST_HEX] = '\0';
    return 0;
}

static bool docker_tag(const json_t *entry, const char *tag, struct list *tags)
{
    const json_t *names = json_object_get(entry, "RepoTags");
    bool found = false;

    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));

        list_add(tags, name, "", "");
        found = found || (tag && name && strcmp(name, tag) == 0);
    }
    return found || !tag;
}

int layout_parse_docker(const char *text, size_t len, const char *tag, struct layout_docker *out,
                        struct err *e)
{
    json_auto_t *j = document(text, len, "manifest.json", JSON_ARRAY, e);
    const json_t *found = NULL;
    struct list tags = { 0 };
    size_t matches = 0;
    int err;

    *out = (struct layout_docker){ 0 };
    if (!j)
        return e ? -e->code : -EINVAL;
    for (size_t i = 0; i < json_array_size(j); i++)
        if (docker_tag(json_array_get(j, i), tag, &tags)) {
            found = json_array_get(j, i);
            matches++;
        }
    if (!found)
        return err_set(e, ENOENT, "manifest.json: no image \"%.60s\" in it; there are %s",
                       tag ? tag : "", tags.len ? tags.text : "none with names");
    if (matches > 1)
        return err_set(e, EINVAL, "manifest.json: several images (%s): choose one with --tag",
                       tags.text);

    const json_t *layers = json_object_get(found, "Layers");

    err = take_name(json_object_get(found, "Config"), "the configuration", out->config, e);
    if (!err)
        err = name_digest(out, e);
    if (!err)
        err = check_count(json_array_size(layers), "manifest.json", e);
    for (size_t i = 0; !err && i < json_array_size(layers); i++) {
        err = take_name(json_array_get(layers, i), "a layer", out->layers[i], e);
        out->nlayers = i + 1;
    }
    return err;
}
