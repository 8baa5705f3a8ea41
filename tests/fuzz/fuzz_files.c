/*
 * fuzz_files.c - any requests to carrel-files, over a temporary tree with a link that leads out.
 *
 * The input is a sequence of messages: opcode, node, length of the arguments (a byte each), then
 * the arguments. Handles and nodes are small numbers, so that they are met. After each input: what
 * is outside is as it was, what is protected too, and the tables hold what they say.
 */
#include "tests/unit/files_client.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct client c;
static unsigned inputs;

static void put(const char *dir, const char *name, const char *text)
{
    char path[256];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "w");
    if (!f || fputs(text, f) < 0 || fclose(f))
        abort();
}

static void begin(void)
{
    char path[256];

    client_init(&c,
                "access: rw, deny_read: ['**/s'], deny_write: ['**/s', '**/p/**'], links: "
                "{hardlink: allow, symlink: allow}, quota: {bytes: 64KiB, inodes: 64}",
                64);
    snprintf(path, sizeof(path), "%s/l", c.dir);
    if (symlink("../out", path))
        abort();
    put(c.dir, "s", "secret");
    put(c.dir, "f", "file");
    put(c.outside, "f", "outside");
    snprintf(path, sizeof(path), "%s/p", c.dir);
    if (mkdir(path, 0755))
        abort();
    put(path, "x", "protected");
}

static void must_be(const char *dir, const char *name, const char *text)
{
    char path[256], got[16] = "";
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "r");
    if (!f || !fgets(got, sizeof(got), f) || strcmp(got, text) != 0)
        abort();
    fclose(f);
}

static void look(void)
{
    const struct usage *u = &c.s.live[0].usage;
    struct dirent *e;
    DIR *d = opendir(c.outside);

    while (d && (e = readdir(d)))
        if (e->d_name[0] != '.' && strcmp(e->d_name, "f") != 0)
            abort();
    if (d)
        closedir(d);
    must_be(c.outside, "f", "outside");
    must_be(c.dir, "s", "secret");
    must_be(c.dir, "p/x", "protected");
    if (u->bytes > u->max_bytes || u->inodes > u->max_inodes || c.s.nodes.live > 64)
        abort();
}

static void ask(const uint8_t *data, size_t *at, size_t size)
{
    uint8_t args[256];
    uint32_t opcode = data[*at];
    uint64_t node = data[*at + 1];
    size_t len = data[*at + 2];

    *at += 3;
    len = len < size - *at ? len : size - *at;
    memcpy(args, data + *at, len);
    *at += len;
    if (client_ask(&c, opcode, node, args, len) == 0 && c.len) {
        const char secret[] = "secret";

        if (opcode == FUSE_READ && memmem(c.data, c.len, secret, sizeof(secret) - 1))
            abort();
        if (opcode == FUSE_READ && memmem(c.data, c.len, "outside", 7))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char drop[8192];

    if (inputs++ % 256 == 0) { /* the tree fills up */
        if (inputs > 1)
            client_fini(&c);
        begin();
    }
    if (!c.s.greeted) { /* it was told to forget everything */
        const struct fuse_init_in in = { .major = 7, .minor = 38 };

        (void)client_ask(&c, FUSE_INIT, 0, &in, sizeof(in));
    }
    (void)client_name(&c, FUSE_LOOKUP, CLIENT_ROOT, NULL, 0, "f", NULL);
    for (size_t at = 0; at + 3 <= size;)
        ask(data, &at, size);
    look();
    while (recv(c.reports[1], drop, sizeof(drop), MSG_DONTWAIT) > 0)
        ;
    return 0;
}
