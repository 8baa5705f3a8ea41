#include "policies/words.h"

#include "base/compiler.h"

#include <string.h>

#define WORDS(name, ...) const char *const words_##name[] = { __VA_ARGS__, NULL }

WORDS(bool, "false", "true");
WORDS(mode, "enforce", "audit", "learn");
WORDS(require, "required", "preferred", "off");
WORDS(hugepages, "none", "2M", "1G");
WORDS(deny, "deny");
WORDS(on_full, "error", "pause");
WORDS(root, "read-only", "overlay");
WORDS(access, "none", "ro", "rw");
WORDS(share, "copy", "live");
WORDS(memory, "none", "read", "append", "write");
WORDS(symlink, "deny", "inside", "allow");
WORDS(grant, "deny", "allow");
WORDS(export, "none", "diff", "all");
WORDS(review, "executable", "hidden", "symlink", "binary", "large");
WORDS(protocol, "https", "tls", "tcp");
WORDS(method, "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS");
WORDS(approve, "each", "once", "never");
WORDS(broker, "host", "guest");
WORDS(syscall_base, "none", "tool-default", "all");
WORDS(attach, "model", "vhost-user", "passthrough");
WORDS(vendor, "nvidia", "amd", "intel", "habana", "metax", "cambricon", "ascend", "hygon",
      "iluvatar", "enflame", "moore-threads", "kunlun", "virtio");
WORDS(class, "display", "accelerator", "coprocessor", "any");
WORDS(reset, "flr", "bus", "pm");
WORDS(between, "verify", "reset", "none");
WORDS(audit, "all", "decisions", "denials", "off");
WORDS(on_fail, "stop", "pause", "continue");
WORDS(file_op, "read", "execute", "write", "append", "create", "delete", "symlink-inside",
      "symlink-outside", "hardlink", "device", "setuid");
WORDS(snapshot_op, "save", "restore");

int word_index(const char *const *words, const char *s)
{
    for (int i = 0; words[i]; i++)
        if (strcmp(words[i], s) == 0)
            return i;
    return -1;
}

size_t words_count(const char *const *words)
{
    size_t n = 0;

    while (words[n])
        n++;
    return n;
}

/* In the order of words_vendor; PCI SIG vendor identifiers. */
static const uint16_t vendors[][4] = {
    { 0x10de }, { 0x1002, 0x1022 }, { 0x8086 }, { 0x1da3 }, { 0x9999 }, { 0xcabc }, { 0x19e5 },
    { 0x1d94 }, { 0x1e3e },         { 0x1e36 }, { 0x1ed5 }, { 0x1d22 }, { 0x1af4 },
};

const uint16_t *vendor_ids(uint64_t vendor)
{
    return vendor < array_len(vendors) ? vendors[vendor] : vendors[0];
}

void class_range(uint64_t class_word, uint16_t *lo, uint16_t *hi)
{
    /* PCI Code and ID Assignment: base class 03 display, 12 processing accelerators, 0b processors
     * with sub-class 40 co-processor. */
    static const uint16_t ranges[][2] = {
        { 0x0300, 0x03ff }, { 0x1200, 0x12ff }, { 0x0b40, 0x0b40 }, { 0x0000, 0xffff }
    };
    const uint16_t *r = ranges[class_word < array_len(ranges) ? class_word : 0];

    *lo = r[0];
    *hi = r[1];
}

#define SYSCALL(nr, name) [nr] = #name,
static const char *const syscalls[] = {
#include "policies/syscalls.def"
};
#undef SYSCALL

#define CAPABILITY(nr, name) [nr] = #name,
static const char *const capabilities[] = {
#include "policies/capabilities.def"
};
#undef CAPABILITY

static int number_of(const char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (names[i] && strcmp(names[i], name) == 0)
            return (int)i;
    return -1;
}

int syscall_number(const char *name)
{
    return number_of(syscalls, array_len(syscalls), name);
}

const char *syscall_name(unsigned nr)
{
    return nr < array_len(syscalls) ? syscalls[nr] : NULL;
}

int capability_number(const char *name)
{
    char full[32] = "cap_";

    if (strncmp(name, "cap_", 4) == 0)
        name += 4;
    if (strlen(name) >= sizeof(full) - 4)
        return -1;
    memcpy(full + 4, name, strlen(name) + 1);
    return number_of(capabilities, array_len(capabilities), full);
}

const char *capability_name(unsigned nr)
{
    return nr < array_len(capabilities) ? capabilities[nr] : NULL;
}

/*
 * tool-default is everything a program needs that does not change the machine, see other processes'
 * memory, or reach the parts of the kernel where most local-root bugs of the public record sit.
 */
static const char *const not_for_tools[] = {
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "bpf",
    "userfaultfd",
    "keyctl",
    "add_key",
    "request_key",
    "perf_event_open",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "kcmp",
    "init_module",
    "finit_module",
    "delete_module",
    "create_module",
    "kexec_load",
    "kexec_file_load",
    "reboot",
    "swapon",
    "swapoff",
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "move_mount",
    "open_tree",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
    "setns",
    "unshare",
    "settimeofday",
    "clock_settime",
    "clock_adjtime",
    "adjtimex",
    "sethostname",
    "setdomainname",
    "iopl",
    "ioperm",
    "acct",
    "quotactl",
    "quotactl_fd",
    "nfsservctl",
    "open_by_handle_at",
    "name_to_handle_at",
    "lookup_dcookie",
    "vhangup",
    "syslog",
    "_sysctl",
    "uselib",
    "ustat",
    "sysfs",
    "personality",
    "modify_ldt",
    "move_pages",
    "migrate_pages",
    "mbind",
    "set_mempolicy",
    "fanotify_init",
    "fanotify_mark",
    "process_madvise",
    "pidfd_getfd",
    "memfd_secret",
    "get_kernel_syms",
    "query_module",
};

void syscall_base(uint64_t word, struct bits *out)
{
    memset(out, 0, sizeof(*out));
    if (word == SYSCALLS_NONE)
        return;
    for (unsigned i = 0; i < array_len(syscalls); i++)
        if (syscalls[i])
            bits_set(out, i);
    if (word == SYSCALLS_ALL)
        return;
    for (size_t i = 0; i < array_len(not_for_tools); i++) {
        int nr = syscall_number(not_for_tools[i]);

        if (nr >= 0)
            bits_clear(out, (unsigned)nr);
    }
}
