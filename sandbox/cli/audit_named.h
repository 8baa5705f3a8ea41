/*
 * audit_named.h - what the audit verbs have in common: a log that the user named, the key to check
 * it with, its records once they are proved, and how records are shown.
 */
#ifndef SANDBOX_CLI_AUDIT_NAMED_H
#define SANDBOX_CLI_AUDIT_NAMED_H

#include "sandbox/audit/logs.h"
#include "sandbox/cli/cli.h"

/* Where logs are looked for. */
struct audit_host {
    int logs;              /* owned; -1: this host has none */
    struct audit_key *key; /* owned; NULL: there is none */
    int kept;              /* owned: --checkpoint, or -1 */
};

/* False: *status is the verb's, and why has been said. audit_host_close in either case. */
bool audit_host_open(struct cli *c, struct audit_host *h, int *status);
void audit_host_close(struct audit_host *h);

/* A log. */
struct audit_named {
    int fd;                  /* owned: its directory */
    char id[LOG_ID_LEN + 1]; /* "": it was named by a path */
    char name[LOG_NAME_MAX]; /* the sandbox's, or "" */
    char shown[256];         /* what it is called in messages: name and id, or path */
};

/*
 * what is a path (it has a slash), an id or the beginning of one, or a sandbox's name; of several
 * logs of one name the latest is meant, which is said. False as above.
 */
bool audit_named_open(struct cli *c, const struct audit_host *h, const char *what,
                      struct audit_named *log, int *status);
void audit_named_close(struct audit_named *log);

/*
 * Gives each record that is proved to each. The exit status: 0 when the log is sound (closed, or
 * alive); otherwise where it stopped has been said. e may tell of an error of each.
 */
int audit_named_read(struct cli *c, const struct audit_host *h, const struct audit_named *log,
                     audit_reader *each, void *arg, struct audit_verdict *v);

/* What stops a verb: the sentence of one verdict. */
void audit_verdict_text(enum log_state state, const struct audit_verdict *v, const char *why,
                        char *buf, size_t len);

/* One record: a line for a person, or JSON. */
void audit_heading(struct cli *c);
must_check int audit_show(struct cli *c, const struct audit_record *r);

/* RFC 3339 or null. */
json_t *audit_json_time(uint64_t ns);

#endif
