/*
 * fuzz_vhost.c - any machine's process and any guest to carrel-files: messages of vhost-user, and
 * guest memory in which rings, descriptors and requests are what the input says.
 *
 * The input is a sequence of actions: what (a byte), where in guest memory or which request (two),
 * a length (one), then that many bytes. Addresses are small, so that they meet; the rings are
 * where files_front.h has them. After each input: what lies beside the granted directory is as it
 * was, and what is protected in it too.
 */
#include "tests/unit/files_front.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct front f;
static unsigned inputs;

static void put(const char *dir, const char *text)
{
    char path[256];
    FILE *file;

    snprintf(path, sizeof(path), "%s/s", dir);
    file = fopen(path, "w");
    if (!file || fputs(text, file) < 0 || fclose(file))
        abort();
}

static void must_be(const char *dir, const char *text)
{
    char path[256], got[16] = "";
    FILE *file;

    snprintf(path, sizeof(path), "%s/s", dir);
    file = fopen(path, "r");
    if (!file || !fgets(got, sizeof(got), file) || fclose(file) || strcmp(got, text) != 0)
        abort();
}

static void begin(void)
{
    signal(SIGPIPE, SIG_IGN); /* as carrel-files */
    front_init(&f, "access: rw, deny_read: ['**/s'], deny_write: ['**/s'], quota: {bytes: 64KiB, "
                   "inodes: 64}");
    put(f.c.dir, "secret");
    put(f.c.outside, "outside");
}

/* False: the connection is over. */
static bool act(uint8_t what, uint16_t where, const uint8_t *bytes, uint8_t len)
{
    const int fds[] = { f.memfd, f.kick, f.ring[0].call };
    uint8_t body[256] = { 0 };

    memcpy(body, bytes, len);
    switch (what % 8) {
    case 0: /* any message */
        front_send(&f, where & 0x1f, where & 0x100 ? (uint32_t)where >> 9 : VHOST_VERSION, body,
                   len, fds + (where >> 14) % 3, what >> 3 & 1);
        break;
    case 1: /* one of the right length */
        front_send(&f, VHOST_SET_VRING_NUM + where % 4, VHOST_VERSION, body,
                   where % 4 == 1 ? 40 : 8, NULL, 0);
        break;
    case 2: front_send(&f, VHOST_SET_VRING_ENABLE, VHOST_VERSION, body, 8, NULL, 0); break;
    case 3: { /* memory, cut otherwise */
        struct vhost_memory t = front_table();
        const int twice[] = { f.memfd, f.memfd };

        t.region[where & 1].size = (uint64_t)(len + 1u) << 12;
        front_send(&f, VHOST_SET_MEM_TABLE, VHOST_VERSION, &t, 8 + 2 * sizeof(t.region[0]), twice,
                   2);
        break;
    }
    case 4:
    case 5: memcpy(front_at(&f, where), bytes, len); break;
    default: front_kick(&f);
    }
    return front_settle(&f) > 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool goes_on = true;
    char drop[512];

    if (inputs++ == 0)
        begin();
    if (size && data[0] & 1)
        front_start(&f, data[0] & 2);
    for (size_t at = 1; goes_on && at + 4 <= size;) {
        uint8_t len = data[at + 3];

        if (len > size - at - 4)
            len = (uint8_t)(size - at - 4);
        goes_on = act(data[at], (uint16_t)(data[at + 1] | data[at + 2] << 8), data + at + 4, len);
        at += 4u + len;
        while (recv(f.sock, drop, sizeof(drop), MSG_DONTWAIT) > 0)
            ;
    }
    while (recv(f.c.reports[1], drop, sizeof(drop), MSG_DONTWAIT | MSG_TRUNC) > 0)
        ;
    must_be(f.c.dir, "secret");
    must_be(f.c.outside, "outside");
    front_again(&f);
    return 0;
}
