/*
 * test_guard_life.c - a guard from its opening to its end, without a machine: what it says to
 * requests, to other policies, to the end of a grant and to what happens to its parents, and what
 * of that is in its log.
 */
#include "base/fd.h"
#include "policies/canon.h"
#include "policies/grants.h"
#include "sandbox/guard/facts.h"
#include "sandbox/guard/force.h"
#include "sandbox/guard/internal.h"
#include "sandbox/trust_key.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char root[64];
static struct err e;

static int forget(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int setup(void **s)
{
    char path[128];

    (void)s;
    e = ERR_INIT;
    snprintf(root, sizeof(root), "/tmp/carrel-guard.XXXXXX");
    if (!mkdtemp(root) || chdir(root))
        return -1;
    setenv("CARREL_STATE", root, 1);
    setenv("XDG_CONFIG_HOME", root, 1);
    snprintf(path, sizeof(path), "%s/trust.yaml", root);
    setenv("CARREL_TRUST", path, 1);
    return 0;
}

static int teardown(void **s)
{
    (void)s;
    return chdir("/") || nftw(root, forget, 16, FTW_DEPTH | FTW_PHYS);
}

static void put(const char *name, const char *text)
{
    FILE *f = fopen(name, "we");

    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

/* ---- sandboxes without a machine ---- */

#define TOOL(id)                                                                                \
    "{id: " id ", exec: {path: /bin/" id "}, user: 0, argv: [{allow: [{any: {count: 0..9}}]}]," \
    " env: {allow: [\"*\"]}, paths: {ro: [/]}}"
#define HEAD        "carrel: 1\nname: t\n"
#define TOOLS(list) "tools: {commands: [" list "]}\n"

struct box {
    char id[BOX_ID_LEN + 1];
    int fd;
    struct guard *g;
};

struct with {
    const char *grant;
    const struct box *parents[4];
};

static void write_dossier(const struct box *b, const char *text, const struct with *w,
                          const char *file)
{
    struct problems ps = PROBLEMS_INIT;
    struct dossier d = { 0 };
    struct force f;

    assert_int_equal(dossier_add(&d, NULL, strdup("t.yaml"), strdup(text), strlen(text), &e), 0);
    if (w->grant)
        assert_int_equal(dossier_grant(&d, w->grant, &e), 0);
    for (unsigned i = 0; w->parents[i]; i++)
        assert_int_equal(dossier_ancestor(&d, w->parents[i]->id, &e), 0);
    memset(d.hash, '0', sizeof(d.hash) - 1);
    if (!force_make(&d, TRUST_LOOK, false, time(NULL), &f, d.hash, &ps, &e))
        policy_free(f.policy);
    assert_int_equal(dossier_save(&d, b->fd, file, false, &e), 0);
    problems_fini(&ps);
    dossier_fini(&d);
}

/* NULL guard: e says why. */
static struct box box_start(const char *id, const char *text, struct with w)
{
    struct box b = { .fd = -1 };
    struct box_config cfg = { .image = (char *)"mini", .mem_bytes = 128u << 20, .vcpus = 1 };
    struct guard_sandbox s = { .cfg = &cfg,
                               .engine = "qemu",
                               .host = facts_of("qemu", false),
                               .boxfd = -1,
                               .image_fd = -1,
                               .kernel_fd = -1 };
    char hint[240] = "", dir[32];

    snprintf(b.id, sizeof(b.id), "%s", id);
    memcpy(cfg.id, b.id, sizeof(cfg.id));
    snprintf(cfg.name, sizeof(cfg.name), "box");
    snprintf(dir, sizeof(dir), "box-%s", id);
    assert_true(mkdir(dir, 0700) == 0 || errno == EEXIST);
    b.fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(b.fd >= 0);
    write_dossier(&b, text, &w, DOSSIER_FILE);
    s.boxfd = b.fd;
    b.g = guard_open(&s, hint, &e);
    return b;
}

static struct box box_running(const char *id, const char *text, struct with w)
{
    struct box b = box_start(id, text, w);

    if (!b.g)
        fail_msg("%s", e.msg);
    return b;
}

static void box_end(struct box *b)
{
    guard_close(b->g, "exited");
    fd_closep(&b->fd);
}

/* 0 or -errno. */
static int run(struct box *b, const char *arg0, const char *arg1)
{
    struct msg_builder *m = malloc(sizeof(*m));
    int err;

    assert_non_null(m);
    msg_begin(m, MSG_EXEC);
    msg_add_text(m, MSG_ARG, arg0);
    if (arg1)
        msg_add_text(m, MSG_ARG, arg1);
    msg_add_text(m, MSG_USER, "root");
    err = guard_judge(b->g, m, &e);
    free(m);
    return err;
}

static int apply(struct box *b, const char *text, struct with w)
{
    write_dossier(b, text, &w, DOSSIER_NEXT);
    return guard_reload(b->g, b->fd, &e);
}

/* How many records have all of these in them. */
static unsigned logged(const struct box *b, const char *a, const char *also)
{
    char path[64], line[AUDIT_LINE_MAX + 1];
    unsigned n = 0;
    FILE *f;

    snprintf(path, sizeof(path), "audit/%s/log", b->id);
    f = fopen(path, "re");
    while (f && fgets(line, sizeof(line), f))
        n += strstr(line, a) && (!also || strstr(line, also));
    if (f)
        assert_int_equal(fclose(f), 0);
    return n;
}

/* ---- trust ---- */

static const uint8_t secret[ED25519_KEY_BYTES] = { 1, 2, 3 };

static void put_trust(void)
{
    uint8_t raw[ED25519_KEY_BYTES];
    char key[ED25519_KEY_TEXT], text[1024];

    ed25519_public(secret, raw);
    ed25519_key_print(raw, key);
    snprintf(text, sizeof(text),
             "carrel: 1\nkeys: [{id: alice, key: \"%s\"}]\n"
             "roles: [{id: help, keys: [alice], may_grant: {budget: {tool_calls: 1000}}}]\n",
             key);
    put("trust.yaml", text);
}

/* tool_calls: 100, for this document, until then. */
static void put_grant(const char *file, const char *doc, int64_t until)
{
    struct policy *p = policy_parse(doc, strlen(doc), "t.yaml", NULL);
    struct grants *g = grants_new("x");
    char hash[POLICY_HASH_HEX];
    struct grant l = { .id = "more",
                       .policy = "t",
                       .sha256 = hash,
                       .role = "help",
                       .from = time(NULL) - 60,
                       .expires = until,
                       .widen = "budget: {tool_calls: 100}" };
    struct text text = TEXT_INIT;

    assert_non_null(p);
    policy_hash(p, hash);
    assert_true(grants_add(g, &l, secret, NULL));
    grants_print(g, &text);
    put(file, text.p);
    text_fini(&text);
    grants_free(g);
    policy_free(p);
}

/* ---- tests ---- */

static const char broad[] = HEAD TOOLS(TOOL("cat") "," TOOL("ls"));
static const char narrow[] = HEAD TOOLS(TOOL("cat"));
static const char few[] = HEAD "budget: {tool_calls: 5}\n" TOOLS(TOOL("cat"));
static const char many[] = HEAD "budget: {tool_calls: 100}\n" TOOLS(TOOL("cat"));

static void no_trust(void)
{
    put("trust.yaml", "carrel: 1\n");
}

static void p11_what_a_quarantine_denies_is_recorded(void **s)
{
    struct box b;

    (void)s;
    no_trust();
    b = box_running("00000000000a", broad, (struct with){ 0 });
    assert_int_equal(run(&b, "/bin/ls", NULL), 0);
    assert_int_equal(apply(&b, "carrel: [", (struct with){ 0 }), -EINVAL);
    assert_int_equal(run(&b, "/bin/ls", "-la"), -EACCES);
    assert_non_null(strstr(e.msg, "no sound policy"));
    assert_int_equal(logged(&b, "\"decision\":\"deny\"", "/bin/ls"), 1);
    assert_int_equal(apply(&b, narrow, (struct with){ 0 }), 0);
    assert_int_equal(run(&b, "/bin/cat", NULL), 0);
    box_end(&b);
}

static void h01_a_log_behind_a_link_is_refused(void **s)
{
    struct box b;

    (void)s;
    no_trust();
    assert_int_equal(mkdir("audit", 0700), 0);
    assert_int_equal(mkdir("elsewhere", 0700), 0);
    assert_int_equal(symlink("../elsewhere", "audit/00000000000a"), 0);
    b = box_start("00000000000a", broad, (struct with){ 0 });
    assert_null(b.g);
    assert_non_null(strstr(e.msg, "00000000000a"));
    box_end(&b);
}

static void p11_a_damaged_dossier_says_why(void **s)
{
    struct box b;

    (void)s;
    no_trust();
    b = box_running("00000000000a", broad, (struct with){ 0 });
    assert_int_equal(chdir("box-00000000000a"), 0);
    put(DOSSIER_NEXT, "{}");
    assert_int_equal(chdir(".."), 0);
    assert_int_equal(guard_reload(b.g, b.fd, &e), -EINVAL);
    assert_string_equal(e.msg, "everything is denied from now on: the policy on record is damaged");
    box_end(&b);
}

static void p11_a_new_start_is_no_way_out(void **s)
{
    struct box b;

    (void)s;
    no_trust();
    b = box_running("00000000000a", broad, (struct with){ 0 });
    assert_int_equal(apply(&b, "carrel: [", (struct with){ 0 }), -EINVAL);
    box_end(&b);
    b = box_running("00000000000a", broad, (struct with){ 0 });
    assert_int_equal(run(&b, "/bin/cat", NULL), -EACCES);
    box_end(&b);
    /* What is sound and waits is taken over at the start. */
    b = box_running("00000000000a", broad, (struct with){ 0 });
    write_dossier(&b, narrow, &(struct with){ 0 }, DOSSIER_NEXT);
    box_end(&b);
    b = box_running("00000000000a", broad, (struct with){ 0 });
    assert_int_equal(run(&b, "/bin/cat", NULL), 0);
    assert_int_equal(run(&b, "/bin/ls", NULL), -EACCES);
    box_end(&b);
}

/* H07: the disk is full, or as good as. */
static void h07_what_cannot_be_written_down(void **s)
{
    static const char goes_on[] = HEAD "audit: {on_fail: continue}\n" TOOLS(TOOL("cat"));
    struct rlimit none = { 0, RLIM_INFINITY }, all = { RLIM_INFINITY, RLIM_INFINITY };
    struct stat st;
    struct box b;

    (void)s;
    no_trust();
    signal(SIGXFSZ, SIG_IGN);
    b = box_running("00000000000a", narrow, (struct with){ 0 });
    assert_int_equal(stat("audit/00000000000a/log", &st), 0);
    none.rlim_cur = (rlim_t)st.st_size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    assert_int_equal(run(&b, "/bin/cat", NULL), -EIO);
    assert_int_equal(run(&b, "/bin/rm", NULL), -EIO);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);
    assert_int_equal(run(&b, "/bin/cat", NULL), 0);
    assert_int_equal(logged(&b, "/bin/cat", NULL), 1);
    assert_int_equal(logged(&b, "audit.missed", "\"2 records"), 1);
    box_end(&b);
    b = box_running("00000000000b", goes_on, (struct with){ 0 });
    assert_int_equal(run(&b, "/bin/cat", NULL), 0); /* its filter is made by way of a file */
    assert_int_equal(stat("audit/00000000000b/log", &st), 0);
    none.rlim_cur = (rlim_t)st.st_size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    assert_int_equal(run(&b, "/bin/cat", NULL), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);
    box_end(&b);
    assert_int_equal(logged(&b, "/bin/cat", NULL), 1);
    assert_int_equal(logged(&b, "audit.missed", "\"1 records"), 1);
}

static void p11_a_grants_end_is_not_a_quarantines(void **s)
{
    struct box b;

    (void)s;
    put_trust();
    put_grant("g.grant", few, time(NULL) + 3600);
    b = box_running("00000000000a", few, (struct with){ .grant = "g.grant" });
    assert_int_equal(apply(&b, "carrel: [", (struct with){ 0 }), -EINVAL);
    b.g->ahead += 3600;
    (void)guard_tick(b.g);
    assert_int_equal(b.g->until, INT64_MAX);
    assert_int_equal(run(&b, "/bin/cat", NULL), -EACCES);
    box_end(&b);
}

/* A grant is for a time: what it adds does not become the document's. */
static void p09_a_grant_is_not_made_permanent(void **s)
{
    struct box b;

    (void)s;
    put_trust();
    put_grant("g.grant", few, time(NULL) + 3600);
    b = box_running("00000000000a", few, (struct with){ .grant = "g.grant" });
    assert_int_equal(b.g->policy->budget.tool_calls, 100);
    assert_int_equal(apply(&b, many, (struct with){ 0 }), -EACCES);
    assert_non_null(strstr(e.msg, "wider"));
    /* With its own document, or less, the grant comes and goes. */
    assert_int_equal(apply(&b, few, (struct with){ 0 }), 0);
    assert_int_equal(b.g->policy->budget.tool_calls, 5);
    assert_int_equal(apply(&b, few, (struct with){ .grant = "g.grant" }), 0);
    assert_int_equal(b.g->policy->budget.tool_calls, 100);
    box_end(&b);
}

/* H11: the host's clock is set back by an hour; the guard counts on. */
static void h11_a_grant_ends_though_the_clock_is_set_back(void **s)
{
    struct box b;

    (void)s;
    put_trust();
    put_grant("g.grant", few, time(NULL) + 1800);
    b = box_running("00000000000a", few, (struct with){ .grant = "g.grant" });
    b.g->ahead += 1799 - 60;
    (void)guard_tick(b.g);
    assert_false(guard_has_changed(b.g));
    b.g->ahead += 120;
    (void)guard_tick(b.g);
    assert_true(guard_has_changed(b.g));
    assert_int_equal(b.g->policy->budget.tool_calls, 5);
    assert_int_equal(logged(&b, "policy.change", "expired"), 1);
    box_end(&b);
}

static void p08_a_grant_does_not_lift_a_child_above_its_parent(void **s)
{
    struct box parent, child;

    (void)s;
    put_trust();
    put_grant("g.grant", few, time(NULL) + 3600);
    parent = box_running("00000000000a", few, (struct with){ 0 });
    child = box_running("00000000000b", few, (struct with){ .parents = { &parent } });
    assert_int_equal(
        apply(&child, few, (struct with){ .grant = "g.grant", .parents = { &parent } }), -EACCES);
    assert_non_null(strstr(e.msg, "00000000000a"));
    assert_int_equal(child.g->policy->budget.tool_calls, 5);
    assert_int_equal(logged(&child, "policy.refused", "tool_calls"), 1);
    box_end(&child);
    box_end(&parent);
}

static void p08_a_child_ends_with_its_parents_grant(void **s)
{
    struct box parent, child;

    (void)s;
    put_trust();
    put_grant("g.grant", few, time(NULL) + 1800);
    parent = box_running("00000000000a", few, (struct with){ .grant = "g.grant" });
    child = box_running("00000000000b", many, (struct with){ .parents = { &parent } });
    assert_int_equal(run(&child, "/bin/cat", NULL), 0);
    child.g->ahead += 1860;
    (void)guard_tick(child.g);
    assert_true(guard_has_changed(child.g));
    assert_int_equal(run(&child, "/bin/cat", NULL), -EACCES);
    assert_false(guard_still(child.g, "exec --path /bin/cat --user 0", NULL, NULL));
    /* Its own document again does not help. */
    assert_int_equal(apply(&child, many, (struct with){ .parents = { &parent } }), -EACCES);
    assert_int_equal(run(&child, "/bin/cat", NULL), -EACCES);
    assert_int_equal(apply(&child, few, (struct with){ .parents = { &parent } }), 0);
    assert_int_equal(run(&child, "/bin/cat", NULL), 0);
    box_end(&child);
    box_end(&parent);
}

/* The one between them may be quarantined, or gone: it writes no policy then. */
static void p08_a_grandchild_follows_the_eldest(void **s)
{
    struct box a, b, c;

    (void)s;
    no_trust();
    a = box_running("00000000000a", broad, (struct with){ 0 });
    b = box_running("00000000000b", broad, (struct with){ .parents = { &a } });
    c = box_running("00000000000c", broad, (struct with){ .parents = { &a, &b } });
    box_end(&b);
    assert_int_equal(run(&c, "/bin/ls", NULL), 0);
    assert_int_equal(apply(&a, narrow, (struct with){ 0 }), 0);
    (void)guard_tick(c.g);
    assert_int_equal(run(&c, "/bin/ls", NULL), -EACCES);
    box_end(&c);
    /* Nor is one born that may more than the eldest. */
    c = box_start("00000000000d", broad, (struct with){ .parents = { &a, &b } });
    assert_null(c.g);
    assert_int_equal(e.code, EACCES);
    box_end(&c);
    box_end(&a);
}

/* Padding before the end of a long command hides nothing of it. */
static void what_is_longer_than_a_record_is_recorded_whole(void **s)
{
    char text[4096];
    struct box b;

    (void)s;
    no_trust();
    memset(text, 'a', sizeof(text));
    snprintf(text + sizeof(text) - 8, 8, "THE END");
    for (size_t i = 900; i < 1100; i += 2) {
        text[i] = '\xc3';
        text[i + 1] = '\xa9';
    }
    b = box_running("00000000000a", broad, (struct with){ 0 });
    assert_int_equal(run(&b, "/bin/ls", text), 0);
    assert_int_equal(logged(&b, "THE END", "\"exec.text\""), 1);
    assert_int_equal(logged(&b, "\"exec.text\"", NULL), 5);
    assert_int_equal(logged(&b, "\"exec\"", "allow"), 1);
    assert_int_equal(logged(&b, "\xef\xbf\xbd", NULL), 0);
    assert_int_equal(run(&b, "/bin/rm", text), -EACCES);
    assert_int_equal(logged(&b, "THE END", NULL), 1);
    box_end(&b);
}

static void checkpoints_come_as_often_as_the_policy_says(void **s)
{
    static const char often[] = HEAD "audit: {checkpoint: 1s}\n" TOOLS(TOOL("cat") "," TOOL("ls"));
    struct box b;

    (void)s;
    no_trust();
    b = box_running("00000000000a", broad, (struct with){ 0 });
    assert_in_range(guard_tick(b.g), 5000, 10001);
    assert_int_equal(apply(&b, often, (struct with){ 0 }), 0);
    assert_in_range(guard_tick(b.g), 0, 1001);
    box_end(&b);
    b = box_running("00000000000b", often, (struct with){ 0 });
    assert_in_range(guard_tick(b.g), 0, 1001);
    box_end(&b);
}

static void a_log_that_is_asked_for_later_is_kept(void **s)
{
    static const char off[] = HEAD "audit: {level: off}\n" TOOLS(TOOL("cat") "," TOOL("ls"));
    struct box b;

    (void)s;
    no_trust();
    b = box_running("00000000000a", off, (struct with){ 0 });
    assert_int_equal(run(&b, "/bin/ls", NULL), 0);
    assert_int_equal(logged(&b, "", NULL), 0);
    assert_int_equal(apply(&b, broad, (struct with){ 0 }), 0);
    assert_int_equal(run(&b, "/bin/ls", NULL), 0);
    assert_int_equal(run(&b, "/bin/rm", NULL), -EACCES);
    assert_int_equal(logged(&b, "/bin/ls", NULL), 1);
    assert_int_equal(logged(&b, "/bin/rm", "deny"), 1);
    assert_int_equal(logged(&b, "\"seq\":0", "sandbox.start"), 1);
    box_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(p11_what_a_quarantine_denies_is_recorded, setup, teardown),
        cmocka_unit_test_setup_teardown(h01_a_log_behind_a_link_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(p11_a_damaged_dossier_says_why, setup, teardown),
        cmocka_unit_test_setup_teardown(p11_a_new_start_is_no_way_out, setup, teardown),
        cmocka_unit_test_setup_teardown(h07_what_cannot_be_written_down, setup, teardown),
        cmocka_unit_test_setup_teardown(p11_a_grants_end_is_not_a_quarantines, setup, teardown),
        cmocka_unit_test_setup_teardown(p09_a_grant_is_not_made_permanent, setup, teardown),
        cmocka_unit_test_setup_teardown(h11_a_grant_ends_though_the_clock_is_set_back, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(p08_a_grant_does_not_lift_a_child_above_its_parent, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(p08_a_child_ends_with_its_parents_grant, setup, teardown),
        cmocka_unit_test_setup_teardown(p08_a_grandchild_follows_the_eldest, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_longer_than_a_record_is_recorded_whole, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(checkpoints_come_as_often_as_the_policy_says, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_log_that_is_asked_for_later_is_kept, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
