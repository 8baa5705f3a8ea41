/*
 * launch.h - the parts of carrel-launch, in the order in which main.c uses them.
 *
 * Each builds one layer round the calling process, or says with -errno why it cannot. What is
 * built cannot be undone.
 */
#ifndef SANDBOX_LAUNCH_LAUNCH_H
#define SANDBOX_LAUNCH_LAUNCH_H

#include "base/err.h"
#include "base/jail.h"

#include <stdbool.h>
#include <stddef.h>

/* ---- record.c: what is asked, judged again on arrival ---- */

/* Reads the record from a sealed memfd, and closes that. */
must_check int record_read(int fd, struct jail_record *r, struct err *e);
/* Every field that can be judged without asking the kernel. */
must_check int record_check(const struct jail_record *r, struct err *e);
/* Descriptors: exactly those named are open, and each is of its kind. */
must_check int record_close_others(const struct jail_record *r, struct err *e);
must_check int record_check_fds(const struct jail_record *r, struct err *e);
/* The n terminated strings in text; room for n + 1. false: there are not as many. */
must_check bool record_strings(char *text, size_t len, uint32_t n, char **out);

/* ---- layers ---- */

int layer_cgroup(const struct jail_record *r, struct err *e);
int layer_ipc(const struct jail_record *r, struct err *e);
int layer_uts(const struct jail_record *r, struct err *e);
int layer_net(const struct jail_record *r, struct err *e);
int layer_cgroup_ns(const struct jail_record *r, struct err *e);
int layer_root(const struct jail_record *r, struct err *e); /* root.c */
/* Directories among the descriptors: where they are, while the mounts are the host's; and each in a
 * tree of its own, when they are ours (trees.c). */
must_check int trees_find(const struct jail_record *r, struct err *e);
must_check int trees_take(const struct jail_record *r, struct err *e);
int layer_limits(const struct jail_record *r, struct err *e);
int layer_caps(const struct jail_record *r, struct err *e); /* identity.c */
int layer_user(const struct jail_record *r, struct err *e);
int layer_no_new_privs(const struct jail_record *r, struct err *e);
int layer_landlock(const struct jail_record *r, struct err *e); /* landlock.c */

/* The ABI that layer_landlock found; 0: none. */
int landlock_abi(void);

#endif
