/*
 * console.c - see console.h. Sections are those of virtio 1.2.
 *
 * Queues (section 5.3.2): receive and transmit of port 0, control receive and transmit, then two
 * for each further port. Messages for the guest are not queued: what a port still has to say is a
 * set of bits, turned into messages as the guest offers buffers. So nothing grows, whatever either
 * side does.
 */
#include "vmm/virtio/console.h"

#include "vmm/virtio/port.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define F_MULTIPORT (1ull << 1) /* section 5.3.3 */

/* Section 5.3.6.2: control messages. */
#define EV_DEVICE_READY 0u
#define EV_PORT_ADD     1u
#define EV_PORT_READY   3u
#define EV_PORT_OPEN    6u
#define EV_PORT_NAME    7u

#define QUEUE_SIZE  128u
#define CONTROL_RX  2u
#define CONTROL_TX  3u
#define TURN_EVENTS 256u /* control messages taken in one turn */

struct control {
    uint32_t id;
    uint16_t event, value;
};

/* Section 5.3.4. */
struct config {
    uint16_t cols, rows;
    uint32_t max_nr_ports, emerg_wr;
};

struct console {
    struct virtio_dev dev;
    unsigned nports;
    struct virtq queues[VIRTIO_QUEUES_MAX];
    struct port ports[VMM_PORTS_MAX];
    struct port_batch batch; /* of whichever port moves bytes; its chain also for messages */
};

static struct console *console_of(const struct virtio_dev *dev)
{
    return container_of(dev, struct console, dev);
}

static uint16_t rx_queue(unsigned port)
{
    return (uint16_t)(port ? 2 * port + 2 : 0);
}

/* ---- control messages ---- */

/* Tells the guest one thing. VIRTQ_CHAIN: told. */
static enum virtq_verdict say(struct console *c, unsigned i, uint16_t event, uint16_t value,
                              const char *text)
{
    struct virtq *q = &c->queues[CONTROL_RX];
    const struct gmem *m = c->dev.host->mem;
    struct control msg = { htole32(i), htole16(event), htole16(value) };
    uint32_t len = (uint32_t)strlen(text);
    enum virtq_verdict v = virtq_pop(q, m, &c->batch.chain);

    if (v == VIRTQ_EMPTY && !virtq_wait(q, m))
        v = virtq_pop(q, m, &c->batch.chain);
    if (v != VIRTQ_CHAIN)
        return v;
    if (virtq_chain_give(&c->batch.chain, &msg, sizeof(msg)) ||
        virtq_chain_give(&c->batch.chain, text, len) ||
        virtq_push(q, m, c->batch.chain.head, (uint32_t)sizeof(msg) + len))
        return VIRTQ_BAD_GUEST;
    c->dev.interrupt(&c->dev, CONTROL_RX);
    return VIRTQ_CHAIN;
}

static enum virtq_verdict say_all(struct console *c)
{
    for (unsigned i = 0; i < c->nports; i++) {
        struct port *p = &c->ports[i];

        while (p->say) {
            uint32_t bit = p->say & -p->say; /* lowest first: add, name, open */
            uint16_t event = bit == SAY_ADD    ? EV_PORT_ADD
                             : bit == SAY_NAME ? EV_PORT_NAME
                                               : EV_PORT_OPEN;
            enum virtq_verdict v = say(c, i, event, bit == SAY_OPEN ? p->host_open : 1,
                                       bit == SAY_NAME ? p->name : "");

            if (v != VIRTQ_CHAIN)
                return v;
            p->say &= ~bit;
        }
    }
    return VIRTQ_EMPTY;
}

/* Section 5.3.6.2. Events and ports that do not exist are ignored (R13). */
static void heed(struct console *c, const struct control *msg)
{
    uint32_t id = le32toh(msg->id);
    bool yes = le16toh(msg->value) == 1;
    uint16_t event = le16toh(msg->event);

    if (event == EV_DEVICE_READY) {
        for (unsigned i = 0; yes && i < c->nports; i++)
            c->ports[i].say |= SAY_ADD;
        return;
    }
    if (id >= c->nports)
        return;
    if (event == EV_PORT_READY && yes) {
        c->ports[id].ready = true;
        c->ports[id].say |= SAY_NAME | SAY_OPEN;
    } else if (event == EV_PORT_OPEN) {
        c->ports[id].guest_open = yes;
    }
}

static enum virtq_verdict listen_to_guest(struct console *c)
{
    struct virtq *q = &c->queues[CONTROL_TX];
    const struct gmem *m = c->dev.host->mem;

    for (unsigned n = 0; n < TURN_EVENTS; n++) {
        struct control msg;
        enum virtq_verdict v = virtq_pop(q, m, &c->batch.chain);

        if (v == VIRTQ_EMPTY && !virtq_wait(q, m))
            continue;
        if (v != VIRTQ_CHAIN)
            return v;
        if (!virtq_chain_take(&c->batch.chain, &msg, sizeof(msg)))
            heed(c, &msg);
        if (virtq_push(q, m, c->batch.chain.head, 0))
            return VIRTQ_BAD_GUEST;
        c->dev.interrupt(&c->dev, CONTROL_TX);
    }
    return VIRTQ_CHAIN;
}

static enum virtq_verdict notify(struct virtio_dev *dev)
{
    struct console *c = console_of(dev);
    enum virtq_verdict v = listen_to_guest(c);
    bool more = v == VIRTQ_CHAIN;

    for (unsigned i = 0; i < c->nports && v != VIRTQ_BAD_GUEST; i++) {
        v = port_serve(&c->ports[i]);
        more |= v == VIRTQ_CHAIN;
    }
    if (v != VIRTQ_BAD_GUEST)
        v = say_all(c);
    if (v == VIRTQ_BAD_GUEST)
        return v;
    return more ? VIRTQ_CHAIN : VIRTQ_EMPTY;
}

/* ---- the device ---- */

static uint64_t features(const struct virtio_dev *dev)
{
    (void)dev;
    return F_MULTIPORT;
}

static void config_read(const struct virtio_dev *dev, uint32_t off, void *dst, uint32_t len)
{
    struct config cfg = { .max_nr_ports = htole32(console_of(dev)->nports) };

    memcpy(dst, (const uint8_t *)&cfg + off, len);
}

static void reset(struct virtio_dev *dev)
{
    struct console *c = console_of(dev);

    for (unsigned i = 0; i < c->nports; i++) {
        c->ports[i].say = 0;
        c->ports[i].ready = c->ports[i].guest_open = false;
        c->ports[i].sent = 0;
    }
}

static void console_free(struct virtio_dev *dev)
{
    struct console *c = console_of(dev);

    for (unsigned i = 0; i < c->nports; i++)
        port_close(&c->ports[i]);
    virtio_dev_fini(dev);
    free(c);
}

static const struct virtio_ops ops = {
    .name = "console",
    .id = VIRTIO_ID_CONSOLE,
    .queue_size = QUEUE_SIZE,
    .vectors = 2,
    .config_size = sizeof(struct config),
    .features = features,
    .config_read = config_read,
    .notify = notify,
    .reset = reset,
    .free = console_free,
};

static int add_port(struct console *c, const struct vmm_launch_port *from, struct err *e)
{
    unsigned i = c->nports++;

    return port_open(&c->ports[i], &c->dev, &c->batch, rx_queue(i), from, e);
}

struct virtio_dev *console_new(struct host *host, const struct vmm_launch_port *ports,
                               unsigned nports, struct err *e)
{
    struct console *c = calloc(1, sizeof(*c));

    if (!c || !nports || nports > VMM_PORTS_MAX) {
        err_set(e, c ? EINVAL : ENOMEM, "console of %u ports", nports);
        free(c);
        return NULL;
    }
    virtio_dev_init(&c->dev, &ops, host, c->queues, (uint16_t)(2 * (nports + 1)));
    for (unsigned i = 0; i < nports; i++) {
        if (!add_port(c, &ports[i], e))
            continue;
        for (unsigned k = 0; k < c->nports; k++)
            port_disown(&c->ports[k]); /* the descriptors stay the caller's */
        console_free(&c->dev);
        return NULL;
    }
    return &c->dev;
}

int console_add_spares(struct virtio_dev *dev, const int32_t *fds, unsigned n, struct err *e)
{
    int err = 0;

    for (unsigned i = n; !err && i--;)
        err = port_add_spare(&console_of(dev)->ports[0], fds[i], e);
    return err;
}
