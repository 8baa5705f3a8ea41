/*
 * table.h - every verb and option of carrel, as data.
 *
 * One table drives parsing, --help, the manual pages' option lists, shell completion and "did you
 * mean". It holds no function pointers, so that the build-time page generator links nothing else.
 */
#ifndef SANDBOX_CLI_TABLE_H
#define SANDBOX_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>

enum opt_id {
    OPT_NONE, /* ends a verb's list */
    OPT_HELP,
    OPT_JSON,
    OPT_COLOR,
    OPT_QUIET,
    OPT_DETACH,
    OPT_INTERACTIVE,
    OPT_TTY,
    OPT_NO_TTY,
    OPT_RM,
    OPT_KEEP,
    OPT_NAME,
    OPT_LABEL,
    OPT_ENV,
    OPT_ENV_FILE,
    OPT_WORKDIR,
    OPT_USER,
    OPT_MAX_SIZE,
    OPT_MEMORY,
    OPT_CPUS,
    OPT_DISK,
    OPT_TIMEOUT,
    OPT_STOP_TIMEOUT,
    OPT_KERNEL,
    OPT_ENGINE,
    OPT_DETACH_KEYS,
    OPT_POLICY,
    OPT_ALLOW,
    OPT_ON_BEHALF,
    OPT_WALL,
    OPT_IDLE,
    OPT_DRY_RUN,
    OPT_ALL,
    OPT_IDS,
    OPT_FILTER,
    OPT_FORMAT,
    OPT_FOLLOW,
    OPT_SOURCE,
    OPT_TAIL,
    OPT_RAW,
    OPT_GRACE,
    OPT_SIGNAL,
    OPT_FORCE,
    OPT_REBUILD,
    OPT_MODULES,
    OPT_PACKAGE,
    OPT_VERIFY,
    OPT_TAG,
    OPT_MAX_BYTES,
    OPT_ENTRYPOINT,
    OPT_FAIL_ON,
    OPT_IGNORE,
    OPT_BASELINE,
    OPT_SARIF,
    OPT_RULES,
    OPT_KEY,
    OPT_CHECKPOINT,
    OPT_DECISION,
    OPT_KIND,
    OPT_RULE,
    OPT_SINCE,
    OPT_UNTIL,
    OPT_GREP,
    OPT_LINES,
    OPT_OUTPUT,
    OPT_EXPORT_FORMAT,
    OPT_OLDER,
    OPT_PREVIEW,
    OPT_LOG,
    OPT_PARENT,
    OPT_POLICY_NAME,
    OPT_COVERAGE,
    OPT_MUTANTS,
    OPT_PRIVATE_KEY,
    OPT_ROLE,
    OPT_RELEASE,
    OPT_FROM,
    OPT_EXPIRES,
    OPT_WIDEN,
    OPT_BELOW,
    OPT_DELEGATE,
    OPT_DEPTH,
    OPT_ID,
    OPT_GRANT,
    OPT_RECORD,
    OPT_OUT,
    OPT_OUT_DIR,
    OPT_BUNDLE,
    OPT_YES,
    OPT_TO,
    OPT_OVERWRITE,
    OPT_COUNT
};

/* What an option's argument or an operand is: what completion offers for it. */
enum word_kind {
    WORD_NOTHING, /* option: it is a flag */
    WORD_TEXT,
    WORD_FILE,
    WORD_DIR,
    WORD_BOX,     /* a sandbox */
    WORD_RUNNING, /* a running sandbox */
    WORD_IMAGE,
    WORD_KERNEL,
    WORD_LOG, /* an audit log */
    WORD_SIGNAL,
    WORD_POLICY, /* a policy of the library, or a file */
    WORD_COPY,   /* FILE or NAME:PATH */
    WORD_VERB,   /* a verb of carrel */
    WORD_ONE_OF, /* option: a word of opt.words */
    WORD_COMMAND /* operand: a command of the guest and its arguments */
};

struct opt {
    enum opt_id id;
    char letter; /* 0: none */
    const char *name;
    enum word_kind kind;
    const char *arg;   /* how help calls the argument; NULL for a flag */
    const char *words; /* WORD_ONE_OF: the words, separated by spaces */
    const char *help;
};

enum verb_id {
    VERB_RUN,
    VERB_CREATE,
    VERB_START,
    VERB_EXEC,
    VERB_SHELL,
    VERB_ATTACH,
    VERB_PS,
    VERB_LS,
    VERB_LOGS,
    VERB_CP,
    VERB_EXPORT,
    VERB_STOP,
    VERB_KILL,
    VERB_RM,
    VERB_WAIT,
    VERB_INSPECT,
    VERB_GC,
    VERB_ATTEST,
    VERB_IMAGE,
    VERB_IMAGE_LS,
    VERB_IMAGE_IMPORT,
    VERB_IMAGE_PULL,
    VERB_IMAGE_BUILD,
    VERB_IMAGE_RM,
    VERB_IMAGE_INSPECT,
    VERB_KERNEL,
    VERB_KERNEL_LS,
    VERB_KERNEL_ADD,
    VERB_KERNEL_FETCH,
    VERB_KERNEL_DEFAULT,
    VERB_KERNEL_RM,
    VERB_POLICY,
    VERB_POLICY_LS,
    VERB_POLICY_LINT,
    VERB_POLICY_SHOW,
    VERB_POLICY_CHECK,
    VERB_POLICY_EXPLAIN,
    VERB_POLICY_DIFF,
    VERB_POLICY_NARROWER,
    VERB_POLICY_TEST,
    VERB_POLICY_SCHEMA,
    VERB_POLICY_COMPILE,
    VERB_POLICY_SECCOMP,
    VERB_POLICY_KEYGEN,
    VERB_POLICY_SIGN,
    VERB_POLICY_VERIFY,
    VERB_POLICY_GRANT,
    VERB_POLICY_APPLY,
    VERB_POLICY_SIMULATE,
    VERB_POLICY_LEARN,
    VERB_AUDIT,
    VERB_AUDIT_LS,
    VERB_AUDIT_VERIFY,
    VERB_AUDIT_QUERY,
    VERB_AUDIT_TAIL,
    VERB_AUDIT_REPORT,
    VERB_AUDIT_EXPORT,
    VERB_AUDIT_PRUNE,
    VERB_MEMORY,
    VERB_MEMORY_LS,
    VERB_MEMORY_SHOW,
    VERB_MEMORY_DIFF,
    VERB_MEMORY_ROLLBACK,
    VERB_MEMORY_EXPORT,
    VERB_MEMORY_RM,
    VERB_DOCTOR,
    VERB_VERSION,
    VERB_COMPLETION,
    VERB_HELP,
    VERB_COUNT
};

#define VERB_OPTS 32
#define ANY_MANY  127 /* max_operands: no limit */

struct verb {
    enum verb_id id;
    const char *name;     /* without its parent's: "ls" */
    const char *operands; /* synopsis after the options, e.g. "IMAGE [--] [COMMAND...]" */
    const char *summary;  /* one line, lower case, no full stop */
    const char *about;    /* what --help says below the synopsis; may be NULL */
    enum verb_id parent;  /* VERB_COUNT: none */
    unsigned char min_operands, max_operands;
    bool command; /* options end at the first operand: what follows belongs to a command */
    /* A failure of Carrel itself is 125, because the command's own status uses the same channel. */
    bool runs_command;
    enum word_kind first, rest; /* completion of operands */
    enum opt_id opts[VERB_OPTS];
};

extern const struct verb verbs[VERB_COUNT];

/* The option's definition. */
const struct opt *opt_by_id(enum opt_id id);

/* True when the verb takes this option; every verb takes --help, --json, --color. */
bool verb_takes(const struct verb *v, enum opt_id id);

/* "image import" into buf, or "run". */
const char *verb_path(const struct verb *v, char *buf, size_t len);

/* Has verbs below it, and is not one itself. */
bool verb_is_group(const struct verb *v);

/* The verb of this name below parent (NULL: the top), or NULL. */
const struct verb *verb_find(const struct verb *parent, const char *name);

#endif
