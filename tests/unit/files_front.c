/* files_front.c - see files_front.h. */
#include "tests/unit/files_front.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define INDIRECT_AND_MORE ((1ull << 28) | (1ull << 32) | VHOST_F_PROTOCOL_FEATURES)
#define EVENT_IDX         (1ull << 29)

static _Noreturn void die(const struct front *f, const char *what)
{
    fprintf(stderr, "%s: %s (%s)\n", what, f->why.msg, strerror(errno));
    abort();
}

static void connect_to(struct front *f)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        die(f, "socketpair");
    f->sock = pair[0];
    if (rings_init(&f->r, &f->c.s, pair[1], &f->why))
        die(f, "rings");
}

void front_again(struct front *f)
{
    rings_fini(&f->r);
    fd_closep(&f->sock);
    memset(f->ram, 0, FRONT_LOW + FRONT_HIGH);
    for (unsigned i = 0; i < VHOST_RINGS; i++) {
        f->ring[i].next = f->ring[i].free = f->ring[i].seen = 0;
        (void)front_calls(f, i);
    }
    connect_to(f);
}

void front_init(struct front *f, const char *mount)
{
    memset(f, 0, sizeof(*f));
    client_init(&f->c, mount, 64);
    f->c.s.guest_memory = FRONT_LOW + FRONT_HIGH;
    f->memfd = memfd_create("ram", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (f->memfd < 0 || ftruncate(f->memfd, FRONT_LOW + FRONT_HIGH) ||
        fcntl(f->memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
        die(f, "memfd");
    f->ram = mmap(NULL, FRONT_LOW + FRONT_HIGH, PROT_READ | PROT_WRITE, MAP_SHARED, f->memfd, 0);
    f->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (f->ram == MAP_FAILED || f->kick < 0)
        die(f, "front");
    for (unsigned i = 0; i < VHOST_RINGS; i++) {
        f->ring[i] = (struct front_ring){ .desc = 0x1000 + i * 0x3000,
                                          .avail = 0x2000 + i * 0x3000,
                                          .used = 0x3000 + i * 0x3000,
                                          .call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
        if (f->ring[i].call < 0)
            die(f, "eventfd");
    }
    connect_to(f);
}

void front_fini(struct front *f)
{
    rings_fini(&f->r);
    fd_closep(&f->sock);
    fd_closep(&f->kick);
    fd_closep(&f->memfd);
    for (unsigned i = 0; i < VHOST_RINGS; i++)
        fd_closep(&f->ring[i].call);
    munmap(f->ram, FRONT_LOW + FRONT_HIGH);
    client_fini(&f->c);
}

/* ---- messages ---- */

void front_send(struct front *f, uint32_t request, uint32_t flags, const void *body, uint32_t size,
                const int *fds, unsigned nfds)
{
    const struct vhost_head head = { request, flags, size };
    union {
        char bytes[CMSG_SPACE(sizeof(int) * 16)];
        struct cmsghdr align;
    } beside = { .bytes = { 0 } };
    struct iovec iov[2] = { { (void *)&head, sizeof(head) }, { (void *)body, body ? size : 0 } };
    struct msghdr h = { .msg_iov = iov, .msg_iovlen = 2 };

    if (nfds) {
        h.msg_control = beside.bytes;
        h.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
        *CMSG_FIRSTHDR(&h) = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int) * nfds),
                                               .cmsg_level = SOL_SOCKET,
                                               .cmsg_type = SCM_RIGHTS };
        memcpy(CMSG_DATA(CMSG_FIRSTHDR(&h)), fds, sizeof(int) * nfds);
    }
    if (sendmsg(f->sock, &h, MSG_NOSIGNAL) != (ssize_t)(sizeof(head) + iov[1].iov_len))
        die(f, "sendmsg");
}

int front_turn(struct front *f)
{
    f->why = ERR_INIT;
    return rings_turn(&f->r, 0, &f->why);
}

int front_settle(struct front *f)
{
    int n;

    do
        n = front_turn(f);
    while (n > 0 && (f->r.busy || f->r.vhost.rung));
    return n;
}

int front_say(struct front *f, uint32_t request, const void *body, uint32_t size)
{
    front_send(f, request, VHOST_VERSION, body, size, NULL, 0);
    return front_turn(f);
}

int front_say_fd(struct front *f, uint32_t request, const void *body, uint32_t size, int fd)
{
    front_send(f, request, VHOST_VERSION, body, size, &fd, 1);
    return front_turn(f);
}

uint64_t front_answer(struct front *f, uint32_t request)
{
    struct {
        struct vhost_head head;
        uint64_t value;
    } __attribute__((packed)) a = { .value = 0 };
    ssize_t n = recv(f->sock, &a, sizeof(a), MSG_DONTWAIT);

    if (n != sizeof(a) || a.head.request != request || a.head.size != sizeof(a.value) ||
        a.head.flags != (VHOST_VERSION | VHOST_REPLY))
        die(f, "an answer that is none");
    return a.value;
}

/* ---- an honest beginning ---- */

struct vhost_memory front_table(void)
{
    return (struct vhost_memory){
        .n = 2,
        .region = { { 0, FRONT_LOW, FRONT_USER, 0 },
                    { FRONT_HIGH_GPA, FRONT_HIGH, FRONT_USER + (1ull << 40), FRONT_LOW } },
    };
}

static void must(struct front *f, int n, const char *what)
{
    if (n != 1)
        die(f, what);
}

void front_memory(struct front *f)
{
    const struct vhost_memory t = front_table();
    const int fds[] = { f->memfd, f->memfd };

    front_send(f, VHOST_SET_MEM_TABLE, VHOST_VERSION, &t, 8 + 2 * sizeof(t.region[0]), fds, 2);
    must(f, front_turn(f), "memory");
}

void front_place(struct front *f, unsigned ring, uint16_t base)
{
    struct front_ring *r = &f->ring[ring];
    const struct vhost_vring_state num = { ring, FRONT_SIZE }, at = { ring, base };
    const struct vhost_vring_addr addr = { .index = ring,
                                           .desc = FRONT_USER + r->desc,
                                           .avail = FRONT_USER + r->avail,
                                           .used = FRONT_USER + r->used };

    must(f, front_say(f, VHOST_SET_VRING_NUM, &num, sizeof(num)), "num");
    must(f, front_say(f, VHOST_SET_VRING_BASE, &at, sizeof(at)), "base");
    must(f, front_say(f, VHOST_SET_VRING_ADDR, &addr, sizeof(addr)), "addr");
}

void front_enable(struct front *f, unsigned ring, unsigned on)
{
    const struct vhost_vring_state s = { ring, on };

    must(f, front_say(f, VHOST_SET_VRING_ENABLE, &s, sizeof(s)), "enable");
}

uint16_t front_stop(struct front *f, unsigned ring)
{
    const struct vhost_vring_state s = { ring, 0 };
    uint64_t value;

    must(f, front_say(f, VHOST_GET_VRING_BASE, &s, sizeof(s)), "stop");
    value = front_answer(f, VHOST_GET_VRING_BASE);
    if ((uint32_t)value != ring)
        die(f, "another ring's base");
    return (uint16_t)(value >> 32);
}

void front_start(struct front *f, bool event_idx)
{
    const uint64_t features = INDIRECT_AND_MORE | (event_idx ? EVENT_IDX : 0);

    must(f, front_say(f, VHOST_SET_OWNER, NULL, 0), "owner");
    must(f, front_say(f, VHOST_SET_FEATURES, &features, sizeof(features)), "features");
    front_memory(f);
    for (unsigned i = 0; i < VHOST_RINGS; i++) {
        const uint64_t index = i;

        front_place(f, i, 0);
        must(f, front_say_fd(f, VHOST_SET_VRING_KICK, &index, sizeof(index), f->kick), "kick");
        must(f, front_say_fd(f, VHOST_SET_VRING_CALL, &index, sizeof(index), f->ring[i].call),
             "call");
        front_enable(f, i, 1);
    }
}

/* ---- the guest ---- */

void *front_at(struct front *f, uint64_t gpa)
{
    return f->ram + (gpa < FRONT_HIGH_GPA ? gpa : gpa - FRONT_HIGH_GPA + FRONT_LOW);
}

static void put16(struct front *f, uint64_t gpa, uint16_t value)
{
    __atomic_store_n((uint16_t *)front_at(f, gpa), value, __ATOMIC_RELEASE);
}

uint16_t front_post(struct front *f, unsigned ring, const struct front_buf *b, unsigned n)
{
    struct front_ring *r = &f->ring[ring];
    uint16_t head = r->free;

    for (unsigned i = 0; i < n; i++) {
        uint16_t at = r->free, next = (uint16_t)((at + 1) % FRONT_SIZE);
        const struct front_desc d = { b[i].at, b[i].len,
                                      (uint16_t)(b[i].flags | (i + 1 < n ? D_NEXT : 0)), next };

        memcpy(front_at(f, r->desc + at * sizeof(d)), &d, sizeof(d));
        r->free = next;
    }
    memcpy(front_at(f, r->avail + 4 + 2 * (r->next % FRONT_SIZE)), &head, sizeof(head));
    put16(f, r->avail + 2, ++r->next);
    return head;
}

void front_kick(struct front *f)
{
    const uint64_t one = 1;

    if (write(f->kick, &one, sizeof(one)) != sizeof(one))
        die(f, "kick");
}

bool front_reap(struct front *f, unsigned ring, uint32_t *id, uint32_t *len)
{
    struct front_ring *r = &f->ring[ring];
    const uint32_t *elem = front_at(f, r->used + 4 + 8 * (r->seen % FRONT_SIZE));
    uint16_t used = __atomic_load_n((uint16_t *)front_at(f, r->used + 2), __ATOMIC_ACQUIRE);

    if (used == r->seen)
        return false;
    *id = elem[0];
    *len = elem[1];
    put16(f, r->avail + 4 + 2 * FRONT_SIZE, ++r->seen); /* used_event: the next one, too */
    return true;
}

uint64_t front_calls(struct front *f, unsigned ring)
{
    uint64_t n = 0;

    return read(f->ring[ring].call, &n, sizeof(n)) == sizeof(n) ? n : 0;
}
