/* oci_write.c - see oci.h: writing. */
#include "sandbox/confine/oci.h"

#include "policies/words.h"

#include <errno.h>
#include <inttypes.h>

#include <linux/seccomp.h>

/* ---- a section of a policy ---- */

static unsigned count(const struct bits *b)
{
    unsigned n = 0;

    for (unsigned i = 0; i < BITS_MAX / 64; i++)
        n += (unsigned)__builtin_popcountll(b->w[i]);
    return n;
}

static void names(const char *key, const struct bits *b, bool json, struct text *out)
{
    unsigned n = 0;

    if (!count(b) && !json)
        return;
    text_add(out, json ? ",\"%s\":[" : ", %s: [", key);
    for (unsigned nr = 0; nr < BITS_MAX; nr++)
        if (bits_has(b, nr) && syscall_name(nr))
            text_add(out, json ? "%s\"%s\"" : "%s%s", n++ ? (json ? "," : ", ") : "",
                     syscall_name(nr));
    text_add(out, "]");
}

static void section(const struct oci_profile *p, bool json, struct text *out)
{
    struct bits base, add = p->add, remove = { { 0 } };

    syscall_base(SYSCALLS_TOOL_DEFAULT, &base);
    for (unsigned i = 0; i < BITS_MAX / 64; i++) {
        add.w[i] &= ~base.w[i];
        remove.w[i] = base.w[i] & ~p->add.w[i];
    }

    bool fewer = count(&add) + count(&remove) < count(&p->add);

    text_add(out, json ? "{\"base\":\"%s\"" : "{base: %s",
             words_syscall_base[fewer ? SYSCALLS_TOOL_DEFAULT : SYSCALLS_NONE]);
    names("add", fewer ? &add : &p->add, json, out);
    if (fewer)
        names("remove", &remove, json, out);
    text_add(out, "}");
}

void oci_section(const struct oci_profile *p, struct text *out)
{
    for (uint32_t i = 0; i < p->nnotes; i++)
        text_add(out, "# %s\n", p->notes[i]);
    text_add(out, "syscalls: ");
    section(p, false, out);
    text_add(out, "\n");
}

void oci_section_json(const struct oci_profile *p, struct text *out)
{
    text_add(out, "{\"exact\":%s,\"notes\":[", p->nnotes ? "false" : "true");
    for (uint32_t i = 0; i < p->nnotes; i++) {
        text_add(out, "%s", i ? "," : "");
        text_json(out, p->notes[i]);
    }
    text_add(out, "],\"syscalls\":");
    section(p, true, out);
    text_add(out, "}\n");
}

/* ---- linux.seccomp ---- */

/* Calls that are allowed whatever their arguments, in one entry; the others one by one. */
static int whole_calls(const struct seccomp_model *m, struct text *out, struct err *e)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < m->nrules; i++) {
        const struct seccomp_rule *r = &m->rules[i];
        const char *name = syscall_name(r->nr);

        if (!name)
            return err_set(e, EINVAL, "system call %u has no name", r->nr);
        if (!r->action && !r->nargs)
            text_add(out, "%s\"%s\"", n++ ? "," : "{\"names\":[", name);
    }
    if (n)
        text_add(out, "],\"action\":\"SCMP_ACT_ALLOW\"}");
    return (int)n;
}

static void other_call(const struct seccomp_rule *r, struct text *out)
{
    text_add(out, "{\"names\":[\"%s\"],", syscall_name(r->nr));
    if (r->action) {
        text_add(out, "\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":%u}",
                 r->action & SECCOMP_RET_DATA);
        return;
    }
    text_add(out, "\"action\":\"SCMP_ACT_ALLOW\",\"args\":[");
    for (unsigned i = 0; i < r->nargs; i++)
        text_add(out,
                 "%s{\"index\":%u,\"value\":%" PRIu64 ",\"valueTwo\":%" PRIu64
                 ",\"op\":\"SCMP_CMP_MASKED_EQ\"}",
                 i ? "," : "", r->arg[i].index, r->arg[i].mask, r->arg[i].value);
    text_add(out, "]}");
}

int oci_write(const struct seccomp_model *m, struct text *out, struct err *e)
{
    int n;

    if ((m->otherwise & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_ERRNO)
        return err_set(e, EINVAL, "a filter that refuses with other than an errno");
    text_add(out, "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":%u,",
             m->otherwise & SECCOMP_RET_DATA);
    text_add(out, "\"architectures\":[\"SCMP_ARCH_X86_64\"],\"syscalls\":[");
    n = whole_calls(m, out, e);
    if (n < 0)
        return n;
    for (uint32_t i = 0; i < m->nrules; i++)
        if (m->rules[i].action || m->rules[i].nargs) {
            text_add(out, "%s", n++ ? "," : "");
            other_call(&m->rules[i], out);
        }
    text_add(out, "]}\n");
    return 0;
}
