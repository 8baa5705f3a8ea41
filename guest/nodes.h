/* nodes.h - the device nodes that no tool has a use for leave /dev. */
#ifndef GUEST_NODES_H
#define GUEST_NODES_H

/*
 * Every block device, the virtio ports, and what reaches around the kernel. Commands lack
 * CAP_MKNOD, so none comes back; what carrel-init needs later it has open. What fails is reported.
 */
void nodes_remove(void);

#endif
