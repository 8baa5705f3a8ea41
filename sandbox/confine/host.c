/* host.c - see host.h. */
#include "sandbox/confine/host.h"

#include "base/landlock.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

bool host_has_landlock(void)
{
    return landlock_version() > 0;
}

bool host_has_users(void)
{
    long pid;
    int status = 1;

    if (geteuid() == 0)
        return true;
    pid = syscall(SYS_clone, (unsigned long)(CLONE_NEWUSER | CLONE_NEWPID | SIGCHLD), NULL, NULL,
                  NULL, 0);
    if (pid == 0)
        _exit(0);
    while (pid > 0 && waitpid((pid_t)pid, &status, 0) < 0 && errno == EINTR)
        ;
    return pid > 0 && status == 0;
}
