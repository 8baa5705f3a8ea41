/* gmem.c - see gmem.h. One function (find) turns a guest address into a host pointer. */
#include "base/gmem.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

static uint8_t *find(const struct gmem *m, gpa_t gpa, uint64_t len)
{
    for (unsigned i = 0; i < m->n; i++) {
        const struct gmem_region *r = &m->region[i];

        /* Subtractions only: neither gpa + len nor base + size is ever formed, so none wraps. */
        if (gpa.at >= r->base && gpa.at - r->base < r->size && len <= r->size - (gpa.at - r->base))
            return r->host + (gpa.at - r->base);
    }
    return NULL;
}

bool gmem_covers(const struct gmem *m, gpa_t gpa, uint64_t len)
{
    return find(m, gpa, len) != NULL;
}

int gmem_read(const struct gmem *m, gpa_t gpa, void *dst, size_t len)
{
    const uint8_t *at = find(m, gpa, len);

    if (!at)
        return -EFAULT;
    memcpy(dst, at, len);
    /* The copy is final: the compiler may not go back to guest memory for a field of it. */
    __asm__ volatile("" ::: "memory");
    return 0;
}

int gmem_write(const struct gmem *m, gpa_t gpa, const void *src, size_t len)
{
    uint8_t *at = find(m, gpa, len);

    if (!at)
        return -EFAULT;
    memcpy(at, src, len);
    __asm__ volatile("" ::: "memory");
    return 0;
}

/* The aligned word at gpa, or NULL. Regions begin on page boundaries in both address spaces. */
static uint16_t *word(const struct gmem *m, gpa_t gpa)
{
    return gpa.at % sizeof(uint16_t) ? NULL : (void *)find(m, gpa, sizeof(uint16_t));
}

int gmem_load_acquire(const struct gmem *m, gpa_t gpa, uint16_t *out)
{
    const uint16_t *at = word(m, gpa);

    if (!at)
        return -EFAULT;
    *out = le16toh(__atomic_load_n(at, __ATOMIC_ACQUIRE));
    return 0;
}

int gmem_store_release(const struct gmem *m, gpa_t gpa, uint16_t value)
{
    uint16_t *at = word(m, gpa);

    if (!at)
        return -EFAULT;
    __atomic_store_n(at, htole16(value), __ATOMIC_RELEASE);
    return 0;
}

void *gmem_payload(const struct gmem *m, gpa_t gpa, uint64_t len)
{
    return find(m, gpa, len);
}
