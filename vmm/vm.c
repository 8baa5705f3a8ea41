/* vm.c - see vm.h. */
#include "vmm/vm.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define HUGE_PAGE (2ull << 20)
#define GUARD     HUGE_PAGE

/* Interrupt lines of an I/O APIC that would live here: none, every interrupt is a message. */
#define IOAPIC_PINS 0

static int check_host_has(uint64_t mem, struct err *e)
{
    struct sysinfo si;
    uint64_t total;

    if (sysinfo(&si))
        return err_sys(e, "memory of the host");
    total = ((uint64_t)si.totalram + si.totalswap) * si.mem_unit;
    if (mem > total)
        return err_set(e, ENOMEM, "memory: %llu MiB asked, the host has %llu MiB",
                       (unsigned long long)(mem >> 20), (unsigned long long)(total >> 20));
    return 0;
}

/* Who maps it relies on its size: a file that shrinks is a SIGBUS. */
static int make_sharable(struct vm *vm, uint64_t mem, struct err *e)
{
    vm->ram = memfd_create("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (vm->ram < 0 || ftruncate(vm->ram, (off_t)mem) ||
        fcntl(vm->ram, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
        return err_sys(e, "memory: a file of %llu MiB", (unsigned long long)(mem >> 20));
    return 0;
}

/* In place of what is reserved at ram. */
static bool map_ram(const struct vm *vm, void *ram, uint64_t mem)
{
    if (vm->ram < 0)
        return !mprotect(ram, mem, PROT_READ | PROT_WRITE);
    return mmap(ram, mem, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, vm->ram,
                0) != MAP_FAILED;
}

static int reserve_ram(struct vm *vm, uint64_t mem, struct err *e)
{
    size_t len = mem + HUGE_PAGE + 2 * GUARD;
    uint8_t *at = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (at == MAP_FAILED)
        return err_sys(e, "memory: address space for %llu MiB", (unsigned long long)(mem >> 20));
    vm->reserved = at;
    vm->reserved_len = len;

    uint8_t *ram = at + GUARD + (-(uintptr_t)at & (HUGE_PAGE - 1));

    if (!map_ram(vm, ram, mem))
        return err_sys(e, "memory: %llu MiB", (unsigned long long)(mem >> 20));
    madvise(ram, mem, MADV_HUGEPAGE);     /* a host without huge pages is slower, not wrong */
    if (madvise(ram, mem, MADV_DONTDUMP)) /* no core file of anybody has it */
        return err_sys(e, "memory");

    uint64_t low = mem < VM_HOLE_BASE ? mem : VM_HOLE_BASE;

    vm->mem.n = 1;
    vm->mem.region[0] = (struct gmem_region){ .host = ram, .base = 0, .size = low };
    if (mem > low)
        vm->mem.region[vm->mem.n++] =
            (struct gmem_region){ .host = ram + low, .base = VM_HOLE_END, .size = mem - low };
    return 0;
}

static int set_slot(const struct vm *vm, unsigned slot, uint32_t flags, uint64_t gpa, void *host,
                    uint64_t len)
{
    struct kvm_userspace_memory_region r = { .slot = slot,
                                             .flags = flags,
                                             .guest_phys_addr = gpa,
                                             .memory_size = len,
                                             .userspace_addr = (uintptr_t)host };

    return ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &r) ? -errno : 0;
}

static int create(struct vm *vm, struct err *e)
{
    struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { IOAPIC_PINS } };

    if (ioctl(vm->kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
        return err_set(e, ENODEV, "kvm: the descriptor is not /dev/kvm");
    vm->fd = ioctl(vm->kvm, KVM_CREATE_VM, 0);
    if (vm->fd < 0)
        return err_sys(e, "kvm: create machine");
    for (unsigned i = 0; i < vm->mem.n; i++) {
        const struct gmem_region *r = &vm->mem.region[i];
        int err = set_slot(vm, i, 0, r->base, r->host, r->size);

        if (err)
            return err_set(e, -err, "kvm: memory of %llu MiB at %#llx: error %d",
                           (unsigned long long)(r->size >> 20), (unsigned long long)r->base, -err);
    }
    if (ioctl(vm->fd, KVM_ENABLE_CAP, &split))
        return err_sys(e, "kvm: split interrupt controller");
    return 0;
}

int vm_open(struct vm *vm, int kvm, uint64_t mem, bool shared, struct err *e)
{
    *vm = (struct vm){ .kvm = kvm, .fd = -1, .ram = -1 };

    int err = check_host_has(mem, e);

    if (!err && shared)
        err = make_sharable(vm, mem, e);
    if (!err)
        err = reserve_ram(vm, mem, e);
    if (!err)
        err = create(vm, e);
    if (err)
        vm_close(vm);
    return err;
}

void vm_drop(struct vm *vm)
{
    fd_closep(&vm->fd);
}

void vm_keep_ram(struct vm *vm)
{
    fd_closep(&vm->ram);
}

void vm_close(struct vm *vm)
{
    vm_drop(vm);
    vm_keep_ram(vm);
    if (vm->reserved)
        munmap(vm->reserved, vm->reserved_len);
    vm->reserved = NULL;
    vm->mem.n = 0;
}

uint64_t vm_top(const struct vm *vm)
{
    const struct gmem_region *last = &vm->mem.region[vm->mem.n - 1];

    return vm->mem.n > 1 ? last->base + last->size : VM_HOLE_END;
}

void vm_msi(const struct vm *vm, uint64_t addr, uint32_t data)
{
    struct kvm_msi msi = { .address_lo = (uint32_t)addr,
                           .address_hi = (uint32_t)(addr >> 32),
                           .data = data };

    /* The guest chose both words; one that reaches no CPU is lost, as on a real bus. */
    (void)ioctl(vm->fd, KVM_SIGNAL_MSI, &msi);
}

/* KVM knows a line's message by its number in one table, which is replaced as a whole. */
static int set_routes(const struct vm *vm)
{
    _Alignas(struct kvm_irq_routing)
        uint8_t bytes[sizeof(struct kvm_irq_routing) +
                      VM_LINES * sizeof(struct kvm_irq_routing_entry)] = { 0 };
    struct kvm_irq_routing *all = (void *)bytes;

    all->nr = VM_LINES;
    for (unsigned i = 0; i < VM_LINES; i++) {
        struct kvm_irq_routing_entry *r = &all->entries[i];

        r->gsi = i;
        r->type = KVM_IRQ_ROUTING_MSI;
        r->u.msi.address_lo = vm->line[i].addr;
        r->u.msi.data = vm->line[i].data;
    }
    return ioctl(vm->fd, KVM_SET_GSI_ROUTING, all) ? -errno : 0;
}

int vm_line(struct vm *vm, unsigned line, int efd, uint32_t addr, uint32_t data, bool on)
{
    struct kvm_irqfd irqfd = { .fd = (uint32_t)efd,
                               .gsi = line,
                               .flags = on ? 0 : KVM_IRQFD_FLAG_DEASSIGN };
    int err = 0;

    if (line >= VM_LINES)
        return -EINVAL;
    if (on) {
        vm->line[line].addr = addr;
        vm->line[line].data = data;
        err = set_routes(vm);
    }
    return err ? err : ioctl(vm->fd, KVM_IRQFD, &irqfd) ? -errno : 0;
}

int vm_doorbell(const struct vm *vm, uint64_t addr, int efd, bool on)
{
    struct kvm_ioeventfd io = { .addr = addr,
                                .len = 0, /* any width: KVM's fast path */
                                .fd = efd,
                                .flags = on ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN };

    return ioctl(vm->fd, KVM_IOEVENTFD, &io) ? -errno : 0;
}

int vm_map(const struct vm *vm, unsigned slot, uint64_t gpa, void *host, uint64_t len,
           bool writable)
{
    return set_slot(vm, GMEM_REGIONS + slot, writable ? 0 : KVM_MEM_READONLY, gpa, host,
                    host ? len : 0);
}

int vm_swallow(const struct vm *vm, uint64_t gpa, uint64_t len, bool on)
{
    struct kvm_coalesced_mmio_zone zone = { .addr = gpa, .size = (uint32_t)len };

    if (len > UINT32_MAX)
        return -EINVAL;
    return ioctl(vm->fd, on ? KVM_REGISTER_COALESCED_MMIO : KVM_UNREGISTER_COALESCED_MMIO, &zone)
               ? -errno
               : 0;
}
