/*
 * carrel-keeper - one sandbox's state, lock and lifetime: `carrel-keeper BOXFD READYFD KERNELFD
 * INITRDFD IMAGEFD [await-main]`. Two processes: the holder and its keeper (holder.h).
 *
 * Started by client_start in a session of its own, with its log as standard output and error. It
 * says on READYFD whether the machine boots (ready.h), and from then on ends only when the sandbox
 * has.
 */
#include "sandbox/keeper/keeper.h"

#include "base/fd.h"
#include "sandbox/keeper/ready.h"
#include "sandbox/store_dirs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* A descriptor from the command line; -1 when it is none. */
static int fd_arg(const char *text)
{
    char *end;
    long n = strtol(text, &end, 10);

    if (*text == '\0' || *end != '\0' || n < 3 || n > 1024 || fcntl((int)n, F_SETFD, FD_CLOEXEC))
        return -1;
    return (int)n;
}

static void tell(int readyfd, const struct err *e, const char *hint)
{
    struct keeper_ready r = { .magic = KEEPER_READY_MAGIC, .code = e->code };

    snprintf(r.msg, sizeof(r.msg), "%s", e->msg);
    snprintf(r.hint, sizeof(r.hint), "%s", hint);
    if (write(readyfd, &r, sizeof(r)) != sizeof(r))
        return; /* whoever wanted to know is gone; its sandbox may live all the same */
}

/* A client, a conversation's command and a volume each cost descriptors; that none is missing later
 * is settled before anything begins. */
static int confine_descriptors(struct err *e)
{
    struct rlimit l;

    if (getrlimit(RLIMIT_NOFILE, &l))
        return err_sys(e, "descriptors");
    if (l.rlim_cur >= KEEPER_FILES)
        return 0;
    if (l.rlim_max < KEEPER_FILES)
        return err_set(e, EMFILE,
                       "a sandbox's keeper needs %u descriptors, and may have %llu: ulimit -Hn %u",
                       KEEPER_FILES, (unsigned long long)l.rlim_max, KEEPER_FILES);
    l.rlim_cur = KEEPER_FILES;
    return setrlimit(RLIMIT_NOFILE, &l) ? err_sys(e, "descriptors") : 0;
}

/* Signals wait for the loop; a reader that goes away is an error of one write. */
static void set_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* A failed start leaves what it found, and nothing of an ephemeral sandbox. */
static void fail(struct keeper *k, int readyfd, const struct err *e, const char *hint)
{
    struct box_state st;

    keeper_log(k, "failed: %s", e->msg);
    keeper_undo(k);
    guard_close(k->guard, "refused"); /* while the lock says that somebody is at it */
    k->guard = NULL;
    if (k->lock >= 0) {
        unlinkat(k->boxfd, "keeper.sock", 0);
        if (k->cfg.ephemeral) {
            if (store_remove_locked(k->store, k->cfg.id, k->boxfd, NULL))
                keeper_log(k, "removal failed");
        } else if (k->run.pid > 0 && box_load_state(k->boxfd, &st, NULL) == 0) {
            st = (struct box_state){ .phase = BOX_ENDED, .exit_code = -1 };
            snprintf(st.reason, sizeof(st.reason), "refused");
            snprintf(st.text, sizeof(st.text), "%s", e->msg);
            if (box_save_state(k->boxfd, &st, true, NULL))
                keeper_log(k, "state could not be written");
        }
        fd_closep(&k->lock);
    }
    tell(readyfd, e, hint);
    keeper_free(k);
}

/* Where descriptors and the word stand in argv. */
enum { ARG_BOX = 1, ARG_READY, ARG_KERNEL, ARG_INITRD, ARG_IMAGE, ARG_AWAIT };

struct order {
    int fds[ARG_AWAIT];
    bool await_main;
};

/* Up to a machine that boots, and somebody who knows. NULL: it came to nothing. */
static struct keeper *begin(struct hold *h, const struct order *o, struct keeper_parts *p)
{
    const int ready = o->fds[ARG_READY];
    char hint[240] = "";
    struct err e = ERR_INIT;
    struct keeper *k =
        confine_descriptors(&e) ? NULL : keeper_new(o->fds[ARG_BOX], h, o->await_main, &e);

    if (!k) {
        tell(ready, &e, hint);
        return NULL;
    }
    k->lock_down = keeper_lock_down;
    keeper_trace(k, "keeper started");
    if (keeper_launch(k, p, hint, &e)) {
        fail(k, ready, &e, hint);
        return NULL;
    }
    tell(ready, &(struct err){ 0 }, "");
    close(ready);
    keeper_trace(k, "ready");
    return k;
}

/* NULL: the machine is to end, and whoever looks next writes that down. */
static struct keeper *go_on(struct hold *h, const struct order *o, struct keeper_parts *p)
{
    struct err e = ERR_INIT;
    struct keeper *k = confine_descriptors(&e) ? NULL : keeper_new(o->fds[ARG_BOX], h, false, &e);

    if (!k)
        return NULL;
    k->lock_down = keeper_lock_down;
    if (keeper_adopt(k, p, &e)) {
        keeper_log(k, "no keeper can go on: %s", e.msg);
        _exit(1); /* as if killed: nothing is tidied up that its machine still uses */
    }
    keeper_parts_close(p); /* its image and kernel were only measured */
    return k;
}

/* One keeper's life. */
static int keep(struct hold *h, void *arg)
{
    const struct order *o = arg;
    struct keeper_parts parts = KEEPER_PARTS_INIT;
    struct err e = ERR_INIT;
    struct keeper *k;
    int err;

    parts.kernel = o->fds[ARG_KERNEL];
    parts.initrd = o->fds[ARG_INITRD];
    parts.image = o->fds[ARG_IMAGE];
    k = h->turn ? go_on(h, o, &parts) : begin(h, o, &parts);
    if (!k)
        return 1;
    err = keeper_run(k, &e);
    if (err) {
        keeper_log(k, "failed: %s", e.msg);
        keeper_undo(k);
    }
    keeper_free(k);
    return err != 0;
}

int main(int argc, char **argv)
{
    struct order o = { .await_main =
                           argc == ARG_AWAIT + 1 && !strcmp(argv[ARG_AWAIT], KEEPER_AWAIT_MAIN) };
    bool whole = argc == ARG_AWAIT || o.await_main;
    struct err e = ERR_INIT;

    for (int i = ARG_BOX; i < ARG_AWAIT; i++) {
        o.fds[i] = whole ? fd_arg(argv[i]) : -1;
        whole = o.fds[i] >= 0;
    }
    if (!whole) {
        fprintf(stderr, "carrel-keeper is started by carrel, not by hand\n");
        return 125;
    }
    umask(077);
    set_signals();
    if (hold_keepers(keep, &o, o.fds[ARG_READY], &e)) {
        tell(o.fds[ARG_READY], &e, "");
        return 1;
    }
    return 0;
}
