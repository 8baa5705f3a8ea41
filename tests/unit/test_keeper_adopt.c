/*
 * test_keeper_adopt.c - a keeper that follows another (h03). That one may have been taken over:
 * until the new one is locked down, nothing that it could have written is there to be read, and
 * what is there then is forged. Its machine's carrel-files goes on.
 */
#include "tests/unit/keeper_rig.h"

#include "base/fd.h"
#include "sandbox/box_jail.h"
#include "sandbox/files/report.h"
#include "sandbox/files/scope.h"
#include "sandbox/guard/facts.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FAR (1ll << 60) /* ms: a time that never comes */

static struct scene {
    struct hold hold;
    struct keeper_parts parts;
    pid_t machine, files, victim;
    int denials;     /* carrel-files' end */
    char hidden[64]; /* the state directory until the lock-down */
    int box;         /* the sandbox's, until then */
    int guest;       /* the other end of its control port */
} scene;

static pid_t child(int *pidfd)
{
    pid_t pid = fork();

    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    *pidfd = (int)syscall(434 /* pidfd_open */, pid, 0);
    assert_true(*pidfd >= 0);
    return pid;
}

/* Names others, everywhere. */
static void forge(void)
{
    struct box_state st = { .phase = BOX_RUNNING, .vmm_pid = scene.victim, .exit_code = -1 };
    struct box_jail j = { .pid = scene.victim, .uid = 4711, .ncgroups = 1 };
    struct box_jail files = { .pid = scene.victim };
    struct kept *kept = scene.hold.kept;

    snprintf(st.engine, sizeof(st.engine), "no-such-engine");
    snprintf(j.cgroup[0], sizeof(j.cgroup[0]), "%s/carrel-%s", rig.root, rig.cfg.id);
    assert_int_equal(mkdir(j.cgroup[0], 0700), 0);
    assert_int_equal(box_save_state(rig.box, &st, false, &rig.err), 0);
    assert_int_equal(box_save_jail(rig.box, BOX_ENGINE, &j, &rig.err), 0);
    assert_int_equal(box_save_jail(rig.box, BOX_FILES, &files, &rig.err), 0);
    memset(kept, 'A', sizeof(*kept)); /* no text in it ends */
    kept->had_main = true;
    kept->main_tty = false;
    kept->main_job = kept->jobs[7];
    kept->limits = (struct limits){ FAR, FAR, FAR, UINT64_MAX };
    assert_int_equal(mprotect(kept, sizeof(*kept), PROT_NONE), 0);
}

static int scene_setup(void **state)
{
    struct hold *h = &scene.hold;
    int pair[2], err = rig_setup(state);

    *h = (struct hold){ .pid = getpid(), .socket = -1, .turn = 1 };
    memset(h->fd, 0xff, sizeof(h->fd));
    rig_make(false, "wait");
    h->kept =
        mmap(NULL, sizeof(struct kept), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    scene.victim = child(&h->fd[HOLD_ENGINE]);
    close(h->fd[HOLD_ENGINE]);
    scene.machine = child(&h->fd[HOLD_ENGINE]);
    scene.files = child(&h->fd[HOLD_FILES]);
    err |= socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
    h->fd[HOLD_DENIALS] = pair[0];
    scene.denials = pair[1];
    h->fd[HOLD_LOCK] = box_lock(rig.box, &rig.err);
    h->fd[HOLD_DOOR] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    err |= socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
    scene.guest = pair[1];
    h->fd[HOLD_SPARE] = pair[0];
    h->machine = (struct hold_machine){ .engine = &fake_machine,
                                        .pid = scene.machine,
                                        .files = scene.files,
                                        .begun = keeper_now() - 1000,
                                        .host = facts_of("fake", false) };
    forge();
    scene.parts = KEEPER_PARTS_INIT;
    snprintf(scene.hidden, sizeof(scene.hidden), "/tmp/carrel-hidden.XXXXXX");
    if (!mkdtemp(scene.hidden))
        return -1;
    scene.box = open(scene.hidden, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return err || h->kept == MAP_FAILED || h->fd[HOLD_LOCK] < 0 ||
           setenv("CARREL_STATE", scene.hidden, 1);
}

static int scene_teardown(void **state)
{
    static const char *const made[] = { "sandboxes", "names" };
    char path[128];

    for (size_t i = 0; i < array_len(made); i++) {
        snprintf(path, sizeof(path), "%s/%s", scene.hidden, made[i]);
        rmdir(path);
    }
    if (rmdir(scene.hidden)) /* nothing else was made there */
        return -1;
    for (unsigned i = 0; i < HOLD_FDS; i++)
        fd_closep(&scene.hold.fd[i]);
    kill(scene.machine, SIGKILL);
    kill(scene.files, SIGKILL);
    kill(scene.victim, SIGKILL);
    waitpid(scene.machine, NULL, 0);
    waitpid(scene.files, NULL, 0);
    waitpid(scene.victim, NULL, 0);
    close(scene.denials);
    close(scene.box);
    close(scene.guest);
    munmap(scene.hold.kept, sizeof(struct kept));
    return rig_teardown(state);
}

/* What was hidden is there from now on. */
static int lock_and_show(struct keeper *k, struct err *e)
{
    return dup3(rig.box, k->boxfd, O_CLOEXEC) < 0 || setenv("CARREL_STATE", rig.root, 1) ||
                   mprotect(k->kept, sizeof(*k->kept), PROT_READ | PROT_WRITE)
               ? err_sys(e, "test")
               : 0;
}

static int no_lock(struct keeper *k, struct err *e)
{
    (void)k;
    return err_set(e, ENOSYS, "no lock-down");
}

static struct keeper *follower(int (*lock_down)(struct keeper *k, struct err *e))
{
    struct keeper *k = keeper_new(scene.box, &scene.hold, false, &rig.err);

    assert_non_null(k);
    k->lock_down = lock_down;
    return k;
}

static bool is_alive(pid_t pid)
{
    siginfo_t how = { 0 };

    return waitid(P_PID, (id_t)pid, &how, WEXITED | WNOHANG | WNOWAIT) == 0 && how.si_pid == 0;
}

static void nothing_is_read_before_the_lock_down(void **state)
{
    struct keeper *k = follower(lock_and_show);
    struct box_state st;
    char leaf[160];

    (void)state;
    if (keeper_adopt(k, &scene.parts, &rig.err))
        fail_msg("%s", rig.err.msg);
    assert_true(k->settled);
    /* What the machine is comes from the holder. */
    assert_ptr_equal(k->engine, &fake_machine);
    assert_int_equal(k->run.pid, scene.machine);
    assert_int_equal(k->jail_record.ncgroups, 0);
    assert_int_equal(box_load_state(rig.box, &st, &rig.err), 0);
    assert_int_equal(st.vmm_pid, scene.machine);
    assert_string_equal(st.engine, "fake");
    /* And so does the time it has. */
    assert_int_equal(k->kept->limits.begun, scene.hold.machine.begun);
    assert_true(k->kept->limits.worked <= keeper_now());
    assert_true(k->kept->limits.cpu_seen < 60000);
    keeper_undo(k);
    assert_true(is_alive(scene.victim));
    assert_false(is_alive(scene.files));
    snprintf(leaf, sizeof(leaf), "%s/carrel-%s", rig.root, rig.cfg.id);
    assert_int_equal(access(leaf, F_OK), 0);
    keeper_free(k);
}

static void without_a_lock_down_nothing_is_read(void **state)
{
    struct keeper *k = follower(no_lock);

    (void)state;
    assert_int_equal(keeper_adopt(k, &scene.parts, &rig.err), -ENOSYS);
    assert_string_equal(rig.err.msg, "no lock-down");
    keeper_free(k);
}

/* h14: it had let go of the lock, and somebody has started the sandbox anew. */
static void the_sandbox_of_another_is_left_alone(void **state)
{
    struct keeper *k = follower(lock_and_show);
    struct box_holder owner;
    int other;

    (void)state;
    assert_int_equal(flock(scene.hold.fd[HOLD_LOCK], LOCK_UN), 0);
    other = box_lock(rig.box, &rig.err);
    assert_true(other >= 0);
    assert_int_equal(ftruncate(other, 0), 0);
    assert_int_equal(keeper_adopt(k, &scene.parts, &rig.err), -EWOULDBLOCK);
    owner = box_holder(rig.box);
    assert_int_equal(owner.pid, 0); /* not signed over */
    keeper_free(k);
    close(other);
}

static void a_lock_that_was_let_go_is_taken_again(void **state)
{
    struct keeper *k = follower(lock_and_show);

    (void)state;
    assert_int_equal(flock(scene.hold.fd[HOLD_LOCK], LOCK_UN), 0);
    if (keeper_adopt(k, &scene.parts, &rig.err))
        fail_msg("%s", rig.err.msg);
    assert_int_equal(box_lock(rig.box, &rig.err), -EWOULDBLOCK);
    keeper_undo(k);
    keeper_free(k);
}

/* ---- carrel-files ---- */

/* The last keeper was an honest one, without a main command. */
static int lock_and_forget(struct keeper *k, struct err *e)
{
    int err = lock_and_show(k, e);

    if (!err)
        memset(k->kept, 0, sizeof(*k->kept));
    return err;
}

/* carrel-files was told the rules of the policy that is in force. */
static void give_rules(void)
{
    struct dossier d = { 0 };
    struct text rules = TEXT_INIT;
    struct policy *p;

    assert_int_equal(dossier_load(&d, rig.box, DOSSIER_FILE, &rig.err), 0);
    p = dossier_policy(&d, NULL);
    assert_non_null(p);
    scope_write(p, &rules);
    SHA256((const unsigned char *)text_str(&rules), rules.len, scene.hold.machine.rules);
    text_fini(&rules);
    policy_free(p);
    dossier_fini(&d);
}

static const struct engine *frail(void)
{
    static struct engine frail;

    frail = fake_machine;
    frail.outlives_files = false;
    return &frail;
}

static struct keeper *adopt(void)
{
    struct keeper *k = follower(lock_and_forget);

    if (keeper_adopt(k, &scene.parts, &rig.err))
        fail_msg("%s", rig.err.msg);
    return k;
}

static void its_carrel_files_goes_on(void **state)
{
    struct files_report r = { .magic = FILES_REPORT_MAGIC };
    const struct jail_report again = { .magic = JAIL_MAGIC };
    struct keeper *k;
    uint32_t tokens;

    (void)state;
    give_rules();
    scene.hold.machine.engine = frail();
    k = adopt();
    assert_int_equal(k->life, LIFE_RUNNING);
    assert_true(is_alive(scene.files));
    tokens = k->files.tokens;
    assert_int_equal(send(scene.denials, &r, offsetof(struct files_report, path) + 1, 0),
                     offsetof(struct files_report, path) + 1);
    assert_int_equal(loop_once(&k->loop, 10000, &rig.err), 0);
    assert_int_equal(k->files.tokens, tokens - 1);
    /* What it is locked into is not for it to say. */
    assert_int_equal(send(scene.denials, &again, sizeof(again), 0), sizeof(again));
    keeper_files_drain(k);
    assert_int_equal(waitpid(scene.files, NULL, 0), scene.files);
    keeper_undo(k);
    assert_true(is_alive(scene.victim));
    keeper_free(k);
}

static void one_that_ended_unheard_ends_the_machine(void **state)
{
    struct pollfd p = { .fd = scene.hold.fd[HOLD_FILES], .events = POLLIN };
    struct keeper *k;

    (void)state;
    give_rules();
    scene.hold.machine.engine = frail();
    kill(scene.files, SIGTERM);
    assert_int_equal(poll(&p, 1, 10000), 1);
    k = adopt();
    assert_int_equal(k->life, LIFE_KILLING);
    assert_string_equal(k->state.reason, "files-lost");
    keeper_undo(k);
    keeper_free(k);
}

static void move(struct keeper *k, struct yamux *y)
{
    uint8_t buf[65536];
    ssize_t n;

    while ((n = recv(scene.guest, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
        assert_int_equal(yamux_input(y, buf, (size_t)n), n);
    while ((n = (ssize_t)yamux_output(y, buf, sizeof(buf))) > 0)
        assert_int_equal(send(scene.guest, buf, (size_t)n, 0), n);
    k->wire.src.ready(&k->wire.src, EPOLLIN);
}

/* The guest hears of the main command, and says that it runs. */
static void main_has_started(struct keeper *k)
{
    static const struct yamux_config cfg = { .max_streams = KEEPER_SESSIONS + 8, .accept = true };
    struct yamux *y = yamux_new(&cfg);
    uint8_t greeting[2 * MARK_BYTES], started[MSG_HEADER + 4] = { 0 }, head[MSG_HEADER];
    struct yamux_event ev;
    uint32_t id = 0;

    assert_int_equal(recv(scene.guest, greeting, sizeof(greeting), 0), sizeof(greeting));
    assert_int_equal(send(scene.guest, greeting + MARK_BYTES, MARK_BYTES, 0), MARK_BYTES);
    k->wire.src.ready(&k->wire.src, EPOLLIN);
    move(k, y);
    while (yamux_next_event(y, &ev))
        if (ev.type == YAMUX_OPENED && yamux_read(y, ev.id, head, sizeof(head)) > 0 &&
            head[0] == MSG_ATTACH)
            id = ev.id;
    assert_true(id);
    msg_header(started, MSG_STARTED, 4);
    assert_int_equal(yamux_write(y, id, started, sizeof(started)), sizeof(started));
    move(k, y);
    assert_true(k->main && k->main->talk.started);
    yamux_free(y);
}

/* The books that are left have the main command as often as this. */
static void main_is_one_job(unsigned times)
{
    struct kept *kept = scene.hold.kept;
    struct keeper *k = follower(lock_and_show);
    unsigned of_main = 0;

    assert_int_equal(mprotect(kept, sizeof(*kept), PROT_READ | PROT_WRITE), 0);
    kept->main_job = 2;
    for (unsigned i = 0; i < times; i++)
        kept->jobs[5 + i] = kept->main_job;
    assert_int_equal(mprotect(kept, sizeof(*kept), PROT_NONE), 0);
    if (keeper_adopt(k, &scene.parts, &rig.err))
        fail_msg("%s", rig.err.msg);
    main_has_started(k);
    for (size_t i = 0; i < KEEPER_JOBS; i++)
        of_main += k->jobs[i].session == k->main;
    assert_int_equal(of_main, 1);
    assert_ptr_equal(k->main->job->session, k->main);
    assert_int_equal(k->main->job->id, 2);
    keeper_undo(k);
    keeper_free(k);
}

/* The last keeper did not live to end it, or wrote another policy to the sandbox's directory. */
static void one_with_other_rules_is_ended(void **state)
{
    struct keeper *k;

    (void)state;
    k = adopt();
    assert_int_equal(k->life, LIFE_RUNNING);
    assert_false(is_alive(scene.files));
    keeper_undo(k);
    keeper_free(k);
}

/* Its end was heard and not yet written down; or somebody wants it to be asked about by nobody. */
static void a_main_command_that_is_in_no_book_is_decided_about(void **state)
{
    (void)state;
    main_is_one_job(0);
}

static void a_main_command_that_is_in_two_books_is_one(void **state)
{
    (void)state;
    main_is_one_job(2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_read_before_the_lock_down, scene_setup,
                                        scene_teardown),
        cmocka_unit_test_setup_teardown(without_a_lock_down_nothing_is_read, scene_setup,
                                        scene_teardown),
        cmocka_unit_test_setup_teardown(the_sandbox_of_another_is_left_alone, scene_setup,
                                        scene_teardown),
        cmocka_unit_test_setup_teardown(a_lock_that_was_let_go_is_taken_again, scene_setup,
                                        scene_teardown),
        cmocka_unit_test_setup_teardown(a_main_command_that_is_in_no_book_is_decided_about,
                                        scene_setup, scene_teardown),
        cmocka_unit_test_setup_teardown(a_main_command_that_is_in_two_books_is_one, scene_setup,
                                        scene_teardown),
        cmocka_unit_test_setup_teardown(its_carrel_files_goes_on, scene_setup, scene_teardown),
        cmocka_unit_test_setup_teardown(one_that_ended_unheard_ends_the_machine, scene_setup,
                                        scene_teardown),
        cmocka_unit_test_setup_teardown(one_with_other_rules_is_ended, scene_setup, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
