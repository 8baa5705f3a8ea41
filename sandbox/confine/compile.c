/* compile.c - see compile.h. */
#include "sandbox/confine/compile.h"

#include "base/fd.h"
#include "base/io.h"

#include <errno.h>
#include <seccomp.h>
#include <string.h>

#include <linux/seccomp.h>
#include <sys/mman.h>

_Static_assert(sizeof(struct bpf_insn) == 8, "struct sock_filter");

static void release(scmp_filter_ctx *ctx)
{
    if (*ctx)
        seccomp_release(*ctx);
}

static int add_rule(scmp_filter_ctx ctx, const struct seccomp_rule *r, struct err *e)
{
    struct scmp_arg_cmp args[SECCOMP_ARGS];
    int err;

    for (unsigned i = 0; i < r->nargs; i++)
        args[i] = (struct scmp_arg_cmp){ r->arg[i].index, SCMP_CMP_MASKED_EQ, r->arg[i].mask,
                                         r->arg[i].value };
    err = seccomp_rule_add_exact_array(ctx, r->action ? r->action : SCMP_ACT_ALLOW, (int)r->nr,
                                       r->nargs, args);
    /* The same rule twice is no contradiction. */
    if (err && err != -EEXIST)
        return err_set(e, -err, "system call %u: %s", r->nr, strerror(-err));
    return 0;
}

static int export(scmp_filter_ctx ctx, struct bpf_insn *prog, uint32_t *len, struct err *e)
{
    auto_fd int fd = memfd_create("filter", MFD_CLOEXEC);
    ssize_t n;
    int err;

    if (fd < 0)
        return err_sys(e, "filter");
    err = seccomp_export_bpf(ctx, fd);
    if (err)
        return err_set(e, -err, "filter: %s", strerror(-err));

    off_t size = lseek(fd, 0, SEEK_END);

    if (size < 0 || size % (off_t)sizeof(*prog))
        return err_set(e, EIO, "filter of %lld bytes", (long long)size);
    if (size > (off_t)(BPF_INSNS_MAX * sizeof(*prog)))
        return err_set(e, E2BIG, "filter of %lld instructions: the kernel takes %u",
                       (long long)(size / (off_t)sizeof(*prog)), BPF_INSNS_MAX);
    n = io_pread_full(fd, prog, (size_t)size, 0);
    if (n != size)
        return err_set(e, EIO, "filter: short read");
    *len = (uint32_t)((size_t)size / sizeof(*prog));
    return 0;
}

int filter_compile(const struct seccomp_model *m, struct bpf_insn *prog, uint32_t *len,
                   struct err *e)
{
    struct seccomp_witness w;
    int err = seccomp_check(m, e);

    if (err)
        return err;

    cleanup_with(release) scmp_filter_ctx ctx = seccomp_init(m->otherwise);

    if (!ctx)
        return err_set(e, ENOMEM, "filter: libseccomp refused the default action %#x",
                       m->otherwise);
    err = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, m->foreign);
    if (err)
        return err_set(e, -err, "filter: %s", strerror(-err));
    /* A tree over the numbers: a dozen comparisons a call, where a list takes hundreds. */
    err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (err)
        return err_set(e, -err, "filter: %s", strerror(-err));
    for (uint32_t i = 0; i < m->nrules && !err; i++)
        if (m->rules[i].action != m->otherwise) /* what happens anyway is no rule to libseccomp */
            err = add_rule(ctx, &m->rules[i], e);
    if (!err)
        err = export(ctx, prog, len, e);
    return err ? err : seccomp_prove(m, prog, *len, &w, NULL, e);
}
