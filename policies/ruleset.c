/* ruleset.c - a policy compiled, in whole or in part: see ruleset.h. */
#include "policies/ruleset.h"

struct ruleset *ruleset_make(const struct policy *p, const struct addr_set *own)
{
    struct ruleset *rs = ruleset_begin(p);

    compile_rest(rs);
    compile_network(rs, own);
    compile_tools(rs);
    compile_storage(rs);
    index_make(rs);
    return rs;
}

struct ruleset *ruleset_machine(const struct policy *p)
{
    struct ruleset *rs = ruleset_begin(p);

    compile_rest(rs);
    index_make(rs);
    return rs;
}

struct ruleset *ruleset_requests(const struct policy *p)
{
    struct ruleset *rs = ruleset_begin(p);

    compile_requests(rs);
    return rs;
}
