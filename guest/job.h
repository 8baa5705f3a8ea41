/*
 * job.h - one process started by a request, with its pipes: a command, or a PUT or GET transfer.
 *
 * A job belongs to struct jobs from start to reap; the call that started it may go earlier, and
 * what it started may stay longer: that is its group (groups.h). A profile of a command with a
 * number needs one: without cgroups it is refused (EOPNOTSUPP), unless it is loose. It talks to the
 * requester only through the call functions below, sends in the order STARTED, output, final frame,
 * and reads a pipe only while the stream has room for what it may find there.
 */
#ifndef GUEST_JOB_H
#define GUEST_JOB_H

#include "guest/alarm.h"
#include "guest/groups.h"
#include "guest/origin.h"
#include "guest/request.h"

#include <sys/types.h>

#define JOBS_MAX 72u /* 64 commands and 8 transfers, about 5 descriptors each */

struct call; /* the requester's side, control.h */
struct job;

struct jobs {
    struct loop *loop;     /* borrowed, outlives this */
    struct alarms *alarms; /* borrowed, outlives this */
    struct job *first;     /* owned */
    unsigned count;
    struct limits limits; /* of all commands together */
    struct origin origin; /* borrowed */
    struct groups groups; /* of each command, and what it has left behind */
};

void jobs_init(struct jobs *js, struct loop *l, struct alarms *a);
/* Forgets every job; their processes are not touched. */
void jobs_fini(struct jobs *js);

/* r is EXEC, PUT or GET. The job is owned by js; NULL with *e set when it could not start. */
struct job *job_start(struct jobs *js, struct call *c, const struct request *r, struct err *e);

/* Bytes for the job's stdin: how many it takes now (0: wait for call_pump), and taking them. What
 * nobody reads any more is taken and dropped. */
size_t job_room(const struct job *j);
void job_input(struct job *j, const void *buf, size_t len);
void job_input_end(struct job *j);

/* The types whose bodies go to job_input, and that end the input. */
enum msg_type job_input_type(const struct job *j);
enum msg_type job_input_end_type(const struct job *j);

/* RESIZE and SIGNAL. false: not a message for this job, or malformed. */
must_check bool job_message(struct job *j, enum msg_type type, const uint8_t *body, uint32_t len);

/* The stream has room again. */
void job_resume(struct job *j);

/* The requester is gone; `call` is not used any more. Commands end if they were started with
 * MSG_F_HANGUP, otherwise run on with their output dropped; transfers end. A main command that does
 * not hang up waits for job_attach, with its output in its pipes and what was sent last kept. */
void job_abandon(struct job *j);

/* The main command that r names gets another requester: STARTED, what it said from r's offset on,
 * as far as that is kept, and its end, also when that was told before. -ESRCH: no main command
 * waits under this number. */
struct job *job_attach(struct jobs *js, struct call *c, const struct request *r, struct err *e);

/* A piece of its output was sent. */
void job_said(struct job *j, enum msg_type type, const void *body, size_t len);

/* Does any of them run, or have something to say? */
bool jobs_busy(const struct jobs *js);

/* Kills all that this job ever started; groups_empty tells when it is gone. */
void jobs_end(struct jobs *js, uint32_t job);

/* A child is about to be reaped (its process group still has its number), then was. Unknown
 * pids are orphans of commands. */
void jobs_ending(struct jobs *js, pid_t pid);
void jobs_reaped(struct jobs *js, pid_t pid, int wait_status);

/* ---- implemented by control ---- */

/* How large a body may be sent now; 0 when even a header has no room. */
size_t call_room(const struct call *c);

/* Sends one frame, at most call_room. */
void call_send(struct call *c, enum msg_type type, const void *body, size_t len);
/* Sends ERROR. Its text may tell of names that tools chose: control characters become '?', for the
 * keeper takes none. */
#define CALL_ERROR_MAX (4 + sizeof(((struct err *)0)->msg))
void call_error(struct call *c, const struct err *e);

/* The final frame was sent; the job is gone when this returns. */
void call_end(struct call *c);

/* The job takes input again. */
void call_pump(struct call *c);

#endif
