/* family.c - see family.h. */
#include "sandbox/guard/family.h"

#include "base/fd.h"
#include "policies/layers.h"
#include "sandbox/guard/force.h"
#include "sandbox/places.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int family_within(const struct policy *child, int dir, const char *parent, int64_t now,
                  int64_t *until, struct problems *ps, struct err *e)
{
    struct dossier d;
    struct force f = { 0 };
    char hash[65];
    int err = dossier_load(&d, dir, DOSSIER_FILE, e);

    if (!err)
        err = force_make(&d, TRUST_LOOK, true, now, &f, hash, ps, e);
    if (!err && !policy_must_narrow(child, f.policy, parent, ps))
        err = err_set(e, EACCES, "%s", ps->n ? ps->v[ps->n - 1].text : "wider than its parent");
    if (!err && until && f.until < *until)
        *until = f.until;
    policy_free(f.policy);
    dossier_fini(&d);
    return err ? err_wrap(e, "the sandbox %s, on whose behalf this is", parent) : 0;
}

int family_check(const struct family *f, const struct dossier *d, const struct policy *child,
                 int64_t now, int64_t *until, struct problems *ps, struct err *e)
{
    int err = 0;

    for (unsigned i = 0; i < f->nelders && !err; i++)
        err = family_within(child, f->elder[i].dir, d->ancestor[i], now, until, ps, e);
    return err;
}

int family_open(struct family *f, const struct dossier *d, const char *audit, int own,
                const uint64_t limit[LEDGER_ITEMS], struct err *e)
{
    int dirs[LEDGER_ANCESTORS + 1];

    for (f->nelders = 0; f->nelders < d->nancestors; f->nelders++) {
        const char *id = d->ancestor[f->nelders];
        char *path = NULL;
        int fd;

        if (asprintf(&path, "%s/%s", audit, id) < 0)
            return err_set(e, ENOMEM, "out of memory");
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        free(path);
        if (fd < 0)
            return err_sys(e, "the sandbox %s", id);
        f->elder[f->nelders].dir = dirs[f->nelders] = fd;
    }
    dirs[f->nelders] = own;
    (void)family_has_changed(f);
    return ledger_open(&f->ledger, dirs, f->nelders + 1, limit, e);
}

void family_close(struct family *f)
{
    ledger_close(&f->ledger);
    while (f->nelders)
        fd_closep(&f->elder[--f->nelders].dir);
}

/* Two in one tick of the clock are two files: each is written anew and put in its place. */
static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
           a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

bool family_has_changed(struct family *f)
{
    bool changed = false;

    for (unsigned i = 0; i < f->nelders; i++) {
        struct stat st = { 0 };

        /* One that is gone is all zeros: that is a change. */
        if (fstatat(f->elder[i].dir, DOSSIER_FILE, &st, AT_SYMLINK_NOFOLLOW))
            st = (struct stat){ 0 };
        changed = changed || !same_file(&st, &f->elder[i].seen);
        f->elder[i].seen = st;
    }
    return changed;
}
