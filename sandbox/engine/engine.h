/*
 * engine.h - what runs the machine: ours on KVM, or QEMU in software. Same kernel, image and wire.
 *
 * The kernel command line, the order of disks and the port names are the same on both, so that
 * carrel-init cannot tell them apart:
 *     disk 0   /dev/vda  the image, read-only squashfs
 *     disk 1   /dev/vdb  the writable layer, ext4, when there is one
 *     then     "vol0" …  volumes, ext4, found by these serial numbers
 *     port 0   "carrel.control"
 *     cmdline  "console=ttyS0 ..."-free by default; "carrel.root=ro",
 * "carrel.overlay=tmpfs|vdb|BYTES,INODES", "carrel.mount=SERIAL,ro|rw,TARGET",
 * "carrel.live=ID,ro|rw,TARGET", "carrel.trace"
 *     virtiofs "carrel.files", with a live mount
 *
 * engine_start makes the process but holds it at a gate, before it has executed anything: the
 * keeper writes down that it exists, then opens the gate. If the keeper dies in between, the gate
 * closes and the process ends by itself; there is no moment at which an engine runs unrecorded.
 */
#ifndef SANDBOX_ENGINE_ENGINE_H
#define SANDBOX_ENGINE_ENGINE_H

#include "base/err.h"
#include "base/files.h"
#include "base/jail.h"
#include "sandbox/box_jail.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define ENGINE_SPARES  7u /* VMM_SPARES_MAX */
#define ENGINE_VOLUMES 6u /* VMM_DISKS_MAX, less the image and the writable layer */

/* A file system of its own at a place of its own. */
struct engine_volume {
    int fd;
    bool readonly;
    const char *target; /* absolute, in the guest; borrowed */
};

/* A directory of the host that carrel-files serves. */
struct engine_live {
    const char *id, *target; /* borrowed */
    bool readonly;
};

/* Everything an engine needs; descriptors are borrowed during engine_start. */
struct engine_spec {
    uint64_t mem_bytes;
    uint32_t vcpus;
    int kernel_fd, initrd_fd;
    int image_fd; /* read-only disk */
    int disk_fd;  /* writable disk, -1 = none */
    struct engine_volume volumes[ENGINE_VOLUMES];
    unsigned nvolumes;
    struct engine_live live[FILES_MOUNTS_MAX];
    unsigned nlive;
    int files_fd; /* a stream socket to carrel-files, which serves the virtio-fs device FILES_NAME
                   * (base/vhost.h). Of no interest without a live mount */
    int port_fds[8];
    const char *port_names[8];
    unsigned nports;
    int spare_fds[ENGINE_SPARES]; /* more connections of port 0; port_fds[0] and these: connect */
    unsigned nspares;
    bool sibling;   /* the process is the child of our parent, who reaps it */
    int console_fd; /* guest kernel messages, a stream socket; -1 = no serial port */
    int log_fd;     /* the engine's own stderr, for append */
    /* The image is read through its hash tree (sandbox/image/verity.h); 0 blocks: it is not. */
    uint64_t verity_blocks;
    const char *verity_root;
    bool root_readonly; /* no writable layer at all */
    bool no_balloon;
    uint64_t overlay_bytes, overlay_inodes; /* of a writable layer in guest memory; 0: the guest's
                                             * own limit */
    const char *cmdline_extra;              /* may be NULL */
    const struct jail *jail; /* what it is locked into (jail.h); NULL: nothing but filters */
};

/* A started machine. Descriptors are owned by the caller: engine_run_fini. */
struct engine_run {
    pid_t pid;
    int pidfd;
    int gate_fd;   /* open until engine_release */
    int report_fd; /* readable: call ops->report. kvm: a struct vmm_report; qemu: its monitor */
    struct engine_words {
        size_t have;
        char bytes[4096];
        char reason[24]; /* qemu: as the monitor's last SHUTDOWN said */
    } words;             /* what was read there */
    bool jailed;         /* carrel-launch comes first on report_fd, and says: */
    size_t jail_have;    /* bytes of it */
    struct jail_report jail;
    bool filtered;                 /* with system call filters that are required */
    uint64_t limit[JAIL_LIMITS_N]; /* as the program runs under them, UINT64_MAX: as it was */
    uint32_t nfiles;
    struct box_file file[JAIL_FDS_MAX]; /* files and devices that it was given */
};

/* Has carrel-launch reported? run->jail is whole then. */
bool engine_has_jail(const struct engine_run *r);

void engine_run_init(struct engine_run *r);
void engine_run_fini(struct engine_run *r);
/* Opens the gate. */
must_check int engine_release(struct engine_run *r, struct err *e);

/* How a machine ended, the same words for every engine. */
struct engine_end {
    char reason[24]; /* as box_state.reason */
    char text[240];
};

struct engine {
    const char *name; /* "kvm", "qemu" */
    /* Can it run here? 0, or -errno with why in *e and the remedy in hint. */
    int (*check)(char hint[240], struct err *e);
    /* n connections of port 0, one after the other: ours, and what it needs of them, -1 where there
     * is none. All are -1 before; what was made when it fails is the caller's as well. */
    int (*connect)(int dirfd, int ours[], int theirs[], unsigned n, struct err *e);
    int (*start)(const struct engine_spec *spec, struct engine_run *run, struct err *e);
    /* Takes what arrived on report_fd. false: nothing more will. */
    bool (*report)(struct engine_run *run);
    /* After the process is reaped: says why it ended. */
    void (*end)(struct engine_run *run, int wait_status, struct engine_end *out);
    bool outlives_files; /* what waits for carrel-files gets an error when that ends */
};

extern const struct engine engine_kvm, engine_qemu;

/* By name, or with NULL the best one that works here: kvm where 64-bit supervisor code runs at
 * speed, otherwise qemu. why says in one sentence what decided. */
const struct engine *engine_choose(const char *name, char why[240], char hint[240], struct err *e);

enum kvm_speed { KVM_NATIVE, KVM_SLOW /* interpreted supervisor code, e.g. kvm-pvm */ };

/* Measures, in under 200 ms, 64-bit supervisor code on /dev/kvm. The verdict is kept per boot of
 * the host in the cache directory. -errno when /dev/kvm cannot be used: hint has the remedy
 * (absent, no permission, group not yet effective, …, each its own sentence). */
must_check int kvm_probe(enum kvm_speed *speed, double *mips, char hint[240], struct err *e);

#endif
