/* Any bytes as a bundle: refused, or exactly what would be written again; and judged without harm.
 */
#include "policies/bundle.h"
#include "policies/layers.h"

#include <stdlib.h>
#include <string.h>

static const char yaml[] =
    "carrel: 1\nname: f\ntools:\n  commands: [{id: t, exec: {path: /bin/t}, syscalls: {base: none, "
    "add: [read]}, env: {set: {A: b}}, paths: {ro: [/usr]}}]\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ruleset *rs;
    static struct plan *plan;
    struct err e = ERR_INIT;
    struct profile *f = bundle_parse(data, size, &e);
    struct text again = TEXT_INIT;
    struct bundle_tally t = { .proofs_only = true };

    if (!rs) {
        struct policy *p = policy_load(yaml, sizeof(yaml) - 1, "fuzz", NULL, NULL, NULL);

        plan = p ? profile_plan(p, "kvm", NULL) : NULL;
        if (!plan)
            abort();
        rs = ruleset_make(p, NULL);
    }
    if (!f)
        return 0;
    bundle_write(f, &again);
    if (again.len != size || memcmp(again.p, data, size) != 0)
        abort();
    (void)!bundle_check(f, rs, plan, &t, &e);
    /* So far into the check as a bundle of its own policy comes. */
    f->policy = plan->policy;
    f->policy_hash = plan->policy_hash;
    f->engine = "kvm";
    (void)!bundle_check(f, rs, plan, &t, &e);
    text_fini(&again);
    profile_free(f);
    return 0;
}
