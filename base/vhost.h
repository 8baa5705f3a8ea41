/*
 * vhost.h - vhost-user, as far as a live mount needs it: how the process that has a virtio device
 * (QEMU, carrel-vmm) lends its guest's memory and queues to the one that serves them
 * (carrel-files).
 *
 * "Vhost-user Protocol", QEMU's docs/interop/vhost-user: a stream socket; each message is a struct
 * vhost_head and `size` bytes, host byte order, with descriptors beside its first byte. The names
 * are the specification's without their prefix. The front end sends; the back end answers what says
 * so.
 */
#ifndef BASE_VHOST_H
#define BASE_VHOST_H

#include <stdint.h>

/* "Header": flags. */
#define VHOST_VERSION      0x1u
#define VHOST_VERSION_MASK 0x3u
#define VHOST_REPLY        0x4u
#define VHOST_NEED_REPLY \
    0x8u /* answer with a uint64_t, 0 for success; protocol feature REPLY_ACK */

/* Feature bit of the device that is the protocol's own: the next four requests may be used. */
#define VHOST_F_PROTOCOL_FEATURES (1ull << 30)

/* "Protocol features". */
#define VHOST_PROTOCOL_F_MQ        (1ull << 0)
#define VHOST_PROTOCOL_F_REPLY_ACK (1ull << 3)

/* "Front-end message types". */
enum vhost_request {
    VHOST_GET_FEATURES = 1, /* answered: uint64_t */
    VHOST_SET_FEATURES = 2, /* uint64_t */
    VHOST_SET_OWNER = 3,
    VHOST_SET_MEM_TABLE = 5,          /* struct vhost_memory, a descriptor a region */
    VHOST_SET_VRING_NUM = 8,          /* struct vhost_vring_state */
    VHOST_SET_VRING_ADDR = 9,         /* struct vhost_vring_addr */
    VHOST_SET_VRING_BASE = 10,        /* struct vhost_vring_state: the next available index */
    VHOST_GET_VRING_BASE = 11,        /* stops the ring; answered: struct vhost_vring_state */
    VHOST_SET_VRING_KICK = 12,        /* VHOST_VRING_*, a descriptor */
    VHOST_SET_VRING_CALL = 13,        /* the same */
    VHOST_SET_VRING_ERR = 14,         /* the same */
    VHOST_GET_PROTOCOL_FEATURES = 15, /* answered: uint64_t */
    VHOST_SET_PROTOCOL_FEATURES = 16, /* uint64_t */
    VHOST_GET_QUEUE_NUM = 17,         /* answered: uint64_t */
    VHOST_SET_VRING_ENABLE = 18,      /* struct vhost_vring_state: num is 0 or 1 */
};

/* Of a uint64_t that goes with a descriptor of a ring: which ring, and that no descriptor does. */
#define VHOST_VRING_INDEX 0xffull
#define VHOST_VRING_NO_FD 0x100ull

struct vhost_head {
    uint32_t request;
    uint32_t flags;
    uint32_t size; /* of what follows */
};

/* "Memory region description": user is what the rings' addresses are counted in, no pointer. */
struct vhost_region {
    uint64_t guest; /* physical */
    uint64_t size;
    uint64_t user;
    uint64_t offset; /* in the descriptor */
};

#define VHOST_REGIONS 8

struct vhost_memory {
    uint32_t n, padding;
    struct vhost_region region[VHOST_REGIONS]; /* n of them are sent */
};

struct vhost_vring_state {
    uint32_t index, num;
};

struct vhost_vring_addr {
    uint32_t index, flags;           /* flags: bit 0, log used; not used here */
    uint64_t desc, used, avail, log; /* in the front end's `user` addresses */
};

#endif
