/* ledger.c - see ledger.h. */
#include "sandbox/guard/ledger.h"

#include "base/failpoint.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

struct account {
    uint64_t limit[LEDGER_ITEMS], spent[LEDGER_ITEMS];
};

static int load(int fd, struct account *a, struct err *e)
{
    ssize_t n = pread(fd, a, sizeof(*a), 0);

    if (n == 0)
        memset(a, 0, sizeof(*a)); /* new */
    else if (n != sizeof(*a))
        return n < 0 ? err_sys(e, "budget") : err_set(e, EBADMSG, "budget: damaged");
    return 0;
}

static int store(int fd, const struct account *a, struct err *e)
{
    return !FAILPOINT("ledger.write") && pwrite(fd, a, sizeof(*a), 0) == sizeof(*a)
               ? 0
               : err_sys(e, "budget");
}

/* Whoever holds the lock holds it for a few system calls. */
static int lock(int fd, struct err *e)
{
    while (FAILPOINT("ledger.lock") || flock(fd, LOCK_EX))
        if (errno != EINTR)
            return err_sys(e, "budget");
    return 0;
}

static void unlock(const struct ledger *l, unsigned n)
{
    while (n)
        (void)flock(l->fd[--n], LOCK_UN);
}

int ledger_open(struct ledger *l, const int *dirs, unsigned n, const uint64_t limit[LEDGER_ITEMS],
                struct err *e)
{
    l->n = 0;
    if (n == 0 || n > LEDGER_ANCESTORS + 1)
        return err_set(e, E2BIG, "more than %u sandboxes started for each other",
                       LEDGER_ANCESTORS + 1);
    while (l->n < n) {
        bool own = l->n == n - 1;
        int fd = FAILPOINT("ledger.open")
                     ? -1
                     : openat(dirs[l->n], LEDGER_FILE,
                              O_RDWR | O_CLOEXEC | O_NOFOLLOW | (own ? O_CREAT : 0), 0600);

        if (fd < 0)
            return err_sys(e, "budget");
        l->fd[l->n++] = fd;
    }
    return ledger_limit(l, limit, e);
}

void ledger_close(struct ledger *l)
{
    while (l->n)
        fd_closep(&l->fd[--l->n]);
}

int ledger_limit(struct ledger *l, const uint64_t limit[LEDGER_ITEMS], struct err *e)
{
    int fd = l->fd[l->n - 1], err = lock(fd, e);
    struct account a;

    if (err)
        return err;
    err = load(fd, &a, e);
    memcpy(a.limit, limit, sizeof(a.limit));
    if (!err)
        err = store(fd, &a, e);
    (void)flock(fd, LOCK_UN);
    return err;
}

int ledger_spent(const struct ledger *l, enum ledger_item item, uint64_t *out, struct err *e)
{
    struct account a;
    int err = load(l->fd[l->n - 1], &a, e);

    *out = a.spent[item];
    return err;
}

int ledger_spend(struct ledger *l, enum ledger_item item, uint64_t amount, bool used,
                 unsigned *whose, struct err *e)
{
    struct account a[LEDGER_ANCESTORS + 1];
    unsigned locked = 0;
    bool overdrawn = false;
    int err = 0;

    *whose = 0;
    for (; locked < l->n && !err; locked++) {
        err = lock(l->fd[locked], e);
        if (err)
            break;
        err = load(l->fd[locked], &a[locked], e);
        if (!err && (add_overflows(a[locked].spent[item], amount, &a[locked].spent[item]) ||
                     a[locked].spent[item] > a[locked].limit[item])) {
            overdrawn = true;
            *whose = l->n - 1 - locked;
        }
    }
    for (unsigned i = 0; i < l->n && !err && (!overdrawn || used); i++)
        err = store(l->fd[i], &a[i], e);
    unlock(l, locked);
    if (!err && overdrawn)
        err = err_set(e, EDQUOT, "the budget is used up");
    return err;
}
