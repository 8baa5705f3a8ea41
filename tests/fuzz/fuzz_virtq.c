/*
 * fuzz_virtq.c - ring memory as the fuzzer likes it; whatever is popped must lie in RAM, hold
 * together, and be pushed back.
 */
#include "base/virtq.h"

#include <stdlib.h>
#include <string.h>

#define LOW  8192u
#define HIGH 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct gmem *m, const struct virtq *q, const struct virtq_chain *c)
{
    uint64_t len[2] = { 0, 0 };

    if (c->nread + c->nwrite > q->size)
        abort();
    for (unsigned i = 0; i < c->nread + c->nwrite; i++) {
        const uint8_t *at = c->iov[i].iov_base;
        bool inside = false;

        for (unsigned r = 0; r < m->n; r++)
            inside |= at >= m->region[r].host && at < m->region[r].host + m->region[r].size &&
                      c->iov[i].iov_len <= (size_t)(m->region[r].host + m->region[r].size - at);
        if (!inside)
            abort();
        len[i >= c->nread] += c->iov[i].iov_len;
    }
    if (len[0] != c->read_len || len[1] != c->write_len)
        abort();
}

/* Byte 0: features and size; then two bytes each for the three parts; the rest is RAM from 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct virtq_chain c;
    uint8_t *low = calloc(1, LOW), *high = calloc(1, HIGH); /* so that asan sees their ends */
    struct gmem m = { 2, { { low, 0, LOW }, { high, 0x100000000, HIGH } } };
    struct virtq q = { 0 };
    uint16_t at[3];

    if (size >= 8 && low && high) {
        memcpy(at, data + 1, sizeof(at));
        q.size = (uint16_t)(1u << (data[0] & 15));
        q.indirect = data[0] & 16;
        q.event_idx = data[0] & 32;
        q.desc.at = at[0];
        q.avail.at = at[1];
        q.used.at = at[2];
        memcpy(low, data + 7, size - 7 < LOW ? size - 7 : LOW);
        if (virtq_check(&q, &m)) {
            q.enabled = true;
            for (unsigned n = 0; n < 64; n++) {
                uint8_t take[64] = { 0 }, *last;

                if (virtq_pop(&q, &m, &c) != VIRTQ_CHAIN)
                    break;
                check(&m, &q, &c);
                if (n % 8 == 3) {
                    virtq_unpop(&q, 1);
                    continue;
                }
                (void)!virtq_chain_take(&c, take, n);
                (void)!virtq_chain_last_byte(&c, &last);
                (void)!virtq_chain_give(&c, take, n);
                (void)!virtq_chain_skip(&c, n);
                check(&m, &q, &c);
                if (virtq_push(&q, &m, c.head, n))
                    abort();
                (void)!virtq_wants_interrupt(&q, &m);
                (void)!virtq_wait(&q, &m);
                virtq_hush(&q, &m);
            }
        }
    }
    free(low);
    free(high);
    return 0;
}
