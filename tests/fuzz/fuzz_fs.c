/*
 * fuzz_fs.c - a file system device between a guest and a server of which neither keeps the rules:
 * requests of any shape, bytes of any kind from the socket, resets, the server's end.
 */
#include "tests/fuzz/machine.h"

#include "base/files.h"
#include "vmm/virtio/fs.h"

#include <linux/fuse.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint16_t posted[2];
static int peer;

/* A chain of a header, a body and room for a reply; any of them may be missing. */
static void post(struct fuzz_machine *m, unsigned q, const struct fuse_in_header *h, uint32_t head,
                 uint32_t body, uint32_t room)
{
    uint8_t *ram = m->mem.region[0].host;
    const uint64_t page = 0x1000ull * (q + 1), at = 0x4000ull + 0x40ull * (posted[q] % 16);
    const struct {
        uint64_t at;
        uint32_t len;
        uint16_t flags;
    } part[3] = { { at, head, 0 }, { 0x5000, body, 0 }, { 0x8000, room, 2 } };
    uint16_t first = (uint16_t)(posted[q] * 3 % 15), d = first;

    memcpy(ram + at, h, sizeof(*h));
    for (unsigned i = 0; i < 3; i++) {
        struct {
            uint64_t at;
            uint32_t len;
            uint16_t flags, next;
        } desc = { part[i].at, part[i].len, (uint16_t)(part[i].flags | (i < 2)),
                   (uint16_t)(d + 1) };

        memcpy(ram + page + 16ull * d++, &desc, sizeof(desc));
    }
    memcpy(ram + page + 0x400 + 4 + 2 * (posted[q] % 16), &first, 2);
    posted[q]++;
    memcpy(ram + page + 0x400 + 2, &posted[q], 2);
}

static void request(struct fuzz_machine *m, const uint8_t *d)
{
    struct fuse_in_header h = { .opcode = d[0] & 8 ? FUSE_FORGET : FUSE_READ, .unique = d[1] % 8 };
    uint32_t body = d[2] * 64u, room = FILES_REPLY_MIN + d[3] * 64u;

    h.len = (uint32_t)sizeof(h) + body;
    if (d[0] & 16 && d[1] & 8)
        h.len += d[1] % 3 - 1;
    post(m, !(d[0] & 8) != !(d[1] == 0xff), &h, d[1] == 0xfe ? d[2] : (uint32_t)sizeof(h), body,
         d[1] & 16 && d[0] & 16 ? d[3] : room);
}

static void reply(const uint8_t *d)
{
    uint8_t bytes[4096] = { 0 };
    struct fuse_out_header h = { .len = FILES_REPLY_MIN + (d[2] & 7) * d[3],
                                 .error = d[2] & 64 ? -(int32_t)d[3] : 0,
                                 .unique = d[1] % 8 };

    if (d[2] & 64)
        h.len = FILES_REPLY_MIN;
    if (d[2] == 0xff)
        h.len = d[3] * 0x1010101u;
    memcpy(bytes, &h, sizeof(h));
    if (peer >= 0)
        (void)!send(peer, bytes, d[1] & 128 ? d[3] : h.len % sizeof(bytes),
                    MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void end(const uint8_t *d)
{
    if (d[1] < 250)
        shutdown(peer, d[2] % 3);
    else {
        close(peer);
        peer = -1;
    }
}

static void step(struct fuzz_machine *m, const uint8_t *d)
{
    static uint8_t sink[65536];

    switch (d[0] % 8) {
    case 0:
    case 1:
    case 2: request(m, d); break;
    case 3:
    case 4: reply(d); break;
    case 5: (void)!recv(peer, sink, d[2] * 256u, MSG_DONTWAIT); break;
    case 6:
        if (d[3] > 250)
            end(d);
        break;
    default:
        if (d[3] > 200) {
            memset(posted, 0, sizeof(posted));
            memset(m->mem.region[0].host, 0, FUZZ_RAM);
            fuzz_start(m, d[1] & 1 ? VIRTIO_F_EVENT_IDX : 0, 2);
        }
    }
    if (d[0] & 0xc0)
        fuzz_ring(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_machine m;
    int pair[2];

    signal(SIGPIPE, SIG_IGN); /* as carrel-vmm */
    memset(posted, 0, sizeof(posted));
    fuzz_open(&m);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
        abort();
    peer = pair[1];
    if (virtio_pci_add(m.root, fs_new(&m.host, pair[0], NULL), NULL) ||
        pci_root_start(m.root, NULL))
        abort();
    fuzz_start(&m, 0, 2);
    for (; size >= 4; data += 4, size -= 4)
        step(&m, data);
    fuzz_close(&m);
    if (peer >= 0)
        close(peer);
    return 0;
}
