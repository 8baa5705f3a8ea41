/* vcpu.c - see vcpu.h. */
#include "vmm/vcpu.h"

#include "base/fd.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

int vcpu_open(struct vcpu *v, int vm, unsigned id, size_t run_len, struct err *e)
{
    void *run;

    v->fd = ioctl(vm, KVM_CREATE_VCPU, id);
    if (v->fd < 0)
        return err_sys(e, "kvm: create vCPU %u", id);
    run = mmap(NULL, run_len, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
    if (run == MAP_FAILED)
        return err_sys(e, "kvm: run area of vCPU %u", id);
    v->run = run;
    v->run_len = run_len;
    return 0;
}

void vcpu_close(struct vcpu *v)
{
    if (v->run)
        munmap(v->run, v->run_len);
    v->run = NULL;
    fd_closep(&v->fd);
}

void vcpu_kick(struct vcpu *v)
{
    __atomic_store_n(&v->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
}

/* IN, OUT, INS and OUTS: count items of size bytes, at an offset KVM chose inside its own page. */
static void port_access(struct vcpu *v)
{
    const struct kvm_run *run = v->run;
    uint8_t *item = (uint8_t *)v->run + run->io.data_offset;

    for (uint32_t i = 0; i < run->io.count; i++, item += run->io.size) {
        if (run->io.direction == KVM_EXIT_IO_OUT)
            bus_write(v->pio, run->io.port, item, run->io.size);
        else
            bus_read(v->pio, run->io.port, item, run->io.size);
    }
}

static void memory_access(struct vcpu *v)
{
    struct kvm_run *run = v->run;

    if (run->mmio.is_write)
        bus_write(v->mmio, run->mmio.phys_addr, run->mmio.data, run->mmio.len);
    else
        bus_read(v->mmio, run->mmio.phys_addr, run->mmio.data, run->mmio.len);
}

static bool ended(struct vcpu_end *end, enum vmm_reason reason, uint64_t detail, const char *text)
{
    *end = (struct vcpu_end){ .reason = reason, .detail = detail, .text = text };
    return true;
}

static uint64_t rip(const struct vcpu *v)
{
    struct kvm_regs r;

    return ioctl(v->fd, KVM_GET_REGS, &r) ? 0 : r.rip;
}

/* One exit served: true when the guest cannot go on. */
static bool serve(struct vcpu *v, struct vcpu_end *end)
{
    const struct kvm_run *run = v->run;

    switch (run->exit_reason) {
    case KVM_EXIT_IO: port_access(v); return false;
    case KVM_EXIT_MMIO: memory_access(v); return false;
    case KVM_EXIT_INTR:
    case KVM_EXIT_IRQ_WINDOW_OPEN:
    case KVM_EXIT_IOAPIC_EOI: return false;
    case KVM_EXIT_SHUTDOWN:
        return ended(end, VMM_TRIPLE_FAULT, rip(v), "the guest crashed its CPU (triple fault)");
    case KVM_EXIT_SYSTEM_EVENT:
        return run->system_event.type == KVM_SYSTEM_EVENT_RESET
                   ? ended(end, VMM_REBOOT, run->system_event.type, "the guest asked for a restart")
               : run->system_event.type == KVM_SYSTEM_EVENT_SHUTDOWN
                   ? ended(end, VMM_POWEROFF, run->system_event.type, "the guest powered off")
                   : ended(end, VMM_PANIC, run->system_event.type, "the guest reported a crash");
    case KVM_EXIT_FAIL_ENTRY:
        return ended(end, VMM_KVM_ERROR, run->fail_entry.hardware_entry_failure_reason,
                     "kvm: the CPU refused the guest's state");
    case KVM_EXIT_INTERNAL_ERROR:
        return ended(end, VMM_KVM_ERROR, rip(v),
                     run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION
                         ? "kvm: an instruction it cannot emulate"
                         : "kvm: internal error");
    default: return ended(end, VMM_KVM_ERROR, run->exit_reason, "kvm: an exit nobody asked for");
    }
}

bool vcpu_run(struct vcpu *v, struct vcpu_end *end)
{
    for (;;) {
        if (!ioctl(v->fd, KVM_RUN, 0)) {
            if (serve(v, end))
                return true;
        } else if (errno == EFAULT || errno == ENOMEM || errno == EHWPOISON) {
            return ended(end, VMM_HOST_ERROR, (uint64_t)errno,
                         "the host has no memory for the guest");
        } else if (errno != EINTR && errno != EAGAIN) {
            return ended(end, VMM_KVM_ERROR, (uint64_t)errno, "kvm: cannot run the vCPU");
        } else if (__atomic_load_n(&v->run->immediate_exit, __ATOMIC_RELAXED)) {
            /* Only here: KVM_RUN has then completed the access of the exit before it. */
            return false;
        }
    }
}
