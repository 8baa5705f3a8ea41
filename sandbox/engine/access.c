/* access.c - opening /dev/kvm, and one sentence and one remedy for each way it can fail. */
#include "sandbox/engine/probe.h"

#include "base/fd.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int absent(const struct kvm_facts *f, char hint[240], struct err *e)
{
    if (f->cpu_can) {
        snprintf(hint, 240, "load the module: sudo modprobe kvm_intel || sudo modprobe kvm_amd");
        return err_set(e, ENOENT, "/dev/kvm is absent although the CPU can virtualize");
    }
    if (f->in_vm) {
        snprintf(hint, 240,
                 "enable nested virtualization for this machine on its host, "
                 "or go on with --engine qemu");
        return err_set(
            e, ENOENT,
            "/dev/kvm is absent: this is a virtual machine without nested virtualization");
    }
    snprintf(hint, 240,
             "enable VT-x or AMD-V (SVM) in the firmware's settings, "
             "or go on with --engine qemu");
    return err_set(e, ENOENT, "/dev/kvm is absent: the CPU's virtualization is missing or off");
}

static int forbidden(const struct kvm_facts *f, char hint[240], struct err *e)
{
    if (!f->group[0] || !f->group_may) {
        snprintf(hint, 240,
                 "give a group access by a udev rule: "
                 "KERNEL==\"kvm\", GROUP=\"kvm\", MODE=\"0660\"");
        return err_set(e, EACCES, "no permission to open /dev/kvm: it is not open to any group");
    }
    if (f->in_group_now) {
        snprintf(hint, 240,
                 "a container's device rules or a security module (SELinux, AppArmor) "
                 "forbid it: allow /dev/kvm there");
        return err_set(e, EACCES, "no permission to open /dev/kvm, although group \"%s\" has it",
                       f->group);
    }
    if (f->in_group_file) {
        snprintf(hint, 240, "log out and in again, or run: newgrp %s", f->group);
        return err_set(e, EACCES,
                       "no permission to open /dev/kvm: you were added to group \"%s\" after "
                       "this session began",
                       f->group);
    }
    snprintf(hint, 240, "sudo usermod -aG %s $USER, then log out and in again", f->group);
    return err_set(e, EACCES, "no permission to open /dev/kvm: you are not in group \"%s\"",
                   f->group);
}

int kvm_explain(const struct kvm_facts *f, char hint[240], struct err *e)
{
    if (f->opened) {
        snprintf(hint, 240,
                 "another hypervisor may hold the CPU's virtualization, or the host "
                 "lacks memory: see dmesg");
        return err_set(e, f->error, "/dev/kvm opens but makes no machine: %s", strerror(f->error));
    }
    switch (f->error) {
    case ENOENT: return absent(f, hint, e);
    case EACCES:
    case EPERM: return forbidden(f, hint, e);
    case ENODEV:
    case ENXIO:
        snprintf(hint, 240, "load the module: sudo modprobe kvm_intel || sudo modprobe kvm_amd");
        return err_set(e, f->error,
                       "/dev/kvm exists but no driver answers: the kvm module for this "
                       "CPU is not loaded");
    default:
        snprintf(hint, 240, "see dmesg, or go on with --engine qemu");
        return err_set(e, f->error, "/dev/kvm: %s", strerror(f->error));
    }
}

/* A word among the flags of the first CPU. */
static bool has_flag(const char *cpuinfo, const char *flag)
{
    const char *p = strstr(cpuinfo, "\nflags");
    size_t n = strlen(flag);

    for (; p && *p; p++) {
        if (p[0] == '\n' && p[1] == '\n')
            return false;
        if (p[0] == ' ' && !strncmp(p + 1, flag, n) && (p[n + 1] == ' ' || p[n + 1] == '\n'))
            return true;
    }
    return false;
}

static void learn_cpu(struct kvm_facts *f)
{
    static char text[16384]; /* the first processor's entry is enough */
    auto_fd int fd = open("/proc/cpuinfo", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : io_read_full(fd, text, sizeof(text) - 1);

    text[n > 0 ? n : 0] = '\0';
    f->cpu_can = has_flag(text, "vmx") || has_flag(text, "svm");
    f->in_vm = has_flag(text, "hypervisor");
}

static void learn_group(struct kvm_facts *f)
{
    const struct passwd *pw = getpwuid(geteuid());
    const struct group *gr;
    struct stat st;
    gid_t ids[256];
    int n;

    if (stat("/dev/kvm", &st))
        return;
    f->group_may = (st.st_mode & 060) == 060;
    gr = getgrgid(st.st_gid);
    if (gr)
        snprintf(f->group, sizeof(f->group), "%s", gr->gr_name);
    f->in_group_now = getegid() == st.st_gid;
    n = getgroups(256, ids);
    for (int i = 0; i < n; i++)
        f->in_group_now |= ids[i] == st.st_gid;
    n = 256;
    if (pw && getgrouplist(pw->pw_name, pw->pw_gid, ids, &n) >= 0)
        for (int i = 0; i < n; i++)
            f->in_group_file |= ids[i] == st.st_gid;
}

int kvm_open(char hint[240], struct err *e)
{
    struct kvm_facts f = { 0 };
    int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

    hint[0] = '\0';
    if (fd >= 0)
        return fd;
    f.error = errno;
    learn_cpu(&f);
    learn_group(&f);
    return kvm_explain(&f, hint, e);
}
