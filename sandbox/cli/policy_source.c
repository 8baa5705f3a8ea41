/* policy_source.c - see policy_source.h. */
#include "sandbox/cli/policy_source.h"

#include "base/io.h"
#include "policies/canon.h"
#include "sandbox/cli/suggest.h"
#include "sandbox/places.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOCUMENT_MAX \
    (256u << 10) /* the language's own limit; one byte more is read and refused there */
#define SUFFIX ".yaml"
#define CASES  ".cases.yaml"

static bool ends_with(const char *s, const char *tail)
{
    size_t n = strlen(s), t = strlen(tail);

    return n >= t && !strcmp(s + n - t, tail);
}

/* A name of the library holds no path of its own. */
static bool is_name(const char *s)
{
    return *s && !strchr(s, '/') && *s != '.' && !ends_with(s, SUFFIX);
}

static char *library_path(const char *name, struct err *e)
{
    char rel[256];

    if (snprintf(rel, sizeof(rel), "policies/library/%s%s", name, SUFFIX) >= (int)sizeof(rel)) {
        err_set(e, ENOENT, "%s: no such policy", name);
        return NULL;
    }
    return places_share(rel, e);
}

/* Parents are looked for beside the document, then in the library. */
struct finder {
    const char *dir; /* borrowed */
    struct dossier *d;
};

static bool parent_name_is_safe(const char *name)
{
    return *name != '/' && !strstr(name, "..") &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz"
                        "0123456789-_./") == strlen(name);
}

static int find_parent(void *ctx, const char *name, const char **text, size_t *len,
                       const char **file)
{
    struct finder *f = ctx;
    char *path = NULL, *doc;

    if (!parent_name_is_safe(name))
        return -ENOENT;
    if (asprintf(&path, "%s/%s%s", f->dir, name, SUFFIX) < 0)
        return -ENOMEM;
    doc = io_load(AT_FDCWD, path, DOCUMENT_MAX + 1, len, NULL);
    if (!doc && is_name(name)) {
        free(path);
        path = library_path(name, NULL);
        doc = path ? io_load(AT_FDCWD, path, DOCUMENT_MAX + 1, len, NULL) : NULL;
    }
    if (!doc) {
        free(path);
        return -ENOENT;
    }
    *text = doc;
    *file = path;
    return dossier_add(f->d, name, path, doc, *len, NULL);
}

static char *directory_of(const char *file)
{
    const char *slash = strrchr(file, '/');

    return slash ? strndup(file, slash == file ? 1 : (size_t)(slash - file)) : strdup(".");
}

/* The name of the library that is nearest to a mistyped one. */
static void hint_near(const char *what, char hint[HINT_MAX])
{
    const char *best = NULL;
    struct err e = ERR_INIT;
    char **names = NULL;
    size_t n = 0;

    if (policy_library(&names, &n, &e))
        n = 0;
    for (size_t i = 0; i < n; i++)
        suggest_offer(what, names[i], &best);
    if (best)
        snprintf(hint, HINT_MAX, "did you mean \"%s\"? `carrel policy ls` lists all", best);
    else
        snprintf(hint, HINT_MAX, "carrel policy ls");
    while (n)
        free(names[--n]);
    free(names);
}

int policy_source_load(struct policy_source *s, const char *what, char hint[HINT_MAX],
                       struct err *e)
{
    struct finder f = { .d = &s->dossier };
    const struct document *doc = &s->dossier.doc[0];
    char *dir, *text, *file = is_name(what) ? library_path(what, e) : strdup(what);
    size_t len;

    memset(s, 0, sizeof(*s));
    s->problems = PROBLEMS_INIT;
    hint[0] = '\0';
    if (!file) {
        if (e->code == ENOENT) {
            err_set(e, ENOENT, "no policy \"%s\" in the library", what);
            hint_near(what, hint);
        }
        return -e->code;
    }
    text = io_load(AT_FDCWD, file, DOCUMENT_MAX + 1, &len, e);
    if (!text) {
        free(file);
        return -e->code;
    }
    if (dossier_add(&s->dossier, NULL, file, text, len, e))
        return -e->code;
    dir = directory_of(doc->file);
    if (!dir)
        return err_set(e, ENOMEM, "policy: no memory");
    f.dir = dir;
    s->policy = policy_load(doc->text, doc->len, doc->file, find_parent, &f, &s->problems);
    free(dir);
    if (s->policy) {
        policy_hash(s->policy, s->dossier.hash);
        s->rules = ruleset_make(s->policy, NULL);
    }
    return 0;
}

int policy_source_adopt(struct policy_source *s, const struct dossier *d)
{
    int err = 0;

    memset(s, 0, sizeof(*s));
    s->problems = PROBLEMS_INIT;
    for (unsigned i = 0; i < d->ndocs && !err; i++) {
        const struct document *o = &d->doc[i];

        err = dossier_add(&s->dossier, o->name, strdup(o->file), strdup(o->text), o->len, NULL);
    }
    for (unsigned i = 0; i < d->namends && !err; i++)
        err = dossier_amend(&s->dossier, d->amend[i].key, d->amend[i].value, NULL);
    for (unsigned i = 0; i < d->ngrants && !err; i++)
        err = dossier_grant(&s->dossier, d->grant[i], NULL);
    if (err)
        return -ENOMEM;
    s->policy = dossier_policy(&s->dossier, &s->problems);
    return 0;
}

void policy_source_fini(struct policy_source *s)
{
    ruleset_free(s->rules);
    policy_free(s->policy);
    problems_fini(&s->problems);
    dossier_fini(&s->dossier);
}

char *policy_source_cases(const struct policy_source *s, char **file, size_t *len, struct err *e)
{
    const char *own = s->dossier.doc[0].file;
    size_t n = strlen(own);
    char *text;

    if (ends_with(own, SUFFIX))
        n -= strlen(SUFFIX);
    *file = NULL;
    if (asprintf(file, "%.*s%s", (int)n, own, CASES) < 0) {
        *file = NULL;
        err_set(e, ENOMEM, "policy: no memory");
        return NULL;
    }
    text = io_load(AT_FDCWD, *file, DOCUMENT_MAX, len, e);
    if (!text) {
        free(*file);
        *file = NULL;
    }
    return text;
}

static int is_policy(const struct dirent *d)
{
    return ends_with(d->d_name, SUFFIX) && !ends_with(d->d_name, CASES);
}

int policy_library(char ***names, size_t *n, struct err *e)
{
    char *dir = places_share("policies/library", e);
    struct dirent **found;
    int count;

    if (!dir)
        return -e->code;
    count = scandir(dir, &found, is_policy, alphasort);
    free(dir);
    if (count < 0)
        return err_sys(e, "policy library");
    *names = calloc((size_t)count + 1, sizeof(**names));
    *n = 0;
    for (int i = 0; i < count; i++) {
        if (*names)
            (*names)[(*n)++] = strndup(found[i]->d_name, strlen(found[i]->d_name) - strlen(SUFFIX));
        free(found[i]);
    }
    free(found);
    return *names ? 0 : err_set(e, ENOMEM, "policy library: no memory");
}
