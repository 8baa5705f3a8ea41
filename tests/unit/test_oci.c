/* test_oci.c - other people's seccomp profiles: read exactly, written back, refused with a reason.
 */
#include "policies/words.h"
#include "sandbox/confine/compile.h"
#include "sandbox/confine/oci.h"
#include "sandbox/confine/ranges.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <asm/unistd_64.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>

#include <cmocka.h>

#define X86  "\"architectures\":[\"SCMP_ARCH_X86_64\"],"
#define DENY "{\"defaultAction\":\"SCMP_ACT_ERRNO\"," X86 "\"syscalls\":["
#define END  "]}"

static struct bpf_insn prog[BPF_INSNS_MAX];

static bool one_holds(const struct masked_set *s, uint64_t x)
{
    unsigned n = 0;

    for (unsigned i = 0; i < s->n; i++)
        n += (x & s->v[i].mask) == s->v[i].value;
    return s->always || n;
}

static bool meant(enum compare_op op, uint64_t x, uint64_t a, uint64_t b)
{
    switch (op) {
    case OP_NE: return x != a;
    case OP_LT: return x < a;
    case OP_LE: return x <= a;
    case OP_EQ: return x == a;
    case OP_GE: return x >= a;
    case OP_GT: return x > a;
    default: return (x & a) == b;
    }
}

static void comparisons_are_taken_apart_exactly(void **s)
{
    static const uint64_t words[] = { 0,
                                      1,
                                      2,
                                      5,
                                      6,
                                      7,
                                      8,
                                      255,
                                      0x7fffffff,
                                      0x80000000,
                                      UINT32_MAX,
                                      1ull << 32,
                                      (1ull << 32) + 1,
                                      (1ull << 32) + 6,
                                      0x7fffffffffffffff,
                                      1ull << 63,
                                      UINT64_MAX - 1,
                                      UINT64_MAX };

    (void)s;
    for (enum compare_op op = 0; op < OPS; op++)
        for (size_t a = 0; a < array_len(words); a++)
            for (size_t b = 0; b < array_len(words); b++) {
                struct masked_set yes = masked_set(op, words[a], words[b], false);
                struct masked_set no = masked_set(op, words[a], words[b], true);

                assert_true(yes.n <= array_len(yes.v) && no.n <= array_len(no.v));
                for (size_t x = 0; x < array_len(words); x++)
                    for (int near = -2; near <= 2; near++) {
                        uint64_t v = words[x] + (uint64_t)near;

                        assert_int_equal(one_holds(&yes, v), meant(op, v, words[a], words[b]));
                        assert_int_equal(one_holds(&no, v), !meant(op, v, words[a], words[b]));
                    }
            }
}

static struct oci_profile *parsed(const char *json)
{
    struct err e = ERR_INIT;
    struct oci_profile *p = oci_parse(json, strlen(json), &e);

    if (!p)
        fail_msg("%s", e.msg);
    return p;
}

static uint32_t says(const struct oci_profile *p, uint32_t nr, uint64_t arg0)
{
    struct bpf_call call = { .nr = (int32_t)nr, .arch = AUDIT_ARCH_X86_64, .args = { arg0 } };

    return seccomp_decide(&p->model, &call);
}

/* "below 1 or at least 2^32 + 1": we compile it right; what libseccomp makes of its own operators
 * lets 6 through, and the proof says so. */
static void p13_the_known_range(void **s)
{
    struct oci_profile *p =
        parsed(DENY "{\"names\":[\"getpid\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,"
                    "\"value\":1,\"op\":\"SCMP_CMP_LT\"}]},{\"names\":[\"getpid\"],\"action\":"
                    "\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,\"value\":4294967297,\"op\":"
                    "\"SCMP_CMP_GE\"}]}" END);
    const struct bpf_call six = { .nr = __NR_getpid, .arch = AUDIT_ARCH_X86_64, .args = { 6 } };
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(1));
    int fd = memfd_create("filter", MFD_CLOEXEC);
    struct seccomp_witness w;
    struct err e = ERR_INIT;
    uint32_t len;

    (void)s;
    assert_int_equal(filter_compile(&p->model, prog, &len, &e), 0);
    assert_int_equal(bpf_run(prog, len, &six), SECCOMP_RET_ERRNO | EPERM);
    assert_int_equal(says(p, __NR_getpid, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(says(p, __NR_getpid, (1ull << 32) + 1), SECCOMP_RET_ALLOW);
    assert_int_equal(says(p, __NR_getpid, 1ull << 32), SECCOMP_RET_ERRNO | EPERM);

    assert_int_equal(seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS), 0);
    assert_int_equal(
        seccomp_rule_add(ctx, SCMP_ACT_ALLOW, __NR_getpid, 1, SCMP_A0(SCMP_CMP_LT, 1, 0)), 0);
    assert_int_equal(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, __NR_getpid, 1,
                                      SCMP_A0(SCMP_CMP_GE, (1ull << 32) + 1, 0)),
                     0);
    assert_int_equal(seccomp_export_bpf(ctx, fd), 0);

    ssize_t n = pread(fd, prog, sizeof(prog), 0);

    seccomp_release(ctx);
    close(fd);
    assert_true(n > 0);
    assert_int_equal(bpf_run(prog, (uint32_t)n / 8, &six), SECCOMP_RET_ALLOW);
    assert_int_equal(seccomp_prove(&p->model, prog, (uint32_t)n / 8, &w, NULL, &e), -EILSEQ);
    assert_int_equal(w.filter, SECCOMP_RET_ALLOW);
    assert_int_equal(w.call.nr, __NR_getpid);
    assert_int_equal(bpf_run(prog, (uint32_t)n / 8, &w.call), w.filter);
    assert_int_equal(seccomp_decide(&p->model, &w.call), w.model);
    assert_int_equal(seccomp_verify(&p->model, prog, (uint32_t)n / 8, &w, NULL, &e), -EILSEQ);
    oci_free(p);
}

/* What a tool's profile is written as, reads back as the same filter. */
static void a_written_model_reads_back(void **s)
{
    struct arena a = ARENA_INIT;

    (void)s;
    for (uint64_t base = SYSCALLS_NONE; base <= SYSCALLS_ALL; base++) {
        struct bits calls;
        struct seccomp_model m;
        struct text json = TEXT_INIT;
        struct seccomp_witness w;
        struct oci_profile *p;
        struct err e = ERR_INIT;
        uint32_t len;

        syscall_base(base, &calls);
        tool_model(&a, &calls, &m);
        assert_int_equal(oci_write(&m, &json, &e), 0);
        p = parsed(text_str(&json));
        assert_int_equal(p->nnotes, 0);
        if (filter_compile(&p->model, prog, &len, &e) || seccomp_prove(&m, prog, len, &w, NULL, &e))
            fail_msg("%s", e.msg);
        for (uint32_t nr = 0; nr < BITS_MAX; nr++)
            assert_int_equal(bits_has(&p->add, nr),
                             bits_has(&calls, nr) &&
                                 (nr != __NR_clone3 || bits_has(&calls, __NR_unshare)));
        oci_free(p);
        text_fini(&json);
    }
    arena_fini(&a);
}

/* As Docker writes its default, in small. */
static void dockers_profile(void **s)
{
    struct oci_profile *p = parsed(
        "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":1,\"archMap\":[{"
        "\"architecture\":"
        "\"SCMP_ARCH_X86_64\",\"subArchitectures\":[\"SCMP_ARCH_X86\"]}],\"syscalls\":["
        "{\"names\":[\"read\",\"write\",\"exit_group\",\"_llseek\"],\"action\":\"SCMP_ACT_ALLOW\"},"
        "{\"names\":[\"socket\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,\"value\":40,"
        "\"op\":\"SCMP_CMP_NE\"}]},"
        "{\"names\":[\"personality\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,"
        "\"value\":"
        "4294967295,\"op\":\"SCMP_CMP_EQ\"}]},"
        "{\"names\":[\"clone\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,\"value\":"
        "2114060288,\"valueTwo\":0,\"op\":\"SCMP_CMP_MASKED_EQ\"}],\"excludes\":{}},"
        "{\"names\":[\"clone3\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":38},"
        "{\"names\":[\"mount\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"caps\":[\"CAP_SYS_"
        "ADMIN\"]}}]}");
    struct text t = TEXT_INIT;
    struct err e = ERR_INIT;
    uint32_t len;

    (void)s;
    assert_int_equal(says(p, __NR_socket, 40), SECCOMP_RET_ERRNO | EPERM);
    assert_int_equal(says(p, __NR_socket, 41), SECCOMP_RET_ALLOW);
    assert_int_equal(says(p, __NR_personality, UINT32_MAX), SECCOMP_RET_ALLOW);
    assert_int_equal(says(p, __NR_personality, 0), SECCOMP_RET_ERRNO | EPERM);
    assert_int_equal(says(p, __NR_clone3, 0), SECCOMP_RET_ERRNO | ENOSYS);
    assert_int_equal(says(p, __NR_clone, 0x10000000), SECCOMP_RET_ERRNO | EPERM);
    assert_int_equal(says(p, __NR_mount, 0), SECCOMP_RET_ERRNO | EPERM);
    assert_int_equal(filter_compile(&p->model, prog, &len, &e), 0);
    oci_section(p, &t);
    assert_string_equal(
        text_str(&t),
        "# 1 names that are not calls of x86-64, or too new, _llseek the first: refused\n"
        "# 1 calls from mount on: left out, they depend on the container\n"
        "# socket: allowed for some arguments; a policy names whole calls, so it is left out\n"
        "# personality: allowed for some arguments; a policy names whole calls, so it is left out\n"
        "syscalls: {base: none, add: [read, write, clone, exit_group]}\n");
    text_fini(&t);
    oci_section_json(p, &t);
    assert_non_null(strstr(text_str(&t), "{\"exact\":false,\"notes\":[\"1 names"));
    text_fini(&t);
    oci_free(p);
}

static void a_list_of_what_is_forbidden(void **s)
{
    struct oci_profile *p = parsed(
        "{\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":["
        "\"bpf\",\"keyctl\"],\"action\":\"SCMP_ACT_ERRNO\"},{\"names\":[\"socket\"],\"action\":"
        "\"SCMP_ACT_ERRNO\",\"args\":[{\"index\":0,\"value\":16,\"op\":\"SCMP_CMP_GT\"},{\"index\":"
        "1,"
        "\"value\":3,\"valueTwo\":3,\"op\":\"SCMP_CMP_MASKED_EQ\"}]}]}}}");
    struct bpf_call call = { .nr = __NR_socket, .arch = AUDIT_ARCH_X86_64, .args = { 17, 7 } };

    (void)s;
    assert_int_equal(says(p, __NR_bpf, 0), SECCOMP_RET_ERRNO | EPERM);
    assert_int_equal(says(p, __NR_read, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(seccomp_decide(&p->model, &call), SECCOMP_RET_ERRNO | EPERM);
    call.args[1] = 5;
    assert_int_equal(seccomp_decide(&p->model, &call), SECCOMP_RET_ALLOW);
    call.args[0] = 16;
    call.args[1] = 3;
    assert_int_equal(seccomp_decide(&p->model, &call), SECCOMP_RET_ALLOW);
    assert_false(bits_has(&p->add, __NR_bpf));
    assert_false(bits_has(&p->add, __NR_socket));
    assert_true(bits_has(&p->add, __NR_mount));
    oci_free(p);
}

/* A whole call beside one with conditions; the same twice. */
static void what_agrees_is_united(void **s)
{
    struct oci_profile *p = parsed(
        DENY
        "{\"names\":[\"dup\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,\"value\":1,"
        "\"op\":\"SCMP_CMP_EQ\"}]},{\"names\":[\"dup\",\"dup\"],\"action\":\"SCMP_ACT_ALLOW\"},"
        "{\"names\":[\"dup\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,\"value\":2,"
        "\"op\":\"SCMP_CMP_EQ\"}]}" END);

    (void)s;
    assert_int_equal(p->model.nrules, 1);
    assert_int_equal(says(p, __NR_dup, 3), SECCOMP_RET_ALLOW);
    oci_free(p);
}

#define ARG(i, op) "{\"index\":" i ",\"value\":1,\"op\":\"SCMP_CMP_" op "\"}"
#define ALLOW(name, args) \
    "{\"names\":[\"" name "\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[" args "]}"

static void what_is_refused_says_why(void **s)
{
    static const struct {
        const char *json, *says;
    } bad[] = {
        { "{", "not JSON" },
        { "{\"a\":1,\"a\":2}", "not JSON: duplicate" },
        { "[]", "no defaultAction" },
        { "{}", "no defaultAction" },
        { "{\"defaultAction\":\"SCMP_ACT_NO\"}", "no defaultAction that is known: SCMP_ACT_NO" },
        { "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":[\"SCMP_ARCH_ARM\"]}",
          "not for SCMP_ARCH_X86_64" },
        { DENY "{\"action\":\"SCMP_ACT_ALLOW\"}" END, "without a list of names" },
        { DENY "{\"names\":[1],\"action\":\"SCMP_ACT_ALLOW\"}" END, "a name that is no text" },
        { DENY "{\"names\":[\"dup\"],\"action\":\"X\"}" END, "an unknown action or errno: X" },
        { DENY "{\"names\":[\"dup\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":4096}" END,
          "an unknown action or errno" },
        { DENY ALLOW("dup", ARG("6", "EQ")) END, "index is not 0 to 5" },
        { DENY ALLOW("dup", ARG("-1", "EQ")) END, "index of an argument is no number" },
        { DENY ALLOW("dup", ARG("0", "ODD")) END, "an unknown comparison: SCMP_CMP_ODD" },
        { DENY ALLOW("dup", ARG("0", "LT") "," ARG("0", "GT")) END,
          "two conditions on one argument" },
        { DENY ALLOW("dup", ARG("0", "NE") "," ARG("1", "NE") "," ARG("2", "NE")) END,
          "more than 4096 rules: system call dup" },
        /* A refusal that something allowed would hide. */
        { DENY
          "{\"names\":[\"dup\"],\"action\":\"SCMP_ACT_ALLOW\"},{\"names\":[\"dup\"],\"action\":"
          "\"SCMP_ACT_ERRNO\",\"args\":[" ARG("0", "EQ") "]}" END,
          "more than one thing is said about a system call: dup" },
        { DENY "{\"names\":[\"dup\"],\"action\":\"SCMP_ACT_ERRNO\",\"args\":[" ARG(
              "0", "EQ") "]},{\"names\":[\"dup\"],\"action\":\"SCMP_ACT_ALLOW\"}" END,
          "more than one thing is said" },
        { "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"dup\"],\"action\":"
          "\"SCMP_ACT_ERRNO\",\"args\":[" ARG("0", "EQ") "]},{\"names\":[\"dup\"],\"action\":"
                                                         "\"SCMP_ACT_ERRNO\",\"args\":[" ARG(
                                                             "1", "EQ") "]}]}",
          "more than one thing is said" },
    };

    (void)s;
    for (size_t i = 0; i < array_len(bad); i++) {
        struct err e = ERR_INIT;
        struct oci_profile *p = oci_parse(bad[i].json, strlen(bad[i].json), &e);

        if (p || !strstr(e.msg, bad[i].says))
            fail_msg("%s: %s", bad[i].json, p ? "taken" : e.msg);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparisons_are_taken_apart_exactly),
        cmocka_unit_test(p13_the_known_range),
        cmocka_unit_test(a_written_model_reads_back),
        cmocka_unit_test(dockers_profile),
        cmocka_unit_test(a_list_of_what_is_forbidden),
        cmocka_unit_test(what_agrees_is_united),
        cmocka_unit_test(what_is_refused_says_why),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
