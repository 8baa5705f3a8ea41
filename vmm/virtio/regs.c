/*
 * regs.c - see regs.h.
 *
 * What the guest set is kept in struct virtio_pci and in the device's queues; the two pages only
 * show it. Registers in page 0 take effect when they are written. The three addresses in page 1 are
 * plain memory to the guest, so they are looked up when a write elsewhere makes them matter: when
 * the queue is enabled, or another one is selected.
 */
#include "vmm/virtio/regs.h"

#include <endian.h>
#include <string.h>

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
#define QUEUE_NOTIFY_OFF      0x1e

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

/* ---- what the pages show ---- */

static struct virtq *selected(struct virtio_pci *p)
{
    return p->select < p->dev->nqueues ? &p->dev->queues[p->select] : NULL;
}

void regs_show_status(struct virtio_pci *p)
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
    put16(reg(p, QUEUE_NOTIFY_OFF), q && p->dev->kick ? (uint16_t)p->select : 0);
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

void regs_show_new_config(struct virtio_pci *p)
{
    show_config(p);
    __atomic_store_n(reg(p, CONFIG_GENERATION), ++p->generation, __ATOMIC_RELEASE);
}

static void show_all(struct virtio_pci *p)
{
    show_config(p);
    show_features(p);
    put16(reg(p, CONFIG_MSIX_VECTOR), p->config_vector);
    put16(reg(p, NUM_QUEUES), p->dev->nqueues);
    show_queue(p);
    regs_show_status(p);
}

/* ---- the state machine; section 3.1 ---- */

void regs_stopped(struct virtio_pci *p)
{
    struct virtio_dev *dev = p->dev;

    p->resetting = false;
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
    regs_plain_page(p, true);
    show_all(p);
}

void regs_reset(struct virtio_pci *p)
{
    struct virtio_dev *dev = p->dev;

    /* The lock is held, so nothing of the device is in flight, and nothing can complete later; of
     * what another process serves, when that has said so: section 4.1.4.3.2 has the driver wait. */
    p->live = false;
    regs_bell_in_kvm(p, false);
    dev->ops->reset(dev);
    p->resetting = dev->ops->busy && dev->ops->busy(dev);
    if (p->resetting)
        regs_ring(p);
    else
        regs_stopped(p);
}

static void go_live(struct virtio_pci *p)
{
    struct virtio_dev *dev = p->dev;

    if (p->malformed) {
        regs_break_down(p, "DRIVER_OK with a malformed queue");
        return;
    }
    for (unsigned i = 0; i < dev->nqueues; i++) {
        dev->queues[i].event_idx = dev->features & VIRTIO_F_EVENT_IDX;
        dev->queues[i].indirect = dev->features & VIRTIO_F_INDIRECT_DESC;
    }
    p->live = true;
    regs_bell_in_kvm(p, true);
    if (dev->ops->start)
        dev->ops->start(dev);
    regs_ring(p); /* the I/O thread takes over, also for what was queued before */
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
        regs_reset(p);
        return;
    }
    if (p->status & ~(NEEDS_RESET | FAILED) & ~v) {
        regs_mistake(p, "status bits cleared without a reset");
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
        regs_mistake(p, "status bits skipped, or set after a failure");
    regs_show_status(p);
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
        regs_mistake(p, "malformed queue not enabled");
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

void regs_write(struct virtio_pci *p, uint64_t off, const void *src, unsigned len)
{
    uint32_t v = 0;

    if (len > sizeof(v) || p->resetting)
        return;
    memcpy(&v, src, len);
    v = le32toh(v);
    for (unsigned i = 0; i < array_len(registers); i++)
        if (off == registers[i].off && len == registers[i].len)
            registers[i].set(p, v);
    regs_lines(p);
}

void regs_write_config(struct virtio_pci *p, uint64_t off, const void *src, unsigned len)
{
    const struct virtio_ops *ops = p->dev->ops;

    if (!ops->config_write || off + len > ops->config_size)
        return;
    ops->config_write(p->dev, (uint32_t)off, src, len);
    show_config(p);
}
