/*
 * payload_files.c - inside a locked-down carrel-files, started by a keeper as ever: what an
 * attacker would try next. Calls that it does not need end it (h16); those that it may make lead to
 * nothing but what was granted.
 */
#include "policies/processes.h"
#include "tests/payload/files_attack.h"
#include "tests/unit/keeper_rig.h"

#include "base/compiler.h"
#include "base/fd.h"
#include "base/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MS 10000

static char policy[1024];

static void make(const char *name, const char *content)
{
    char path[160];
    int fd;

    snprintf(path, sizeof(path), "%s.d/%s", rig.root, name);
    if (!content) {
        assert_int_equal(mkdir(path, 0700), 0);
        return;
    }
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(io_write_full(fd, content, strlen(content)), 0);
    close(fd);
}

/* The roots, and beside them what nobody was granted. The state directory may not be shared. */
static int setup(void **state)
{
    char path[160];

    if (rig_setup(state))
        return -1;
    snprintf(path, sizeof(path), "%s.d", rig.root);
    if (mkdir(path, 0700))
        return -1;
    make("rw", NULL);
    make("ro", NULL);
    make("outside", NULL);
    make("outside/secret", "secret");
    make("outside/empty", NULL);
    make("rw/mine", "mine");
    make("ro/kept", "kept");
    make("ro/empty", NULL);
    snprintf(path, sizeof(path), "%s.d/rw/link", rig.root);
    if (symlink("../outside/secret", path))
        return -1;
    snprintf(path, sizeof(path), "%s.d/outside/pointer", rig.root);
    if (symlink("nowhere", path))
        return -1;
    snprintf(policy, sizeof(policy),
             "carrel: 1\nname: test\nlimits: {wall: 1h, idle: 1h}\nstorage:\n"
             "  root: {mode: overlay, quota: {bytes: 1GiB}}\n  mounts:\n"
             "    - {id: rw, source: %s.d/rw, target: /rw, access: rw, share: live, quota: {bytes: "
             "1MiB, inodes: 50}}\n"
             "    - {id: ro, source: %s.d/ro, target: /ro, access: ro, share: live}\n",
             rig.root, rig.root);
    rig.policy = policy;
    return 0;
}

static int teardown(void **state)
{
    char cmd[128];

    snprintf(cmd, sizeof(cmd), "rm -rf %s.d", rig.root);
    return system(cmd) | rig_teardown(state); /* NOLINT(cert-env33-c): a directory of our own */
}

/* What the directories outside and ro hold, and when each thing changed: nothing may. */
static void look(const char *dir, char *out, size_t room)
{
    char path[160];
    struct dirent **list;
    size_t at = 0;
    int n;

    snprintf(path, sizeof(path), "%s.d/%s", rig.root, dir);
    n = scandir(path, &list, NULL, alphasort);
    assert_true(n >= 2);
    out[0] = '\0';
    for (int i = 0; i < n; i++) {
        struct stat st;
        char file[512];

        snprintf(file, sizeof(file), "%s/%s", path, list[i]->d_name);
        if (strcmp(list[i]->d_name, "..") != 0) {
            assert_int_equal(lstat(file, &st), 0);
            at += (size_t)snprintf(out + at, room - at, "%s %o %lu %ld %ld.%09ld\n",
                                   list[i]->d_name, st.st_mode, (unsigned long)st.st_nlink,
                                   (long)st.st_size, (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
            assert_true(at < room);
        }
        free(list[i]);
    }
    free(list);
}

/* Until the keeper has written down that its server is gone. */
static void await_end(void)
{
    auto_fd int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    struct pollfd p = { .fd = watch, .events = POLLIN };
    static char text[65536];
    char path[128];

    snprintf(path, sizeof(path), "%s/sandboxes/%s/keeper.log", rig.root, rig.cfg.id);
    assert_true(inotify_add_watch(watch, path, IN_MODIFY) >= 0);
    for (;;) {
        auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = io_read_full(fd, text, sizeof(text) - 1);

        assert_true(n >= 0);
        text[n] = '\0';
        if (strstr(text, "the server of live mounts has ended"))
            return;
        if (poll(&p, 1, WAIT_MS) != 1)
            fail_msg("carrel-files goes on: %s", text);
        while (read(watch, text, sizeof(text)) > 0)
            ;
    }
}

enum outcome { SUCCEEDED, REFUSED, ENDED, CHANGED };

static const char *const outcomes[] = { "succeeded", "was refused", "ended it",
                                        "changed something" };

static enum outcome attack(unsigned n, int *error)
{
    char order[16], was[2][4096], is[2][4096], path[160], result[64] = "", *end;
    auto_fd int fd = -1;
    long r;

    snprintf(order, sizeof(order), "%u", n);
    make("rw/" FILES_ORDER, order);
    look("outside", was[0], sizeof(was[0]));
    look("ro", was[1], sizeof(was[1]));
    rig_start(false, NULL, false);
    await_end();
    look("outside", is[0], sizeof(is[0]));
    look("ro", is[1], sizeof(is[1]));
    if (strcmp(is[0], was[0]) != 0 || strcmp(is[1], was[1]) != 0)
        return CHANGED;
    snprintf(path, sizeof(path), "%s.d/rw/" FILES_BEGUN, rig.root);
    assert_int_equal(access(path, F_OK), 0); /* it did come so far */
    snprintf(path, sizeof(path), "%s.d/rw/" FILES_RESULT, rig.root);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return ENDED;
    assert_true(read(fd, result, sizeof(result) - 1) > 0);
    r = strtol(result, &end, 10);
    *error = (int)strtol(end, NULL, 10);
    return r == -1 ? REFUSED : SUCCEEDED;
}

/* ---- the tests ---- */

/* Each has a sandbox of its own. Counts those that did not come out like this. */
static unsigned try(unsigned n, enum outcome want)
{
    void *state = NULL;
    int error = 0;
    enum outcome got;

    assert_int_equal(setup(&state), 0);
    got = attack(n, &error);
    assert_int_equal(teardown(&state), 0);
    if (got == want)
        return 0;
    print_error("%s: %s (%s)\n", n < ATTACKS_ALL ? attack_name(n) : files_attack_name(n),
                outcomes[got], strerror(error));
    return 1;
}

static bool is_needed(const struct seccomp_model *m, long nr)
{
    for (uint32_t i = 0; i < m->nrules; i++)
        if (m->rules[i].nr == (uint32_t)nr)
            return true;
    return false;
}

static void h16_calls_that_it_does_not_need_end_it(void **state)
{
    static struct seccomp_rule rules[PROCESS_RULES_MAX];
    struct seccomp_model m;
    unsigned wrong = 0, tried = 0;

    (void)state;
    process_model(process_find("files"), USE_ALL, rules, &m);
    for (unsigned n = 0; n < ATTACKS_ALL; n++) {
        if (n < ATTACKS && is_needed(&m, attack_number(n)) && n != ATTACK_mmap_exec)
            continue; /* memory of its own, times, and the calls of the next test */
        wrong += try(n, ENDED);
        tried++;
    }
    print_message("%u attacks, %u not refused\n", tried, wrong);
    assert_int_equal(wrong, 0);
    assert_true(tried >= 90);
}

static void h16_calls_that_it_needs_lead_nowhere_else(void **state)
{
    unsigned wrong = 0;

    (void)state;
    for (unsigned n = FILES_NOTHING + 1; n < FILES_ATTACKS_END; n++)
        wrong += try(n, REFUSED);
    print_message("%u attacks, %u not refused\n", FILES_ATTACKS_END - FILES_NOTHING - 1, wrong);
    assert_int_equal(wrong, 0);
}

static void an_attacker_who_does_no_harm_succeeds(void **state)
{
    (void)state;
    assert_int_equal(try(FILES_NOTHING, SUCCEEDED), 0);
}

/* Without walls each of them works: the tests above do not pass by accident. */
static void attacks_work_where_nothing_stops_them(void **state)
{
    (void)state;
    for (unsigned n = FILES_NOTHING + 1; n < FILES_ATTACKS_END; n++) {
        char path[160];
        int rw, ro;

        assert_int_equal(setup(state), 0);
        snprintf(path, sizeof(path), "%s.d/rw", rig.root);
        rw = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        snprintf(path, sizeof(path), "%s.d/ro", rig.root);
        ro = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (files_attempt(n, rw, ro) < 0)
            fail_msg("%s: %s", files_attack_name(n), strerror(errno));
        close(rw);
        close(ro);
        assert_int_equal(teardown(state), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_attacker_who_does_no_harm_succeeds),
        cmocka_unit_test(attacks_work_where_nothing_stops_them),
        cmocka_unit_test(h16_calls_that_it_needs_lead_nowhere_else),
        cmocka_unit_test(h16_calls_that_it_does_not_need_end_it),
    };

    return cmocka_run_group_tests_name("files_attack", tests, NULL, NULL);
}
