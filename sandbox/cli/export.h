/* export.h - what an export says to the audit log of its sandbox, whose keeper has ended. */
#ifndef SANDBOX_CLI_EXPORT_H
#define SANDBOX_CLI_EXPORT_H

#include "sandbox/volume/export.h"

struct export_log;

/* *out is NULL where the policy wants no log. The sandbox's lock is held. */
must_check int export_log_open(struct export_log **out, const char *id,
                               const struct volume_policy *p, struct err *e);

/* Each entry that goes, and each that does not, before anything is done. */
must_check int export_log_changes(struct export_log *l, const struct export *x, struct err *e);
must_check int export_log_line(struct export_log *l, const char *line, struct err *e);

/* Of kind "memory": a denial, or what came true. */
must_check int export_log_word(struct export_log *l, bool denied, const char *rule,
                               const char *line, struct err *e);

/* NULL is fine. */
void export_log_close(struct export_log *l);

#endif
