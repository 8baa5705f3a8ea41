/*
 * port.h - one port of the console: bytes between two queues and a connected stream socket.
 *
 * Nothing is kept here but positions: what cannot go on stays where it is, in the ring or in the
 * socket. Everything is called with the console's lock held, on the I/O thread after start-up.
 */
#ifndef VMM_VIRTIO_PORT_H
#define VMM_VIRTIO_PORT_H

#include "base/launch.h"
#include "vmm/virtio/virtio.h"

#define PORT_BATCH     32u /* chains in one system call */
#define PORT_BATCH_IOV 64u /* and their buffers */

/* A transfer in hand; one serves all ports. */
struct port_batch {
    struct virtq_chain chain;
    struct iovec iov[PORT_BATCH_IOV];
    struct {
        uint16_t head;
        uint32_t len;
    } part[PORT_BATCH];
};

/* What a port still has to tell the guest. */
#define SAY_ADD  1u
#define SAY_NAME 2u
#define SAY_OPEN 4u /* host_open, as it is when there is a buffer for it */

struct port {
    struct loop_source sock;  /* fd owned; -1 while no peer is there */
    struct virtio_dev *dev;   /* borrowed: the console, embeds this */
    struct port_batch *batch; /* borrowed from the console; used under its lock */
    uint16_t rx;              /* the receive queue; the transmit queue is the next */
    char name[VMM_PORT_NAME];
    uint32_t watched; /* events asked of the loop … */
    bool in_loop;     /* … while the loop has the socket at all */
    uint32_t say;     /* SAY_* */
    bool host_open;   /* the peer is there */
    bool deaf;        /* … but no longer takes bytes */
    bool ready;       /* the guest knows the port */
    bool guest_open;  /* and has it open */
    bool readable;    /* the loop said so, and nothing has been read to the end since */
    bool full;        /* the socket takes no more for now */
    uint32_t sent;    /* bytes of the first waiting transmit chain already in the socket */
    unsigned nspares;
    int spare[VMM_SPARES_MAX]; /* owned: peers to come, the last first */
};

/* Takes from->fd on success. */
must_check int port_open(struct port *p, struct virtio_dev *dev, struct port_batch *batch,
                         uint16_t rx, const struct vmm_launch_port *from, struct err *e);
/* Another peer, for when this one is gone; what is added last comes first. Takes fd on success. */
must_check int port_add_spare(struct port *p, int fd, struct err *e);
void port_close(struct port *p);

/* Leaves the descriptor to the caller: the port was never used. */
void port_disown(struct port *p);

/* Moves what can be moved, both ways; the verdict is that of virtio_ops.notify. */
must_check enum virtq_verdict port_serve(struct port *p);

#endif
