/*
 * files_race - F02: files_race [OPERATIONS]. A directory that the server's guest works in is
 * swapped for a symbolic link to one outside, back and forth, while requests go on; nothing outside
 * is ever read, made, changed or removed. Says how often the swap was met in mid-request, because a
 * race that was never run proves nothing.
 */
#include "tests/unit/files_client.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OPERATIONS 100000ul

static struct client c;
static atomic_bool done;
static unsigned long swaps, met, worked, outside;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void put(const char *dir, const char *name, const char *text)
{
    char path[256];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "w");
    if (!f || fputs(text, f) < 0 || fclose(f))
        fail(path);
}

/* For a while that nobody can foresee. */
static void spin(uint32_t *random, unsigned shift)
{
    *random = *random * 1664525u + 1013904223u;
    for (volatile uint32_t n = *random >> shift; n; n--)
        ;
}

/* The directory "d" and the link "l" change names, in one step. */
static void *swap(void *arg)
{
    char a[256], b[256];
    uint32_t random = 1;

    (void)arg;
    snprintf(a, sizeof(a), "%s/d", c.dir);
    snprintf(b, sizeof(b), "%s/l", c.dir);
    while (!atomic_load_explicit(&done, memory_order_relaxed)) {
        if (renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE))
            fail("renameat2");
        swaps++;
        spin(&random, 20); /* not only when the other waits for the same lock */
    }
    return NULL;
}

static void count(int err)
{
    if (err == -ESTALE)
        met++;
    else if (err >= 0)
        worked++;
}

/* False: the link was there. */
static bool read_file(uint64_t dir)
{
    struct fuse_entry_out entry;
    uint64_t fh;
    int err = client_name(&c, FUSE_LOOKUP, dir, NULL, 0, "f", NULL);

    count(err);
    if (err)
        return false;
    memcpy(&entry, c.data, sizeof(entry));
    err = client_open(&c, entry.nodeid, O_RDWR, &fh);
    count(err);
    if (!err) {
        if (client_read(&c, entry.nodeid, fh, 0, 16) < 6 || memcmp(c.data, "inside", 6) != 0)
            outside++;
        if (client_write(&c, entry.nodeid, fh, 0, "inside", 6) != 6)
            fail("a write");
        if (client_release(&c, entry.nodeid, fh))
            fail("a release");
    }

    const struct fuse_forget_in forget = { .nlookup = 1 };

    (void)client_ask(&c, FUSE_FORGET, entry.nodeid, &forget, sizeof(forget));
    return true;
}

static void make_and_remove(uint64_t dir)
{
    const struct fuse_forget_in forget = { .nlookup = 1 }, much = { .nlookup = UINT64_MAX };
    uint64_t node, fh;
    int err = client_create(&c, dir, "new", O_RDWR, &node, &fh);

    count(err);
    if (!err) {
        if (client_release(&c, node, fh))
            fail("a release");
        (void)client_ask(&c, FUSE_FORGET, node, &forget, sizeof(forget));
    }
    count(client_rename(&c, dir, "new", dir, "newer"));
    count(client_unlink(&c, dir, "newer"));
    count(client_unlink(&c, dir, "new"));
    count(client_unlink(&c, dir, "precious"));
    if (client_nameless(&c, dir, O_RDWR, &node, &fh) == 0) {
        count(client_link(&c, node, dir, "named"));
        if (client_release(&c, node, fh))
            fail("a release");
        (void)client_ask(&c, FUSE_FORGET, node, &much, sizeof(much));
        count(client_unlink(&c, dir, "named"));
    }
    if (client_mkdir(&c, dir, "sub") == 0) {
        struct fuse_entry_out entry;

        memcpy(&entry, c.data, sizeof(entry));
        (void)client_ask(&c, FUSE_FORGET, entry.nodeid, &forget, sizeof(forget));
    }
    count(client_name(&c, FUSE_RMDIR, dir, NULL, 0, "sub", NULL));
}

/* Exactly what was put there. */
static void look_outside(void)
{
    DIR *d = opendir(c.outside);
    char path[256], text[16] = "";
    const struct dirent *e;
    FILE *f;

    while (d && (e = readdir(d)))
        if (e->d_name[0] != '.' && strcmp(e->d_name, "f") != 0 &&
            strcmp(e->d_name, "precious") != 0)
            outside++;
    if (d)
        closedir(d);
    snprintf(path, sizeof(path), "%s/f", c.outside);
    f = fopen(path, "r");
    if (!f || !fgets(text, sizeof(text), f) || strcmp(text, "outside") != 0)
        outside++;
    if (f)
        fclose(f);
    snprintf(path, sizeof(path), "%s/precious", c.outside);
    if (access(path, F_OK))
        outside++;
}

int main(int argc, char **argv)
{
    unsigned long operations = argc > 1 ? strtoul(argv[1], NULL, 10) : OPERATIONS;
    char inside[256], link[256];
    uint32_t random = 2;
    uint64_t dir;
    pthread_t t;
    int err;

    client_init(&c, "access: rw, quota: {bytes: 1GiB, inodes: 1M}", NODES_MAX);
    snprintf(inside, sizeof(inside), "%s/d", c.dir);
    snprintf(link, sizeof(link), "%s/l", c.dir);
    if (mkdir(inside, 0755) || symlink("../out", link))
        fail(inside);
    put(inside, "f", "inside");
    put(c.outside, "f", "outside");
    put(c.outside, "precious", "outside");
    dir = client_walk(&c, "d", &err);
    if (err || pthread_create(&t, NULL, swap, NULL))
        fail("beginning");
    for (unsigned long n = 0; n < operations; n += 12) {
        bool in_place = read_file(dir);

        make_and_remove(dir);
        if (!in_place)
            spin(&random, 16); /* a refusal is quick: half of the requests are to find it there */
    }
    atomic_store(&done, true);
    pthread_join(t, NULL);
    look_outside();
    printf("%lu operations, %lu swaps, %lu met, %lu worked, %lu outside\n", operations, swaps, met,
           worked, outside);
    client_fini(&c);
    if (met < operations / 100 || worked < operations / 100) {
        fprintf(stderr, "the race was not run\n");
        return 1;
    }
    return outside != 0;
}
