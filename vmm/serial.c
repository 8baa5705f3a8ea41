/* serial.c - see serial.h. Registers as in National's PC16550D data sheet, section 8. */
#include "vmm/serial.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum {
    REG_DATA = 0, /* divisor low with LCR_DLAB */
    REG_IER = 1,  /* divisor high with LCR_DLAB */
    REG_IIR = 2,  /* FCR when written */
    REG_LCR = 3,
    REG_MCR = 4,
    REG_LSR = 5,
    REG_MSR = 6,
    REG_SCR = 7,
};

#define IER_THR     0x02u
#define IIR_NONE    0x01u
#define IIR_THR     0x02u
#define IIR_FIFO    0xc0u
#define FCR_ENABLE  0x01u
#define LCR_DLAB    0x80u
#define MCR_LOOP    0x10u
#define LSR_EMPTY   0x60u /* holding register and shifter */
#define MSR_PRESENT 0xb0u /* carrier, data set ready, clear to send */

#define NS_PER_S 1000000000ull

/* The bucket holds one second's worth. */
static void refill(struct serial *s)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);

    uint64_t ns = (uint64_t)(now.tv_sec - s->filled.tv_sec) * NS_PER_S + (uint64_t)now.tv_nsec -
                  (uint64_t)s->filled.tv_nsec;

    if (ns >= NS_PER_S) {
        s->tokens = s->rate;
        s->filled = now;
        return;
    }

    uint64_t more = ns * s->rate / NS_PER_S;

    if (!more)
        return; /* leave the clock: a slow rate must fill too */
    s->tokens = s->tokens + more < s->rate ? s->tokens + more : s->rate;
    s->filled = now;
}

static void flush(struct serial *s)
{
    unsigned n = s->n;

    s->n = 0;
    if (s->rate && s->tokens < n) {
        refill(s);
        if (s->tokens < n) {
            s->dropped += n - s->tokens;
            n = (unsigned)s->tokens;
        }
    }
    if (s->rate)
        s->tokens -= n;
    if (!n)
        return;

    ssize_t put = write(s->fd, s->line, n);

    s->dropped += put < 0 ? n : n - (uint64_t)put;
}

static void transmit(struct serial *s, uint8_t c)
{
    if (s->mcr & MCR_LOOP)
        return;
    s->line[s->n++] = (char)c;
    if (c == '\n' || s->n == sizeof(s->line))
        flush(s);
}

static uint8_t read_register(struct serial *s, unsigned reg)
{
    switch (reg) {
    case REG_DATA: return s->lcr & LCR_DLAB ? s->dll : 0;
    case REG_IER: return s->lcr & LCR_DLAB ? s->dlm : s->ier;
    case REG_IIR: {
        uint8_t fifo = s->fcr & FCR_ENABLE ? IIR_FIFO : 0;

        if (!(s->ier & IER_THR) || !s->thr_empty_news)
            return (uint8_t)(fifo | IIR_NONE);
        s->thr_empty_news = false;
        return (uint8_t)(fifo | IIR_THR);
    }
    case REG_LCR: return s->lcr;
    case REG_MCR: return s->mcr;
    case REG_LSR: return LSR_EMPTY;
    case REG_MSR:
        /* In loop mode the four outputs come back as the four inputs. */
        return s->mcr & MCR_LOOP
                   ? (uint8_t)((s->mcr & 0xcu) << 4 | (s->mcr & 2u) << 3 | (s->mcr & 1u) << 5)
                   : MSR_PRESENT;
    default: return s->scr;
    }
}

static void write_register(struct serial *s, unsigned reg, uint8_t v)
{
    switch (reg) {
    case REG_DATA:
        if (s->lcr & LCR_DLAB) {
            s->dll = v;
        } else {
            transmit(s, v);
            s->thr_empty_news = true;
        }
        break;
    case REG_IER:
        if (s->lcr & LCR_DLAB) {
            s->dlm = v;
        } else {
            s->thr_empty_news |= !(s->ier & IER_THR) && (v & IER_THR);
            s->ier = v & 0x0f;
        }
        break;
    case REG_IIR: s->fcr = v; break;
    case REG_LCR: s->lcr = v; break;
    case REG_MCR: s->mcr = v & 0x1f; break;
    case REG_SCR: s->scr = v; break;
    default: break; /* LSR and MSR are read-only */
    }
}

/* A wide access is as many narrow ones: an 8-bit part on a wider bus. */
static void serial_read(struct device *d, uint64_t off, void *dst, unsigned len)
{
    struct serial *s = container_of(d, struct serial, dev);
    uint8_t *to = dst;

    pthread_mutex_lock(&s->lock);
    for (unsigned i = 0; i < len; i++)
        to[i] = read_register(s, (unsigned)off + i);
    pthread_mutex_unlock(&s->lock);
}

static void serial_write(struct device *d, uint64_t off, const void *src, unsigned len)
{
    struct serial *s = container_of(d, struct serial, dev);
    const uint8_t *from = src;

    pthread_mutex_lock(&s->lock);
    for (unsigned i = 0; i < len; i++)
        write_register(s, (unsigned)off + i, from[i]);
    pthread_mutex_unlock(&s->lock);
}

static const struct device_ops serial_ops = { .name = "serial",
                                              .read = serial_read,
                                              .write = serial_write };

int serial_init(struct serial *s, int fd, uint32_t bytes_per_s, struct err *e)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK))
        return err_sys(e, "serial output");
    *s = (struct serial){ .dev.ops = &serial_ops,
                          .fd = fd,
                          .rate = bytes_per_s,
                          .tokens = bytes_per_s,
                          .lock = PTHREAD_MUTEX_INITIALIZER };
    clock_gettime(CLOCK_MONOTONIC, &s->filled);
    return 0;
}

uint64_t serial_flush(struct serial *s)
{
    uint64_t n;

    pthread_mutex_lock(&s->lock);
    flush(s);
    n = s->dropped;
    pthread_mutex_unlock(&s->lock);
    return n;
}

void serial_fini(struct serial *s)
{
    fd_closep(&s->fd);
}
