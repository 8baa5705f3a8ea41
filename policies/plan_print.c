/* plan_print.c - a plan as lines and as JSON, from one list of its members. */
#include "policies/plan.h"

#include "policies/units.h"
#include "policies/words.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

enum kind {
    K_COUNT,
    K_BYTES,
    K_TIME,
    K_PERCENT,
    K_BOOL,
    K_WORD,
    K_TEXT,
    K_U32,
};

static const struct member {
    const char *name;
    enum kind kind;
    size_t offset;
    const char *const *words;
} members[] = {
#define M(n, k, m)                               \
    {                                            \
        n, K_##k, offsetof(struct plan, m), NULL \
    }
#define W(n, w, m)                                     \
    {                                                  \
        n, K_WORD, offsetof(struct plan, m), words_##w \
    }
    M("audit.checkpoint", TIME, audit_checkpoint_ms),
    W("audit.level", audit, audit_level),
    W("audit.on_fail", on_fail, audit_on_fail),
    M("audit.retain", TIME, audit_retain_ms),
    M("budget.cpu", TIME, budget_cpu_ms),
    M("budget.egress", BYTES, budget_egress),
    M("budget.forks", COUNT, budget_forks),
    M("budget.tokens", COUNT, budget_tokens),
    M("budget.tool_calls", COUNT, budget_tool_calls),
    M("confine.core_sched", BOOL, core_sched),
    M("confine.landlock", BOOL, landlock),
    M("confine.seccomp", BOOL, seccomp),
    M("confine.userns", BOOL, userns),
    M("cpu.nested", BOOL, nested),
    M("cpu.quota", PERCENT, cpu_percent),
    M("cpu.vcpus", COUNT, vcpus),
    M("devices", U32, devices),
    M("engine", TEXT, engine),
    M("image.kernel", TEXT, kernel_sha256),
    M("image.name", TEXT, image),
    M("image.sha256", TEXT, image_sha256),
    M("image.verity", BOOL, verity),
    M("limits.console", BYTES, console),
    M("limits.idle", TIME, idle_ms),
    M("limits.open_files", COUNT, open_files),
    M("limits.pids", COUNT, pids),
    M("limits.wall", TIME, wall_ms),
    M("memory.balloon", BOOL, balloon),
    W("memory.hugepages", hugepages, hugepages),
    M("memory.max", BYTES, memory),
    M("memory.swap", BYTES, swap),
    W("mode", mode, mode),
    M("models", U32, models),
    M("network.allow", U32, net_rules),
    M("network.deny", U32, net_denials),
    M("network.publish", U32, publish),
    M("policy", TEXT, policy),
    M("secrets", U32, secrets),
    M("snapshot.max_age", TIME, snapshot_max_age_ms),
    M("snapshot.reseed", BOOL, reseed),
    M("snapshot.restore", BOOL, restore),
    M("snapshot.save", BOOL, save),
    M("storage.disk", BYTES, disk),
    W("storage.on_full", on_full, on_full),
    M("storage.root.bytes", BYTES, root_bytes),
    M("storage.root.inodes", COUNT, root_inodes),
    W("storage.root.mode", root, root),
    M("tools.commands", U32, commands),
    M("tools.host", U32, host_tools),
    M("tools.mcp", U32, mcp_servers),
#undef M
#undef W
};

static void value(const struct plan *p, const struct member *m, bool json, struct text *out)
{
    static const enum unit units[] = { [K_COUNT] = UNIT_COUNT,
                                       [K_BYTES] = UNIT_BYTES,
                                       [K_TIME] = UNIT_TIME,
                                       [K_PERCENT] = UNIT_PERCENT };
    const void *v = (const char *)p + m->offset;

    switch (m->kind) {
    case K_BOOL: text_add(out, *(const bool *)v ? "true" : "false"); break;
    case K_U32: text_add(out, "%u", *(const uint32_t *)v); break;
    case K_WORD: text_add(out, json ? "\"%s\"" : "%s", m->words[*(const uint64_t *)v]); break;
    case K_TEXT: {
        const char *s = *(const char *const *)v;

        if (!s)
            text_add(out, json ? "null" : "any");
        else if (json)
            text_json(out, s);
        else
            text_add(out, "%s", s);
        break;
    }
    default:
        /* A program reads base units: bytes, milliseconds, percent. */
        if (json)
            text_add(out, "%" PRIu64, *(const uint64_t *)v);
        else
            units_print(units[m->kind], *(const uint64_t *)v, out);
        break;
    }
}

static const char *access_of(const struct plan_mount *m)
{
    return m->volume ? words_memory[m->access] : words_access[m->access];
}

void plan_print(const struct plan *plan, struct text *out)
{
    text_add(out, "%-20s sha256:%s\n", "policy.hash", plan->policy_hash);
    for (size_t i = 0; i < array_len(members); i++) {
        text_add(out, "%-20s ", members[i].name);
        value(plan, &members[i], false, out);
        text_add(out, "\n");
    }
    for (uint32_t i = 0; i < plan->nmounts; i++) {
        const struct plan_mount *m = &plan->mounts[i];
        char name[96];

        snprintf(name, sizeof(name), "%s.%s", m->volume ? "volume" : "mount", m->id);
        text_add(out, "%-20s %s%s%s %s, ", name, m->source ? m->source : "",
                 m->source ? " on " : "", m->target, access_of(m));
        units_print(UNIT_BYTES, m->bytes, out);
        if (m->volume) {
            text_add(out, ", %" PRIu64 " versions, ", m->keep);
            units_print(UNIT_TIME, m->retain_ms, out);
        } else {
            text_add(out, ", %" PRIu64 " inodes%s", m->inodes,
                     m->share == SHARE_LIVE ? ", live" : "");
        }
        text_add(out, "\n");
    }
    text_add(out, "%-20s", "features");
    for (unsigned i = 0, n = 0; i < FEATURES; i++)
        if (plan->features >> i & 1)
            text_add(out, "%s%s", n++ ? ", " : " ", feature_name(i));
    text_add(out, "\n");
    for (uint32_t i = 0; i < plan->nnotes; i++)
        text_add(out, "%-20s %s\n", "note", plan->notes[i]);
}

static void mounts_json(const struct plan *plan, struct text *out)
{
    for (uint32_t i = 0; i < plan->nmounts; i++) {
        const struct plan_mount *m = &plan->mounts[i];

        text_add(out, "%s{\"access\":\"%s\",\"bytes\":%" PRIu64 ",\"id\":\"%s\"", i ? "," : "",
                 access_of(m), m->bytes, m->id);
        if (m->volume)
            text_add(out, ",\"keep\":%" PRIu64 ",\"retain\":%" PRIu64, m->keep, m->retain_ms);
        else
            text_add(out, ",\"inodes\":%" PRIu64 ",\"source\":", m->inodes);
        if (!m->volume)
            text_json(out, m->source);
        if (!m->volume)
            text_add(out, ",\"share\":\"%s\"", words_share[m->share]);
        text_add(out, ",\"target\":");
        text_json(out, m->target);
        text_add(out, "}");
    }
}

void plan_json(const struct plan *plan, struct text *out)
{
    text_add(out, "{");
    for (size_t i = 0; i < array_len(members); i++) {
        text_add(out, "\"%s\":", members[i].name);
        value(plan, &members[i], true, out);
        text_add(out, ",");
    }
    text_add(out, "\"features\":[");
    for (unsigned i = 0, n = 0; i < FEATURES; i++)
        if (plan->features >> i & 1)
            text_add(out, "%s\"%s\"", n++ ? "," : "", feature_name(i));
    text_add(out, "],\"mounts\":[");
    mounts_json(plan, out);
    text_add(out, "],\"notes\":[");
    for (uint32_t i = 0; i < plan->nnotes; i++) {
        text_add(out, "%s", i ? "," : "");
        text_json(out, plan->notes[i]);
    }
    text_add(out, "],\"policy.hash\":\"sha256:%s\"}\n", plan->policy_hash);
}
