/* policy_apply.c - policy apply: another policy for a running sandbox, judged by its keeper. */
#include "sandbox/cli/box.h"
#include "sandbox/cli/policy_force.h"
#include "sandbox/cli/policy_say.h"
#include "sandbox/cli/verbs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

static int tell_keeper(const struct box *b, char hint[HINT_MAX], struct err *e)
{
    struct msg_builder *m = malloc(sizeof(*m));
    int err;

    if (!m)
        return err_set(e, ENOMEM, "out of memory");
    msg_begin(m, MSG_POLICY);
    err = box_ask(b, m, NULL, hint, e);
    free(m);
    return err < 0 ? err : 0;
}

/* What is not sound here is given to the keeper all the same: it is the keeper that fails closed,
 * and whoever applies a broken policy wants that. */
static int hand_over(struct cli *c, struct policy_source *s, struct box *b, char hint[HINT_MAX],
                     struct err *e)
{
    struct dossier now;
    int err;

    /* One at a time: what the keeper takes over is what this one wrote, until it has answered. */
    while (flock(b->fd, LOCK_EX))
        if (errno != EINTR)
            return err_sys(e, "policy");
    err = dossier_load(&now, b->fd, DOSSIER_FILE, e);

    for (unsigned i = 0; i < now.nancestors && !err; i++)
        err = dossier_ancestor(&s->dossier, now.ancestor[i], e);
    if (!err && now.cwd)
        s->dossier.cwd = strdup(now.cwd);
    dossier_fini(&now);
    if (err)
        return err;
    err = s->policy ? policy_in_force(c, s, e) : 0;
    if (err && s->problems.errors == 0)
        return err;
    err = dossier_save(&s->dossier, b->fd, DOSSIER_NEXT, true, e);
    return err ? err : tell_keeper(b, hint, e);
}

int verb_policy_apply(struct cli *c)
{
    char hint[HINT_MAX] = "";
    struct policy_source s = { .problems = PROBLEMS_INIT };
    struct box b = { .fd = -1 };
    struct err e = ERR_INIT;
    struct store *store = store_open(&e);
    const char *room = "state";
    int status, err = store ? 0 : -1;

    if (!err) {
        room = "sandbox";
        err = box_open(&b, store, c->args->operands[0], hint, &e);
    }
    if (!err) {
        room = "policy";
        err = policy_source_load(&s, c->args->operands[1], hint, &e);
    }
    if (!err)
        err = hand_over(c, &s, &b, hint, &e);
    status = err ? cli_fail(c, room, &e, hint) : cli_finish(c);
    policy_source_fini(&s);
    box_fini(&b);
    store_close(store);
    return status;
}
