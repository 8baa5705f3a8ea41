/*
 * failpoint.h - places where a test lets a process die, stop or fail: FAILPOINT("room.what") stands
 * in front of every side effect that could be lost or leaked.
 *
 *     if (FAILPOINT("store.mkdir") || mkdirat(…))
 *         return err_sys(e, …);
 *
 * False, and no code at all, unless CARREL_FAILPOINTS is defined (cmake/flags.cmake: debug builds).
 * There, the environment says what happens, read anew each time:
 *
 *     CARREL_FAILPOINT=NAME[@N]=kill|stop|ERRNO[,…]
 *     CARREL_FAILPOINTS=FILE      where all processes count together, and name what is linked in
 *
 * at the Nth time (default: the first) that somebody comes to NAME; N = 0: each time. "stop" is
 * SIGSTOP; with an ERRNO such as ENOSPC the macro is true and errno set. A name is used once.
 */
#ifndef BASE_FAILPOINT_H
#define BASE_FAILPOINT_H

#include <stdbool.h>
#include <stddef.h>

#ifdef CARREL_FAILPOINTS

struct failpoint {
    const char *name;
};

bool failpoint_hit(const struct failpoint *const *p);

/* The file of counts: one of these for each name that any process had linked in. */
#define FAILPOINT_NAME 56

struct failpoint_count {
    char name[FAILPOINT_NAME];
    unsigned hits, unused;
};

/* A pointer each in a section of its own: the linker makes the list. */
#define FAILPOINT(text)                                                                           \
    __extension__({                                                                               \
        static const struct failpoint at_ = { text };                                             \
        static const struct failpoint *const here_ __attribute__((used, section("failpoints"))) = \
            &at_;                                                                                 \
        failpoint_hit(&here_);                                                                    \
    })

#else

#define FAILPOINT(text) false

#endif
#endif
