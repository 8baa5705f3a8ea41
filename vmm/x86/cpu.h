/*
 * cpu.h - what a virtual CPU is: the CPUID it shows, and the state it starts in.
 */
#ifndef VMM_X86_CPU_H
#define VMM_X86_CPU_H

#include "base/err.h"
#include "vmm/x86/boot.h"

#include <linux/kvm.h>

#define CPU_LEAVES 160 /* KVM 6.x reports about 40 to 60; what we add is a handful */

/* struct kvm_cpuid2 with room. */
struct cpu_id {
    uint32_t nent, padding;
    struct kvm_cpuid_entry2 entry[CPU_LEAVES];
};

/* What this host's KVM can offer; cpu_shape makes it the machine's. */
must_check int cpu_supported(int kvm, struct cpu_id *id, struct err *e);

/*
 * Pure: removes what this machine does not have (nested virtualization, performance counters,
 * enclaves, memory encryption, power management), adds what KVM leaves to us, and says that there
 * are vcpus cores of one thread in one package. -ENOSPC when it does not fit.
 */
must_check int cpu_shape(struct cpu_id *id, unsigned vcpus, struct err *e);

/* Pure: the few words that differ from CPU to CPU. */
void cpu_number(struct cpu_id *id, unsigned apic_id);

/* Bits of a guest physical address, for a machine whose top must lie below it. */
unsigned cpu_address_bits(const struct cpu_id *id);

/* Sets CPUID and boot MSRs; with an entry (CPU 0) also the registers there, else it waits for SIPI.
 */
must_check int cpu_start(int vcpu, const struct cpu_id *id, const struct boot_entry *entry,
                         struct err *e);

#endif
