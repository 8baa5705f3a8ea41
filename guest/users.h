/*
 * users.h - who a command runs as: "name|uid[:group|gid]" against passwd(5) and group(5).
 *
 * The files belong to the image and to whoever changed them since; lines that are not well formed
 * are passed over. An unknown number is accepted, as container runtimes do (group 0, home "/");
 * an unknown name is not.
 */
#ifndef GUEST_USERS_H
#define GUEST_USERS_H

#include "base/err.h"

#include <sys/types.h>

#define USER_GROUPS_MAX 64u

struct user {
    uid_t uid;
    gid_t gid;
    gid_t groups[USER_GROUPS_MAX]; /* supplementary; none when a group was asked for by name */
    unsigned ngroups;
    char name[64];   /* "" when the uid has no entry */
    char home[256];  /* "/" when it has none */
    char shell[128]; /* "/bin/sh" when it has none */
};

/* spec "" means root. The texts are whole files with a NUL at the end; pure. */
must_check int user_parse(const char *spec, const char *passwd, const char *group, struct user *out,
                          struct err *e);

/* The same with /etc/passwd and /etc/group; a missing file is an empty one. May block on a strange
 * filesystem: call it in a child. */
must_check int user_load(const char *spec, struct user *out, struct err *e);

#endif
