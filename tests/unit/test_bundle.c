/* test_bundle.c - what is compiled from a policy, its one byte form, and the check that does not
 * believe it. */
#include "policies/bundle.h"
#include "policies/layers.h"
#include "policies/words.h"
#include "sandbox/confine/profile.h"
#include "tests/unit/policy_random.h"
#include "tests/unit/shipped.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <asm/unistd_64.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/socket.h>

#include <cmocka.h>

#define HASH "00000000000000000000000000000000000000000000000000000000000000aa"

static const char one_tool[] =
    "carrel: 1\nname: t\ncpu: {vcpus: 2, quota: 150%}\nmemory: {max: 512MiB}\n"
    "limits: {pids: 300, open_files: 512}\n"
    "tools:\n  commands:\n"
    "    - {id: py, exec: {path: /usr/bin/python3}, argv: [{allow: [x]}], user: 7,\n"
    "       capabilities: [net_bind_service, chown], env: {allow: [\"PY*\"], set: {A: b}},\n"
    "       syscalls: {remove: [kill]}, rlimits: {cpu: 90500ms, as: 64MiB, fsize: 1MiB},\n"
    "       paths: {ro: [/usr, /lib], rw: [/tmp]}, network: [n], spawn: [ls]}\n"
    "    - {id: ls, exec: {path: /bin/ls, sha256: " HASH
    "}, syscalls: {base: none, add: [read, write, "
    "exit_group]}}\n"
    "network: {allow: [{id: n, hosts: [a.b]}]}\n"
    "accelerators: [{id: g, attach: passthrough, match: {vendor: nvidia}}]\n";

struct made {
    struct policy *policy;
    struct ruleset *rules;
    struct plan *plan;
    struct profile *profile;
    struct text bytes;
};

static void make_from(const char *yaml, size_t len, const char *file, struct made *m)
{
    struct problems ps = PROBLEMS_INIT;
    struct text t = TEXT_INIT;
    struct err e = ERR_INIT;

    memset(m, 0, sizeof(*m));
    m->policy = policy_load(yaml, len, file, NULL, NULL, &ps);
    m->plan = m->policy ? profile_plan(m->policy, "kvm", &ps) : NULL;
    if (!m->plan) {
        problems_print(&ps, &t);
        fail_msg("%s: %s", file, text_str(&t));
    }
    problems_fini(&ps);
    m->rules = ruleset_make(m->policy, NULL);
    m->profile = profile_make(m->policy, m->plan);
    if (confine_compile(m->profile, &e))
        fail_msg("%s: %s", file, e.msg);
    bundle_write(m->profile, &m->bytes);
}

static void unmake(struct made *m)
{
    text_fini(&m->bytes);
    profile_free(m->profile);
    plan_free(m->plan);
    ruleset_free(m->rules);
    policy_free(m->policy);
}

/* 0, or why the bytes are refused. */
static int judge(const struct made *m, const char *bytes, size_t len, struct err *e)
{
    struct profile *f = bundle_parse(bytes, len, e);
    struct bundle_tally t = { 0 };
    int err = f ? bundle_check(f, m->rules, m->plan, &t, e) : -e->code;

    profile_free(f);
    return err;
}

static void one_of_the_library(const char *name, void *ctx)
{
    struct made m, again;
    struct err e = ERR_INIT;
    size_t len;
    char *yaml = shipped_file(name, ".yaml", &len);

    (void)ctx;
    assert_non_null(yaml);
    make_from(yaml, len, name, &m);
    make_from(yaml, len, name, &again);
    assert_int_equal(m.bytes.len, again.bytes.len);
    assert_memory_equal(m.bytes.p, again.bytes.p, m.bytes.len);
    if (judge(&m, m.bytes.p, m.bytes.len, &e))
        fail_msg("%s: %s", name, e.msg);
    unmake(&m);
    unmake(&again);
    free(yaml);
}

static void every_policy_of_the_library(void **s)
{
    (void)s;
    assert_true(shipped_each(one_of_the_library, NULL) >= 10);
}

static void what_the_profile_says(void **s)
{
    struct made m;
    const struct tool_profile *py, *ls;
    char hash[BUNDLE_HASH_HEX];

    (void)s;
    make_from(one_tool, sizeof(one_tool) - 1, "t", &m);
    py = profile_tool(m.profile, "py");
    ls = profile_tool(m.profile, "ls");
    assert_null(profile_tool(m.profile, "cc"));
    assert_int_equal(py->user, 7);
    assert_int_equal(py->caps, 1u << 10 | 1u);
    assert_int_equal(py->cpu_s, 90); /* whole seconds, never more than was granted */
    assert_int_equal(py->as, 64 << 20);
    assert_int_equal(py->nofile, 512);
    assert_string_equal(py->trees[0].path, "/lib");
    assert_false(py->trees[0].write);
    assert_string_equal(py->trees[2].path, "/tmp");
    assert_true(py->trees[2].write);
    assert_string_equal(py->trees[3].path, "/dev/null");
    assert_int_equal(ls->model.nrules, 4); /* three, and clone3 */
    assert_int_equal(ls->caps, 0);
    assert_string_equal(ls->sha256, HASH);
    assert_string_equal(py->sha256, "");
    assert_string_equal(m.profile->cgroup[0].file, "memory.max");
    assert_string_equal(m.profile->cgroup[0].value, "620756992"); /* 512 + 16 + 64 MiB */
    assert_string_equal(m.profile->cgroup[3].value, "150000 100000");
    assert_string_equal(m.profile->cgroup[4].value, "4");
    assert_int_equal(m.profile->ndevices, 1);
    assert_int_equal(m.profile->nodes.n, 2);
    assert_string_equal(m.profile->nodes.v[1], "/dev/vfio/vfio");
    bundle_hash("abc", 3, hash);
    assert_string_equal(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    unmake(&m);
}

static uint32_t answer(const struct filter *f, uint32_t nr, unsigned arg, uint64_t value)
{
    struct bpf_call call = { .nr = (int32_t)nr, .arch = AUDIT_ARCH_X86_64 };

    call.args[arg] = value;
    return bpf_run(f->prog, f->len, &call);
}

static void c05_what_is_closed_to_tools(void **s)
{
    static const char *const closed[] = { "io_uring_setup", "bpf",     "userfaultfd",
                                          "keyctl",         "add_key", "ptrace",
                                          "mount",          "unshare", "setns" };
    const uint32_t no = SECCOMP_RET_ERRNO | EPERM, yes = SECCOMP_RET_ALLOW;
    struct made m;
    const struct filter *f;

    (void)s;
    make_from(one_tool, sizeof(one_tool) - 1, "t", &m);
    f = &profile_tool(m.profile, "py")->filter;
    for (size_t i = 0; i < array_len(closed); i++)
        assert_int_equal(answer(f, (uint32_t)syscall_number(closed[i]), 0, 0), no);
    assert_int_equal(answer(f, __NR_kill, 0, 0), no); /* removed by the rule */
    assert_int_equal(answer(f, __NR_socket, 0, AF_INET), yes);
    assert_int_equal(answer(f, __NR_socket, 0, AF_INET6), yes);
    assert_int_equal(answer(f, __NR_socket, 0, AF_UNIX), yes);
    assert_int_equal(answer(f, __NR_socket, 0, 1ull << 32 | AF_UNIX),
                     yes); /* as the kernel reads it */
    assert_int_equal(answer(f, __NR_socket, 0, AF_NETLINK), yes);
    for (unsigned family = 0; family < 64; family++)
        if (family != AF_INET && family != AF_INET6 && family != AF_UNIX && family != AF_NETLINK)
            assert_int_equal(answer(f, __NR_socket, 0, family), no);
    assert_int_equal(answer(f, __NR_clone, 0, CLONE_VM | CLONE_FILES | 17), yes);
    assert_int_equal(answer(f, __NR_clone, 0, CLONE_NEWUSER | 17), no);
    assert_int_equal(answer(f, __NR_clone, 0, CLONE_NEWNET), no);
    assert_int_equal(answer(f, __NR_clone3, 0, 0), SECCOMP_RET_ERRNO | ENOSYS);
    assert_int_equal(answer(f, __NR_ioctl, 1, 0x5401), yes);
    assert_int_equal(answer(f, __NR_ioctl, 1, 0x5412), no);
    assert_int_equal(answer(f, __NR_ioctl, 1, 7ull << 32 | 0x5412), no);
    assert_int_equal(answer(f, __NR_ioctl, 1, 0x541c), no);
    assert_int_equal(answer(f, __NR_ioctl, 1, 0x5413), yes);
    assert_int_equal(answer(f, 0x40000000u | __NR_read, 0, 0), SECCOMP_RET_KILL_PROCESS);

    struct bpf_call i386 = { .nr = 3, .arch = AUDIT_ARCH_I386 };

    assert_int_equal(bpf_run(f->prog, f->len, &i386), SECCOMP_RET_KILL_PROCESS);
    unmake(&m);
}

/* A granted call that gets around a condition lifts it; nothing else does. */
static void conditions_go_with_what_gets_around_them(void **s)
{
    struct arena a = ARENA_INIT;
    struct seccomp_model m;
    struct bits calls;
    struct bpf_call call = { .nr = __NR_clone, .arch = AUDIT_ARCH_X86_64 };

    (void)s;
    call.args[0] = CLONE_NEWUSER;
    syscall_base(SYSCALLS_TOOL_DEFAULT, &calls);
    bits_set(&calls, __NR_unshare);
    tool_model(&a, &calls, &m);
    assert_int_equal(seccomp_decide(&m, &call), SECCOMP_RET_ALLOW);
    call.nr = __NR_clone3;
    assert_int_equal(seccomp_decide(&m, &call), SECCOMP_RET_ALLOW);
    call = (struct bpf_call){ .nr = __NR_socket, .arch = AUDIT_ARCH_X86_64, .args = { AF_ALG } };
    assert_int_equal(seccomp_decide(&m, &call), SECCOMP_RET_ERRNO | EPERM);
    bits_set(&calls, __NR_io_uring_setup);
    tool_model(&a, &calls, &m);
    assert_int_equal(seccomp_decide(&m, &call), SECCOMP_RET_ALLOW);
    arena_fini(&a);
}

/* Landlock: what a newer kernel can hold back is held back, and an older one is asked for no more
 * than it knows. */
static void landlock_masks(void **s)
{
    (void)s;
    assert_int_equal(landlock_handled(0), 0);
    assert_int_equal(landlock_handled(1), 0x1fff);
    assert_int_equal(landlock_handled(2), 0x3fff);
    assert_int_equal(landlock_handled(3), 0x7fff);
    assert_int_equal(landlock_handled(5), 0xffff);
    assert_int_equal(landlock_handled(99), landlock_handled(LANDLOCK_ABIS));
    assert_int_equal(landlock_access(false), 0xd); /* execute, read file, read directory */
    assert_int_equal(landlock_access(true), 0xffff);
    assert_int_equal(landlock_of_files(), 0xc007);
}

/* P13: a byte of a bundle changes. It is refused, unless it lies in a filter whose meaning stayed.
 */
static void p13_no_byte_changes_unseen(void **s)
{
    const char *rounds = getenv("CARREL_ROUNDS");
    struct rng r = { 0x853c49e6748fea9bull };
    struct made m;
    struct err e = ERR_INIT;
    size_t step = rounds ? 1 : 97, same = 0, tried = 0;

    (void)s;
    make_from(one_tool, sizeof(one_tool) - 1, "t", &m);
    assert_int_equal(judge(&m, m.bytes.p, m.bytes.len, &e), 0);
    for (size_t at = 0; at < m.bytes.len; at += step, tried++) {
        char was = m.bytes.p[at];

        m.bytes.p[at] = (char)(was ^ (char)(1 + rng_below(&r, 255)));
        if (!judge(&m, m.bytes.p, m.bytes.len, &e))
            same++;
        m.bytes.p[at] = was;
    }
    print_message("%zu changed bytes, %zu without a meaning\n", tried, same);
    assert_true(same * 8 < tried); /* jump offsets of what is no jump */
    for (size_t len = 0; len < m.bytes.len; len += len < 200 ? 1 : 211)
        assert_int_equal(judge(&m, m.bytes.p, len, &e), -EINVAL);
    text_bytes(&m.bytes, "", 1);
    assert_int_equal(judge(&m, m.bytes.p, m.bytes.len, &e), -EINVAL);
    unmake(&m);
}

/* One spelling only: no text with a NUL, no truth but 0 and 1. */
static void other_spellings_are_none(void **s)
{
    static const char program[] = "/usr/bin/python3";
    struct made m;
    struct err e = ERR_INIT;
    char *at;

    (void)s;
    make_from(one_tool, sizeof(one_tool) - 1, "t", &m);
    at = memmem(m.bytes.p, m.bytes.len, program, sizeof(program) - 1);
    assert_non_null(at);
    at[3] = '\0';
    assert_null(bundle_parse(m.bytes.p, m.bytes.len, &e));
    assert_non_null(strstr(e.msg, "a text with a NUL"));
    at[3] = program[3];
    at[sizeof(program) - 1 + 8] = 2; /* shell, behind a hash that it has not */
    assert_null(bundle_parse(m.bytes.p, m.bytes.len, &e));
    assert_non_null(strstr(e.msg, "a truth value that is none"));
    unmake(&m);
}

/* The first thing that differs is named. */
static void mismatches_are_named(void **s)
{
    static const struct {
        const char *instead, *by, *says;
    } edits[] = {
        { "user: 7", "user: 8", "py: user is 7 in the bundle, 8 by the policy" },
        { "name: t", "name: u", "bundle: policy is" },
        { "quota: 150%", "quota: 140%", "bundle: policy hash is" },
    };
    struct made m;

    (void)s;
    make_from(one_tool, sizeof(one_tool) - 1, "t", &m);
    for (size_t i = 0; i < array_len(edits); i++) {
        struct text yaml = TEXT_INIT;
        const char *at = strstr(one_tool, edits[i].instead);
        struct made other;
        struct err e = ERR_INIT;
        struct profile *f = bundle_parse(m.bytes.p, m.bytes.len, &e);
        struct bundle_tally t = { 0 };

        text_add(&yaml, "%.*s%s%s", (int)(at - one_tool), one_tool, edits[i].by,
                 at + strlen(edits[i].instead));
        make_from(text_str(&yaml), yaml.len, "t", &other);
        if (i == 0) { /* so far that only the tool differs */
            f->policy_hash = other.profile->policy_hash;
            f->plan = other.profile->plan;
        }
        assert_int_equal(bundle_check(f, other.rules, other.plan, &t, &e), -EILSEQ);
        if (!strstr(e.msg, edits[i].says))
            fail_msg("%s", e.msg);
        profile_free(f);
        unmake(&other);
        text_fini(&yaml);
    }
    unmake(&m);
}

/* What a compiler might get wrong, done by hand: each is found. */
static void every_part_is_checked(void **s)
{
    struct made m;

    (void)s;
    make_from(one_tool, sizeof(one_tool) - 1, "t", &m);
    for (unsigned what = 0;; what++) {
        struct err e = ERR_INIT;
        struct profile *f = bundle_parse(m.bytes.p, m.bytes.len, &e);
        struct tool_profile *t = &f->tools[0];
        struct bundle_tally tally = { 0 };

        switch (what) {
        case 0: t->caps |= 1u << 21; break;
        case 1: t->caps &= ~1ull; break;
        case 2: t->as *= 2; break;
        case 3: t->cpu_s++; break;
        case 4: t->trees[0].write = true; break;
        case 5: t->trees[0].path = "/etc"; break;
        case 6: t->ntrees--; break;
        case 7: t->filter = f->tools[1].filter; break;
        case 8: f->processes[0].filter = f->processes[2].filter; break;
        case 9: f->processes[1].uses |= USE_DISK_WRITE | USE_RATE; break;
        case 10: f->cgroup[0].value = "max"; break;
        case 11: f->cgroup[4].value = "1"; break;
        case 12: f->nodes.v[0] = "/dev/mem"; break;
        case 13: f->devices[0].class_hi = 0xffff; break;
        case 14: f->devices[0].exclusive = 0; break;
        case 15: t->spawn.n = 0; break;
        case 16: t->set.v[0].value = "c"; break;
        case 17: t->env.v[0] = "*"; break;
        case 18: t->shell = true; break;
        case 19: f->ntools = 1; break;
        case 20: t->nofile++; break;
        case 21: t->network.v[0] = "m"; break;
        case 22: t->exec = "/usr/bin/python"; break;
        case 23: f->engine = "qemu"; break;
        case 24: t->sha256 = HASH; break;
        case 25: f->tools[1].sha256 = ""; break;
        default:
            profile_free(f);
            unmake(&m);
            return;
        }
        if (bundle_check(f, m.rules, m.plan, &tally, &e) != -EILSEQ)
            fail_msg("change %u passes: %s", what, e.msg);
        profile_free(f);
    }
}

static void random_policies_compile_and_verify(void **s)
{
    const char *rounds = getenv("CARREL_ROUNDS");
    long n = rounds ? strtol(rounds, NULL, 10) : 60, tools = 0;
    struct rng r = { 0x9e3779b97f4a7c15ull };

    (void)s;
    for (long i = 0; i < n;) {
        struct genome g;
        struct text yaml = TEXT_INIT;
        struct problems ps = PROBLEMS_INIT;
        struct policy *p;
        struct plan *plan = NULL;
        struct made m;
        struct err e = ERR_INIT;

        genome_random(&r, &g);
        genome_write(&g, "r", &yaml);
        p = policy_load(text_str(&yaml), yaml.len, "r", NULL, NULL, &ps);
        plan = p ? profile_plan(p, "kvm", &ps) : NULL;
        problems_fini(&ps);
        plan_free(plan);
        policy_free(p);
        if (plan) {
            make_from(text_str(&yaml), yaml.len, "r", &m);
            if (judge(&m, m.bytes.p, m.bytes.len, &e))
                fail_msg("policy %ld: %s\n%s", i, e.msg, text_str(&yaml));
            tools += m.profile->ntools;
            unmake(&m);
            i++;
        }
        text_fini(&yaml);
    }
    print_message("%ld random policies with %ld tools: 0 mismatches\n", n, tools);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_policy_of_the_library),
        cmocka_unit_test(what_the_profile_says),
        cmocka_unit_test(c05_what_is_closed_to_tools),
        cmocka_unit_test(conditions_go_with_what_gets_around_them),
        cmocka_unit_test(landlock_masks),
        cmocka_unit_test(p13_no_byte_changes_unseen),
        cmocka_unit_test(other_spellings_are_none),
        cmocka_unit_test(mismatches_are_named),
        cmocka_unit_test(every_part_is_checked),
        cmocka_unit_test(random_policies_compile_and_verify),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
