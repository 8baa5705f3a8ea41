/*
 * programs.h - what a command may execute once it runs (C06): nothing (once), or the programs of a
 * list and what interprets them. Grade G, as all of a profile.
 *
 * "Nothing" is a filter that lets execve pass only where its path lies on the page at address 0.
 * carrel-init puts it there; execve takes the page away, and nobody without CAP_SYS_RAWIO, which
 * no command has, can map that page again. So the first execve passes and no other: not of the same
 * program, not of a copy, not of a loader, not of what was never a file.
 *
 * A list is Landlock's to hold: EXECUTE on these files only. The kernel asks for it on the
 * interpreter of a script and on an ELF program's loader as well, so they have it too, and can be
 * started by hand.
 */
#ifndef GUEST_PROGRAMS_H
#define GUEST_PROGRAMS_H

#include "guest/profile.h"

/* A program that RUN names by its path, not by a pattern, is the image's (origin.h). */
must_check int programs_check(const struct profile *p, const struct origin *o, struct err *e);

/* As root, while it has every capability: the page, where the profile needs one. */
must_check int programs_prepare(const struct profile *p, struct err *e);

/* After no_new_privs. */
must_check int programs_close(const struct profile *p, struct err *e);

/* execve(2) by way of the page, where the profile needs it: an errno. */
int programs_exec(const struct profile *p, const char *path, char *const *argv, char *const *env);

/* What executes fd, a regular file: an absolute path; "" for a program that needs nothing, and for
 * what is no program. */
#define PROGRAMS_PATH 4096u
void programs_interpreter(int fd, char out[PROGRAMS_PATH]);

#endif
