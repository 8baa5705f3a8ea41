/*
 * bench_compile.c - random policies, compiled and verified.
 *
 *   bench_compile [COUNT [SEED]]
 *
 * Each policy has one to three commands with calls, capabilities, paths and limits at random. All
 * that is made of it is written as a bundle, read back and checked: every filter by proof, one
 * policy in a hundred over boundary values too. Ends with 1 at the first mismatch.
 */
#include "policies/bundle.h"
#include "policies/layers.h"
#include "policies/words.h"
#include "sandbox/confine/profile.h"
#include "tests/unit/policy_random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct totals {
    uint64_t filters, leaves, calls;
};

/* Some names of a vocabulary, as a list. */
/* What a plan refuses to give (policies/plan.c). */
static bool is_never(unsigned capability)
{
    static const char *const never[] = { "cap_sys_module", "cap_sys_rawio", "cap_sys_ptrace",
                                         "cap_sys_boot",   "cap_mknod",     "cap_bpf",
                                         "cap_perfmon" };

    for (size_t i = 0; i < array_len(never); i++)
        if (capability_number(never[i]) == (int)capability)
            return true;
    return false;
}

static void some(struct rng *r, struct text *t, const char *key, const char *(*name)(unsigned),
                 unsigned max, unsigned n)
{
    struct bits seen = { { 0 } };

    text_add(t, "%s: [", key);
    for (unsigned i = 0, said = 0; i < n; i++) {
        unsigned k = rng_below(r, max);

        if (!name(k) || bits_has(&seen, k) || (name == capability_name && is_never(k)))
            continue;
        bits_set(&seen, k);
        text_add(t, "%s%s", said++ ? ", " : "", name(k));
    }
    text_add(t, "]");
}

static void command(struct rng *r, struct text *t, unsigned i)
{
    static const char *const paths[] = { "", "/usr", "/usr, /lib", "/", "/etc, /opt/x" };
    static const char *const bases[] = { "none", "tool-default", "tool-default", "all" };

    text_add(t, "    - {id: t%u, exec: {path: /bin/t%u}, user: %u,\n       syscalls: {base: %s, ",
             i, i, rng_below(r, 65534), bases[rng_below(r, 4)]);
    some(r, t, "add", syscall_name, 450, rng_below(r, 60));
    text_add(t, ", ");
    some(r, t, "remove", syscall_name, 450, rng_below(r, 60));
    text_add(t, "},\n       ");
    some(r, t, "capabilities", capability_name, 41, rng_below(r, 6));
    text_add(t, ", paths: {ro: [%s], rw: [%s]},\n", paths[rng_below(r, 5)], paths[rng_below(r, 4)]);
    text_add(t, "       rlimits: {cpu: %ums, as: %uMiB, fsize: %uB}}\n",
             1000 + rng_below(r, 100000), 1 + rng_below(r, 100000), rng_below(r, 1u << 30));
}

static void document(struct rng *r, struct text *t)
{
    unsigned n = 1 + rng_below(r, 3);

    text_add(
        t,
        "carrel: 1\nname: r\ncpu: {vcpus: %u, quota: %u%%}\nmemory: {max: %uMiB}\n"
        "limits: {pids: %u, open_files: %u}\nstorage: {root: {mode: %s}}\ntools:\n  commands:\n",
        1 + rng_below(r, 8), 1 + rng_below(r, 800), 64 + rng_below(r, 4096), 1 + rng_below(r, 4000),
        16 + rng_below(r, 4000), rng_below(r, 2) ? "overlay" : "read-only");
    for (unsigned i = 0; i < n; i++)
        command(r, t, i);
}

static int judge(const struct ruleset *rs, const struct plan *plan, bool whole, struct totals *sum,
                 struct err *e)
{
    struct profile *made = profile_make(rs->policy, plan), *read = NULL;
    struct bundle_tally t = { .proofs_only = !whole };
    struct text bytes = TEXT_INIT;
    int err = confine_compile(made, e);

    if (!err) {
        bundle_write(made, &bytes);
        read = bundle_parse(bytes.p, bytes.len, e);
        err = read ? bundle_check(read, rs, plan, &t, e) : -e->code;
    }
    sum->filters += t.filters;
    sum->leaves += t.leaves;
    sum->calls += t.calls;
    text_fini(&bytes);
    profile_free(read);
    profile_free(made);
    return err;
}

static int one(struct rng *r, bool whole, struct totals *sum)
{
    struct text yaml = TEXT_INIT, said = TEXT_INIT;
    struct problems ps = PROBLEMS_INIT;
    struct err e = ERR_INIT;

    document(r, &yaml);

    struct policy *p = policy_load(text_str(&yaml), yaml.len, "random", NULL, NULL, &ps);
    struct plan *plan = p ? profile_plan(p, "kvm", &ps) : NULL;
    struct ruleset *rs = p ? ruleset_make(p, NULL) : NULL;
    int err = plan ? judge(rs, plan, whole, sum, &e) : -EINVAL;

    if (err) {
        problems_print(&ps, &said);
        fprintf(stderr, "%s%s\n%s", text_str(&said), e.msg, text_str(&yaml));
    }
    ruleset_free(rs);
    plan_free(plan);
    policy_free(p);
    problems_fini(&ps);
    text_fini(&said);
    text_fini(&yaml);
    return err;
}

int main(int argc, char **argv)
{
    unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000;
    struct rng r = { argc > 2 ? strtoull(argv[2], NULL, 0) | 1 : 0x9e3779b97f4a7c15ull };
    struct totals sum = { 0 };
    clock_t start = clock();

    for (unsigned long i = 0; i < n; i++)
        if (one(&r, i % 100 == 0, &sum)) {
            fprintf(stderr, "policy %lu\n", i);
            return 1;
        }
    printf("%lu policies, %llu filters, all proved over %llu regions, %llu boundary calls, "
           "0 mismatches, %.1f s of processor time\n",
           n, (unsigned long long)sum.filters, (unsigned long long)sum.leaves,
           (unsigned long long)sum.calls, (double)(clock() - start) / CLOCKS_PER_SEC);
    return 0;
}
