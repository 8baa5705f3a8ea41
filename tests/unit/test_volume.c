/* test_volume.c - what goes into a volume and what may come out of it, on a tree of every hostile
 * thing, with real file systems and the caged reader. */
#include "policies/policy.h"
#include "policies/words.h"
#include "sandbox/volume/apply.h"
#include "sandbox/volume/beneath.h"
#include "sandbox/volume/changes.h"
#include "sandbox/volume/dump.h"
#include "sandbox/volume/fill.h"
#include "sandbox/volume/inside.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define POLICY                                                                                   \
    "carrel: 1\nname: t\nstorage:\n  root: {mode: overlay}\n  mounts:\n"                         \
    "    - {id: w, source: /src, target: /w, access: rw, quota: {bytes: 16MiB, inodes: 500}, "   \
    "deny_read: [\"**/.env\", \"**/secret/**\"], deny_write: [\"**/.git/hooks/**\", \"keep\"], " \
    "links: {symlink: inside}, export: {mode: diff, review: [executable, hidden, symlink]}}\n"

struct world {
    char dir[64];
    int fd, image, stage;
    struct policy *policy;
    struct ruleset *rules;
    struct tree was, is;
    struct changes changes;
    unsigned why[FILL_WHYS];
    char paths[8192]; /* of what was left out */
};

static void run(const char *command)
{
    assert_int_equal(system(command), 0);
}

static void in(const struct world *w, const char *command)
{
    char line[4096];

    snprintf(line, sizeof(line), "cd %s/src && %s", w->dir, command);
    run(line);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct problems ps = PROBLEMS_INIT;
    char path[128];

    if (!w)
        return -1;
    strcpy(w->dir, "/tmp/volume-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    snprintf(path, sizeof(path), "%s/src", w->dir);
    assert_int_equal(mkdir(path, 0755), 0);
    w->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    snprintf(path, sizeof(path), "%s/image", w->dir);
    w->image = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    snprintf(path, sizeof(path), "%s/stage", w->dir);
    w->stage = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    w->policy = policy_parse(POLICY, strlen(POLICY), "t.yaml", &ps);
    assert_non_null(w->policy);
    w->rules = ruleset_make(w->policy, NULL);
    problems_fini(&ps);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char line[128];

    changes_fini(&w->changes);
    tree_fini(&w->was);
    tree_fini(&w->is);
    ruleset_free(w->rules);
    policy_free(w->policy);
    close(w->fd);
    close(w->image);
    close(w->stage);
    snprintf(line, sizeof(line), "rm -rf %s", w->dir);
    run(line);
    free(w);
    return 0;
}

static void left_out(void *arg, enum fill_why why, const char *path, const struct rule *rule)
{
    struct world *w = arg;
    size_t n = strlen(w->paths);

    (void)rule;
    w->why[why]++;
    snprintf(w->paths + n, sizeof(w->paths) - n, "%d %s|", why, path);
}

static int fill_it(struct world *w, struct err *e)
{
    const struct mount *m = w->policy->storage.mounts.v[0];
    char hint[240];
    struct fill_ask ask = { .source = w->fd,
                            .target = m->target,
                            .rules = w->rules,
                            .symlinks = m->links.symlink,
                            .uid = 1000,
                            .tree = &w->was,
                            .left_out = left_out,
                            .arg = w };
    int err;

    assert_int_equal(
        ext4_make(w->image, ext4_bytes(m->quota.bytes), m->quota.inodes, 1000, hint, e), 0);
    ask.volume = ext4_open(w->image, e);
    assert_non_null(ask.volume);
    err = fill(&ask, e);
    if (err) {
        ext4_drop(ask.volume);
        return err;
    }
    return ext4_close(ask.volume, e);
}

static void filled(struct world *w)
{
    struct err e = ERR_INIT;
    char line[400];

    if (fill_it(w, &e))
        fail_msg("%s", e.msg);
    snprintf(line, sizeof(line),
             "/sbin/e2fsck -fn %s/image >%s/fsck 2>&1 || { cat %s/fsck; exit 1; }", w->dir, w->dir,
             w->dir);
    run(line);
}

/* What debugfs, which is not ours, does to the image: the guest's part. */
static void guest(const struct world *w, const char *commands)
{
    char line[4096];

    snprintf(line, sizeof(line),
             "cd %s && printf '%s' >cmds && /sbin/debugfs -w -f cmds image >log 2>&1", w->dir,
             commands);
    run(line);
}

static void read_back(struct world *w)
{
    const struct dump_ask ask = { .image = w->image, .base = &w->was, .stage = w->stage };
    struct err e = ERR_INIT;

    if (dump_read(&ask, &w->is, &e))
        fail_msg("%s", e.msg);
    assert_int_equal(changes_make(&w->changes, &w->was, &w->is, &e), 0);
    changes_decide(&w->changes, w->rules, "/w");
    assert_int_equal(changes_compare(&w->changes, w->fd, false, &e), 0);
}

static const struct change *change(const struct world *w, const char *path)
{
    for (size_t i = 0; i < w->changes.n; i++)
        if (strcmp(change_path(&w->changes.v[i]), path) == 0)
            return &w->changes.v[i];
    fail_msg("%s has not changed", path);
    abort();
}

static enum change_fate fate(const struct world *w, const char *path)
{
    return change(w, path)->fate;
}

/* ---- in ---- */

static void f01_every_hostile_thing_is_left_out_or_data(void **s)
{
    struct world *w = *s;

    in(w,
       "mkdir d secret && echo a >a && echo b >d/b && ln -s a in && ln -s ../../etc/passwd out && "
       "ln -s /etc/passwd abs && ln -s /w/a guest && ln -s d/../../x sneaky && mkfifo fifo && "
       "echo k >.env && echo s >secret/s && echo u >setuid && chmod 4755 setuid && "
       "touch \"$(printf 'new\\nline')\" \"$(printf 'not\\377utf8')\" && "
       "touch $(printf 'n%.0s' $(seq 255)) && ln a hard");
    if (geteuid() == 0)
        in(w, "mknod dev c 1 3");
    filled(w);
    assert_non_null(tree_find(&w->was, "a"));
    assert_non_null(tree_find(&w->was, "d/b"));
    assert_non_null(tree_find(&w->was, "hard"));
    assert_non_null(tree_find(&w->was, "in"));
    assert_non_null(tree_find(&w->was, "guest"));
    assert_non_null(tree_find(&w->was, "setuid"));
    assert_non_null(tree_find(&w->was, "not\377utf8"));
    assert_string_equal(tree_find(&w->was, "in")->link, "a");
    assert_string_equal(tree_find(&w->was, "guest")->link, "/w/a");
    assert_int_equal(tree_find(&w->was, "setuid")->mode, 0755);
    assert_null(tree_find(&w->was, "out"));
    assert_null(tree_find(&w->was, "abs"));
    assert_null(tree_find(&w->was, "sneaky"));
    assert_null(tree_find(&w->was, "fifo"));
    assert_null(tree_find(&w->was, "dev"));
    assert_null(tree_find(&w->was, ".env")); /* f06 */
    assert_null(tree_find(&w->was, "secret/s"));
    assert_null(tree_find(&w->was, "new\nline"));
    assert_int_equal(w->why[FILL_LINK], 3);
    assert_int_equal(w->why[FILL_KIND], geteuid() == 0 ? 2 : 1);
    assert_int_equal(w->why[FILL_NAME], 1);
    assert_int_equal(w->why[FILL_SETUID], 1);
    assert_true(w->why[FILL_DENIED] >= 2);
    read_back(w); /* and nothing else is in the image */
    assert_int_equal(w->changes.n, 0);
}

static void f07_what_does_not_fit_is_refused(void **s)
{
    struct world *w = *s;
    struct err e = ERR_INIT;

    in(w, "head -c 20M /dev/zero >big");
    assert_int_equal(fill_it(w, &e), -EDQUOT);
    in(w, "rm big && for i in $(seq 1200); do : >f$i; done");
    assert_int_equal(fill_it(w, &e), -EDQUOT);
}

/* As many files as the quota says, and not one more; however the format rounds. */
static void f07_the_quota_of_inodes_is_exact(void **s)
{
    static const struct {
        uint64_t bytes, inodes, most;
    } volumes[] = {
        { 8u << 20, 1, 1 },
        { 16u << 20, 1000, 1000 },
        { 64u << 20, 16384, 16384 },
        { 1ull << 30, 100000, 100000 },
        { 5ull << 30, 99999, 99999 },
        { 64ull << 30, 100000, 98294 }, /* 512 groups of 192: 208 would be 6,486 too many */
    };
    struct world *w = *s;
    char line[400], hint[240];
    struct err e = ERR_INIT;

    in(w, "for i in $(seq 500); do : >f$i; done");
    filled(w);
    in(w, ": >one-more");
    assert_int_equal(fill_it(w, &e), -EDQUOT);
    for (size_t i = 0; i < array_len(volumes); i++) {
        assert_int_equal(ext4_make(w->image, volumes[i].bytes, volumes[i].inodes, 1000, hint, &e),
                         0);
        snprintf(line, sizeof(line),
                 "cd %s && /sbin/e2fsck -fn image >fsck 2>&1 && /sbin/dumpe2fs -h image "
                 "2>&1 | grep -qx 'Free inodes: *%llu'",
                 w->dir, (unsigned long long)volumes[i].most);
        run(line);
    }
}

static void a_deep_tree_ends_where_rules_end(void **s)
{
    struct world *w = *s;

    in(w, "p=d; for i in $(seq 140); do p=$p/d; done; mkdir -p $p");
    filled(w);
    assert_int_equal(w->why[FILL_NAME], 1);
    assert_in_range(w->was.n, 120, 127);
}

static void f07_a_directory_of_many_names_grows(void **s)
{
    struct world *w = *s;

    in(w, "for i in $(seq 300); do : >a-rather-long-name-that-fills-a-block-$i; done");
    filled(w);
    assert_int_equal(w->was.n, 300);
    read_back(w);
    assert_int_equal(w->changes.n, 0);
}

/* A directory that becomes a link, and back, while it is walked. */
static void *swap(void *arg)
{
    const struct world *w = arg;
    char real[128], away[128], link[128];

    snprintf(real, sizeof(real), "%s/src/d", w->dir);
    snprintf(away, sizeof(away), "%s/away", w->dir);
    snprintf(link, sizeof(link), "%s/link", w->dir);
    for (int i = 0; i < 20000; i++) {
        (void)!rename(real, away);
        (void)!rename(link, real);
        (void)!rename(real, link);
        (void)!rename(away, real);
    }
    return NULL;
}

static void f02_a_swapped_directory_is_not_followed(void **s)
{
    struct world *w = *s;
    char line[256];
    pthread_t t;

    in(w, "mkdir d && for i in $(seq 20); do echo mine >d/f$i; done && mkdir ../outside && "
          "for i in $(seq 20); do echo stolen >../outside/f$i; done && ln -s ../outside ../link");
    assert_int_equal(pthread_create(&t, NULL, swap, w), 0);
    for (int i = 0; i < 10; i++) {
        tree_fini(&w->was);
        filled(w);
        snprintf(line, sizeof(line), "! grep -q stolen %s/image", w->dir);
        run(line);
    }
    pthread_join(t, NULL);
}

/* ---- out ---- */

static void f04_f05_each_change_is_judged(void **s)
{
    struct world *w = *s;

    in(w,
       "echo a >a && echo k >keep && mkdir d && echo x >d/x && echo e >../e && echo two >../two");
    filled(w);
    guest(w, "rm a\\nwrite two a\\nwrite e run\\nsif run mode 0100755\\nrm keep\\nwrite e keep\\n"
             "mkdir .git\\nmkdir .git/hooks\\nwrite e .git/hooks/pre\\nrm d/x\\nrmdir d\\n"
             "symlink out /etc/shadow\\nsymlink ok a\\nmknod pipe p\\nmknod zero c 1 5\\n"
             "mkdir l\\nsymlink l/.git x\\nwrite e .env\\n");
    read_back(w);
    assert_int_equal(change(w, "a")->what, CHANGE_CHANGED);
    assert_int_equal(fate(w, "a"), CHANGE_GOES);
    assert_int_equal(fate(w, "run"), CHANGE_GOES);
    assert_true(change(w, "run")->risks & REVIEW_EXECUTABLE);
    assert_int_equal(fate(w, "keep"), CHANGE_DENIED);
    assert_int_equal(fate(w, ".git"), CHANGE_GOES);
    assert_true(change(w, ".git")->risks & REVIEW_HIDDEN);
    assert_int_equal(fate(w, ".git/hooks/pre"), CHANGE_DENIED);
    assert_int_equal(fate(w, "l/.git"), CHANGE_DENIED); /* a link where hooks are protected */
    assert_int_equal(change(w, "d/x")->what, CHANGE_DELETED);
    assert_int_equal(fate(w, "out"), CHANGE_DENIED);
    assert_int_equal(fate(w, "ok"), CHANGE_GOES);
    assert_true(change(w, "ok")->risks & REVIEW_SYMLINK);
    assert_int_equal(fate(w, "pipe"), CHANGE_REFUSED);
    assert_int_equal(fate(w, "zero"), CHANGE_REFUSED);
    assert_int_equal(fate(w, ".env"), CHANGE_GOES);
}

static void what_goes_arrives_and_nothing_else(void **s)
{
    struct world *w = *s;
    struct apply_ask ask = { 0 };
    struct err e = ERR_INIT;

    in(w, "echo a >a && echo k >keep && mkdir d && echo x >d/x && echo e >../e && echo f >f");
    filled(w);
    guest(w, "rm a\\nmkdir a\\nwrite e a/in\\nrm keep\\nrm d/x\\nrmdir d\\nwrite e d\\nrm "
             "f\\nsymlink f d\\n");
    read_back(w);
    ask.dirfd = w->fd;
    ask.stage = w->stage;
    assert_int_equal(apply(&ask, &w->changes, &e), 0);
    in(w, "test \"$(cat a/in)\" = e && test \"$(cat d)\" = e && test \"$(readlink f)\" = d && "
          "test \"$(cat keep)\" = k && test $(find . | wc -l) = 6");
}

static void a_conflict_waits_for_force(void **s)
{
    struct world *w = *s;
    struct apply_ask ask = { 0 };
    struct err e = ERR_INIT;

    in(w, "echo a >a && echo b >b && echo c >c && echo e >../e");
    filled(w);
    guest(w, "rm a\\nwrite e a\\nrm b\\nwrite e b\\nrm c\\nwrite e n\\n");
    in(w, "echo z >a && echo z >n && touch -d 2001-01-01 b && echo z >c");
    read_back(w);
    assert_int_equal(fate(w, "a"), CHANGE_CONFLICT);
    assert_int_equal(fate(w, "b"), CHANGE_GOES); /* another time, the same bytes */
    assert_int_equal(fate(w, "c"), CHANGE_CONFLICT);
    assert_int_equal(fate(w, "n"), CHANGE_CONFLICT);
    ask.dirfd = w->fd;
    ask.stage = w->stage;
    in(w, "echo late >b"); /* after it was compared */
    assert_int_equal(apply(&ask, &w->changes, &e), -EBUSY);
    in(w, "test \"$(cat a b c n)\" = \"$(printf 'z\\nlate\\nz\\nz')\"");
    changes_fini(&w->changes);
    assert_int_equal(changes_make(&w->changes, &w->was, &w->is, &e), 0);
    changes_decide(&w->changes, w->rules, "/w");
    assert_int_equal(changes_compare(&w->changes, w->fd, true, &e), 0);
    ask.force = true;
    assert_int_equal(apply(&ask, &w->changes, &e), 0);
    in(w, "test \"$(cat a b n)\" = \"$(printf 'e\\ne\\ne')\" && test ! -e c");
}

static void f01_a_planted_link_leads_nowhere(void **s)
{
    struct world *w = *s;
    struct apply_ask ask = { 0 };
    struct err e = ERR_INIT;

    in(w, "mkdir d ../outside && echo e >../e");
    filled(w);
    guest(w, "write e d/new\\n");
    read_back(w);
    assert_int_equal(fate(w, "d/new"), CHANGE_GOES);
    in(w, "rmdir d && ln -s ../outside d");
    ask.dirfd = w->fd;
    ask.stage = w->stage;
    assert_true(apply(&ask, &w->changes, &e) < 0);
    in(w, "test -z \"$(ls ../outside)\"");
    in(w, "rm d && mkdir other && ln -s other d"); /* nor from one place inside to another */
    changes_fini(&w->changes);
    assert_int_equal(changes_make(&w->changes, &w->was, &w->is, &e), 0);
    assert_true(apply(&ask, &w->changes, &e) < 0);
    in(w, "test -z \"$(ls other)\"");
}

/* ---- the stream of a reader that was taken over ---- */

static int parse(struct world *w, const void *bytes, size_t len, uint64_t limit)
{
    const struct dump_ask ask = { .stage = w->stage };
    int ends[2], err;

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], bytes, len), len);
    close(ends[1]);
    tree_fini(&w->is);
    err = dump_parse(ends[0], limit, &ask, &w->is, NULL);
    close(ends[0]);
    return err;
}

static size_t put(char *out, size_t at, char kind, const char *path, uint64_t size)
{
    const struct dump_head h = {
        .magic = DUMP_MAGIC, .kind = (uint8_t)kind, .path = (uint32_t)strlen(path), .size = size
    };

    memcpy(out + at, &h, sizeof(h));
    memcpy(out + at + sizeof(h), path, h.path);
    at += sizeof(h) + h.path;
    if (kind == 'f') {
        memset(out + at, 0, size + 4);
        at += size + 4;
    }
    return at;
}

static void a_reader_is_not_believed(void **s)
{
    static const char *const names[] = { "../x", "a/../b", "/etc", "a//b", "a/",
                                         ".",    "..",     "",     "x/y" };
    struct world *w = *s;
    char out[4096];
    size_t n;

    n = put(out, 0, 'd', "d", 0);
    n = put(out, n, 'f', "d/x", 10);
    n = put(out, n, 'e', "", 0);
    assert_int_equal(parse(w, out, n, 10), 0);
    assert_int_equal(w->is.n, 2);
    assert_int_equal(parse(w, out, n, 9), -EBADMSG);      /* more than the volume holds */
    assert_int_equal(parse(w, out, n - 1, 10), -EBADMSG); /* it stopped early */
    for (size_t i = 0; i < array_len(names); i++) {
        n = put(out, 0, 'f', names[i], 1);
        n = put(out, n, 'e', "", 0);
        assert_int_equal(parse(w, out, n, 100), -EBADMSG);
    }
    n = put(out, 0, 'f', "a", 1);
    n = put(out, n, 'd', "a", 0);
    n = put(out, n, 'e', "", 0);
    assert_int_equal(parse(w, out, n, 100), -EBADMSG); /* two of one name */
    n = put(out, 0, 'f', "a", 1);
    n = put(out, n, 'd', "a/b", 0);
    n = put(out, n, 'e', "", 0);
    assert_int_equal(parse(w, out, n, 100), -EBADMSG); /* below a file */
    n = put(out, 0, 'x', "a", 0);
    assert_int_equal(parse(w, out, n, 100), -EBADMSG);
}

/* Whatever is in the image: an answer, never a crash, and no time without end. */
static void a_damaged_volume_is_an_error(void **s)
{
    struct world *w = *s;
    struct err e = ERR_INIT;
    unsigned seed = 1, damaged = 0;

    in(w, "mkdir d && echo a >a && echo b >d/b && ln -s a l && head -c 300K /dev/urandom >d/big");
    filled(w);
    for (int i = 0; i < 60; i++) {
        const struct dump_ask ask = { .image = w->image, .base = &w->was, .stage = w->stage };
        unsigned char byte = (unsigned char)rand_r(&seed);
        struct tree t;
        off_t at = 1024 + rand_r(&seed) % (i % 2 ? 1024 : 2 << 20);

        assert_int_equal(pwrite(w->image, &byte, 1, at), 1);
        assert_int_equal(ftruncate(w->stage, 0), 0);
        assert_int_equal(lseek(w->stage, 0, SEEK_SET), 0);
        damaged += dump_read(&ask, &t, &e) != 0;
        tree_fini(&t);
    }
    assert_true(damaged > 0);
}

static void a_tree_comes_back_as_it_was(void **s)
{
    struct world *w = *s;
    struct tree t;

    in(w, "mkdir d && echo a >'a b' && ln -s 'a b' d/l && chmod 755 'a b'");
    filled(w);
    assert_int_equal(tree_save(&w->was, w->fd, "tree", NULL), 0);
    assert_int_equal(tree_load(&t, w->fd, "tree", NULL), 0);
    assert_int_equal(t.n, w->was.n);
    for (size_t i = 0; i < t.n; i++) {
        assert_string_equal(t.v[i].path, w->was.v[i].path);
        assert_true(tree_same(&t.v[i], &w->was.v[i]));
    }
    tree_fini(&t);
    in(w, "head -c 40 tree >torn && mv torn tree");
    assert_int_equal(tree_load(&t, w->fd, "tree", NULL), -EBADMSG);
    tree_fini(&t);
}

static void f01_links_are_judged_by_where_they_lead(void **s)
{
    (void)s;
    assert_true(link_inside("/w", "a", "b"));
    assert_true(link_inside("/w", "d/a", "../b"));
    assert_true(link_inside("/w", "a", "/w/x"));
    assert_true(link_inside("/w", "a", "/w"));
    assert_true(link_inside("/w", "a", "./."));
    assert_false(link_inside("/w", "a", ".."));
    assert_false(link_inside("/w", "d/a", "../../b"));
    assert_false(link_inside("/w", "a", "d/../../w/x"));
    assert_false(link_inside("/w", "a", "/wx"));
    assert_false(link_inside("/w", "a", "/w/../etc"));
    assert_false(link_inside("/w", "a", "/etc"));
    assert_false(link_inside("/w", "a", "here/../x")); /* here: a link to "." */
    assert_false(link_inside("/w", "a", "/w/here/../x"));
    assert_true(link_inside("/w", "d/e/a", ".././../b/c"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(f01_every_hostile_thing_is_left_out_or_data),
        T(f07_what_does_not_fit_is_refused),
        T(f07_the_quota_of_inodes_is_exact),
        T(a_deep_tree_ends_where_rules_end),
        T(f07_a_directory_of_many_names_grows),
        T(f02_a_swapped_directory_is_not_followed),
        T(f04_f05_each_change_is_judged),
        T(what_goes_arrives_and_nothing_else),
        T(a_conflict_waits_for_force),
        T(f01_a_planted_link_leads_nowhere),
        T(a_reader_is_not_believed),
        T(a_damaged_volume_is_an_error),
        T(a_tree_comes_back_as_it_was),
        T(f01_links_are_judged_by_where_they_lead),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
