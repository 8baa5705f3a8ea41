/*
 * fuzz_fs.c - a file system device between a guest and a server of which neither keeps the rules:
 * registers and rings of any shape, bytes of any kind from the socket, resets, the server's end.
 */
#include "tests/fuzz/machine.h"

#include "base/vhost.h"
#include "vmm/virtio/fs.h"

#include <linux/fuse.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint16_t posted[2];
static int peer;

/* A request with room for its answer; either may be cut short. */
static void post(struct fuzz_machine *m, const uint8_t *d)
{
    uint8_t *ram = m->mem.region[0].host;
    unsigned q = d[0] >> 7;
    const uint64_t page = 0x1000ull * (q + 1), slot = posted[q] % 8u;
    const struct fuse_in_header h = { .len = sizeof(h), .unique = d[1] };
    uint16_t first = (uint16_t)(2 * slot);
    struct {
        uint64_t at;
        uint32_t len;
        uint16_t flags, next;
    } desc[2] = { { 0x4000 + 0x40 * slot, d[2] < 250 ? sizeof(h) : d[3], 1, (uint16_t)(first + 1) },
                  { 0x8000, d[2] < 250 ? 64 : d[2] % 32, 2, 0 } };

    memcpy(ram + desc[0].at, &h, sizeof(h));
    memcpy(ram + page + 16ull * first, desc, sizeof(desc));
    memcpy(ram + page + 0x404 + 2ul * (posted[q] % 16), &first, 2);
    posted[q]++;
    memcpy(ram + page + 0x402, &posted[q], 2);
    fuzz_w(m, FUZZ_MMIO + 0x2000 + 4ull * q, 2, q);
}

static void utter(const uint8_t *d)
{
    const uint32_t reply[] = { d[3] < 240 ? (uint32_t)VHOST_GET_VRING_BASE : d[1],
                               VHOST_VERSION | VHOST_REPLY, 8, d[1] % 3, d[2] };

    if (peer >= 0)
        (void)!send(peer, reply, d[0] & 64 ? d[3] % sizeof(reply) : sizeof(reply),
                    MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void end(const uint8_t *d)
{
    if (peer < 0 || d[3] < 240)
        return;
    close(peer);
    peer = -1;
}

static void step(struct fuzz_machine *m, const uint8_t *d)
{
    static uint8_t sink[4096];

    switch (d[0] % 8) {
    case 0:
    case 1: post(m, d); break;
    case 2: utter(d); break;
    case 3: (void)!recv(peer, sink, sizeof(sink), MSG_DONTWAIT); break;
    case 4: fuzz_w(m, FUZZ_MMIO + 0xfe0 + d[1] % 0x40, 1u << d[2] % 3, d[3]); break;
    case 5: fuzz_w(m, FUZZ_MMIO + 0x1400 + d[1] % 0x20, 4, d[2] & 1 ? d[3] : 0xfee00000u); break;
    case 6:
        fuzz_w(m, FUZZ_ECAM + 0x1004, 2, d[1] & 7);
        m->mem.region[0].host[0x1000 * (1 + (d[2] & 1)) + 0x800 + d[2] % 16] = d[3];
        end(d);
        break;
    default:
        if (d[3] > 128) {
            memset(posted, 0, sizeof(posted));
            memset(m->mem.region[0].host, 0, FUZZ_RAM);
            fuzz_start(m, d[1] & 1 ? VIRTIO_F_EVENT_IDX : 0, 2);
        }
    }
    fuzz_rounds(m, 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint64_t features = VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC |
                              VHOST_F_PROTOCOL_FEATURES;
    const struct vhost_head h = { VHOST_GET_FEATURES, VHOST_VERSION | VHOST_REPLY, 8 };
    struct fuzz_machine m;
    int pair[2];

    signal(SIGPIPE, SIG_IGN); /* as carrel-vmm */
    memset(posted, 0, sizeof(posted));
    fuzz_open(&m);
    m.host.ram = memfd_create("guest", MFD_CLOEXEC);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
        abort();
    peer = pair[1];
    if (write(peer, &h, sizeof(h)) != sizeof(h) || write(peer, &features, 8) != 8 ||
        virtio_pci_add(m.root, fs_new(&m.host, pair[0], NULL), NULL) ||
        pci_root_start(m.root, NULL))
        abort();
    fuzz_start(&m, 0, 2);
    for (; size >= 4; data += 4, size -= 4)
        step(&m, data);
    fuzz_close(&m);
    close(m.host.ram);
    if (peer >= 0)
        close(peer);
    return 0;
}
