/*
 * audit_prune.c - audit prune: logs that are old enough go. One that is evidence of anything but
 * its sandbox's work stays: what lives, what was tampered with, what cannot be read.
 */
#include "base/fd.h"
#include "sandbox/cli/audit_named.h"
#include "sandbox/cli/audit_policy.h"
#include "sandbox/cli/size.h"
#include "sandbox/cli/verbs.h"
#include "sandbox/cli/when.h"
#include "sandbox/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define USUAL_NS (90ull * 86400u * 1000000000u) /* audit.retain's own default */

struct pruning {
    struct cli *c;
    struct audit_host h;
    struct store *store;
    json_t *array;
    uint64_t now_ns, older_ns;
    bool older_given;
    unsigned removed, kept;
    int status;
};

static int last_policy(void *arg, const struct audit_record *r)
{
    if (r->policy[0])
        memcpy(arg, r->policy, sizeof(r->policy));
    return 0;
}

/* How long the policy on record keeps it, 0 without one; false: there was one, and it is not what
 * is on record. It need not be proved: whoever can change it can remove the log. */
static bool retain_ns(int dirfd, const char *hash, uint64_t *ns)
{
    struct audit_policy p;
    bool known;

    *ns = 0;
    audit_policy_load(&p, dirfd, hash);
    if (p.policy)
        *ns = p.policy->audit.retain * 1000000u;
    known = p.policy || !hash[0];
    audit_policy_fini(&p);
    return known;
}

/* Why it stays, or NULL. */
static const char *reason(struct pruning *p, const char *id, int dir, char *buf, size_t len)
{
    char hash[AUDIT_ID_MAX] = "", found[BOX_ID_LEN + 1], span[32], kept[32];
    const struct audit_check check = {
        .dirfd = dir, .key = p->h.key, .kept_fd = -1, .each = last_policy, .arg = hash
    };
    struct audit_verdict v;
    struct err why = ERR_INIT;
    auto_fd int box = store_find(p->store, id, found, NULL);
    enum log_state state = log_judge(&check, id, &v, &why);
    uint64_t retain, age;

    if (state == LOG_LIVE)
        return "it is being written";
    if (box >= 0 && !strcmp(found, id))
        return "its sandbox is still there";
    if (state == LOG_BROKEN || v.fault == AUDIT_SHORT) {
        snprintf(buf, len, "it does not verify: %s", why.msg);
        return buf;
    }
    if (!retain_ns(dir, hash, &retain))
        return "the policy that says how long is not on record";
    if (!retain && !p->older_given)
        retain = USUAL_NS;
    if (retain < p->older_ns)
        retain = p->older_ns;
    age = v.last_ns < p->now_ns ? p->now_ns - v.last_ns : 0;
    if (v.records && age >= retain)
        return NULL;
    snprintf(buf, len, "it is %s old and is kept for %s",
             span_text((int64_t)age, span, sizeof(span)),
             span_text((int64_t)retain, kept, sizeof(kept)));
    return buf;
}

static void tell(struct pruning *p, const char *id, const char *why)
{
    const bool dry = args_has(p->c->args, OPT_PREVIEW);

    *(why ? &p->kept : &p->removed) += 1;
    if (p->c->json)
        json_array_append_new(p->array, json_pack("{s:s, s:b, s:b, s:o}", "id", id, "removed",
                                                  (int)(!why && !dry), "would_remove", (int)!why,
                                                  "why", why ? cli_json_text(why) : json_null()));
    else if (why && !p->c->quiet)
        printf("kept %s: %s\n", id, why);
    else if (!why)
        printf("%s %s\n", dry ? "would remove" : "removed", id);
}

static void prune_one(struct pruning *p, const char *id)
{
    struct err e = ERR_INIT;
    auto_fd int dir = logs_open_one(p->h.logs, id, &e);
    char buf[300];
    const char *why = dir < 0 ? e.msg : reason(p, id, dir, buf, sizeof(buf));

    if (!why && !args_has(p->c->args, OPT_PREVIEW) && logs_remove(p->h.logs, id, &e)) {
        p->status = EXIT_NO;
        why = e.msg;
    }
    tell(p, id, why);
}

static void prune_all(struct pruning *p)
{
    struct err e = ERR_INIT;
    char **ids = NULL;
    size_t n = 0;

    p->store = store_open(&e);
    if (!p->store || logs_list(p->h.logs, &ids, &n, &e))
        p->status = cli_fail(p->c, "audit", &e, NULL);
    for (size_t i = 0; i < n; i++) {
        if (p->h.key)
            prune_one(p, ids[i]);
        else
            tell(p, ids[i], "there is no key to check it with");
        free(ids[i]);
    }
    free(ids);
    store_close(p->store);
}

int verb_audit_prune(struct cli *c)
{
    const char *older = args_text(c->args, OPT_OLDER);
    struct pruning p = { .c = c, .array = json_array() };
    struct err e = ERR_INIT;
    struct timespec now;
    int failed;

    clock_gettime(CLOCK_REALTIME, &now);
    p.older_given = older != NULL;
    p.now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    if (older && age_parse(older, &p.older_ns)) {
        json_decref(p.array);
        err_set(&e, EINVAL, "--older-than: \"%s\" is not an age", older);
        return cli_fail_usage(c, &e, "for example 90d, 12h");
    }
    if (audit_host_open(c, &p.h, &p.status) && p.h.logs >= 0)
        prune_all(&p);
    audit_host_close(&p.h);
    if (c->json && !cli_json(c, json_incref(p.array)))
        p.status = EXIT_NO;
    if (!c->json && !p.removed)
        cli_note(c, "nothing to remove");
    json_decref(p.array);
    failed = cli_finish(c);
    return p.status ? p.status : failed;
}
