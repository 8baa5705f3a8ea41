/*
 * policy_source.h - a policy that the user named: a file, or one of the library that ships with
 * Carrel; its parents beside it or in the library.
 */
#ifndef SANDBOX_CLI_POLICY_SOURCE_H
#define SANDBOX_CLI_POLICY_SOURCE_H

#include "base/err.h"
#include "policies/ruleset.h"
#include "sandbox/cli/parse.h"
#include "sandbox/guard/dossier.h"

struct policy_source {
    struct dossier dossier; /* every document that was read, the named one first; owned */
    struct problems
        problems;          /* what the document's makers should know; errors when policy is NULL */
    struct policy *policy; /* owned; NULL: it did not load */
    struct ruleset *rules; /* owned; NULL with policy */
};

/* what is a path (it has a slash or ends in .yaml) or a name of the library. 0 also when the
 * document is wrong: see policy; -errno when there is no document; hint is for a person then, or
 * empty. policy_source_fini in either case. */
must_check int policy_source_load(struct policy_source *s, const char *what, char hint[HINT_MAX],
                                  struct err *e);
/* Takes the documents, amendments and grants of a dossier as they are. -ENOMEM. */
must_check int policy_source_adopt(struct policy_source *s, const struct dossier *d);
void policy_source_fini(struct policy_source *s);

/* The text beside a policy: FILE.cases.yaml for FILE.yaml. Owned by the caller. */
char *policy_source_cases(const struct policy_source *s, char **file, size_t *len, struct err *e);

/* Names of the library, sorted; the caller frees each and the array. */
must_check int policy_library(char ***names, size_t *n, struct err *e);

#endif
