/* fixed.c - what of a policy a running machine cannot take over: it was looked at, or handed out,
 * when it started. */
#include "sandbox/guard/internal.h"

#include "policies/words.h"
#include "sandbox/files/scope.h"

#include <errno.h>
#include <string.h>

static bool more_verity(const struct policy *now, const struct policy *next)
{
    return next->image.verity > now->image.verity;
}

static bool asks(const char *now, const char *next)
{
    return next && (!now || strcmp(now, next) != 0);
}

static bool another_image(const struct policy *now, const struct policy *next)
{
    return asks(now->image.sha256, next->image.sha256);
}

static bool another_kernel(const struct policy *now, const struct policy *next)
{
    return asks(now->image.kernel.sha256, next->image.kernel.sha256);
}

static bool has_live(const struct policy *p)
{
    for (uint32_t i = 0; i < p->storage.mounts.n; i++) {
        const struct mount *m = p->storage.mounts.v[i];

        if (m->share == SHARE_LIVE && m->access != ACCESS_NONE)
            return true;
    }
    return false;
}

static bool other_live_rules(const struct policy *now, const struct policy *next)
{
    struct text a = TEXT_INIT, b = TEXT_INIT;
    bool other;

    if (!has_live(now))
        return false;
    scope_write(now, &a);
    scope_write(next, &b);
    other = a.len != b.len || memcmp(text_str(&a), text_str(&b), a.len) != 0;
    text_fini(&a);
    text_fini(&b);
    return other;
}

static const struct {
    const char *field, *since;
    bool (*differs)(const struct policy *now, const struct policy *next);
} fixed[] = {
    { "image.verity", "its machine has booted", more_verity },
    { "image.sha256", "its machine has booted", another_image },
    { "image.kernel.sha256", "its machine has booted", another_kernel },
    { "storage", "a live mount is served by the rules it began with", other_live_rules },
};

int guard_check_fixed(struct guard *g, const struct policy *next, struct err *e)
{
    for (size_t i = 0; i < array_len(fixed); i++)
        if (fixed[i].differs(g->policy, next)) {
            err_set(e, EBUSY, "%s is another, and %s: stop the sandbox first", fixed[i].field,
                    fixed[i].since);
            guard_note(g, "policy.refused", e->msg);
            return -EBUSY;
        }
    return 0;
}
