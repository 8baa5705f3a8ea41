/*
 * hold_vm.c - keeps one VM open, with one vCPU that never runs, in the emulated host.
 *
 * A kernel patches its own text when its first VM comes and when its last one goes (the static keys
 * of preemption notifiers, and of LAPICs that are still disabled). QEMU's emulation with a thread
 * for each CPU does not always notice that the other CPU's text has changed: that CPU then meets a
 * breakpoint that is no longer in memory, again and again, with its run queue locked. While one VM
 * is there, nothing is patched.
 *
 *     hold_vm        prints one line when it holds it, then waits to be killed
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <linux/kvm.h>
#include <sys/ioctl.h>

static int failed(const char *what)
{
    perror(what);
    return 1;
}

int main(void)
{
    struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { 24 } };
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    int vm = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);

    if (vm < 0)
        return failed("hold_vm: KVM_CREATE_VM");
    /* A vCPU with a LAPIC, which is disabled until a guest enables it. */
    if (ioctl(vm, KVM_ENABLE_CAP, &split) < 0 || ioctl(vm, KVM_CREATE_VCPU, 0) < 0)
        return failed("hold_vm: KVM_CREATE_VCPU");
    if (puts("held") < 0 || fflush(stdout) != 0)
        return failed("hold_vm: standard output");
    for (;;)
        pause();
}
