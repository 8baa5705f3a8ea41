/*
 * vm.h - the KVM virtual machine: guest RAM and the interrupt controller, no CPUs, no devices.
 *
 * RAM is one mapping, 2 MiB aligned, between guard pages: private and anonymous, so that a later
 * fork of the process inherits it copy-on-write in huge pages; or, where another process is to
 * serve queues in it, a memfd whose size cannot change. Nothing but struct vm refers to KVM
 * objects: everything else reaches them through it, and a copy can be given new ones.
 */
#ifndef VMM_VM_H
#define VMM_VM_H

#include "base/err.h"
#include "base/gmem.h"

#include <stdbool.h>
#include <stdint.h>

/* The guest's address space. RAM fills [0, HOLE), and goes on at 4 GiB; the hole holds the rest. */
#define VM_HOLE_BASE 0xc0000000ull
#define VM_HOLE_END  0x100000000ull
#define VM_MMIO_BASE 0xc0000000ull /* PCI BARs … */
#define VM_MMIO_SIZE 0x20000000ull
#define VM_ECAM_BASE 0xe0000000ull /* … the configuration space of bus 0 … */
#define VM_ECAM_SIZE 0x00100000ull
#define VM_APIC_BASE 0xfee00000ull /* … and the local APIC */

#define VM_LINES 2u

struct vm {
    int kvm; /* borrowed: /dev/kvm */
    int fd;  /* owned */
    int ram; /* owned: what RAM is to be lent by, region behind region; -1: it is not */
    struct gmem mem;
    void *reserved; /* owned: the mapping with its guards */
    size_t reserved_len;
    struct {
        uint32_t addr, data;
    } line[VM_LINES]; /* guarded by the lock of the one device that has lines */
};

/* mem is whole MiB. The machine has split interrupt control and mem bytes of zeroed RAM. */
must_check int vm_open(struct vm *vm, int kvm, uint64_t mem, bool shared, struct err *e);

/* Nobody is lent RAM any more. */
void vm_keep_ram(struct vm *vm);

/*
 * Closes the KVM machine at once; RAM stays. Devices that are freed afterwards find their windows
 * and doorbells gone: to take them out one by one would wait for a grace period each.
 */
void vm_drop(struct vm *vm);
void vm_close(struct vm *vm);

/* The first guest physical address above everything that is RAM or hole. */
uint64_t vm_top(const struct vm *vm);

/* Delivers a message-signalled interrupt. Any thread. */
void vm_msi(const struct vm *vm, uint64_t addr, uint32_t data);

/* Signals of efd become this message inside the kernel; or no longer, and wait in efd. */
must_check int vm_line(struct vm *vm, unsigned line, int efd, uint32_t addr, uint32_t data,
                       bool on);

/* Guest writes of any width at addr ring efd inside the kernel; or no longer. */
must_check int vm_doorbell(const struct vm *vm, uint64_t addr, int efd, bool on);

/*
 * host pages as guest memory in the slot-th of the extra memory slots; NULL: gone. Where it is not
 * writable, guest writes leave KVM_RUN as MMIO.
 */
must_check int vm_map(const struct vm *vm, unsigned slot, uint64_t gpa, void *host, uint64_t len,
                      bool writable);

/* Guest writes inside [gpa, gpa + len) go into a ring that vcpu.c empties unread; or no longer. */
must_check int vm_swallow(const struct vm *vm, uint64_t gpa, uint64_t len, bool on);

#endif
