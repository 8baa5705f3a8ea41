/*
 * profile.h - what one command may do, as the host decided it (grade G: it falls with the guest's
 * kernel), and how a child takes it on before it becomes the command.
 *
 * Each step narrows and none can be undone. A layer that this kernel lacks refuses the command
 * (EOPNOTSUPP, the layer's name), unless the profile is loose: then it is left out.
 */
#ifndef GUEST_PROFILE_H
#define GUEST_PROFILE_H

#include "base/err.h"
#include "base/sha256.h"
#include "guest/limits.h"
#include "guest/origin.h"
#include "guest/users.h"

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

struct profile_limit {
    uint32_t which; /* RLIMIT_* */
    uint64_t value; /* soft and hard */
};

/* A file, or a pattern over files. */
struct profile_program {
    const char *path;
    const uint8_t *sha256; /* of its content; NULL: whatever it is */
};

/* All zero: no profile. Pointers are borrowed from the request. */
struct profile {
    bool present; /* any field below was given */
    bool loose;
    bool once; /* nothing is executed after the command itself */
    bool own;  /* exe is the image's (origin.h) */
    bool has_uid, has_caps;
    uint32_t uid;          /* what the user must resolve to */
    uint64_t caps;         /* the most that it may have */
    const char *exe;       /* NULL: as argv[0] says */
    const uint8_t *sha256; /* of exe's content, which is the image's then; NULL: any */
    struct profile_limit *limits;
    struct sock_filter *filter;
    const char **ro,
        **rw; /* trees that may be read and executed, and those that may be changed too */
    struct profile_program *run; /* if any: in these trees no others may be executed (programs.h) */
    unsigned nlimits, nfilter, nro, nrw, nrun;
};

/* Resource limits: what every command gets, then the profile's own. Before profile_identity. */
must_check int profile_limits(const struct profile *p, const struct limits *all, struct err *e);

/* no_new_privs, capabilities, securebits, groups, gid, uid. Needs root for any other user. */
must_check int profile_identity(const struct profile *p, const struct user *u, struct err *e);

/*
 * The trees as a Landlock rule set, made while the paths can still be reached: *ruleset is the
 * caller's, close-on-exec; -1 when the profile names no tree, or the layer is left out. Paths of
 * the profile that do not exist are passed over; one to be changed may not lead through a symbolic
 * link, which a tool could have put there. exe: as programs_check left it.
 */
must_check int landlock_make(const struct profile *p, const struct origin *o,
                             const struct program *exe, int *ruleset, struct err *e);
/* Confines the caller to it; needs no_new_privs. */
must_check int landlock_apply(const struct profile *p, int ruleset, struct err *e);

/* The host's seccomp program: the last step before execve, which it must allow. */
must_check int profile_filter(const struct profile *p, struct err *e);

/* seccomp(2) with this program on the calling thread: also what carrel-init itself adds. */
must_check int profile_seccomp(const struct profile *p, struct sock_filter *program, unsigned n,
                               struct err *e);

#endif
