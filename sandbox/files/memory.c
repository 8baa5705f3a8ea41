/* memory.c - see memory.h. */
#include "sandbox/files/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define PAGE  4096u
#define GUARD (2ull << 20)

_Static_assert(GMEM_REGIONS >= VHOST_REGIONS, "base/gmem.h");

static int refuse(struct err *e, const char *why)
{
    return err_set(e, EPROTO, "the guest's memory: %s", why);
}

static bool wraps(uint64_t at, uint64_t len)
{
    uint64_t end;

    return add_overflows(at, len, &end);
}

static bool meet(uint64_t a, uint64_t na, uint64_t b, uint64_t nb)
{
    return a < b ? b - a < na : a - b < nb;
}

/* One file, from first to last, and no more of it than the guest has. What was written to another
 * would stay its owner's when it lends the next, and count as ours: that process has a limit of its
 * memory, we have none. */
static int check_file(struct memory *m, const struct stat *st, uint64_t end, struct err *e)
{
    if (end > m->most)
        return refuse(e, "more than the guest has");
    if (m->ino && (st->st_dev != m->dev || st->st_ino != m->ino))
        return refuse(e, "it is in more than one file");
    m->dev = st->st_dev;
    m->ino = st->st_ino;
    return 0;
}

static int check_region(struct memory *m, const struct vhost_memory *t, uint32_t i, int fd,
                        struct err *e)
{
    const struct vhost_region *r = &t->region[i];
    uint64_t end;
    struct stat st;
    int seals;

    if (!r->size || (r->size | r->guest | r->offset) % PAGE || r->user % sizeof(uint64_t))
        return refuse(e, "a region that does not consist of pages");
    if (wraps(r->guest, r->size) || wraps(r->user, r->size) ||
        add_overflows(r->offset, r->size, &end) || r->size > SIZE_MAX / 2)
        return refuse(e, "a region that wraps");
    for (uint32_t k = 0; k < i; k++)
        if (meet(r->guest, r->size, t->region[k].guest, t->region[k].size) ||
            meet(r->user, r->size, t->region[k].user, t->region[k].size))
            return refuse(e, "two regions overlap");
    seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || !(seals & F_SEAL_SHRINK))
        return refuse(e, "it is no memfd that is sealed against shrinking");
    if (fstat(fd, &st) || st.st_size < 0 || end > (uint64_t)st.st_size)
        return refuse(e, "a region reaches beyond its file");
    return check_file(m, &st, end, e);
}

static int map_region(struct memory *m, const struct vhost_region *r, int fd, struct err *e)
{
    size_t len = r->size + 2 * GUARD;
    uint8_t *at = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    uint8_t *ram = at + GUARD;

    if (at == MAP_FAILED)
        return err_sys(e, "the guest's memory: address space");
    if (mmap(ram, r->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, (off_t)r->offset) ==
            MAP_FAILED ||
        madvise(ram, r->size, MADV_DONTDUMP)) { /* no core file of anybody has it */
        err_sys(e, "the guest's memory");
        munmap(at, len);
        return -e->code;
    }
    m->user[m->gmem.n] = r->user;
    m->gmem.region[m->gmem.n++] = (struct gmem_region){ ram, r->guest, r->size };
    return 0;
}

int memory_map(struct memory *m, const struct vhost_memory *table, const int fds[VHOST_REGIONS],
               struct err *e)
{
    int err = 0;

    for (uint32_t i = 0; !err && i < table->n; i++)
        err = check_region(m, table, i, fds[i], e);
    for (uint32_t i = 0; !err && i < table->n; i++)
        err = map_region(m, &table->region[i], fds[i], e);
    if (err)
        memory_unmap(m);
    return err;
}

void memory_unmap(struct memory *m)
{
    while (m->gmem.n) {
        const struct gmem_region *r = &m->gmem.region[--m->gmem.n];

        munmap(r->host - GUARD, r->size + 2 * GUARD);
    }
}

bool memory_find(const struct memory *m, uint64_t user, gpa_t *at)
{
    for (unsigned i = 0; i < m->gmem.n; i++) {
        const struct gmem_region *r = &m->gmem.region[i];

        if (user >= m->user[i] && user - m->user[i] < r->size) {
            at->at = r->base + (user - m->user[i]);
            return true;
        }
    }
    return false;
}
