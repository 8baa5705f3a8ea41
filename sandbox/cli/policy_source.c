/* policy_source.c - see policy_source.h. */
#include "sandbox/cli/policy_source.h"

#include "base/io.h"
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
    const char *dir;                                       /* borrowed */
    char *text[POLICY_FILES_MAX], *file[POLICY_FILES_MAX]; /* owned until the policy is loaded */
    unsigned n;
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

    if (f->n == POLICY_FILES_MAX || !parent_name_is_safe(name))
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
    f->text[f->n] = doc;
    f->file[f->n] = path;
    *text = doc;
    *file = f->file[f->n++];
    return 0;
}

static char *directory_of(const char *file)
{
    const char *slash = strrchr(file, '/');

    return slash ? strndup(file, slash == file ? 1 : (size_t)(slash - file)) : strdup(".");
}

int policy_source_load(struct policy_source *s, const char *what, struct err *e)
{
    struct finder f = { 0 };
    char *dir;

    *s = (struct policy_source){ .problems = PROBLEMS_INIT };
    s->file = is_name(what) ? library_path(what, e) : strdup(what);
    if (!s->file) {
        if (e->code == ENOENT)
            err_set(e, ENOENT, "no policy \"%s\" in the library", what);
        return -e->code;
    }
    s->text = io_load(AT_FDCWD, s->file, DOCUMENT_MAX + 1, &s->len, e);
    dir = s->text ? directory_of(s->file) : NULL;
    if (!dir)
        return s->text ? err_set(e, ENOMEM, "policy: no memory") : -e->code;
    f.dir = dir;
    s->policy = policy_load(s->text, s->len, s->file, find_parent, &f, &s->problems);
    while (f.n) {
        free(f.text[--f.n]);
        free(f.file[f.n]);
    }
    free(dir);
    s->rules = s->policy ? ruleset_make(s->policy, NULL) : NULL;
    return 0;
}

void policy_source_fini(struct policy_source *s)
{
    ruleset_free(s->rules);
    policy_free(s->policy);
    problems_fini(&s->problems);
    free(s->text);
    free(s->file);
}

char *policy_source_cases(const struct policy_source *s, char **file, size_t *len, struct err *e)
{
    size_t n = strlen(s->file);
    char *text;

    if (ends_with(s->file, SUFFIX))
        n -= strlen(SUFFIX);
    *file = NULL;
    if (asprintf(file, "%.*s%s", (int)n, s->file, CASES) < 0) {
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
