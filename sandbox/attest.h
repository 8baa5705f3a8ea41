/*
 * attest.h - the living process against what was written down when it was launched.
 *
 * Everything is read from /proc and the cgroup tree at this moment; nothing is asked of the process
 * or of its keeper.
 */
#ifndef SANDBOX_ATTEST_H
#define SANDBOX_ATTEST_H

#include "sandbox/box_jail.h"

#define ATTEST_LINES 32u

enum attest_answer {
    ATTEST_SAME,
    ATTEST_DIFFERENT,
    ATTEST_UNSEEN, /* it cannot be seen from outside, or not by this user */
};

struct attest_line {
    const char *what; /* "user", "caps", … */
    enum attest_answer answer;
    char recorded[96], found[96];
};

/* How many lines. -ESRCH: the process is not there any more. */
must_check int attest(const struct box_jail *j, struct attest_line out[ATTEST_LINES],
                      struct err *e);

#endif
