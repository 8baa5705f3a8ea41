/*
 * carrel-files - the directories of live mounts, as a FUSE server for one sandbox.
 *
 * It is told everything once (record.h), by its keeper, and is then what carrel-launch made of it:
 * no name leads anywhere, no network, no capability; Landlock knows the granted trees only. It
 * reads what a guest's kernel asks, out of that guest's memory, and nothing else.
 */
#include "sandbox/files/record.h"
#include "sandbox/files/rings.h"
#include "sandbox/files/scope.h"

#include "base/fd.h"
#include "base/io.h"
#include "policies/words.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK)

static struct server server;
static struct rings rings;
static struct arena arena;
static struct sock_filter filter[FILES_FILTER_INSNS];
static uint8_t scope[SCOPE_BYTES_MAX];

static int check(const struct files_record *r, struct err *e)
{
    if (r->magic != FILES_RECORD_MAGIC || r->version != FILES_RECORD_VERSION ||
        r->size != sizeof(*r))
        return err_set(e, EINVAL, "this is no record of ours");
    if (r->peer_fd < 3 || r->report_fd < -1 || r->nroots < 1 || r->nroots > FILES_MOUNTS_MAX ||
        r->filter_len > FILES_FILTER_INSNS || r->scope_len > SCOPE_BYTES_MAX)
        return err_set(e, EINVAL, "a number in the record is out of bounds");
    return 0;
}

/* Each live mount of the rules gets its root. */
static int take_mounts(const struct files_record *r, const struct policy *p, struct err *e)
{
    for (uint32_t i = 0; i < p->storage.mounts.n; i++) {
        const struct mount *m = p->storage.mounts.v[i];
        struct live *l = &server.live[server.nlive];

        if (m->share != SHARE_LIVE || m->access == ACCESS_NONE)
            continue;
        if (server.nlive == r->nroots)
            return err_set(e, EINVAL, "more live mounts than descriptors");
        *l = (struct live){ .id = m->id,
                            .target = m->target,
                            .rules = m,
                            .root = r->roots[server.nlive++],
                            .writable = m->access == ACCESS_RW,
                            .usage = { .max_bytes = m->quota.bytes,
                                       .max_inodes = m->quota.inodes } };
    }
    return server.nlive == r->nroots ? 0 : err_set(e, EINVAL, "fewer live mounts than descriptors");
}

static int load(int from, struct files_record *r, struct err *e)
{
    auto_fd int fd = from;
    int seals = fcntl(fd, F_GET_SEALS), err;
    const struct policy *p;

    if (seals < 0 || (seals & SEALS) != SEALS || io_read_full(fd, r, sizeof(*r)) != sizeof(*r))
        return err_set(e, EINVAL, "not a sealed record");
    err = check(r, e);
    if (err)
        return err;

    size_t bytes = r->filter_len * sizeof(*filter);

    if (io_read_full(fd, filter, bytes) != (ssize_t)bytes ||
        io_read_full(fd, scope, r->scope_len) != (ssize_t)r->scope_len)
        return err_set(e, EINVAL, "the record is cut short");
    p = scope_read(scope, r->scope_len, &arena, e);
    if (!p)
        return -e->code;
    server.rules = ruleset_storage(p);
    server.uid = r->uid;
    server.guest_memory = r->guest_memory;
    server.reporter.fd = r->report_fd;
    return take_mounts(r, p, e);
}

/* What carrel-launch leaves to its programs: they end with their parent, and ask the kernel for
 * nothing else from here on. */
static int confine(const struct files_record *r, struct err *e)
{
    const struct sock_fprog prog = { .len = (unsigned short)r->filter_len, .filter = filter };

    umask(0); /* the guest's kernel has applied its tools' */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a write past a limit of the host is an error of that write */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
        return err_sys(e, "confinement");
    if (r->filter_len && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog))
        return err_sys(e, "loading a system call filter");
    return 0;
}

static int serve(int fd, struct err *e)
{
    struct files_record r = { 0 };
    int err = load(fd, &r, e);

    if (err)
        return err;
    err = server_init(&server, NODES_MAX);
    if (err)
        return err_set(e, -err, "a live mount: %s", strerror(-err));
    err = rings_init(&rings, &server, r.peer_fd, e);
    if (!err)
        err = confine(&r, e);
    if (err)
        return err;
    return rings_run(&rings, e);
}

int main(int argc, char **argv)
{
    struct err e = ERR_INIT;
    char *end = NULL;
    long fd = argc == 2 ? strtol(argv[1], &end, 10) : -1;

    if (!end || *end || end == argv[1] || fd < 3 || fd > 65536) {
        fputs("carrel-files is started by carrel-keeper, not by hand\n", stderr);
        return 2;
    }
    if (!serve((int)fd, &e))
        return 0;
    fprintf(stderr, "carrel-files: %s\n", e.msg);
    return 1;
}
