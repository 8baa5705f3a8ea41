/* about.c - version, completion, help: carrel on itself. */
#include "sandbox/cli/complete.h"
#include "sandbox/cli/help.h"
#include "sandbox/cli/suggest.h"
#include "sandbox/cli/verbs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

int verb_version(struct cli *c)
{
    struct utsname u;

    if (uname(&u))
        u.machine[0] = u.release[0] = '\0';
    if (c->json) {
        if (!cli_json(c, json_pack("{s:s, s:s, s:s}", "version", CARREL_VERSION, "arch", u.machine,
                                   "host_kernel", u.release)))
            return EXIT_NO;
    } else {
        puts("carrel " CARREL_VERSION);
    }
    return cli_finish(c);
}

int verb_completion(struct cli *c)
{
    struct err e = ERR_INIT;
    const char *shell = c->args->operands[0];

    if (complete_print(stdout, shell)) {
        err_set(&e, EINVAL, "no completion for the shell \"%s\"", shell);
        return cli_fail_usage(c, &e, "one of: bash zsh fish");
    }
    return cli_finish(c);
}

/* Shows the manual page when man(1) has it: true when it did. */
static bool show_page(const char *page)
{
    int status;
    pid_t pid;

    if (!isatty(STDOUT_FILENO))
        return false;
    fflush(stdout);
    pid = fork();
    if (pid < 0)
        return false;
    if (pid == 0) {
        /* Its complaint about a missing page would only confuse: the built-in help follows. */
        if (!freopen("/dev/null", "w", stderr))
            _exit(127);
        execlp("man", "man", "1", page, (char *)NULL);
        _exit(127);
    }
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int verb_help(struct cli *c)
{
    const struct verb *v = NULL, *top = NULL;
    struct err e = ERR_INIT;
    char page[48];

    for (size_t i = 0; i < c->args->noperands; i++) {
        const char *best = NULL, *word = c->args->operands[i];
        char hint[HINT_MAX] = "carrel --help";
        const struct verb *found = verb_find(v, word);

        for (size_t k = 0; !found && k < VERB_COUNT; k++)
            if (verbs[k].parent == (v ? v->id : VERB_COUNT))
                suggest_offer(word, verbs[k].name, &best);
        if (!found) {
            if (best)
                snprintf(hint, sizeof(hint), "did you mean \"%s\"?", best);
            err_set(&e, EINVAL, "unknown verb: %s", word);
            return cli_fail_usage(c, &e, hint);
        }
        v = found;
        top = top ? top : v;
    }
    snprintf(page, sizeof(page), "carrel%s%s", top ? "-" : "", top ? top->name : "");
    if (!show_page(page))
        help_print(stdout, v);
    return cli_finish(c);
}
