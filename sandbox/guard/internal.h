/* internal.h - what the parts of the guard share. */
#ifndef SANDBOX_GUARD_INTERNAL_H
#define SANDBOX_GUARD_INTERNAL_H

#include "policies/decide.h"
#include "policies/profile.h"
#include "policies/programs.h"
#include "sandbox/audit/log.h"
#include "sandbox/guard/dossier.h"
#include "sandbox/guard/family.h"
#include "sandbox/guard/guard.h"
#include "sandbox/image/data.h"

enum { LEVEL_ALL, LEVEL_DECISIONS, LEVEL_DENIALS, LEVEL_OFF }; /* words_audit */
enum { FAIL_STOP, FAIL_PAUSE, FAIL_CONTINUE };                 /* words_on_fail */
enum { MODE_ENFORCE };                                         /* words_mode: the first */

struct guard {
    struct dossier dossier;
    struct policy *policy; /* owned, as all below */
    struct ruleset *rules;
    struct plan *plan;
    struct profile *profile; /* its tools' filters are compiled when they are first needed */
    struct audit_key *key;
    struct audit_log *log; /* NULL: the policy wants none */
    int dir;               /* of the log */
    struct family family;
    uint64_t generation;  /* of the policy: raised by every change */
    int64_t until;        /* seconds since 1970: a grant ends then */
    int64_t elders_until; /* a grant of one of those it runs for ends then */
    int64_t ahead;        /* of CLOCK_BOOTTIME, the time of day at its beginning, in seconds */
    uint64_t missed;      /* records that could not be written, and the policy goes on */
    bool lost;            /* the log failed, and the policy says to stop */
    bool unsure;          /* the guest's PATH chose what is run: the record says so */
    bool changed;         /* by itself, since it was last asked */
    bool quarantined;     /* no sound policy is in force: nothing is allowed */
    bool outgrown;        /* so without a word from its user: what runs is ended too */
    struct text asked;    /* the last request, as a point */
    struct text held;     /* the last command that was allowed, with its profile */
    uid_t actor;          /* of the records to come */
    struct data_end image;
    struct text start; /* of what kind the sandbox is, for the log */
    char sandbox[BOX_ID_LEN + 1];
    char hint[240];
    char denial[GUARD_DENIAL_MAX];
};

/* -EIO: it could not be recorded and the policy does not let it pass. */
must_check int guard_record(struct guard *g, enum audit_decision decision, const char *kind,
                            const struct rule *rule, char grade, const char *object, struct err *e);

/* Seconds since 1970, by a clock that nobody sets back while the guard lives. */
int64_t guard_now(const struct guard *g);

/* A parent has another policy: the sandbox is still within it, or nothing is allowed any more. */
void guard_follow_parent(struct guard *g);

/* When there is none yet. */
must_check int guard_open_log(struct guard *g, struct err *e);

/* Nothing was allowed when the sandbox ended: nor is it now, unless a sound policy waits. */
void guard_open_quarantined(struct guard *g, int boxfd);

/* Before another policy is taken over: -EBUSY when it has what a running machine cannot take over.
 */
must_check int guard_check_fixed(struct guard *g, const struct policy *next, struct err *e);

/* A grant's time is over. */
void guard_expire(struct guard *g);

/* An EXEC in pieces. Texts live in the arena. */
struct exec_ask {
    const char **argv, **env;
    uint32_t argc, envc;
    const char *cwd, *user;
    uint32_t flags;
};

/* What was decided about one. */
struct exec_answer {
    struct request request; /* as it was decided */
    struct decision decision;
    const char *exe; /* the program to run; NULL: whatever the guest's PATH finds, all is allowed */
    uint32_t uid;
};

/* Without empty and "." segments. ".." stays, and is nobody's canonical path: what it leads to is
 * known in the guest only. */
const char *path_clean(struct arena *a, const char *path);

must_check int exec_read(struct arena *a, const struct msg_builder *b, struct exec_ask *ask,
                         struct err *e);
void exec_decide(struct arena *a, const struct ruleset *rs, const struct exec_ask *ask,
                 struct exec_answer *out);

/* The request as it may be written down: values of the environment are nobody's business. */
struct request exec_spoken(struct arena *a, const struct request *q);

/* What the command gets, as a request: its profile and its environment besides what was asked. */
struct request exec_held(struct arena *a, const struct command *c,
                         const struct exec_answer *answer);

/* Writes the request anew with the profile of the command that allowed it, its filter compiled.
 * loose: layers that the guest's kernel lacks may be left out. -E2BIG: no room. */
must_check int exec_complete(const struct tool_profile *t, const struct programs *run,
                             const struct exec_answer *answer, bool loose, struct msg_builder *b,
                             struct err *e);

#endif
