/*
 * carrel-keeper - one sandbox's state, lock and lifetime: `carrel-keeper BOXFD READYFD KERNELFD
 * INITRDFD IMAGEFD [await-main]`.
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
static int fail(struct keeper *k, int readyfd, const struct err *e, const char *hint)
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
    return 1;
}

/* Where descriptors and the word stand in argv. */
enum { ARG_BOX = 1, ARG_READY, ARG_KERNEL, ARG_INITRD, ARG_IMAGE, ARG_AWAIT };

int main(int argc, char **argv)
{
    char hint[240] = "";
    struct err e = ERR_INIT;
    bool await_main = argc == ARG_AWAIT + 1 && !strcmp(argv[ARG_AWAIT], KEEPER_AWAIT_MAIN);
    bool whole = argc == ARG_AWAIT || await_main;
    int fds[ARG_AWAIT];
    struct keeper *k;
    int err;

    for (int i = ARG_BOX; i < ARG_AWAIT; i++) {
        fds[i] = whole ? fd_arg(argv[i]) : -1;
        whole = fds[i] >= 0;
    }
    if (!whole) {
        fprintf(stderr, "carrel-keeper is started by carrel, not by hand\n");
        return 125;
    }

    const int box = fds[ARG_BOX], ready = fds[ARG_READY];
    struct keeper_parts parts = KEEPER_PARTS_INIT;

    parts.kernel = fds[ARG_KERNEL];
    parts.initrd = fds[ARG_INITRD];
    parts.image = fds[ARG_IMAGE];
    umask(077);
    set_signals();
    if (confine_descriptors(&e)) {
        tell(ready, &e, hint);
        return 1;
    }
    k = keeper_new(box, await_main, &e);
    if (!k) {
        tell(ready, &e, hint);
        return 1;
    }
    keeper_trace(k, "keeper started");
    if (keeper_launch(k, &parts, hint, &e))
        return fail(k, ready, &e, hint);
    k->lock_down = keeper_lock_down;
    tell(ready, &(struct err){ 0 }, "");
    close(ready);
    keeper_trace(k, "ready");
    err = keeper_run(k, &e);
    if (err) {
        keeper_log(k, "failed: %s", e.msg);
        keeper_undo(k);
    }
    keeper_free(k);
    return err != 0;
}
