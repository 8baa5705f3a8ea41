/*
 * pci.c - see pci.h: the BAR and its pages, the doorbell, interrupts, and a device's turn on the
 * I/O thread. The registers themselves are in regs.c. Sections are those of virtio 1.2.
 */
#include "vmm/virtio/pci.h"

#include "base/fd.h"
#include "vmm/virtio/regs.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

/* Section 4.1.4: capabilities. */
#define CAP_VENDOR 0x09
#define CAP_COMMON 1
#define CAP_NOTIFY 2
#define CAP_ISR    3
#define CAP_DEVICE 4

#define ISR_QUEUE  1u
#define ISR_CONFIG 2u

#define BELL_STEP 4u

/* Section 4.1.2: PCI discovery. */
#define VIRTIO_VENDOR    0x1af4
#define VIRTIO_DEVICE    0x1040
#define VIRTIO_SUBDEVICE 0x0040
#define VIRTIO_REVISION  1

void regs_mistake(struct virtio_pci *p, const char *what)
{
    struct host *h = p->dev->host;

    h->ops->guest_mistake(h, p->dev->ops->name, what);
}

/* ---- pages and doorbell in the guest ---- */

static unsigned window(const struct virtio_pci *p)
{
    return 2 * p->f.index; /* and the next one; window 0 and 1 are the host bridge's: the ECAM */
}

/* Page 1 is memory to the guest, except while a masked vector waits: its unmasking must be seen. */
void regs_plain_page(struct virtio_pci *p, bool on)
{
    struct host *h = p->dev->host;

    on = on && p->at && !p->dev->call; /* whose messages KVM has to be told of */
    if (on == p->plain || !h->ops->map_plain)
        return;
    if (!h->ops->map_plain(h, window(p) + 1, p->at + PAGE, on ? p->page[1] : NULL, PAGE))
        p->plain = on;
}

/* Section 4.1.4.4: a doorbell is one for all queues, or each queue has its own. */
static unsigned bells(const struct virtio_pci *p)
{
    return p->dev->kick ? p->dev->nqueues : 1;
}

static int bell_fd(const struct virtio_pci *p, unsigned i)
{
    return p->dev->kick ? p->dev->kick[i] : p->bell.fd;
}

void regs_bell_in_kvm(struct virtio_pci *p, bool on)
{
    struct host *h = p->dev->host;

    on = on && p->at;
    for (unsigned i = 0; i < bells(p) && h->ops->doorbell; i++) {
        uint32_t bit = 1u << i;

        if (on != !!(p->bells_in_kvm & bit) &&
            !h->ops->doorbell(h, p->at + AT_BELL + (uint64_t)i * BELL_STEP, bell_fd(p, i), on))
            p->bells_in_kvm ^= bit;
    }
}

static void aim_line(struct virtio_pci *p, unsigned queue)
{
    struct host *h = p->dev->host;
    struct msix_message to = { 0, 0 }, *was = &p->line[queue].to;
    bool on = p->live && msix_look(&p->msix, p->vector[queue], &to);
    int fd = p->dev->call[queue];

    if (on == p->line[queue].on && (!on || (to.addr == was->addr && to.data == was->data)))
        return;
    if (p->line[queue].on)
        p->line[queue].on = h->ops->line(h, queue, fd, was->addr, was->data, false) != 0;
    if (on && !p->line[queue].on)
        p->line[queue].on = !h->ops->line(h, queue, fd, to.addr, to.data, true);
    *was = to;
}

/* What is signalled while a vector is masked waits in the eventfd, which the kernel looks at when
 * it is tied to an interrupt again. Only vCPUs come here. */
void regs_lines(struct virtio_pci *p)
{
    for (unsigned i = 0; p->dev->call && i < p->dev->nqueues; i++)
        aim_line(p, i);
}

static void decode(struct pci_function *f, unsigned bar, uint64_t gpa, bool on)
{
    struct virtio_pci *p = container_of(f, struct virtio_pci, f);
    struct host *h = p->dev->host;

    (void)bar;
    virtio_dev_lock(p->dev);
    if (!on) {
        regs_bell_in_kvm(p, false);
        regs_plain_page(p, false);
        if (p->windows)
            (void)!h->ops->map_readonly(h, window(p), p->at, NULL, PAGE);
        p->windows = false;
        p->at = 0;
    } else {
        p->at = gpa;
        p->windows =
            h->ops->map_readonly && !h->ops->map_readonly(h, window(p), p->at, p->page[0], PAGE);
        regs_plain_page(p, !p->msix.pending);
        regs_bell_in_kvm(p, p->live);
    }
    virtio_dev_unlock(p->dev);
}

/* ---- interrupts ---- */

static void send(struct virtio_pci *p, uint16_t vector)
{
    if (vector == NO_VECTOR || !msix_send(&p->msix, vector))
        return;
    /* It was masked. From here on writes to the table are trapped; one that came between the look
     * at the table and that moment is caught by looking again. */
    regs_plain_page(p, false);
    msix_flush(&p->msix);
    regs_plain_page(p, !p->msix.pending);
}

/* What is still pending after it may also wait for MSI-X to be turned on again. */
static void flush(struct virtio_pci *p)
{
    if (!p->msix.pending)
        return;
    msix_flush(&p->msix);
    regs_plain_page(p, !p->msix.pending);
}

static void interrupt(struct virtio_dev *dev, uint16_t queue)
{
    struct virtio_pci *p = dev->transport;

    if (!p->live || !virtq_wants_interrupt(&dev->queues[queue], dev->host->mem))
        return;
    if (dev->call) {
        eventfd_write(dev->call[queue], 1);
        return;
    }
    p->isr |= ISR_QUEUE;
    send(p, p->vector[queue]);
}

static void interrupt_config(struct virtio_pci *p)
{
    p->isr |= ISR_CONFIG;
    send(p, p->config_vector);
}

static void config_changed(struct virtio_dev *dev)
{
    struct virtio_pci *p = dev->transport;

    regs_show_new_config(p);
    if (p->live)
        interrupt_config(p);
}

/* ---- serving ---- */

void regs_break_down(struct virtio_pci *p, const char *what)
{
    regs_mistake(p, what);
    p->live = false;
    p->status |= NEEDS_RESET;
    regs_show_status(p);
    if (p->status & DRIVER_OK)
        interrupt_config(p);
}

void regs_ring(struct virtio_pci *p)
{
    eventfd_write(p->bell.fd, 1);
}

static void stopped(struct virtio_dev *dev)
{
    struct virtio_pci *p = dev->transport;

    if (p->resetting)
        regs_stopped(p);
}

static void serve(struct virtio_dev *dev)
{
    struct virtio_pci *p = dev->transport;

    virtio_dev_lock(dev);
    dev->running = p->live && pci_is_master(&p->f);
    if (dev->running || dev->kick) {
        switch (dev->ops->notify(dev)) {
        case VIRTQ_BAD_GUEST: regs_break_down(p, "malformed virtqueue or request"); break;
        case VIRTQ_CHAIN: regs_ring(p); break;
        case VIRTQ_EMPTY: break;
        }
    }
    virtio_dev_unlock(dev);
}

static void on_bell(struct loop_source *s, uint32_t events)
{
    struct virtio_pci *p = container_of(s, struct virtio_pci, bell);
    eventfd_t rings;

    (void)events;
    if (!eventfd_read(s->fd, &rings))
        serve(p->dev);
}

/* What arrives here of page 1 is what the guest would have written into it itself. */
static void write_plain(struct virtio_pci *p, uint64_t off, const void *src, unsigned len)
{
    uint64_t table = AT_TABLE - PAGE, table_end = table + p->msix.n * MSIX_ENTRY;

    if (off + len <= ADDRS_LEN || (off >= table && off + len <= table_end))
        memcpy(p->page[1] + off, src, len);
    flush(p);
    regs_lines(p);
}

/* Without the lock: the I/O thread may hold it for a while. */
static void ring_trapped(struct virtio_pci *p, uint64_t off)
{
    if (!p->dev->kick)
        regs_ring(p);
    else if (off / BELL_STEP < p->dev->nqueues)
        eventfd_write(p->dev->kick[off / BELL_STEP], 1);
}

/* ---- accesses to the BAR ---- */

static void bar_write(struct pci_function *f, unsigned bar, uint64_t off, const void *src,
                      unsigned len)
{
    struct virtio_pci *p = container_of(f, struct virtio_pci, f);

    (void)bar;
    if (off >= AT_BELL) {
        if (off < AT_ISR)
            ring_trapped(p, off - AT_BELL);
        return;
    }
    virtio_dev_lock(p->dev);
    if (off >= PAGE)
        write_plain(p, off - PAGE, src, len);
    else if (off >= AT_COMMON)
        regs_write(p, off - AT_COMMON, src, len);
    else
        regs_write_config(p, off, src, len);
    virtio_dev_unlock(p->dev);
}

static void bar_read(struct pci_function *f, unsigned bar, uint64_t off, void *dst, unsigned len)
{
    struct virtio_pci *p = container_of(f, struct virtio_pci, f);

    (void)bar;
    memset(dst, 0, len);
    virtio_dev_lock(p->dev);
    if (off + len <= sizeof(p->page)) {
        memcpy(dst, (const uint8_t *)p->page + off, len);
    } else if (off == AT_ISR && len == 1) { /* section 4.1.4.5: reading clears it */
        memcpy(dst, &p->isr, 1);
        p->isr = 0;
    }
    virtio_dev_unlock(p->dev);
}

static void configured(struct pci_function *f, unsigned off, unsigned len)
{
    struct virtio_pci *p = container_of(f, struct virtio_pci, f);

    virtio_dev_lock(p->dev);
    flush(p); /* MSI-X or the bus may have been turned on */
    regs_lines(p);
    if (p->live && (p->dev->kick || pci_is_master(f)))
        regs_ring(p); /* what came while the bus was off */
    virtio_dev_unlock(p->dev);
    (void)off;
    (void)len;
}

static void free_function(struct pci_function *f)
{
    struct virtio_pci *p = container_of(f, struct virtio_pci, f);

    if (p->bell.fd >= 0)
        loop_remove(p->dev->host->loop, &p->bell);
    fd_closep(&p->bell.fd);
    p->dev->ops->free(p->dev);
    free(p);
}

/* ---- making it ---- */

static int add_cap(struct virtio_pci *p, uint8_t type, uint32_t off, uint32_t len, struct err *e)
{
    /* Section 4.1.4: struct virtio_pci_cap; for the doorbell, notify_off_multiplier follows. */
    uint8_t size = type == CAP_NOTIFY ? 20 : 16;
    uint8_t body[20] = { [2] = size, [3] = type, [4] = BAR, [16] = bells(p) > 1 ? BELL_STEP : 0 };

    off = htole32(off);
    len = htole32(len);
    memcpy(body + 8, &off, sizeof(off));
    memcpy(body + 12, &len, sizeof(len));
    if (!pci_add_cap(&p->f, CAP_VENDOR, body, size))
        return err_set(e, ENOSPC, "%s: no room for capabilities", p->f.ops->name);
    return 0;
}

static const struct pci_ops pci_ops = { .name = "virtio",
                                        .read = bar_read,
                                        .write = bar_write,
                                        .decode = decode,
                                        .configured = configured,
                                        .free = free_function };

/* Section 5: what kind of thing it is to software that does not know virtio. */
static uint32_t class_of(uint32_t id)
{
    switch (id) {
    case VIRTIO_ID_BLOCK: return 0x018000;
    case VIRTIO_ID_CONSOLE: return 0x078000;
    default: return 0x00ff00;
    }
}

static int fill_function(struct virtio_pci *p, struct err *e)
{
    const struct virtio_ops *ops = p->dev->ops;
    int err = pci_add_bar(&p->f, BAR, BAR_SIZE, e);

    if (!err)
        err = add_cap(p, CAP_COMMON, AT_COMMON, COMMON_LEN, e);
    if (!err)
        err = add_cap(p, CAP_NOTIFY, AT_BELL, bells(p) * BELL_STEP, e);
    if (!err)
        err = add_cap(p, CAP_ISR, AT_ISR, 1, e);
    if (!err && ops->config_size)
        err = add_cap(p, CAP_DEVICE, AT_DEVICE, ops->config_size, e);
    if (!err)
        err = msix_init(&p->msix, &p->f, BAR, p->page[1], PAGE, AT_TABLE - PAGE, AT_PBA - PAGE,
                        (uint8_t)ops->vectors, e);
    return err;
}

/* Another process's interrupts come by way of the kernel, or not at all: can they? */
static int try_lines(const struct virtio_dev *dev, struct err *e)
{
    struct host *h = dev->host;
    int err = 0;

    if (dev->call && (dev->nqueues > HOST_LINES || !h->ops->line))
        err = -ENOSYS;
    for (unsigned i = 0; !err && dev->call && i < dev->nqueues; i++) {
        err = h->ops->line(h, i, dev->call[i], MSI_ADDRESS_APIC, 0, true);
        if (!err)
            err = h->ops->line(h, i, dev->call[i], MSI_ADDRESS_APIC, 0, false);
    }
    return err ? err_set(e, -err, "%s: the host's KVM takes no interrupts from another process",
                         dev->ops->name)
               : 0;
}

int virtio_pci_add(struct pci_root *r, struct virtio_dev *dev, struct err *e)
{
    struct pci_id id = { .vendor = VIRTIO_VENDOR,
                         .device = (uint16_t)(VIRTIO_DEVICE + dev->ops->id),
                         .subvendor = VIRTIO_VENDOR,
                         .subdevice = VIRTIO_SUBDEVICE,
                         .class_code = class_of(dev->ops->id),
                         .revision = VIRTIO_REVISION };
    struct virtio_pci *p = aligned_alloc(PAGE, (sizeof(*p) + PAGE - 1) & ~(PAGE - 1));
    int err;

    if (!p) {
        dev->ops->free(dev);
        return err_set(e, ENOMEM, "%s: out of memory", dev->ops->name);
    }
    memset(p, 0, sizeof(*p));
    p->f.ops = &pci_ops;
    p->dev = dev;
    p->bell = (struct loop_source){ eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), on_bell };
    if (p->bell.fd < 0 || loop_add(dev->host->loop, &p->bell, EPOLLIN, NULL) ||
        pci_add(r, &p->f, &id, e)) {
        free_function(&p->f);
        return err_set(e, ENOSPC, "%s: cannot be attached to the PCI bus", dev->ops->name);
    }
    /* The bus frees it from here on. */
    dev->transport = p;
    dev->interrupt = interrupt;
    dev->config_changed = config_changed;
    dev->stopped = stopped;
    dev->serve = serve;
    err = fill_function(p, e);
    if (!err)
        err = try_lines(dev, e);
    if (!err)
        regs_reset(p);
    return err;
}
