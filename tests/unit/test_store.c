/* test_store.c - sandboxes on disk: whole or absent, found by what people type, mended once. */
#include "sandbox/store.h"

#include "sandbox/box_jail.h"
#include "sandbox/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
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
static struct store *store;
static struct err e;

static int setup(void **s)
{
    (void)s;
    snprintf(root, sizeof(root), "/tmp/carrel-store.XXXXXX");
    if (!mkdtemp(root) || setenv("CARREL_STATE", root, 1))
        return -1;
    e = ERR_INIT;
    store = store_open(&e);
    return store ? 0 : -1;
}

static int teardown(void **s)
{
    char cmd[128];

    (void)s;
    store_close(store);
    snprintf(cmd, sizeof(cmd), "rm -rf %s", root);
    return system(cmd); /* NOLINT(cert-env33-c): a directory of our own */
}

static void path_of(char out[160], const char *id, const char *file)
{
    snprintf(out, 160, "%s/sandboxes/%s/%s", root, id, file);
}

static struct box_config wanted(const char *name, bool ephemeral)
{
    struct box_config c = { .ephemeral = ephemeral, .mem_bytes = 256u << 20, .vcpus = 2 };

    snprintf(c.name, sizeof(c.name), "%s", name);
    c.image = strdup("mini");
    return c;
}

/* A created sandbox's id. */
static void make(const char *name, bool ephemeral, char id[BOX_ID_LEN + 1])
{
    struct box_config c = wanted(name, ephemeral);

    assert_int_equal(store_create(store, &c, &e), 0);
    memcpy(id, c.id, BOX_ID_LEN + 1);
    box_config_fini(&c);
}

static void set_state(const char *id, const struct box_state *st)
{
    char found[BOX_ID_LEN + 1];
    int dir = store_find(store, id, found, &e);

    assert_true(dir >= 0);
    assert_int_equal(box_save_state(dir, st, true, &e), 0);
    close(dir);
}

static int count_boxes(void)
{
    char **ids;
    size_t n;

    assert_int_equal(store_list(store, &ids, &n, &e), 0);
    for (size_t i = 0; i < n; i++)
        free(ids[i]);
    free(ids);
    return (int)n;
}

static void config_is_kept_whole(void **s)
{
    struct box_config c = wanted("whole", true), back;
    char id[BOX_ID_LEN + 1];

    (void)s;
    c.kernel = strdup("lean");
    c.argv = calloc(3, sizeof(char *));
    c.argv[0] = strdup("echo");
    c.argv[1] = strdup("\"quoted\" \xc3\xa4\n");
    c.env = calloc(1, sizeof(char *));
    c.disk_bytes = 5ull << 30;
    c.timeout_ms = 4000000000u;
    c.tty = true;
    c.labels = calloc(1, sizeof(*c.labels));
    c.labels[0].key = strdup("k");
    c.labels[0].value = strdup("v");
    c.nlabels = 1;
    assert_int_equal(store_create(store, &c, &e), 0);

    int dir = store_find(store, "whole", id, &e);

    assert_true(dir >= 0);
    assert_string_equal(id, c.id);
    assert_int_equal(box_load_config(dir, &back, &e), 0);
    assert_string_equal(back.id, c.id);
    assert_string_equal(back.kernel, "lean");
    assert_null(back.engine);
    assert_string_equal(back.argv[1], c.argv[1]);
    assert_null(back.argv[2]);
    assert_non_null(back.env);
    assert_null(back.env[0]);
    assert_true(back.disk_bytes == 5ull << 30 && back.timeout_ms == 4000000000u);
    assert_true(back.tty && back.ephemeral && !back.stdin_open);
    assert_string_equal(back.labels[0].value, "v");
    assert_true(back.created_ns == c.created_ns);
    box_config_fini(&back);
    box_config_fini(&c);
    close(dir);
}

/* h01: a state directory that somebody else prepared, or can change. */
static void h01_foreign_directories(void **s)
{
    static const char *const subs[] = { "sandboxes", "names" };
    char path[160];

    (void)s;
    for (size_t i = 0; i < array_len(subs); i++) {
        struct store *again;

        snprintf(path, sizeof(path), "%s/%s", root, subs[i]);
        assert_int_equal(chmod(path, 0770), 0);
        assert_null(store_open(&e));
        assert_int_equal(e.code, EPERM);
        assert_int_equal(chmod(path, 0700), 0);
        if (geteuid() == 0) {
            assert_int_equal(chown(path, 12345, 0), 0);
            assert_null(store_open(&e));
            assert_int_equal(e.code, EPERM);
            assert_int_equal(chown(path, 0, 0), 0);
        }
        again = store_open(&e);
        assert_non_null(again);
        store_close(again);
    }
}

static void private_modes(void **s)
{
    char id[BOX_ID_LEN + 1], path[160];
    struct stat st;

    (void)s;
    make("modes", false, id);
    path_of(path, id, "");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    path_of(path, id, "config.json");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void names_are_taken_once(void **s)
{
    struct box_config c = wanted("taken", false);
    char id[BOX_ID_LEN + 1];

    (void)s;
    make("taken", false, id);
    assert_int_equal(store_create(store, &c, &e), -EEXIST);
    box_config_fini(&c);
    assert_int_equal(count_boxes(), 1);
    assert_int_equal(store_remove(store, id, &e), 0);

    char link[160], to[16];

    snprintf(link, sizeof(link), "%s/names/taken", root);
    assert_int_equal(readlink(link, to, sizeof(to)), -1);
    make("taken", false, id); /* free again */
}

static void bad_names_are_refused(void **s)
{
    static const char *const bad[] = { "-x", ".x", "a/b", "Upper", "..", "a b", "\xc3\xa4" };

    (void)s;
    for (size_t i = 0; i < array_len(bad); i++) {
        struct box_config c = wanted(bad[i], false);

        assert_int_equal(store_create(store, &c, &e), -EINVAL);
        box_config_fini(&c);
    }
    assert_int_equal(count_boxes(), 0);
}

/* Eight processes want one name at once: one gets it, and only its sandbox exists. */
static void concurrent_creates_of_one_name(void **s)
{
    int won = 0;

    (void)s;
    for (int i = 0; i < 8; i++) {
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
            struct err why = ERR_INIT;
            struct store *mine = store_open(&why);
            struct box_config c = wanted("race", false);
            int err = mine ? store_create(mine, &c, &why) : -1;

            _exit(err == 0 ? 0 : err == -EEXIST ? 1 : 2);
        }
    }
    for (int i = 0; i < 8; i++) {
        int st;

        assert_true(wait(&st) > 0);
        assert_true(WIFEXITED(st) && WEXITSTATUS(st) < 2);
        won += WEXITSTATUS(st) == 0;
    }
    assert_int_equal(won, 1);
    assert_int_equal(count_boxes(), 1);
}

static void found_by_name_id_and_prefix(void **s)
{
    char a[BOX_ID_LEN + 1], b[BOX_ID_LEN + 1], id[BOX_ID_LEN + 1], both[160], from[160];

    (void)s;
    make("first", false, a);
    make("", false, b); /* a generated name */

    int dir = store_find(store, "first", id, &e);

    assert_true(dir >= 0);
    close(dir);
    dir = store_find(store, b, id, &e);
    assert_true(dir >= 0);

    struct box_config c;

    assert_int_equal(box_load_config(dir, &c, &e), 0);
    assert_non_null(strchr(c.name, '-'));
    box_config_fini(&c);
    close(dir);

    /* Two ids with a common beginning. */
    path_of(from, b, "");
    snprintf(both, sizeof(both), "%s/sandboxes/%.6s%s", root, a,
             strcmp(a + 6, "000000") != 0 ? "000000" : "111111");
    assert_int_equal(rename(from, both), 0);
    assert_int_equal(store_find(store, (char[]){ a[0], a[1], a[2], 0 }, id, &e), -ENOTUNIQ);
    assert_non_null(strstr(e.msg, a));
    dir = store_find(store, a, id, &e);
    assert_true(dir >= 0);
    assert_string_equal(id, a);
    close(dir);

    static const char *const none[] = { "nosuch", "", "../../etc", "f/../first", "." };

    for (size_t i = 0; i < array_len(none); i++)
        assert_int_equal(store_find(store, none[i], id, &e), -ENOENT);
}

static void listed_by_creation(void **s)
{
    char id[5][BOX_ID_LEN + 1];
    char **ids;
    size_t n;

    (void)s;
    for (int i = 0; i < 5; i++)
        make("", false, id[i]);
    assert_int_equal(store_list(store, &ids, &n, &e), 0);
    assert_int_equal(n, 5);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(ids[i], id[i]);
        free(ids[i]);
    }
    free(ids);
}

static void write_file(const char *id, const char *file, const char *text)
{
    char path[160];

    path_of(path, id, file);

    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* h13: a damaged file is named, whatever is wrong with it. */
static void h13_torn_files_are_named(void **s)
{
    static const char *const torn[] = {
        "", "{", "[]", "{\"phase\":\"running\"}", "null", "{\"phase\":1e999}", "\x01\xff",
    };
    struct box_state st;
    struct box_config c;
    char id[BOX_ID_LEN + 1], found[BOX_ID_LEN + 1];

    (void)s;
    make("torn", false, id);

    int dir = store_find(store, id, found, &e);

    for (size_t i = 0; i < array_len(torn); i++) {
        write_file(id, "state.json", torn[i]);
        assert_true(box_load_state(dir, &st, &e) < 0);
        assert_non_null(strstr(e.msg, "state.json"));
        assert_true(store_reconcile(store, id, &e) < 0);
        write_file(id, "config.json", torn[i]);
        assert_true(box_load_config(dir, &c, &e) < 0);
        assert_non_null(strstr(e.msg, "config.json"));
    }
    assert_int_equal(count_boxes(), 1);
    assert_int_equal(store_remove(store, id, &e), 0); /* it can still be removed */
    close(dir);
}

static void state_fields_are_judged(void **s)
{
    struct box_state st = { .phase = BOX_RUNNING, .vmm_pid = 7, .exit_code = 3 }, back;
    char *text, *at;

    (void)s;
    snprintf(st.reason, sizeof(st.reason), "exited");
    snprintf(st.text, sizeof(st.text), "bad \xff \x1b[31m \xc3");
    text = box_state_to_json(&st, &e);
    assert_non_null(text);
    assert_non_null(strstr(text, "\"exit_code_by\":\"guest\"")); /* r07 */
    assert_int_equal(box_state_parse(text, strlen(text), &back, &e), 0);
    assert_int_equal(back.phase, BOX_RUNNING);
    assert_int_equal(back.vmm_pid, 7);
    assert_int_equal(back.exit_code, 3);
    assert_string_equal(back.text, "bad ? ?[31m ?");
    assert_int_equal(box_state_parse(text, strlen(text) - 1, &back, &e), -EBADMSG);

    /* One field more than this version knows. */
    at = malloc(strlen(text) + 16);
    sprintf(at, "{\"more\":1,%s", text + 1);
    assert_int_equal(box_state_parse(at, strlen(at), &back, &e), -EBADMSG);
    free(at);

    at = strstr(text, "\"phase\":\"running\"");
    memcpy(at, "\"phase\":\"runnung\"", 17);
    assert_int_equal(box_state_parse(text, strlen(text), &back, &e), -EBADMSG);
    free(text);

    snprintf(st.reason, sizeof(st.reason), "killed");
    text = box_state_to_json(&st, &e);
    assert_non_null(strstr(text, "\"exit_code_by\":\"host\""));
    free(text);
}

/* A process that waits to be killed, as an engine without its keeper does. */
static pid_t start_orphan(void)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        for (;;)
            pause();
    }
    return pid;
}

static void h02_a_lost_keeper_is_mended_once(void **s)
{
    struct box_state st = { .phase = BOX_RUNNING, .exit_code = -1 };
    char id[BOX_ID_LEN + 1], found[BOX_ID_LEN + 1];
    int wstatus;

    (void)s;
    make("lost", false, id);
    st.vmm_pid = start_orphan();
    st.vmm_start = proc_start_time(st.vmm_pid);
    assert_true(st.vmm_start > 0);
    set_state(id, &st);

    int dir = store_find(store, id, found, &e);
    int lock = box_lock(dir, &e);

    assert_true(lock >= 0); /* its keeper lives: nothing happens */
    assert_int_equal(store_reconcile(store, id, &e), 0);
    assert_int_equal(waitpid(st.vmm_pid, &wstatus, WNOHANG), 0);
    assert_int_equal(store_remove(store, id, &e), -EBUSY);
    close(lock);

    assert_int_equal(store_reconcile(store, id, &e), 1);
    assert_int_equal(waitpid(st.vmm_pid, &wstatus, 0), st.vmm_pid);
    assert_true(WIFSIGNALED(wstatus) && WTERMSIG(wstatus) == SIGKILL);
    assert_int_equal(box_load_state(dir, &st, &e), 0);
    assert_int_equal(st.phase, BOX_ENDED);
    assert_string_equal(st.reason, "keeper-lost");
    assert_int_equal(st.vmm_pid, 0);
    assert_int_equal(store_reconcile(store, id, &e), 0);
    close(dir);
}

/* A pid that belongs to another process by now is left alone. */
static void reused_pids_are_spared(void **s)
{
    struct box_state st = { .phase = BOX_RUNNING, .exit_code = -1 };
    char id[BOX_ID_LEN + 1];
    int wstatus;

    (void)s;
    make("reused", false, id);
    st.vmm_pid = start_orphan();
    st.vmm_start = proc_start_time(st.vmm_pid) + 1;
    set_state(id, &st);
    assert_int_equal(store_reconcile(store, id, &e), 1);
    assert_int_equal(waitpid(st.vmm_pid, &wstatus, WNOHANG), 0);
    kill(st.vmm_pid, SIGKILL);
    waitpid(st.vmm_pid, &wstatus, 0);
}

static void lost_ephemeral_ones_vanish(void **s)
{
    const struct box_state st = { .phase = BOX_BOOTING, .exit_code = -1 };
    char id[BOX_ID_LEN + 1], found[BOX_ID_LEN + 1];

    (void)s;
    make("gone", true, id);
    assert_int_equal(store_reconcile(store, id, &e), 0); /* just created: its client is at it */
    set_state(id, &st);
    assert_int_equal(store_reconcile(store, id, &e), 1);
    assert_int_equal(store_find(store, "gone", found, &e), -ENOENT);
    assert_int_equal(store_find(store, id, found, &e), -ENOENT);
    assert_int_equal(store_reconcile(store, id, &e), -ENOENT);
}

/* A lock taken on a directory that was removed meanwhile is worth nothing. */
static void the_lock_of_a_removed_sandbox(void **s)
{
    char id[BOX_ID_LEN + 1], found[BOX_ID_LEN + 1];

    (void)s;
    make("removed", false, id);

    int dir = store_find(store, id, found, &e);

    assert_int_equal(store_remove(store, id, &e), 0);
    assert_int_equal(box_lock(dir, &e), -ENOENT);
    close(dir);
}

/* h07: no room for the files: the error says so and nothing is left, not even the name. */
static void h07_nothing_is_left_of_a_failed_create(void **s)
{
    struct box_config c = wanted("full", false);
    char bad[] = "\xff\xfe";

    (void)s;
    c.cwd = strdup(bad); /* cannot be written as JSON: fails where a full disk would */
    assert_true(store_create(store, &c, &e) < 0);
    assert_non_null(strstr(e.msg, "cwd"));
    box_config_fini(&c);
    assert_int_equal(count_boxes(), 0);

    char found[BOX_ID_LEN + 1];

    assert_int_equal(store_find(store, "full", found, &e), -ENOENT);
    make("full", false, found);
}

/* Whoever makes or deletes one holds the lock on names, or would not mind. */
static void leftovers_are_deleted_by_the_next_create(void **s)
{
    char path[160], id[BOX_ID_LEN + 1];

    (void)s;
    snprintf(path, sizeof(path), "%s/sandboxes/.0123456789ab", root);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/sandboxes/.0123456789ab/disk.img", root);
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    snprintf(path, sizeof(path), "%s/sandboxes/.0123456789ab", root);
    make("", false, id);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(count_boxes(), 1);
}

/* A keeper that was taken over can make directories; they keep nothing else, of nobody. */
static void h10_what_cannot_be_deleted_keeps_nothing_else(void **s)
{
    static const char *const with[] = { "a", "disk.img", "m", "z" };
    char ids[4][BOX_ID_LEN + 1], next[BOX_ID_LEN + 1], from[160], to[128];
    struct stat st;

    (void)s;
    for (int i = 0; i < 4; i++) {
        make("", true, ids[i]);
        for (size_t f = 0; f < array_len(with); f++)
            write_file(ids[i], with[f], "x");
        path_of(from, ids[i], "inner");
        if (i % 2 == 0)
            assert_int_equal(mkdir(from, 0700), 0);
    }
    for (int i = 0; i < 4; i++) {
        snprintf(from, sizeof(from), "%s/sandboxes/%s", root, ids[i]);
        snprintf(to, sizeof(to), "%s/sandboxes/.%s", root, ids[i]);
        assert_int_equal(rename(from, to), 0);
    }
    make("next", false, next);
    for (int i = 0; i < 4; i++) {
        snprintf(to, sizeof(to), "%s/sandboxes/.%s", root, ids[i]);
        assert_int_equal(stat(to, &st) == 0, i % 2 == 0);
        for (size_t f = 0; f < array_len(with); f++) {
            snprintf(from, sizeof(from), "%s/%s", to, with[f]);
            assert_int_equal(access(from, F_OK), -1);
        }
    }
}

/* h13: state.json is torn while a machine runs: its removal ends the machine that jail.json names.
 */
static void h13_a_torn_state_hides_no_machine(void **s)
{
    struct box_jail j = { .engine = "kvm" };
    char id[BOX_ID_LEN + 1], found[BOX_ID_LEN + 1];
    pid_t pid = fork();
    int dir, fd, status;

    (void)s;
    if (pid == 0) {
        pause();
        _exit(0);
    }
    make("torn", false, id);
    dir = store_find(store, id, found, &e);
    j.pid = pid;
    j.start = proc_start_time(pid);
    assert_int_equal(box_save_jail(dir, BOX_ENGINE, &j, &e), 0);
    fd = openat(dir, "state.json", O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_int_equal(write(fd, "{\"phase\"", 8), 8);
    close(fd);
    close(dir);
    assert_int_equal(store_reconcile(store, id, &e), -EBADMSG);
    assert_int_equal(store_remove(store, id, &e), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(count_boxes(), 0);
}

/* h06: who made it is gone before a keeper had it: it goes too, and its name. One that was let go
 * stays. */
static void h06_unfinished_ones_go_with_their_maker(void **s)
{
    struct box_config c = wanted("begun", false);
    struct store *other = store_open(&e);
    char id[BOX_ID_LEN + 1], found[BOX_ID_LEN + 1];

    (void)s;
    assert_int_equal(store_create(other, &c, &e), 0);
    memcpy(id, c.id, sizeof(id));
    box_config_fini(&c);
    assert_int_equal(store_reconcile(store, id, &e), 0);
    store_close(other);
    assert_int_equal(store_reconcile(store, id, &e), 1);
    assert_int_equal(store_find(store, "begun", found, &e), -ENOENT);

    other = store_open(&e);
    c = wanted("begun", false);
    assert_int_equal(store_create(other, &c, &e), 0);
    store_let_go(other);
    store_close(other);
    assert_int_equal(store_reconcile(store, c.id, &e), 0);
    assert_int_equal(count_boxes(), 1);
    box_config_fini(&c);
}

static void a_process_that_waits_to_be_reaped_has_ended(void **s)
{
    siginfo_t info;
    uint64_t start;
    pid_t pid = fork();

    (void)s;
    if (pid == 0) {
        pause();
        _exit(0);
    }
    start = proc_start_time(pid);
    assert_true(proc_runs(pid, start));
    assert_false(proc_runs(pid, start + 1));
    kill(pid, SIGKILL);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_true(proc_start_time(pid) == start);
    assert_false(proc_runs(pid, start));
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_false(proc_runs(pid, start));
    assert_false(proc_runs(0, 0));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_that_waits_to_be_reaped_has_ended),
        T(config_is_kept_whole),
        T(h01_foreign_directories),
        T(private_modes),
        T(names_are_taken_once),
        T(bad_names_are_refused),
        T(concurrent_creates_of_one_name),
        T(found_by_name_id_and_prefix),
        T(listed_by_creation),
        T(h13_torn_files_are_named),
        T(state_fields_are_judged),
        T(h02_a_lost_keeper_is_mended_once),
        T(reused_pids_are_spared),
        T(lost_ephemeral_ones_vanish),
        T(the_lock_of_a_removed_sandbox),
        T(h07_nothing_is_left_of_a_failed_create),
        T(leftovers_are_deleted_by_the_next_create),
        T(h10_what_cannot_be_deleted_keeps_nothing_else),
        T(h13_a_torn_state_hides_no_machine),
        T(h06_unfinished_ones_go_with_their_maker),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
