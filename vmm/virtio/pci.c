/*
 * pci.c - see pci.h. Sections are those of virtio 1.2.
 *
 * What the guest set is kept in struct virtio_pci and in the device's queues; the two pages only
 * show it. Registers in page 0 take effect when they are written. The three addresses in page 1 are
 * plain memory to the guest, so they are looked up when a write elsewhere makes them matter: when
 * the queue is enabled, or another one is selected.
 */
#include "vmm/virtio/pci.h"

#include "base/fd.h"
#include "vmm/pci/msix.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

/* ---- the BAR ---- */

#define PAGE     0x1000u
#define BAR      0u
#define BAR_SIZE (4u * PAGE)

#define AT_DEVICE 0x0000u
#define AT_COMMON (PAGE - 0x20u) /* up to queue_notify_off in page 0, the addresses in page 1 */
#define AT_ADDRS  PAGE
#define AT_TABLE  0x1400u
#define AT_PBA    0x1800u
#define AT_BELL   0x2000u
#define AT_ISR    0x2800u

#define COMMON_LEN 0x38u
#define ADDRS_LEN  0x18u

/* Section 4.1.4.3, offsets in struct virtio_pci_common_cfg. */
#define DEVICE_FEATURE_SELECT 0x00
#define DEVICE_FEATURE        0x04
#define DRIVER_FEATURE_SELECT 0x08
#define DRIVER_FEATURE        0x0c
#define CONFIG_MSIX_VECTOR    0x10
#define NUM_QUEUES            0x12
#define DEVICE_STATUS         0x14
#define CONFIG_GENERATION     0x15
#define QUEUE_SELECT          0x16
#define QUEUE_SIZE            0x18
#define QUEUE_MSIX_VECTOR     0x1a
#define QUEUE_ENABLE          0x1c

#define NO_VECTOR 0xffffu

/* Section 2.1: device status. */
#define ACKNOWLEDGE 1u
#define DRIVER      2u
#define DRIVER_OK   4u
#define FEATURES_OK 8u
#define NEEDS_RESET 0x40u
#define FAILED      0x80u

/* Section 4.1.4: capabilities. */
#define CAP_VENDOR 0x09
#define CAP_COMMON 1
#define CAP_NOTIFY 2
#define CAP_ISR    3
#define CAP_DEVICE 4

#define ISR_QUEUE  1u
#define ISR_CONFIG 2u

/* Section 4.1.2: PCI discovery. */
#define VIRTIO_VENDOR    0x1af4
#define VIRTIO_DEVICE    0x1040
#define VIRTIO_SUBDEVICE 0x0040
#define VIRTIO_REVISION  1

struct virtio_pci {
    uint8_t page[2][PAGE]; /* what the guest reads; page[1] is the guest's to scribble on */
    struct pci_function f;
    struct msix msix;
    struct virtio_dev *dev;     /* owned; its lock guards all that follows */
    struct loop_source bell;    /* fd owned: an eventfd, rung by KVM or by on_bell_write */
    bool live;                  /* DRIVER_OK, and not broken since */
    uint8_t status, generation; /* as in the page */
    uint8_t isr;
    bool malformed; /* the guest tried to enable a queue that is none */
    bool bell_in_kvm, windows, plain;
    uint64_t at; /* where the BAR decodes, 0: nowhere */
    uint32_t device_select, driver_select, select;
    uint64_t driver_features;
    uint16_t config_vector;
    uint16_t vector[VIRTIO_QUEUES_MAX];
};

static void put16(uint8_t *at, uint16_t v)
{
    v = htole16(v);
    memcpy(at, &v, sizeof(v));
}

static void put32(uint8_t *at, uint32_t v)
{
    v = htole32(v);
    memcpy(at, &v, sizeof(v));
}

static void put64(uint8_t *at, uint64_t v)
{
    v = htole64(v);
    memcpy(at, &v, sizeof(v));
}

static uint64_t get64(const uint8_t *at)
{
    uint64_t v;

    memcpy(&v, at, sizeof(v));
    return le64toh(v);
}

static uint8_t *reg(struct virtio_pci *p, unsigned off)
{
    return &p->page[0][AT_COMMON + off]; /* only fields of page 0 */
}

static uint64_t offered(const struct virtio_pci *p)
{
    return p->dev->ops->features(p->dev) | VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX |
           VIRTIO_F_INDIRECT_DESC;
}

static void mistake(struct virtio_pci *p, const char *what)
{
    struct host *h = p->dev->host;

    h->ops->guest_mistake(h, p->dev->ops->name, what);
}

/* ---- what the pages show ---- */

static struct virtq *selected(struct virtio_pci *p)
{
    return p->select < p->dev->nqueues ? &p->dev->queues[p->select] : NULL;
}

static void show_status(struct virtio_pci *p)
{
    __atomic_store_n(reg(p, DEVICE_STATUS), p->status, __ATOMIC_RELEASE);
}

static void show_queue(struct virtio_pci *p)
{
    const struct virtq *q = selected(p);

    put16(reg(p, QUEUE_SELECT), (uint16_t)p->select);
    put16(reg(p, QUEUE_SIZE), q ? q->size : 0);
    put16(reg(p, QUEUE_MSIX_VECTOR), q ? p->vector[p->select] : NO_VECTOR);
    put16(reg(p, QUEUE_ENABLE), q ? q->enabled : 0);
    put64(p->page[1], q ? q->desc.at : 0);
    put64(p->page[1] + 8, q ? q->avail.at : 0);
    put64(p->page[1] + 16, q ? q->used.at : 0);
}

static void show_features(struct virtio_pci *p)
{
    put32(reg(p, DEVICE_FEATURE_SELECT), p->device_select);
    put32(reg(p, DEVICE_FEATURE),
          p->device_select < 2 ? (uint32_t)(offered(p) >> (32 * p->device_select)) : 0);
    put32(reg(p, DRIVER_FEATURE_SELECT), p->driver_select);
    put32(reg(p, DRIVER_FEATURE),
          p->driver_select < 2 ? (uint32_t)(p->driver_features >> (32 * p->driver_select)) : 0);
}

static void show_config(struct virtio_pci *p)
{
    if (p->dev->ops->config_size)
        p->dev->ops->config_read(p->dev, 0, p->page[0] + AT_DEVICE, p->dev->ops->config_size);
}

static void show_all(struct virtio_pci *p)
{
    show_config(p);
    show_features(p);
    put16(reg(p, CONFIG_MSIX_VECTOR), p->config_vector);
    put16(reg(p, NUM_QUEUES), p->dev->nqueues);
    show_queue(p);
    show_status(p);
}

/* ---- pages and doorbell in the guest ---- */

static unsigned window(const struct virtio_pci *p)
{
    return 2 * p->f.index; /* and the next one; window 0 and 1 are the host bridge's: the ECAM */
}

/* Page 1 is memory to the guest, except while a masked vector waits: its unmasking must be seen. */
static void plain_page(struct virtio_pci *p, bool on)
{
    struct host *h = p->dev->host;

    on = on && p->at;
    if (on == p->plain || !h->ops->map_plain)
        return;
    if (!h->ops->map_plain(h, window(p) + 1, p->at + PAGE, on ? p->page[1] : NULL, PAGE))
        p->plain = on;
}

static void ring_in_kvm(struct virtio_pci *p, bool on)
{
    struct host *h = p->dev->host;

    on = on && p->at;
    if (on == p->bell_in_kvm || !h->ops->doorbell)
        return;
    if (!h->ops->doorbell(h, p->at + AT_BELL, p->bell.fd, on))
        p->bell_in_kvm = on;
}

static void decode(struct pci_function *f, unsigned bar, uint64_t gpa, bool on)
{
    struct virtio_pci *p = container_of(f, struct virtio_pci, f);
    struct host *h = p->dev->host;

    (void)bar;
    virtio_dev_lock(p->dev);
    if (!on) {
        ring_in_kvm(p, false);
        plain_page(p, false);
        if (p->windows)
            (void)!h->ops->map_readonly(h, window(p), p->at, NULL, PAGE);
        p->windows = false;
        p->at = 0;
    } else {
        p->at = gpa;
        p->windows =
            h->ops->map_readonly && !h->ops->map_readonly(h, window(p), p->at, p->page[0], PAGE);
        plain_page(p, !p->msix.pending);
        ring_in_kvm(p, p->live);
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
    plain_page(p, false);
    if (!msix_flush(&p->msix))
        plain_page(p, true);
}

static void flush(struct virtio_pci *p)
{
    if (p->msix.pending && !msix_flush(&p->msix))
        plain_page(p, true);
}

static void interrupt(struct virtio_dev *dev, uint16_t queue)
{
    struct virtio_pci *p = dev->transport;

    if (!p->live || !virtq_wants_interrupt(&dev->queues[queue], dev->host->mem))
        return;
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

    show_config(p);
    __atomic_store_n(reg(p, CONFIG_GENERATION), ++p->generation, __ATOMIC_RELEASE);
    if (p->live)
        interrupt_config(p);
}

/* ---- serving ---- */

/* Section 2.1.2: the device says that it needs a reset, and does nothing until it gets one. */
static void break_down(struct virtio_pci *p, const char *what)
{
    mistake(p, what);
    p->live = false;
    p->status |= NEEDS_RESET;
    show_status(p);
    if (p->status & DRIVER_OK)
        interrupt_config(p);
}

static void ring(struct virtio_pci *p)
{
    eventfd_write(p->bell.fd, 1);
}

static void serve(struct virtio_dev *dev)
{
    struct virtio_pci *p = dev->transport;

    virtio_dev_lock(dev);
    if (p->live && pci_is_master(&p->f)) {
        switch (dev->ops->notify(dev)) {
        case VIRTQ_BAD_GUEST: break_down(p, "malformed virtqueue or request"); break;
        case VIRTQ_CHAIN: ring(p); break;
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

/* ---- the state machine; section 3.1 ---- */

static void reset(struct virtio_pci *p)
{
    struct virtio_dev *dev = p->dev;

    /* The lock is held, so nothing of the device is in flight, and nothing can complete later. */
    p->live = false;
    ring_in_kvm(p, false);
    dev->ops->reset(dev);
    dev->features = 0;
    for (unsigned i = 0; i < dev->nqueues; i++) {
        dev->queues[i] = (struct virtq){ .size = dev->ops->queue_size };
        p->vector[i] = NO_VECTOR;
    }
    p->config_vector = NO_VECTOR;
    p->status = p->isr = 0;
    p->malformed = false;
    p->device_select = p->driver_select = p->select = 0;
    p->driver_features = 0;
    msix_forget(&p->msix);
    plain_page(p, true);
    show_all(p);
}

static void go_live(struct virtio_pci *p)
{
    struct virtio_dev *dev = p->dev;

    if (p->malformed) {
        break_down(p, "DRIVER_OK with a malformed queue");
        return;
    }
    for (unsigned i = 0; i < dev->nqueues; i++) {
        dev->queues[i].event_idx = dev->features & VIRTIO_F_EVENT_IDX;
        dev->queues[i].indirect = dev->features & VIRTIO_F_INDIRECT_DESC;
    }
    p->live = true;
    ring_in_kvm(p, true);
    if (dev->ops->start)
        dev->ops->start(dev);
    ring(p); /* the I/O thread takes over, also for what was queued before */
}

static bool features_ok(const struct virtio_pci *p)
{
    return (p->driver_features & VIRTIO_F_VERSION_1) && !(p->driver_features & ~offered(p));
}

/* Bits are only ever added, each after the one before it (V23); 0 resets. */
static void set_status(struct virtio_pci *p, uint32_t v)
{
    static const uint8_t order[] = { ACKNOWLEDGE, DRIVER, FEATURES_OK, DRIVER_OK };
    uint32_t rest = v & (ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);

    if (!v) {
        reset(p);
        return;
    }
    if (p->status & ~(NEEDS_RESET | FAILED) & ~v) {
        mistake(p, "status bits cleared without a reset");
        return;
    }
    p->status |= (uint8_t)(v & FAILED);
    for (unsigned i = 0; i < sizeof(order) && (v & order[i]); i++) {
        rest &= ~(uint32_t)order[i];
        if (p->status & order[i])
            continue;
        if (p->status & (FAILED | NEEDS_RESET) || (order[i] == FEATURES_OK && !features_ok(p)))
            break;
        p->status |= order[i];
        if (order[i] == FEATURES_OK)
            p->dev->features = p->driver_features;
        if (order[i] == DRIVER_OK)
            go_live(p);
    }
    if (rest)
        mistake(p, "status bits skipped, or set after a failure");
    show_status(p);
}

/* Queues are laid out between FEATURES_OK and DRIVER_OK, each until it is enabled (V21). */
static bool changeable(const struct virtio_pci *p, const struct virtq *q)
{
    return q && !q->enabled && !(p->status & (DRIVER_OK | NEEDS_RESET));
}

/* Takes the addresses from page 1, which the guest may have written without our knowing. */
static void harvest(struct virtio_pci *p)
{
    struct virtq *q = selected(p);

    if (!changeable(p, q))
        return;
    q->desc.at = get64(p->page[1]);
    q->avail.at = get64(p->page[1] + 8);
    q->used.at = get64(p->page[1] + 16);
}

static void set_device_select(struct virtio_pci *p, uint32_t v)
{
    p->device_select = v;
    show_features(p);
}

static void set_driver_select(struct virtio_pci *p, uint32_t v)
{
    p->driver_select = v;
    show_features(p);
}

static void set_driver_feature(struct virtio_pci *p, uint32_t v)
{
    unsigned shift = 32 * (p->driver_select & 1);

    if (p->driver_select > 1 || (p->status & FEATURES_OK))
        return;
    p->driver_features &= ~(0xffffffffull << shift);
    p->driver_features |= (uint64_t)v << shift;
    show_features(p);
}

/* Section 4.1.5.1.2: a vector that does not exist reads back as NO_VECTOR. */
static uint16_t vector_or_none(const struct virtio_pci *p, uint32_t v)
{
    return v < p->msix.n ? (uint16_t)v : NO_VECTOR;
}

static void set_config_vector(struct virtio_pci *p, uint32_t v)
{
    p->config_vector = vector_or_none(p, v);
    put16(reg(p, CONFIG_MSIX_VECTOR), p->config_vector);
}

static void set_queue_vector(struct virtio_pci *p, uint32_t v)
{
    if (!selected(p))
        return;
    p->vector[p->select] = vector_or_none(p, v);
    put16(reg(p, QUEUE_MSIX_VECTOR), p->vector[p->select]);
}

static void set_select(struct virtio_pci *p, uint32_t v)
{
    if (v == p->select)
        return;
    harvest(p);
    p->select = v;
    show_queue(p);
}

static void set_size(struct virtio_pci *p, uint32_t v)
{
    struct virtq *q = selected(p);

    if (!changeable(p, q))
        return;
    q->size = (uint16_t)v;
    put16(reg(p, QUEUE_SIZE), q->size);
}

static void set_enable(struct virtio_pci *p, uint32_t v)
{
    struct virtq *q = selected(p);

    if (v != 1 || !changeable(p, q) || !(p->status & FEATURES_OK))
        return;
    harvest(p);
    if (q->size <= p->dev->ops->queue_size && virtq_check(q, p->dev->host->mem)) {
        q->enabled = true;
    } else {
        p->malformed = true;
        mistake(p, "malformed queue not enabled");
    }
    put16(reg(p, QUEUE_ENABLE), q->enabled);
}

/* Registers of page 0 that the driver may write; section 4.1.3.1: only in their own width. */
static const struct {
    uint8_t off, len;
    void (*set)(struct virtio_pci *p, uint32_t v);
} registers[] = {
    { DEVICE_FEATURE_SELECT, 4, set_device_select },
    { DRIVER_FEATURE_SELECT, 4, set_driver_select },
    { DRIVER_FEATURE, 4, set_driver_feature },
    { CONFIG_MSIX_VECTOR, 2, set_config_vector },
    { DEVICE_STATUS, 1, set_status },
    { QUEUE_SELECT, 2, set_select },
    { QUEUE_SIZE, 2, set_size },
    { QUEUE_MSIX_VECTOR, 2, set_queue_vector },
    { QUEUE_ENABLE, 2, set_enable },
};

static void write_register(struct virtio_pci *p, uint64_t off, const void *src, unsigned len)
{
    uint32_t v = 0;

    if (len > sizeof(v))
        return;
    memcpy(&v, src, len);
    v = le32toh(v);
    for (unsigned i = 0; i < array_len(registers); i++)
        if (off == registers[i].off && len == registers[i].len)
            registers[i].set(p, v);
}

static void write_config(struct virtio_pci *p, uint64_t off, const void *src, unsigned len)
{
    const struct virtio_ops *ops = p->dev->ops;

    if (!ops->config_write || off + len > ops->config_size)
        return;
    ops->config_write(p->dev, (uint32_t)off, src, len);
    show_config(p);
}

/* What arrives here of page 1 is what the guest would have written into it itself. */
static void write_plain(struct virtio_pci *p, uint64_t off, const void *src, unsigned len)
{
    uint64_t table = AT_TABLE - PAGE, table_end = table + p->msix.n * MSIX_ENTRY;

    if (off + len <= ADDRS_LEN || (off >= table && off + len <= table_end))
        memcpy(p->page[1] + off, src, len);
    flush(p);
}

/* ---- accesses to the BAR ---- */

static void bar_write(struct pci_function *f, unsigned bar, uint64_t off, const void *src,
                      unsigned len)
{
    struct virtio_pci *p = container_of(f, struct virtio_pci, f);

    (void)bar;
    if (off >= AT_BELL) { /* without the lock: the I/O thread may hold it for a while */
        if (off < AT_ISR)
            ring(p);
        return;
    }
    virtio_dev_lock(p->dev);
    if (off >= PAGE)
        write_plain(p, off - PAGE, src, len);
    else if (off >= AT_COMMON)
        write_register(p, off - AT_COMMON, src, len);
    else
        write_config(p, off, src, len);
    virtio_dev_unlock(p->dev);
}

static void bar_read(struct pci_function *f, unsigned bar, uint64_t off, void *dst, unsigned len)
{
    struct virtio_pci *p = container_of(f, struct virtio_pci, f);

    (void)bar;
    memset(dst, 0, len);
    virtio_dev_lock(p->dev);
    if (off + len <= sizeof(p->page)) {
        memcpy(dst, p->page[0] + off, len);
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
    if (p->live && pci_is_master(f))
        ring(p); /* what came while the bus was off */
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
    /* Section 4.1.4: struct virtio_pci_cap; for the doorbell, notify_off_multiplier 0 follows. */
    uint8_t size = type == CAP_NOTIFY ? 20 : 16;
    uint8_t body[20] = { [2] = size, [3] = type, [4] = BAR };

    put32(body + 8, off);
    put32(body + 12, len);
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
        err = add_cap(p, CAP_NOTIFY, AT_BELL, 4, e);
    if (!err)
        err = add_cap(p, CAP_ISR, AT_ISR, 1, e);
    if (!err && ops->config_size)
        err = add_cap(p, CAP_DEVICE, AT_DEVICE, ops->config_size, e);
    if (!err)
        err = msix_init(&p->msix, &p->f, BAR, p->page[1], PAGE, AT_TABLE - PAGE, AT_PBA - PAGE,
                        (uint8_t)ops->vectors, e);
    return err;
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
    dev->serve = serve;
    err = fill_function(p, e);
    if (!err)
        reset(p);
    return err;
}
