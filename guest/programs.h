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

/*
 * Looks at the profile's program, as root. Where it must be the image's, that is what out leads to,
 * and what interprets it is the image's too; where its content is pinned, it has that hash.
 */
must_check int programs_check(const struct profile *p, const struct origin *o, struct program *out,
                              struct err *e);

/* The same for one of the list, by a path that is no pattern. */
must_check int programs_look(const struct profile_program *x, const struct origin *o,
                             struct program *out, struct err *e);

/* As root, while it has every capability: the page, where the profile needs one. */
must_check int programs_prepare(const struct profile *p, struct err *e);

/* After no_new_privs. */
must_check int programs_close(const struct profile *p, struct err *e);

/*
 * What to execute instead of the program's path, so that it is the file that was looked at: a path
 * by way of its directory's descriptor. "" when it has to be its path. A script is opened once more
 * by its interpreter, under this name: only a pinned one is run so, and its directory stays open.
 */
#define PROGRAMS_AT 512u
must_check int programs_fix(const struct profile *p, const struct program *exe,
                            char at[PROGRAMS_AT], struct err *e);

/* execve(2) by way of the page, where the profile needs it: an errno. */
int programs_exec(const struct profile *p, const char *path, char *const *argv, char *const *env);

/* What executes fd, a regular file: an absolute path; "" for a program that needs nothing, and for
 * what is no program. */
#define PROGRAMS_PATH         4096u
#define PROGRAMS_INTERPRETERS 4u /* one above another; the kernel follows five */
void programs_interpreter(int fd, char out[PROGRAMS_PATH]);

#endif
