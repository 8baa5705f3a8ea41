/*
 * test_guard.c - the parts of the guard on arrays and temporary files: what a command can mean,
 * what a dossier keeps, what a ledger counts.
 */
#include "base/fd.h"
#include "base/sha256.h"
#include "policies/canon.h"
#include "sandbox/guard/internal.h"

#include <errno.h>
#include <fcntl.h>
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

static char root[64];
static int dir = -1;
static struct err e;

static int setup(void **s)
{
    (void)s;
    snprintf(root, sizeof(root), "/tmp/carrel-guard.XXXXXX");
    e = ERR_INIT;
    if (!mkdtemp(root))
        return -1;
    dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir < 0;
}

static int teardown(void **s)
{
    char cmd[96];

    (void)s;
    fd_closep(&dir);
    snprintf(cmd, sizeof(cmd), "rm -rf %s", root);
    return system(cmd); /* NOLINT(cert-env33-c): a directory of our own */
}

static int subdir(const char *name)
{
    assert_int_equal(mkdirat(dir, name, 0700), 0);

    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

/* ---- what a command can mean ---- */

#define HEAD "carrel: 1\nname: t\ntools:\n  commands:\n"
#define RULE(id, path, user)                                 \
    "    - {id: " id ", exec: {path: " path "}, user: " user \
    ", argv: [{allow: [{any: {count: 0..3}}]}], env: {allow: [\"*\"]}, paths: {ro: [/]}}\n"

struct asking {
    struct policy *policy;
    struct ruleset *rules;
    struct arena arena;
    struct exec_answer answer;
};

static void ask_open(struct asking *a, const char *yaml)
{
    struct problems ps = PROBLEMS_INIT;
    struct text t = TEXT_INIT;

    *a = (struct asking){ .arena = ARENA_INIT };
    a->policy = policy_load(yaml, strlen(yaml), "t.yaml", NULL, NULL, &ps);
    problems_print(&ps, &t);
    if (!a->policy)
        fail_msg("%s", text_str(&t));
    text_fini(&t);
    problems_fini(&ps);
    a->rules = ruleset_make(a->policy, NULL);
}

static void ask_close(struct asking *a)
{
    ruleset_free(a->rules);
    policy_free(a->policy);
    arena_fini(&a->arena);
}

/* NULL where there is none. */
static bool asked(struct asking *a, const char *argv0, const char *path, const char *cwd,
                  const char *user)
{
    struct msg_builder *b = malloc(sizeof(*b));
    struct exec_ask ask;

    assert_non_null(b);
    msg_begin(b, MSG_EXEC);
    msg_add_text(b, MSG_ARG, argv0);
    msg_add_text(b, MSG_ARG, "x");
    if (path)
        msg_add_text(b, MSG_ENV, path);
    if (cwd)
        msg_add_text(b, MSG_CWD, cwd);
    if (user)
        msg_add_text(b, MSG_USER, user);
    assert_int_equal(exec_read(&a->arena, b, &ask, &e), 0);
    free(b);
    exec_decide(&a->arena, a->rules, &ask, &a->answer);
    return a->answer.decision.allowed;
}

static void a_bare_name_is_what_path_can_make_of_it(void **s)
{
    struct asking a;

    (void)s;
    ask_open(&a, HEAD RULE("gcc", "/usr/bin/gcc", "0"));
    assert_true(asked(&a, "gcc", NULL, NULL, NULL));
    assert_string_equal(a.answer.exe, "/usr/bin/gcc");
    assert_true(asked(&a, "gcc", "PATH=/opt//bin:/usr/bin/", NULL, NULL));
    assert_string_equal(a.answer.exe, "/usr/bin/gcc");
    assert_false(asked(&a, "gcc", "PATH=/opt/bin", NULL, NULL));
    assert_false(asked(&a, "gcc", "PATH=", NULL, NULL));
    assert_false(asked(&a, "cc", NULL, NULL, NULL));
    ask_close(&a);
    /* Everything it can mean is allowed: the guest may choose. */
    ask_open(&a, HEAD RULE("all", "\"/**\"", "0"));
    assert_true(asked(&a, "gcc", NULL, NULL, NULL));
    assert_null(a.answer.exe);
    /* Not by one rule: then what is run is what was decided. */
    ask_close(&a);
    ask_open(&a, HEAD RULE("one", "\"/usr/bin/*\"", "0") RULE("two", "\"/opt/*\"", "0"));
    assert_true(asked(&a, "gcc", "PATH=/opt:/usr/bin", NULL, NULL));
    assert_string_equal(a.answer.exe, "/opt/gcc");
    ask_close(&a);
}

/* C06: the guest looks where PATH says; each of these places must have been asked about. */
static void c06_path_has_no_corner_that_was_not_asked_about(void **s)
{
    char many[2048] = "PATH=";
    struct asking a;

    (void)s;
    ask_open(&a, HEAD RULE("tools", "\"/opt/**\"", "0"));
    assert_true(asked(&a, "x", "PATH=/opt/a:/opt/b", "/tmp", NULL));
    assert_null(a.answer.exe);
    /* An empty part, at the end, in the middle or first, is the working directory. */
    assert_true(asked(&a, "x", "PATH=/opt/a:/opt/b:", "/tmp", NULL));
    assert_string_equal(a.answer.exe, "/opt/a/x");
    assert_true(asked(&a, "x", "PATH=/opt/a::/opt/b", "/tmp", NULL));
    assert_string_equal(a.answer.exe, "/opt/a/x");
    assert_true(asked(&a, "x", "PATH=:/opt/a:/opt/b", "/tmp", NULL));
    assert_string_equal(a.answer.exe, "/opt/a/x");
    assert_true(asked(&a, "x", "PATH=/opt/a::/opt/b", "/opt", NULL));
    assert_null(a.answer.exe);
    /* The same place twice is one place, so what is run is what was decided. */
    assert_true(asked(&a, "x", "PATH=/opt/a:/opt/./a/:/opt/a", "/tmp", NULL));
    assert_string_equal(a.answer.exe, "/opt/a/x");
    /* A relative one is below it. */
    assert_true(asked(&a, "x", "PATH=opt/a:opt/b", "/", NULL));
    assert_false(asked(&a, "x", "PATH=opt/a:opt/b", "/tmp", NULL));
    /* There are more of them than are looked at. */
    for (unsigned i = 0; i < 40; i++)
        snprintf(many + strlen(many), sizeof(many) - strlen(many), "/opt/%u:", i);
    strcat(many, "/bin"); /* NOLINT */
    assert_true(asked(&a, "x", many, "/tmp", NULL));
    assert_string_equal(a.answer.exe, "/opt/0/x");
    ask_close(&a);
}

/* What the guest would get for a request with these variables; NULL: not there. */
static const char *sent(struct asking *a, const char *env, const char *also, uint16_t tag,
                        const char *begins, struct tool_profile *t)
{
    struct msg_builder *b = malloc(sizeof(*b));
    struct msg_frame m;
    struct msg_field f;
    struct exec_ask ask;
    uint32_t pos = 0;
    const char *found = NULL;

    assert_non_null(b);
    msg_begin(b, MSG_EXEC);
    msg_add_text(b, MSG_ARG, "x");
    msg_add_text(b, MSG_ENV, env);
    if (also)
        msg_add_text(b, MSG_ENV, also);
    assert_int_equal(exec_read(&a->arena, b, &ask, &e), 0);
    exec_decide(&a->arena, a->rules, &ask, &a->answer);
    assert_true(a->answer.decision.allowed);
    assert_int_equal(exec_complete(t, &(struct programs){ .any = true }, &a->answer, false, b, &e),
                     0);
    m = (struct msg_frame){ .type = MSG_EXEC, .len = b->len, .body = b->bytes + MSG_HEADER };
    while (!found && msg_next_field(&m, &pos, &f) > 0)
        if (f.tag == tag && f.len >= strlen(begins) && !memcmp(f.at, begins, strlen(begins)))
            found = arena_copy(&a->arena, (const char *)f.at, f.len);
    free(b);
    return found;
}

static void what_a_rule_sets_is_not_the_callers(void **s)
{
    struct pair set[] = { { "MODE", "safe" }, { "PATH", "/usr/bin" } };
    struct bpf_insn none = { 0 };
    struct tool_profile t = { .id = "tools" };
    struct asking a;

    (void)s;
    t.filter.prog = &none;
    t.filter.len = 1;
    t.set.v = set;
    t.set.n = 1;
    ask_open(&a, HEAD RULE("tools", "\"/opt/**\"", "0"));
    assert_string_equal(sent(&a, "PATH=/opt/a:/opt/b", "MODE=wild", MSG_ENV, "MODE=", &t),
                        "MODE=safe");
    assert_string_equal(sent(&a, "PATH=/opt/a:/opt/b", "MODES=x", MSG_ENV, "MODES=", &t),
                        "MODES=x");
    assert_null(sent(&a, "PATH=/opt/a:/opt/b", NULL, MSG_EXE, "", &t));
    /* Another PATH than the one that was asked about does not choose the program. */
    t.set.n = 2;
    assert_string_equal(sent(&a, "PATH=/opt/a:/opt/b", NULL, MSG_EXE, "", &t), "/opt/a/x");
    ask_close(&a);
}

#define PIN(b) "00000000000000000000000000000000000000000000000000000000000000" b
#define PINNED(id, path, sha256)                                \
    "    - {id: " id ", exec: {path: " path ", sha256: " sha256 \
    "}, user: 0, argv: [{allow: [{any: {count: 0..3}}]}], env: {allow: [\"*\"]}}\n"

/* The field with this tag that the guest gets, but for what is in front; 0: none. */
static uint32_t told(struct asking *a, uint16_t tag, const struct programs *run, uint32_t from,
                     uint8_t out[64])
{
    struct bpf_insn none = { 0 };
    struct tool_profile t = { .id = "t", .filter = { &none, 1 } };
    struct msg_builder *b = malloc(sizeof(*b));
    struct msg_field f;
    uint32_t pos = 0, len = 0;

    assert_non_null(b);
    msg_begin(b, MSG_EXEC);
    msg_add_text(b, MSG_ARG, "cc");
    assert_int_equal(exec_complete(&t, run, &a->answer, false, b, &e), 0);

    const struct msg_frame m = { .len = b->len, .body = b->bytes + MSG_HEADER };

    while (!len && msg_next_field(&m, &pos, &f) > 0)
        if (f.tag == tag) {
            len = f.len - from;
            memcpy(out, f.at + from, len < 64 ? len : 64);
        }
    free(b);
    return len;
}

/* The keeper knows no file: it asks for every hash that a rule pins, and has the guest look. */
static void what_is_pinned_is_looked_at_in_the_guest(void **s)
{
    const char *paths[] = { PIN("bb") "/bin/as", "/bin/ld" };
    struct programs run = { .named = true, .paths = { paths, 2 } };
    uint8_t hash[SHA256_BYTES] = { 0 }, got[64];
    struct asking a;

    (void)s;
    hash[SHA256_BYTES - 1] = 0xaa;
    ask_open(&a, HEAD PINNED("cc", "/usr/bin/cc", PIN("aa")) PINNED("ld", "/bin/ld", PIN("bb")));
    assert_true(asked(&a, "cc", NULL, NULL, NULL));
    assert_string_equal(a.answer.exe, "/usr/bin/cc");
    assert_string_equal(a.answer.request.v[EXEC_SHA256].s, PIN("aa"));
    assert_int_equal(told(&a, MSG_SHA256, &run, 0, got), SHA256_BYTES);
    assert_memory_equal(got, hash, SHA256_BYTES);
    assert_int_equal(told(&a, MSG_FLAGS, &run, 0, got), 4);
    assert_int_equal(got[0], MSG_F_OWN);
    assert_int_equal(told(&a, MSG_RUN, &run, 0, got), 7);
    assert_int_equal(told(&a, MSG_RUN_SHA256, &run, SHA256_BYTES - 1, got), 8);
    assert_memory_equal(got, "\xbb/bin/as", 8);
    assert_int_equal(told(&a, MSG_EXE, &run, 0, got), 11);
    /* All may be executed, and still the program is the image's and has its hash. */
    run.any = true;
    assert_int_equal(told(&a, MSG_RUN_SHA256, &run, 0, got), 0);
    assert_int_equal(told(&a, MSG_SHA256, &run, 0, got), SHA256_BYTES);
    assert_int_equal(told(&a, MSG_FLAGS, &run, 0, got), 4);
    assert_int_equal(got[0], MSG_F_OWN);
    ask_close(&a);
    /* Whatever it holds: nothing is looked at but where it is from. */
    ask_open(&a, HEAD PINNED("cc", "/bin/cc", PIN("aa")) RULE("all", "\"/bin/*\"", "0"));
    assert_true(asked(&a, "/bin/cc", NULL, NULL, NULL));
    assert_string_equal(a.answer.decision.rule->id, "tools/commands/all");
    assert_false(a.answer.request.v[EXEC_SHA256].present);
    assert_int_equal(told(&a, MSG_SHA256, &run, 0, got), 0);
    ask_close(&a);
}

static void relative_names_are_below_the_working_directory(void **s)
{
    struct asking a;

    (void)s;
    ask_open(&a, HEAD RULE("tool", "/work/bin/tool", "0"));
    assert_true(asked(&a, "./bin/tool", NULL, "/work", NULL));
    assert_string_equal(a.answer.exe, "/work/bin/tool");
    assert_true(asked(&a, "/work/./bin//tool", NULL, NULL, NULL));
    assert_false(asked(&a, "bin/tool", NULL, NULL, NULL));
    /* Where ".." leads is the guest's to say, so it is nobody's. */
    assert_false(asked(&a, "/work/x/../bin/tool", NULL, NULL, NULL));
    assert_int_equal(a.answer.decision.reason, REASON_MALFORMED);
    ask_close(&a);
}

static void users_by_name_are_checked_by_number(void **s)
{
    struct asking a;

    (void)s;
    ask_open(&a, HEAD RULE("tool", "/t", "1000"));
    assert_true(asked(&a, "/t", NULL, NULL, "agent"));
    assert_int_equal(a.answer.uid, 1000);
    assert_true(asked(&a, "/t", NULL, NULL, "1000:1000"));
    assert_true(asked(&a, "/t", NULL, NULL, "agent:1000"));
    /* The group is the rule's as well. */
    assert_false(asked(&a, "/t", NULL, NULL, "1000:0"));
    assert_false(asked(&a, "/t", NULL, NULL, "1000:shadow"));
    assert_false(asked(&a, "/t", NULL, NULL, "1000:"));
    assert_false(asked(&a, "/t", NULL, NULL, "agent:01000"));
    assert_true(asked(&a, "/t", NULL, NULL, NULL)); /* whom the rule speaks of */
    assert_int_equal(a.answer.uid, 1000);
    assert_false(asked(&a, "/t", NULL, NULL, "root"));
    assert_false(asked(&a, "/t", NULL, NULL, "0"));
    assert_false(asked(&a, "/t", NULL, NULL, "1001"));
    ask_close(&a);
    /* A name that is not root's never means uid 0, even where a rule is for it. */
    ask_open(&a, HEAD RULE("tool", "/t", "0"));
    assert_false(asked(&a, "/t", NULL, NULL, "agent"));
    assert_true(asked(&a, "/t", NULL, NULL, "root:staff"));
    ask_close(&a);
    ask_open(&a, HEAD RULE("tool", "/t", "1000") RULE("rooted", "/t", "0"));
    assert_true(asked(&a, "/t", NULL, NULL, NULL)); /* root, where it may */
    assert_int_equal(a.answer.uid, 0);
    ask_close(&a);
}

static void the_environment_is_not_written_down(void **s)
{
    struct asking a;
    struct request spoken;

    (void)s;
    ask_open(&a, HEAD RULE("tool", "/t", "0"));
    assert_true(asked(&a, "/t", "KEY=hunter2", NULL, NULL));
    spoken = exec_spoken(&a.arena, &a.answer.request);
    assert_string_equal(spoken.v[EXEC_ENV].list.v[0], "KEY=");
    assert_string_equal(a.answer.request.v[EXEC_ENV].list.v[0], "KEY=hunter2");
    ask_close(&a);
}

/* ---- dossiers ---- */

static void make(struct dossier *d)
{
    static const char text[] = "carrel: 1\nname: t\n";
    struct policy *p;

    *d = (struct dossier){ 0 };
    assert_int_equal(dossier_add(d, NULL, strdup("t.yaml"), strdup(text), strlen(text), &e), 0);
    assert_int_equal(dossier_amend(d, "memory.max", "1GiB", &e), 0);
    assert_int_equal(dossier_ancestor(d, "0123456789ab", &e), 0);
    d->cwd = strdup("/home/x");
    p = dossier_policy(d, NULL);
    assert_non_null(p);
    assert_int_equal(p->memory.max, 1ull << 30);
    policy_hash(p, d->hash);
    policy_free(p);
}

static void a_dossier_comes_back_as_it_was(void **s)
{
    struct dossier d, back;

    (void)s;
    make(&d);
    assert_int_equal(dossier_save(&d, dir, DOSSIER_FILE, true, &e), 0);
    assert_int_equal(dossier_load(&back, dir, DOSSIER_FILE, &e), 0);
    assert_int_equal(back.ndocs, 1);
    assert_string_equal(back.doc[0].text, d.doc[0].text);
    assert_string_equal(back.amend[0].value, "1GiB");
    assert_string_equal(back.ancestor[0], "0123456789ab");
    assert_string_equal(back.cwd, "/home/x");
    assert_string_equal(back.hash, d.hash);
    dossier_fini(&back);
    dossier_fini(&d);
}

static void a_damaged_dossier_is_refused(void **s)
{
    struct dossier d, back;
    char text[2048];
    ssize_t n;
    int fd;

    (void)s;
    make(&d);
    assert_int_equal(dossier_save(&d, dir, DOSSIER_FILE, true, &e), 0);
    dossier_fini(&d);
    fd = openat(dir, DOSSIER_FILE, O_RDWR | O_CLOEXEC);
    n = read(fd, text, sizeof(text));
    assert_true(n > 0 && n < (ssize_t)sizeof(text));
    for (ssize_t cut = 0; cut < n; cut++) {
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, text, (size_t)cut, 0), cut);
        assert_true(dossier_load(&back, dir, DOSSIER_FILE, &e) < 0);
        dossier_fini(&back);
        assert_true(dossier_load(&back, dir, DOSSIER_FILE, NULL) < 0);
        dossier_fini(&back);
    }
    close(fd);
    assert_int_equal(dossier_ancestor(&back, "../../etc/xx", &e), -EINVAL);
}

static void amendments_are_numbers_of_the_document(void **s)
{
    static const char *const bad[][2] = { { "memory.max", "1" },       { "memory.max", "-1GiB" },
                                          { "memory", "1GiB" },        { "memory.max.x", "1GiB" },
                                          { "nothing", "1" },          { "", "" },
                                          { "tools.commands", "1" },   { "allow", "UPPER.com" },
                                          { "allow", "a.com:0" },      { "allow", "a.com:65536" },
                                          { "allow", "169.254.1.1" },  { "allow", "a.com:" },
                                          { "limits.wall", "999999d" } };

    (void)s;
    for (size_t i = 0; i < array_len(bad); i++) {
        struct dossier d;
        struct policy *p;

        make(&d);
        assert_int_equal(dossier_amend(&d, bad[i][0], bad[i][1], &e), 0);
        p = dossier_policy(&d, NULL);
        if (p)
            fail_msg("%s=%s was taken", bad[i][0], bad[i][1]);
        dossier_fini(&d);
    }
}

/* ---- ledgers ---- */

static void a_budget_is_spent_once(void **s)
{
    const uint64_t limit[LEDGER_ITEMS] = { 3, 100 };
    struct ledger l = LEDGER_INIT;
    uint64_t spent;
    unsigned whose;

    (void)s;
    assert_int_equal(ledger_open(&l, &dir, 1, limit, &e), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ledger_spend(&l, LEDGER_CALLS, 1, false, &whose, &e), 0);
    assert_int_equal(ledger_spend(&l, LEDGER_CALLS, 1, false, &whose, &e), -EDQUOT);
    assert_int_equal(ledger_spent(&l, LEDGER_CALLS, &spent, &e), 0);
    assert_int_equal(spent, 3);
    /* What was used already counts all the same, and no sum wraps. */
    assert_int_equal(ledger_spend(&l, LEDGER_CPU_MS, 150, true, &whose, &e), -EDQUOT);
    assert_int_equal(ledger_spent(&l, LEDGER_CPU_MS, &spent, &e), 0);
    assert_int_equal(spent, 150);
    assert_int_equal(ledger_spend(&l, LEDGER_CPU_MS, UINT64_MAX, false, &whose, &e), -EDQUOT);
    ledger_close(&l);
    /* It outlives the keeper. */
    assert_int_equal(ledger_open(&l, &dir, 1, limit, &e), 0);
    assert_int_equal(ledger_spend(&l, LEDGER_CALLS, 1, false, &whose, &e), -EDQUOT);
    ledger_close(&l);
}

static void children_spend_their_parents(void **s)
{
    const uint64_t three[LEDGER_ITEMS] = { 3, 0 }, ten[LEDGER_ITEMS] = { 10, 0 };
    struct ledger p = LEDGER_INIT, c = LEDGER_INIT;
    unsigned whose = 9;
    uint64_t spent;
    int fd[2];

    (void)s;
    fd[0] = subdir("parent");
    fd[1] = subdir("child");
    assert_int_equal(ledger_open(&c, fd, 2, ten, &e), -ENOENT); /* the parent never ran */
    ledger_close(&c);
    assert_int_equal(ledger_open(&p, fd, 1, three, &e), 0);
    assert_int_equal(ledger_open(&c, fd, 2, ten, &e), 0);
    assert_int_equal(ledger_spend(&p, LEDGER_CALLS, 1, false, &whose, &e), 0);
    assert_int_equal(ledger_spend(&c, LEDGER_CALLS, 1, false, &whose, &e), 0);
    assert_int_equal(ledger_spend(&c, LEDGER_CALLS, 1, false, &whose, &e), 0);
    assert_int_equal(ledger_spend(&c, LEDGER_CALLS, 1, false, &whose, &e), -EDQUOT);
    assert_int_equal(whose, 1);
    assert_int_equal(ledger_spend(&p, LEDGER_CALLS, 1, false, &whose, &e), -EDQUOT);
    assert_int_equal(whose, 0);
    assert_int_equal(ledger_spent(&p, LEDGER_CALLS, &spent, &e), 0);
    assert_int_equal(spent, 3);
    assert_int_equal(ledger_spent(&c, LEDGER_CALLS, &spent, &e), 0);
    assert_int_equal(spent, 2);
    ledger_close(&c);
    ledger_close(&p);
    close(fd[0]);
    close(fd[1]);
}

static void keepers_count_at_once(void **s)
{
    const uint64_t limit[LEDGER_ITEMS] = { 100000, 0 };
    struct ledger l = LEDGER_INIT;
    uint64_t spent;
    pid_t pid[4];

    (void)s;
    for (size_t i = 0; i < array_len(pid); i++) {
        pid[i] = fork();
        if (pid[i] == 0) {
            unsigned whose;
            int bad = ledger_open(&l, &dir, 1, limit, NULL);

            for (int k = 0; k < 500; k++)
                bad |= ledger_spend(&l, LEDGER_CALLS, 1, false, &whose, NULL);
            _exit(bad != 0);
        }
    }
    for (size_t i = 0; i < array_len(pid); i++) {
        int status = -1;

        assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(ledger_open(&l, &dir, 1, limit, &e), 0);
    assert_int_equal(ledger_spent(&l, LEDGER_CALLS, &spent, &e), 0);
    assert_int_equal(spent, 2000);
    ledger_close(&l);
}

static void a_damaged_account_is_not_an_empty_one(void **s)
{
    const uint64_t limit[LEDGER_ITEMS] = { 1, 1 };
    struct ledger l = LEDGER_INIT;
    int fd = openat(dir, LEDGER_FILE, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    (void)s;
    assert_int_equal(write(fd, "xx", 2), 2);
    close(fd);
    assert_int_equal(ledger_open(&l, &dir, 1, limit, &e), -EBADMSG);
    ledger_close(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_bare_name_is_what_path_can_make_of_it, setup, teardown),
        cmocka_unit_test_setup_teardown(c06_path_has_no_corner_that_was_not_asked_about, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_a_rule_sets_is_not_the_callers, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_pinned_is_looked_at_in_the_guest, setup, teardown),
        cmocka_unit_test_setup_teardown(relative_names_are_below_the_working_directory, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(users_by_name_are_checked_by_number, setup, teardown),
        cmocka_unit_test_setup_teardown(the_environment_is_not_written_down, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dossier_comes_back_as_it_was, setup, teardown),
        cmocka_unit_test_setup_teardown(a_damaged_dossier_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(amendments_are_numbers_of_the_document, setup, teardown),
        cmocka_unit_test_setup_teardown(a_budget_is_spent_once, setup, teardown),
        cmocka_unit_test_setup_teardown(children_spend_their_parents, setup, teardown),
        cmocka_unit_test_setup_teardown(keepers_count_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_damaged_account_is_not_an_empty_one, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
