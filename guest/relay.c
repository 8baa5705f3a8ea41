/* relay.c - see relay.h. Each thread has one buffer that holds the longest message. */
#include "guest/relay.h"

#include "guest/kmsg.h"

#include "base/files.h"
#include "base/io.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static struct {
    int fuse, port;
    const char *target;
} relay;

static void over(const char *why)
{
    kmsg(KMSG_WARNING, "live mounts: %s", why);
    (void)umount2(relay.target, MNT_FORCE); /* busy or not: its connection is over */
}

/* A read of /dev/fuse gives one whole request, and takes one system call; a write to the port goes
 * out in pieces of 32 KiB, as its driver takes them. */
static void *pump_out(void *arg)
{
    static uint8_t buf[FILES_MESSAGE_MAX];

    (void)arg;
    for (;;) {
        ssize_t n = read(relay.fuse, buf, sizeof(buf));

        if (n < 0 && (errno == EINTR || errno == ENOENT || errno == EAGAIN))
            continue; /* ENOENT: the request was taken back meanwhile */
        if (n < 0 && errno == ENODEV)
            return NULL; /* nothing is mounted any more */
        if (n <= 0) {
            over("requests cannot be read");
            return NULL;
        }
        if (io_write_full(relay.port, buf, (size_t)n)) {
            over("the host's end is gone");
            return NULL;
        }
    }
}

/* Writes the whole answers that are in the buffer, each with one call. False: no answer begins
 * there. The kernel judges the rest: one that it does not know is refused, and is nobody's. */
static int answer_all(const uint8_t *buf, size_t have, size_t *used)
{
    uint32_t len;

    for (*used = 0; have - *used >= sizeof(len); *used += len) {
        memcpy(&len, buf + *used, sizeof(len));
        if (len < FILES_REPLY_MIN || len > FILES_MESSAGE_MAX)
            return -EPROTO;
        if (len > have - *used)
            break;
        if (write(relay.fuse, buf + *used, len) < 0 && errno == ENODEV)
            return -ENODEV;
    }
    return 0;
}

static void *pump_in(void *arg)
{
    static uint8_t buf[FILES_MESSAGE_MAX];
    size_t have = 0, used;

    (void)arg;
    for (;;) {
        ssize_t n = read(relay.port, buf + have, sizeof(buf) - have);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            over("the host's end is gone");
            return NULL;
        }
        have += (size_t)n;

        int err = answer_all(buf, have, &used);

        if (err == -EPROTO)
            over("an answer without a length");
        if (err)
            return NULL;
        memmove(buf, buf + used, have - used);
        have -= used;
    }
}

static int start(void *(*pump)(void *))
{
    pthread_attr_t a;
    pthread_t t;
    int err = pthread_attr_init(&a);

    if (!err)
        err = pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED);
    return err ? err : pthread_create(&t, &a, pump, NULL);
}

int relay_start(int fuse, int port, const char *target, struct err *e)
{
    sigset_t all, before;
    int err;

    relay.fuse = fuse;
    relay.port = port;
    relay.target = target;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
    err = start(pump_out);
    if (!err)
        err = start(pump_in);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return err ? err_set(e, err, "live mounts: %s", strerror(err)) : 0;
}
