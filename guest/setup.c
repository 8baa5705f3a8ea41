/* setup.c - see setup.h. */
#include "guest/setup.h"

#include "guest/kmsg.h"
#include "guest/pids.h"

#include "base/fd.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S  1000000000u
#define HOSTS_MAX 65536u

/*
 * Absent where the kernel lacks the feature: then there is nothing to set. What no tool is given,
 * root or not, comes second (C05): a setting that cannot be taken back, or lies under a read-only
 * mount from then on.
 */
static const struct {
    const char *name, *value;
} settings[] = {
    { "kernel/hostname", "carrel" },
    { "kernel/ctrl-alt-del", "0" }, /* a signal to PID 1, not a reset */
    { "fs/protected_symlinks", "1" },
    { "fs/protected_hardlinks", "1" },
    { "fs/protected_fifos", "1" },
    { "fs/protected_regular", "2" },
    { "net/ipv4/ping_group_range", "0 2147483647" },
    { "net/ipv4/ip_unprivileged_port_start", "0" }, /* no other user to protect */

    { "kernel/dmesg_restrict", "1" },
    { "kernel/kptr_restrict", "2" },
    { "kernel/perf_event_paranoid", "3" },
    { "kernel/unprivileged_bpf_disabled", "1" },
    { "kernel/io_uring_disabled", "2" },
    { "kernel/kexec_load_disabled", "1" },
    { "kernel/keys/maxkeys", "1" }, /* the least there is: EDQUOT for every key but an empty ring */
    { "kernel/keys/maxbytes", "1" },
    { "kernel/keys/root_maxkeys", "1" },
    { "kernel/keys/root_maxbytes", "1" },
    { "kernel/sysrq", "0" },
    { "kernel/yama/ptrace_scope", "1" },
    { "user/max_user_namespaces", "0" },
    { "vm/unprivileged_userfaultfd", "0" },
    { "dev/tty/ldisc_autoload", "0" },
    /* Programs that the kernel itself starts would be the tools' to replace. */
    { "kernel/modprobe", "\n" },
    { "kernel/usermodehelper/bset", "0 0" },
    { "kernel/usermodehelper/inheritable", "0 0" },
    { "kernel/modules_disabled", "1" }, /* those of the initramfs are loaded */
};

static int sysctls = -1; /* /proc/sys as it was before it became read-only */

/* Files that programs fail strangely without. Nothing answers on the loopback's port 53 unless a
 * resolver was started, so a lookup fails at once instead of timing out. */
static const struct {
    const char *path, *text;
} files[] = {
    { "/etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n" },
    { "/etc/hostname", "carrel\n" },
    { "/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n" },
};

static int write_at(int dir, const char *path, int flags, const char *text)
{
    auto_fd int fd =
        openat(dir, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags, 0644);

    return fd < 0 ? -errno : io_write_full(fd, text, strlen(text));
}

static int write_file(const char *path, int flags, const char *text)
{
    return write_at(AT_FDCWD, path, flags, text);
}

int setup_sysctl(const char *name, const char *value)
{
    return write_at(sysctls, name, 0, value);
}

static void loopback_up(void)
{
    auto_fd int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };

    if (s < 0 || ioctl(s, SIOCSIFFLAGS, &r))
        kmsg(KMSG_WARNING, "loopback: %s", strerror(errno));
}

void setup_defaults(void)
{
    loopback_up();
    sysctls = open("/proc/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (unsigned i = 0; i < array_len(settings); i++) {
        int err = setup_sysctl(settings[i].name, settings[i].value);

        if (err && err != -ENOENT)
            kmsg(KMSG_WARNING, "/proc/sys/%s: %s", settings[i].name, strerror(-err));
    }
    if (mkdir("/etc", 0755) && errno != EEXIST && errno != EROFS)
        kmsg(KMSG_WARNING, "/etc: %s", strerror(errno));
    for (unsigned i = 0; i < array_len(files); i++) {
        int err;

        if (access(files[i].path, F_OK) == 0)
            continue;
        (void)unlink(files[i].path); /* a link to a file of a service that does not run here */
        err = write_file(files[i].path, O_CREAT | O_EXCL, files[i].text);
        if (err && err != -EROFS) /* carrel.root=ro: the image's own, or none */
            kmsg(KMSG_WARNING, "%s: %s", files[i].path, strerror(-err));
    }
}

static int add_entropy(const struct request *r, struct err *e)
{
    auto_fd int fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC);
    union {
        struct rand_pool_info info;
        uint8_t bytes[sizeof(struct rand_pool_info) + SETUP_SEED_MAX];
    } pool = { .info = { .entropy_count = (int)r->seed_len * 8, .buf_size = (int)r->seed_len } };

    memcpy(pool.bytes + sizeof(pool.info), r->seed, r->seed_len);
    if (fd < 0 || ioctl(fd, RNDADDENTROPY, &pool))
        return err_sys(e, "adding entropy");
    /* Without it the new seed counts only at the next periodic reseed: a clone would repeat. */
    return ioctl(fd, RNDRESEEDCRNG) ? err_sys(e, "reseeding") : 0;
}

/* Programs look their own name up; a name already in the file is left alone. */
static int add_to_hosts(const char *name)
{
    struct err why = ERR_INIT;
    char line[HOSTNAME_BYTES + 16];
    size_t len, n = strlen(name);
    char *text = io_load(AT_FDCWD, "/etc/hosts", HOSTS_MAX, &len, &why);
    bool known = false;

    for (const char *p = text; p && !known && (p = strstr(p, name)); p += n)
        known = p > text && strchr(" \t", p[-1]) && strchr(" \t\n", p[n]); /* or the NUL */
    free(text);
    if (known)
        return 0;
    snprintf(line, sizeof(line), "127.0.1.1\t%s\n", name);
    return write_file("/etc/hosts", O_CREAT | O_APPEND, line);
}

static int set_hostname(const char *name, struct err *e)
{
    char line[HOSTNAME_BYTES + 1];
    int err;

    if (sethostname(name, strlen(name)))
        return err_sys(e, "host name");
    snprintf(line, sizeof(line), "%s\n", name);
    err = write_file("/etc/hostname", O_CREAT | O_TRUNC, line);
    if (!err)
        err = add_to_hosts(name);
    /* The image made these files strange; the name is set all the same. */
    if (err && err != -EROFS)
        kmsg(KMSG_WARNING, "host name in /etc: %s", strerror(-err));
    return 0;
}

int setup_apply(const struct request *r, struct limits *all, int commands, struct err *e)
{
    int err = 0;

    if (r->time_ns) {
        struct timespec t = { .tv_sec = (time_t)(r->time_ns / NS_PER_S),
                              .tv_nsec = (long)(r->time_ns % NS_PER_S) };

        if (clock_settime(CLOCK_REALTIME, &t))
            return err_sys(e, "setting the clock");
    }
    if (r->seed_len)
        err = add_entropy(r, e);
    if (!err && r->hostname)
        err = set_hostname(r->hostname, e);
    if (!err && r->pids)
        err = pids_limit(all, commands, r->pids, e);
    if (!err && r->files)
        all->files = r->files;
    return err;
}
