/*
 * msix.h - the MSI-X table of one function (PCI 3.0 section 6.8.2) and the messages it sends.
 *
 * The table lies in a page the guest may write without an exit, so an entry is copied out each time
 * it is used. The pending bits are kept here; the guest's view of them is only a picture.
 */
#ifndef VMM_PCI_MSIX_H
#define VMM_PCI_MSIX_H

#include "vmm/pci/pci.h"

#define MSIX_ENTRY       16ul        /* bytes */
#define MSI_ADDRESS_APIC 0xfee00000u /* Intel SDM volume 3, section 11.11.1 */

#define MSIX_VECTORS 32u /* most a function may have here */

struct msix_message {
    uint32_t addr, data;
};

struct msix {
    struct pci_function *f; /* borrowed: embeds or outlives this */
    uint8_t *table;         /* borrowed: n entries, guest-writable at any moment */
    uint8_t *pba;           /* borrowed: one 8-byte word, the picture of pending */
    uint8_t n;
    uint8_t cap;      /* where the capability is in configuration space */
    uint32_t pending; /* bit v: vector v fired while masked */
};

/* Adds the capability and puts the table into its state after reset: every vector masked. */
must_check int msix_init(struct msix *x, struct pci_function *f, uint8_t bar, uint8_t *page,
                         uint32_t page_off, uint32_t table_off, uint32_t pba_off, uint8_t n,
                         struct err *e);

/* Sends vector v, or marks it pending: true when it had to wait for the guest. Vectors that do not
 * exist, and all of them while MSI-X or bus mastering is off, are dropped. */
bool msix_send(struct msix *x, unsigned v);

/* What vector v would send now; false: nothing, as it is masked, off, or no message to a CPU. */
must_check bool msix_look(const struct msix *x, unsigned v, struct msix_message *to);

/* Sends what is pending and no longer masked. True while something still waits. */
bool msix_flush(struct msix *x);

/* Forgets what is pending: the device was reset. */
void msix_forget(struct msix *x);

#endif
