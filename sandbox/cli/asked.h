/* asked.h - what the options of run, create and exec ask for, as data. */
#ifndef SANDBOX_CLI_ASKED_H
#define SANDBOX_CLI_ASKED_H

#include "base/msg.h"
#include "sandbox/cli/parse.h"
#include "sandbox/image/image.h"
#include "sandbox/store.h"

/* Standard input and output, as far as a session's shape depends on them. */
struct asked_stdio {
    bool in_terminal, out_terminal, in_piped;
};

/* How the command is connected. */
struct asked_session {
    bool tty;           /* the guest makes a terminal */
    bool forward_stdin; /* ours is sent */
};

/*
 * run and create: everything but the image's own defaults. box_config_fini in either case.
 * detached: nobody will be connected when it starts.
 */
must_check int asked_config(const struct command_line *a, bool detached,
                            const struct asked_stdio *io, bool json, struct box_config *cfg,
                            struct asked_session *s, char hint[HINT_MAX], struct err *e);

/* --entrypoint takes the place of the image's, and of its command. */
must_check int asked_entrypoint(const struct command_line *a, struct image *img, struct err *e);

/* Fills in what was not asked from what the image says. */
must_check int asked_image_defaults(struct box_config *cfg, const struct image *img, struct err *e);

/* Sets the main command. */
must_check int asked_argv(struct box_config *cfg, char *const *argv, struct err *e);

must_check int asked_session(const struct command_line *a, bool detached,
                             const struct asked_stdio *io, bool json, struct asked_session *s,
                             struct err *e);

/* -e and --env-file, in the order given, onto the list. */
must_check int asked_env(const struct command_line *a, char ***env, struct err *e);

/* --timeout and the like: milliseconds, or the default. */
must_check int asked_duration(const struct command_line *a, enum opt_id id, uint32_t *ms,
                              struct err *e);

/* The EXEC of a command. */
struct asked_command {
    char *const *argv, *const *env; /* end with NULL; env may be NULL */
    const char *cwd, *user;         /* NULL: the guest's default */
    uint32_t timeout_ms, flags;     /* enum msg_flag, beside TTY and STDIN */
};

void asked_exec(struct msg_builder *b, const struct asked_command *cmd,
                const struct asked_session *s);

#endif
