/* user.c - see user.h. */
#include "sandbox/guard/user.h"

uint32_t volume_user(const struct policy *p)
{
    const struct list *commands = &p->tools.commands;
    uint64_t user = commands->n ? ((const struct command *)commands->v[0])->user : 1000;

    for (uint32_t i = 1; i < commands->n; i++)
        if (((const struct command *)commands->v[i])->user != user)
            return 1000;
    return (uint32_t)user;
}
