/*
 * box_jail.h - jail.json: what the machine's process was locked into, as carrel-launch said at the
 * start; files.json: the same of carrel-files. `carrel inspect` shows the former, `carrel attest`
 * compares both with the living processes.
 */
#ifndef SANDBOX_BOX_JAIL_H
#define SANDBOX_BOX_JAIL_H

#include "base/err.h"
#include "base/jail.h"

#include <stdbool.h>
#include <sys/types.h>

#define BOX_SPACES 7u /* namespaces: box_space_name */

enum box_process { BOX_ENGINE, BOX_FILES, BOX_PROCESSES };

struct box_jail {
    char engine[16]; /* or "files" */
    pid_t pid;
    uint64_t start; /* as box_state.vmm_start */
    uint32_t uid;   /* on the host */
    uint8_t level[16], outcome[16];
    int32_t error[16];
    uint32_t landlock;             /* ABI */
    uint64_t limit[JAIL_LIMITS_N]; /* UINT64_MAX: as it was */
    uint64_t space[BOX_SPACES];    /* inode of each namespace; 0: could not be seen */
    uint32_t nfiles;
    struct box_file {
        uint64_t dev, ino;
    } file[JAIL_FDS_MAX]; /* the files and devices that it was given */
    uint32_t ncgroups;
    char cgroup[JAIL_CGROUPS_MAX][160]; /* directories of its leaves */
    uint64_t memory_max, pids_max;      /* set there; 0: not */
};

/* "user", "pid", "mnt", … as below /proc/PID/ns. */
const char *box_space_name(unsigned i);
/* "user", "pids", …: jail_layer. */
const char *box_layer_name(unsigned layer);
/* "applied", "absent", "not-asked"; "off", "preferred", "required". */
const char *box_outcome_name(unsigned outcome);
const char *box_level_name(unsigned level);

/* The inode of a process's namespace; 0 when it cannot be seen. */
uint64_t box_space_of(pid_t pid, unsigned i);

/* Removes its cgroups, whose processes have ended; idempotent. false: one is still there. */
bool box_sweep_jail(const struct box_jail *j);
/* true: a cgroup that the record in this directory, of sandbox id, names is still there. */
bool box_has_leaves(int dirfd, const char *id);
/* box_sweep_jail with what the record in this directory says, if there is one. A keeper that was
 * taken over can write there: what is no cgroup, or not named after this sandbox, is let be. */
void box_sweep_jail_of(int dirfd, const char *id);

must_check int box_save_jail(int dirfd, enum box_process which, const struct box_jail *j,
                             struct err *e);
/* -ENOENT: there is none. */
must_check int box_load_jail(int dirfd, enum box_process which, struct box_jail *j, struct err *e);
/* There is none any more. */
void box_forget_jail(int dirfd, enum box_process which);

#endif
