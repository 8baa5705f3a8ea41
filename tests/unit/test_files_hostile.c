/* carrel-files against a guest's kernel that lies, and a host that changes the tree meanwhile: what
 * holds together only as long as nobody means harm (F01, F04, F06, F07). */
#include "tests/unit/files_client.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define RW                                                                                     \
    "access: rw, deny_read: ['**/.env'], deny_write: ['**/.git/hooks/**'], links: {hardlink: " \
    "allow}, quota: {bytes: 1MiB, inodes: 8}"

static struct client c;

/* What a fallocate that fails has added before; -1: it is the kernel's own. */
static off_t gets_before_it_fails = -1;

int fallocate(int fd, int mode, off_t offset, off_t len)
{
    struct stat st;

    if (gets_before_it_fails < 0)
        return (int)syscall(SYS_fallocate, fd, mode, offset, len);
    if (!fstat(fd, &st) && !ftruncate(fd, st.st_size + gets_before_it_fails))
        errno = ENOSPC;
    return -1;
}

static const char *path_of(const char *path)
{
    static char full[4][256];
    static int at;

    at = (at + 1) % 4;
    snprintf(full[at], sizeof(full[at]), "%s/%s", c.dir, path);
    return full[at];
}

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path_of(path), "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static uint64_t walk(const char *path)
{
    int err;
    uint64_t node = client_walk(&c, path, &err);

    assert_int_equal(err, 0);
    return node;
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

static int rename2(uint64_t from_dir, const char *from, uint64_t to_dir, const char *to,
                   uint32_t flags)
{
    const struct fuse_rename2_in in = { .newdir = to_dir, .flags = flags };

    return client_name(&c, FUSE_RENAME2, from_dir, &in, sizeof(in), from, to);
}

static void forget(uint64_t node, uint64_t n)
{
    const struct fuse_forget_in in = { .nlookup = n };

    assert_int_equal(client_ask(&c, FUSE_FORGET, node, &in, sizeof(in)), 0);
}

static int symlink_at(uint64_t dir, const char *name, const char *text)
{
    return client_name(&c, FUSE_SYMLINK, dir, NULL, 0, name, text);
}

/* Only its entry holds the directory, and an exchange takes that away before it brings another. */
static void an_exchange_out_of_a_forgotten_directory_keeps_it(void **state)
{
    uint64_t dir, other, moved;
    char path[PATH_MAX];

    (void)state;
    assert_int_equal(mkdir(path_of("d"), 0755), 0);
    put("d/f", "1");
    put("g", "2");
    dir = walk("d");
    moved = walk("d/f"); /* d is looked up a second time */
    other = walk("g");
    forget(dir, 2);
    assert_int_equal(rename2(dir, "f", CLIENT_ROOT, "g", RENAME_EXCHANGE), 0);
    assert_true(c.s.nodes.v[dir].used);
    assert_int_equal(vnode_path(&c.s.nodes, (uint32_t)other, path), 0);
    assert_string_equal(path, "d/f");
    assert_int_equal(vnode_path(&c.s.nodes, (uint32_t)moved, path), 0);
    assert_string_equal(path, "g");
    forget(other, 1);
    forget(moved, 1);
    assert_int_equal(c.s.nodes.live, 2);
}

/* A worktree's .git is a file, and git believes its gitdir line. */
static void f04_a_file_that_stands_for_a_directory_is_not_written(void **state)
{
    const struct fuse_setattr_in cut = { .valid = FATTR_SIZE };
    uint64_t node, fh;

    (void)state;
    put(".git", "gitdir: /repo/.git/worktrees/w\n");
    node = walk(".git");
    assert_int_equal(client_open(&c, node, O_RDONLY, &fh), 0);
    assert_int_equal(client_open(&c, node, O_WRONLY, &fh), -EACCES);
    assert_int_equal(client_open(&c, node, O_RDONLY | O_TRUNC, &fh), -EACCES);
    assert_int_equal(client_create(&c, CLIENT_ROOT, ".git", O_RDWR | O_TRUNC, &node, &fh), -EACCES);
    assert_int_equal(client_ask(&c, FUSE_SETATTR, node, &cut, sizeof(cut)), -EACCES);
}

/* The same answer, whether it is there or not. */
static void f06_what_may_not_be_read_is_not_told_to_exist(void **state)
{
    (void)state;
    for (int there = 0; there < 2; there++) {
        if (there)
            put(".env", "secret");
        assert_int_equal(client_rename(&c, CLIENT_ROOT, ".env", CLIENT_ROOT, "x"), -EACCES);
        assert_int_equal(rename2(CLIENT_ROOT, ".env", CLIENT_ROOT, "x", RENAME_EXCHANGE), -EACCES);
        assert_int_equal(client_mkdir(&c, CLIENT_ROOT, ".env"), -EACCES);
    }
}

/* An entry of a directory is room on the host, too: of one file there could be any number. */
static void f07_each_name_of_a_file_is_charged(void **state)
{
    struct fuse_link_in in = { 0 };
    uint64_t node, fh;
    char name[16];
    int err = 0, n = 0;

    (void)state;
    assert_int_equal(client_create(&c, CLIENT_ROOT, "f", O_RDWR, &node, &fh), 0);
    in.oldnodeid = node;
    for (; n < 20 && !err; n++) {
        snprintf(name, sizeof(name), "l%d", n);
        err = client_name(&c, FUSE_LINK, CLIENT_ROOT, &in, sizeof(in), name, NULL);
    }
    assert_int_equal(err, -EDQUOT);
    assert_int_equal(n, 8); /* seven beside the file */
    assert_int_equal(client_unlink(&c, CLIENT_ROOT, "l0"), 0);
    assert_int_equal(client_name(&c, FUSE_LINK, CLIENT_ROOT, &in, sizeof(in), "l0", NULL), 0);
    assert_int_equal(client_rename(&c, CLIENT_ROOT, "l1", CLIENT_ROOT, "l2"), 0); /* no-op */
    assert_int_equal(c.s.live[0].usage.inodes, 8);
    assert_int_equal(client_unlink(&c, CLIENT_ROOT, "f"), 0);
    for (n = 0; n < 7; n++) {
        snprintf(name, sizeof(name), "l%d", n);
        assert_int_equal(client_unlink(&c, CLIENT_ROOT, name), 0);
    }
    assert_int_equal(client_release(&c, node, fh), 0);
    assert_int_equal(c.s.live[0].usage.inodes, 0);
}

/* What did not happen is not charged either. */
static void f07_a_write_that_changed_nothing_is_free(void **state)
{
    struct fuse_copy_file_range_in copy = { .len = 4096, .off_out = 1 << 18 };
    uint64_t node, fh;

    (void)state;
    assert_int_equal(client_create(&c, CLIENT_ROOT, "f", O_RDWR, &node, &fh), 0);
    assert_int_equal(client_write(&c, node, fh, 1 << 18, "", 0), 0);
    assert_int_equal(c.s.live[0].usage.bytes, 0);
    put("empty", "");
    copy.nodeid_out = node;
    copy.fh_out = fh;
    node = walk("empty");
    assert_int_equal(client_open(&c, node, O_RDONLY, &copy.fh_in), 0);
    assert_int_equal(client_ask(&c, FUSE_COPY_FILE_RANGE, node, &copy, sizeof(copy)), 0);
    assert_int_equal(c.s.live[0].usage.bytes, 0);
}

/* A link that leads inside from where it is made leads elsewhere from another place. */
static void f01_a_link_inside_does_not_become_one_to_outside(void **state)
{
    struct fuse_link_in in = { 0 };

    (void)state;
    /* By another link that the text goes through: "here/.." is the root's parent. */
    assert_int_equal(symlink_at(CLIENT_ROOT, "here", "."), 0);
    assert_int_equal(symlink_at(CLIENT_ROOT, "up", "here/../x"), -EACCES);
    /* By the host's root, which has another directory of that name, or none. */
    assert_int_equal(symlink_at(CLIENT_ROOT, "abs", "/w/x"), -EACCES);
    /* By its own move, with one name or two. */
    assert_int_equal(client_mkdir(&c, CLIENT_ROOT, "d"), 0);
    assert_int_equal(symlink_at(walk("d"), "l", "../x"), 0);
    assert_int_equal(client_rename(&c, walk("d"), "l", CLIENT_ROOT, "l"), -EACCES);
    in.oldnodeid = walk("d/l");
    assert_int_equal(client_name(&c, FUSE_LINK, CLIENT_ROOT, &in, sizeof(in), "l", NULL), -EACCES);
    assert_int_equal(client_rename(&c, walk("d"), "l", walk("d"), "m"), 0);
    /* By the move of a directory that it is in. */
    assert_int_equal(client_mkdir(&c, walk("d"), "e"), 0);
    assert_int_equal(symlink_at(walk("d/e"), "l", "../../x"), 0);
    assert_int_equal(client_rename(&c, walk("d"), "e", CLIENT_ROOT, "e"), -EXDEV);
    assert_int_equal(client_rename(&c, walk("d"), "e", walk("d"), "k"), 0);
}

/* A disk that is full after the half of it: what the file got is charged. */
static void f07_room_that_was_had_in_part_is_charged(void **state)
{
    struct fuse_fallocate_in room = { .length = 1000 };
    uint64_t node;

    (void)state;
    assert_int_equal(client_create(&c, CLIENT_ROOT, "f", O_RDWR, &node, &room.fh), 0);
    for (off_t got = 0; got <= 600; got += 600) {
        gets_before_it_fails = got;
        assert_int_equal(client_ask(&c, FUSE_FALLOCATE, node, &room, sizeof(room)), -ENOSPC);
        assert_int_equal(c.s.live[0].usage.bytes, got);
    }
    room.mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    gets_before_it_fails = 0;
    assert_int_equal(client_ask(&c, FUSE_FALLOCATE, node, &room, sizeof(room)), -ENOSPC);
    assert_int_equal(c.s.live[0].usage.bytes, 600);
    gets_before_it_fails = -1;
    room.mode = 0;
    assert_int_equal(client_ask(&c, FUSE_FALLOCATE, node, &room, sizeof(room)), 0);
    assert_int_equal(c.s.live[0].usage.bytes, 1000);
}

int main(void)
{
#define WITH(t) cmocka_unit_test_setup_teardown(t, start, stop)
    const struct CMUnitTest tests[] = {
        WITH(an_exchange_out_of_a_forgotten_directory_keeps_it),
        WITH(f01_a_link_inside_does_not_become_one_to_outside),
        WITH(f04_a_file_that_stands_for_a_directory_is_not_written),
        WITH(f06_what_may_not_be_read_is_not_told_to_exist),
        WITH(f07_each_name_of_a_file_is_charged),
        WITH(f07_room_that_was_had_in_part_is_charged),
        WITH(f07_a_write_that_changed_nothing_is_free),
    };

    return cmocka_run_group_tests_name("files_hostile", tests, NULL, NULL);
}
