/* oci.c - see oci.h: reading. */
#include "sandbox/confine/oci.h"

#include "policies/words.h"
#include "sandbox/confine/oci_args.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/seccomp.h>

#define KNOWN 512u

/* What a document says about one call so far. */
enum said { NOTHING, WHOLE, SOME, REFUSED, REFUSED_SOME };

struct reader {
    struct oci_profile *p;
    struct seccomp_rule *rules;
    uint32_t nrules;
    uint8_t said[KNOWN];
    uint32_t told[KNOWN]; /* REFUSED: the answer */
    bool open;            /* what is not named is allowed */
    uint32_t otherwise;
    struct err *e;
};

static void note(struct reader *x, const char *text)
{
    struct oci_profile *p = x->p;

    *(const char **)arena_push(&p->arena, (void **)&p->notes, p->nnotes++, sizeof(*p->notes)) =
        text;
}

static int bad(struct reader *x, const char *what, const char *which)
{
    return err_set(x->e, EINVAL, "seccomp profile: %s%s%.60s", what, *which ? ": " : "", which);
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));

    return s ? s : "";
}

/* ---- actions ---- */

enum verdict { ALLOW, DENY, UNKNOWN };

/* What an action is to a filter that either allows or refuses. */
static enum verdict action(struct reader *x, const char *name, const json_t *errno_ret,
                           uint32_t *answer)
{
    json_int_t n = json_is_integer(errno_ret) ? json_integer_value(errno_ret) : EPERM;

    *answer = SECCOMP_RET_ERRNO | EPERM;
    if (!strcmp(name, "SCMP_ACT_ALLOW"))
        return ALLOW;
    if (!strcmp(name, "SCMP_ACT_LOG")) {
        note(x, "SCMP_ACT_LOG: allowed, and not logged by the kernel");
        return ALLOW;
    }
    if (!strcmp(name, "SCMP_ACT_ERRNO")) {
        if (n < 0 || n > 4095)
            return UNKNOWN;
        *answer = SECCOMP_RET_ERRNO | (uint32_t)n;
        return DENY;
    }
    if (!strcmp(name, "SCMP_ACT_KILL") || !strcmp(name, "SCMP_ACT_KILL_THREAD") ||
        !strcmp(name, "SCMP_ACT_KILL_PROCESS") || !strcmp(name, "SCMP_ACT_TRAP") ||
        !strcmp(name, "SCMP_ACT_TRACE") || !strcmp(name, "SCMP_ACT_NOTIFY")) {
        note(x, arena_printf(&x->p->arena, "%s: refused with EPERM", name));
        return DENY;
    }
    return UNKNOWN;
}

/* ---- rules ---- */

static int push(struct reader *x, const struct seccomp_rule *r)
{
    if (x->nrules == OCI_RULES_MAX)
        return err_set(x->e, E2BIG, "seccomp profile: more than %u rules: system call %s",
                       OCI_RULES_MAX, r->reason);
    *(struct seccomp_rule *)arena_push(&x->p->arena, (void **)&x->rules, x->nrules++,
                                       sizeof(*x->rules)) = *r;
    return 0;
}

/* Every combination of one member of each set. */
static int push_product(struct reader *x, uint32_t nr, const struct oci_condition *c, unsigned n)
{
    struct masked_set sets[SECCOMP_ARGS];
    unsigned at[SECCOMP_ARGS] = { 0 }, i;

    for (i = 0; i < n; i++) {
        sets[i] = masked_set(c[i].op, c[i].a, c[i].b, false);
        if (!sets[i].n && !sets[i].always)
            return 0; /* never */
    }
    do {
        struct seccomp_rule r = { .nr = nr, .reason = syscall_name(nr) };
        int err;

        for (i = 0; i < n; i++)
            if (!sets[i].always)
                r.arg[r.nargs++] = (struct seccomp_arg){ (uint8_t)c[i].index, sets[i].v[at[i]].mask,
                                                         sets[i].v[at[i]].value };
        err = push(x, &r);
        if (err)
            return err;
        for (i = 0; i < n && ++at[i] >= sets[i].n; i++)
            at[i] = 0;
    } while (i < n);
    return 0;
}

/* Where not all of the conditions hold. */
static int push_complement(struct reader *x, uint32_t nr, const struct oci_condition *c, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct masked_set s = masked_set(c[i].op, c[i].a, c[i].b, true);
        struct seccomp_rule r = { .nr = nr, .reason = syscall_name(nr) };
        int err = s.always ? push(x, &r) : 0;

        r.nargs = 1;
        for (unsigned k = 0; k < s.n && !err; k++) {
            r.arg[0] = (struct seccomp_arg){ (uint8_t)c[i].index, s.v[k].mask, s.v[k].value };
            err = push(x, &r);
        }
        if (err)
            return err;
    }
    return 0;
}

/* Can both be true at once, whichever comes first? Then what they say together is in *now. */
static bool agree(const struct reader *x, uint32_t nr, enum said *now, uint32_t answer)
{
    enum said before = x->said[nr];

    if (before == NOTHING)
        return true;
    if (before == REFUSED && *now == REFUSED)
        return x->told[nr] == answer;
    if (*now == WHOLE && before == WHOLE)
        return true;
    if (x->open || before > SOME || *now > SOME)
        return false;
    if (before == WHOLE)
        *now = WHOLE;
    return true;
}

static int entry_call(struct reader *x, uint32_t nr, enum verdict v, uint32_t answer,
                      const struct oci_condition *c, unsigned n)
{
    enum said now = v == ALLOW ? (n ? SOME : WHOLE) : (n ? REFUSED_SOME : REFUSED);

    if (!agree(x, nr, &now, answer))
        return bad(x, "more than one thing is said about a system call", syscall_name(nr));
    x->said[nr] = (uint8_t)now;
    x->told[nr] = answer;
    if (now == SOME && !x->open)
        return push_product(x, nr, c, n);
    if (now == REFUSED_SOME && x->open)
        return push_complement(x, nr, c, n);
    if (now == REFUSED_SOME && answer != x->otherwise)
        note(x,
             arena_printf(&x->p->arena, "%s: refused as what is not named, without its own errno",
                          syscall_name(nr)));
    return 0;
}

/* Docker's own keys: an entry that depends on the container it is for. */
static bool depends(const json_t *entry)
{
    return json_object_size(json_object_get(entry, "includes")) ||
           json_object_size(json_object_get(entry, "excludes"));
}

static int entry(struct reader *x, const json_t *entry)
{
    const json_t *names = json_object_get(entry, "names");
    struct oci_condition c[SECCOMP_ARGS];
    const char *act = text_of(entry, "action"), *first = "";
    unsigned n, unknown = 0;
    uint32_t answer;
    enum verdict v;
    int err;

    if (!json_is_array(names))
        return bad(x, "an entry of syscalls without a list of names", "");
    if (depends(entry)) {
        note(x, arena_printf(&x->p->arena,
                             "%zu calls from %.40s on: left out, they depend on the container",
                             json_array_size(names),
                             json_string_value(json_array_get(names, 0))
                                 ? json_string_value(json_array_get(names, 0))
                                 : "?"));
        return 0;
    }
    v = action(x, act, json_object_get(entry, "errnoRet"), &answer);
    if (v == UNKNOWN)
        return bad(x, "an unknown action or errno", act);
    err = oci_conditions(json_object_get(entry, "args"), c, &n, x->e);
    for (size_t i = 0; i < json_array_size(names) && !err; i++) {
        const char *name = json_string_value(json_array_get(names, i));
        int nr = name ? syscall_number(name) : -1;

        if (!name)
            return bad(x, "a name that is no text", "");
        if (nr >= 0)
            err = entry_call(x, (uint32_t)nr, v, answer, c, n);
        else if (v == ALLOW && !unknown++)
            first = name;
    }
    if (unknown)
        note(x, arena_printf(&x->p->arena,
                             "%u names that are not calls of x86-64, or too new, %.40s the first: "
                             "refused",
                             unknown, first));
    return err;
}

/* ---- the document ---- */

/* What was said of whole calls. */
static int finish(struct reader *x)
{
    for (uint32_t nr = 0; nr < KNOWN; nr++) {
        struct seccomp_rule r = { .nr = nr, .reason = syscall_name(nr) };
        bool whole = x->said[nr] == WHOLE || (x->open && x->said[nr] == NOTHING);
        int err;

        if (!r.reason || !(whole || (x->said[nr] == REFUSED && x->told[nr] != x->otherwise)))
            continue;
        /* It covers what was said for some arguments. */
        for (uint32_t i = 0; i < x->nrules; i++)
            while (i < x->nrules && x->rules[i].nr == nr)
                x->rules[i] = x->rules[--x->nrules];
        r.action = whole ? 0 : x->told[nr];
        err = push(x, &r);
        if (err)
            return err;
    }
    x->p->model =
        (struct seccomp_model){ x->otherwise, SECCOMP_RET_KILL_PROCESS, x->rules, x->nrules };
    return seccomp_check(&x->p->model, x->e);
}

static bool same_args(const struct seccomp_rule *a, const struct seccomp_rule *b)
{
    for (unsigned i = 0; i < a->nargs; i++)
        if (a->arg[i].index != b->arg[i].index || a->arg[i].mask != b->arg[i].mask ||
            a->arg[i].value != b->arg[i].value)
            return false;
    return true;
}

static bool has_rule(const struct seccomp_model *m, const struct seccomp_rule *r)
{
    for (uint32_t i = 0; i < m->nrules; i++)
        if (m->rules[i].nr == r->nr && m->rules[i].action == r->action &&
            m->rules[i].nargs == r->nargs && same_args(&m->rules[i], r))
            return true;
    return false;
}

/* Are the rules for a call the same ones? */
static bool same_rules(const struct seccomp_model *a, const struct seccomp_model *b, uint32_t nr)
{
    for (uint32_t i = 0; i < a->nrules; i++)
        if (a->rules[i].nr == nr && !has_rule(b, &a->rules[i]))
            return false;
    for (uint32_t i = 0; i < b->nrules; i++)
        if (b->rules[i].nr == nr && !has_rule(a, &b->rules[i]))
            return false;
    return true;
}

/* Calls that a policy could only allow for more arguments than the document does are left out;
 * what that leaves may lift fewer conditions, so it is asked again. */
static void leave_out(struct reader *x, struct seccomp_model *ours)
{
    struct oci_profile *p = x->p;
    bool changed;

    do {
        changed = false;
        tool_model(&p->arena, &p->add, ours);
        for (uint32_t nr = 0; nr < KNOWN; nr++) {
            bool some = x->said[nr] == SOME || x->said[nr] == REFUSED_SOME;

            if (!some || !bits_has(&p->add, nr) || same_rules(&p->model, ours, nr))
                continue;
            bits_clear(&p->add, nr);
            changed = true;
            note(x, arena_printf(&p->arena,
                                 "%s: allowed for some arguments; a policy names whole calls, so "
                                 "it is left out",
                                 syscall_name(nr)));
        }
    } while (changed);
}

static void section(struct reader *x)
{
    struct oci_profile *p = x->p;
    struct seccomp_model ours;

    for (uint32_t i = 0; i < p->model.nrules; i++)
        if (!p->model.rules[i].action)
            bits_set(&p->add, p->model.rules[i].nr);
    leave_out(x, &ours);
    for (uint32_t nr = 0; nr < KNOWN; nr++) {
        bool told = x->said[nr] == REFUSED && x->told[nr] != (SECCOMP_RET_ERRNO | EPERM);

        if ((!bits_has(&p->add, nr) && !told) || same_rules(&p->model, &ours, nr))
            continue;
        note(x, arena_printf(&p->arena,
                             told ? "%s: refused with EPERM"
                                  : "%s: a policy allows it for fewer arguments",
                             syscall_name(nr)));
    }
}

static int architectures(struct reader *x, const json_t *list)
{
    bool native = !json_array_size(list);

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));

        if (name && !strcmp(name, "SCMP_ARCH_X86_64"))
            native = true;
        else
            note(x, arena_printf(&x->p->arena, "%s: closed", name ? name : "?"));
    }
    return native ? 0 : bad(x, "not for SCMP_ARCH_X86_64", "");
}

static int document(struct reader *x, const json_t *root)
{
    const json_t *inner = json_object_get(json_object_get(root, "linux"), "seccomp");
    const json_t *doc = inner ? inner : root, *list = json_object_get(doc, "syscalls");
    const char *act = text_of(doc, "defaultAction");
    enum verdict v = action(x, act, json_object_get(doc, "defaultErrnoRet"), &x->otherwise);
    int err = architectures(x, json_object_get(doc, "architectures"));

    if (!err && (!json_is_object(doc) || v == UNKNOWN))
        err = bad(x, "no defaultAction that is known", act);
    if (!err && list && !json_is_array(list))
        err = bad(x, "syscalls is not a list", "");
    if (err)
        return err;
    x->open = v == ALLOW;
    if (x->open) {
        x->otherwise = SECCOMP_RET_ERRNO | EPERM;
        note(x, "it allows what it does not name: calls that are not known here are refused");
    }
    if (x->otherwise != (SECCOMP_RET_ERRNO | EPERM))
        note(x, "everything else is refused with EPERM");
    if (json_object_get(doc, "flags") || json_object_get(doc, "listenerPath"))
        note(x, "flags and listenerPath: not taken over");
    for (size_t i = 0; i < json_array_size(list) && !err; i++)
        err = entry(x, json_array_get(list, i));
    if (err)
        return err;
    err = finish(x);
    if (!err)
        section(x);
    return err;
}

struct oci_profile *oci_parse(const char *json, size_t len, struct err *e)
{
    struct oci_profile *p = calloc(1, sizeof(*p));
    struct reader x = { .p = p, .e = e };
    json_error_t why;
    json_t *root = NULL;
    int err;

    if (!p)
        abort();
    if (len <= OCI_BYTES_MAX)
        root = json_loadb(json, len, JSON_REJECT_DUPLICATES, &why);
    else
        snprintf(why.text, sizeof(why.text), "longer than 1 MiB");
    err = root ? document(&x, root)
               : err_set(e, EINVAL, "seccomp profile: not JSON: %.120s", why.text);
    json_decref(root);
    if (!err)
        return p;
    oci_free(p);
    return NULL;
}

void oci_free(struct oci_profile *p)
{
    if (!p)
        return;
    arena_fini(&p->arena);
    free(p);
}
