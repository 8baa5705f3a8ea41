/*
 * exec.c - a command as the keeper is asked for it, as the policy is asked about it, and as the
 * guest gets it.
 *
 * The keeper does not know the guest's files. A bare name is every path that the PATH of the
 * request can make of it; a user name is any uid that a rule speaks of, and carrel-init refuses one
 * that its passwd resolves to another; the content of a file is none that anybody has looked at,
 * or any hash that a rule pins for its path, and carrel-init refuses a file that has another. The
 * first that the policy allows is what the guest is told to run.
 */
#include "sandbox/guard/internal.h"

#include "base/sha256.h"
#include "policies/words.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define PATHS_MAX    32u
#define UIDS_MAX     16u

static const char *keep(struct arena *a, const struct msg_field *f)
{
    return arena_copy(a, (const char *)f->at, f->len);
}

static void append(struct arena *a, const char ***v, uint32_t *n, const char *s)
{
    *(const char **)arena_push(a, (void **)v, *n, sizeof(**v)) = s;
    ++*n;
}

static struct msg_frame payload(const struct msg_builder *b)
{
    return (struct msg_frame){ .type = b->bytes[0], .len = b->len, .body = b->bytes + MSG_HEADER };
}

int exec_read(struct arena *a, const struct msg_builder *b, struct exec_ask *ask, struct err *e)
{
    const struct msg_frame m = payload(b);
    struct msg_field f;
    uint32_t pos = 0;
    int more;

    *ask = (struct exec_ask){ 0 };
    while ((more = msg_next_field(&m, &pos, &f)) > 0) {
        switch (f.tag) {
        case MSG_ARG: append(a, &ask->argv, &ask->argc, keep(a, &f)); break;
        case MSG_ENV: append(a, &ask->env, &ask->envc, keep(a, &f)); break;
        case MSG_CWD: ask->cwd = keep(a, &f); break;
        case MSG_USER: ask->user = keep(a, &f); break;
        case MSG_FLAGS:
            if (!msg_field_u32(&f, &ask->flags))
                return err_set(e, EINVAL, "the flags are malformed");
            break;
        default: break;
        }
    }
    return more < 0 || !ask->argc ? err_set(e, EINVAL, "the request is malformed") : 0;
}

const char *path_clean(struct arena *a, const char *path)
{
    char *out = arena_get(a, strlen(path) + 2);
    size_t n = 0;

    while (*path) {
        size_t len;

        path += strspn(path, "/");
        len = strcspn(path, "/");
        if (len && !(len == 1 && *path == '.')) {
            out[n++] = '/';
            memcpy(out + n, path, len);
            n += len;
        }
        path += len;
    }
    if (n == 0)
        out[n] = '/';
    return out;
}

static const char *path_variable(const struct exec_ask *ask)
{
    for (uint32_t i = 0; i < ask->envc; i++)
        if (strncmp(ask->env[i], "PATH=", 5) == 0)
            return ask->env[i] + 5;
    return DEFAULT_PATH;
}

/* Every file that the first argument can mean, once. *whole: these are all; more than PATHS_MAX are
 * not looked at. As in the guest, a part of PATH that is empty or relative is below the directory
 * in which the command starts. */
static uint32_t paths_of(struct arena *a, const struct exec_ask *ask, const char *out[PATHS_MAX],
                         bool *whole)
{
    const char *name = ask->argv[0], *dir = path_variable(ask), *cwd = ask->cwd ? ask->cwd : "/";
    uint32_t n = 0, known;

    *whole = true;
    if (strchr(name, '/')) {
        out[0] = path_clean(a, arena_printf(a, "%s/%s", *name == '/' ? "" : cwd, name));
        return 1;
    }
    for (;;) {
        size_t len = strcspn(dir, ":");

        *whole = n < PATHS_MAX;
        if (!*whole)
            break;
        out[n] = path_clean(
            a, arena_printf(a, "%s/%.*s/%s", *dir == '/' ? "" : cwd, (int)len, dir, name));
        for (known = 0; known < n && strcmp(out[known], out[n]) != 0; known++)
            ;
        n += known == n;
        if (!dir[len])
            break;
        dir += len + 1;
    }
    return n;
}

/* Who may be meant by the user of the request. Nobody in particular: root, and whom else a rule
 * speaks of. */
static uint32_t uids_of(const struct policy *p, const char *user, uint32_t out[UIDS_MAX])
{
    size_t len = user ? strcspn(user, ":") : 0;
    uint32_t n = 0;
    char *end;
    unsigned long number;

    if (len == 0 || (len == 4 && strncmp(user, "root", 4) == 0)) {
        out[n++] = 0;
        if (len)
            return n;
    }
    number = len ? strtoul(user, &end, 10) : 0;
    if (len && *user >= '0' && *user <= '9' && (*end == '\0' || *end == ':') &&
        number < UINT32_MAX) {
        out[0] = (uint32_t)number;
        return 1;
    }
    for (uint32_t i = 0; i < p->tools.commands.n && n < UIDS_MAX; i++) {
        const struct command *c = p->tools.commands.v[i];
        uint32_t k = 0;

        while (k < n && out[k] != c->user)
            k++;
        if (k == n && c->user != 0) /* a name other than root's is nobody with uid 0 */
            out[n++] = (uint32_t)c->user;
    }
    if (n == 0)
        out[n++] = 1000;
    return n;
}

/* A rule's user is a user and a group: what the caller names beside it must be that group. Root is
 * in every group. */
static bool is_own_group(const char *user, uint32_t uid)
{
    const char *colon = user ? strchr(user, ':') : NULL;
    char own[16];

    snprintf(own, sizeof(own), "%u", uid);
    return !colon || uid == 0 || strcmp(colon + 1, own) == 0;
}

static void make_request(struct request *q, const struct exec_ask *ask, const char *path,
                         const char *sha256, uint32_t uid)
{
    request_init(q, SPACE_EXEC);
    request_text(q, EXEC_PATH, path);
    request_list(q, EXEC_ARGV, ask->argv + 1, ask->argc - 1);
    request_list(q, EXEC_ENV, ask->env, ask->envc);
    request_number(q, EXEC_USER, uid);
    request_text(q, EXEC_SHA256, sha256);
}

/* The contents that the file may have: that of which nobody knows, then those that are pinned. */
static const char **hashes_of(struct arena *a, const struct policy *p, const char *path,
                              uint32_t *n)
{
    const char **v = NULL;

    *n = 0;
    append(a, &v, n, NULL);
    for (uint32_t i = 0; i < p->tools.commands.n; i++) {
        const struct exec_file *x = &((const struct command *)p->tools.commands.v[i])->exec;

        if (x->sha256 && strcmp(x->path, path) == 0)
            append(a, &v, n, x->sha256);
    }
    return v;
}

/* One file, run by one user: the point that is allowed, or the denial that came nearest. */
static struct decision decide_file(struct arena *a, const struct ruleset *rs,
                                   const struct exec_ask *ask, const char *path, uint32_t uid,
                                   struct request *q)
{
    uint32_t n;
    const char **hash = hashes_of(a, rs->policy, path, &n);
    struct decision d = { .failed = -1 };

    for (uint32_t i = 0; i < n && !d.allowed; i++) {
        struct request other;
        struct decision next;

        make_request(&other, ask, path, hash[i], uid);
        next = decide(rs, &other);
        if (i == 0 || next.allowed || next.failed > d.failed) {
            *q = other;
            d = next;
        }
    }
    return d;
}

void exec_decide(struct arena *a, const struct ruleset *rs, const struct exec_ask *ask,
                 struct exec_answer *out)
{
    const char *path[PATHS_MAX];
    bool first = true, whole;
    uint32_t uid[UIDS_MAX], npaths = paths_of(a, ask, path, &whole);
    uint32_t nuids = uids_of(rs->policy, ask->user, uid), allowed = 0;

    *out = (struct exec_answer){ 0 };
    for (uint32_t u = 0; u < nuids && !out->decision.allowed; u++) {
        for (uint32_t i = 0; i < npaths; i++) {
            struct request q;
            struct decision d = decide_file(a, rs, ask, path[i], uid[u], &q);

            if (d.allowed && !is_own_group(ask->user, uid[u]))
                d = (struct decision){ .reason = REASON_MALFORMED,
                                       .failed = -1,
                                       .why = "a group that is not the user's own",
                                       .grade = 'H' };
            allowed += d.allowed && (!out->decision.allowed || d.rule == out->decision.rule);
            /* The first allowed one, or the denial that came nearest. */
            if (first || (d.allowed && !out->decision.allowed) ||
                (!out->decision.allowed && d.failed > out->decision.failed)) {
                out->request = q;
                out->decision = d;
                out->uid = uid[u];
                first = false;
            }
        }
    }
    if (out->decision.allowed && (npaths == 1 || allowed < npaths || !whole))
        out->exe = out->request.v[EXEC_PATH].s;
}

struct request exec_spoken(struct arena *a, const struct request *q)
{
    const struct args *env = &q->v[EXEC_ENV].list;
    struct request out = *q;
    const char **names = arena_get(a, (env->n + 1) * sizeof(*names));

    for (uint32_t i = 0; i < env->n; i++)
        names[i] = arena_printf(a, "%.*s=", (int)strcspn(env->v[i], "="), env->v[i]);
    request_list(&out, EXEC_ENV, names, env->n);
    return out;
}

/* The environment that the command starts with: what the rule sets goes before what was asked. */
static void held_env(struct arena *a, const struct command *c, struct request *q)
{
    const struct args *asked = &q->v[EXEC_ENV].list;
    const struct pairs *set = &c->env.set;
    const char **env = NULL;
    uint32_t n = 0;

    for (uint32_t i = 0; i < asked->n; i++) {
        size_t name = strcspn(asked->v[i], "=");
        bool is_set = false;

        for (uint32_t k = 0; k < set->n && !is_set; k++)
            is_set = strlen(set->v[k].key) == name && !memcmp(set->v[k].key, asked->v[i], name);
        if (!is_set)
            append(a, &env, &n, asked->v[i]);
    }
    for (uint32_t k = 0; k < set->n; k++)
        append(a, &env, &n, arena_printf(a, "%s=%s", set->v[k].key, set->v[k].value));
    request_list(q, EXEC_ENV, env, n);
}

static void held_uses(struct arena *a, const struct command *c, struct request *q)
{
    const char **uses = NULL;
    uint32_t n = 0;

    for (uint32_t i = 0; i < c->network.n; i++)
        append(a, &uses, &n, arena_printf(a, "network:%s", c->network.v[i]));
    for (uint32_t i = 0; i < c->spawn.n; i++)
        append(a, &uses, &n, arena_printf(a, "spawn:%s", c->spawn.v[i]));
    request_list(q, EXEC_USES, uses, n);
}

struct request exec_held(struct arena *a, const struct command *c, const struct exec_answer *answer)
{
    struct request q = answer->request;
    struct bits *calls = arena_get(a, sizeof(*calls));

    syscall_base(c->syscalls.base, calls);
    for (unsigned i = 0; i < BITS_MAX / 64; i++)
        calls->w[i] = (calls->w[i] | c->syscalls.add.w[i]) & ~c->syscalls.remove.w[i];
    q.v[EXEC_CAPS] = (struct value){ .present = true, .bits = &c->capabilities };
    q.v[EXEC_SYSCALLS] = (struct value){ .present = true, .bits = calls };
    request_number(&q, EXEC_CPU, c->rlimits.cpu);
    request_number(&q, EXEC_AS, c->rlimits.as);
    request_number(&q, EXEC_FSIZE, c->rlimits.fsize);
    request_list(&q, EXEC_RO, c->paths.ro.v, c->paths.ro.n);
    request_list(&q, EXEC_RW, c->paths.rw.v, c->paths.rw.n);
    held_env(a, c, &q);
    held_uses(a, c, &q);
    return q;
}

/* ---- the profile ---- */

static void add_limit(struct msg_builder *b, uint32_t which, uint64_t value)
{
    uint8_t body[16] = { (uint8_t)which };

    for (unsigned i = 0; i < 8; i++)
        body[8 + i] = (uint8_t)(value >> (8 * i));
    msg_add(b, MSG_RLIMIT, body, sizeof(body));
}

static unsigned digit(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* 64 hexadecimal digits, as the policy's check left them. */
static void hash_bytes(const char *hex, uint8_t out[SHA256_BYTES])
{
    for (unsigned i = 0; i < SHA256_BYTES; i++)
        out[i] = (uint8_t)(digit(hex[2ul * i]) << 4 | digit(hex[2ul * i + 1]));
}

/* A program of the list; its hash, where it is pinned, and then its path are one field. */
static void add_run(struct msg_builder *b, const char *program)
{
    const char *path = program_path(program);
    uint8_t field[SHA256_BYTES + PATH_MAX];
    size_t len = strlen(path);

    if (path == program) {
        msg_add_text(b, MSG_RUN, path);
    } else if (len < PATH_MAX) {
        hash_bytes(program, field);
        memcpy(field + SHA256_BYTES, path, len + 1);
        msg_add(b, MSG_RUN_SHA256, field, SHA256_BYTES + len);
    } else {
        b->overflow = true;
    }
}

/* A rule that gives the whole tree to write, and every program in it, has nothing for Landlock to
 * hold back; a domain would only take mounts from a command that the rule lets make them. */
static bool has_everything(const struct tool_profile *t, const struct programs *run)
{
    for (uint32_t i = 0; i < t->ntrees && run->any; i++)
        if (t->trees[i].write && strcmp(t->trees[i].path, "/") == 0)
            return true;
    return false;
}

static void add_profile(struct msg_builder *b, const struct tool_profile *t,
                        const struct programs *run)
{
    for (uint32_t i = 0; i < t->set.n; i++) {
        char line[4096];

        if (snprintf(line, sizeof(line), "%s=%s", t->set.v[i].key, t->set.v[i].value) <
            (int)sizeof(line))
            msg_add_text(b, MSG_ENV, line);
        else
            b->overflow = true;
    }
    msg_add_u64(b, MSG_CAPS, t->caps);
    add_limit(b, RLIMIT_CPU, t->cpu_s);
    add_limit(b, RLIMIT_AS, t->as);
    add_limit(b, RLIMIT_FSIZE, t->fsize);
    add_limit(b, RLIMIT_NOFILE, t->nofile);
    for (uint32_t i = 0; i < t->ntrees && !has_everything(t, run); i++)
        msg_add_text(b, t->trees[i].write ? MSG_RW : MSG_RO, t->trees[i].path);
    for (uint32_t i = 0; i < run->paths.n && !run->any; i++)
        add_run(b, run->paths.v[i]);
    msg_add(b, MSG_FILTER, t->filter.prog, t->filter.len * sizeof(*t->filter.prog));
}

/* Is the variable one that the rule has a value for? The guest takes the first of a name. */
static bool is_set(const struct tool_profile *t, const uint8_t *env, size_t len)
{
    const uint8_t *end = memchr(env, '=', len);
    size_t name = end ? (size_t)(end - env) : len;

    for (uint32_t i = 0; i < t->set.n; i++)
        if (strlen(t->set.v[i].key) == name && memcmp(t->set.v[i].key, env, name) == 0)
            return true;
    return false;
}

int exec_complete(const struct tool_profile *t, const struct programs *run,
                  const struct exec_answer *answer, bool loose, struct msg_builder *b,
                  struct err *e)
{
    struct msg_builder *old = malloc(sizeof(*old));
    const struct value *sha256 = &answer->request.v[EXEC_SHA256];
    const uint8_t path[] = { 'P', 'A', 'T', 'H' };
    const char *exe = answer->exe;
    struct msg_frame m;
    struct msg_field f;
    uint32_t pos = 0, flags = 0;

    if (!old)
        return err_set(e, ENOMEM, "out of memory");
    memcpy(old, b, sizeof(*old));
    m = payload(old);
    msg_begin(b, MSG_EXEC);
    while (msg_next_field(&m, &pos, &f) > 0) {
        if (f.tag == MSG_ENV && is_set(t, f.at, f.len))
            continue;
        if (f.tag != MSG_FLAGS)
            msg_add(b, (enum msg_tag)f.tag, f.at, f.len);
        else if (!msg_field_u32(&f, &flags))
            flags = 0;
    }
    free(old);
    msg_add_u32(b, MSG_FLAGS,
                flags | (loose ? MSG_F_LOOSE : 0u) | (run->none ? MSG_F_ONCE : 0u) |
                    (run->named ? MSG_F_OWN : 0u));
    /* A file that is looked at is named; so is one found by a PATH that was not asked about. */
    if (run->named || is_set(t, path, sizeof(path)))
        exe = answer->request.v[EXEC_PATH].s;
    if (exe)
        msg_add_text(b, MSG_EXE, exe);
    if (sha256->present) {
        uint8_t bytes[SHA256_BYTES];

        hash_bytes(sha256->s, bytes);
        msg_add(b, MSG_SHA256, bytes, sizeof(bytes));
    }
    msg_add_u32(b, MSG_UID, answer->uid);
    add_profile(b, t, run);
    return b->overflow ? err_set(e, E2BIG,
                                 "the command, its environment and its profile are longer than %u "
                                 "bytes",
                                 MSG_MAX)
                       : 0;
}
