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
                  struct problems *ps, struct err *e)
{
    struct dossier d;
    struct force f = { 0 };
    char hash[65];
    int err = dossier_load(&d, dir, DOSSIER_FILE, e);

    if (!err)
        err = force_make(&d, TRUST_LOOK, true, now, &f, hash, ps, e);
    if (!err && !policy_must_narrow(child, f.policy, parent, ps))
        err = err_set(e, EACCES, "%s", ps->n ? ps->v[ps->n - 1].text : "wider than its parent");
    policy_free(f.policy);
    dossier_fini(&d);
    return err ? err_wrap(e, "the sandbox %s, on whose behalf this is", parent) : 0;
}

int family_open(struct family *f, const struct dossier *d, const char *audit, int own,
                const uint64_t limit[LEDGER_ITEMS], struct err *e)
{
    int dirs[LEDGER_ANCESTORS + 1], err = 0;
    unsigned n = 0;

    for (; n < d->nancestors && !err; n++) {
        char *path = NULL;

        dirs[n] = -1;
        if (asprintf(&path, "%s/%s", audit, d->ancestor[n]) < 0) {
            err = err_set(e, ENOMEM, "out of memory");
            break;
        }
        dirs[n] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        err = dirs[n] < 0 ? err_sys(e, "the sandbox %s", d->ancestor[n]) : 0;
        free(path);
    }
    if (!err) {
        dirs[n] = own;
        err = ledger_open(&f->ledger, dirs, n + 1, limit, e);
    }
    if (!err && n) {
        f->parent = dirs[n - 1];
        dirs[n - 1] = -1;
        (void)family_has_changed(f);
    }
    for (unsigned i = 0; i < n && i < d->nancestors; i++)
        fd_closep(&dirs[i]);
    return err;
}

void family_close(struct family *f)
{
    ledger_close(&f->ledger);
    fd_closep(&f->parent);
}

bool family_has_changed(struct family *f)
{
    struct stat st = { 0 };
    bool changed;

    if (f->parent < 0)
        return false;
    if (fstatat(f->parent, DOSSIER_FILE, &st, AT_SYMLINK_NOFOLLOW))
        st.st_mtim = (struct timespec){ -1, 0 }; /* gone: that is a change */
    changed = st.st_mtim.tv_sec != f->seen.tv_sec || st.st_mtim.tv_nsec != f->seen.tv_nsec;
    f->seen = st.st_mtim;
    return changed;
}
