/* msix.c - see msix.h. */
#include "vmm/pci/msix.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

/* PCI 3.0 sections 6.8.2.3 (message control) and 6.8.2.9 (vector control). */
#define CAP_ID            0x11
#define CAP_LEN           12
#define CONTROL_HIGH      3 /* the byte of message control the guest may write */
#define CONTROL_ENABLE    0x80u
#define CONTROL_MASK_ALL  0x40u
#define ENTRY_CTRL_MASKED 1u

/* Intel SDM volume 3, section 11.11.1: messages to local APICs. Anything else would be a write
 * into memory that no device of ours makes. */
#define MSI_ADDRESS_MASK 0xfff00000u

int msix_init(struct msix *x, struct pci_function *f, uint8_t bar, uint8_t *page, uint32_t page_off,
              uint32_t table_off, uint32_t pba_off, uint8_t n, struct err *e)
{
    uint32_t table = htole32((page_off + table_off) | bar);
    uint32_t pba = htole32((page_off + pba_off) | bar);
    uint8_t body[CAP_LEN] = { [2] = (uint8_t)(n - 1u) };

    if (!n || n > MSIX_VECTORS)
        return err_set(e, EINVAL, "%s: %u MSI-X vectors", f->ops->name, n);
    memcpy(body + 4, &table, sizeof(table));
    memcpy(body + 8, &pba, sizeof(pba));
    *x = (struct msix){ .f = f, .table = page + table_off, .pba = page + pba_off, .n = n };
    x->cap = pci_add_cap(f, CAP_ID, body, sizeof(body));
    if (!x->cap)
        return err_set(e, ENOSPC, "%s: no room for the MSI-X capability", f->ops->name);
    f->writable[x->cap + CONTROL_HIGH] = CONTROL_ENABLE | CONTROL_MASK_ALL;
    for (unsigned v = 0; v < n; v++)
        x->table[v * MSIX_ENTRY + 12] = ENTRY_CTRL_MASKED;
    return 0;
}

static void show(struct msix *x)
{
    uint64_t bits = htole64(x->pending);

    memcpy(x->pba, &bits, sizeof(bits));
}

enum aim { MASKED, NOWHERE, AT_CPU };

static enum aim aim(const struct msix *x, unsigned v, struct msix_message *to)
{
    uint8_t control = __atomic_load_n(&x->f->config[x->cap + CONTROL_HIGH], __ATOMIC_RELAXED);
    uint32_t entry[4]; /* address low, address high, data, control */

    memcpy(entry, x->table + v * MSIX_ENTRY, sizeof(entry));
    __asm__ volatile("" ::: "memory"); /* judged in the copy, like all the guest can rewrite */
    if ((control & CONTROL_MASK_ALL) || (le32toh(entry[3]) & ENTRY_CTRL_MASKED))
        return MASKED;
    *to = (struct msix_message){ le32toh(entry[0]), le32toh(entry[2]) };
    return entry[1] || (to->addr & MSI_ADDRESS_MASK) != MSI_ADDRESS_APIC ? NOWHERE : AT_CPU;
}

/* True when v could not be delivered now. */
static bool deliver(struct msix *x, unsigned v)
{
    struct host *h = pci_host(x->f);
    struct msix_message to;

    switch (aim(x, v, &to)) {
    case MASKED: return true;
    case AT_CPU: h->ops->msi(h, to.addr, to.data); break;
    case NOWHERE:
        h->ops->guest_mistake(h, x->f->ops->name, "MSI-X address is not a local APIC");
        break;
    }
    return false;
}

static bool enabled(const struct msix *x)
{
    uint8_t control = __atomic_load_n(&x->f->config[x->cap + CONTROL_HIGH], __ATOMIC_RELAXED);

    return (control & CONTROL_ENABLE) && pci_is_master(x->f);
}

bool msix_send(struct msix *x, unsigned v)
{
    if (v >= x->n || !enabled(x) || !deliver(x, v))
        return false;
    x->pending |= 1u << v;
    show(x);
    return true;
}

bool msix_look(const struct msix *x, unsigned v, struct msix_message *to)
{
    return v < x->n && enabled(x) && aim(x, v, to) == AT_CPU;
}

bool msix_flush(struct msix *x)
{
    if (!x->pending || !enabled(x))
        return false;
    for (unsigned v = 0; v < x->n; v++)
        if ((x->pending & (1u << v)) && !deliver(x, v))
            x->pending &= ~(1u << v);
    show(x);
    return x->pending != 0;
}

void msix_forget(struct msix *x)
{
    x->pending = 0;
    show(x);
}
