/* stack.c - see stack.h. */
#include "sandbox/image/stack.h"

#include "base/own.h"

#include "sandbox/image/layer.h"
#include "sandbox/image/layout.h"
#include "sandbox/image/merge.h"
#include "sandbox/image/sift.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INDEX_DEPTH = 4 };

static void entry_freep(struct archive_entry **en)
{
    if (*en)
        archive_entry_free(*en);
}

/* A layer, by where it lies and what it must be. */
struct sheet {
    char name[LAYOUT_NAME_MAX + 1];
    struct layout_blob packed; /* digest "": only its unpacked bytes are known */
};

struct stack {
    const struct blobs *blobs; /* borrowed */
    struct squash *out;        /* borrowed */
    struct import_result *r;   /* borrowed */
    const struct import_options *o;
    struct sheet sheets[LAYOUT_LAYERS_MAX];
    struct layout_config config;
    struct merge merge;
    uint64_t room; /* bytes that the layers may still unpack to */
    char buf[SIFT_CHUNK];
};

static void stack_fini(struct stack *s)
{
    layout_config_fini(&s->config);
    merge_fini(&s->merge);
}

/* --- documents -------------------------------------------------------------------------------- */

static void blob_name(const char *digest, char name[LAYOUT_NAME_MAX + 1])
{
    snprintf(name, LAYOUT_NAME_MAX + 1, "blobs/sha256/%s", digest);
}

static char *load_blob(const struct stack *s, const struct layout_blob *b, size_t *len,
                       struct err *e)
{
    char name[LAYOUT_NAME_MAX + 1];

    blob_name(b->digest, name);
    return blobs_load(s->blobs, name, LAYOUT_JSON_MAX, b->digest, b->bytes, len, e);
}

static int failed(const struct err *e)
{
    return e && e->code ? -e->code : -EINVAL;
}

/* {"imageLayoutVersion": "1.0.0"}, image-layout.md. */
static int check_version(const struct stack *s, struct err *e)
{
    size_t len;
    auto_str char *text = blobs_load(s->blobs, "oci-layout", 4096, NULL, UINT64_MAX, &len, e);
    json_t *j = text ? json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL) : NULL;
    const char *version = json_string_value(json_object_get(j, "imageLayoutVersion"));
    bool good = version && strncmp(version, "1.", 2) == 0;

    json_decref(j);
    if (!text)
        return failed(e);
    return good ? 0 : err_set(e, ENOTSUP, "oci-layout: not of version 1");
}

/* From index.json down to the manifest of this platform. */
static int find_manifest(const struct stack *s, struct layout_blob *out, struct err *e)
{
    enum layout_kind kind = LAYOUT_INDEX;

    for (int depth = 0; kind == LAYOUT_INDEX; depth++) {
        size_t len;
        auto_str char *text =
            depth ? load_blob(s, out, &len, e)
                  : blobs_load(s->blobs, "index.json", LAYOUT_JSON_MAX, NULL, UINT64_MAX, &len, e);
        int err;

        if (!text)
            return failed(e);
        if (depth == INDEX_DEPTH)
            return err_set(e, ELOOP, "index: more than %d deep", INDEX_DEPTH);
        err = layout_parse_index(text, len, depth ? NULL : s->o->tag, depth == 0, out, &kind, e);
        if (err)
            return err;
    }
    return 0;
}

static int read_config(struct stack *s, const char *text, size_t len, size_t nlayers, struct err *e)
{
    int err = text ? layout_parse_config(text, len, &s->config, e) : failed(e);

    if (!err && s->config.nlayers != nlayers)
        err = err_set(e, EINVAL, "configuration: %zu layers, the manifest has %zu",
                      s->config.nlayers, nlayers);
    return err;
}

static int read_oci(struct stack *s, struct err *e)
{
    struct layout_blob at = { 0 };
    struct layout_manifest m = { .nlayers = 0 };
    size_t len;
    int err = check_version(s, e);

    if (!err)
        err = find_manifest(s, &at, e);
    if (err)
        return err;

    auto_str char *manifest = load_blob(s, &at, &len, e);

    err = manifest ? layout_parse_manifest(manifest, len, &m, e) : failed(e);
    if (err)
        return err;
    memcpy(s->r->manifest, at.digest, sizeof(at.digest));
    memcpy(s->r->id, m.config.digest, sizeof(m.config.digest));
    for (size_t i = 0; i < m.nlayers; i++) {
        blob_name(m.layers[i].digest, s->sheets[i].name);
        s->sheets[i].packed = m.layers[i];
    }

    auto_str char *config = load_blob(s, &m.config, &len, e);

    return read_config(s, config, len, m.nlayers, e);
}

static int read_docker(struct stack *s, struct err *e)
{
    struct layout_docker d = { .nlayers = 0 };
    size_t len;
    auto_str char *text =
        blobs_load(s->blobs, "manifest.json", LAYOUT_JSON_MAX, NULL, UINT64_MAX, &len, e);
    int err = text ? layout_parse_docker(text, len, s->o->tag, &d, e) : failed(e);

    if (err)
        return err;
    memcpy(s->r->id, d.digest, sizeof(d.digest));
    for (size_t i = 0; i < d.nlayers; i++)
        s->sheets[i] = (struct sheet){ .packed.bytes = UINT64_MAX };
    for (size_t i = 0; i < d.nlayers; i++)
        memcpy(s->sheets[i].name, d.layers[i], sizeof(d.layers[i]));

    auto_str char *config =
        blobs_load(s->blobs, d.config, LAYOUT_JSON_MAX, d.digest, UINT64_MAX, &len, e);

    return read_config(s, config, len, d.nlayers, e);
}

static bool is_oci(const struct blobs *b)
{
    return blobs_have(b, "oci-layout") && blobs_have(b, "index.json");
}

bool stack_is_image(const struct blobs *b)
{
    size_t len;
    auto_str char *text =
        is_oci(b) ? NULL
                  : blobs_load(b, "manifest.json", LAYOUT_JSON_MAX, NULL, UINT64_MAX, &len, NULL);

    return is_oci(b) || (text && layout_is_docker(text, len));
}

/* --- layers ----------------------------------------------------------------------------------- */

/* What is done with each entry; the reader stands at its contents. */
typedef int visit(struct stack *s, struct layer *l, struct archive_entry *en, uint32_t seq,
                  struct err *e);

static int walk_layer(struct stack *s, uint32_t i, visit *fn, uint64_t *room, struct err *e)
{
    cleanup_with(layer_close) struct layer l = { .blob = BLOB_INIT };
    cleanup_with(entry_freep) struct archive_entry *en = archive_entry_new();
    const struct sheet *sheet = &s->sheets[i];
    bool packed = *sheet->packed.digest;
    int err =
        en ? layer_open(&l, s->blobs, sheet->name, *room, e) : err_set(e, ENOMEM, "out of memory");

    for (uint32_t seq = 0; !err; seq++) {
        err = layer_next(&l, en, e);
        if (err <= 0)
            break;
        err = fn(s, &l, en, seq, e);
    }
    if (!err)
        err = layer_end(&l, packed ? sheet->packed.digest : NULL, sheet->packed.bytes,
                        s->config.diff[i], e);
    *room -= l.out < *room ? l.out : *room;
    return err;
}

/* First reading: names and attributes. */
static int note(struct stack *s, struct layer *l, struct archive_entry *en, uint32_t seq,
                struct err *e)
{
    int64_t size = archive_entry_size(en);
    struct merge_entry m = {
        .path = archive_entry_pathname(en),
        .kind = sift_kind(en),
        .attr = { .mode = archive_entry_mode(en) & 07777,
                  .uid = sift_clamp(archive_entry_uid(en)),
                  .gid = sift_clamp(archive_entry_gid(en)),
                  .mtime = sift_clamp(archive_entry_mtime(en)) },
        .size = (uint64_t)size,
    };

    (void)l;
    (void)seq;
    m.target = m.kind == ENTRY_HARD ? archive_entry_hardlink(en) : archive_entry_symlink(en);
    if (m.kind == ENTRY_FILE && size < 0)
        return err_set(e, EINVAL, "\"%.100s\": negative size", m.path ? m.path : "");
    if (m.kind == ENTRY_LINK && (!m.target || !*m.target))
        return err_set(e, EINVAL, "\"%.100s\": symbolic link to nothing", m.path ? m.path : "");
    if (m.kind == ENTRY_LINK && strlen(m.target) > ENTRY_NAME_MAX)
        return err_set(e, ENAMETOOLONG, "\"%.100s\": symbolic link to a name too long",
                       m.path ? m.path : "");
    if (m.kind != ENTRY_OTHER)
        sift_note(s->r, en);
    return merge_add(&s->merge, &m, e);
}

static struct archive_entry *entry_of(const char *path, mode_t type, const struct merge_attr *a)
{
    return sift_plain(path, type | a->mode, a->uid, a->gid, a->mtime);
}

/* Everything but files: directories come before what is in them. */
static int put_node(struct stack *s, uint32_t at, struct err *e)
{
    const struct merge_node *n = &s->merge.nodes[at];
    const struct merge_inode *i = n->inode == MERGE_NONE ? NULL : &s->merge.inodes[n->inode];
    char path[ENTRY_NAME_MAX + 1];

    if (i && i->kind == ENTRY_FILE)
        return 0;
    merge_path(&s->merge, at, path);

    cleanup_with(entry_freep) struct archive_entry *en =
        entry_of(path,
                 !i                      ? AE_IFDIR
                 : i->kind == ENTRY_LINK ? AE_IFLNK
                                         : AE_IFIFO,
                 i ? &i->attr : &n->attr);

    if (!en)
        return err_set(e, ENOMEM, "out of memory");
    if (i && i->kind == ENTRY_LINK)
        archive_entry_set_symlink(en, merge_name(&s->merge, i->target));
    return squash_header(s->out, en) ? err_set(e, EPIPE, "sqfstar stopped") : 0;
}

static int put_data(struct stack *s, struct layer *l, struct archive_entry *en, uint64_t size,
                    const char *path, struct err *e)
{
    while (size > 0) {
        ssize_t n = layer_read(l, s->buf, SIFT_CHUNK, e);

        if (n < 0)
            return (int)n;
        if (n == 0)
            n = sift_hole(en, s->buf, size);
        if (n == 0 || (uint64_t)n > size)
            return err_set(e, EAGAIN, "\"%.100s\": is not as long as announced", path);
        if (squash_data(s->out, s->buf, (size_t)n))
            return err_set(e, EPIPE, "sqfstar stopped");
        size -= (uint64_t)n;
    }
    return 0;
}

/* Second reading: contents of what is seen, at the first of its paths; the others are links. */
static int put(struct stack *s, struct layer *l, struct archive_entry *en, uint32_t seq,
               struct err *e)
{
    const struct merge_inode *i = merge_find(&s->merge, s->merge.layer, seq);
    char path[ENTRY_NAME_MAX + 1], other[ENTRY_NAME_MAX + 1];
    int err;

    if (!i || i->kind != ENTRY_FILE)
        return 0;
    if (sift_kind(en) != ENTRY_FILE || (uint64_t)archive_entry_size(en) != i->size)
        return err_set(e, EAGAIN, "%s: changed while it was read", l->blob.name);
    merge_path(&s->merge, i->first, path);

    cleanup_with(entry_freep) struct archive_entry *file = entry_of(path, AE_IFREG, &i->attr);

    if (!file)
        return err_set(e, ENOMEM, "out of memory");
    archive_entry_set_size(file, (la_int64_t)i->size);
    if (squash_header(s->out, file))
        return err_set(e, EPIPE, "sqfstar stopped");
    err = put_data(s, l, en, i->size, path, e);
    for (uint32_t at = s->merge.nodes[i->first].alias; !err && at != MERGE_NONE;
         at = s->merge.nodes[at].alias) {
        merge_path(&s->merge, at, other);

        cleanup_with(entry_freep) struct archive_entry *link = entry_of(other, AE_IFREG, &i->attr);

        if (!link)
            return err_set(e, ENOMEM, "out of memory");
        archive_entry_set_hardlink(link, path);
        if (squash_header(s->out, link))
            err = err_set(e, EPIPE, "sqfstar stopped");
    }
    return err;
}

/* Whether a layer has a file that is seen. */
static bool shows(const struct merge *m, uint32_t layer)
{
    for (uint32_t i = 0; i < m->ninodes; i++)
        if (m->inodes[i].layer == layer && m->inodes[i].kind == ENTRY_FILE &&
            m->inodes[i].first != MERGE_NONE)
            return true;
    return false;
}

static int read_layers(struct stack *s, struct err *e)
{
    uint64_t room = s->room;
    uint32_t n = (uint32_t)s->config.nlayers;
    int err = 0;

    for (uint32_t i = n; !err && i-- > 0;) {
        merge_layer(&s->merge, i);
        err = walk_layer(s, i, note, &room, e);
        if (err)
            err_wrap(e, "layer %u of %u", i + 1, n);
    }
    s->r->entries = s->merge.entries;
    s->r->bytes = s->merge.bytes;
    s->r->dropped = s->merge.dropped;
    s->r->layers = n;
    return err;
}

static int write_all(struct stack *s, struct err *e)
{
    uint64_t room = s->room;
    uint32_t n = (uint32_t)s->config.nlayers;
    bool any = false;
    int err = 0;

    for (uint32_t at = merge_next(&s->merge, 0); !err && at != MERGE_NONE;
         at = merge_next(&s->merge, at)) {
        err = put_node(s, at, e);
        any = true;
    }
    if (!any)
        return err_set(e, EINVAL, "there are no files in it");
    for (uint32_t i = n; !err && i-- > 0;) {
        if (!shows(&s->merge, i))
            continue;
        merge_layer(&s->merge, i);
        err = walk_layer(s, i, put, &room, e);
        if (err && err != -EPIPE)
            err_wrap(e, "layer %u of %u", i + 1, n);
    }
    return err;
}

int stack_copy(const struct blobs *b, struct squash *out, const struct import_options *o,
               struct import_result *r, struct err *e)
{
    struct stack *s = calloc(1, sizeof(*s));
    uint64_t max = o->bytes_max ? o->bytes_max : ENTRY_BYTES_MAX;
    int err;

    if (!s)
        return err_set(e, ENOMEM, "out of memory");
    s->blobs = b;
    s->out = out;
    s->r = r;
    s->o = o;
    s->merge.bytes_max = o->bytes_max;
    s->merge.count_max = o->count_max;
    /* Contents, and headers of as many entries as there may be: two of 512 bytes each. */
    s->room = max + ((uint64_t)ENTRY_COUNT_MAX << 10);
    err = is_oci(b) ? read_oci(s, e) : read_docker(s, e);
    if (!err)
        err = read_layers(s, e);
    if (!err)
        err = write_all(s, e);
    if (!err)
        r->run = json_incref(s->config.run);
    stack_fini(s);
    free(s);
    return err;
}
