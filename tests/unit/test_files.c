/* carrel-files as a guest's kernel meets it, over a temporary tree: cases F01, F03, F04, F06-F08,
 * and messages that are none. */
#include "tests/unit/files_client.h"

#include "sandbox/files/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define RW                                                                                       \
    "access: rw, deny_read: ['**/.env', '**/*.pem'], deny_write: ['**/.git/hooks/**', locked], " \
    "quota: {bytes: 1MiB, inodes: 8}"

static struct client c;

static void put(const char *path, const char *text)
{
    char full[256];
    FILE *f;

    snprintf(full, sizeof(full), "%s/%s", c.dir, path);
    f = fopen(full, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static const char *path_of(const char *path)
{
    static char full[4][256];
    static int at;

    at = (at + 1) % 4;
    snprintf(full[at], sizeof(full[at]), "%s/%s", c.dir, path);
    return full[at];
}

static bool there(const char *path)
{
    struct stat st;

    return lstat(path_of(path), &st) == 0;
}

static int start(void **state)
{
    (void)state;
    client_init(&c, RW, 64);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    client_fini(&c);
    return 0;
}

static uint64_t walk(const char *path)
{
    int err;
    uint64_t node = client_walk(&c, path, &err);

    assert_int_equal(err, 0);
    return node;
}

static int walk_fails(const char *path)
{
    int err;

    assert_int_equal(client_walk(&c, path, &err), 0);
    return err;
}

/* ---- messages ---- */

/* Only a WRITE has data; what is too long for any operation is nobody's argument. */
static void data_is_told_from_arguments(void **state)
{
    (void)state;
    assert_int_equal(message_args(FUSE_WRITE, 39), 39);
    assert_int_equal(message_args(FUSE_WRITE, 41), sizeof(struct fuse_write_in));
    assert_int_equal(message_args(FUSE_SYMLINK, 4352), 4352);
    assert_int_equal(message_args(FUSE_SETXATTR, 65536), MESSAGE_ARGS_MAX);
}

static void names_that_are_none_are_refused(void **state)
{
    const char *const bad[] = { "", ".", "..", "a/b", "/", "../x" };
    char longest[258];

    (void)state;
    for (size_t i = 0; i < array_len(bad); i++) {
        assert_int_equal(client_name(&c, FUSE_LOOKUP, CLIENT_ROOT, NULL, 0, bad[i], NULL), -EINVAL);
        assert_int_equal(client_mkdir(&c, CLIENT_ROOT, bad[i]), -EINVAL);
        assert_int_equal(client_unlink(&c, CLIENT_ROOT, bad[i]), -EINVAL);
    }
    memset(longest, 'x', sizeof(longest));
    longest[256] = '\0';
    assert_int_equal(client_mkdir(&c, CLIENT_ROOT, longest), -EINVAL);
    longest[255] = '\0';
    assert_int_equal(client_mkdir(&c, CLIENT_ROOT, longest), 0);
    /* No end in the message; something behind the end; no rule can speak of it. */
    assert_int_equal(client_ask(&c, FUSE_LOOKUP, CLIENT_ROOT, "abc", 3), -EINVAL);
    assert_int_equal(client_ask(&c, FUSE_LOOKUP, CLIENT_ROOT, "abc\0x", 5), -EINVAL);
    assert_int_equal(client_mkdir(&c, CLIENT_ROOT, "a\nb"), -EACCES);
}

/* Every operation with every length of arguments that is too short, and with bytes to spare. */
static void cut_and_padded_arguments_are_refused(void **state)
{
    static const struct {
        uint32_t opcode;
        size_t len;
    } ops[] = {
        { FUSE_GETATTR, sizeof(struct fuse_getattr_in) },
        { FUSE_SETATTR, sizeof(struct fuse_setattr_in) },
        { FUSE_OPEN, sizeof(struct fuse_open_in) },
        { FUSE_READ, sizeof(struct fuse_read_in) },
        { FUSE_WRITE, sizeof(struct fuse_write_in) },
        { FUSE_RELEASE, sizeof(struct fuse_release_in) },
        { FUSE_FSYNC, sizeof(struct fuse_fsync_in) },
        { FUSE_OPENDIR, sizeof(struct fuse_open_in) },
        { FUSE_READDIR, sizeof(struct fuse_read_in) },
        { FUSE_RELEASEDIR, sizeof(struct fuse_release_in) },
        { FUSE_FALLOCATE, sizeof(struct fuse_fallocate_in) },
        { FUSE_LSEEK, sizeof(struct fuse_lseek_in) },
        { FUSE_COPY_FILE_RANGE, sizeof(struct fuse_copy_file_range_in) },
    };
    uint8_t zeros[256] = { 0 };

    (void)state;
    for (size_t i = 0; i < array_len(ops); i++) {
        for (size_t n = 0; n < ops[i].len; n++)
            assert_int_equal(client_ask(&c, ops[i].opcode, CLIENT_ROOT, zeros, n), -EINVAL);
        assert_int_equal(client_ask(&c, ops[i].opcode, CLIENT_ROOT, zeros, ops[i].len + 1),
                         -EINVAL);
    }
    assert_int_equal(client_ask(&c, 9999, CLIENT_ROOT, zeros, 8), -ENOSYS);
    assert_int_equal(client_ask(&c, FUSE_INIT, 0, zeros, 15), -EINVAL);
    assert_int_equal(client_ask(&c, FUSE_INIT, 0, zeros, 64), -EPROTO); /* a second time */
}

static void nodes_and_handles_that_nobody_has_are_refused(void **state)
{
    uint64_t fh, node, other;

    (void)state;
    put("f", "x");
    put("g", "y");
    node = walk("f");
    other = walk("g");
    assert_int_equal(client_open(&c, 4711, O_RDONLY, &fh), -ENOENT);
    assert_int_equal(client_open(&c, UINT64_MAX, O_RDONLY, &fh), -ENOENT);
    assert_int_equal(client_open(&c, NODE_ROOT, O_RDONLY, &fh), -EISDIR);
    assert_int_equal(client_open(&c, node, O_RDONLY, &fh), 0);
    assert_int_equal(client_read(&c, other, fh, 0, 1), -EBADF);
    assert_int_equal(client_read(&c, node, fh + 1, 0, 1), -EBADF);
    assert_int_equal(client_read(&c, node, 0, 0, 1), -EBADF);
    assert_int_equal(client_write(&c, node, fh, 0, "z", 1), -EBADF);
    assert_int_equal(client_read(&c, node, fh, 0, 1), 1);
    assert_int_equal(client_name(&c, FUSE_LOOKUP, node, NULL, 0, "x", NULL), -ENOTDIR);
}

static void the_table_of_nodes_is_bounded_and_gives_back(void **state)
{
    char name[16];
    uint64_t first = 0, node;
    int err = 0, n = 0;

    (void)state;
    for (; n < 80 && !err; n++) {
        snprintf(name, sizeof(name), "f%d", n);
        put(name, "");
        node = client_walk(&c, name, &err);
        first = first ? first : node;
    }
    assert_int_equal(err, -ENFILE);
    assert_int_equal(n, 63); /* 64 with the two roots */

    const struct fuse_forget_in forget = { .nlookup = 1 };
    const struct fuse_forget_in much = { .nlookup = UINT64_MAX };

    (void)client_ask(&c, FUSE_FORGET, first, &forget, sizeof(forget));
    assert_int_equal(client_open(&c, first, O_RDONLY, &node), -ENOENT);
    assert_int_equal(client_walk(&c, "f79", &err), 0); /* not there: no node for it */
    assert_int_equal(err, -ENOENT);
    assert_int_equal(walk("f62"), first); /* used again … */
    assert_int_equal(c.s.nodes.v[first].generation, 1);
    (void)client_ask(&c, FUSE_FORGET, first, &much, sizeof(much));
    (void)client_ask(&c, FUSE_FORGET, first, &much, sizeof(much)); /* … and gone once only */
    (void)client_ask(&c, FUSE_FORGET, CLIENT_ROOT, &much, sizeof(much));
    (void)client_ask(&c, FUSE_FORGET, NODE_ROOT, &much, sizeof(much));
    assert_int_equal(c.s.nodes.live, 63);
    assert_int_equal(walk("f0"), first);
}

static void batch_forget_believes_no_count(void **state)
{
    struct {
        struct fuse_batch_forget_in in;
        struct fuse_forget_one one[2];
    } b = { .in = { .count = UINT32_MAX } };

    (void)state;
    put("a", "");
    put("b", "");
    b.one[0] = (struct fuse_forget_one){ walk("a"), 1 };
    b.one[1] = (struct fuse_forget_one){ walk("b"), 1 };
    (void)client_ask(&c, FUSE_BATCH_FORGET, 0, &b, sizeof(b));
    assert_int_equal(c.s.nodes.live, 2);
}

/* ---- at work ---- */

static void files_are_made_written_read_and_removed(void **state)
{
    uint64_t node, fh, dir;
    char name[64];
    FILE *f;

    (void)state;
    assert_int_equal(client_mkdir(&c, CLIENT_ROOT, "d"), 0);
    dir = walk("d");
    assert_int_equal(client_create(&c, dir, "f", O_RDWR, &node, &fh), 0);
    assert_int_equal(client_write(&c, node, fh, 0, "hello", 5), 5);
    assert_int_equal(client_read(&c, node, fh, 1, 100), 4);
    assert_memory_equal(c.data, "ello", 4);
    f = fopen(path_of("d/f"), "r");
    assert_non_null(fgets(name, sizeof(name), f));
    assert_string_equal(name, "hello");
    fclose(f);
    assert_int_equal(client_rename(&c, dir, "f", CLIENT_ROOT, "g"), 0);
    assert_true(there("g"));
    /* The node moved along; unlinked it is still open. */
    assert_int_equal(walk("g"), node);
    assert_int_equal(client_unlink(&c, CLIENT_ROOT, "g"), 0);
    assert_int_equal(client_read(&c, node, fh, 0, 5), 5);

    const struct fuse_getattr_in get = { 0 };

    assert_int_equal(client_ask(&c, FUSE_GETATTR, node, &get, sizeof(get)), 0);
    assert_int_equal(client_release(&c, node, fh), 0);
    assert_int_equal(client_ask(&c, FUSE_GETATTR, node, &get, sizeof(get)), -ESTALE);
    assert_int_equal(client_name(&c, FUSE_RMDIR, CLIENT_ROOT, NULL, 0, "d", NULL), 0);
    assert_int_equal(c.s.live[0].usage.inodes, 0);
    assert_int_equal(c.s.live[0].usage.bytes, 0);
}

/* What is there is good for a moment; what is not there, or may not be seen, is asked every time.
 */
static void names_and_attributes_are_good_for_a_moment(void **state)
{
    const struct fuse_getattr_in in = { 0 };
    struct fuse_entry_out entry;
    struct fuse_attr_out attr;
    uint64_t nodes[] = { NODE_ROOT, CLIENT_ROOT, 0 }, node, fh;

    (void)state;
    assert_int_equal(client_create(&c, CLIENT_ROOT, "f", O_RDWR, &node, &fh), 0);
    nodes[2] = node;
    assert_int_equal(client_name(&c, FUSE_LOOKUP, CLIENT_ROOT, NULL, 0, "f", NULL), 0);
    memcpy(&entry, c.data, sizeof(entry));
    assert_int_equal(entry.nodeid, node);
    assert_int_equal(entry.entry_valid + entry.attr_valid, 0);
    assert_int_equal(entry.entry_valid_nsec, FILES_VALID_NS);
    assert_int_equal(entry.attr_valid_nsec, FILES_VALID_NS);
    for (size_t i = 0; i < array_len(nodes); i++) {
        assert_int_equal(client_ask(&c, FUSE_GETATTR, nodes[i], &in, sizeof(in)), 0);
        memcpy(&attr, c.data, sizeof(attr));
        assert_int_equal(attr.attr_valid, 0);
        assert_int_equal(attr.attr_valid_nsec, FILES_VALID_NS);
    }
    put(".env", "secret");
    assert_int_equal(walk_fails("none"), -ENOENT); /* an error, not an entry that is none */
    assert_int_equal(walk_fails(".env"), -EACCES);
}

static void a_renamed_directory_takes_its_entries_along(void **state)
{
    uint64_t file, dir;

    (void)state;
    assert_int_equal(mkdir(path_of("a"), 0755) | mkdir(path_of("b"), 0755), 0);
    put("a/f", "x");
    dir = walk("a");
    file = walk("a/f");
    assert_int_equal(client_rename(&c, CLIENT_ROOT, "a", walk("b"), "c"), 0);
    assert_int_equal(walk("b/c"), dir);
    assert_int_equal(walk("b/c/f"), file);
    /* Exchanged, each has the other's name. */
    put("x", "x");
    put("y", "y");

    const uint64_t x = walk("x"), y = walk("y");
    const struct fuse_rename2_in in = { .newdir = CLIENT_ROOT, .flags = 2 };

    assert_int_equal(client_name(&c, FUSE_RENAME2, CLIENT_ROOT, &in, sizeof(in), "x", "y"), 0);
    assert_int_equal(walk("x"), y);
    assert_int_equal(walk("y"), x);
}

/* Whatever the host did to the tree, our names make no circle. */
static void names_that_the_host_turned_round_make_no_circle(void **state)
{
    uint64_t a, b;

    (void)state;
    assert_int_equal(mkdir(path_of("a"), 0755) | mkdir(path_of("a/b"), 0755), 0);
    a = walk("a");
    b = walk("a/b");
    assert_int_equal(rename(path_of("a/b"), path_of("b")), 0);
    assert_int_equal(rename(path_of("a"), path_of("b/a")), 0);
    assert_int_equal(mkdir(path_of("a"), 0755) | mkdir(path_of("a/b"), 0755), 0);
    assert_int_equal(client_rename(&c, CLIENT_ROOT, "a", b, "c"), -EINVAL); /* the host's own no */
    assert_int_equal(vnode_move(&c.s.nodes, (uint32_t)a, (uint32_t)b, "c"), 0);
    assert_true(vnode_get(&c.s.nodes, a)->gone);
}

struct listed {
    unsigned seen[80], dots, nodes;
    struct fuse_entry_out entry[80]; /* of the last listing with look-ups */
    uint64_t ino[80];
};

static void listed_one(struct listed *l, const struct fuse_dirent *d, const char *name,
                       const struct fuse_entry_out *entry)
{
    char copy[32];

    snprintf(copy, sizeof(copy), "%.*s", (int)d->namelen, name);
    if (entry->nodeid)
        l->nodes++;
    if (copy[0] == '.') {
        l->dots++;
        assert_int_equal(entry->nodeid, 0); /* a look-up that nobody would take back */
    } else if (strncmp(copy, "file-", 5) == 0) {
        const unsigned long i = strtoul(copy + 5, NULL, 10);

        assert_in_range(i, 0, array_len(l->seen) - 1);
        l->seen[i]++;
        l->entry[i] = *entry;
        l->ino[i] = d->ino;
    } else {
        fail_msg("%s is listed", copy);
    }
}

/* All of the root, by many calls. */
static struct listed list(uint32_t opcode)
{
    const size_t before = opcode == FUSE_READDIRPLUS ? sizeof(struct fuse_entry_out) : 0;
    const struct fuse_open_in open = { 0 };
    struct fuse_read_in in = { .size = 512 };
    struct fuse_open_out out;
    struct listed l = { 0 };

    assert_int_equal(client_ask(&c, FUSE_OPENDIR, CLIENT_ROOT, &open, sizeof(open)), 0);
    memcpy(&out, c.data, sizeof(out));
    in.fh = out.fh;
    for (;;) {
        assert_int_equal(client_ask(&c, opcode, CLIENT_ROOT, &in, sizeof(in)), 0);
        assert_true(c.len <= in.size);
        if (!c.len)
            break;
        for (size_t at = 0; at < c.len;) {
            struct fuse_entry_out entry = { 0 };
            struct fuse_dirent d;

            memcpy(&entry, c.data + at, before);
            memcpy(&d, c.data + at + before, FUSE_NAME_OFFSET);
            listed_one(&l, &d, (const char *)c.data + at + before + FUSE_NAME_OFFSET, &entry);
            at += before + FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + d.namelen);
            in.offset = d.off;
        }
    }
    return l;
}

static void put_many(int n)
{
    char name[16];

    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof(name), "file-%02d", i);
        put(name, "");
    }
}

static void listings_have_everything_once_and_nothing_denied(void **state)
{
    static const uint32_t opcodes[] = { FUSE_READDIR, FUSE_READDIRPLUS };
    struct fuse_entry_out entry;

    (void)state;
    put_many(40);
    put(".env", "secret");
    put("k.pem", "secret");
    for (size_t k = 0; k < array_len(opcodes); k++) {
        const struct listed l = list(opcodes[k]);

        assert_int_equal(l.dots, 2);
        assert_int_equal(l.nodes, k ? 40 : 0);
        for (int i = 0; i < 40; i++)
            assert_int_equal(l.seen[i], 1);
        assert_int_equal(client_name(&c, FUSE_LOOKUP, CLIENT_ROOT, NULL, 0, "file-07", NULL), 0);
        memcpy(&entry, c.data, sizeof(entry));
        assert_int_equal(entry.attr.ino, l.ino[7]);
        if (k)
            assert_memory_equal(&entry, &l.entry[7], sizeof(entry));
    }
    /* Each was looked up once, and file-07 three times. */
    const struct fuse_forget_in once = { .nlookup = 1 }, twice = { .nlookup = 2 };

    assert_int_equal(c.s.nodes.live, 42);
    (void)client_ask(&c, FUSE_FORGET, entry.nodeid, &twice, sizeof(twice));
    assert_int_equal(c.s.nodes.live, 42);
    (void)client_ask(&c, FUSE_FORGET, entry.nodeid, &once, sizeof(once));
    assert_int_equal(c.s.nodes.live, 41);
}

/* More than the table holds are listed, but not looked up. */
static void a_listing_is_no_way_to_more_nodes(void **state)
{
    struct listed l;

    (void)state;
    put_many(80);
    l = list(FUSE_READDIRPLUS);
    assert_int_equal(l.nodes, 62); /* 64 with the two roots */
    assert_int_equal(c.s.nodes.live, 64);
    for (int i = 0; i < 80; i++) {
        const struct fuse_forget_in forget = { .nlookup = 1 };

        assert_int_equal(l.seen[i], 1);
        (void)client_ask(&c, FUSE_FORGET, l.entry[i].nodeid, &forget, sizeof(forget));
    }
    assert_int_equal(c.s.nodes.live, 2);
}

/* What may not be read is not lost either, nor read under another name. */
static void f06_what_is_not_read_is_not_removed_or_moved(void **state)
{
    (void)state;
    put(".env", "secret");
    assert_true(client_unlink(&c, CLIENT_ROOT, ".env") < 0);
    assert_true(client_rename(&c, CLIENT_ROOT, ".env", CLIENT_ROOT, "plain") < 0);
    assert_int_equal(access(path_of(".env"), F_OK), 0);
}

/* ---- the cases ---- */

static void f01_links_are_data_and_are_never_followed(void **state)
{
    uint64_t node, fh;
    int err;

    (void)state;
    assert_int_equal(symlink("/etc/shadow", path_of("abs")), 0);
    assert_int_equal(symlink("../out", path_of("up")), 0);
    assert_int_equal(symlink("/proc/self/fd/0", path_of("magic")), 0);
    node = walk("abs");
    assert_int_equal(client_ask(&c, FUSE_READLINK, node, NULL, 0), 0);
    assert_memory_equal(c.data, "/etc/shadow", 11);
    assert_int_equal(client_open(&c, node, O_RDONLY, &fh), -EACCES);
    assert_int_equal(client_walk(&c, "up/x", &err), 0);
    assert_int_equal(err, -ENOTDIR);
    assert_int_equal(client_walk(&c, "magic/x", &err), 0);
    /* One that the guest makes may lead to where the rules say. */
    assert_int_equal(client_name(&c, FUSE_SYMLINK, CLIENT_ROOT, NULL, 0, "in", "f"), 0);
    assert_int_equal(client_name(&c, FUSE_SYMLINK, CLIENT_ROOT, NULL, 0, "out", "../x"), -EACCES);
    assert_int_equal(client_name(&c, FUSE_SYMLINK, CLIENT_ROOT, NULL, 0, "etc", "/etc"), -EACCES);
    assert_false(there("etc"));
}

/* A directory that the guest knows becomes a link, to what is outside. */
static void f02_a_directory_swapped_for_a_link_leads_nowhere(void **state)
{
    uint64_t dir, file, fh, node;

    (void)state;
    assert_int_equal(mkdir(path_of("d"), 0755), 0);
    put("d/f", "inside");
    dir = walk("d");
    file = walk("d/f");
    assert_int_equal(rename(path_of("d"), path_of("old")), 0);
    assert_int_equal(symlink("../out", path_of("d")), 0);
    put("../out/f", "outside");
    assert_int_equal(client_open(&c, file, O_RDWR, &fh), -ESTALE);
    assert_int_equal(client_name(&c, FUSE_LOOKUP, dir, NULL, 0, "f", NULL), -ESTALE);
    assert_int_equal(client_create(&c, dir, "new", O_RDWR, &node, &fh), -ESTALE);
    assert_int_equal(client_mkdir(&c, dir, "new"), -ESTALE);
    assert_int_equal(client_unlink(&c, dir, "f"), -ESTALE);
    assert_false(there("../out/new"));
    assert_true(there("../out/f"));
}

static void f03_special_files_and_bits_are_refused(void **state)
{
    const mode_t kinds[] = { S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK, S_IFLNK, S_IFDIR };
    struct fuse_setattr_in set = { .valid = FATTR_MODE, .mode = S_IFREG | 04755 };
    struct fuse_attr_out attr;
    const struct fuse_getattr_in get = { 0 };
    uint64_t node, fh;

    (void)state;
    for (size_t i = 0; i < array_len(kinds); i++) {
        const struct fuse_mknod_in in = { .mode = kinds[i] | 0644, .rdev = 0x103 };

        assert_int_equal(client_name(&c, FUSE_MKNOD, CLIENT_ROOT, &in, sizeof(in), "n", NULL),
                         -EPERM);
    }
    assert_false(there("n"));
    put("f", "x");
    node = walk("f");
    assert_int_equal(client_ask(&c, FUSE_SETATTR, node, &set, sizeof(set)), -EPERM);
    assert_int_equal(chmod(path_of("f"), 06755), 0);
    assert_int_equal(client_ask(&c, FUSE_GETATTR, node, &get, sizeof(get)), 0);
    memcpy(&attr, c.data, sizeof(attr));
    assert_int_equal(attr.attr.mode, S_IFREG | 0755);
    assert_int_equal(attr.attr.uid, 1000);
    set = (struct fuse_setattr_in){ .valid = FATTR_UID, .uid = 0 };
    assert_int_equal(client_ask(&c, FUSE_SETATTR, node, &set, sizeof(set)), -EPERM);
    /* One that is there is seen, and not opened. */
    assert_int_equal(mkfifo(path_of("p"), 0644), 0);
    assert_int_equal(client_open(&c, walk("p"), O_RDONLY, &fh), -EACCES);
    /* Hard links are denied unless granted; extended attributes do not exist. */
    const struct fuse_link_in link = { .oldnodeid = node };

    assert_int_equal(client_name(&c, FUSE_LINK, CLIENT_ROOT, &link, sizeof(link), "l", NULL),
                     -EACCES);
    assert_int_equal(client_ask(&c, FUSE_SETXATTR, node, "xxxxxxxxsecurity.x\0y", 20), -ENOSYS);
}

static void f04_protected_paths_are_denied_before_they_exist(void **state)
{
    uint64_t node, fh, git, hooks;

    (void)state;
    assert_int_equal(client_mkdir(&c, CLIENT_ROOT, ".git"), 0);
    git = walk(".git");
    assert_int_equal(client_mkdir(&c, git, "hooks"), -EACCES);
    assert_int_equal(client_create(&c, git, "hooks", O_RDWR, &node, &fh), -EACCES);
    assert_int_equal(client_create(&c, git, "HEAD", O_RDWR, &node, &fh), 0);
    assert_int_equal(mkdir(path_of(".git/hooks"), 0755), 0); /* git init on the host */
    hooks = walk(".git/hooks");
    assert_int_equal(client_create(&c, hooks, "x", O_RDWR, &node, &fh), -EACCES);
    assert_int_equal(client_mkdir(&c, hooks, "x"), -EACCES);
    assert_int_equal(rmdir(path_of(".git/hooks")), 0);
    /* By the rename of a parent. */
    assert_int_equal(client_mkdir(&c, CLIENT_ROOT, "g"), 0);
    assert_int_equal(client_mkdir(&c, walk("g"), "hooks"), 0);
    assert_int_equal(client_create(&c, walk("g/hooks"), "x", O_RDWR, &node, &fh), 0);
    assert_int_equal(client_rename(&c, walk("g"), "hooks", git, "hooks"), -EACCES);
    assert_int_equal(client_mkdir(&c, CLIENT_ROOT, "sub"), 0);
    assert_int_equal(client_rename(&c, CLIENT_ROOT, "g", walk("sub"), ".git"), -EACCES);
    assert_true(there("g/hooks/x"));
    /* And by a file or link that stands for the directory: gitdir: ./evil */
    assert_int_equal(client_create(&c, walk("sub"), ".git", O_RDWR, &node, &fh), -EACCES);
    assert_int_equal(client_name(&c, FUSE_SYMLINK, walk("sub"), NULL, 0, ".git", "../g"), -EACCES);
    put("pointer", "gitdir: ./evil\n");
    (void)walk("pointer");
    assert_int_equal(client_rename(&c, CLIENT_ROOT, "pointer", walk("sub"), ".git"), -EACCES);
    assert_int_equal(client_mkdir(&c, walk("sub"), ".git"), 0);
    /* What is there may be read, and not written, moved or removed. */
    put("locked", "x");
    node = walk("locked");
    assert_int_equal(client_open(&c, node, O_RDONLY, &fh), 0);
    assert_int_equal(client_open(&c, node, O_WRONLY, &fh), -EACCES);
    assert_int_equal(client_open(&c, node, O_RDONLY | O_TRUNC, &fh), -EACCES);
    assert_int_equal(client_unlink(&c, CLIENT_ROOT, "locked"), -EACCES);
    assert_int_equal(client_rename(&c, CLIENT_ROOT, "locked", CLIENT_ROOT, "free"), -EACCES);
    assert_int_equal(client_rename(&c, CLIENT_ROOT, "pointer", CLIENT_ROOT, "locked"), -EACCES);

    const struct fuse_setattr_in cut = { .valid = FATTR_SIZE };

    assert_int_equal(client_ask(&c, FUSE_SETATTR, node, &cut, sizeof(cut)), -EACCES);
}

static void f06_what_may_not_be_read_is_not_seen(void **state)
{
    struct files_report r;
    uint64_t node, fh;
    ssize_t n;

    (void)state;
    put(".env", "secret");
    assert_int_equal(walk_fails(".env"), -EACCES);
    assert_int_equal(client_create(&c, CLIENT_ROOT, ".env", O_RDWR, &node, &fh), -EACCES);
    assert_int_equal(client_rename(&c, CLIENT_ROOT, ".env", CLIENT_ROOT, "open"), -EACCES);
    assert_false(there("open"));
    /* The keeper hears of each. */
    n = recv(c.reports[1], &r, sizeof(r), MSG_DONTWAIT);
    assert_true(n > (ssize_t)offsetof(struct files_report, path));
    assert_int_equal(r.magic, FILES_REPORT_MAGIC);
    assert_int_equal(r.op, FILE_READ);
    assert_string_equal(r.path, "/w/.env");
}

/* A log is not for a guest to fill: so many at once, the rest as a number. */
static void reports_are_limited_and_counted(void **state)
{
    struct files_report r;
    unsigned told = 0;

    (void)state;
    for (unsigned i = 0; i < 10 * FILES_REPORTS_BURST; i++)
        assert_int_equal(walk_fails(".env"), -EACCES);
    while (recv(c.reports[1], &r, sizeof(r), MSG_DONTWAIT) > 0)
        told++;
    assert_in_range(told, FILES_REPORTS_BURST / 4, 2 * FILES_REPORTS_BURST);
    assert_true(told + c.s.reporter.withheld >= 9 * FILES_REPORTS_BURST);
}

static void f07_a_quota_is_for_what_was_added(void **state)
{
    static uint8_t block[128 << 10];
    uint64_t node, fh, second;
    int err = 0, n = 0;
    char name[16];

    (void)state;
    assert_int_equal(client_create(&c, CLIENT_ROOT, "big", O_RDWR, &node, &fh), 0);
    for (; n < 20 && err >= 0; n++)
        err = client_write(&c, node, fh, (uint64_t)n * sizeof(block), block, sizeof(block));
    assert_int_equal(err, -EDQUOT);
    assert_int_equal(n, 9); /* eight were written: 1 MiB */
    /* Nor by a length, a hole, or room beyond the end. */
    const struct fuse_setattr_in longer = { .valid = FATTR_SIZE, .size = 2 << 20 };
    struct fuse_fallocate_in room = { .fh = fh, .offset = 1 << 20, .length = 1 };

    assert_int_equal(client_ask(&c, FUSE_SETATTR, node, &longer, sizeof(longer)), -EDQUOT);
    assert_int_equal(client_ask(&c, FUSE_FALLOCATE, node, &room, sizeof(room)), -EDQUOT);
    room.mode = 1; /* KEEP_SIZE */
    assert_int_equal(client_ask(&c, FUSE_FALLOCATE, node, &room, sizeof(room)), -EOPNOTSUPP);
    assert_int_equal(client_write(&c, node, fh, 0, block, 10), 10); /* what is there may change */
    /* Unlinked it still takes room, until it is closed. */
    assert_int_equal(client_unlink(&c, CLIENT_ROOT, "big"), 0);
    assert_int_equal(client_create(&c, CLIENT_ROOT, "more", O_RDWR, &second, &fh), 0);
    assert_int_equal(client_write(&c, second, fh, 0, block, 1), -EDQUOT);
    assert_int_equal(client_release(&c, node, 1), 0);
    assert_int_equal(client_write(&c, second, fh, 0, block, 1), 1);
    for (err = 0, n = 0; n < 20 && !err; n++) {
        snprintf(name, sizeof(name), "d%d", n);
        err = client_mkdir(&c, CLIENT_ROOT, name);
    }
    assert_int_equal(err, -EDQUOT);
    assert_int_equal(n, 8); /* "more" and seven directories */
    assert_false(there("d7"));
}

/* A file of the host's, removed, is no credit: the count stays at 0. */
static void f07_what_was_there_is_no_credit(void **state)
{
    static uint8_t block[64 << 10];
    uint64_t node, fh;

    (void)state;
    put("old", "0123456789");
    (void)walk("old");
    assert_int_equal(client_unlink(&c, CLIENT_ROOT, "old"), 0);
    assert_int_equal(c.s.live[0].usage.bytes, 0);
    assert_int_equal(client_create(&c, CLIENT_ROOT, "f", O_RDWR, &node, &fh), 0);
    assert_int_equal(client_write(&c, node, fh, 0, block, sizeof(block)), sizeof(block));
    assert_int_equal(c.s.live[0].usage.bytes, sizeof(block));
    assert_int_equal(client_rename(&c, CLIENT_ROOT, "f", CLIENT_ROOT, "g"), 0);
    assert_int_equal(c.s.live[0].usage.bytes, sizeof(block));
    put("f", "1"); /* replaced by the guest's: its byte is no credit for … */
    (void)walk("f");
    assert_int_equal(client_rename(&c, CLIENT_ROOT, "f", CLIENT_ROOT, "g"), 0);
    assert_int_equal(c.s.live[0].usage.bytes, sizeof(block)); /* … and g is open */
    assert_int_equal(client_release(&c, node, fh), 0);
    assert_int_equal(c.s.live[0].usage.bytes, 0);
}

static void f08_a_file_that_became_shorter_is_a_short_read(void **state)
{
    uint64_t node, fh;

    (void)state;
    put("f", "0123456789");
    node = walk("f");
    assert_int_equal(client_open(&c, node, O_RDONLY, &fh), 0);
    assert_int_equal(truncate(path_of("f"), 3), 0);
    assert_int_equal(client_read(&c, node, fh, 0, 10), 3);
    assert_int_equal(client_read(&c, node, fh, 5, 10), 0);
}

/* Another file under a name is another node: its bytes are not mistaken for the first one's. */
static void a_replaced_file_is_another_node(void **state)
{
    uint64_t node;

    (void)state;
    put("f", "1");
    put("g", "2");
    node = walk("f");
    assert_int_equal(rename(path_of("g"), path_of("f")), 0);
    assert_int_not_equal(walk("f"), node);
    assert_true(vnode_get(&c.s.nodes, node)->gone);
}

static int start_links(void **state)
{
    (void)state;
    client_init(&c, "access: rw, links: {hardlink: allow}, deny_write: [locked]", 64);
    return 0;
}

/* A file with two names takes its room until both are gone; and no second name lets anybody write
 * what the first does not. */
static void f03_hard_links_where_granted(void **state)
{
    struct fuse_link_in link = { 0 };
    uint64_t node, fh;

    (void)state;
    assert_int_equal(client_create(&c, CLIENT_ROOT, "a", O_RDWR, &node, &fh), 0);
    assert_int_equal(client_write(&c, node, fh, 0, "hello", 5), 5);
    assert_int_equal(client_release(&c, node, fh), 0);
    link.oldnodeid = node;
    assert_int_equal(client_name(&c, FUSE_LINK, CLIENT_ROOT, &link, sizeof(link), "b", NULL), 0);
    assert_int_equal(client_unlink(&c, CLIENT_ROOT, "a"), 0);
    assert_int_equal(c.s.live[0].usage.bytes, 5);
    assert_int_equal(client_unlink(&c, CLIENT_ROOT, "b"), 0);
    assert_int_equal(c.s.live[0].usage.bytes, 0);
    put("locked", "x");
    link.oldnodeid = walk("locked");
    assert_int_equal(client_name(&c, FUSE_LINK, CLIENT_ROOT, &link, sizeof(link), "c", NULL),
                     -EACCES);
    assert_false(there("c"));
}

static int start_ro(void **state)
{
    (void)state;
    client_init(&c, "access: ro", 64);
    return 0;
}

static void a_read_only_mount_changes_nothing(void **state)
{
    const struct fuse_setattr_in set = { .valid = FATTR_MODE, .mode = 0600 };
    const struct fuse_link_in link = { .oldnodeid = CLIENT_ROOT };
    uint64_t node, fh;

    (void)state;
    put("f", "x");
    node = walk("f");
    assert_int_equal(client_open(&c, node, O_RDONLY, &fh), 0);
    assert_int_equal(client_open(&c, node, O_RDWR, &fh), -EROFS);
    assert_int_equal(client_open(&c, node, O_TRUNC, &fh), -EROFS);
    assert_int_equal(client_mkdir(&c, CLIENT_ROOT, "d"), -EACCES);
    assert_int_equal(client_create(&c, CLIENT_ROOT, "g", O_RDWR, &node, &fh), -EACCES);
    assert_int_equal(client_unlink(&c, CLIENT_ROOT, "f"), -EROFS);
    assert_int_equal(client_rename(&c, CLIENT_ROOT, "f", CLIENT_ROOT, "g"), -EROFS);
    assert_int_equal(client_ask(&c, FUSE_SETATTR, walk("f"), &set, sizeof(set)), -EROFS);
    assert_int_equal(client_name(&c, FUSE_LINK, CLIENT_ROOT, &link, sizeof(link), "l", NULL),
                     -EROFS);
    assert_true(there("f"));
    assert_false(there("d"));
}

int main(void)
{
#define WITH(t)    cmocka_unit_test_setup_teardown(t, start, stop)
#define WITH_RO(t) cmocka_unit_test_setup_teardown(t, start_ro, stop)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_is_told_from_arguments),
        WITH(names_that_are_none_are_refused),
        WITH(cut_and_padded_arguments_are_refused),
        WITH(nodes_and_handles_that_nobody_has_are_refused),
        WITH(the_table_of_nodes_is_bounded_and_gives_back),
        WITH(batch_forget_believes_no_count),
        WITH(files_are_made_written_read_and_removed),
        WITH(names_and_attributes_are_good_for_a_moment),
        WITH(a_renamed_directory_takes_its_entries_along),
        WITH(names_that_the_host_turned_round_make_no_circle),
        WITH(listings_have_everything_once_and_nothing_denied),
        WITH(a_listing_is_no_way_to_more_nodes),
        WITH(f01_links_are_data_and_are_never_followed),
        WITH(f02_a_directory_swapped_for_a_link_leads_nowhere),
        WITH(f03_special_files_and_bits_are_refused),
        WITH(f04_protected_paths_are_denied_before_they_exist),
        WITH(f06_what_may_not_be_read_is_not_seen),
        WITH(f06_what_is_not_read_is_not_removed_or_moved),
        WITH(reports_are_limited_and_counted),
        WITH(f07_a_quota_is_for_what_was_added),
        WITH(f07_what_was_there_is_no_credit),
        WITH(f08_a_file_that_became_shorter_is_a_short_read),
        WITH(a_replaced_file_is_another_node),
        cmocka_unit_test_setup_teardown(f03_hard_links_where_granted, start_links, stop),
        WITH_RO(a_read_only_mount_changes_nothing),
    };

    return cmocka_run_group_tests_name("files", tests, NULL, NULL);
}
