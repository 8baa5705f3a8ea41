/*
 * store.h - what is on disk about sandboxes, and who owns one right now.
 *
 * $CARREL_STATE (default $XDG_STATE_HOME/carrel, as root /var/lib/carrel; never /tmp) holds
 *
 *     sandboxes/ID/config.json   what was asked; written once at create
 *     sandboxes/ID/state.json    what is; replaced atomically by the keeper
 *     sandboxes/ID/lock          held (flock) by the keeper, and by who would replace it
 *     sandboxes/ID/client        held (flock) by who makes it, until a keeper has it
 *     sandboxes/ID/keeper.sock   where the keeper listens
 *     sandboxes/ID/disk.img      the writable layer, when the sandbox has one on disk
 *     sandboxes/ID/output.log    what the main command printed, capped
 *     sandboxes/ID/console.log   the guest kernel's messages, capped
 *     sandboxes/ID/keeper.log    the keeper's and the engine's own messages
 *     names/NAME -> ID           symbolic links: a name is taken by creating one
 *
 * Directories are 0700, files 0600. A sandbox whose state says it lives while nobody holds the
 * lock has lost its keeper: store_reconcile ends what is left of it and writes the truth.
 */
#ifndef SANDBOX_STORE_H
#define SANDBOX_STORE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define BOX_ID_LEN   12 /* lower-case hexadecimal digits */
#define BOX_NAME_MAX 63

struct box_label {
    char *key, *value; /* owned */
};

/* What was asked. Every string is owned; NULL where not given. Lists end with NULL. */
struct box_config {
    char id[BOX_ID_LEN + 1];
    char name[BOX_NAME_MAX + 1]; /* generated when none was given */
    bool ephemeral;              /* removed when it ends */
    char *image;                 /* as asked: name, or path of an image file */
    char *kernel;                /* as asked: name; NULL = the default kernel */
    char *engine;                /* "kvm", "qemu", or NULL = choose */
    char *policy;                /* its name, for people; what is enforced is policy.json */
    char policy_hash[65];
    uint64_t mem_bytes; /* whole MiB */
    uint32_t vcpus;
    uint64_t disk_bytes; /* writable layer on disk; 0 = in guest memory */
    char **argv;         /* main command; NULL = none, the sandbox idles */
    char **env;          /* NAME=value */
    char *cwd, *user;
    bool tty, stdin_open;
    uint32_t timeout_ms; /* of the main command; 0 = none */
    uint32_t stop_grace_ms;
    uint64_t wall_ms, idle_ms; /* of the sandbox, as planned */
    struct box_label *labels;
    size_t nlabels;
    int64_t created_ns; /* UTC */
};

enum box_phase { BOX_CREATED, BOX_BOOTING, BOX_RUNNING, BOX_STOPPING, BOX_ENDED };
const char *box_phase_name(enum box_phase p);

/* What is. Written by the keeper only (or by store_reconcile once it holds the lock). */
struct box_state {
    enum box_phase phase;
    char engine[16];                  /* chosen */
    pid_t keeper_pid, vmm_pid;        /* 0 = none */
    uint64_t keeper_start, vmm_start; /* /proc/PID/stat field 22: guards against reuse of a pid */
    int64_t started_ns, ready_ns, ended_ns; /* UTC; 0 = not yet */
    int exit_code; /* of the main command as carrel would exit; -1 = unknown */
    /* exited|signal|timeout|stopped|killed|poweroff|reboot|triple-fault|panic|watchdog|vmm-crash|
     * forbidden|keeper-lost|refused|protocol (the guest broke the wire's rules). The first three,
     * and the exit_code with them, are the guest's word: reported, never a reason for anything. */
    char reason[24];
    char text[240]; /* one sentence more, possibly empty */
};

void box_config_fini(struct box_config *c);

struct store;                            /* the opened state directory */
struct store *store_open(struct err *e); /* creates it when absent */
void store_close(struct store *s);

/* Chooses id and name (unless cfg->name is set: -EEXIST when taken), makes the directory, writes
 * config.json and the first state.json. Nothing is left behind on failure.
 *
 * Until it is let go, by a keeper that has claimed it or by store_let_go, it lives as long as this
 * store is open: nobody else would know what to do with it. */
must_check int store_create(struct store *s, struct box_config *cfg, struct err *e);

/* The sandbox made last is complete, and stays without us. */
void store_let_go(struct store *s);
/* The same, by its keeper. */
void box_let_go(int dirfd);

/* By name, id, or unique id prefix: the sandbox's directory descriptor (the caller's) and its id.
 * -ENOENT with "no such sandbox"; -ENOTUNIQ names two candidates. */
must_check int store_find(struct store *s, const char *what, char id[BOX_ID_LEN + 1],
                          struct err *e);

must_check int box_load_config(int dirfd, struct box_config *out, struct err *e);
must_check int box_load_state(int dirfd, struct box_state *out, struct err *e);
/* durable: to be found again after a power cut; nobody wants that of an ephemeral sandbox. */
must_check int box_save_state(int dirfd, const struct box_state *st, bool durable, struct err *e);

must_check int box_save_config(int dirfd, const struct box_config *c, struct err *e);

/* state.json's text, also what STATE and ENDED carry. to_json: owned by the caller. */
char *box_state_to_json(const struct box_state *st, struct err *e);
must_check int box_state_parse(const char *text, size_t len, struct box_state *out, struct err *e);

/* state.json and config.json as one JSON text, the form that `inspect --json` prints. Owned by
 * caller. */
char *box_to_json(const struct box_config *c, const struct box_state *s, struct err *e);

/* Ids of all sandboxes, sorted by creation; *out is the caller's (free each and the array). */
must_check int store_list(struct store *s, char ***out, size_t *n, struct err *e);

/* The keeper's lock. -EWOULDBLOCK when another process holds it. Returns the lock's descriptor. */
must_check int box_lock(int dirfd, struct err *e);
/* Lets go of it, also where another process has the descriptor. */
void box_unlock(int *lock);

/* Whoever keeps the lock says who it is, for people who find it held: pid and start time (proc.h).
 * Both 0: nobody has said so. It may be one that held it before. */
struct box_holder {
    pid_t pid;
    uint64_t start;
    pid_t above; /* the process that would replace it and ends with the machine (keeper/holder.h) */
    uint64_t above_start;
};

must_check int box_sign(int lock, pid_t above, struct err *e);
struct box_holder box_holder(int dirfd);
/* Kills whoever holds it, with the machine, and waits at most timeout_ms: as proc_kill. */
must_check int box_kill_holder(const struct box_holder *h, int timeout_ms, struct err *e);

/* Ends and records a sandbox whose keeper is gone; removes it when ephemeral. Idempotent; every
 * verb calls it for what it touches, `ls` and `ps` for all. 1 = something was mended. */
must_check int store_reconcile(struct store *s, const char *id, struct err *e);

/* Removes an ended or created sandbox entirely. -EBUSY while a keeper holds it. */
must_check int store_remove(struct store *s, const char *id, struct err *e);

#endif
