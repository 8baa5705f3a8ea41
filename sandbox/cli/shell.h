/* shell.h - the command that stands for "a shell", whatever the image has. */
#ifndef SANDBOX_CLI_SHELL_H
#define SANDBOX_CLI_SHELL_H

/* Ends with NULL. bash where there is one, else sh; a login shell. */
extern char *const shell_argv[];

#endif
