/* policy_compile.c - policy compile: what is made from a policy, and its bytes. */
#include "policies/bundle.h"
#include "sandbox/cli/policy_say.h"
#include "sandbox/cli/verbs.h"
#include "sandbox/confine/profile.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- what was compiled, in words ---- */

static void filter_hash(const struct filter *f, char out[BUNDLE_HASH_HEX])
{
    bundle_hash(f->prog, f->len * sizeof(*f->prog), out);
}

static void filter_print(const char *kind, const char *name, const struct seccomp_model *m,
                         const struct filter *f, struct text *out)
{
    char hash[BUNDLE_HASH_HEX];

    filter_hash(f, hash);
    text_add(out, "%-8s %-20s %3u calls  %4u instructions  sha256:%s\n", kind, name,
             process_calls(m), f->len, hash);
}

static void filter_json(const char *name, const struct seccomp_model *m, const struct filter *f,
                        struct text *out)
{
    char hash[BUNDLE_HASH_HEX];

    filter_hash(f, hash);
    text_add(out, "\"calls\":%u,\"instructions\":%u,\"name\":", process_calls(m), f->len);
    text_json(out, name);
    text_add(out, ",\"sha256\":\"%s\"", hash);
}

static void report(const struct profile *p, const struct text *bytes, struct text *out)
{
    char hash[BUNDLE_HASH_HEX];

    text_add(out, "policy   %s  sha256:%s\n", p->policy, p->policy_hash);
    for (uint32_t i = 0; i < p->nprocesses; i++) {
        struct seccomp_rule rules[PROCESS_RULES_MAX];
        struct seccomp_model m;

        process_model(process_at(i), p->processes[i].uses, rules, &m);
        filter_print("process", p->processes[i].name, &m, &p->processes[i].filter, out);
    }
    for (uint32_t i = 0; i < p->ntools; i++)
        filter_print("tool", p->tools[i].id, &p->tools[i].model, &p->tools[i].filter, out);
    for (uint32_t i = 0; i < p->ncgroup; i++)
        text_add(out, "cgroup%u  %s %s\n", p->cgroup[i].version, p->cgroup[i].file,
                 p->cgroup[i].value);
    for (uint32_t i = 0; i < p->nodes.n; i++)
        text_add(out, "device   %s\n", p->nodes.v[i]);
    bundle_hash(bytes->p, bytes->len, hash);
    text_add(out, "bundle   %zu bytes  sha256:%s\n", bytes->len, hash);
}

static void tool_json(const struct tool_profile *t, struct text *out)
{
    text_add(out, "{\"as\":%" PRIu64 ",", t->as);
    filter_json(t->id, &t->model, &t->filter, out);
    text_add(out, ",\"capabilities\":%" PRIu64 ",\"cpu\":%" PRIu64 ",\"fsize\":%" PRIu64, t->caps,
             t->cpu_s, t->fsize);
    text_add(out, ",\"nofile\":%" PRIu64 ",\"paths\":[", t->nofile);
    for (uint32_t i = 0; i < t->ntrees; i++) {
        text_add(out, "%s{\"access\":%" PRIu64 ",\"path\":", i ? "," : "",
                 landlock_access(t->trees[i].write));
        text_json(out, t->trees[i].path);
        text_add(out, "}");
    }
    text_add(out, "],\"user\":%" PRIu64 "}", t->user);
}

static void report_json(const struct profile *p, const struct text *bytes, struct text *out)
{
    char hash[BUNDLE_HASH_HEX];

    bundle_hash(bytes->p, bytes->len, hash);
    text_add(out, "{\"bundle\":{\"bytes\":%zu,\"sha256\":\"%s\"},\"cgroup\":[", bytes->len, hash);
    for (uint32_t i = 0; i < p->ncgroup; i++)
        text_add(out, "%s{\"file\":\"%s\",\"value\":\"%s\",\"version\":%u}", i ? "," : "",
                 p->cgroup[i].file, p->cgroup[i].value, p->cgroup[i].version);
    text_add(out, "],\"nodes\":[");
    for (uint32_t i = 0; i < p->nodes.n; i++)
        text_add(out, "%s\"%s\"", i ? "," : "", p->nodes.v[i]);
    text_add(out, "],\"policy\":\"sha256:%s\",\"processes\":[", p->policy_hash);
    for (uint32_t i = 0; i < p->nprocesses; i++) {
        struct seccomp_rule rules[PROCESS_RULES_MAX];
        struct seccomp_model m;

        process_model(process_at(i), p->processes[i].uses, rules, &m);
        text_add(out, "%s{", i ? "," : "");
        filter_json(p->processes[i].name, &m, &p->processes[i].filter, out);
        text_add(out, "}");
    }
    text_add(out, "],\"tools\":[");
    for (uint32_t i = 0; i < p->ntools; i++) {
        text_add(out, "%s", i ? "," : "");
        tool_json(&p->tools[i], out);
    }
    text_add(out, "]}\n");
}

/* ---- files ---- */

static int store(const char *dir, const char *name, const char *end, const void *p, size_t len,
                 struct err *e)
{
    char path[PATH_MAX];

    if (snprintf(path, sizeof(path), "%s/%s%s", dir, name, end) >= (int)sizeof(path))
        return err_set(e, ENAMETOOLONG, "%s", dir);
    return io_store(AT_FDCWD, path, p, len, 0644, e);
}

static int store_filter(const char *dir, const char *kind, const char *name, const struct filter *f,
                        struct err *e)
{
    char file[PATH_MAX];

    if (snprintf(file, sizeof(file), "%s-%s", kind, name) >= (int)sizeof(file))
        return err_set(e, ENAMETOOLONG, "%s", name);
    return store(dir, file, ".bpf", f->prog, f->len * sizeof(*f->prog), e);
}

/* Each part as what loads it wants it: filters as arrays of struct sock_filter. */
static int store_parts(const char *dir, const struct profile *p, const struct text *bytes,
                       struct err *e)
{
    int err = mkdir(dir, 0755) && errno != EEXIST ? err_sys(e, "%s", dir) : 0;

    if (!err)
        err = store(dir, "bundle", "", bytes->p, bytes->len, e);
    if (!err)
        err = store(dir, "plan", ".json", p->plan, strlen(p->plan), e);
    for (uint32_t i = 0; i < p->nprocesses && !err; i++)
        err = store_filter(dir, "process", p->processes[i].name, &p->processes[i].filter, e);
    for (uint32_t i = 0; i < p->ntools && !err; i++)
        err = store_filter(dir, "tool", p->tools[i].id, &p->tools[i].filter, e);
    return err;
}

/* ---- the verb ---- */

static int compile(struct cli *c, const struct policy_source *s, struct plan *plan)
{
    const char *file = args_text(c->args, OPT_OUT), *dir = args_text(c->args, OPT_OUT_DIR);
    struct profile *p = profile_make(s->policy, plan);
    struct text bytes = TEXT_INIT, t = TEXT_INIT;
    struct err e = ERR_INIT;
    int err = confine_compile(p, &e), status;

    if (!err)
        bundle_write(p, &bytes);
    if (!err && file)
        err = io_store(AT_FDCWD, file, bytes.p, bytes.len, 0644, &e);
    if (!err && dir)
        err = store_parts(dir, p, &bytes, &e);
    if (err) {
        status = cli_fail(c, "policy", &e, NULL);
    } else {
        if (c->json)
            report_json(p, &bytes, &t);
        else
            report(p, &bytes, &t);
        status = policy_say(c, &t, 0);
    }
    text_fini(&bytes);
    profile_free(p);
    return status;
}

int verb_policy_compile(struct cli *c)
{
    const char *engine = args_text(c->args, OPT_ENGINE);
    struct policy_source s;
    int status = 0;

    if (policy_open(c, 0, &s, &status)) {
        struct plan *plan = profile_plan(s.policy, engine ? engine : "kvm", &s.problems);

        status = plan ? compile(c, &s, plan) : policy_say_problems(c, &s.problems, EXIT_NO);
        plan_free(plan);
    }
    policy_source_fini(&s);
    return status;
}
