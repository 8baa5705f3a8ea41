/*
 * layout.h - the documents of an image of the world: index, manifest and configuration of an OCI
 * image layout (image-spec 1.1), and the manifest.json of `docker save`.
 *
 * Pure: bytes become structs or a refusal that names what is wrong. Digests are SHA-256 only; what
 * a document says it is must be what it was announced as; the platform is linux/amd64.
 */
#ifndef SANDBOX_IMAGE_LAYOUT_H
#define SANDBOX_IMAGE_LAYOUT_H

#include "sandbox/image/data.h"

enum {
    LAYOUT_JSON_MAX = 4 << 20, /* bytes of one document; what registries take */
    LAYOUT_LAYERS_MAX = 128,   /* what overlay takes elsewhere */
    LAYOUT_NAME_MAX = 255,     /* of a member of a docker archive */
    LAYOUT_TEXT_MAX = 64,      /* KiB of environment and commands in all */
};

/* Bytes, by what they must hash to. */
struct layout_blob {
    char digest[DIGEST_HEX + 1];
    uint64_t bytes;
};

enum layout_kind { LAYOUT_INDEX, LAYOUT_MANIFEST };

/*
 * Of an index, the entry for this platform. tag: only what carries this name, or NULL. *kind is
 * what it leads to. Several images: -EINVAL with their names (in an index below another: the
 * first, as the specification says).
 */
must_check int layout_parse_index(const char *text, size_t len, const char *tag, bool top,
                                  struct layout_blob *out, enum layout_kind *kind, struct err *e);

struct layout_manifest {
    struct layout_blob config, layers[LAYOUT_LAYERS_MAX];
    size_t nlayers;
};

must_check int layout_parse_manifest(const char *text, size_t len, struct layout_manifest *out,
                                     struct err *e);

/* What a configuration says of its layers and of running it. */
struct layout_config {
    char diff[LAYOUT_LAYERS_MAX][DIGEST_HEX + 1]; /* of each layer, not compressed */
    size_t nlayers;
    json_t
        *run; /* owned: { user, cwd, env[], entrypoint[], cmd[] }; absent where it says nothing */
};

/* layout_config_fini in either case. */
must_check int layout_parse_config(const char *text, size_t len, struct layout_config *out,
                                   struct err *e);
void layout_config_fini(struct layout_config *c);

/* An image of a docker archive: names of members. */
struct layout_docker {
    char config[LAYOUT_NAME_MAX + 1];
    char digest[DIGEST_HEX + 1]; /* of the configuration, as its name says */
    char layers[LAYOUT_LAYERS_MAX][LAYOUT_NAME_MAX + 1];
    size_t nlayers;
};

/* Whether manifest.json looks like one of `docker save`, and not like a file of a root directory.
 */
bool layout_is_docker(const char *text, size_t len);
must_check int layout_parse_docker(const char *text, size_t len, const char *tag,
                                   struct layout_docker *out, struct err *e);

#endif
