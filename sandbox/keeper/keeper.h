/*
 * keeper.h - the keeper's own parts and how they meet. One thread, one loop.
 *
 *     link     a client's connection: one request
 *     session  one conversation with the guest, on a yamux stream
 *     jobs     commands by number, from their start until nothing is left of them in the guest
 *     wire     the control port that carries all sessions
 *     life     what becomes of the machine (lifecycle.h), and why
 *
 * Bytes flow link -> session -> wire and back. Each has room for one or two frames; whoever finds
 * no room stops reading, so that back pressure reaches from a stuck client to the guest's program
 * and the other way, and memory stays bounded.
 */
#ifndef SANDBOX_KEEPER_KEEPER_H
#define SANDBOX_KEEPER_KEEPER_H

#include "base/loop.h"
#include "base/mark.h"
#include "base/msg.h"
#include "base/yamux.h"
#include "sandbox/engine/engine.h"
#include "sandbox/engine/jail.h"
#include "sandbox/guard/guard.h"
#include "sandbox/keeper/holder.h"
#include "sandbox/keeper/journal.h"
#include "sandbox/keeper/lifecycle.h"
#include "sandbox/keeper/request.h"
#include "sandbox/keeper/talk.h"
#include "sandbox/store.h"

#include <sys/resource.h>

#define KEEPER_SESSIONS 65u  /* live conversations with the guest; one of them is about its jobs */
#define KEEPER_JOBS     256u /* commands that run or have left something behind (guest/groups.h) */
#define KEEPER_LINKS    64u  /* clients at once */
/* Descriptors at most: each link, each volume while it is handed over, and what there is one of:
 * standard ones, directory, lock, log, ledgers of ancestors, loop, jail, engine; and room for
 * libraries. */
#define KEEPER_FILES         (KEEPER_LINKS + ENGINE_VOLUMES + 2 * ENGINE_SPARES + 128u)
#define KEEPER_GRACE_MS      10000u /* between TERM and KILL of the main command, unless said */
#define KEEPER_AWAIT_MAIN_MS 10000u /* for a client that said it will send the main command */
#define FRAME_MAX            (MSG_HEADER + MSG_MAX)
/* What clients leave free on a command's stream: the keeper's own SIGNAL and STDIN_EOF. */
#define KEEPER_RESERVE (2 * MSG_HEADER + 1)

struct keeper;

/* ---- session.c ---- */

struct session {
    struct keeper *k;
    uint32_t id; /* yamux stream; 0: the slot is free */
    struct talk talk;
    int64_t partial_since; /* a frame begun but not finished, ms; 0: none */
    size_t have;
    uint8_t *buf;    /* owned, FRAME_MAX: what came from the guest and is not delivered yet */
    struct job *job; /* borrowed: of an EXEC; else NULL */
    char *asked;     /* owned: a transfer, as the policy was asked about it; NULL: none */
    bool stays;      /* a command that outlives its client */
    bool eof_due;    /* its client went; its input is to end as soon as there is room */
};

/* Opens a stream and writes the request, sealed in b. NULL: *e says why. */
struct session *session_open(struct keeper *k, const struct request *r, struct msg_builder *b,
                             struct err *e);
/* Moves what can be moved from the guest to whoever listens. */
void session_pull(struct session *s);
/* The stream's end as the wire saw it (EOF or reset) without a last frame. */
void session_lost(struct session *s, const char *why);
/* One whole frame for the guest: false when there is no room now. */
must_check bool session_send(struct session *s, const struct msg_frame *f);
/* Ends it from our side; nobody is told. */
void session_drop(struct session *s);
/* Its client went. A command that stays goes on, for nobody, and is still the keeper's to end. */
void session_unheard(struct session *s);

/* ---- jobs.c ---- */

/*
 * A command and everything that it started, as this side's books have it. What the guest says of
 * emptiness shortens the books and decides nothing else.
 */
struct job {
    struct keeper *k;
    uint32_t id;             /* 0: the slot is free */
    struct session *session; /* borrowed; NULL: the command's conversation is over */
    char *asked;             /* owned: the request, as the policy was asked about it */
    char *held;              /* owned: the same with all that its profile gave it */
    bool gone;               /* the guest says so */
    bool denied;             /* it is to end, as soon as it has started */
    int64_t end_due; /* ms: nothing should be left of it by then; 0: it was not told to end */
};

/* Books a command that the guard has just judged, and adds its number to the EXEC in b. NULL: too
 * many, *e says so. */
struct job *job_new(struct keeper *k, struct msg_builder *b, struct err *e);
/* No session came of it. */
void job_free(struct job *j);
/* Books what the last keeper had: the main command, with a session; the others, which are ended. */
void jobs_adopt(struct keeper *k, struct session *main);
/* Its session ends: with last, or NULL when it was dropped. */
void job_left(struct job *j, const struct msg_frame *last);
/* STARTED came. */
void job_started(struct job *j);
/* The guest says that nothing is left of one. */
void jobs_gone(struct keeper *k, const struct msg_frame *gone);
/* Another policy is in force: ends what it denies, and what has more than it gives. */
void jobs_decide_again(struct keeper *k);
/* Ends the sandbox whose guest does not end a job. The next such moment, or INT64_MAX. */
int64_t jobs_tick(struct keeper *k, int64_t now);
void jobs_fini(struct keeper *k);

/* ---- wire.c ---- */

struct wire {
    struct loop_source src; /* fd owned: our end of the port */
    struct yamux *y;        /* owned */
    bool dead;              /* closed or broken: the descriptor is not used any more */
    bool deaf;              /* the other end reads no more */
    uint32_t events;        /* what src waits for now */
    size_t in_at, in_end, out_at, out_end;
    uint8_t in[65536], out[65536];
    bool greets; /* nothing of ours is said, and nothing believed, before the guest has answered */
    uint8_t nonce[MARK_BYTES]; /* with this */
    struct mark_search answer;
};

/* Takes fd. */
must_check int wire_open(struct keeper *k, int fd, struct err *e);
/* Its first words, where another keeper talked before: the guest's mark, and what it is to answer.
 */
must_check int wire_greet(struct wire *w, const uint8_t mark[MARK_BYTES], struct err *e);
void wire_close(struct wire *w);
/* Takes what the engine left in the port; for the end. */
void wire_drain(struct keeper *k);
/* Moves everything that can be moved; call after anything that wrote to a stream. */
void wire_pump(struct keeper *k);

/* ---- link.c ---- */

enum link_state {
    LINK_ASKING,  /* the request has not come yet */
    LINK_TALKING, /* its session lives */
    LINK_WAITING, /* will get ENDED */
    LINK_LEAVING, /* the last frame is queued */
};

struct link {
    struct keeper *k;
    struct link *next;
    struct loop_source src; /* fd owned */
    enum link_state state;
    struct session *session; /* borrowed; TALKING only */
    uid_t user;
    bool is_main;   /* sent the main command, or attached to it */
    bool is_origin; /* sent it */
    bool may_stdin; /* its STDIN is the session's */
    uint32_t events;
    int64_t partial_since; /* ms; since the connection, or since a frame began */
    size_t have, out_at, out_end;
    uint8_t in[FRAME_MAX], out[2 * FRAME_MAX];
};

/* A client that was let in. Takes fd. */
must_check int link_new(struct keeper *k, int fd, uid_t user);
bool link_has_room(const struct link *l, uint32_t payload);
/* Sends a frame to the client; there must be room. */
void link_put(struct link *l, enum msg_type type, const void *body, size_t len);
/* The same in two steps: many frames, one system call. */
void link_queue(struct link *l, enum msg_type type, const void *body, size_t len);
void link_flush(struct link *l);
/* ERROR as the last frame. */
void link_fail(struct link *l, int code, const char *text);
/* DENIED as the last frame. */
void link_deny(struct link *l, const char *json);
/* Leaves once what is queued is sent. */
void link_leave(struct link *l);
/* Handles what was read before and could not be passed on. */
void link_retry(struct link *l);
void link_free(struct link *l);
/* Closes clients that began something and never went on. The next such moment, or INT64_MAX. */
int64_t link_expire(struct keeper *k, int64_t now);

/* ---- lockdown.c ---- */

/* A sanitizer's runtime needs files, memory and system calls that no jail has. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define JAILED false
#else
#define JAILED true
#endif

/* From here on (keeper_settle) the keeper asks the kernel for nothing but what serving a machine
 * takes: the filter "keeper" (policies/processes.c), and, where there is Landlock, writing in the
 * state directory only. */
must_check int keeper_lock_down(struct keeper *k, struct err *e);

/* ---- door.c ---- */

must_check int door_listen(struct keeper *k, struct err *e);
/* With a door that is there: takes fd. */
must_check int door_watch(struct keeper *k, int fd, struct err *e);
/* Lets clients in again, if accept4 had failed for want of a descriptor: one is free now. */
void door_open(struct keeper *k);
/* The same when it is time to try. The next such moment, or INT64_MAX. */
int64_t door_tick(struct keeper *k, int64_t now);
/* Removes the socket; who had come before is let in first, and told with the others. */
void door_close(struct keeper *k);

/* ---- limits.c ---- */

struct limits {
    int64_t begun, cpu_due, worked; /* ms */
    uint64_t cpu_seen;              /* ms of the engine's process, accounted for */
};

void limits_begin(struct keeper *k);
/* Goes on with what another has kept. */
void limits_adopt(struct keeper *k);
/* Another policy is in force. */
void limits_again(struct keeper *k);
/* Ends the sandbox when one is over. The next such moment, or INT64_MAX. */
int64_t limits_tick(struct keeper *k, int64_t now);
/* The machine has ended, having used this. */
void limits_end(struct keeper *k, const struct rusage *used);

/* ---- adopt.c ---- */

#define KEPT_TEXT (256u << 10)

/*
 * What a keeper remembers for the one after it, in memory that both have (holder.h). It is read
 * once, by a keeper that has just begun. A guest may have taken the last one over: nothing here,
 * nor in the sandbox's directory, is read before the lock-down, and neither is believed beyond what
 * that keeper could do itself.
 */
struct kept {
    struct limits limits;
    uint32_t last_job, jobs[KEEPER_JOBS]; /* numbers in the books; 0: none */
    uint32_t main_job;                    /* 0: its books did not fit */
    bool had_main, main_tty;
    char asked[KEPT_TEXT], held[KEPT_TEXT]; /* main_job's */
    /* How much of its output was taken when output.log was so large; the one that holds is changed
     * at once, whenever its keeper is killed. */
    struct {
        uint64_t taken, size;
    } output[2];
    _Atomic uint32_t output_now;
};

struct keeper_parts;

/* From what was kept and given, up to a keeper that goes on where the last one was killed. It is
 * locked down before it reads anything that the last one could have written. On failure the machine
 * is to end with its holder. */
must_check int keeper_adopt(struct keeper *k, const struct keeper_parts *p, struct err *e);

/* What the main command said. However a keeper ends, the next one knows how much of it is in
 * output.log. */
void keeper_log_output(struct keeper *k, const void *bytes, size_t len);

/* Before the guest is heard: if another keeper could go on, that one gets what it needs. */
void keeper_provide(struct keeper *k);

/* ---- files.c ---- */

/* carrel-files of this sandbox; all -1 and 0 when nothing is live. */
struct files {
    struct engine_run run;
    struct loop_source reports; /* fd: run's */
    int64_t refilled;           /* ms: reports are taken at a rate of ours */
    uint32_t tokens, withheld;
    uint8_t rules[SHA256_BYTES]; /* of what it was told */
    struct jail jail;            /* what was asked for; nothing is held once it has started */
    struct box_jail record;      /* what files.json says */
};

void keeper_files_init(struct files *f);
/* Where the plan has live mounts: starts the server; p has the engine's end of its stream. */
must_check int keeper_files_start(struct keeper *k, struct keeper_parts *p, struct err *e);
/* The server that another keeper had started, which run and rules say: it is heard. */
must_check int keeper_files_adopt(struct keeper *k, struct err *e);
/* Has it ended? The last keeper may have been told, and then nobody tells this one; it may have
 * written that down, too, but that is on record twice rather than not at all. */
void keeper_files_look(struct keeper *k);
/* It has ended, as waitpid says. */
void keeper_files_gone(struct keeper *k, int status);
/* What it denied is taken down until here. */
void keeper_files_drain(struct keeper *k);
/* Another policy is in force. One whose live mounts are others is refused before; where nobody was
 * asked (a grant expired, a parent narrowed, a quarantine) the server is ended. */
void keeper_files_follow(struct keeper *k);
/* The server is ended, if it was not. */
void keeper_files_over(struct keeper *k);

/* ---- all of it ---- */

struct keeper {
    struct loop loop;
    int boxfd, lock; /* owned */
    struct store *store;
    struct box_config cfg;
    struct box_state state;
    bool await_main, trace;
    bool has_volumes; /* that are written to: it ends in order, whatever else it has */
    int64_t t0;       /* ms, monotonic; start of this process */

    /* life */
    enum life_state life;
    int64_t deadline;     /* of this life state, ms; 0: none */
    int64_t main_due;     /* a client should have sent the main command by then; 0: no */
    int64_t port_due;     /* the port was closed; the engine should have ended by then; 0: no */
    int64_t next_ping;    /* 0: not yet */
    int64_t silent_since; /* an unanswered ping was sent then; 0: none */
    uint32_t grace_ms;    /* between asking the main command to end and insisting */
    uint8_t ask_signal;   /* TERM, or HUP when its client went away */
    int64_t reaped_at;    /* the engine is gone; what it said is still being passed on; 0: no */

    struct guard *guard;       /* owned: the policy in force; there is one from keeper_begin on */
    struct hold *hold;         /* borrowed */
    struct kept *kept;         /* hold's */
    int spares[ENGINE_SPARES]; /* owned: control connections of keepers to come; -1: none */

    /* machine */
    const struct engine *engine;
    struct host_facts host;
    uint8_t mark[MARK_BYTES]; /* by which the guest knows the keepers to come */
    struct engine_run run;
    struct files files;
    struct jail jail;
    struct box_jail jail_record; /* what jail.json says */
    bool jail_told;
    bool settled, open;                                  /* open: it could not be locked down */
    int (*lock_down)(struct keeper *k, struct err *e);   /* NULL: a test's */
    struct loop_source children, engine_report, signals; /* their fds: hold's; run's; owned */
    struct journal console, engine_log, output;
    uint64_t log_left;

    /* talk */
    struct wire wire;
    struct session sessions[KEEPER_SESSIONS];
    /* Borrowed from sessions; NULL: not (any more). The roster is about the guest's jobs. */
    struct session *setup, *roster, *main, *poweroff;
    struct job jobs[KEEPER_JOBS];
    uint32_t last_job;
    bool had_main;
    uint8_t main_pid[4]; /* as STARTED said, for those who attach later */
    struct loop_source listener;
    struct link *links;
    unsigned nlinks;
    int64_t door_due;           /* nobody is let in until then, ms; 0: everybody is */
    struct msg_builder builder; /* scratch */
};

/* ---- log.c ---- */

int64_t keeper_now(void);    /* ms, monotonic */
int64_t keeper_utc_ns(void); /* since 1970 */
/* From the environment, for tests; milliseconds. */
int64_t keeper_setting(const char *name, int64_t otherwise);
void keeper_log(struct keeper *k, const char *fmt, ...) printf_like(2, 3);
void keeper_trace(struct keeper *k, const char *what);

/* ---- keeper.c: life ---- */

void keeper_event(struct keeper *k, enum life_event ev);
/* The first reason is the one that stays. */
void keeper_reason(struct keeper *k, const char *reason, const char *text);
/* A guest that broke the protocol is ended. */
void keeper_broken(struct keeper *k, const char *why);

void keeper_session_over(struct keeper *k, struct session *s, const struct msg_frame *last);
/* A command that the guard has let pass. NULL: *e says why. */
struct session *keeper_start_command(struct keeper *k, const struct request *r,
                                     struct msg_builder *b, struct err *e);
must_check int keeper_start_main(struct keeper *k, const struct request *r, struct msg_builder *b,
                                 struct err *e);
/* Another policy is in force: what it denies is ended. */
void keeper_decide_again(struct keeper *k);
/* The client that had sent the main command went away. */
void keeper_client_gone(struct keeper *k);

void keeper_save(struct keeper *k);
/* Nothing on a disk of its own that anybody could want to see again. */
bool keeper_is_volatile(const struct keeper *k);

/* ---- run.c ---- */

/* Until the sandbox has ended. */
must_check int keeper_run(struct keeper *k, struct err *e);

/* ---- jail.c ---- */

/* What is asked for, and what the host keeps for it. */
void keeper_jail_prepare(struct keeper *k);
/* The machine has ended: its cgroups go. */
void keeper_jail_over(struct keeper *k);
/* After the engine has said something: what it is locked into goes on record. */
void keeper_jail_told(struct keeper *k);
/* Locks the keeper down, once: when all jails were told of, for Landlock hides who is in them; at
 * the latest (now) before it reads what a guest says. Where that fails the machine ends, unheard.
 */
void keeper_settle(struct keeper *k, bool now);
/* What carrel-launch has told of a process that runs, and what can be seen of it. */
void keeper_jail_fill(struct box_jail *b, const struct jail *asked, const struct engine_run *run);

/* ---- volumes.c ---- */

bool keeper_mount_writes(const struct plan_mount *m);
/* Opens what the plan mounts, and has the log say what is in it. */
must_check int keeper_open_volumes(struct keeper *k, struct keeper_parts *p, struct err *e);

/* ---- begin.c ---- */

/* What the engine borrows while it is started; -1: none. The caller's. */
struct keeper_parts {
    int kernel, initrd, image;     /* handed over by whoever started the keeper */
    int disk;                      /* by keeper_begin, with open_disk */
    int port, files, console, log; /* by keeper_begin */
    int spares[ENGINE_SPARES];     /* by keeper_begin; -1: none */
    unsigned nspares;
    struct engine_volume volumes[ENGINE_VOLUMES]; /* by keeper_begin; their fds: owned */
    unsigned nvolumes;
    /* disk_open, by keeper_launch; NULL: what is at `disk` will do. */
    int (*open_disk)(int boxfd, uint64_t bytes, uint64_t inodes, char hint[240], struct err *e);
};

#define KEEPER_PARTS_INIT \
    ((struct keeper_parts){ -1, -1, -1, -1, -1, -1, -1, -1, { 0 }, 0, { { 0 } }, 0, NULL })

/* boxfd and hold are borrowed, outlive it. */
struct keeper *keeper_new(int boxfd, struct hold *hold, bool await_main, struct err *e);
void keeper_free(struct keeper *k);

/* From here on the machine is what the plan says. */
must_check int keeper_open_guard(struct keeper *k, const struct keeper_parts *p, bool adopted,
                                 char hint[240], struct err *e);
/* A log in the sandbox's directory, of at most cap bytes; one that goes on keeps what it has. */
must_check int keeper_open_log(struct keeper *k, struct journal *j, const char *name, uint64_t cap,
                               bool goes_on, struct err *e);
/* The stream on which the guest's jobs are told of. */
must_check int keeper_ask_jobs(struct keeper *k, struct err *e);
#define KEEPER_ENGINE_LOG (1ull << 20)

/* Takes the lock and reads the configuration. */
must_check int keeper_claim(struct keeper *k, struct err *e);

/* With k->engine chosen: up to a machine that boots and a socket that listens. What was begun when
 * it fails is undone by keeper_undo. */
must_check int keeper_begin(struct keeper *k, struct keeper_parts *p, char hint[240],
                            struct err *e);
void keeper_undo(struct keeper *k);
/* Kills it, and waits until it has ended: its pidfd tells, whoever reaps it. */
void keeper_end(const struct engine_run *r);

/* ---- launch.c ---- */

/* Claim, choose, open and begin; hint is for a person. Takes the descriptors in given. */
void keeper_parts_close(struct keeper_parts *p);
must_check int keeper_launch(struct keeper *k, struct keeper_parts *given, char hint[240],
                             struct err *e);

#endif
