/* complete.h - completion scripts, generated from the table. Pure. */
#ifndef SANDBOX_CLI_COMPLETE_H
#define SANDBOX_CLI_COMPLETE_H

#include <stdio.h>

/* shell: "bash", "zsh" or "fish". -EINVAL for another. */
int complete_print(FILE *to, const char *shell);

#endif
