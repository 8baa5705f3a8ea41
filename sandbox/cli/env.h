/* env.h - lists of NAME=value that end with NULL: environments under construction. */
#ifndef SANDBOX_CLI_ENV_H
#define SANDBOX_CLI_ENV_H

#include "base/err.h"

#include <stdbool.h>

void env_free(char **list);

/* Sets NAME=value in the owned list, in place of an earlier value. */
must_check int env_set(char ***list, const char *assignment, struct err *e);

/* All of another list; NULL is an empty one. */
must_check int env_set_all(char ***list, char *const *from, struct err *e);

/* As -e: NAME=value, or NAME alone for our own value; a NAME that we do not have is left out. */
must_check int env_pass(char ***list, const char *text, struct err *e);

/* As --env-file: a line each as env_pass; blank lines and lines that begin with # are skipped. */
must_check int env_load(char ***list, const char *path, struct err *e);

bool env_has(char *const *list, const char *name);

#endif
