/*
 * bundle_check.c - see bundle_check in bundle.h. Three readings of one policy meet here: the
 * bundle, what profile.c derives anew, and the clauses that decide requests.
 */
#include "policies/bundle.h"

#include "policies/words.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <linux/audit.h>
#include <linux/seccomp.h>

struct checker {
    const struct profile *got, *want;
    const struct ruleset *rs;
    struct bundle_tally *tally;
    struct err *e;
};

static int differ_text(struct checker *x, const char *where, const char *what, const char *got,
                       const char *want)
{
    if (strcmp(got, want) == 0)
        return 0;
    return err_set(x->e, EILSEQ, "%s: %s is \"%.60s\" in the bundle, \"%.60s\" by the policy",
                   where, what, got, want);
}

static int differ_number(struct checker *x, const char *where, const char *what, uint64_t got,
                         uint64_t want)
{
    if (got == want)
        return 0;
    return err_set(x->e, EILSEQ, "%s: %s is %" PRIu64 " in the bundle, %" PRIu64 " by the policy",
                   where, what, got, want);
}

static int differ_texts(struct checker *x, const char *where, const char *what,
                        const struct texts *got, const struct texts *want)
{
    int err = differ_number(x, where, what, got->n, want->n);

    for (uint32_t i = 0; i < want->n && !err; i++)
        err = differ_text(x, where, what, got->v[i], want->v[i]);
    return err;
}

/* ---- the machine ---- */

static bool resource_allows(const struct checker *x, const char *field, uint64_t value)
{
    struct request q;

    request_init(&q, SPACE_RESOURCE);
    request_text(&q, RESOURCE_FIELD, field);
    request_number(&q, RESOURCE_VALUE, value);
    return decide(x->rs, &q).allowed;
}

/* The plan's numbers are themselves inside the policy: asked of decide, one by one. */
static int check_plan(struct checker *x, const struct plan *plan)
{
    const struct {
        const char *field;
        uint64_t value;
    } numbers[] = { { "cpu.vcpus", plan->vcpus },
                    { "cpu.quota", plan->cpu_percent },
                    { "memory.max", plan->memory },
                    { "memory.swap", plan->swap },
                    { "limits.pids", plan->pids },
                    { "limits.wall", plan->wall_ms },
                    { "limits.open_files", plan->open_files },
                    { "budget.cpu", plan->budget_cpu_ms } };
    int err = differ_text(x, "bundle", "policy", x->got->policy, x->want->policy);

    if (!err)
        err = differ_text(x, "bundle", "policy hash", x->got->policy_hash, x->want->policy_hash);
    if (!err)
        err = differ_text(x, "bundle", "engine", x->got->engine, x->want->engine);
    if (!err)
        err = differ_text(x, "bundle", "plan", x->got->plan, x->want->plan);
    for (size_t i = 0; i < array_len(numbers) && !err; i++)
        if (!resource_allows(x, numbers[i].field, numbers[i].value))
            err = err_set(x->e, EILSEQ, "plan: %s %" PRIu64 ": the policy does not allow it",
                          numbers[i].field, numbers[i].value);
    return err;
}

static int check_cgroup(struct checker *x)
{
    int err = differ_number(x, "cgroup", "number of values", x->got->ncgroup, x->want->ncgroup);

    for (uint32_t i = 0; i < x->want->ncgroup && !err; i++) {
        const struct cgroup_value *got = &x->got->cgroup[i], *want = &x->want->cgroup[i];

        err = differ_number(x, "cgroup", "version", got->version, want->version);
        if (!err)
            err = differ_text(x, "cgroup", "file", got->file, want->file);
        if (!err)
            err = differ_text(x, "cgroup", want->file, got->value, want->value);
    }
    return err;
}

static int check_device(struct checker *x, const struct device_profile *got,
                        const struct device_profile *want)
{
    const struct {
        const char *what;
        uint64_t got, want;
    } numbers[] = {
        { "attach", got->attach, want->attach },
        { "vendor", got->vendor, want->vendor },
        { "class", got->class, want->class },
        { "first class code", got->class_lo, want->class_lo },
        { "last class code", got->class_hi, want->class_hi },
        { "count", got->count, want->count },
        { "exclusive group", got->exclusive, want->exclusive },
        { "interrupt remapping", got->remapped, want->remapped },
        { "reset methods", got->reset, want->reset },
        { "between tenants", got->between, want->between },
    };
    int err = differ_text(x, "device", "id", got->id, want->id);

    for (size_t i = 0; i < array_len(numbers) && !err; i++)
        err = differ_number(x, want->id, numbers[i].what, numbers[i].got, numbers[i].want);
    return err ? err : differ_texts(x, want->id, "ids", &got->ids, &want->ids);
}

static int check_devices(struct checker *x)
{
    int err = differ_texts(x, "machine", "device nodes", &x->got->nodes, &x->want->nodes);

    if (!err)
        err = differ_number(x, "machine", "number of devices", x->got->ndevices, x->want->ndevices);
    for (uint32_t i = 0; i < x->want->ndevices && !err; i++)
        err = check_device(x, &x->got->devices[i], &x->want->devices[i]);
    return err;
}

/* ---- filters ---- */

/* The proof, and beside it the boundary values: two ways that share only the model. */
static int check_filter(struct checker *x, const char *where, const struct seccomp_model *m,
                        const struct filter *f)
{
    struct seccomp_witness w;
    uint64_t leaves = 0, calls = 0;
    int err = seccomp_prove(m, f->prog, f->len, &w, &leaves, x->e);

    if (!err && !x->tally->proofs_only)
        err = seccomp_verify(m, f->prog, f->len, &w, &calls, x->e);
    if (err)
        return err_wrap(x->e, "%s", where);
    x->tally->filters++;
    x->tally->leaves += leaves;
    x->tally->calls += calls;
    return 0;
}

static int check_processes(struct checker *x)
{
    int err =
        differ_number(x, "bundle", "number of processes", x->got->nprocesses, x->want->nprocesses);

    for (uint32_t i = 0; i < x->want->nprocesses && !err; i++) {
        const struct process_profile *got = &x->got->processes[i], *want = &x->want->processes[i];
        struct seccomp_rule rules[PROCESS_RULES_MAX];
        struct seccomp_model m;

        err = differ_text(x, "process", "name", got->name, want->name);
        if (!err)
            err = differ_number(x, want->name, "uses", got->uses, want->uses);
        if (err)
            break;
        process_model(process_at(i), want->uses, rules, &m);
        err = check_filter(x, want->name, &m, &got->filter);
    }
    return err;
}

/* Does the filter let a call of this number through, with arguments that one of the rules wants? */
static bool filter_grants(const struct seccomp_model *m, const struct filter *f, uint32_t nr)
{
    for (uint32_t i = 0; i < m->nrules; i++) {
        const struct seccomp_rule *r = &m->rules[i];
        struct bpf_call call = { .nr = (int32_t)nr, .arch = AUDIT_ARCH_X86_64 };

        for (unsigned k = 0; k < r->nargs; k++)
            call.args[r->arg[k].index] = r->arg[k].value;
        if (r->nr == nr && bpf_run(f->prog, f->len, &call) == SECCOMP_RET_ALLOW)
            return true;
    }
    return false;
}

/* ---- tools, against the clause that decides ---- */

static const struct clause *clause_of(const struct checker *x, const char *id)
{
    static const char prefix[] = "tools/commands/";
    const struct clauses *cs = &x->rs->space[SPACE_EXEC];

    for (uint32_t i = 0; i < cs->n; i++) {
        const char *rule = x->rs->rules[cs->v[i].rule].id;

        if (!cs->v[i].deny && strncmp(rule, prefix, sizeof(prefix) - 1) == 0 &&
            strcmp(rule + sizeof(prefix) - 1, id) == 0)
            return &cs->v[i];
    }
    return NULL;
}

static bool has_number(const struct clause *c, unsigned dim, uint64_t n)
{
    return cell_has(c->cell[dim], &(struct value){ .present = true, .n = n });
}

static bool has_bit(const struct clause *c, unsigned dim, unsigned bit)
{
    struct bits one = { { 0 } };

    bits_set(&one, bit);
    return cell_has(c->cell[dim], &(struct value){ .present = true, .bits = &one });
}

/* "": the rule takes any. */
static bool has_word(const struct clause *c, unsigned dim, const char *s)
{
    return cell_has(c->cell[dim], &(struct value){ .present = *s, .s = s, .len = strlen(s) });
}

static bool has_text(const struct clause *c, unsigned dim, const char *s)
{
    return cell_has(c->cell[dim], &(struct value){ .present = true, .list = { &s, 1 } });
}

static int check_calls(struct checker *x, const struct clause *c, const struct tool_profile *got,
                       const struct tool_profile *want)
{
    /* clone3 is granted in name only, where its flags would have to be looked at. */
    const uint32_t clone3 = (uint32_t)syscall_number("clone3");

    for (uint32_t nr = 0; nr < BITS_MAX; nr++) {
        bool filter = filter_grants(&want->model, &got->filter, nr);
        bool policy = has_bit(c, EXEC_SYSCALLS, nr);

        if (filter != policy && (filter || nr != clone3))
            return err_set(x->e, EILSEQ, "%s: the filter %s %s, the policy %s it", want->id,
                           filter ? "allows" : "refuses", syscall_name(nr) ? syscall_name(nr) : "?",
                           policy ? "allows" : "refuses");
    }
    return 0;
}

static int outside(struct checker *x, const struct tool_profile *t, const char *what,
                   const char *value)
{
    return err_set(x->e, EILSEQ, "%s: %s %s: the policy does not allow it", t->id, what, value);
}

static int check_grants(struct checker *x, const struct clause *c, const struct tool_profile *got)
{
    struct arena a = ARENA_INIT;
    int err = 0;

    for (unsigned i = 0; i < 64 && !err; i++)
        if ((got->caps >> i & 1) != (capability_name(i) && has_bit(c, EXEC_CAPS, i)))
            err = outside(x, got, "capability", capability_name(i) ? capability_name(i) : "?");
    if (!err && (!has_number(c, EXEC_CPU, got->cpu_s * 1000) || !has_number(c, EXEC_AS, got->as) ||
                 !has_number(c, EXEC_FSIZE, got->fsize) || !has_number(c, EXEC_USER, got->user) ||
                 !resource_allows(x, "limits.open_files", got->nofile)))
        err = outside(x, got, "a limit, or the user", "");
    if (!err && !has_word(c, EXEC_SHA256, got->sha256))
        err = outside(x, got, "hash", got->sha256);
    for (uint32_t i = 0; i < got->ntrees && !err; i++)
        if (strncmp(got->trees[i].path, "/dev/", 5) != 0 && /* compared with those of everybody */
            !has_text(c, got->trees[i].write ? EXEC_RW : EXEC_RO, got->trees[i].path))
            err = outside(x, got, "path", got->trees[i].path);
    for (uint32_t i = 0; i < got->set.n && !err; i++)
        if (!has_text(c, EXEC_ENV,
                      arena_printf(&a, "%s=%s", got->set.v[i].key, got->set.v[i].value)))
            err = outside(x, got, "variable", got->set.v[i].key);
    for (uint32_t i = 0; i < got->network.n && !err; i++)
        if (!has_text(c, EXEC_USES, arena_printf(&a, "network:%s", got->network.v[i])))
            err = outside(x, got, "network", got->network.v[i]);
    for (uint32_t i = 0; i < got->spawn.n && !err; i++)
        if (!has_text(c, EXEC_USES, arena_printf(&a, "spawn:%s", got->spawn.v[i])))
            err = outside(x, got, "program to start", got->spawn.v[i]);
    arena_fini(&a);
    return err;
}

static int check_trees(struct checker *x, const struct tool_profile *got,
                       const struct tool_profile *want)
{
    int err = differ_number(x, want->id, "number of paths", got->ntrees, want->ntrees);

    for (uint32_t i = 0; i < want->ntrees && !err; i++) {
        err = differ_text(x, want->id, "path", got->trees[i].path, want->trees[i].path);
        if (!err)
            err = differ_number(x, want->trees[i].path, "write", got->trees[i].write,
                                want->trees[i].write);
    }
    return err;
}

static int check_env(struct checker *x, const struct tool_profile *got,
                     const struct tool_profile *want)
{
    int err = differ_texts(x, want->id, "environment", &got->env, &want->env);

    if (!err)
        err = differ_number(x, want->id, "number of variables", got->set.n, want->set.n);
    for (uint32_t i = 0; i < want->set.n && !err; i++) {
        err = differ_text(x, want->id, "variable", got->set.v[i].key, want->set.v[i].key);
        if (!err)
            err = differ_text(x, want->id, want->set.v[i].key, got->set.v[i].value,
                              want->set.v[i].value);
    }
    if (!err)
        err = differ_texts(x, want->id, "network", &got->network, &want->network);
    return err ? err : differ_texts(x, want->id, "spawn", &got->spawn, &want->spawn);
}

static int check_tool(struct checker *x, const struct tool_profile *got,
                      const struct tool_profile *want)
{
    const struct {
        const char *what;
        uint64_t got, want;
    } numbers[] = {
        { "shell", got->shell, want->shell },       { "broker", got->brokered, want->brokered },
        { "user", got->user, want->user },          { "capabilities", got->caps, want->caps },
        { "cpu seconds", got->cpu_s, want->cpu_s }, { "address space", got->as, want->as },
        { "file size", got->fsize, want->fsize },   { "open files", got->nofile, want->nofile },
    };
    const struct clause *c = clause_of(x, want->id);
    int err = differ_text(x, "tool", "id", got->id, want->id);

    if (!err && !c)
        err = err_set(x->e, EILSEQ, "%s: no rule decides about it", want->id);
    if (!err)
        err = differ_text(x, want->id, "program", got->exec, want->exec);
    if (!err)
        err = differ_text(x, want->id, "hash", got->sha256, want->sha256);
    for (size_t i = 0; i < array_len(numbers) && !err; i++)
        err = differ_number(x, want->id, numbers[i].what, numbers[i].got, numbers[i].want);
    if (!err)
        err = check_trees(x, got, want);
    if (!err)
        err = check_env(x, got, want);
    if (!err)
        err = check_filter(x, want->id, &want->model, &got->filter);
    if (!err)
        err = check_calls(x, c, got, want);
    return err ? err : check_grants(x, c, got);
}

int bundle_check(const struct profile *bundle, const struct ruleset *rs, const struct plan *plan,
                 struct bundle_tally *t, struct err *e)
{
    struct profile *want = profile_make(rs->policy, plan);
    struct checker x = { bundle, want, rs, t, e };
    int err;

    *t = (struct bundle_tally){ .proofs_only = t->proofs_only };
    err = check_plan(&x, plan);
    if (!err)
        err = check_cgroup(&x);
    if (!err)
        err = check_devices(&x);
    if (!err)
        err = check_processes(&x);
    if (!err)
        err = differ_number(&x, "bundle", "number of tools", bundle->ntools, want->ntools);
    for (uint32_t i = 0; i < want->ntools && !err; i++)
        err = check_tool(&x, &bundle->tools[i], &want->tools[i]);
    profile_free(want);
    return err;
}
