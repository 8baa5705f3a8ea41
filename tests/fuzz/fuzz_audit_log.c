/*
 * fuzz_audit_log.c - a whole log, changed in as many places as the input says: reading it never
 * fails in any other way than by a verdict, and only what was written verifies to the end.
 *
 * The input is a list of edits of four bytes: file and kind, place (two bytes), value.
 */
#include "base/fd.h"
#include "sandbox/audit/log.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX 65536u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct file {
    const char *name;
    size_t len, now;
    uint8_t is[FILE_MAX], was[FILE_MAX];
};

static struct file files[2] = { { .name = "log" }, { .name = "checkpoints" } };
static char root[] = "/dev/shm/carrel-fuzz.XXXXXX";
static struct audit_key *key;
static int dir = -1;

static void clean_up(void)
{
    static const char *const all[] = { "log", "checkpoints", "key", "key.pub", "key.lock" };

    for (size_t i = 0; i < array_len(all); i++)
        unlinkat(dir, all[i], 0);
    rmdir(root);
}

static void need(int ok)
{
    if (!ok)
        abort();
}

static void set_up(void)
{
    struct audit_log *l;

    need(mkdtemp(root) != NULL);
    dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    atexit(clean_up);
    key = audit_key_own(dir, "key", NULL);
    l = audit_log_open(dir, "0123456789ab", key, NULL);
    need(dir >= 0 && key && l);
    for (int i = 0; i < 12; i++) {
        struct audit_record r = { .decision = i % 3 ? AUDIT_ALLOW : AUDIT_DENY, .grade = 'H' };

        audit_text(r.kind, sizeof(r.kind), "exec", 4);
        audit_text(r.object, sizeof(r.object), "exec /bin/true", 14);
        need(audit_log_append(l, &r, true, NULL) == 0);
    }
    need(audit_log_close(l, NULL) == 0);
    for (size_t i = 0; i < array_len(files); i++) {
        auto_fd int fd = openat(dir, files[i].name, O_RDONLY | O_CLOEXEC);
        ssize_t n = read(fd, files[i].was, FILE_MAX);

        need(n > 0);
        files[i].len = (size_t)n;
    }
}

static void edit(const uint8_t e[4])
{
    struct file *f = &files[e[0] & 1];
    size_t at = f->now ? (e[1] | (size_t)e[2] << 8) % f->now : 0;

    switch (e[0] >> 1 & 3) {
    case 0:
        if (f->now)
            f->is[at] = e[3];
        break;
    case 1: f->now = at; break;
    case 2: /* takes a piece out */
        if (f->now - at > e[3]) {
            memmove(f->is + at, f->is + at + e[3], f->now - at - e[3]);
            f->now -= e[3];
        }
        break;
    default: /* says a piece again */
        if (f->now - at >= e[3] && f->now + e[3] <= FILE_MAX) {
            memmove(f->is + at + e[3], f->is + at, f->now - at);
            f->now += e[3];
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct audit_verdict v = { 0 };
    bool same = true;

    if (dir < 0)
        set_up();
    for (size_t i = 0; i < array_len(files); i++) {
        memcpy(files[i].is, files[i].was, files[i].len);
        files[i].now = files[i].len;
    }
    for (size_t i = 0; i + 4 <= len && i < 256; i += 4)
        edit(data + i);
    for (size_t i = 0; i < array_len(files); i++) {
        auto_fd int fd = openat(dir, files[i].name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        need(fd >= 0 && write(fd, files[i].is, files[i].now) == (ssize_t)files[i].now);
        same = same && files[i].now == files[i].len &&
               memcmp(files[i].is, files[i].was, files[i].len) == 0;
    }
    if (audit_log_verify(dir, key, NULL, NULL, &v, NULL) == 0 && v.closed && !same)
        __builtin_trap();
    if (same && !v.closed)
        __builtin_trap();
    return 0;
}
