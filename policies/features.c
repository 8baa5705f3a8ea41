#include "policies/features.h"

#include "policies/fields.h"
#include "policies/words.h"

#include <string.h>

struct use {
    const char *name, *path; /* the words of the document */
};

static const struct use uses[FEATURES] = {
    [FEATURE_CPU_QUOTA] = { "cpu quota", "cpu.quota" },
    [FEATURE_NESTED] = { "nested virtualisation", "cpu.nested" },
    [FEATURE_BALLOON] = { "balloon", "memory.balloon" },
    [FEATURE_HUGEPAGES] = { "huge pages", "memory.hugepages" },
    [FEATURE_SWAP] = { "swap", "memory.swap" },
    [FEATURE_VERITY] = { "verity", "image.verity" },
    [FEATURE_SAVE] = { "saving", "snapshot.save" },
    [FEATURE_RESTORE] = { "restoring", "snapshot.restore" },
    [FEATURE_FORK] = { "forking", "budget.forks" },
    [FEATURE_COMMANDS] = { "rules for commands", "tools.commands" },
    [FEATURE_BROKER] = { "commands brokered by the host", "tools.commands" },
    [FEATURE_HOST_TOOLS] = { "host tools", "tools.host" },
    [FEATURE_MCP] = { "MCP servers", "tools.mcp" },
    [FEATURE_OVERLAY] = { "a root that takes writes", "storage.root" },
    [FEATURE_MOUNTS] = { "mounts", "storage.mounts" },
    [FEATURE_VOLUMES] = { "memory volumes", "storage.memory" },
    [FEATURE_NETWORK] = { "network", "network.allow" },
    [FEATURE_PUBLISH] = { "published ports", "network.publish" },
    [FEATURE_SECRETS] = { "secrets", "secrets" },
    [FEATURE_MODELS] = { "models", "models" },
    [FEATURE_VFIO] = { "device passthrough", "accelerators" },
    [FEATURE_VHOST_USER] = { "vhost-user devices", "accelerators" },
    [FEATURE_AUDIT] = { "audit", "audit" },
};

/* Design D9: what excludes what, and why. */
static const struct {
    enum feature a, b;
    const char *why;
} conflicts[] = {
    { FEATURE_VFIO, FEATURE_SAVE, "the state of a passed-through device cannot be saved" },
    { FEATURE_VFIO, FEATURE_RESTORE, "a saved state has no passed-through device" },
    { FEATURE_VFIO, FEATURE_FORK, "a device cannot belong to two machines" },
    { FEATURE_VFIO, FEATURE_BALLOON, "guest memory is pinned for the device's DMA" },
    { FEATURE_VFIO, FEATURE_SWAP, "guest memory is pinned for the device's DMA" },
    { FEATURE_VHOST_USER, FEATURE_FORK,
      "an external device needs shared memory, a fork copies on write" },
    { FEATURE_VHOST_USER, FEATURE_RESTORE,
      "an external device needs shared memory, a restore copies on write" },
    { FEATURE_HUGEPAGES, FEATURE_BALLOON, "reserved huge pages cannot be given back in parts" },
    { FEATURE_HUGEPAGES, FEATURE_SWAP, "reserved huge pages are not swapped" },
};

const char *feature_name(enum feature f)
{
    return f < FEATURES ? uses[f].name : "?";
}

static uint64_t bit(enum feature f, bool on)
{
    return on ? 1ull << f : 0;
}

static bool any_attach(const struct policy *p, uint64_t attach)
{
    for (uint32_t i = 0; i < p->accelerators.n; i++)
        if (((const struct accelerator *)p->accelerators.v[i])->attach == attach)
            return true;
    return false;
}

static bool any_broker(const struct policy *p)
{
    for (uint32_t i = 0; i < p->tools.commands.n; i++)
        if (((const struct command *)p->tools.commands.v[i])->broker == BROKER_HOST)
            return true;
    return false;
}

uint64_t features_of(const struct policy *p)
{
    return bit(FEATURE_CPU_QUOTA, p->cpu.quota < p->cpu.vcpus * 100) |
           bit(FEATURE_NESTED, p->cpu.nested) | bit(FEATURE_BALLOON, p->memory.balloon) |
           bit(FEATURE_HUGEPAGES, p->memory.hugepages != 0) |
           bit(FEATURE_SWAP, p->memory.swap != 0) | bit(FEATURE_VERITY, p->image.verity) |
           bit(FEATURE_SAVE, p->snapshot.save) | bit(FEATURE_RESTORE, p->snapshot.restore) |
           bit(FEATURE_FORK, p->budget.forks != 0) |
           bit(FEATURE_COMMANDS, p->tools.commands.n != 0) | bit(FEATURE_BROKER, any_broker(p)) |
           bit(FEATURE_HOST_TOOLS, p->tools.host.n != 0) | bit(FEATURE_MCP, p->tools.mcp.n != 0) |
           bit(FEATURE_OVERLAY, p->storage.root.mode == ROOT_OVERLAY) |
           bit(FEATURE_MOUNTS, p->storage.mounts.n != 0) |
           bit(FEATURE_VOLUMES, p->storage.memory.n != 0) |
           bit(FEATURE_NETWORK, p->network.allow.n != 0) |
           bit(FEATURE_PUBLISH, p->network.publish.n != 0) |
           bit(FEATURE_SECRETS, p->secrets.n != 0) | bit(FEATURE_MODELS, p->models.n != 0) |
           bit(FEATURE_VFIO, any_attach(p, ATTACH_PASSTHROUGH)) |
           bit(FEATURE_VHOST_USER, any_attach(p, ATTACH_VHOST_USER)) |
           bit(FEATURE_AUDIT, object_has(&p->o, (uint32_t)field_index(&policy_table, "audit")));
}

/* The place of the deepest key of a dotted path that the document has. */
struct spot feature_place(const struct policy *p, enum feature f)
{
    const struct table *t = &policy_table;
    const struct object *o = &p->o;
    struct spot at = o->spot;
    char key[32];

    for (const char *s = uses[f].path; *s;) {
        size_t n = strcspn(s, ".");
        int i;

        if (n >= sizeof(key))
            break;
        memcpy(key, s, n);
        key[n] = '\0';
        i = field_index(t, key);
        if (i < 0 || !object_has(o, (uint32_t)i))
            break;
        at = o->at[i];
        if (t->fields[i].type != F_OBJECT)
            break;
        o = field_in(&t->fields[i], o);
        t = t->fields[i].table;
        s += n + (s[n] == '.');
    }
    /* A device has a place of its own. */
    for (uint32_t i = 0; i < p->accelerators.n && (f == FEATURE_VFIO || f == FEATURE_VHOST_USER);
         i++) {
        const struct accelerator *a = p->accelerators.v[i];

        if (a->attach == (f == FEATURE_VFIO ? ATTACH_PASSTHROUGH : ATTACH_VHOST_USER))
            return a->o.spot;
    }
    return at;
}

bool features_check(const struct policy *p, uint64_t features, const struct host_facts *h,
                    struct problems *ps)
{
    bool ok = true;

    for (size_t i = 0; i < array_len(conflicts); i++) {
        enum feature a = conflicts[i].a, b = conflicts[i].b;
        struct spot at = feature_place(p, a);
        struct text t = TEXT_INIT;

        if (!(features >> a & 1) || !(features >> b & 1))
            continue;
        ok = false;
        policy_place(p, feature_place(p, b), &t);
        problem_add(ps, PROBLEM_ERROR, "conflict", p->files[at.file], at.line, at.col,
                    "%s (%s) excludes %s (%s at %s): %s", uses[a].name, uses[a].path, uses[b].name,
                    uses[b].path, text_str(&t), conflicts[i].why);
        text_fini(&t);
    }
    for (unsigned i = 0; i < FEATURES; i++) {
        struct spot at = feature_place(p, i);

        if (!(features >> i & 1) || (h->features >> i & 1))
            continue;
        ok = false;
        problem_add(ps, PROBLEM_ERROR, "feature", p->files[at.file], at.line, at.col,
                    "%s (%s): the %s engine on this host cannot enforce it", uses[i].name,
                    uses[i].path, h->engine);
    }
    for (uint32_t i = 0; i < p->accelerators.n; i++) {
        const struct accelerator *a = p->accelerators.v[i];

        if (a->attach == ATTACH_PASSTHROUGH && a->iommu.interrupt_remapping == REQUIRE_REQUIRED &&
            !h->interrupt_remapping) {
            ok = false;
            problem_add(ps, PROBLEM_ERROR, "feature", p->files[a->o.spot.file], a->o.spot.line,
                        a->o.spot.col, "accelerators/%s: this host does not remap interrupts",
                        a->id);
        }
    }
    return ok;
}
