/* carrel-files and files without a name: O_TMPFILE, and linkat(2) of one. */
#include "tests/unit/files_client.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define RW                                                                                        \
    "access: rw, deny_read: ['**/.env', 'private/*'], deny_write: ['**/.git/hooks/**', locked], " \
    "links: {hardlink: %s}, quota: {bytes: 1MiB, inodes: 4}"

static struct client c;

static int begin(const char *links)
{
    char rules[256];

    snprintf(rules, sizeof(rules), RW, links);
    client_init(&c, rules, 16);
    return 0;
}

static int start(void **state)
{
    (void)state;
    return begin("deny");
}

static int start_links(void **state)
{
    (void)state;
    return begin("allow");
}

static int start_ro(void **state)
{
    (void)state;
    client_init(&c, "access: ro", 16);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    client_fini(&c);
    return 0;
}

static char *path_of(const char *path)
{
    static char full[256];

    snprintf(full, sizeof(full), "%s/%s", c.dir, path);
    return full;
}

static bool holds(const char *path, const char *text)
{
    char got[64] = "";
    FILE *f = fopen(path_of(path), "r");
    bool same;

    if (!f)
        return false;
    same = fgets(got, sizeof(got), f) && strcmp(got, text) == 0;
    fclose(f);
    return same;
}

static unsigned entries(const char *path)
{
    DIR *d = opendir(path_of(path));
    unsigned n = 0;

    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

static void used(uint64_t bytes, uint64_t inodes)
{
    assert_int_equal(c.s.live[0].usage.bytes, bytes);
    assert_int_equal(c.s.live[0].usage.inodes, inodes);
}

static void forget(uint64_t node)
{
    const struct fuse_forget_in in = { .nlookup = UINT64_MAX };

    (void)client_ask(&c, FUSE_FORGET, node, &in, sizeof(in));
}

/* One with these five bytes in it. */
static uint64_t hello(uint32_t flags, uint64_t *fh)
{
    uint64_t node;

    assert_int_equal(client_nameless(&c, CLIENT_ROOT, flags, &node, fh), 0);
    assert_int_equal(client_write(&c, node, *fh, 0, "hello", 5), 5);
    return node;
}

static void it_is_charged_while_it_lives(void **state)
{
    const struct fuse_getattr_in get = { 0 };
    const struct fuse_setattr_in cut = { .valid = FATTR_SIZE, .size = 2 };
    struct fuse_attr_out attr;
    uint64_t fh, node = hello(O_RDWR, &fh), other;

    (void)state;
    assert_int_equal(entries(""), 0);
    used(5, 1);
    assert_int_equal(client_read(&c, node, fh, 0, 16), 5);
    assert_memory_equal(c.data, "hello", 5);
    assert_int_equal(client_ask(&c, FUSE_SETATTR, node, &cut, sizeof(cut)), 0);
    assert_int_equal(client_ask(&c, FUSE_GETATTR, node, &get, sizeof(get)), 0);
    memcpy(&attr, c.data, sizeof(attr));
    assert_int_equal(attr.attr.nlink, 0);
    assert_int_equal(attr.attr.size, 2);
    assert_int_equal(attr.attr.mode, S_IFREG | 0644);
    used(2, 1);
    assert_int_equal(client_open(&c, node, O_RDONLY, &other), -ESTALE);
    assert_int_equal(client_release(&c, node, fh), 0);
    used(0, 0);
    forget(node);
    assert_int_equal(client_ask(&c, FUSE_GETATTR, node, &get, sizeof(get)), -ENOENT);
}

static void a_session_that_ends_gives_back(void **state)
{
    uint64_t fh;

    (void)state;
    (void)hello(O_RDWR, &fh);
    (void)hello(O_WRONLY, &fh);
    used(10, 2);
    assert_int_equal(client_ask(&c, FUSE_DESTROY, 0, NULL, 0), 0);
    used(0, 0);
    assert_int_equal(c.s.handles.used, 0);
}

static void there_are_no_more_than_the_tables_hold(void **state)
{
    const struct fuse_create_in in = { .flags = O_RDWR | O_TMPFILE, .mode = S_IFREG | 0644 };
    uint64_t node, fh, v[2][4];

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(client_nameless(&c, CLIENT_ROOT, O_RDWR, &v[0][i], &v[1][i]), 0);
    assert_int_equal(client_nameless(&c, CLIENT_ROOT, O_RDWR, &node, &fh), -EDQUOT);
    for (int i = 0; i < 4; i++)
        assert_int_equal(client_release(&c, v[0][i], v[1][i]), 0);
    for (int i = 4; i < 16 - 2; i++) { /* released, but not forgotten */
        assert_int_equal(client_nameless(&c, CLIENT_ROOT, O_RDWR, &node, &fh), 0);
        assert_int_equal(client_release(&c, node, fh), 0);
    }
    forget(v[0][1]);
    assert_int_equal(client_nameless(&c, CLIENT_ROOT, O_RDWR, &node, &fh), 0);
    assert_int_equal(client_nameless(&c, CLIENT_ROOT, O_RDWR, &node, &fh), -ENFILE);
    used(0, 1);
    assert_int_equal(c.s.handles.used, 1);
    /* No name, and more than one. */
    assert_int_equal(client_ask(&c, FUSE_TMPFILE, CLIENT_ROOT, &in, sizeof(in)), -EINVAL);
    assert_int_equal(client_name(&c, FUSE_TMPFILE, CLIENT_ROOT, &in, sizeof(in), "/", "/"),
                     -EINVAL);
    assert_int_equal(client_name(&c, FUSE_TMPFILE, node, &in, sizeof(in), "/", NULL), -ENOTDIR);
    assert_int_equal(client_name(&c, FUSE_TMPFILE, NODE_ROOT, &in, sizeof(in), "/", NULL), -EACCES);
}

/* It stays the node that it was: what the guest has cached of it is still of this file. */
static void it_gets_a_name(void **state)
{
    struct fuse_entry_out entry;
    uint64_t fh, node = hello(O_RDWR, &fh);
    int err;

    (void)state;
    assert_int_equal(client_mkdir(&c, CLIENT_ROOT, "d"), 0);
    assert_int_equal(client_link(&c, node, client_walk(&c, "d", &err), "f"), 0);
    memcpy(&entry, c.data, sizeof(entry));
    assert_int_equal(entry.nodeid, node);
    assert_int_equal(entry.attr.nlink, 1);
    assert_int_equal(client_walk(&c, "d/f", &err), node);
    assert_true(holds("d/f", "hello"));
    used(5, 2);
    assert_int_equal(client_write(&c, node, fh, 5, "!", 1), 1);
    assert_true(holds("d/f", "hello!"));
    assert_int_equal(client_release(&c, node, fh), 0);
    used(6, 2);
    assert_int_equal(client_link(&c, node, CLIENT_ROOT, "second"), -EACCES); /* links.hardlink */
    assert_int_equal(client_unlink(&c, client_walk(&c, "d", &err), "f"), 0);
    used(0, 1);
}

static void a_name_that_is_taken_is_not_replaced(void **state)
{
    uint64_t fh, node = hello(O_RDWR, &fh), other, other_fh;

    (void)state;
    assert_int_equal(client_create(&c, CLIENT_ROOT, "f", O_RDWR, &other, &other_fh), 0);
    assert_int_equal(client_link(&c, node, CLIENT_ROOT, "f"), -EEXIST);
    assert_int_equal(client_link(&c, node, CLIENT_ROOT, "g"), 0);
    assert_int_equal(client_unlink(&c, CLIENT_ROOT, "g"), 0); /* while it is open */
    used(5, 2);
    assert_int_equal(client_link(&c, node, CLIENT_ROOT, "h"), -ENOENT); /* for good */
    assert_int_equal(client_release(&c, node, fh), 0);
    used(0, 1);
}

static void f04_its_name_is_judged(void **state)
{
    uint64_t fh, node = hello(O_RDWR, &fh), hooks, other;
    int err;

    (void)state;
    assert_int_equal(mkdir(path_of(".git"), 0755), 0);
    assert_int_equal(mkdir(path_of(".git/hooks"), 0755), 0);
    hooks = client_walk(&c, ".git/hooks", &err);
    assert_int_equal(client_nameless(&c, hooks, O_RDWR, &other, &fh), -EACCES);
    assert_int_equal(client_link(&c, node, hooks, "pre-commit"), -EACCES);
    assert_int_equal(client_link(&c, node, CLIENT_ROOT, "locked"), -EACCES);
    assert_int_equal(client_link(&c, node, CLIENT_ROOT, ".env"), -EACCES);
    assert_int_equal(rmdir(path_of(".git/hooks")), 0); /* a file in its place */
    assert_int_equal(client_link(&c, node, client_walk(&c, ".git", &err), "hooks"), -EACCES);
    assert_int_equal(entries(".git"), 0);
    assert_int_equal(rmdir(path_of(".git")), 0);
    assert_int_equal(client_link(&c, node, CLIENT_ROOT, ".git"), -EACCES);
    assert_int_equal(entries(""), 0);
}

static void f06_it_is_nowhere_where_its_maker_may_not_read(void **state)
{
    uint64_t fh, node = hello(O_RDWR, &fh), other, dir;
    int err;

    (void)state;
    assert_int_equal(mkdir(path_of("private"), 0755), 0);
    dir = client_walk(&c, "private", &err);
    assert_int_equal(client_nameless(&c, dir, O_RDWR, &other, &fh), -EACCES);
    assert_int_equal(client_link(&c, node, dir, "f"), -EACCES);
    assert_int_equal(entries("private"), 0);
}

/* What one mount allows is no matter of the other. */
static void links_stay_in_their_mount(void **state)
{
    const struct fuse_init_in in = { .major = 7, .minor = 38, .flags = ~0u };
    uint64_t fh, node;

    (void)state;
    c.s.live[1] = c.s.live[0];
    c.s.live[1].root = open(c.outside, O_PATH | O_DIRECTORY | O_CLOEXEC);
    c.s.nlive = 2;
    assert_int_equal(client_ask(&c, FUSE_DESTROY, 0, NULL, 0), 0);
    assert_int_equal(client_ask(&c, FUSE_INIT, 0, &in, sizeof(in)), 0);
    node = hello(O_RDWR, &fh);
    assert_int_equal(client_link(&c, node, CLIENT_ROOT + 1, "f"), -EXDEV);
    assert_int_equal(client_link(&c, node, CLIENT_ROOT, "f"), 0);
    assert_int_equal(client_link(&c, node, CLIENT_ROOT + 1, "f"), -EXDEV);
    assert_int_equal(entries("../out"), 0);
}

static void one_that_may_have_no_name_gets_none(void **state)
{
    uint64_t fh, node = hello(O_RDWR | O_EXCL, &fh);

    (void)state;
    assert_int_equal(client_link(&c, node, CLIENT_ROOT, "f"), -ENOENT);
    assert_int_equal(entries(""), 0);
}

/* A node that is gone is no way round links.hardlink: its file may have other names. */
static void f03_what_had_a_name_is_no_nameless_file(void **state)
{
    uint64_t fh, node;
    char other[256];

    (void)state;
    assert_int_equal(client_create(&c, CLIENT_ROOT, "a", O_RDWR, &node, &fh), 0);
    snprintf(other, sizeof(other), "%s", path_of("locked"));
    assert_int_equal(link(path_of("a"), other), 0);
    assert_int_equal(client_unlink(&c, CLIENT_ROOT, "a"), 0);
    assert_int_equal(client_link(&c, node, CLIENT_ROOT, "b"), -ENOENT);
    assert_int_equal(unlink(other), 0);
    assert_int_equal(client_link(&c, node, CLIENT_ROOT, "b"), -ENOENT);
    assert_int_equal(client_release(&c, node, fh), 0);
    assert_int_equal(client_link(&c, node, CLIENT_ROOT, "b"), -ESTALE);
    node = hello(O_RDWR, &fh); /* and one that the host gave a name */
    assert_int_equal(linkat(c.s.handles.v[fh - 1].fd, "", AT_FDCWD, other, AT_EMPTY_PATH), 0);
    assert_int_equal(client_link(&c, node, CLIENT_ROOT, "b"), -ENOENT);
    assert_int_equal(entries(""), 1);
}

static void once_named_it_is_a_file_like_others(void **state)
{
    uint64_t fh, node = hello(O_RDWR, &fh);

    (void)state;
    assert_int_equal(client_link(&c, node, CLIENT_ROOT, "f"), 0);
    assert_int_equal(client_link(&c, node, CLIENT_ROOT, "g"), 0); /* links.hardlink: allow */
    assert_int_equal(client_link(&c, node, CLIENT_ROOT, "locked"), -EACCES);
    used(5, 2);
    assert_int_equal(client_unlink(&c, CLIENT_ROOT, "f"), 0);
    assert_int_equal(client_release(&c, node, fh), 0);
    assert_true(holds("g", "hello"));
    used(5, 1);
}

/* In a process of its own, whose linkat is theirs: no descriptor without /proc or a capability. */
static int ask_before_6_10(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_linkat, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOENT),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog prog = { .len = array_len(code), .filter = code };
    uint64_t node, fh;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0))
        return 2;
    return client_nameless(&c, CLIENT_ROOT, O_RDWR, &node, &fh) != -ENOSYS ||
           c.s.live[0].usage.inodes || c.s.handles.used;
}

static void an_older_kernel_offers_none(void **state)
{
    int status;
    pid_t pid = fork();

    (void)state;
    if (pid == 0)
        _exit(ask_before_6_10());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void a_read_only_mount_has_none(void **state)
{
    uint64_t node, fh;

    (void)state;
    assert_int_equal(client_nameless(&c, CLIENT_ROOT, O_RDWR, &node, &fh), -EROFS);
    assert_int_equal(entries(""), 0);
}

/* Is this Linux 6.10, or are we root? */
static bool offered(void)
{
    uint64_t node, fh;
    int err = begin("deny");

    err = err ? err : client_nameless(&c, CLIENT_ROOT, O_RDWR, &node, &fh);
    client_fini(&c);
    return err != -ENOSYS;
}

int main(void)
{
#define WITH(t) cmocka_unit_test_setup_teardown(t, start, stop)
    const struct CMUnitTest tests[] = {
        WITH(it_is_charged_while_it_lives),
        WITH(a_session_that_ends_gives_back),
        WITH(there_are_no_more_than_the_tables_hold),
        WITH(it_gets_a_name),
        WITH(a_name_that_is_taken_is_not_replaced),
        WITH(f04_its_name_is_judged),
        WITH(f06_it_is_nowhere_where_its_maker_may_not_read),
        cmocka_unit_test_setup_teardown(links_stay_in_their_mount, start_links, stop),
        WITH(one_that_may_have_no_name_gets_none),
        WITH(f03_what_had_a_name_is_no_nameless_file),
        cmocka_unit_test_setup_teardown(once_named_it_is_a_file_like_others, start_links, stop),
        WITH(an_older_kernel_offers_none),
        cmocka_unit_test_setup_teardown(a_read_only_mount_has_none, start_ro, stop),
    };

    if (!offered())
        return 77;
    return cmocka_run_group_tests_name("files_nameless", tests, NULL, NULL);
}
