/*
 * vhost.h - the back end of vhost-user (base/vhost.h): what the process that has the virtio-fs
 * device says on its socket, judged, and what came of it: the guest's memory and two rings.
 *
 * That process is a machine that a guest may have taken over. It is answered as the specification
 * demands, or it breaks a rule and that is the end: nothing is repaired or guessed.
 */
#ifndef SANDBOX_FILES_VHOST_H
#define SANDBOX_FILES_VHOST_H

#include "base/loop.h"
#include "base/vhost.h"
#include "base/virtq.h"
#include "sandbox/files/memory.h"

#define VHOST_HIPRIO   0u /* virtio 1.2, 5.11.2: forgetting and interrupting; then the requests */
#define VHOST_REQUESTS 1u
#define VHOST_RINGS    2u /* one ring of requests, as one thread serves them */

struct vhost_ring {
    struct vhost *vhost; /* borrowed: what it is a part of */
    struct virtq q;      /* enabled: the guest's memory may be touched for it */
    struct vhost_vring_addr addr;
    bool placed;             /* addr was told since it was stopped last */
    bool wanted;             /* SET_VRING_ENABLE */
    bool broken;             /* by the guest: served no more until it is stopped */
    struct loop_source kick; /* fd owned; -1: none. Edge-triggered: nobody has to read it */
    int call, error;         /* owned; -1: none */
};

struct vhost {
    int sock;          /* owned */
    struct loop *loop; /* borrowed */
    bool rung;         /* a doorbell rang, of whatever ring: they may have one in common */
    bool told;         /* that the guest broke a rule: once, a log is not for a guest to fill */
    uint64_t features; /* negotiated; 0: not yet */
    struct memory memory;
    struct vhost_ring ring[VHOST_RINGS];
};

/* Takes sock. *v is not moved. */
void vhost_init(struct vhost *v, int sock, struct loop *loop);
void vhost_fini(struct vhost *v);

/* One message. 1: it was followed; 0: the connection is over; -EPROTO with *e set: a rule was
 * broken; -errno. */
must_check int vhost_receive(struct vhost *v, struct err *e);

/* Tells the guest that something was pushed, if it wants to know. */
void vhost_interrupt(struct vhost *v, struct vhost_ring *r);

/* The guest broke a rule of virtio: the ring stands still, and the machine's process is told. */
void vhost_break(struct vhost_ring *r);

#endif
