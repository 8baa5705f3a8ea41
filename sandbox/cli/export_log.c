/* export_log.c - see export.h. */
#include "sandbox/cli/export.h"

#include "base/fd.h"
#include "policies/words.h"
#include "sandbox/audit/log.h"
#include "sandbox/places.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LEVEL_ALL, LEVEL_DECISIONS, LEVEL_DENIALS, LEVEL_OFF }; /* words_audit */

struct export_log {
    struct audit_key *key;
    struct audit_log *log;
    const struct volume_policy *policy;
    uint64_t level;
};

static int open_dirs(const char *id, int *top, int *dir, struct err *e)
{
    char *state = places_state_dir(e), *path = NULL;
    int err = state ? 0 : -e->code;

    if (!err && asprintf(&path, "%s/audit", state) < 0)
        err = err_set(e, ENOMEM, "out of memory");
    if (!err)
        err = *top = places_open_dir(path, e);
    free(path);
    path = NULL;
    if (err >= 0 && asprintf(&path, "%s/audit/%s", state, id) < 0)
        err = err_set(e, ENOMEM, "out of memory");
    if (err >= 0)
        err = *dir = places_open_dir(path, e);
    free(path);
    free(state);
    return err < 0 ? err : 0;
}

int export_log_open(struct export_log **out, const char *id, const struct volume_policy *p,
                    struct err *e)
{
    auto_fd int top = -1;
    auto_fd int dir = -1;
    struct export_log *l;
    int err;

    *out = NULL;
    if (p->policy->audit.level == LEVEL_OFF)
        return 0;
    err = open_dirs(id, &top, &dir, e);
    if (err)
        return err;
    l = calloc(1, sizeof(*l));
    if (!l)
        return err_set(e, ENOMEM, "out of memory");
    l->policy = p;
    l->level = p->policy->audit.level;
    l->key = audit_key_own(top, "key", e);
    if (l->key)
        l->log = audit_log_open(dir, id, l->key, e);
    if (l->log) {
        *out = l;
        return 0;
    }
    export_log_close(l);
    return err_wrap(e, "audit log");
}

void export_log_close(struct export_log *l)
{
    if (!l)
        return;
    (void)!audit_log_close(l->log, NULL);
    audit_key_free(l->key);
    free(l);
}

static int append(struct export_log *l, const char *kind, enum audit_decision d, const char *rule,
                  const char *object, bool durable, struct err *e)
{
    struct audit_record r = { .decision = d, .grade = d == AUDIT_EVENT ? '-' : 'H' };
    char actor[32];

    if ((l->level == LEVEL_DENIALS && d != AUDIT_DENY) ||
        (l->level == LEVEL_DECISIONS && d == AUDIT_EVENT))
        return 0;
    snprintf(actor, sizeof(actor), "user:%u", getuid());
    audit_text(r.policy, sizeof(r.policy), l->policy->dossier.hash,
               strlen(l->policy->dossier.hash));
    audit_text(r.actor, sizeof(r.actor), actor, strlen(actor));
    audit_text(r.kind, sizeof(r.kind), kind, strlen(kind));
    audit_text(r.rule, sizeof(r.rule), rule, strlen(rule));
    audit_text(r.object, sizeof(r.object), object, strlen(object));
    r.untrusted = d != AUDIT_EVENT; /* names are the guest's */
    return audit_log_append(l->log, &r, durable, e);
}

int export_log_changes(struct export_log *l, const struct export *x, struct err *e)
{
    static const char *const what[] = {
        [CHANGE_ADDED] = "added", [CHANGE_CHANGED] = "changed", [CHANGE_DELETED] = "deleted"
    };
    int err = 0;

    for (size_t i = 0; l && i < x->changes.n && !err; i++) {
        const struct change *v = &x->changes.v[i];
        char mount[VOLUME_NAME], object[AUDIT_OBJECT_MAX];
        bool goes = v->fate == CHANGE_GOES;

        if (v->fate == CHANGE_DONE)
            continue;
        snprintf(mount, sizeof(mount), "storage/%s", x->mount->id);
        snprintf(object, sizeof(object), "%s: %s %.900s%s", x->mount->id, what[v->what],
                 change_path(v), v->fate == CHANGE_CONFLICT ? " (conflict)" : "");
        err = append(l, "export", goes ? AUDIT_ALLOW : AUDIT_DENY,
                     goes      ? mount
                     : v->rule ? v->rule->id
                               : "",
                     object, i + 1 == x->changes.n, e);
    }
    return err;
}

int export_log_line(struct export_log *l, const char *line, struct err *e)
{
    return l ? append(l, "export", AUDIT_EVENT, "", line, true, e) : 0;
}

int export_log_word(struct export_log *l, bool denied, const char *rule, const char *line,
                    struct err *e)
{
    return append(l, "memory", denied ? AUDIT_DENY : AUDIT_EVENT, rule, line, true, e);
}
