/* failpoint.c - see failpoint.h. Part of no program that is shipped. */
#include "base/failpoint.h"

#ifdef CARREL_FAILPOINTS

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#define POINTS_MAX 512u

/* The linker's names for the bounds of a section that is called like an identifier. */
extern const struct failpoint *const __start_failpoints[]; /* NOLINT(*-reserved-identifier) */
extern const struct failpoint *const __stop_failpoints[];  /* NOLINT(*-reserved-identifier) */

static struct failpoint_count own[POINTS_MAX], *table = own;
static unsigned slot[POINTS_MAX]; /* of each point in the table */
static char *ready;               /* which file is mapped; "": none */

static unsigned find(const char *name)
{
    unsigned i = 0;

    while (i < POINTS_MAX && table[i].name[0] && strcmp(table[i].name, name) != 0)
        i++;
    if (i == POINTS_MAX || strlen(name) >= FAILPOINT_NAME)
        abort();
    if (!table[i].name[0])
        memcpy(table[i].name, name, strlen(name) + 1);
    return i;
}

static void prepare(void)
{
    const char *path = getenv("CARREL_FAILPOINTS");
    auto_fd int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    size_t n = (size_t)(__stop_failpoints - __start_failpoints);

    if (fd >= 0 && flock(fd, LOCK_EX) == 0 && ftruncate(fd, sizeof(own)) == 0) {
        void *at = mmap(NULL, sizeof(own), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

        if (at != MAP_FAILED && table != own)
            munmap(table, sizeof(own));
        if (at != MAP_FAILED)
            table = at;
    }
    for (size_t i = 0; i < n && i < POINTS_MAX; i++)
        slot[i] = find(__start_failpoints[i]->name);
    if (fd >= 0)
        flock(fd, LOCK_UN); /* the mapping keeps the open file, and its lock, after a close */
    free(ready);
    ready = strdup(path ? path : "");
}

/* "kill", "ENOSPC", … as far as the next comma. */
static bool act(const char *what)
{
    static const struct {
        const char *name;
        int code;
    } errors[] = { { "ENOSPC", ENOSPC }, { "EIO", EIO },       { "EMFILE", EMFILE },
                   { "ENOMEM", ENOMEM }, { "EACCES", EACCES }, { "EAGAIN", EAGAIN } };
    size_t len = strcspn(what, ",");

    if (len == 4 && !strncmp(what, "kill", len))
        raise(SIGKILL); /* by tgkill, as abort: a filter lets that through */
    if (len == 4 && !strncmp(what, "stop", len))
        raise(SIGSTOP);
    for (size_t i = 0; i < array_len(errors); i++)
        if (strlen(errors[i].name) == len && !strncmp(what, errors[i].name, len)) {
            errno = errors[i].code;
            return true;
        }
    return false;
}

bool failpoint_hit(const struct failpoint *const *p)
{
    const int before = errno; /* a look at the environment changes nothing */
    const char *spec = getenv("CARREL_FAILPOINT"), *path = getenv("CARREL_FAILPOINTS");
    const char *name = (*p)->name;
    size_t i = (size_t)(p - __start_failpoints), len = strlen(name);
    bool fails = false;

    if (path ? !ready || strcmp(ready, path) != 0 : spec && !ready)
        prepare();
    if (!ready || i >= POINTS_MAX)
        return false;

    unsigned nth = __atomic_add_fetch(&table[slot[i]].hits, 1, __ATOMIC_SEQ_CST);

    errno = before;
    for (; spec && *spec; spec += strcspn(spec, ","), spec += *spec == ',') {
        char *end = (char *)spec + len;
        unsigned long at = 1;

        if (strncmp(spec, name, len) != 0 || (*end != '=' && *end != '@'))
            continue;
        if (*end == '@')
            at = strtoul(end + 1, &end, 10);
        if (*end == '=' && (!at || at == nth))
            fails = act(end + 1) || fails;
    }
    return fails;
}

#endif
