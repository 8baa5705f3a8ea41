/*
 * fuzz_console.c - a console of two ports: control messages, bytes both ways, closings and resets
 * in any order, with buffers of any shape.
 */
#include "tests/fuzz/machine.h"

#include "vmm/virtio/console.h"

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint16_t posted[6];

/* A chain of one or two buffers in queue q. */
static void post(struct fuzz_machine *m, unsigned q, uint64_t at, uint32_t len, bool write,
                 bool twice)
{
    uint8_t *ram = m->mem.region[0].host;
    uint64_t page = 0x1000ull * (q + 1);
    uint16_t head = (uint16_t)(posted[q] * 2 % 16), flags = write ? 2 : 0;

    for (unsigned i = 0; i < 2; i++) {
        struct {
            uint64_t at;
            uint32_t len;
            uint16_t flags, next;
        } d = { at, len, (uint16_t)(flags | (twice && !i)), (uint16_t)(head + 1) };

        memcpy(ram + page + 16 * (head + i), &d, sizeof(d));
    }
    memcpy(ram + page + 0x400 + 4 + 2 * (posted[q] % 16), &head, 2);
    posted[q]++;
    memcpy(ram + page + 0x400 + 2, &posted[q], 2);
}

static int open_console(struct fuzz_machine *m, int peer[2])
{
    struct vmm_launch_port ports[2] = { { .name = "one" }, { .name = "two" } };

    signal(SIGPIPE, SIG_IGN); /* as carrel-vmm */
    fuzz_open(m);
    for (unsigned i = 0; i < 2; i++) {
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
            return -1;
        ports[i].fd = pair[0];
        peer[i] = pair[1];
    }
    if (virtio_pci_add(m->root, console_new(&m->host, ports, 2, NULL), NULL))
        return -1;
    return pci_root_start(m->root, NULL);
}

static void step(struct fuzz_machine *m, int peer[2], const uint8_t *d)
{
    struct {
        uint32_t id;
        uint16_t event, value;
    } msg = { d[1] & 0x80 ? d[1] * 0x1010101u : d[1], d[2], d[3] };
    uint8_t bytes[4096];
    unsigned port = d[1] & 1;
    uint32_t len = d[2] | (uint32_t)(d[3] & 0x3f) << 8;

    switch (d[0] % 8) {
    case 0: /* a control message; it may be cut short */
        memcpy(m->mem.region[0].host + 0x8000, &msg, sizeof(msg));
        post(m, 3, 0x8000, d[0] & 8 ? d[3] : 8, false, d[0] & 16);
        break;
    case 1: post(m, 2, 0x9000, len, !(d[0] & 8), d[0] & 16); break;
    case 2: post(m, port ? 4 : 0, 0xa000, len, d[0] & 0x38, d[0] & 16); break;
    case 3: post(m, port ? 5 : 1, 0xc000, len, (d[0] & 0x38) == 8, d[0] & 16); break;
    case 4: (void)!send(peer[port], bytes, d[2] * 16u, MSG_DONTWAIT | MSG_NOSIGNAL); break;
    case 5: (void)!recv(peer[port], bytes, d[2] * 16u, MSG_DONTWAIT); break;
    case 6:
        if (d[2] > 250)
            shutdown(peer[port], d[3] % 3);
        break;
    default:
        if (d[2] > 240) {
            memset(posted, 0, sizeof(posted));
            memset(m->mem.region[0].host, 0, FUZZ_RAM);
            fuzz_start(m, 2, 6);
        }
    }
    if (d[0] & 0xc0)
        fuzz_ring(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_machine m;
    int peer[2];

    memset(posted, 0, sizeof(posted));
    if (open_console(&m, peer))
        abort();
    fuzz_start(&m, 2, 6);
    for (; size >= 4; data += 4, size -= 4)
        step(&m, peer, data);
    fuzz_close(&m);
    close(peer[0]);
    close(peer[1]);
    return 0;
}
