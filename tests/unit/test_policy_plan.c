/* Plans: every number final, golden text and JSON, conflicts and lacking features refused by name.
 */
#include "policies/layers.h"
#include "policies/plan.h"
#include "policies/yaml.h"

#include "base/io.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BASE "carrel: 1\nname: base\n"

static const struct host_facts rich = {
    .engine = "kvm",
    .features = (1ull << FEATURES) - 1,
    .landlock = true,
    .seccomp = true,
    .userns = true,
    .core_sched = true,
    .interrupt_remapping = true,
    .cpus = 8,
    .memory = 8ull << 30,
};

static const struct pair vars[] = { { "cwd", "/home/dev/project" } };

static char *file(const char *name)
{
    struct err e = ERR_INIT;
    char path[512];
    const char *src = getenv("CARREL_SOURCE");
    size_t n;

    snprintf(path, sizeof(path), "%s/tests/golden/policy/%s", src ? src : ".", name);

    char *text = io_load(AT_FDCWD, path, YAML_BYTES_MAX, &n, &e);

    if (!text)
        fail_msg("%s", e.msg);
    return text;
}

static struct policy *made(const char *yaml)
{
    struct problems ps = PROBLEMS_INIT;
    struct policy *p = policy_load(yaml, strlen(yaml), "p.yaml", NULL, NULL, &ps);
    struct text t = TEXT_INIT;

    problems_print(&ps, &t);
    if (!p)
        fail_msg("%s", text_str(&t));
    text_fini(&t);
    problems_fini(&ps);
    return p;
}

static void refused(const char *yaml, const struct plan_request *r, const struct host_facts *h,
                    const char *what)
{
    struct policy *p = made(yaml);
    struct problems ps = PROBLEMS_INIT;
    struct plan *plan = plan_make(p, r, h, &ps);
    struct text t = TEXT_INIT;

    problems_print(&ps, &t);
    if (plan || !strstr(text_str(&t), what))
        fail_msg("wanted \"%s\", got %s", what, plan ? "a plan" : text_str(&t));
    text_fini(&t);
    problems_fini(&ps);
    plan_free(plan);
    policy_free(p);
}

static struct plan *planned(struct policy *p, const struct plan_request *r,
                            const struct host_facts *h)
{
    struct problems ps = PROBLEMS_INIT;
    struct plan *plan = plan_make(p, r, h, &ps);
    struct text t = TEXT_INIT;

    problems_print(&ps, &t);
    if (!plan)
        fail_msg("%s", text_str(&t));
    text_fini(&t);
    problems_fini(&ps);
    return plan;
}

static void golden(void **state)
{
    char *yaml = file("planned.yaml"), *want = file("planned.txt"), *json = file("planned.json");
    struct policy *p = made(yaml);
    struct plan_request r = { .vars = vars, .nvars = 1, .memory = 700ull << 20, .image = "base" };
    struct plan *plan = planned(p, &r, &rich);
    struct text t = TEXT_INIT;

    (void)state;
    plan_print(plan, &t);
    assert_string_equal(text_str(&t), want);
    text_fini(&t);
    plan_json(plan, &t);
    assert_string_equal(text_str(&t), json);
    text_fini(&t);
    plan_free(plan);
    policy_free(p);
    free(yaml);
    free(want);
    free(json);
}

static void capabilities_that_nobody_gets(void **state)
{
    const struct plan_request r = { .image = "base" };

    (void)state;
    refused("carrel: 1\nname: x\ntools: {commands: [{id: a, exec: {path: /a}, capabilities: "
            "[cap_chown, cap_mknod]}]}\n",
            &r, &rich, "tools/commands/a: no command in a guest ever gets cap_mknod");
}

static void conflicts_name_both_lines(void **state)
{
    static const char *const cases[][2] = {
        { "accelerators:\n- {id: g, attach: passthrough, match: {vendor: nvidia}}\nsnapshot:\n  "
          "save: true\n",
          "p.yaml:4:3: error: device passthrough (accelerators) excludes saving (snapshot.save at "
          "p.yaml:6): the state" },
        { "accelerators:\n- {id: g, attach: passthrough, match: {vendor: nvidia}}\nsnapshot: "
          "{restore: true}\n",
          "excludes restoring" },
        { "accelerators:\n- {id: g, attach: passthrough, match: {vendor: nvidia}}\nbudget: {forks: "
          "2}\n",
          "excludes forking (budget.forks at p.yaml:5)" },
        { "accelerators:\n- {id: g, attach: passthrough, match: {vendor: nvidia}}\nmemory: "
          "{balloon: true}\n",
          "excludes balloon (memory.balloon at p.yaml:5)" },
        { "accelerators:\n- {id: g, attach: passthrough, match: {vendor: nvidia}}\nmemory: {swap: "
          "1MiB}\n",
          "excludes swap" },
        { "accelerators:\n- {id: g, attach: vhost-user, match: {vendor: nvidia}}\nbudget: {forks: "
          "2}\n",
          "p.yaml:4:3: error: vhost-user devices (accelerators) excludes forking" },
        { "accelerators:\n- {id: g, attach: vhost-user, match: {vendor: nvidia}}\nsnapshot: "
          "{restore: true}\n",
          "excludes restoring" },
        { "memory: {hugepages: 2M, balloon: true}\n",
          "p.yaml:3:10: error: huge pages (memory.hugepages) excludes balloon" },
        { "memory: {hugepages: 1G, swap: 1MiB}\n", "excludes swap" },
    };
    struct plan_request r = { .vars = vars, .nvars = 1 };

    (void)state;
    for (size_t i = 0; i < array_len(cases); i++) {
        char yaml[512];

        snprintf(yaml, sizeof(yaml), BASE "%s", cases[i][0]);
        refused(yaml, &r, &rich, cases[i][1]);
    }
}

static void what_cannot_be_enforced_is_refused(void **state)
{
    static const struct {
        enum feature f;
        const char *yaml, *what;
    } cases[] = {
        { FEATURE_CPU_QUOTA, "cpu: {quota: 50%}\n",
          "cpu quota (cpu.quota): the kvm engine on this host cannot enforce it" },
        { FEATURE_NESTED, "cpu: {nested: true}\n", "nested" },
        { FEATURE_BALLOON, "memory: {balloon: true}\n", "balloon (" },
        { FEATURE_HUGEPAGES, "memory: {hugepages: 2M}\n", "huge pages" },
        { FEATURE_SWAP, "memory: {swap: 1MiB}\n", "swap" },
        { FEATURE_VERITY, "image: {verity: true}\n", "verity" },
        { FEATURE_SAVE, "snapshot: {save: true}\n", "saving" },
        { FEATURE_RESTORE, "snapshot: {restore: true}\n", "restoring" },
        { FEATURE_FORK, "budget: {forks: 1}\n", "forking" },
        { FEATURE_COMMANDS, "tools: {commands: [{id: a, exec: {path: /a}}]}\n",
          "rules for commands" },
        { FEATURE_BROKER, "tools: {commands: [{id: a, exec: {path: /a}, broker: host}]}\n",
          "brokered" },
        { FEATURE_HOST_TOOLS, "tools: {host: [{id: a, command: [/a]}]}\n", "host tools" },
        { FEATURE_MCP, "tools: {mcp: [{id: a, server: [a]}]}\n", "MCP" },
        { FEATURE_OVERLAY, "storage: {root: {mode: overlay}}\n", "takes writes" },
        { FEATURE_MOUNTS, "storage: {mounts: [{id: a, source: ./, target: /w}]}\n", "mounts" },
        { FEATURE_VOLUMES, "storage: {memory: [{id: a, target: /w}]}\n", "memory volumes" },
        { FEATURE_NETWORK, "network: {allow: [{id: a, hosts: [a.b]}]}\n", "network" },
        { FEATURE_PUBLISH, "network: {publish: [{guest: 1, host: \"127.0.0.1:1\"}]}\n",
          "published ports" },
        { FEATURE_SECRETS,
          "network: {allow: [{id: a, hosts: [a.b]}]}\nsecrets: [{id: k, from: {env: K}, inject: "
          "{rule: a, header: x, format: \"{}\"}}]\n",
          "secrets" },
        { FEATURE_MODELS, "models: [{id: m, endpoint: \"http://h\", names: [a]}]\n", "models" },
        { FEATURE_VFIO, "accelerators: [{id: g, attach: passthrough, match: {vendor: amd}}]\n",
          "device passthrough" },
        { FEATURE_VHOST_USER, "accelerators: [{id: g, attach: vhost-user, match: {vendor: amd}}]\n",
          "vhost-user" },
        { FEATURE_AUDIT, "audit: {level: all}\n", "audit" },
    };
    struct plan_request r = { .vars = vars, .nvars = 1 };

    (void)state;
    assert_int_equal(array_len(cases), FEATURES);
    for (size_t i = 0; i < array_len(cases); i++) {
        struct host_facts poor = rich;
        char yaml[512];

        snprintf(yaml, sizeof(yaml), BASE "%s", cases[i].yaml);
        poor.features &= ~(1ull << cases[i].f);
        refused(yaml, &r, &poor, cases[i].what);
        refused(yaml, &r, &poor, "p.yaml:");

        struct policy *p = made(yaml);

        plan_free(planned(p, &r, &rich));
        policy_free(p);
    }
}

static void hosts_without_a_layer(void **state)
{
    struct plan_request r = { .vars = vars, .nvars = 1 };
    struct host_facts bare = rich;

    (void)state;
    bare.landlock = bare.userns = bare.core_sched = false;
    refused(BASE "require: {landlock: required}\n", &r, &bare,
            "p.yaml:3:11: error: require.landlock: this host does not have it");

    struct policy *p = made(BASE);
    struct plan *plan = planned(p, &r, &bare);

    assert_false(plan->landlock);
    assert_true(plan->seccomp);
    assert_int_equal(plan->nnotes, 3);
    plan_free(plan);
    bare.seccomp = false;
    refused(BASE, &r, &bare, "require.seccomp");
    bare = rich;
    bare.interrupt_remapping = false;
    refused(BASE "accelerators: [{id: g, attach: passthrough, match: {vendor: amd}}]\n", &r, &bare,
            "remap");
    bare.memory = 100 << 20;
    refused(BASE, &r, &bare, "512 MiB do not fit");
    policy_free(p);
}

static void a_request_can_only_ask_for_less(void **state)
{
    struct plan_request r = { .vars = vars, .nvars = 1, .vcpus = 2 };
    struct policy *p = made(BASE "cpu: {vcpus: 4}\nmemory: {max: 1GiB, hugepages: 2M}\nlimits: "
                                 "{wall: 1h}\nsnapshot: {restore: true}\n");
    struct plan *plan = planned(p, &r, &rich);

    (void)state;
    assert_int_equal(plan->vcpus, 2);
    assert_int_equal(plan->memory, 1 << 30);
    assert_false(plan->balloon); /* not stated, and huge pages are */
    assert_false(plan->restore); /* allowed, not asked for */
    plan_free(plan);
    r.memory = 2ull << 30;
    refused(BASE "memory:\n  max: 1GiB\n", &r, &rich,
            "p.yaml:4:3: error: memory.max 2GiB was asked for, the policy allows 1GiB");
    r = (struct plan_request){ .save = true };
    refused(BASE, &r, &rich, "snapshot.save");
    r = (struct plan_request){ .restore = true };
    refused(BASE, &r, &rich, "snapshot.restore");
    r = (struct plan_request){ .fork = true };
    refused(BASE, &r, &rich, "budget.forks");
    r = (struct plan_request){ .image = "other" };
    refused(BASE "image: {name: base}\n", &r, &rich, "name other is not in base");
    r = (struct plan_request){ .vcpus = 0 };
    refused(BASE "storage: {mounts: [{id: w, source: \"${repo}/x\", target: /w}]}\n", &r, &rich,
            "${repo} is not a directory that the caller gave");
    policy_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden),
        cmocka_unit_test(capabilities_that_nobody_gets),
        cmocka_unit_test(conflicts_name_both_lines),
        cmocka_unit_test(what_cannot_be_enforced_is_refused),
        cmocka_unit_test(hosts_without_a_layer),
        cmocka_unit_test(a_request_can_only_ask_for_less),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
