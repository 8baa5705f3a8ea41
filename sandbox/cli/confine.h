/*
 * confine.h - gives up what parsing a stranger's archive does not need.
 *
 * should: leave open descriptors and everything below one directory.
 * must not: leave a way to open or change anything else in the file system, or to gain privileges.
 */
#ifndef SANDBOX_CLI_CONFINE_H
#define SANDBOX_CLI_CONFINE_H

/* By Landlock, as far as this kernel has it: a second wall behind openat2's (untar.h), so its
 * absence is not a failure. Cannot be undone. */
void confine_to_directory(int dirfd);

#endif
