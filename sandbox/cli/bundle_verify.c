/* bundle_verify.c - see bundle_verify.h. */
#include "sandbox/cli/bundle_verify.h"

#include "policies/bundle.h"
#include "sandbox/cli/policy_say.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The engine is the bundle's own choice; which ones there are is not. */
static bool engine_is_known(const char *engine)
{
    return !strcmp(engine, "kvm") || !strcmp(engine, "qemu") || !strcmp(engine, "libvirt");
}

static int judge(const struct policy_source *s, const struct profile *bundle,
                 struct bundle_tally *t, struct err *e)
{
    struct problems ps = PROBLEMS_INIT;
    struct plan *plan = NULL;
    int err;

    if (!engine_is_known(bundle->engine))
        err = err_set(e, EILSEQ, "bundle: no engine is called \"%.40s\"", bundle->engine);
    else if (!(plan = profile_plan(s->policy, bundle->engine, &ps)))
        err = err_set(e, EILSEQ, "the policy has no plan: %s", ps.n ? ps.v[0].text : "?");
    else
        err = bundle_check(bundle, s->rules, plan, t, e);
    plan_free(plan);
    problems_fini(&ps);
    return err;
}

static int answer(struct cli *c, int err, const char *hash, const struct bundle_tally *t,
                  const struct err *e)
{
    struct text out = TEXT_INIT;

    if (c->json) {
        text_add(&out,
                 "{\"bundle\":\"sha256:%s\",\"calls\":%" PRIu64 ",\"filters\":%" PRIu64
                 ",\"mismatch\":",
                 hash, t->calls, t->filters);
        if (err)
            text_json(&out, e->msg);
        else
            text_add(&out, "null");
        text_add(&out, ",\"regions\":%" PRIu64 ",\"verified\":%s}\n", t->leaves,
                 err ? "false" : "true");
    } else if (err) {
        text_add(&out, "MISMATCH  %s\n", e->msg);
    } else {
        text_add(&out,
                 "verified: %" PRIu64 " filters proved over all calls (%" PRIu64
                 " regions), %" PRIu64 " boundary calls\nbundle   sha256:%s\n",
                 t->filters, t->leaves, t->calls, hash);
    }
    return policy_say(c, &out, err ? EXIT_NO : 0);
}

int bundle_verify(struct cli *c)
{
    struct bundle_tally t = { 0 };
    struct policy_source s;
    struct err e = ERR_INIT;
    int status = 0;

    if (policy_open(c, 0, &s, &status)) {
        size_t len = 0;
        char *bytes = io_load(AT_FDCWD, args_text(c->args, OPT_BUNDLE), BUNDLE_BYTES_MAX, &len, &e);

        if (!bytes) {
            status = cli_fail(c, "policy", &e, "carrel policy compile POLICY -o FILE");
        } else {
            char hash[BUNDLE_HASH_HEX];
            struct profile *bundle = bundle_parse(bytes, len, &e);
            int err = bundle ? judge(&s, bundle, &t, &e) : -EINVAL;

            bundle_hash(bytes, len, hash);
            status = answer(c, err, hash, &t, &e);
            profile_free(bundle);
        }
        free(bytes);
    }
    policy_source_fini(&s);
    return status;
}
