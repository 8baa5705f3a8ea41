/* audit_policy.c - see audit_policy.h. */
#include "sandbox/cli/audit_policy.h"

#include "policies/canon.h"
#include "policies/ruleset.h"
#include "policies/words.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static bool same_spot(struct spot a, struct spot b)
{
    return a.line == b.line && a.col == b.col && a.file == b.file;
}

static void joined(const struct texts *t, struct text *out)
{
    for (uint32_t i = 0; i < t->n && i < 6; i++)
        text_add(out, "%s%s", i ? ", " : "", t->v[i]);
    if (t->n > 6)
        text_add(out, ", and %u more", t->n - 6);
}

/* What one entry of the document grants, in a few words. */
static void network_text(const struct policy *p, struct spot at, struct text *out)
{
    for (uint32_t i = 0; i < p->network.allow.n; i++) {
        const struct net_rule *r = p->network.allow.v[i];

        if (!same_spot(r->o.spot, at))
            continue;
        text_add(out, "connect to %s", r->any_host ? "any host" : "");
        joined(r->hosts.n ? &r->hosts : &r->addresses, out);
    }
}

static void tools_text(const struct policy *p, struct spot at, struct text *out)
{
    for (uint32_t i = 0; i < p->tools.commands.n; i++) {
        const struct command *c = p->tools.commands.v[i];

        if (same_spot(c->o.spot, at))
            text_add(out, "run %s", c->exec.path ? c->exec.path : "any program");
    }
    for (uint32_t i = 0; i < p->tools.mcp.n; i++) {
        const struct mcp_server *m = p->tools.mcp.v[i];

        for (uint32_t k = 0; k < m->allow.n; k++) {
            const struct mcp_tool *t = m->allow.v[k];

            if (same_spot(t->o.spot, at))
                text_add(out, "call %s of %s", t->tool, m->id);
        }
    }
}

static void storage_text(const struct policy *p, struct spot at, struct text *out)
{
    for (uint32_t i = 0; i < p->storage.mounts.n; i++) {
        const struct mount *m = p->storage.mounts.v[i];

        if (same_spot(m->o.spot, at))
            text_add(out, "%s %s", m->access == ACCESS_RW ? "read and write" : "read", m->target);
    }
    for (uint32_t i = 0; i < p->storage.memory.n; i++) {
        const struct memory_volume *m = p->storage.memory.v[i];

        if (same_spot(m->o.spot, at))
            text_add(out, "remember in %s", m->target);
    }
}

static void models_text(const struct policy *p, struct spot at, struct text *out)
{
    for (uint32_t i = 0; i < p->models.n; i++) {
        const struct model *m = p->models.v[i];

        if (same_spot(m->o.spot, at)) {
            text_add(out, "call ");
            joined(&m->names, out);
        }
    }
}

static char *grant_text(struct arena *a, const struct policy *p, const struct rule *r)
{
    struct text t = TEXT_INIT;
    char *copy;

    network_text(p, r->spot, &t);
    tools_text(p, r->spot, &t);
    storage_text(p, r->spot, &t);
    models_text(p, r->spot, &t);
    if (!t.len)
        policy_place(p, r->spot, &t);
    copy = arena_copy(a, text_str(&t), t.len);
    text_fini(&t);
    return copy;
}

/* What the host enforces it records; commands it is asked for, also when the guest holds them to
 * their rules. What only the guest sees is in no log. */
static bool is_seen(const struct rule *r)
{
    return r->grade == 'H' || !strncmp(r->section, "tools", 5);
}

/* Rules that allow something; the numbers of the document are limits, not grants. */
static void list_grants(struct audit_policy *p)
{
    struct ruleset *rs = ruleset_make(p->policy, NULL);
    struct report_grant *v = arena_get(&p->arena, (rs->nrules + 1) * sizeof(*v));
    bool *limit = arena_get(&p->arena, (rs->nrules + 1) * sizeof(*limit));
    const struct clauses *resources = &rs->space[SPACE_RESOURCE];

    for (uint32_t i = 0; i < resources->n; i++)
        limit[resources->v[i].rule] = true;
    for (uint32_t i = 0; i < rs->nrules; i++) {
        const struct rule *r = &rs->rules[i];

        /* What stands at no line is a default, not somebody's grant. */
        if (!r->deny && !limit[i] && r->spot.line)
            v[p->report.n++] =
                (struct report_grant){ arena_copy(&p->arena, r->id, strlen(r->id)),
                                       grant_text(&p->arena, p->policy, r), is_seen(r) };
    }
    p->report.grants = v;
    ruleset_free(rs);
}

static void absent(struct audit_policy *p, const char *why)
{
    snprintf(p->note, sizeof(p->note), "%s", why);
    p->report.note = p->note;
}

void audit_policy_load(struct audit_policy *p, int dirfd, const char *hash)
{
    struct problems ps = PROBLEMS_INIT;
    struct dossier d = { 0 };
    struct err e = ERR_INIT;
    char is[POLICY_HASH_HEX];
    struct stat st;

    *p = (struct audit_policy){ .arena = ARENA_INIT };
    if (fstatat(dirfd, DOSSIER_FILE, &st, AT_SYMLINK_NOFOLLOW) && errno == ENOENT) {
        absent(p, "no policy is on record");
        return;
    }
    if (!S_ISREG(st.st_mode) || dossier_load(&d, dirfd, DOSSIER_FILE, &e)) {
        absent(p, e.code ? e.msg : "the policy on record is not a plain file");
    } else {
        p->policy = dossier_policy(&d, &ps);
        if (p->policy)
            policy_hash(p->policy, is);
        if (!p->policy)
            absent(p, "the policy on record does not load");
        else if (!hash[0])
            absent(p, "the records name no policy");
        else if (strcmp(is, hash) != 0)
            absent(p, d.ngrants ? "the policy on record had grants for a time, which are not in it"
                                : "the policy on record is not the one that the records name");
        else
            list_grants(p);
    }
    problems_fini(&ps);
    dossier_fini(&d);
}

void audit_policy_fini(struct audit_policy *p)
{
    policy_free(p->policy);
    arena_fini(&p->arena);
}
