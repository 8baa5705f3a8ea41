/*
 * pci.h - virtio 1.2 over PCI, modern only: registers, status, interrupts, one doorbell.
 *
 * The device's registers are one BAR of four pages, arranged by what an access costs:
 *
 *   page 0  read-only to the guest without an exit; writes exit. Device configuration, then the
 *           first half of the common configuration (features, status, queue select …), which ends
 *           exactly at the end of the page;
 *   page 1  plain memory to the guest, no exit: the second half of the common configuration (the
 *           three addresses of the selected queue), the MSI-X table and its pending bits;
 *   page 2  always trapped: the doorbell of all queues, the ISR.
 *
 * Where the host cannot map pages, every access traps and is answered from the same bytes.
 *
 * Two things of the specification are left out. VIRTIO_PCI_CAP_PCI_CFG (4.1.4.9): its data window
 * would have to act when it is *read*, and reads of configuration space do not come here.
 * INTx: there is no interrupt pin; a driver needs MSI-X, or polls.
 */
#ifndef VMM_VIRTIO_PCI_H
#define VMM_VIRTIO_PCI_H

#include "vmm/pci/pci.h"
#include "vmm/virtio/virtio.h"

/* Attaches dev to the bus and takes it: on failure too it is freed. */
must_check int virtio_pci_add(struct pci_root *r, struct virtio_dev *dev, struct err *e);

#endif
