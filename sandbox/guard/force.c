/* force.c - see force.h. */
#include "sandbox/guard/force.h"

#include "policies/canon.h"

#include <errno.h>

struct maker {
    const struct dossier *d;
    const struct trust *trust; /* NULL: nothing needs to be signed */
    int64_t now;
    uint64_t left_out; /* bit per grant */
    struct problems *ps;
    struct err *e;
};

/* What somebody signed for, or had to, the caller does not change by options: not the document, not
 * what stands above it. */
static int refuse_amendments(const struct maker *m, const struct trust_report *r)
{
    if (!m->d->namends)
        return 0;
    if (m->trust->required.n)
        return err_set(m->e, EACCES,
                       "this host runs signed policies only: options cannot change one (a grant "
                       "can)");
    for (unsigned k = 0; k < r->n; k++) {
        const struct judgement *j = &r->judgement[k];

        for (uint32_t i = 0; i < j->nroles; i++)
            if (j->roles[i].governs)
                return err_set(
                    m->e, EACCES,
                    "%s is signed by the role %s: options cannot change it (a grant can)",
                    m->d->doc[k].file, j->roles[i].role->id);
    }
    return 0;
}

static int check_trust(const struct maker *m, enum trust_memory memory)
{
    struct trust_report r = { 0 };
    int err;

    if (!m->trust)
        return m->d->ngrants
                   ? err_set(m->e, EACCES, "a grant is worth nothing without a trust document")
                   : 0;
    err = trust_check_policy(m->trust, m->d->doc, m->d->ndocs, m->now, memory, &r, m->ps, m->e);
    if (!err)
        err = refuse_amendments(m, &r);
    trust_report_fini(&r);
    return err;
}

/* One try. *failed: the grant that would not do, or -1. */
static int widen(const struct maker *m, struct force *f, int *failed)
{
    *failed = -1;
    f->until = INT64_MAX;
    f->policy = dossier_policy(m->d, m->ps);
    if (!f->policy)
        return err_set(m->e, EINVAL, "the policy is not sound");
    for (unsigned i = 0; i < m->d->ngrants; i++) {
        int64_t until = INT64_MAX;
        int err;

        if (m->left_out >> i & 1)
            continue;
        err = trust_widen(m->trust, m->d->grant[i], &m->d->doc[0], f->policy, m->now, &until, m->ps,
                          m->e);
        if (err) {
            policy_free(f->policy);
            f->policy = NULL;
            *failed = (int)i;
            return err;
        }
        if (until < f->until)
            f->until = until;
    }
    return 0;
}

int force_make(const struct dossier *d, enum trust_memory memory, bool running, int64_t now,
               struct force *f, char hash[65], struct problems *ps, struct err *e)
{
    struct trust *trust = NULL;
    struct maker m = { .d = d, .now = now, .ps = ps, .e = e };
    int failed = -1, err = trust_load(&trust, ps, e);

    *f = (struct force){ .until = INT64_MAX };
    m.trust = trust;
    if (!err)
        err = check_trust(&m, memory);
    while (!err) {
        err = widen(&m, f, &failed);
        /* What is granted no more only makes the policy narrower: the sandbox goes on with that. */
        if (!err || !running || failed < 0)
            break;
        m.left_out |= 1ull << failed;
        f->expired++;
        err = 0;
    }
    trust_free(trust);
    if (!err)
        policy_hash(f->policy, hash);
    return err;
}
