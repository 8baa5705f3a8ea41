/* lint_devices.c - rules about devices given to the machine and models called for it. */
#include "policies/lint_rules.h"
#include "policies/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool passed(const struct accelerator *a)
{
    return a->attach == ATTACH_PASSTHROUGH;
}

static void shared_group(struct linter *l, const void *object)
{
    const struct accelerator *a = object;

    if (passed(a) && !a->iommu.exclusive_group)
        lint_say(l, "iommu.exclusive_group", "other devices may be in its IOMMU group");
}

static void interrupts(struct linter *l, const void *object)
{
    const struct accelerator *a = object;

    if (passed(a) && a->iommu.interrupt_remapping != REQUIRE_REQUIRED)
        lint_say(l, "iommu.interrupt_remapping", "%s", words_require[a->iommu.interrupt_remapping]);
}

static void uncleaned(struct linter *l, const void *object)
{
    const struct accelerator *a = object;

    if (passed(a) && a->reset.between_tenants != BETWEEN_VERIFY)
        lint_say(l, "reset.between_tenants", "%s", words_between[a->reset.between_tenants]);
}

static void weak_reset(struct linter *l, const void *object)
{
    const struct accelerator *a = object;

    if (passed(a) && (a->reset.methods & 1u << 2)) /* words_reset: pm */
        lint_say(l, "reset.methods", "pm is good enough");
}

static void any_class(struct linter *l, const void *object)
{
    const struct accelerator *a = object;

    if (passed(a) && a->match.class == 3 && !a->match.ids.n) /* words_class: any */
        lint_say(l, "match.class", "any device of %s, also network cards and disks",
                 words_vendor[a->match.vendor]);
}

static void external(struct linter *l, const void *object)
{
    const struct accelerator *a = object;

    if (a->attach == ATTACH_VHOST_USER)
        lint_say(l, "attach", "a process of the host shares all guest memory");
}

/* The host of a URL, without brackets, and its port. */
static void endpoint(const char *url, char host[256], uint64_t *port)
{
    const char *s = strstr(url, "://") + 3;
    size_t n = *s == '[' ? strcspn(s, "]") : strcspn(s, ":/");
    const char *rest = s + n + (*s == '[');

    if (*s == '[') {
        s++;
        n--;
    }
    snprintf(host, 256, "%.*s", (int)n, s);
    *port = strncmp(url, "https", 5) == 0 ? 443 : 80;
    if (*rest == ':')
        *port = strtoull(rest + 1, NULL, 10);
}

static bool stays_inside(const struct linter *l, const char *host)
{
    struct addr a;

    if (!addr_parse(host, &a))
        return !addr_set_has(&l->rs->reachable, &a);
    return strcmp(host, "localhost") == 0;
}

static void plain_model(struct linter *l, const void *object)
{
    const struct model *m = object;
    char host[256];
    uint64_t port;

    endpoint(m->endpoint, host, &port);
    if (strncmp(m->endpoint, "http://", 7) == 0 && !stays_inside(l, host))
        lint_say(l, "endpoint", "prompts and the key go to %s in the clear", host);
}

static void any_model(struct linter *l, const void *object)
{
    const struct model *m = object;

    for (uint32_t i = 0; i < m->names.n; i++)
        if (strcmp(m->names.v[i], "*") == 0)
            lint_say(l, "names", "whatever the service offers, at whatever price");
}

static void model_budget(struct linter *l, const void *object)
{
    static const struct {
        const char *path, *key;
    } keys[] = { { "models.budget.input_tokens", "budget.input_tokens" },
                 { "models.budget.output_tokens", "budget.output_tokens" },
                 { "models.budget.per_minute", "budget.per_minute" } };
    const struct model *m = object;
    const uint64_t v[] = { m->budget.input_tokens, m->budget.output_tokens, m->budget.per_minute };

    for (size_t i = 0; i < array_len(keys); i++) {
        const struct field *f = field_by_path(keys[i].path);

        if (f && v[i] >= f->max)
            lint_say(l, keys[i].key, "the largest value that there is");
    }
}

static void beyond_tokens(struct linter *l, const void *object)
{
    const struct model *m = object;
    uint64_t all = l->p->budget.tokens;

    if (m->budget.input_tokens > all || m->budget.output_tokens > all)
        lint_say(l, "budget", "more tokens than budget.tokens lets all models have");
}

static void around(struct linter *l, const void *object)
{
    const struct model *m = object;
    struct request r;
    char host[256];
    uint64_t port;

    endpoint(m->endpoint, host, &port);
    request_init(&r, SPACE_CONNECT);
    request_text(&r, CONNECT_HOST, host);
    request_number(&r, CONNECT_PORT, port);
    if (lint_allowed(l, &r, NULL))
        lint_say(l, "endpoint", "the guest can reach %s itself", host);
}

/* clang-format off */
static const struct lint_check checks[] = {
    { { "CR601", "iommu-shared", LINT_ERROR, "Devices of one IOMMU group can reach each other's memory, past all translation.", "Leave iommu.exclusive_group out (true)." }, EACH_ACCELERATOR, shared_group },
    { { "CR602", "interrupt-remapping", LINT_ERROR, "Without remapping a device can raise any interrupt of the host.", "Leave iommu.interrupt_remapping out (required)." }, EACH_ACCELERATOR, interrupts },
    { { "CR603", "device-uncleaned", LINT_WARNING, "What the last tenant left in the device's memory is there for the next.", "Use reset: {between_tenants: verify}." }, EACH_ACCELERATOR, uncleaned },
    { { "CR604", "weak-reset", LINT_NOTE, "A change of power state keeps the memory of many devices.", "Use reset: {methods: [flr, bus]}." }, EACH_ACCELERATOR, weak_reset },
    { { "CR605", "any-device-class", LINT_WARNING, "A maker of accelerators makes network cards, bridges and disk controllers, too.", "Give a class, or ids." }, EACH_ACCELERATOR, any_class },
    { { "CR606", "vhost-user", LINT_NOTE, "A flaw in that process is outside of what confines the machine.", "Confine it as well as the machine itself." }, EACH_ACCELERATOR, external },
    { { "CR611", "model-in-the-clear", LINT_ERROR, "Anybody on the way reads the prompts and changes the answers.", "Use https." }, EACH_MODEL, plain_model },
    { { "CR612", "any-model", LINT_WARNING, "Models differ in price by a hundred times, and in what they keep.", "Name the models, or begin the pattern with a name." }, EACH_MODEL, any_model },
    { { "CR613", "model-unlimited", LINT_WARNING, "A limit that nobody reaches limits nothing.", "Set it to what a task may cost." }, EACH_MODEL, model_budget },
    { { "CR614", "model-beyond-budget", LINT_NOTE, "The smaller of the two holds.", "Raise budget.tokens, or lower the model's budget." }, EACH_MODEL, beyond_tokens },
    { { "CR615", "around-the-model-rule", LINT_WARNING, "Calls that the guest makes itself pass by names, budget and records of models.", "Take the host out of network.allow." }, EACH_MODEL, around },
};
/* clang-format on */

const struct lint_checks lint_devices = { checks, array_len(checks) };
