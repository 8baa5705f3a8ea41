/*
 * spaces.h - the kinds of request, each a space of a few dimensions; a request is one point in one.
 *
 * Every question the engine answers is about points: decide says whether one is allowed, the
 * algebra searches for one that separates two policies, explain and the tests print and read them.
 */
#ifndef POLICIES_SPACES_H
#define POLICIES_SPACES_H

#include "policies/addrs.h"
#include "policies/argv.h"
#include "policies/bits.h"
#include "policies/text.h"

#define DIMS_MAX   15u
#define NUMBER_MAX ((1ull << 53) - 1) /* in requests as in documents (units.h) */

enum space_id {
    SPACE_RESOURCE, /* a number, word or flag of the document: "memory.max 2GiB" */
    SPACE_CONNECT,  /* open a stream to a name and port */
    SPACE_DIAL,     /* connect to an address that a name resolved to */
    SPACE_HTTP,     /* one request, or what is not seen inside tls and tcp */
    SPACE_PUBLISH,  /* listen on the host for a guest port */
    SPACE_EXEC,     /* run a program in the guest, with what it wants */
    SPACE_HOST,     /* run a program on the host for the agent */
    SPACE_MCP,      /* call a tool of an MCP server */
    SPACE_FILE,     /* one operation on one path */
    SPACE_MOUNT,    /* attach a directory or a memory volume */
    SPACE_SECRET,   /* put a secret into a request */
    SPACE_MODEL,    /* call a model */
    SPACE_DEVICE,   /* attach a device */
    SPACE_SNAPSHOT, /* save or restore */
    SPACE_FORK,     /* fork once more */
    SPACE_IMAGE,    /* boot an image with a kernel */
    SPACES,
};

enum dim_type {
    DIM_WORD, /* one of a set of texts */
    DIM_ENUM, /* one of a fixed list */
    DIM_NUM,
    DIM_HOST,
    DIM_GLOB,
    DIM_ADDR,
    DIM_ARGV,
    DIM_ARGS,     /* named arguments: name, value, name, value … */
    DIM_ALL_GLOB, /* a list, each of which must match */
    DIM_ALL_WORD,
    DIM_ALL_BITS,
};

/* Dimensions by number, space by space. */
enum { RESOURCE_FIELD, RESOURCE_VALUE };
enum { CONNECT_HOST, CONNECT_PORT, CONNECT_TOOL };
enum { DIAL_HOST, DIAL_PORT, DIAL_ADDR, DIAL_TOOL };
enum { HTTP_HOST, HTTP_PORT, HTTP_PROTOCOL, HTTP_METHOD, HTTP_PATH, HTTP_UP, HTTP_RATE, HTTP_TOOL };
enum { PUBLISH_GUEST, PUBLISH_ADDR, PUBLISH_PORT };
enum {
    EXEC_PATH,
    EXEC_ARGV,
    EXEC_SHELL,
    EXEC_USER,
    EXEC_BROKER,
    EXEC_ENV,
    EXEC_CAPS,
    EXEC_SYSCALLS,
    EXEC_CPU,
    EXEC_AS,
    EXEC_FSIZE,
    EXEC_RO,
    EXEC_RW,
    EXEC_USES,   /* "network:ID" and "spawn:ID" */
    EXEC_SHA256, /* of the program's content; absent: nobody has looked */
};
enum { HOST_FOR, HOST_ARGV, HOST_CWD, HOST_APPROVAL };
enum { MCP_SERVER, MCP_TOOL, MCP_PIN, MCP_BODY, MCP_ARGS };
enum { FILE_PATH, FILE_OP, FILE_BYTES, FILE_INODES, FILE_VERSIONS, FILE_AGE };
enum { MOUNT_SOURCE, MOUNT_TARGET, MOUNT_ACCESS, MOUNT_EXPORT, MOUNT_UNREVIEWED, MOUNT_SHARE };
enum {
    SECRET_ID,
    SECRET_SOURCE,
    SECRET_HEADER,
    SECRET_FORMAT,
    SECRET_HOST,
    SECRET_PORT,
    SECRET_METHOD,
    SECRET_PATH,
};
enum { MODEL_ENDPOINT, MODEL_NAME, MODEL_INPUT, MODEL_OUTPUT, MODEL_RATE };
enum {
    DEVICE_ATTACH,
    DEVICE_ID,
    DEVICE_CLASS,
    DEVICE_COUNT,
    DEVICE_EXCLUSIVE,
    DEVICE_REMAPPED,
    DEVICE_RESET,
    DEVICE_CLEANED,
};
enum { SNAPSHOT_OP, SNAPSHOT_AGE, SNAPSHOT_RESEEDED };
enum { FORK_MADE };
enum { IMAGE_NAME, IMAGE_SHA256, IMAGE_KERNEL, IMAGE_VERITY };

struct dim {
    const char *name;
    enum dim_type type;
    uint8_t glob;             /* enum glob_kind */
    uint8_t unit;             /* enum unit: DIM_NUM */
    const char *const *words; /* DIM_ENUM */
    int64_t def; /* what a request has unless it says so: DIM_ENUM, DIM_NUM; -1 absent */
};

struct space {
    const char *name;
    const char *section; /* whose default denies */
    const struct dim *dims;
    uint32_t n;
};

extern const struct space spaces[SPACES];

struct value {
    bool present;
    uint64_t n;    /* DIM_ENUM, DIM_NUM */
    const char *s; /* DIM_WORD, DIM_HOST, DIM_GLOB: terminated */
    size_t len;    /* of s */
    struct addr addr;
    struct args list;        /* DIM_ARGV, DIM_ARGS, DIM_ALL_GLOB, DIM_ALL_WORD */
    const struct bits *bits; /* DIM_ALL_BITS; NULL is none */
};

/* A point. Texts are borrowed from whoever made it and outlive it. */
struct request {
    enum space_id space;
    struct value v[DIMS_MAX];
};

/* Every dimension at its default. */
void request_init(struct request *r, enum space_id space);

void request_text(struct request *r, unsigned dim, const char *s);
void request_number(struct request *r, unsigned dim, uint64_t n);
void request_list(struct request *r, unsigned dim, const char *const *v, uint32_t n);

#endif
