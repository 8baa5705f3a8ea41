/* files_client.c - see files_client.h. */
#include "tests/unit/files_client.h"

#include "policies/layers.h"
#include "policies/yaml.h"
#include "sandbox/files/scope.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(1);
}

/* Through the document, its bytes for carrel-files, and back: as it is at work. */
static void rules(struct client *c, const char *mount)
{
    struct problems ps = PROBLEMS_INIT;
    struct text yaml = TEXT_INIT, bytes = TEXT_INIT;
    struct err e = ERR_INIT;
    const struct policy *scope;
    struct policy *p;

    text_add(&yaml,
             "carrel: 1\nname: t\nstorage:\n  mounts:\n  - {id: w, source: ./, target: /w, share: "
             "live, %s}\n",
             mount);
    p = policy_load(yaml.p, yaml.len, "t.yaml", NULL, NULL, &ps);
    if (!p) {
        problems_print(&ps, &bytes);
        fprintf(stderr, "%s", text_str(&bytes));
        exit(1);
    }
    scope_write(p, &bytes);
    scope = scope_read(bytes.p, bytes.len, &c->arena, &e);
    if (!scope)
        die(e.msg);

    const struct mount *m = scope->storage.mounts.v[0];

    c->s.rules = ruleset_storage(scope);
    c->s.live[0] =
        (struct live){ .id = m->id,
                       .target = m->target,
                       .rules = m,
                       .root = open(c->dir, O_PATH | O_DIRECTORY | O_CLOEXEC),
                       .writable = m->access == ACCESS_RW,
                       .usage = { .max_bytes = m->quota.bytes, .max_inodes = m->quota.inodes } };
    c->s.nlive = 1;
    policy_free(p);
    problems_fini(&ps);
    text_fini(&yaml);
    text_fini(&bytes);
}

void client_init(struct client *c, const char *mount, uint32_t nodes_max)
{
    const struct fuse_init_in in = { .major = 7, .minor = 38, .flags = ~0u };
    char top[] = "/tmp/carrel-files-XXXXXX";

    memset(c, 0, sizeof(*c));
    umask(0);
    if (!mkdtemp(top))
        die(top);
    snprintf(c->dir, sizeof(c->dir), "%s/in", top);
    snprintf(c->outside, sizeof(c->outside), "%s/out", top);
    if (mkdir(c->dir, 0755) || mkdir(c->outside, 0755) ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, c->reports))
        die(c->dir);
    rules(c, mount);
    c->s.uid = 1000;
    c->s.reporter.fd = c->reports[0];
    if (server_init(&c->s, nodes_max) || client_ask(c, FUSE_INIT, 0, &in, sizeof(in)))
        die("server");
}

static int drop(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

void client_fini(struct client *c)
{
    ruleset_free(c->s.rules);
    server_fini(&c->s);
    arena_fini(&c->arena);
    close(c->reports[1]);
    *strrchr(c->dir, '/') = '\0';
    if (nftw(c->dir, drop, 16, FTW_DEPTH | FTW_PHYS))
        die(c->dir);
}

int client_ask(struct client *c, uint32_t opcode, uint64_t node, const void *args, size_t len)
{
    static uint8_t in[FILES_DATA_MAX + 4096], out[FILES_DATA_MAX];
    struct iovec data, place = { c->out, sizeof(c->out) };
    struct answer a = { .data = out, .place = &place, .nplace = 1, .room = sizeof(c->out) };
    struct message m = { .h = { .len = (uint32_t)(sizeof(m.h) + len),
                                .opcode = opcode,
                                .unique = 1,
                                .nodeid = node },
                         .at = in,
                         .left = message_args(opcode, len),
                         .data = &data,
                         .ndata = 1 };

    if (len)
        memcpy(in, args, len);
    m.data_len = len - m.left;
    data = (struct iovec){ in + m.left, m.data_len };
    c->len = 0;
    if (!server_handle(&c->s, &m, &a))
        return 0;
    if (a.error > 0 || (a.error && a.len) || a.len > FILES_DATA_MAX)
        die("an answer that is none");
    if (!a.in_place)
        memcpy(c->out, out, a.len);
    c->data = c->out;
    c->len = a.len;
    return a.error;
}

int client_name(struct client *c, uint32_t opcode, uint64_t node, const void *args, size_t len,
                const char *a, const char *b)
{
    uint8_t body[16384];
    const char *const names[] = { a, b };

    if (len)
        memcpy(body, args, len);
    for (int i = 0; i < 2 && names[i]; i++) {
        memcpy(body + len, names[i], strlen(names[i]) + 1);
        len += strlen(names[i]) + 1;
    }
    return client_ask(c, opcode, node, body, len);
}

static uint64_t entry_node(const struct client *c)
{
    struct fuse_entry_out out;

    memcpy(&out, c->data, sizeof(out));
    return out.nodeid;
}

uint64_t client_walk(struct client *c, const char *path, int *err)
{
    char copy[4096], *rest = copy, *name;
    uint64_t node = CLIENT_ROOT;

    *err = 0;
    snprintf(copy, sizeof(copy), "%s", path);
    while (!*err && (name = strsep(&rest, "/"))) {
        *err = client_name(c, FUSE_LOOKUP, node, NULL, 0, name, NULL);
        node = *err ? 0 : entry_node(c);
    }
    return node;
}

int client_open(struct client *c, uint64_t node, uint32_t flags, uint64_t *fh)
{
    const struct fuse_open_in in = { .flags = flags };
    struct fuse_open_out out;
    int err = client_ask(c, FUSE_OPEN, node, &in, sizeof(in));

    if (err)
        return err;
    memcpy(&out, c->data, sizeof(out));
    *fh = out.fh;
    return 0;
}

static int make(struct client *c, uint32_t opcode, uint64_t dir, const char *name, uint32_t flags,
                uint64_t *node, uint64_t *fh)
{
    const struct fuse_create_in in = { .flags = flags, .mode = S_IFREG | 0644 };
    struct fuse_open_out open;
    int err = client_name(c, opcode, dir, &in, sizeof(in), name, NULL);

    if (err)
        return err;
    *node = entry_node(c);
    memcpy(&open, c->data + sizeof(struct fuse_entry_out), sizeof(open));
    *fh = open.fh;
    return 0;
}

int client_create(struct client *c, uint64_t dir, const char *name, uint32_t flags, uint64_t *node,
                  uint64_t *fh)
{
    return make(c, FUSE_CREATE, dir, name, flags | O_CREAT, node, fh);
}

int client_nameless(struct client *c, uint64_t dir, uint32_t flags, uint64_t *node, uint64_t *fh)
{
    return make(c, FUSE_TMPFILE, dir, "/", flags | O_TMPFILE, node, fh); /* Linux calls it so */
}

int client_link(struct client *c, uint64_t node, uint64_t to_dir, const char *to)
{
    const struct fuse_link_in in = { .oldnodeid = node };

    return client_name(c, FUSE_LINK, to_dir, &in, sizeof(in), to, NULL);
}

int client_write(struct client *c, uint64_t node, uint64_t fh, uint64_t at, const void *bytes,
                 uint32_t len)
{
    static uint8_t body[sizeof(struct fuse_write_in) + FILES_DATA_MAX];
    const struct fuse_write_in in = { .fh = fh, .offset = at, .size = len };
    struct fuse_write_out out;
    int err;

    memcpy(body, &in, sizeof(in));
    memcpy(body + sizeof(in), bytes, len);
    err = client_ask(c, FUSE_WRITE, node, body, sizeof(in) + len);
    if (err)
        return err;
    memcpy(&out, c->data, sizeof(out));
    return (int)out.size;
}

int client_read(struct client *c, uint64_t node, uint64_t fh, uint64_t at, uint32_t len)
{
    const struct fuse_read_in in = { .fh = fh, .offset = at, .size = len };
    int err = client_ask(c, FUSE_READ, node, &in, sizeof(in));

    return err ? err : (int)c->len;
}

int client_release(struct client *c, uint64_t node, uint64_t fh)
{
    const struct fuse_release_in in = { .fh = fh };

    return client_ask(c, FUSE_RELEASE, node, &in, sizeof(in));
}

int client_mkdir(struct client *c, uint64_t dir, const char *name)
{
    const struct fuse_mkdir_in in = { .mode = 0755 };

    return client_name(c, FUSE_MKDIR, dir, &in, sizeof(in), name, NULL);
}

int client_rename(struct client *c, uint64_t from_dir, const char *from, uint64_t to_dir,
                  const char *to)
{
    const struct fuse_rename_in in = { .newdir = to_dir };

    return client_name(c, FUSE_RENAME, from_dir, &in, sizeof(in), from, to);
}

int client_unlink(struct client *c, uint64_t dir, const char *name)
{
    return client_name(c, FUSE_UNLINK, dir, NULL, 0, name, NULL);
}
