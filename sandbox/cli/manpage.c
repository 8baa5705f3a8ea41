/*
 * manpage.c - build step: what is generated from the table.
 *
 *     carrel-manpage <SOURCE    a manual page's scdoc source, with the table's parts filled in
 *     carrel-manpage SHELL      a completion script
 */
#include "sandbox/cli/complete.h"
#include "sandbox/cli/help.h"

int main(int argc, char **argv)
{
    int err = argc > 1 ? complete_print(stdout, argv[1]) : help_expand_page(stdin, stdout);

    if (err || fflush(stdout)) {
        fputs("carrel-manpage: a line names no verb, or no such shell\n", stderr);
        return 1;
    }
    return 0;
}
