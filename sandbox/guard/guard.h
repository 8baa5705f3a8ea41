/*
 * guard.h - the policy in force for one sandbox: read from its dossier, made into a plan, asked
 * before anything is done for anybody, and every answer written down first.
 *
 * The keeper has one. It never talks to the guest; a compromised guest can only make it say no.
 */
#ifndef SANDBOX_GUARD_GUARD_H
#define SANDBOX_GUARD_GUARD_H

#include "base/err.h"
#include "base/msg.h"
#include "policies/plan.h"
#include "policies/text.h"
#include "sandbox/store.h"

struct guard;
struct data_end;

struct guard_sandbox {
    const struct box_config *cfg; /* borrowed */
    const char *engine;           /* static */
    struct host_facts host;       /* facts_of */
    bool adopted;                 /* it runs already: its last keeper was killed */
    int boxfd, image_fd, kernel_fd;
};

/*
 * Loads the policy, makes the plan for this sandbox on this engine, opens the audit log and writes
 * the start down. -EACCES: the plan refuses, *e has the first reason; anything else: it could not
 * be done. hint is for a person.
 */
struct guard *guard_open(const struct guard_sandbox *s, char hint[240], struct err *e);

/* What the machine is built from. */
const struct plan *guard_plan(const struct guard *g);
/* How the image ends that was measured: where it is pinned, the very bytes that were hashed. */
const struct data_end *guard_image(const struct guard *g);
/* What the kernel is told about it. */
const struct profile *guard_profile(const struct guard *g);

/*
 * Decides the request that b holds, not sealed (EXEC, PUT or GET as request_check left it), records
 * the decision, and completes an EXEC with the profile of the rule that allowed it. -EACCES:
 * denied, with the one sentence that people, programs and the log get; guard_hint says what would
 * change it. -EIO: it could not be recorded, so it is not done.
 */
must_check int guard_judge(struct guard *g, struct msg_builder *b, struct err *e);

/* The last call's denial in the one shape for programs (decision_json); "" when there was none. At
 * most GUARD_DENIAL_MAX bytes. */
const char *guard_denial(const struct guard *g);
const char *guard_hint(const struct guard *g);

#define GUARD_DENIAL_MAX 8192u

/* The last request that was judged, as a point (policies/points.h). */
const char *guard_asked(const struct guard *g);

/* The last command that was allowed, with its environment and all that its profile gives it, as a
 * point: for guard_still only, as it holds values that are never written down. */
const char *guard_held(const struct guard *g);

/*
 * Is what was asked then allowed now, and all of what it was given (held; NULL: a transfer)? A
 * denial is recorded, of a command that has too much with the dimension in which it has; *why has
 * the sentence.
 */
bool guard_still(struct guard *g, const char *asked, const char *held, struct err *why);

/*
 * Takes over policy.next.json, which may only narrow what is in force, but for grants. When it is
 * wider, what is in force stays: -EACCES. When it is neither, or no policy at all, everything is
 * denied until one comes that is: -EINVAL. Each outcome is recorded.
 */
must_check int guard_reload(struct guard *g, int boxfd, struct err *e);

/* Has a grant expired since the last call? What runs is then to be decided again. */
bool guard_has_changed(struct guard *g);

/* Whose word the records to come are; its own user's at first. */
void guard_acts_for(struct guard *g, uid_t user);

/* Something that happened to the sandbox, e.g. "limit", "limits.wall 30m". */
void guard_note(struct guard *g, const char *kind, const char *object);

/* The policy in force, borrowed until the next call that can change it. */
const struct policy *guard_policy(const struct guard *g);

/* What carrel-files must know of it (scope.h); nothing when everything is denied. */
void guard_live_rules(const struct guard *g, struct text *out);

/*
 * carrel-files says that it denied this (an enum file_op), and that it withheld as many reports
 * before. It is not believed: the answer on record is what the rules in force say of that path,
 * and what they do not deny is an event of what was said.
 */
void guard_note_denial(struct guard *g, uint32_t op, const char *path, uint32_t withheld);

/* Records what the sandbox's volumes were filled with and what was left out, once: mounts.notes of
 * its directory is gone then. */
must_check int guard_take_notes(struct guard *g, int boxfd, struct err *e);

/* Processor time that the machine has used since the last call. *over: a budget is used up, its own
 * or one of those on whose behalf it runs. */
must_check int guard_use_cpu(struct guard *g, uint64_t ms, bool *over, struct err *e);
/* In all its life, with the sandboxes that were started on its behalf. */
uint64_t guard_cpu_used(const struct guard *g);

/* Was it started on behalf of another sandbox? */
bool guard_has_parent(const struct guard *g);

/* The log can no longer be written and the policy says to stop. */
bool guard_is_lost(const struct guard *g);

/* Writes what waits. The delay in ms until the next call, or -1. */
int guard_tick(struct guard *g);

/* Records the end and closes the log. NULL is fine. */
void guard_close(struct guard *g, const char *reason);

#endif
