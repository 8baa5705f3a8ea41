/* keeper_rig.c - see keeper_rig.h */
#include "tests/unit/keeper_rig.h"

#include "base/fd.h"
#include "policies/canon.h"
#include "sandbox/keeper/ready.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct rig rig = { .box = -1 };

int rig_setup(void **s)
{
    (void)s;
    snprintf(rig.root, sizeof(rig.root), "/tmp/carrel-keeper.XXXXXX");
    if (!mkdtemp(rig.root) || setenv("CARREL_STATE", rig.root, 1))
        return -1;
    unsetenv("CARREL_BOOT_TIMEOUT");
    unsetenv("CARREL_PING_MS");
    unsetenv("CARREL_SILENT_MS");
    unsetenv("CARREL_AWAIT_MS");
    unsetenv("CARREL_FRAME_MS");
    unsetenv("CARREL_HUNG_UP_MS");
    boot = UP;
    rig.disk_bytes = 0;
    rig.policy = NULL;
    rig.cannot_lock = false;
    rig.err = ERR_INIT;
    rig.holder = 0;
    rig.store = store_open(&rig.err);
    return rig.store ? 0 : -1;
}

int rig_teardown(void **s)
{
    char cmd[128];

    (void)s;
    if (rig.holder > 0) {
        kill(rig.holder, SIGKILL);
        waitpid(rig.holder, NULL, 0);
        close(rig.done);
    }
    fd_closep(&rig.box);
    box_config_fini(&rig.cfg);
    store_close(rig.store);
    snprintf(cmd, sizeof(cmd), "rm -rf %s", rig.root);
    return system(cmd); /* NOLINT(cert-env33-c): a directory of our own */
}

void keep_policy_as(const char *file)
{
    static const char text[] =
        "carrel: 1\nname: test\nlimits: {wall: 1h, idle: 1h}\nstorage: {root: {mode: overlay, "
        "quota: {bytes: 1TiB}}}\ntools:\n  commands:\n"
        "    - {id: all, exec: {path: \"/**\"}, argv: [{allow: [{any: {count: 0..256}}]}],\n"
        "       env: {allow: [\"*\"]}, user: 0, paths: {ro: [/], rw: [/]}}\n";
    struct dossier d = { 0 };
    struct policy *p;

    assert_int_equal(dossier_add(&d, NULL, strdup("test.yaml"),
                                 strdup(rig.policy ? rig.policy : text),
                                 strlen(rig.policy ? rig.policy : text), &rig.err),
                     0);
    p = dossier_policy(&d, NULL);
    assert_non_null(p);
    policy_hash(p, d.hash);
    policy_free(p);
    assert_int_equal(dossier_save(&d, rig.box, file, true, &rig.err), 0);
    dossier_fini(&d);
}

/* A kernel without seccomp, say; found out when the guest has spoken already. */
static int no_lock(struct keeper *k, struct err *e)
{
    struct pollfd p = { .fd = k->wire.src.fd, .events = POLLIN };

    return poll(&p, 1, 10000) == 1 ? err_set(e, ENOSYS, "no lock-down") : 0;
}

struct order {
    bool await_main;
    int ready, done;
};

static int be_keeper(struct hold *h, void *arg)
{
    const struct order *o = arg;
    struct keeper_parts p = KEEPER_PARTS_INIT;
    struct keeper_ready r = { .magic = KEEPER_READY_MAGIC };
    struct err why = ERR_INIT;
    int log = openat(rig.box, "keeper.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    sigset_t set;

    dup2(log, 2);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);

    struct keeper *k = h->turn ? NULL : keeper_new(rig.box, h, o->await_main, &why);

    if (!k || keeper_claim(k, &why))
        _exit(72);
    k->engine = &fake_machine;
    r.code = -keeper_begin(k, &p, r.hint, &why);
    memcpy(r.msg, why.msg, sizeof(r.msg));
    fd_closep(&p.port);
    fd_closep(&p.log);
    if (rig.cannot_lock)
        k->lock_down = no_lock;
    if (write(o->ready, &r, sizeof(r)) != sizeof(r) || r.code || keeper_run(k, &why))
        _exit(73);
    if (rig.cannot_lock && recv(k->wire.src.fd, &r, 1, MSG_PEEK | MSG_DONTWAIT) != 1)
        _exit(74);
    keeper_free(k);
    _exit(write(o->done, "y", 1) != 1);
}

void rig_make(bool ephemeral, const char *argv0)
{
    char id[BOX_ID_LEN + 1];

    rig.cfg = (struct box_config){ .ephemeral = ephemeral, .mem_bytes = 64u << 20, .vcpus = 1 };
    rig.cfg.image = strdup("mini");
    snprintf(rig.cfg.name, sizeof(rig.cfg.name), "box");
    rig.cfg.stop_grace_ms = 100;
    rig.cfg.disk_bytes = rig.disk_bytes;
    if (argv0) {
        rig.cfg.argv = calloc(2, sizeof(char *));
        rig.cfg.argv[0] = strdup(argv0);
    }
    assert_int_equal(store_create(rig.store, &rig.cfg, &rig.err), 0);
    rig.box = store_find(rig.store, "box", id, &rig.err);
    assert_true(rig.box >= 0);
    keep_policy_as(DOSSIER_FILE);
}

void rig_start(bool ephemeral, const char *argv0, bool await_main)
{
    struct order o = { .await_main = await_main };
    struct keeper_ready r;
    int p[2], done[2];

    rig_make(ephemeral, argv0);
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    assert_int_equal(pipe2(done, O_CLOEXEC), 0);
    o.ready = p[1];
    o.done = done[1];
    rig.done = done[0];
    rig.holder = fork();
    assert_true(rig.holder >= 0);
    if (rig.holder == 0) {
        close(p[0]);
        close(done[0]);
        _exit(hold_keepers(be_keeper, &o, p[1], NULL) != 0);
    }
    close(p[1]);
    close(done[1]);
    assert_int_equal(read(p[0], &r, sizeof(r)), sizeof(r));
    close(p[0]);
    assert_int_equal(r.code, 0);
    rig.keeper = box_holder(rig.box).pid;
}

struct client *dial(void)
{
    struct client *c = calloc(1, sizeof(*c));

    assert_non_null(c);
    c->fd = client_connect(rig.box, &rig.err);
    if (c->fd < 0)
        fail_msg("%s", rig.err.msg);
    return c;
}

void hang_up(struct client *c)
{
    close(c->fd);
    free(c);
}

struct client *request(enum msg_type type)
{
    struct client *c = dial();

    msg_begin(&rig.out, type);
    return c;
}

struct client *exec_it(const char *what, uint32_t flags)
{
    struct client *c = request(MSG_EXEC);

    msg_add_text(&rig.out, MSG_ARG, what);
    msg_add_u32(&rig.out, MSG_FLAGS, flags);
    assert_int_equal(client_request(c, &rig.out, &rig.err), 0);
    return c;
}

struct client *ask(enum msg_type type)
{
    struct client *c = request(type);

    assert_int_equal(client_request(c, &rig.out, &rig.err), 0);
    return c;
}

void expect(struct client *c, enum msg_type type)
{
    int got = client_next(c, &rig.in, &rig.err);

    if (got != 1)
        fail_msg("wanted type %d, got %d: %s", type, got, rig.err.msg);
    if (rig.in.type != type)
        fail_msg("wanted type %d, got type %d: %.*s", type, rig.in.type,
                 rig.in.len > 4 ? (int)rig.in.len - 4 : 0, (const char *)rig.in.body + 4);
}

struct client *exec_started(const char *what, uint32_t flags)
{
    struct client *c = exec_it(what, flags);

    expect(c, MSG_STARTED);
    return c;
}

void expect_exit(struct client *c, int kind, int code)
{
    expect(c, MSG_EXIT);
    assert_int_equal(rig.in.body[0], kind);
    assert_int_equal(rig.in.body[1], code);
}

void expect_close(struct client *c)
{
    assert_int_equal(client_next(c, &rig.in, &rig.err), 0);
    hang_up(c);
}

struct box_state expect_ended(struct client *c)
{
    struct box_state st;

    expect(c, MSG_ENDED);
    assert_int_equal(box_state_parse((const char *)rig.in.body, rig.in.len, &st, &rig.err), 0);
    assert_int_equal(st.phase, BOX_ENDED);
    assert_int_equal(st.vmm_pid, 0);
    expect_close(c);
    return st;
}

void expect_gone(void)
{
    int status;
    struct box_state st;
    char yes = 0;

    assert_int_equal(read(rig.done, &yes, 1), 1);
    assert_int_equal(yes, 'y');
    close(rig.done);
    assert_int_equal(waitpid(rig.holder, &status, 0), rig.holder);
    rig.holder = 0;
    assert_int_equal(status, 0);
    assert_int_equal(client_connect(rig.box, &rig.err), -ECONNREFUSED);
    if (rig.cfg.ephemeral) {
        assert_int_equal(store_reconcile(rig.store, rig.cfg.id, &rig.err), -ENOENT);
        return;
    }
    assert_int_equal(box_load_state(rig.box, &st, &rig.err), 0);
    assert_int_equal(st.phase, BOX_ENDED);
    assert_int_equal(store_reconcile(rig.store, rig.cfg.id, &rig.err), 0);
}
