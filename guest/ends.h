/* ends.h - the pipes between PID 1 and one child: both ends of each, as a request wants them. */
#ifndef GUEST_ENDS_H
#define GUEST_ENDS_H

#include "guest/child.h"

/* Ours do not block; -1 where the request has no such stream. With a terminal, ours.in and ours.out
 * are two descriptors of its master (the loop knows a source by its descriptor) and err is -1. */
struct ends {
    struct child_io ours, childs;
};

/* All are the caller's; on failure none is open. */
must_check int ends_open(const struct request *r, struct ends *x, struct err *e);

void ends_close(struct child_io *io);

#endif
