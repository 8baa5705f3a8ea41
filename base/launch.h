/*
 * launch.h - the launch record: all that carrel-vmm is told, once, as plain data.
 *
 * The engine writes one struct vmm_launch to a descriptor and runs `carrel-vmm FD`; carrel-vmm
 * reads exactly sizeof(struct vmm_launch) bytes and checks every field again (vmm/launch.c): the
 * sender is a peer, not a friend. Everything else arrives as descriptors, whose numbers are in the
 * record; descriptors it does not name are closed. When the machine ends, carrel-vmm writes one
 * struct vmm_report to report_fd and exits with status 0 (it ran and ended by itself or by request)
 * or 1 (it could not start, or an internal error).
 *
 * Host byte order; both ends are of the same build. Change the layout, raise the version.
 */
#ifndef BASE_LAUNCH_H
#define BASE_LAUNCH_H

#include <stdint.h>

#define VMM_LAUNCH_MAGIC   0x4c56524cu /* "LRVL" */
#define VMM_LAUNCH_VERSION 4u

#define VMM_CMDLINE_MAX 2048u /* bytes with the NUL: COMMAND_LINE_SIZE of x86 Linux */
#define VMM_MEM_MIN     (64ull << 20)
#define VMM_MEM_MAX     (1ull << 40)
#define VMM_VCPUS_MAX   32u
#define VMM_DISKS_MAX   8u
#define VMM_PORTS_MAX   8u
#define VMM_SPARES_MAX  7u
#define VMM_PORT_NAME   32u /* bytes with the NUL */

enum {
    VMM_F_BALLOON = 1u << 0, /* balloon with free-page reporting */
    VMM_F_RNG = 1u << 1,
    VMM_F_SERIAL = 1u << 2, /* 16550 at 0x3f8; its output goes to serial_fd */
    VMM_F_FILTER = 1u << 3, /* no guest instruction runs without system call filters */
    VMM_F_ALL = 15u,
};

/*
 * Which system calls each kind of thread may make after the start: classic BPF, compiled and proved
 * by the starter (sandbox/confine/vmm.h). The file filter_fd leads to is a sealed memfd: this
 * header, then the instructions (struct sock_filter, 8 bytes each) of each kind in order.
 */
#define VMM_FILTERS_MAGIC 0x4650434cu /* "LCPF" */
#define VMM_FILTER_INSNS  4096u       /* BPF_MAXINSNS, uapi/linux/bpf_common.h */

enum { VMM_FILTER_VCPU, VMM_FILTER_IO, VMM_FILTERS };

struct vmm_filters {
    uint32_t magic, version;   /* as the launch record's */
    uint32_t len[VMM_FILTERS]; /* instructions, at least 1 */
};

enum {
    VMM_DISK_READONLY = 1u << 0,
    VMM_DISK_ALL = 1u,
};

struct vmm_launch_disk {
    int32_t fd; /* a regular file or block device, raw, whole 512-byte sectors */
    uint32_t flags;
    uint64_t bytes_per_s; /* rate limit, 0: none */
    uint64_t ops_per_s;   /* rate limit, 0: none */
    char serial[20];      /* virtio-blk GET_ID: ASCII, padded with NUL, not terminated when full */
    uint32_t reserved;    /* 0 */
};

struct vmm_launch_port {
    int32_t fd;               /* a connected stream socket; non-blocking is set by carrel-vmm */
    char name[VMM_PORT_NAME]; /* as in /sys/class/virtio-ports/.../name; [a-z0-9.-]+, terminated */
};

struct vmm_launch {
    uint32_t magic, version;
    uint32_t size; /* sizeof(struct vmm_launch) */
    uint32_t flags;
    uint64_t mem_bytes; /* whole MiB */
    uint32_t vcpus;
    int32_t kvm_fd;              /* /dev/kvm, opened by the launcher */
    int32_t kernel_fd;           /* ELF vmlinux: PVH note, or 64-bit entry */
    int32_t initrd_fd;           /* -1: none */
    int32_t serial_fd;           /* receives guest serial output; -1 without VMM_F_SERIAL */
    int32_t report_fd;           /* a pipe or socket: one struct vmm_report at the end */
    uint32_t serial_bytes_per_s; /* above this, serial output is dropped and counted; 0: no cap */
    uint32_t ndisks, nports;
    int32_t filter_fd; /* struct vmm_filters; -1: none, not with VMM_F_FILTER */
    int32_t files_fd; /* a connected stream socket to who serves live mounts' virtio-fs device, over
                         vhost-user (base/vhost.h); non-blocking is set by carrel-vmm; guest memory
                         is then a file; -1: none */
    uint32_t nspares;
    /* Connections like port 0's: when its peer hangs up, the next one takes the place. */
    int32_t spare_fds[VMM_SPARES_MAX];
    struct vmm_launch_disk disks[VMM_DISKS_MAX];
    struct vmm_launch_port ports[VMM_PORTS_MAX];
    char cmdline[VMM_CMDLINE_MAX]; /* printable ASCII, terminated */
};

/* Why the machine ended. The numbers are the protocol. */
enum vmm_reason {
    VMM_POWEROFF = 1,     /* ACPI S5 */
    VMM_REBOOT = 2,       /* reset register, or keyboard controller pulse */
    VMM_TRIPLE_FAULT = 3, /* KVM_EXIT_SHUTDOWN */
    VMM_PANIC = 4,        /* the guest kernel told the pvpanic port */
    VMM_TERMINATED = 5,   /* SIGTERM: somebody on the host asked */
    VMM_KVM_ERROR = 6,    /* KVM_EXIT_INTERNAL_ERROR, FAIL_ENTRY, or an ioctl failed */
    VMM_REFUSED = 7,      /* the launch record, kernel or a descriptor was refused: see text */
    VMM_HOST_ERROR = 8,   /* the host said no: out of memory, … */
    VMM_FORBIDDEN = 9,    /* a thread made a system call that its filter forbids: detail */
};

struct vmm_report {
    uint32_t magic, version; /* as the launch record's */
    uint32_t reason;         /* enum vmm_reason */
    uint32_t guest_mistakes; /* device verdicts "bad guest" in this run */
    uint64_t serial_dropped; /* bytes cut by serial_bytes_per_s */
    uint64_t detail;         /* guest RIP, errno, exit reason: as text says */
    char text[216];          /* one sentence for a person, terminated */
};

#endif
