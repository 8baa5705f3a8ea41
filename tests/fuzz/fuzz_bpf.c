/* Any instructions: judged, run to an end, and read alike by the interpreter and by the proof. */
#include "policies/seccomp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/seccomp.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct seccomp_rule rules[] = {
        { .nr = 1 },
        { .nr = 16, .nargs = 1, .arg = { { 1, 0xffffffff, 0xae80 } } },
        { .nr = 435, .action = SECCOMP_RET_ERRNO | 38 },
    };
    static const struct seccomp_model model = { SECCOMP_RET_ERRNO | 1, SECCOMP_RET_KILL_PROCESS,
                                                rules, array_len(rules) };
    static struct bpf_insn prog[BPF_INSNS_MAX + 1];
    struct bpf_call call;
    struct seccomp_witness w;
    uint32_t len;
    int err;

    if (size < sizeof(call))
        return 0;
    memcpy(&call, data, sizeof(call));
    size -= sizeof(call);
    /* Long ones are judged; a proof of them may take its whole budget. */
    len =
        (uint32_t)(size / sizeof(*prog) < array_len(prog) ? size / sizeof(*prog) : array_len(prog));
    memcpy(prog, data + sizeof(call), len * sizeof(*prog));
    if (bpf_check(prog, len, NULL)) {
        if (!seccomp_prove(&model, prog, len, &w, NULL, NULL))
            abort();
        return 0;
    }

    uint32_t answer = bpf_run(prog, len, &call);

    if (bpf_run(prog, len, &call) != answer)
        abort();
    err = len <= 64 ? seccomp_prove(&model, prog, len, &w, NULL, NULL) : -1;
    if (err == 0 && answer != seccomp_decide(&model, &call))
        abort(); /* proved equal, and it is not */
    if (err == -EILSEQ && (bpf_run(prog, len, &w.call) != w.filter ||
                           seccomp_decide(&model, &w.call) != w.model || w.filter == w.model))
        abort(); /* a witness that does not replay */
    return 0;
}
