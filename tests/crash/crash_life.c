/* crash_life.c - see crash.h. */
#include "crash.h"

#include "base/fd.h"
#include "base/io.h"
#include "policies/canon.h"
#include "sandbox/client.h"
#include "sandbox/guard/dossier.h"
#include "sandbox/image/data.h"
#include "sandbox/proc.h"
#include "sandbox/store_dirs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

const char *const life_names[LIVES] = { "ephemeral", "kept" };

static struct store *store;
static struct box_config cfg;
static int box = -1;
static struct msg_builder request;
static struct client client = { .fd = -1 };

unsigned char life_byte(size_t at)
{
    return (unsigned char)(at * 2654435761u >> 13);
}

/* All that the guest can ask for, or all but one thing. */
static int save_policy(const char *file, const char *argv, struct err *e)
{
    char text[1024];
    struct dossier d = { 0 };
    struct policy *p;
    int err;

    snprintf(text, sizeof(text),
             "carrel: 1\nname: test\nlimits: {wall: 1h, idle: 1h}\nstorage: {root: {mode: overlay, "
             "quota: {bytes: 1TiB}}}\ntools:\n  commands:\n"
             "    - {id: all, exec: {path: \"/**\"}, argv: [{allow: [{any: {count: 0..%s}}]}],\n"
             "       env: {allow: [\"*\"]}, user: 0, paths: {ro: [/], rw: [/]}}\n",
             argv);
    err = dossier_add(&d, NULL, strdup("test.yaml"), strdup(text), strlen(text), e);
    if (!err) {
        p = dossier_policy(&d, NULL);
        policy_hash(p, d.hash);
        policy_free(p);
        err = dossier_save(&d, box, file, true, e);
    }
    dossier_fini(&d);
    return err;
}

static int make_volume(struct err *e)
{
    unsigned char bytes[CRASH_BYTES];
    auto_fd int fd = openat(box, CRASH_FILE, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = life_byte(i);
    return fd >= 0 && !io_write_full(fd, bytes, sizeof(bytes)) ? 0 : err_sys(e, CRASH_FILE);
}

static int conceive(bool ephemeral, struct err *e)
{
    char id[BOX_ID_LEN + 1];
    int err;

    store = store_open(e);
    if (!store)
        return -e->code;
    cfg = (struct box_config){ .ephemeral = ephemeral,
                               .mem_bytes = 64u << 20,
                               .vcpus = 1,
                               .stop_grace_ms = 100,
                               .disk_bytes = ephemeral ? 0 : 8u << 20 };
    cfg.image = strdup("none");
    if (!getenv("CRASH_UNNAMED"))
        snprintf(cfg.name, sizeof(cfg.name), "box");
    err = store_create(store, &cfg, e);
    if (err)
        return err;
    box = store_find(store, cfg.id, id, e);
    if (box < 0)
        return box;
    err = save_policy(DOSSIER_FILE, "256", e);
    return err || ephemeral ? err : make_volume(e);
}

static int start(bool for_main, struct err *e)
{
    auto_fd int kernel = open("/dev/null", O_RDONLY | O_CLOEXEC);
    auto_fd int initrd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    auto_fd int image = open("/dev/null", O_RDONLY | O_CLOEXEC);
    const struct client_parts p = { kernel, initrd, image };
    char hint[240];

    return for_main ? client_start_for_main(box, &p, hint, e) : client_start(box, &p, hint, e);
}

/* Asks, and reads answers until the connection ends. The last one's type, or -errno. */
static int ask(enum msg_type type, const char *arg, uint32_t flags, struct err *e)
{
    struct msg_frame f;
    int got, last = 0;

    msg_begin(&request, type);
    if (arg)
        msg_add_text(&request, MSG_ARG, arg);
    if (flags)
        msg_add_u32(&request, MSG_FLAGS, flags);
    client.have = client.used = 0;
    client.fd = client_connect(box, e);
    if (client.fd < 0)
        return client.fd;
    got = client_request(&client, &request, e);
    if (!got)
        while ((got = client_next(&client, &f, e)) == 1)
            last = f.type;
    fd_closep(&client.fd);
    if (got == 0 && (last == MSG_ERROR || last == MSG_DENIED || last == 0))
        got = err_set(e, EPROTO, "the answer was %d", last);
    return got < 0 ? got : last;
}

/* Waits, for 3 s at most, until no keeper has it. */
static bool await_free(void)
{
    auto_fd int fd = openat(box, "lock", O_RDONLY | O_CLOEXEC);
    int held = 0;

    for (int i = 0; fd >= 0 && i < 300 && (held = flock(fd, LOCK_SH | LOCK_NB)); i++)
        poll(NULL, 0, 10);
    return !held;
}

static int ephemeral(struct err *e)
{
    int err = conceive(true, e);

    if (!err)
        err = start(true, e);
    if (!err)
        err = ask(MSG_EXEC, "/true", MSG_F_MAIN, e);
    return err < 0 ? err : 0;
}

static int use_cache(struct err *e)
{
    struct data_tmp t;
    int err = data_tmp_new(&t, e);

    if (!err) {
        fd_closep(&(int){ openat(t.fd, "download", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) });
        data_tmp_free(&t);
    }
    return err;
}

/* Its keeper is another one than that: after 3 s at most. */
static bool await_another(const struct box_holder *than)
{
    struct box_state st;

    for (int i = 0; i < 300; i++) {
        if (box_load_state(box, &st, NULL) == 0 && st.keeper_pid && st.keeper_pid != than->pid)
            return true;
        poll(NULL, 0, 10);
    }
    return false;
}

/* h03: its keeper is killed, and another goes on; who holds it is killed, and the next command ends
 * what is left. */
static int lose_keeper(struct err *e)
{
    struct box_holder h;
    struct box_state st;
    int err = start(false, e);

    if (!err)
        err = ask(MSG_EXEC, "/echo", 0, e);
    if (err < 0)
        return err;
    h = box_holder(box);
    if (proc_kill(h.pid, h.start, 2000, e) < 0)
        return -e->code;
    if (!await_another(&h))
        return err_set(e, ETIMEDOUT, "nobody adopted it");
    err = ask(MSG_STATUS, NULL, 0, e);
    h = box_holder(box);
    if (err >= 0 && box_kill_holder(&h, 2000, e) < 0)
        err = -e->code;
    if (err < 0)
        return err;
    await_free();
    err = store_reconcile(store, cfg.id, e);
    if (err >= 0)
        err = box_load_state(box, &st, e);
    return err ? err : strcmp(st.reason, "keeper-lost") ? err_set(e, EPROTO, "%s", st.reason) : 0;
}

static int kept(struct err *e)
{
    int err = use_cache(e);

    setenv("CARREL_CONSOLE", "1", 1); /* one log more */

    if (!err)
        err = conceive(false, e);
    if (!err)
        store_let_go(store);
    if (!err)
        err = start(false, e);
    if (!err)
        err = ask(MSG_EXEC, "/echo", 0, e);
    if (err >= 0)
        err = save_policy(DOSSIER_NEXT, "2", e);
    if (!err)
        err = ask(MSG_POLICY, NULL, 0, e);
    if (err >= 0)
        err = ask(MSG_STOP, NULL, 0, e);
    if (err >= 0) {
        await_free();
        err = start(false, e);
    }
    if (!err)
        err = ask(MSG_KILL, NULL, 0, e);
    if (err >= 0) {
        await_free();
        err = store_reconcile(store, cfg.id, e);
    }
    if (err >= 0)
        err = lose_keeper(e);
    return err < 0 ? err : store_remove(store, cfg.id, e);
}

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int kill_keeper(unsigned *us, struct err *e)
{
    const struct box_holder h = box_holder(box);
    struct box_state st;
    int64_t from = now_us();
    int err = proc_kill(h.pid, h.start, 2000, e);

    if (err >= 0)
        err = ask(MSG_STATUS, NULL, 0, e);
    *us = (unsigned)(now_us() - from);
    if (err >= 0)
        err = ask(MSG_EXEC, "/echo", 0, e);
    if (err >= 0)
        err = box_load_state(box, &st, e);
    return err < 0 ? err : st.keeper_pid == h.pid ? err_set(e, EPROTO, "the same keeper") : 0;
}

int life_kills(unsigned us[CRASH_KILLS])
{
    struct err e = ERR_INIT;
    int err = conceive(false, &e);

    if (!err) {
        store_let_go(store);
        err = start(false, &e);
    }
    if (!err)
        err = ask(MSG_EXEC, "/echo", 0, &e);
    for (unsigned i = 0; err >= 0 && i < CRASH_KILLS; i++)
        err = kill_keeper(&us[i], &e);
    if (err >= 0)
        err = ask(MSG_KILL, NULL, 0, &e);
    await_free();
    if (err >= 0)
        err = store_remove(store, cfg.id, &e);
    if (err < 0)
        printf("FAILED kills: %s\n", e.msg);
    return err < 0;
}

/* h03: whose keeper is gone goes too, before any command looks. */
static bool has_orphan(void)
{
    struct box_state st;

    if (box_load_state(box, &st, NULL))
        return false;
    for (int i = 0; i < 1000 && proc_runs(st.vmm_pid, st.vmm_start); i++)
        poll(NULL, 0, 2);
    return proc_runs(st.vmm_pid, st.vmm_start);
}

/* As `carrel run` ends: what never came to anything is removed. */
int life_run(enum life l)
{
    struct err e = ERR_INIT;
    int err = l == LIFE_EPHEMERAL ? ephemeral(&e) : kept(&e);
    bool orphan = false;

    if (err) {
        fprintf(stderr, "    (%s)\n", e.msg);
        if (box >= 0) {
            orphan = await_free() && has_orphan();
            if (store_reconcile(store, cfg.id, NULL) >= 0 && l == LIFE_EPHEMERAL)
                (void)!store_remove(store, cfg.id, NULL);
        }
    }
    fd_closep(&box);
    box_config_fini(&cfg);
    store_close(store);
    return orphan ? LIFE_ORPHAN : err != 0;
}
