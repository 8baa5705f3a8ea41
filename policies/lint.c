/* lint.c - runs the rules over a policy, entry by entry, and keeps what they find. */
#include "policies/lint_rules.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct lint_checks *const topics[] = {
    &lint_network, &lint_secrets, &lint_tools,   &lint_servers, &lint_storage,
    &lint_machine, &lint_devices, &lint_entries, &lint_names,
};

static const struct lint_check *check_at(uint32_t i)
{
    for (size_t t = 0; t < array_len(topics); t++) {
        if (i < topics[t]->n)
            return &topics[t]->v[i];
        i -= topics[t]->n;
    }
    return NULL;
}

const struct lint_rule *lint_rule_at(uint32_t i)
{
    const struct lint_check *c = check_at(i);

    return c ? &c->rule : NULL;
}

const struct lint_rule *lint_rule_find(const char *word)
{
    const struct lint_rule *r;

    for (uint32_t i = 0; (r = lint_rule_at(i)); i++)
        if (strcmp(r->id, word) == 0 || strcmp(r->name, word) == 0)
            return r;
    return NULL;
}

static const char *const severities[] = { "error", "warning", "note" };

const char *lint_severity_word(enum lint_severity s)
{
    return severities[s];
}

bool lint_severity_parse(const char *word, enum lint_severity *out)
{
    for (unsigned i = 0; i < LINT_SEVERITIES; i++) {
        if (strcmp(severities[i], word) == 0) {
            *out = (enum lint_severity)i;
            return true;
        }
    }
    return false;
}

static void keep(struct findings *out, struct finding f)
{
    out->counts[f.severity]++;
    if (out->n >= FINDINGS_MAX) {
        out->lost++;
        return;
    }
    f.file = arena_copy(&out->arena, f.file, strlen(f.file));
    f.text = arena_copy(&out->arena, f.text, strlen(f.text));
    f.subject = f.subject ? arena_copy(&out->arena, f.subject, strlen(f.subject)) : NULL;
    *(struct finding *)arena_push(&out->arena, (void **)&out->v, out->n, sizeof(*out->v)) = f;
    out->n++;
}

static void say(struct linter *l, const char *subject, struct spot at, const char *what)
{
    char buf[512];
    struct text t = text_fixed(buf, sizeof(buf));

    text_add(&t, "%s: %s", subject, what);
    keep(l->out, (struct finding){ .rule = l->rule,
                                   .id = l->rule->id,
                                   .severity = l->rule->severity,
                                   .file = l->p->files[at.file] ? l->p->files[at.file] : "?",
                                   .line = at.line ? at.line : 1,
                                   .col = at.col ? at.col : 1,
                                   .subject = subject,
                                   .text = buf });
}

/* The place of the last of a dotted key's parts that is in the document. */
static struct spot place(const struct linter *l, const char *key)
{
    const struct table *t = l->table;
    const struct object *o = l->object;
    struct spot at = o->spot;

    while (key && *key && t) {
        char part[32];
        size_t n = strcspn(key, ".");
        int i;

        snprintf(part, sizeof(part), "%.*s", (int)n, key);
        i = field_index(t, part);
        if (i < 0)
            break;
        if (object_has(o, (uint32_t)i) && o->at[i].line)
            at = o->at[i];

        const struct field *f = &t->fields[i];

        t = f->type == F_OBJECT ? f->table : NULL;
        o = field_in(f, o);
        key += n + (key[n] == '.');
    }
    return at;
}

void lint_say(struct linter *l, const char *key, const char *fmt, ...)
{
    char what[400];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    say(l, l->subject ? l->subject : key, place(l, key), what);
}

void lint_say_of(struct linter *l, const char *subject, struct spot at, const char *fmt, ...)
{
    char what[400];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    say(l, subject, at, what);
}

bool lint_allowed(const struct linter *l, const struct request *r, const char *id)
{
    struct decision d = decide(l->rs, r);

    return d.allowed && (!id || strcmp(d.rule->id, id) == 0);
}

bool lint_may(const struct linter *l, const struct mount *m, const char *path, uint64_t op)
{
    struct arena a = ARENA_INIT;
    struct request r;
    bool yes;

    request_init(&r, SPACE_FILE);
    request_text(&r, FILE_PATH, arena_printf(&a, "%s/%s", m->target, path));
    request_number(&r, FILE_OP, op);
    yes = lint_allowed(l, &r, NULL);
    arena_fini(&a);
    return yes;
}

bool lint_below(const char *root, const char *path)
{
    size_t n = strcmp(root, "/") == 0 ? 0 : strlen(root);

    return strncmp(root, path, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

bool lint_one_of(const char *s, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(s, words[i]) == 0)
            return true;
    return false;
}

const char *lint_program(const char *path, const char *const *words, size_t n)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(words[i]);

        if (strncmp(name, words[i], len) == 0 &&
            strspn(name + len, "0123456789.-") == strlen(name + len))
            return words[i];
    }
    return NULL;
}

bool lint_any_program(const struct command *c)
{
    struct arena a = ARENA_INIT;
    struct glob g;
    bool any = !glob_parse(&a, GLOB_PATH, NULL, c->exec.path, &g) &&
               glob_matches(&g, "/no/such-program", strlen("/no/such-program"));

    arena_fini(&a);
    return any;
}

/* Where the entries of a scope are, and how answers call them. */
static const struct {
    const char *path, *prefix;
} scopes[LINT_SCOPES] = {
    [EACH_ALLOW] = { "network.allow", "network/" },
    [EACH_PUBLISH] = { "network.publish", "network/publish/" },
    [EACH_SECRET] = { "secrets", "secrets/" },
    [EACH_COMMAND] = { "tools.commands", "tools/commands/" },
    [EACH_HOST_TOOL] = { "tools.host", "tools/host/" },
    [EACH_MCP] = { "tools.mcp", "tools/mcp/" },
    [EACH_MOUNT] = { "storage.mounts", "storage/" },
    [EACH_MEMORY] = { "storage.memory", "storage/memory/" },
    [EACH_MODEL] = { "models", "models/" },
    [EACH_ACCELERATOR] = { "accelerators", "accelerators/" },
};

static const struct list *entries(const struct policy *p, enum lint_scope s)
{
    const struct list *const lists[LINT_SCOPES] = {
        [EACH_ALLOW] = &p->network.allow,  [EACH_PUBLISH] = &p->network.publish,
        [EACH_SECRET] = &p->secrets,       [EACH_COMMAND] = &p->tools.commands,
        [EACH_HOST_TOOL] = &p->tools.host, [EACH_MCP] = &p->tools.mcp,
        [EACH_MOUNT] = &p->storage.mounts, [EACH_MEMORY] = &p->storage.memory,
        [EACH_MODEL] = &p->models,         [EACH_ACCELERATOR] = &p->accelerators,
    };

    return lists[s];
}

static const char *name_of(const struct table *t, const void *object)
{
    int i = field_index(t, "id");

    if (i < 0)
        i = field_index(t, "host"); /* of publish */
    return *(const char *const *)field_in(&t->fields[i], object);
}

static void run(struct linter *l, const struct lint_check *c)
{
    l->rule = &c->rule;
    l->subject = NULL;
    if (c->scope == EACH_POLICY) {
        l->table = &policy_table;
        l->object = l->p;
        c->check(l, l->p);
        return;
    }

    const struct list *list = entries(l->p, c->scope);
    char subject[160];

    l->table = table_by_path(scopes[c->scope].path);
    for (uint32_t i = 0; i < list->n; i++) {
        snprintf(subject, sizeof(subject), "%s%s", scopes[c->scope].prefix,
                 name_of(l->table, list->v[i]));
        l->subject = subject;
        l->object = list->v[i];
        c->check(l, list->v[i]);
    }
}

static int by_place(const void *a, const void *b)
{
    const struct finding *x = a, *y = b;
    int d = strcmp(x->file, y->file);

    if (!d)
        d = (x->line > y->line) - (x->line < y->line);
    if (!d)
        d = (x->col > y->col) - (x->col < y->col);
    if (!d)
        d = strcmp(x->id, y->id);
    return d ? d : strcmp(x->text, y->text);
}

void policy_lint(const struct policy *p, const struct ruleset *rs, struct findings *out)
{
    struct linter l = { .p = p, .rs = rs, .out = out };
    const struct lint_check *c;

    for (uint32_t i = 0; (c = check_at(i)); i++)
        run(&l, c);
    if (out->n)
        qsort(out->v, out->n, sizeof(*out->v), by_place);
}

void findings_of_problems(struct findings *out, const struct problems *ps)
{
    for (uint32_t i = 0; i < ps->n; i++) {
        const struct problem *p = &ps->v[i];

        keep(out,
             (struct finding){ .id = p->rule,
                               .severity = p->severity == PROBLEM_ERROR ? LINT_ERROR : LINT_WARNING,
                               .file = p->file,
                               .line = p->line,
                               .col = p->col,
                               .text = p->text });
    }
    out->counts[LINT_ERROR] += ps->errors + ps->warnings - ps->n;
    out->lost += ps->errors + ps->warnings - ps->n;
}

void findings_ignore(struct findings *f, const struct lint_rule *rule)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < f->n; i++) {
        if (f->v[i].rule == rule)
            f->counts[rule->severity]--;
        else
            f->v[n++] = f->v[i];
    }
    f->n = n;
}

void findings_fini(struct findings *f)
{
    arena_fini(&f->arena);
    *f = FINDINGS_INIT;
}
