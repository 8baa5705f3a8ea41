/*
 * lint_rules.h - how the rules of lint.h are made: a table a topic, each row with the kind of entry
 * that it looks at and the function that does.
 */
#ifndef POLICIES_LINT_RULES_H
#define POLICIES_LINT_RULES_H

#include "policies/decide.h"
#include "policies/lint.h"

enum lint_scope {
    EACH_POLICY,
    EACH_ALLOW, /* network.allow: struct net_rule */
    EACH_PUBLISH,
    EACH_SECRET,
    EACH_COMMAND,
    EACH_HOST_TOOL,
    EACH_MCP,
    EACH_MOUNT,
    EACH_MEMORY, /* storage.memory: struct memory_volume */
    EACH_MODEL,
    EACH_ACCELERATOR,
    LINT_SCOPES,
};

struct linter {
    const struct policy *p;
    const struct ruleset *rs;
    struct findings *out;
    /* The row that runs, and what it looks at. */
    const struct lint_rule *rule;
    const struct table *table;
    const void *object;
    const char *subject;
};

struct lint_check {
    struct lint_rule rule;
    enum lint_scope scope;
    void (*check)(struct linter *l, const void *object);
};

struct lint_checks {
    const struct lint_check *v;
    uint32_t n;
};

extern const struct lint_checks lint_network, lint_secrets, lint_tools, lint_servers, lint_storage,
    lint_machine, lint_devices, lint_entries, lint_names;

/* A finding at a key of the entry, dotted ("exec.path"); at the entry when the key is not there. */
void lint_say(struct linter *l, const char *key, const char *fmt, ...) printf_like(3, 4);

/* A finding about another thing than the entry that is looked at. */
void lint_say_of(struct linter *l, const char *subject, struct spot at, const char *fmt, ...)
    printf_like(4, 5);

/* Is this allowed, by the rule with this id ("network/pypi"; NULL: any)? */
bool lint_allowed(const struct linter *l, const struct request *r, const char *id);

/* May the guest do this to the path, which is below the mount? */
bool lint_may(const struct linter *l, const struct mount *m, const char *path, uint64_t op);

/* Is path root, or below it? */
bool lint_below(const char *root, const char *path);

/* Is s one of the words? */
bool lint_one_of(const char *s, const char *const *words, size_t n);

/* Are the bytes in front of a name's version ("python3.11") one of the words? NULL, or the word. */
const char *lint_program(const char *path, const char *const *words, size_t n);

/* Does the command run whatever program there is? */
bool lint_any_program(const struct command *c);

/* Has the rule this port? */
bool lint_has_port(const struct net_rule *r, uint64_t port);

/* lint_hosts.c: checks of EACH_ALLOW, for the table of lint_network.c. */
void lint_wildcard_registry(struct linter *l, const void *object);
void lint_wildcard_shared(struct linter *l, const void *object);
void lint_shared_host(struct linter *l, const void *object);
void lint_code_host(struct linter *l, const void *object);
void lint_package_registry(struct linter *l, const void *object);
void lint_drop_box(struct linter *l, const void *object);
void lint_resolver(struct linter *l, const void *object);

#endif
