/* signals.c - see signals.h. */
#include "sandbox/cli/signals.h"

#include "sandbox/cli/size.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static int pipe_ends[2] = { -1, -1 };

static void on_signal(int signo)
{
    int kept = errno;
    uint8_t byte = (uint8_t)signo;

    /* A full pipe means that hundreds are waiting already: this one may be lost. */
    ssize_t n = write(pipe_ends[1], &byte, 1);

    (void)n;
    errno = kept;
}

int signals_catch(struct err *e)
{
    static const int caught[] = { SIGINT,  SIGTERM, SIGHUP,   SIGQUIT,
                                  SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT };
    struct sigaction sa = { .sa_handler = on_signal };

    if (pipe_ends[0] >= 0)
        return pipe_ends[0];
    if (pipe2(pipe_ends, O_CLOEXEC | O_NONBLOCK))
        return err_sys(e, "pipe");
    for (size_t i = 0; i < array_len(caught); i++) {
        struct sigaction old;

        if (sigaction(caught[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(caught[i], &sa, NULL);
    }
    signal(SIGPIPE, SIG_IGN);
    return pipe_ends[0];
}

int signals_next(void)
{
    uint8_t byte;

    return read(pipe_ends[0], &byte, 1) == 1 ? byte : 0;
}

/* Linux's numbers on x86 and arm, the same in guest and host: signal(7). */
static const char *const names[] = {
    NULL,   "HUP",  "INT",  "QUIT", "ILL",    "TRAP",   "ABRT",  "BUS",  "FPE",  "KILL", "USR1",
    "SEGV", "USR2", "PIPE", "ALRM", "TERM",   "STKFLT", "CHLD",  "CONT", "STOP", "TSTP", "TTIN",
    "TTOU", "URG",  "XCPU", "XFSZ", "VTALRM", "PROF",   "WINCH", "IO",   "PWR",  "SYS",
};

int signals_parse(const char *text)
{
    uint32_t n;

    if (count_parse(text, 1, 64, &n) == 0)
        return (int)n;
    if (strncasecmp(text, "SIG", 3) == 0)
        text += 3;
    for (size_t i = 1; i < array_len(names); i++)
        if (strcasecmp(names[i], text) == 0)
            return (int)i;
    return -EINVAL;
}

const char *signals_name(int signo)
{
    return (size_t)signo < array_len(names) ? names[signo] : NULL; /* negative: very large */
}
