/* lint_machine.c - rules about the machine itself: limits, budgets, image, snapshots, records. */
#include "policies/lint_rules.h"
#include "policies/words.h"

#include <string.h>

#define SEC  1000ull
#define DAY  (86400 * SEC)
#define PIDS 65536u

static bool at_most(const char *path, uint64_t v)
{
    const struct field *f = field_by_path(path);

    return f && v >= f->max;
}

static void mode(struct linter *l, const void *object)
{
    const struct policy *p = object;

    if (p->mode)
        lint_say(l, "mode", "%s: what is denied is done all the same", words_mode[p->mode]);
}

static void seccomp(struct linter *l, const void *object)
{
    const struct policy *p = object;

    if (p->require.seccomp != REQUIRE_REQUIRED)
        lint_say(l, "require.seccomp", "%s", words_require[p->require.seccomp]);
}

static void confinement(struct linter *l, const void *object)
{
    const struct policy_require *q = &((const struct policy *)object)->require;

    if (q->landlock == REQUIRE_OFF)
        lint_say(l, "require.landlock", "off");
    if (q->userns == REQUIRE_OFF)
        lint_say(l, "require.userns", "off");
    if (q->core_sched == REQUIRE_OFF)
        lint_say(l, "require.core_sched", "off");
}

static void nested(struct linter *l, const void *object)
{
    const struct policy *p = object;

    if (p->cpu.nested)
        lint_say(l, "cpu.nested", "true");
}

static void idle_quota(struct linter *l, const void *object)
{
    const struct policy *p = object;

    if (p->cpu.quota > p->cpu.vcpus * 100)
        lint_say(l, "cpu.quota", "%u%% of a machine with %u CPU%s", (unsigned)p->cpu.quota,
                 (unsigned)p->cpu.vcpus, p->cpu.vcpus == 1 ? "" : "s");
}

static void memory_max(struct linter *l, const void *object)
{
    const struct policy *p = object;

    if (at_most("memory.max", p->memory.max))
        lint_say(l, "memory.max", "the largest value that there is");
}

static void swap(struct linter *l, const void *object)
{
    const struct policy *p = object;

    if (p->memory.swap)
        lint_say(l, "memory.swap", "guest memory is written to the host's disk");
}

static void pids(struct linter *l, const void *object)
{
    const struct policy *p = object;

    if (p->limits.pids > PIDS)
        lint_say(l, "limits.pids", "%u", (unsigned)p->limits.pids);
}

static void wall(struct linter *l, const void *object)
{
    const struct policy *p = object;

    if (p->limits.wall > 7 * DAY)
        lint_say(l, "limits.wall", "longer than a week");
}

static void idle(struct linter *l, const void *object)
{
    const struct policy *p = object;

    if (p->limits.idle >= p->limits.wall)
        lint_say(l, "limits.idle", "not shorter than limits.wall, so it never acts");
}

static void budgets(struct linter *l, const void *object)
{
    const struct policy_budget *b = &((const struct policy *)object)->budget;
    const struct {
        const char *key;
        uint64_t v;
    } all[] = { { "budget.cpu", b->cpu },
                { "budget.egress", b->egress },
                { "budget.tool_calls", b->tool_calls },
                { "budget.forks", b->forks },
                { "budget.tokens", b->tokens } };

    for (size_t i = 0; i < array_len(all); i++)
        if (at_most(all[i].key, all[i].v))
            lint_say(l, all[i].key, "the largest value that there is");
}

static void no_budget(struct linter *l, const void *object)
{
    const struct policy *p = object;

    if (!object_has(&p->o, (uint32_t)field_index(&policy_table, "budget")) &&
        (p->network.allow.n || p->models.n))
        lint_say(l, "budget", "not said, so the defaults hold");
}

static void image_hash(struct linter *l, const void *object)
{
    const struct policy *p = object;

    if (p->image.name && !p->image.sha256)
        lint_say(l, "image.name", "%s, whatever is stored under that name", p->image.name);
}

static void verity(struct linter *l, const void *object)
{
    const struct policy *p = object;

    if (p->image.verity && !p->image.sha256)
        lint_say(l, "image.verity", "checks an image that nothing pins");
}

static void reseed(struct linter *l, const void *object)
{
    const struct policy *p = object;

    if (p->snapshot.restore && p->snapshot.reseed != REQUIRE_REQUIRED)
        lint_say(l, "snapshot.reseed", "%s", words_require[p->snapshot.reseed]);
}

static void old_state(struct linter *l, const void *object)
{
    const struct policy *p = object;

    if (p->snapshot.restore && p->snapshot.max_age > 30 * DAY)
        lint_say(l, "snapshot.max_age", "longer than 30 days");
}

static void unrecorded(struct linter *l, const void *object)
{
    const struct policy *p = object;

    if (p->audit.level == 3) /* words_audit: off */
        lint_say(l, "audit.level", "nothing is recorded");
}

static void denials_only(struct linter *l, const void *object)
{
    const struct policy *p = object;

    if (p->audit.level == 2) /* denials */
        lint_say(l, "audit.level", "what was allowed is not recorded");
}

static void on_fail(struct linter *l, const void *object)
{
    const struct policy *p = object;

    if (p->audit.on_fail == 2) /* words_on_fail: continue */
        lint_say(l, "audit.on_fail", "goes on without records");
}

static void retain(struct linter *l, const void *object)
{
    const struct policy *p = object;

    if (p->audit.retain < 30 * DAY)
        lint_say(l, "audit.retain", "shorter than 30 days");
}

static void checkpoint(struct linter *l, const void *object)
{
    const struct policy *p = object;

    if (p->audit.checkpoint > 60 * SEC)
        lint_say(l, "audit.checkpoint", "longer than a minute");
}

/* clang-format off */
static const struct lint_check checks[] = {
    { { "CR501", "not-enforced", LINT_WARNING, "Modes other than enforce are for finding out what a task needs.", "Use mode: enforce outside of tests." }, EACH_POLICY, mode },
    { { "CR502", "seccomp-optional", LINT_WARNING, "Without filters a flaw in one host process reaches the whole kernel.", "Leave require.seccomp out (required)." }, EACH_POLICY, seccomp },
    { { "CR503", "confinement-off", LINT_WARNING, "A layer that is off is not used even where the host has it.", "Use preferred, or required." }, EACH_POLICY, confinement },
    { { "CR504", "nested", LINT_WARNING, "Virtualisation inside the guest opens the largest and least used part of the host's hypervisor to it.", "Leave cpu.nested out." }, EACH_POLICY, nested },
    { { "CR505", "quota-without-effect", LINT_NOTE, "A machine cannot use more than its CPUs.", "Lower cpu.quota, or raise cpu.vcpus." }, EACH_POLICY, idle_quota },
    { { "CR506", "memory-unlimited", LINT_WARNING, "A limit that no host has is none: the host runs out first.", "Set memory.max to what the task needs." }, EACH_POLICY, memory_max },
    { { "CR507", "swap", LINT_NOTE, "What was in the guest's memory stays on the disk after it is gone.", "Leave memory.swap out, or use encrypted swap." }, EACH_POLICY, swap },
    { { "CR508", "pids-unlimited", LINT_WARNING, "A fork bomb stops at this number, and so does the host's patience.", "Set limits.pids to thousands at most." }, EACH_POLICY, pids },
    { { "CR509", "long-run", LINT_WARNING, "A forgotten agent goes on working, and spending.", "Set limits.wall to a day or so." }, EACH_POLICY, wall },
    { { "CR510", "idle-without-effect", LINT_NOTE, "The sandbox ends before it can be idle that long.", "Set limits.idle below limits.wall." }, EACH_POLICY, idle },
    { { "CR511", "budget-unlimited", LINT_WARNING, "A sum without a limit is found out from the bill.", "Set it to what a task may cost." }, EACH_POLICY, budgets },
    { { "CR512", "budget-unsaid", LINT_NOTE, "Egress and tokens are what an agent costs and leaks; their limits should be somebody's decision.", "Write budget: with egress, and tokens where there are models." }, EACH_POLICY, no_budget },
    { { "CR513", "image-unpinned", LINT_NOTE, "Another image of the same name boots as well.", "Add image.sha256." }, EACH_POLICY, image_hash },
    { { "CR514", "verity-unpinned", LINT_WARNING, "Checking blocks against hashes that came with them proves nothing about who made them.", "Add image.sha256." }, EACH_POLICY, verity },
    { { "CR515", "restore-without-reseed", LINT_ERROR, "Two machines from one saved state draw the same random numbers: same keys, same nonces, same names.", "Leave snapshot.reseed out (required)." }, EACH_POLICY, reseed },
    { { "CR516", "old-state", LINT_NOTE, "An old state runs old programs with their known flaws.", "Set snapshot.max_age to days." }, EACH_POLICY, old_state },
    { { "CR521", "audit-off", LINT_ERROR, "What is not recorded did not happen, as far as anybody can tell later.", "Leave audit.level out (all)." }, EACH_POLICY, unrecorded },
    { { "CR522", "audit-denials-only", LINT_WARNING, "Harm is done by what was allowed.", "Use audit.level: all or decisions." }, EACH_POLICY, denials_only },
    { { "CR523", "audit-continue", LINT_WARNING, "Filling the disk is then a way to act unseen.", "Use audit.on_fail: pause or stop." }, EACH_POLICY, on_fail },
    { { "CR524", "audit-short", LINT_WARNING, "Most intrusions are found after weeks.", "Set audit.retain to 30d or more." }, EACH_POLICY, retain },
    { { "CR525", "checkpoint-long", LINT_NOTE, "Records since the last checkpoint can be cut off without a trace.", "Set audit.checkpoint to 60s or less." }, EACH_POLICY, checkpoint },
};
/* clang-format on */

const struct lint_checks lint_machine = { checks, array_len(checks) };
