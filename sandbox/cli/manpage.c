/* manpage.c - build step: a manual page's source on stdin, with the table's parts filled in. */
#include "sandbox/cli/help.h"

int main(void)
{
    if (help_expand_page(stdin, stdout) || fflush(stdout)) {
        fputs("manpage: a line names no verb\n", stderr);
        return 1;
    }
    return 0;
}
