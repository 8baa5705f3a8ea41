/*
 * jail.h - the jail record: all that carrel-launch is told, once, as plain data.
 *
 * The engine writes one struct jail_record to a memfd, makes a process that may already be in a
 * user and a PID namespace of its own, and lets it execute `carrel-launch FD`. carrel-launch checks
 * every field again, builds the other layers round itself, writes one struct jail_report to
 * report_fd and becomes the program. A layer that is required and cannot be had ends it before
 * that, with the reason in the report; one that is preferred and cannot be had is reported.
 *
 * Host byte order; both ends are of the same build. Change the layout, raise the version.
 */
#ifndef BASE_JAIL_H
#define BASE_JAIL_H

#include <stdint.h>

#define JAIL_MAGIC   0x4c49414au /* "JAIL" */
#define JAIL_VERSION 2u

#define JAIL_FDS_MAX     40u
#define JAIL_CGROUPS_MAX 4u
#define JAIL_ARGS_MAX    96u
#define JAIL_ARG_BYTES   8192u
#define JAIL_BINDS_MAX   16u
#define JAIL_BIND_BYTES  1024u

/* One line, one thing that can be there or not. The order is that of the reports. */
#define JAIL_LAYERS_LIST(X)                                                                   \
    X(USER, "user", "a user of its own: a user namespace, or as root a uid from a range")     \
    X(PIDS, "pids", "a PID namespace: no other process can be named")                         \
    X(CGROUP, "cgroup", "limits of memory, CPU time and processes")                           \
    X(IPC, "ipc", "an IPC namespace")                                                         \
    X(UTS, "uts", "a host name of its own")                                                   \
    X(NET, "net", "a network namespace without any interface that is up")                     \
    X(CGROUP_NS, "cgroup-ns", "a cgroup namespace")                                           \
    X(ROOT, "root", "a mount namespace whose root is empty, or holds what the program needs") \
    X(LIMITS, "limits", "resource limits, no core files")                                     \
    X(CAPS, "caps", "no capability, none to be had again")                                    \
    X(NO_NEW_PRIVS, "no-new-privs", "no set-user-id program gives anything")                  \
    X(LANDLOCK, "landlock", "no access to files by name, to TCP, to others' sockets")         \
    X(SECCOMP, "seccomp", "system call filters, verified")

enum jail_layer {
#define X(id, name, what) JAIL_##id,
    JAIL_LAYERS_LIST(X)
#undef X
        JAIL_LAYERS
};

enum jail_level { JAIL_OFF, JAIL_PREFERRED, JAIL_REQUIRED };
enum jail_outcome { JAIL_NOT_ASKED, JAIL_APPLIED, JAIL_ABSENT };

/* What a descriptor may be; several kinds may do. */
enum {
    JAIL_REG = 1,
    JAIL_BLK = 2,
    JAIL_CHR = 4,
    JAIL_FIFO = 8,
    JAIL_SOCK = 16,
    JAIL_DIR = 32,    /* a path only (O_PATH); what is in the tree may be read */
    JAIL_DIR_RW = 64, /* the same; files, directories and links may also be made and changed */
    JAIL_KINDS = 127,
};

struct jail_fd {
    int32_t fd;
    uint32_t kinds;
};

enum { JAIL_LIMIT_NOFILE, JAIL_LIMIT_FSIZE, JAIL_LIMIT_MEMLOCK, JAIL_LIMIT_NPROC, JAIL_LIMITS_N };

struct jail_record {
    uint32_t magic, version;
    uint32_t size;                 /* sizeof(struct jail_record) */
    uint8_t level[16];             /* enum jail_level, by layer; 0 behind the last */
    int32_t made[2];               /* USER and PIDS, made with the process: 0, or errno */
    uint32_t uid, gid;             /* to become; equal to the present ones in a user namespace */
    int32_t program_fd;            /* a regular file, not writable by others, to be executed */
    int32_t report_fd;             /* a pipe or socket; also one of fds when the program uses it */
    uint64_t limit[JAIL_LIMITS_N]; /* soft and hard alike; UINT64_MAX: as it is */
    uint32_t ncgroups;
    int32_t cgroup_fd[JAIL_CGROUPS_MAX]; /* cgroup.procs, open for writing */
    uint32_t nfds;
    struct jail_fd fds[JAIL_FDS_MAX]; /* what the program inherits, besides 0, 1 and 2 */
    uint32_t nbinds;                  /* 0: the root is empty */
    char binds[JAIL_BIND_BYTES];      /* absolute paths, each terminated: read-only in the root */
    uint32_t nargs;
    char args[JAIL_ARG_BYTES]; /* each terminated */
};

struct jail_report {
    uint32_t magic, version;
    uint8_t outcome[16]; /* enum jail_outcome, by layer; SECCOMP is the program's own to say */
    int32_t error[16];   /* errno where ABSENT */
    uint32_t refused;  /* 0: the program runs; else layer + 1, or JAIL_LAYERS + 1: something else */
    uint32_t landlock; /* ABI, 0: none */
    char text[200];    /* why it was refused, terminated */
};

#endif
