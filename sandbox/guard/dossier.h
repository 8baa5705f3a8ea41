/*
 * dossier.h - the policy of one sandbox as it was when the sandbox was made: every document with
 * its parents, what the command line changed in it, and where the caller stood.
 *
 * It is written once, as policy.json, into the sandbox's directory and beside its audit log. The
 * keeper reads it from there and nowhere else: a file that is edited later changes no sandbox.
 */
#ifndef SANDBOX_GUARD_DOSSIER_H
#define SANDBOX_GUARD_DOSSIER_H

#include "base/err.h"
#include "policies/amend.h"
#include "policies/layers.h"

#define DOSSIER_FILE       "policy.json"
#define DOSSIER_NEXT       "policy.next.json" /* to be taken over by a running sandbox */
#define DOSSIER_NONE       "policy.none" /* is there: nothing is allowed, also after a new start */
#define DOSSIER_AMENDMENTS 64u
#define DOSSIER_GRANTS     8u
#define DOSSIER_ANCESTORS  7u

struct document {
    char *name; /* as `extends` calls it; NULL for the policy itself, which is the first */
    char *file, *text;
    size_t len;
};

/* All owned. */
struct dossier {
    struct document doc[POLICY_FILES_MAX];
    unsigned ndocs;
    struct amendment amend[DOSSIER_AMENDMENTS];
    unsigned namends;
    char *grant[DOSSIER_GRANTS]; /* files of signed grants, absolute */
    unsigned ngrants;
    char *ancestor[DOSSIER_ANCESTORS]; /* ids: on whose behalf it is started, eldest first */
    unsigned nancestors;
    char *cwd;     /* ${cwd} of sources; NULL: unknown */
    char hash[65]; /* of what is in force, amendments included */
};

void dossier_fini(struct dossier *d);

/* Takes file and text, also when it fails. -E2BIG: too many. name is copied. */
must_check int dossier_add(struct dossier *d, const char *name, char *file, char *text, size_t len,
                           struct err *e);
must_check int dossier_amend(struct dossier *d, const char *key, const char *value, struct err *e);

must_check int dossier_grant(struct dossier *d, const char *file, struct err *e);
must_check int dossier_ancestor(struct dossier *d, const char *id, struct err *e);

/* Loads, amends and checks what the documents say, without grants. NULL when ps got an error. */
struct policy *dossier_policy(const struct dossier *d, struct problems *ps);

/* Under dirfd; d->hash must be right. */
must_check int dossier_save(const struct dossier *d, int dirfd, const char *file, bool durable,
                            struct err *e);

/* Strict; -EBADMSG when the file is not what dossier_save writes. dossier_fini in either case. */
must_check int dossier_load(struct dossier *d, int dirfd, const char *file, struct err *e);

#endif
