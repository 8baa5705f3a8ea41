/*
 * files_client.h - a guest's kernel, as far as carrel-files can tell: requests for a server in the
 * same process, over a temporary tree on the host.
 */
#ifndef TESTS_UNIT_FILES_CLIENT_H
#define TESTS_UNIT_FILES_CLIENT_H

#include "sandbox/files/server.h"

#define CLIENT_ROOT 2u /* node of the first mount */

struct client {
    struct server s;
    struct arena arena;
    char dir[64];     /* the granted directory; its parent is ours too */
    char outside[64]; /* beside it */
    int reports[2];
    uint8_t out[FILES_DATA_MAX];
    const uint8_t *data; /* of the last answer */
    size_t len;
};

/* A server with one live mount at /w: mount is what stands in its braces besides id, source,
 * target and share, e.g. "access: rw". Exits when it cannot be had. */
void client_init(struct client *c, const char *mount, uint32_t nodes_max);
void client_fini(struct client *c);

/* One request: its error, 0 or less; data and len are what came with it. */
int client_ask(struct client *c, uint32_t opcode, uint64_t node, const void *args, size_t len);
/* The same with fixed arguments and up to two texts after them. */
int client_name(struct client *c, uint32_t opcode, uint64_t node, const void *args, size_t len,
                const char *a, const char *b);

/* The node of a path below the mount, looked up name by name; 0 and *err when one is not there. */
uint64_t client_walk(struct client *c, const char *path, int *err);
int client_open(struct client *c, uint64_t node, uint32_t flags, uint64_t *fh);
int client_create(struct client *c, uint64_t dir, const char *name, uint32_t flags, uint64_t *node,
                  uint64_t *fh);
/* A file without a name. */
int client_nameless(struct client *c, uint64_t dir, uint32_t flags, uint64_t *node, uint64_t *fh);
int client_link(struct client *c, uint64_t node, uint64_t to_dir, const char *to);
int client_write(struct client *c, uint64_t node, uint64_t fh, uint64_t at, const void *bytes,
                 uint32_t len);
int client_read(struct client *c, uint64_t node, uint64_t fh, uint64_t at, uint32_t len);
int client_release(struct client *c, uint64_t node, uint64_t fh);
int client_mkdir(struct client *c, uint64_t dir, const char *name);
int client_rename(struct client *c, uint64_t from_dir, const char *from, uint64_t to_dir,
                  const char *to);
int client_unlink(struct client *c, uint64_t dir, const char *name);

#endif
