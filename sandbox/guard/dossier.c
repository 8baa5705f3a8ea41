/* dossier.c - see dossier.h. */
#include "sandbox/guard/dossier.h"

#include "base/failpoint.h"
#include "base/io.h"
#include "policies/canon.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define DOSSIER_MAX (24u << 20) /* 64 documents of 256 KiB, escaped */

void dossier_fini(struct dossier *d)
{
    for (unsigned i = 0; i < d->ndocs; i++) {
        free(d->doc[i].name);
        free(d->doc[i].file);
        free(d->doc[i].text);
    }
    for (unsigned i = 0; i < d->namends; i++) {
        free((char *)d->amend[i].key);
        free((char *)d->amend[i].value);
    }
    for (unsigned i = 0; i < d->ngrants; i++)
        free(d->grant[i]);
    for (unsigned i = 0; i < d->nancestors; i++)
        free(d->ancestor[i]);
    free(d->cwd);
    *d = (struct dossier){ 0 };
}

int dossier_add(struct dossier *d, const char *name, char *file, char *text, size_t len,
                struct err *e)
{
    char *copy = name ? strdup(name) : NULL;

    if (d->ndocs == POLICY_FILES_MAX || !file || !text || (name && !copy)) {
        free(copy);
        free(file);
        free(text);
        return err_set(e, d->ndocs == POLICY_FILES_MAX ? E2BIG : ENOMEM, "too many documents");
    }
    d->doc[d->ndocs++] = (struct document){ copy, file, text, len };
    return 0;
}

int dossier_amend(struct dossier *d, const char *key, const char *value, struct err *e)
{
    struct amendment *a = &d->amend[d->namends];

    if (d->namends == DOSSIER_AMENDMENTS)
        return err_set(e, E2BIG, "more than %u changes of the policy", DOSSIER_AMENDMENTS);
    *a = (struct amendment){ strdup(key), strdup(value) };
    d->namends++; /* freed with the others, whole or not */
    return a->key && a->value ? 0 : err_set(e, ENOMEM, "policy: no memory");
}

int dossier_grant(struct dossier *d, const char *file, struct err *e)
{
    if (d->ngrants == DOSSIER_GRANTS)
        return err_set(e, E2BIG, "more than %u grants", DOSSIER_GRANTS);
    d->grant[d->ngrants] = strdup(file);
    return d->grant[d->ngrants++] ? 0 : err_set(e, ENOMEM, "policy: no memory");
}

/* An id is a file name too. */
int dossier_ancestor(struct dossier *d, const char *id, struct err *e)
{
    if (strlen(id) != 12 || strspn(id, "0123456789abcdef") != 12)
        return err_set(e, EINVAL, "no sandbox has the id \"%.32s\"", id);
    if (d->nancestors == DOSSIER_ANCESTORS)
        return err_set(e, E2BIG, "more than %u sandboxes started for each other",
                       DOSSIER_ANCESTORS);
    d->ancestor[d->nancestors] = strdup(id);
    return d->ancestor[d->nancestors++] ? 0 : err_set(e, ENOMEM, "policy: no memory");
}

static int find(void *ctx, const char *name, const char **text, size_t *len, const char **file)
{
    const struct dossier *d = ctx;

    for (unsigned i = 1; i < d->ndocs; i++) {
        if (strcmp(d->doc[i].name, name) != 0)
            continue;
        *text = d->doc[i].text;
        *len = d->doc[i].len;
        *file = d->doc[i].file;
        return 0;
    }
    return -ENOENT;
}

struct policy *dossier_policy(const struct dossier *d, struct problems *ps)
{
    struct policy *p =
        policy_load(d->doc[0].text, d->doc[0].len, d->doc[0].file, find, (void *)d, ps);
    bool ok = p != NULL;

    for (unsigned i = 0; i < d->namends && ok; i++)
        ok = policy_amend(p, &d->amend[i], ps);
    if (ok && d->namends)
        ok = policy_check(p, ps);
    if (ok)
        return p;
    policy_free(p);
    return NULL;
}

/* ---- as JSON ---- */

static json_t *texts(const char *a, const char *va, const char *b, const char *vb)
{
    return json_pack("{s:s, s:s}", a, va, b, vb);
}

static json_t *to_json(const struct dossier *d)
{
    json_t *docs = json_array(), *amend = json_array(), *grants = json_array();
    json_t *ancestors = json_array();
    int bad = !docs || !amend || !grants || !ancestors;

    for (unsigned i = 0; i < d->ndocs; i++) {
        json_t *o = texts("file", d->doc[i].file, "text", d->doc[i].text);

        bad |= !o || json_object_set_new(
                         o, "name", d->doc[i].name ? json_string(d->doc[i].name) : json_null());
        bad |= json_array_append_new(docs, o);
    }
    for (unsigned i = 0; i < d->namends; i++)
        bad |=
            json_array_append_new(amend, texts("key", d->amend[i].key, "value", d->amend[i].value));

    for (unsigned i = 0; i < d->ngrants; i++)
        bad |= json_array_append_new(grants, json_string(d->grant[i]));
    for (unsigned i = 0; i < d->nancestors; i++)
        bad |= json_array_append_new(ancestors, json_string(d->ancestor[i]));

    json_t *all =
        json_pack("{s:o, s:o, s:o, s:o, s:s?, s:s}", "documents", docs, "amendments", amend,
                  "grants", grants, "ancestors", ancestors, "cwd", d->cwd, "hash", d->hash);

    if (!bad)
        return all;
    json_decref(all);
    return NULL;
}

int dossier_save(const struct dossier *d, int dirfd, const char *file, bool durable, struct err *e)
{
    json_auto_t *o = to_json(d);
    char *text = o ? json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    int err;

    if (!text)
        return err_set(e, EILSEQ, "policy: a file name or directory is not UTF-8");
    err = FAILPOINT("dossier.save") ? err_sys(e, "%s", file)
          : durable                 ? io_store(dirfd, file, text, strlen(text), 0600, e)
                                    : io_replace(dirfd, file, text, strlen(text), 0600, e);
    free(text);
    return err;
}

static int broken(struct err *e)
{
    return err_set(e, EBADMSG, "the policy on record is damaged");
}

static int read_document(struct dossier *d, const json_t *o, struct err *e)
{
    const json_t *name = json_object_get(o, "name");
    const json_t *file = json_object_get(o, "file"), *text = json_object_get(o, "text");
    bool first = d->ndocs == 0;

    if (json_object_size(o) != 3 || !json_is_string(file) || !json_is_string(text) ||
        (first ? !json_is_null(name) : !json_is_string(name)))
        return broken(e);
    return dossier_add(d, json_string_value(name), strdup(json_string_value(file)),
                       strdup(json_string_value(text)), json_string_length(text), e);
}

static int read_amendment(struct dossier *d, const json_t *o, struct err *e)
{
    const json_t *key = json_object_get(o, "key"), *value = json_object_get(o, "value");

    if (json_object_size(o) != 2 || !json_is_string(key) || !json_is_string(value))
        return broken(e);
    return dossier_amend(d, json_string_value(key), json_string_value(value), e);
}

static int from_json(struct dossier *d, const json_t *o, struct err *e)
{
    const json_t *docs = json_object_get(o, "documents"), *amend = json_object_get(o, "amendments");
    const json_t *cwd = json_object_get(o, "cwd"), *hash = json_object_get(o, "hash");
    const json_t *grants = json_object_get(o, "grants"),
                 *ancestors = json_object_get(o, "ancestors");
    int err = 0;

    if (json_object_size(o) != 6 || !json_is_array(grants) || !json_is_array(ancestors) ||
        !json_is_array(docs) || !json_array_size(docs) || !json_is_array(amend) ||
        !(json_is_null(cwd) || json_is_string(cwd)) ||
        json_string_length(hash) != sizeof(d->hash) - 1)
        return broken(e);
    memcpy(d->hash, json_string_value(hash), sizeof(d->hash));
    if (json_is_string(cwd))
        d->cwd = strdup(json_string_value(cwd));
    for (size_t i = 0; i < json_array_size(docs) && !err; i++)
        err = read_document(d, json_array_get(docs, i), e);
    for (size_t i = 0; i < json_array_size(amend) && !err; i++)
        err = read_amendment(d, json_array_get(amend, i), e);
    for (size_t i = 0; i < json_array_size(grants) && !err; i++) {
        const char *file = json_string_value(json_array_get(grants, i));

        err = file ? dossier_grant(d, file, e) : broken(e);
    }
    for (size_t i = 0; i < json_array_size(ancestors) && !err; i++) {
        const char *id = json_string_value(json_array_get(ancestors, i));

        err = id ? dossier_ancestor(d, id, e) : broken(e);
    }
    return err;
}

int dossier_load(struct dossier *d, int dirfd, const char *file, struct err *e)
{
    struct err unheard = ERR_INIT;
    size_t len;
    char *text;

    e = e ? e : &unheard;
    *d = (struct dossier){ 0 };
    text = io_load(dirfd, file, DOSSIER_MAX, &len, e);
    if (!text)
        return -e->code;

    json_auto_t *o = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);

    free(text);
    return o ? from_json(d, o, e) : broken(e);
}
