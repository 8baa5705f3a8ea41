/* Any bytes: refused with a place, or taken; what is taken reads back from its canonical form. */
#include "policies/canon.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct problems ps = PROBLEMS_INIT;
    struct policy *p = policy_parse((const char *)data, size, "fuzz", &ps);

    if (!p) {
        if (ps.errors == 0)
            abort();
        problems_fini(&ps);
        return 0;
    }

    struct text one = TEXT_INIT, two = TEXT_INIT;

    policy_canonical(p, &one);
    policy_free(p);
    p = policy_parse(one.p, one.len, "canonical", &ps);
    /* The canonical form spells numbers out, so it may outgrow the limit. */
    if (!p && one.len <= 262144)
        abort();
    if (p) {
        policy_canonical(p, &two);
        if (strcmp(one.p, two.p) != 0)
            abort();
    }
    policy_free(p);
    text_fini(&one);
    text_fini(&two);
    problems_fini(&ps);
    return 0;
}
