/*
 * manpage.c - build step: what is generated from the tables of verbs, of a policy's keys, and of
 * lint's rules.
 *
 *     carrel-manpage <SOURCE    a manual page's scdoc source, with the tables' parts filled in
 *     carrel-manpage SHELL      a completion script
 */
#include "policies/lint.h"
#include "policies/schema.h"
#include "sandbox/cli/complete.h"
#include "sandbox/cli/help.h"

#include <string.h>

/* "@KEYS@" and "@RULES@" of carrel-policy(5). */
static bool policy_part(const char *word, FILE *to)
{
    struct text t = TEXT_INIT;

    if (strcmp(word, "KEYS") == 0)
        schema_scd(&t);
    else if (strcmp(word, "RULES") == 0)
        lint_rules_scd(&t);
    else
        return false;
    fputs(text_str(&t), to);
    text_fini(&t);
    return true;
}

int main(int argc, char **argv)
{
    int err =
        argc > 1 ? complete_print(stdout, argv[1]) : help_expand_page(stdin, stdout, policy_part);

    if (err || fflush(stdout)) {
        fputs("carrel-manpage: a line names no verb, or no such shell\n", stderr);
        return 1;
    }
    return 0;
}
