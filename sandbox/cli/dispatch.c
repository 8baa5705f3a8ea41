/* dispatch.c - see dispatch.h. */
#include "sandbox/cli/dispatch.h"

#include "sandbox/cli/help.h"
#include "sandbox/cli/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* A descriptor that was closed would be given to the next file opened: never to a standard one. */
static void open_standard(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_WRONLY : O_RDONLY) != fd)
            _exit(EXIT_CARREL);
}

static int act(struct cli *c, char **argv, verb_function *const table[VERB_COUNT],
               int (*elsewhere)(struct cli *c, char **argv))
{
    const struct command_line *a = c->args;
    struct err e = ERR_INIT;

    if (args_has(a, OPT_HELP)) {
        help_print(stdout, a->verb);
        return cli_finish(c);
    }
    if (a->version)
        return verb_version(c);
    if (!a->verb) {
        err_set(&e, EINVAL, "which verb?");
        return cli_fail_usage(c, &e, "carrel --help");
    }
    if (table[a->verb->id])
        return table[a->verb->id](c);
    return elsewhere(c, argv);
}

int dispatch(int argc, char **argv, verb_function *const table[VERB_COUNT],
             int (*elsewhere)(struct cli *c, char **argv))
{
    char hint[HINT_MAX];
    struct err e = ERR_INIT;
    struct command_line a;
    struct cli c;
    int status;

    open_standard();
    if (args_parse(&a, argc, argv, hint, &e)) {
        cli_init(&c, &a, args_wants_json(&a, argc, argv));
        status = cli_fail_usage(&c, &e, hint);
    } else {
        cli_init(&c, &a, args_has(&a, OPT_JSON));
        status = act(&c, argv, table, elsewhere);
    }
    args_fini(&a);
    return status;
}
