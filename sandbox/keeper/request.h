/*
 * request.h - the first frame of a client's conversation, judged and made anew.
 *
 * Pure. A client is the user's own process, but what it sends goes on to the guest: every field is
 * understood, checked, and written again into a frame of the keeper's. Nothing is passed on that is
 * not named here.
 */
#ifndef SANDBOX_KEEPER_REQUEST_H
#define SANDBOX_KEEPER_REQUEST_H

#include "base/err.h"
#include "base/msg.h"
#include "sandbox/store.h"

#define REQUEST_GRACE_MAX_MS (24u * 3600 * 1000)

/* What the keeper itself needs to know of a request. */
struct request {
    enum msg_type type;
    uint32_t flags; /* enum msg_flag, as asked */
    bool has_grace, has_signo;
    uint32_t grace_ms, signo;
};

/*
 * Judges f. For EXEC, PUT and GET, *relay is the frame for the guest, not yet sealed (MAIN is the
 * keeper's business and is left out); for others it is not touched. Refusals say which field:
 * -EPERM for what only the keeper may ask, -ENOSYS for what is no request, -EINVAL otherwise.
 */
must_check int request_check(const struct msg_frame *f, struct request *out,
                             struct msg_builder *relay, struct err *e);

/* The EXEC for the main command in a sandbox's configuration. -E2BIG when it does not fit. */
must_check int request_make_main(const struct box_config *c, struct request *out,
                                 struct msg_builder *b, struct err *e);

#endif
