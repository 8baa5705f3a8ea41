/* limits.c - see limits.h. */
#include "guest/limits.h"

#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

void limits_init(struct limits *l)
{
    *l = (struct limits){ .group = -1, .files = LIMITS_FILES };
}

struct rlimit limits_files(const struct limits *l)
{
    return (struct rlimit){
        .rlim_cur = l->files < LIMITS_FILES_SOFT ? l->files : LIMITS_FILES_SOFT,
        .rlim_max = l->files,
    };
}

/* Born in the group: moving into it would stop all forks and exits for an RCU grace period. */
pid_t limits_fork(const struct limits *l)
{
    struct clone_args a = { .flags = CLONE_INTO_CGROUP,
                            .exit_signal = SIGCHLD,
                            .cgroup = (uint64_t)l->group };

    return l->group < 0 ? fork() : (pid_t)syscall(SYS_clone3, &a, sizeof(a));
}
