/* files_attack.c - see files_attack.h; linked into carrel-files-attack, and into its test. */
#include "tests/payload/files_attack.h"

#include "sandbox/files/rings.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

int __wrap_rings_run(struct rings *rings, struct err *e);

static struct open_how to_read = { .flags = O_RDONLY };
static struct open_how to_reach = { .flags = O_PATH };
static struct open_how to_list = { .flags = O_RDONLY | O_DIRECTORY };
static struct open_how to_write = { .flags = O_WRONLY };
static struct open_how to_make = { .flags = O_WRONLY | O_CREAT | O_EXCL, .mode = 0600 };
static struct stat st;
static char text[256];

static const char *const names[] = {
    "nothing",
#define ATTACK(name, nr, a, b, c, d) #name,
#include "tests/payload/files_attack.def"
#undef ATTACK
};

const char *files_attack_name(unsigned n)
{
    return n < FILES_ATTACKS_END ? names[n - FILES_NOTHING] : "?";
}

/* renameat2 and linkat have a fifth argument, flags: 0. */
long files_attempt(unsigned n, int rw, int ro)
{
    switch (n) {
#define ATTACK(name, nr, a, b, c, d) \
    case FILES_ATTACK_##name:        \
        return syscall(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0l);
#include "tests/payload/files_attack.def"
#undef ATTACK
    default: return 0;
    }
}

static int open_in(int root, const char *name, int flags)
{
    struct open_how how = { .flags = (unsigned)flags,
                            .mode = flags & O_CREAT ? 0600 : 0,
                            .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };

    return (int)syscall(SYS_openat2, root, name, &how, sizeof(how));
}

/* After all walls are up, in place of the first request. */
int __wrap_rings_run(struct rings *rings, struct err *e)
{
    const struct server *s = rings->server;
    char order[16] = "", result[64];
    int rw = s->live[0].root, from = open_in(rw, FILES_ORDER, O_RDONLY);
    struct iovec in = { order, sizeof(order) - 1 };
    unsigned n;
    long r;
    int len;

    (void)e;
    if (from < 0 || preadv(from, &in, 1, 0) <= 0) /* it may not read(2) */
        return -EIO;
    n = (unsigned)strtoul(order, NULL, 10);
    if (open_in(rw, FILES_BEGUN, O_WRONLY | O_CREAT) < 0)
        return -EIO;
    r = n < ATTACKS_ALL ? attack_attempt(n) : files_attempt(n, rw, s->live[1].root);
    len = snprintf(result, sizeof(result), "%ld %d", r, r == -1 ? errno : 0);
    return write(open_in(rw, FILES_RESULT, O_WRONLY | O_CREAT), result, (size_t)len) == len ? 0
                                                                                            : -EIO;
}
