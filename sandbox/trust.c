/* trust.c - see trust.h. */
#include "sandbox/trust.h"

#include "base/fd.h"
#include "base/io.h"
#include "policies/canon.h"
#include "policies/grants.h"
#include "policies/yaml.h"
#include "sandbox/trust_seen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ETC "/etc/carrel/trust.yaml"

/* Owned by root or the caller, and written by nobody else. In a sticky directory others can add
 * names, not change one. */
static bool is_safe(const struct stat *st)
{
    bool sticky = S_ISDIR(st->st_mode) && st->st_mode & S_ISVTX;

    return (st->st_uid == 0 || st->st_uid == geteuid()) && (sticky || !(st->st_mode & 022));
}

static int check_directory(const char *path, struct err *e)
{
    const char *slash = strrchr(path, '/');
    char *dir = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    struct stat st;
    int err = 0;

    if (!dir)
        return err_set(e, ENOMEM, "%s: no memory", path);
    if (stat(dir, &st))
        err = err_sys(e, "%s", dir);
    else if (!is_safe(&st))
        err = err_set(e, EPERM, "%s: others can write there, so %s is not trusted", dir, path);
    free(dir);
    return err;
}

static int read_trust(const char *path, struct trust **t, struct problems *ps, struct err *e)
{
    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    ssize_t n;
    char *text;

    if (fd < 0)
        return err_sys(e, "%s", path);
    if (fstat(fd, &st))
        return err_sys(e, "%s", path);
    if (!S_ISREG(st.st_mode) || !is_safe(&st))
        return err_set(e, EPERM,
                       "%s: not trusted: it must be a file that only you or root can write", path);
    if (check_directory(path, e))
        return -e->code;
    text = malloc(YAML_BYTES_MAX + 1);
    if (!text)
        return err_set(e, ENOMEM, "%s: no memory", path);
    n = io_read_full(fd, text, YAML_BYTES_MAX + 1);
    *t = n < 0 ? NULL : trust_parse(text, (size_t)n, path, ps);
    free(text);
    if (n < 0)
        return err_set(e, (int)-n, "%s: cannot read it", path);
    return *t ? 0 : err_set(e, EINVAL, "%s: not a sound trust document", path);
}

/* The caller's own, or NULL. */
static char *own_path(void)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    char *path = NULL;
    int n = 0;

    if (config && *config == '/')
        n = asprintf(&path, "%s/carrel/trust.yaml", config);
    else if (home && *home == '/')
        n = asprintf(&path, "%s/.config/carrel/trust.yaml", home);
    return n < 0 ? NULL : path;
}

int trust_load(struct trust **t, struct problems *ps, struct err *e)
{
    const char *named = getenv("CARREL_TRUST");
    struct err own = ERR_INIT;
    char *path;
    int err;

    *t = NULL;
    e = e ? e : &own;
    if (named && *named)
        return *named == '/'
                   ? read_trust(named, t, ps, e)
                   : err_set(e, EINVAL, "CARREL_TRUST=%s: must be an absolute path", named);
    path = own_path();
    err = path ? read_trust(path, t, ps, e) : -ENOENT;
    free(path);
    if (err == -ENOENT || err == -ENOTDIR)
        err = read_trust(ETC, t, ps, e);
    if (err != -ENOENT && err != -ENOTDIR)
        return err;
    *e = ERR_INIT;
    return 0;
}

/* The first problem is the reason. */
static int refused(const struct problems *ps, struct err *e)
{
    for (uint32_t i = 0; i < ps->n; i++)
        if (ps->v[i].severity == PROBLEM_ERROR)
            return err_set(e, EACCES, "%s: %s", ps->v[i].file, ps->v[i].text);
    return err_set(e, EACCES, "the policy is not trusted");
}

/* A document's own name and hash, as written. */
static int name_document(struct arena *a, const struct document *d, struct signed_document *out,
                         struct problems *ps, struct err *e)
{
    struct policy *p = policy_parse(d->text, d->len, d->file, ps);
    char hash[POLICY_HASH_HEX];

    if (!p)
        return err_set(e, EINVAL, "%s: not a sound policy", d->file);
    policy_hash(p, hash);
    out->name = arena_copy(a, p->name, strlen(p->name));
    out->sha256 = arena_copy(a, hash, strlen(hash));
    out->file = arena_copy(a, d->file, strlen(d->file));
    out->ref = d->name ? arena_copy(a, d->name, strlen(d->name)) : NULL;
    policy_free(p);
    return 0;
}

/* The file beside it. Without one there are no signatures; one that is damaged is refused. */
static int load_signatures(const struct document *d, struct signatures **out, struct problems *ps,
                           struct err *e)
{
    struct err own = ERR_INIT;
    char *path = NULL, *text;
    size_t len;

    if (asprintf(&path, "%s" TRUST_SIGNATURES, d->file) < 0)
        return err_set(e, ENOMEM, "%s: no memory", d->file);
    text = io_load(AT_FDCWD, path, SIGNATURES_BYTES_MAX, &len, &own);
    *out = text ? signatures_parse(text, len, path, ps) : NULL;
    free(path);
    free(text);
    if (!text && own.code != ENOENT)
        return err_set(e, own.code, "%s", own.msg);
    return text && !*out ? refused(ps, e) : 0;
}

static int judge(struct trust_report *r, const struct trust *t, const struct document *docs,
                 unsigned n, int64_t now, enum trust_memory memory, struct problems *ps,
                 struct err *e)
{
    for (; r->n < n; r->n++) {
        int err = name_document(&r->arena, &docs[r->n], &r->doc[r->n], ps, e);

        if (!err)
            err = load_signatures(&docs[r->n], &r->sigs[r->n], ps, e);
        if (err)
            return err;
        r->doc[r->n].sigs = r->sigs[r->n];
    }
    if (!trust_judge(t, r->doc, n, now, &r->arena, r->judgement, ps))
        return refused(ps, e);
    return trust_seen_check(t, r->judgement, n, memory == TRUST_RECORD, ps, e);
}

int trust_check_policy(const struct trust *t, const struct document *docs, unsigned n, int64_t now,
                       enum trust_memory memory, struct trust_report *r, struct problems *ps,
                       struct err *e)
{
    struct trust_report *report = calloc(1, sizeof(*report));
    struct problems own = PROBLEMS_INIT;
    struct err unheard = ERR_INIT;
    int err;

    e = e ? e : &unheard;
    if (r)
        memset(r, 0, sizeof(*r));
    if (!report)
        return err_set(e, ENOMEM, "trust: no memory");
    err = n > POLICY_FILES_MAX ? err_set(e, E2BIG, "trust: more than 64 documents")
                               : judge(report, t, docs, n, now, memory, ps ? ps : &own, e);
    problems_fini(&own);
    if (r) {
        *r = *report;
        /* What is judged points at the report's own list. */
        for (unsigned i = 0; i < r->n; i++)
            r->judgement[i].doc = &r->doc[i];
    } else {
        trust_report_fini(report);
    }
    free(report);
    return err;
}

void trust_report_fini(struct trust_report *r)
{
    for (unsigned i = 0; i < array_len(r->sigs); i++) {
        signatures_free(r->sigs[i]);
        r->sigs[i] = NULL;
    }
    arena_fini(&r->arena);
    r->n = 0;
}

int trust_widen(const struct trust *t, const char *grant_file, const struct document *top,
                struct policy *p, int64_t now, int64_t *until, struct problems *ps, struct err *e)
{
    struct arena a = ARENA_INIT;
    struct signed_document doc = { .name = NULL };
    struct problems own = PROBLEMS_INIT;
    struct err unheard = ERR_INIT;
    struct grants *g = NULL;
    char *text = NULL;
    size_t len;
    int err;

    e = e ? e : &unheard;
    ps = ps ? ps : &own;
    err = name_document(&a, top, &doc, ps, e);
    if (!err) {
        text = io_load(AT_FDCWD, grant_file, GRANT_BYTES_MAX, &len, e);
        err = text ? 0 : -e->code;
    }
    if (!err) {
        g = grants_parse(text, len, grant_file, ps);
        if (!g || !grants_check(g, t, doc.name, doc.sha256, now, ps) || !grants_apply(g, p, ps))
            err = refused(ps, e);
        else if (until) /* each link is inside the one before, in time as well */
            *until = g->v[g->n - 1].expires;
    }
    grants_free(g);
    free(text);
    arena_fini(&a);
    problems_fini(&own);
    return err;
}
