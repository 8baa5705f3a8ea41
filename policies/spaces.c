#include "policies/spaces.h"

#include "policies/globs.h"
#include "policies/units.h"
#include "policies/words.h"

#include <string.h>

#define W(n)                          \
    {                                 \
        (n), DIM_WORD, 0, 0, NULL, -1 \
    }
#define E(n, w, d)                          \
    {                                       \
        (n), DIM_ENUM, 0, 0, words_##w, (d) \
    }
#define N(n, u, d)                           \
    {                                        \
        (n), DIM_NUM, 0, UNIT_##u, NULL, (d) \
    }
#define H(n)                          \
    {                                 \
        (n), DIM_HOST, 0, 0, NULL, -1 \
    }
#define G(n, k)                              \
    {                                        \
        (n), DIM_GLOB, GLOB_##k, 0, NULL, -1 \
    }
#define A(n)                          \
    {                                 \
        (n), DIM_ADDR, 0, 0, NULL, -1 \
    }
#define L(n, t)                      \
    {                                \
        (n), DIM_##t, 0, 0, NULL, -1 \
    }
#define LG(n, k)                                 \
    {                                            \
        (n), DIM_ALL_GLOB, GLOB_##k, 0, NULL, -1 \
    }
#define SPACE(d, s)                            \
    {                                          \
#d, (s), dims_##d, array_len(dims_##d) \
    }

/* In the order of the enums of spaces.h. */
static const struct dim dims_resource[] = { W("field"), N("value", COUNT, 0) };
static const struct dim dims_connect[] = { H("host"), N("port", PLAIN, 443), W("tool") };
static const struct dim dims_dial[] = { H("host"), N("port", PLAIN, 443), A("addr"), W("tool") };
static const struct dim dims_http[] = {
    H("host"),
    N("port", PLAIN, 443),
    E("protocol", protocol, PROTO_HTTPS),
    E("method", method, -1),
    G("path", HTTP),
    N("up", BYTES, 0),
    N("rate", RATE, 0),
    W("tool"),
};
static const struct dim dims_publish[] = { N("guest", PLAIN, 0), A("addr"), N("port", PLAIN, 0) };
static const struct dim dims_exec[] = {
    G("path", PATH),
    L("argv", ARGV),
    E("shell", bool, BOOL_FALSE),
    N("user", PLAIN, 1000),
    E("broker", broker, BROKER_HOST),
    LG("env", NAME),
    L("caps", ALL_BITS),
    L("syscalls", ALL_BITS),
    N("cpu", TIME, 0),
    N("as", BYTES, 0),
    N("fsize", BYTES, 0),
    LG("ro", PATH),
    LG("rw", PATH),
    L("uses", ALL_WORD),
    W("sha256"),
};
static const struct dim dims_host[] = { W("for"), L("argv", ARGV), W("cwd"),
                                        E("approval", approve, 2) };
static const struct dim dims_mcp[] = { W("server"), G("tool", NAME), W("pin"), N("body", BYTES, 0),
                                       L("args", ARGS) };
static const struct dim dims_file[] = {
    G("path", PATH),       E("op", file_op, FILE_READ), N("bytes", BYTES, 0),
    N("inodes", COUNT, 0), N("versions", COUNT, 0),     N("age", TIME, 0),
};
static const struct dim dims_mount[] = {
    G("source", NAME),      G("target", PATH),           E("access", access, ACCESS_RO),
    E("export", export, 0), E("unreviewed", review, -1), E("share", share, SHARE_COPY)
};
static const struct dim dims_secret[] = { W("id"),
                                          W("source"),
                                          W("header"),
                                          W("format"),
                                          H("host"),
                                          N("port", PLAIN, 443),
                                          E("method", method, -1),
                                          G("path", HTTP) };
static const struct dim dims_model[] = { W("endpoint"), G("name", NAME), N("input", COUNT, 0),
                                         N("output", COUNT, 0), N("rate", COUNT, 0) };
static const struct dim dims_device[] = {
    E("attach", attach, -1), N("id", COUNT, 0),        N("class", COUNT, 0),
    N("count", COUNT, 1),    E("exclusive", bool, 0),  E("remapped", bool, 0),
    E("reset", reset, -1),   E("cleaned", between, 2),
};
static const struct dim dims_snapshot[] = { E("op", snapshot_op, -1), N("age", TIME, 0),
                                            E("reseeded", bool, 0) };
static const struct dim dims_fork[] = { N("made", COUNT, 0) };
static const struct dim dims_image[] = { W("name"), W("sha256"), W("kernel"),
                                         E("verity", bool, 0) };

const struct space spaces[SPACES] = {
    [SPACE_RESOURCE] = SPACE(resource, "resources"),
    [SPACE_CONNECT] = SPACE(connect, "network"),
    [SPACE_DIAL] = SPACE(dial, "network"),
    [SPACE_HTTP] = SPACE(http, "network"),
    [SPACE_PUBLISH] = SPACE(publish, "network"),
    [SPACE_EXEC] = SPACE(exec, "tools"),
    [SPACE_HOST] = SPACE(host, "tools"),
    [SPACE_MCP] = SPACE(mcp, "tools"),
    [SPACE_FILE] = SPACE(file, "storage"),
    [SPACE_MOUNT] = SPACE(mount, "storage"),
    [SPACE_SECRET] = SPACE(secret, "secrets"),
    [SPACE_MODEL] = SPACE(model, "models"),
    [SPACE_DEVICE] = SPACE(device, "accelerators"),
    [SPACE_SNAPSHOT] = SPACE(snapshot, "snapshot"),
    [SPACE_FORK] = SPACE(fork, "budget"),
    [SPACE_IMAGE] = SPACE(image, "image"),
};

void request_init(struct request *r, enum space_id space)
{
    memset(r, 0, sizeof(*r));
    r->space = space;
    for (uint32_t i = 0; i < spaces[space].n; i++) {
        const struct dim *d = &spaces[space].dims[i];

        r->v[i].present = d->type == DIM_ARGV || d->type >= DIM_ARGS || d->def >= 0;
        r->v[i].n = d->def >= 0 ? (uint64_t)d->def : 0;
    }
}

void request_text(struct request *r, unsigned dim, const char *s)
{
    r->v[dim].present = s != NULL;
    r->v[dim].s = s;
    r->v[dim].len = s ? strlen(s) : 0;
}

void request_number(struct request *r, unsigned dim, uint64_t n)
{
    r->v[dim].present = true;
    r->v[dim].n = n;
}

void request_list(struct request *r, unsigned dim, const char *const *v, uint32_t n)
{
    r->v[dim].present = true;
    r->v[dim].list = (struct args){ v, n };
}
