/* cpu.c - see cpu.h. Leaves as in Intel SDM volume 2A (CPUID) and AMD APM volume 3, appendix E. */
#include "vmm/x86/cpu.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>

#define BIT(n) (1u << (n))

int cpu_supported(int kvm, struct cpu_id *id, struct err *e)
{
    id->nent = CPU_LEAVES;
    id->padding = 0;
    /* struct cpu_id is struct kvm_cpuid2 with its flexible array given a size. */
    return ioctl(kvm, KVM_GET_SUPPORTED_CPUID, id) ? err_sys(e, "kvm: supported CPUID") : 0;
}

static struct kvm_cpuid_entry2 *find(struct cpu_id *id, uint32_t function)
{
    for (uint32_t i = 0; i < id->nent; i++)
        if (id->entry[i].function == function)
            return &id->entry[i];
    return NULL;
}

/* Leaves this machine does not have, or that are made anew below. */
static bool dropped(uint32_t function)
{
    switch (function) {
    case 0x5:        /* MONITOR/MWAIT */
    case 0xa:        /* performance counters */
    case 0xb:        /* topology: made anew */
    case 0xf:        /* cache monitoring … */
    case 0x10:       /* … and allocation */
    case 0x12:       /* SGX */
    case 0x14:       /* processor trace */
    case 0x1c:       /* last branch records */
    case 0x1f:       /* topology, second version */
    case 0x23:       /* performance counters, second version */
    case 0x8000000a: /* SVM */
    case 0x8000001b: /* instruction-based sampling */
    case 0x8000001f: /* memory encryption */
    case 0x80000020: /* cache allocation */
    case 0x80000022: /* performance counters */
    case 0x80000023: /* multi-key encryption */
    case 0x80000026: /* topology */ return true;
    default: return false;
    }
}

static void drop_leaves(struct cpu_id *id)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < id->nent; i++)
        if (!dropped(id->entry[i].function))
            id->entry[n++] = id->entry[i];
    id->nent = n;
}

/* Least k with 2^k >= n. */
static uint32_t log2_up(uint32_t n)
{
    uint32_t k = 0;

    while ((1u << k) < n)
        k++;
    return k;
}

/* Leaf 4 and 0x8000001d: first and second level caches are a core's own, the third is shared. */
static void share_caches(struct kvm_cpuid_entry2 *c, uint32_t ids)
{
    uint32_t level = (c->eax >> 5) & 7;
    uint32_t sharing = level >= 3 ? ids - 1 : 0;

    if (!(c->eax & 0x1f))
        return;
    c->eax = (c->eax & 0x3fff) | sharing << 14;
    if (c->function == 4)
        c->eax |= (ids - 1) << 26;
}

static void shape_leaf(struct kvm_cpuid_entry2 *c, unsigned vcpus, bool amd)
{
    uint32_t shift = log2_up(vcpus);

    switch (c->function) {
    case 0x1:
        /* DTES64, MONITOR, VMX, SMX, EIST, thermal monitor, PDCM */
        c->ecx &= ~(BIT(2) | BIT(3) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(15));
        /* x2APIC and the TSC-deadline timer come with KVM's APIC; and there is a hypervisor. */
        c->ecx |= BIT(21) | BIT(24) | BIT(31);
        c->edx &= ~(BIT(21) | BIT(22) | BIT(28) | BIT(29)); /* DS, ACPI, HTT, TM */
        c->edx |= vcpus > 1 ? BIT(28) : 0;
        c->ebx = (c->ebx & 0xff00) | vcpus << 16;
        break;
    case 0x4:
    case 0x8000001d: share_caches(c, 1u << shift); break;
    case 0x7:
        if (c->index == 0) {
            c->ebx &= ~(BIT(2) | BIT(12) | BIT(15) | BIT(25)); /* SGX, RDT-M, RDT-A, PT */
            c->ecx &= ~BIT(30);                                /* SGX launch control */
        }
        break;
    case 0x80000001:
        /* SVM, OSVW, IBS, SKINIT, LWP, NodeId, performance counters (core, NB, L3) */
        c->ecx &= ~(BIT(2) | BIT(9) | BIT(10) | BIT(12) | BIT(15) | BIT(19) | BIT(23) | BIT(24) |
                    BIT(28));
        c->ecx &= ~BIT(1); /* CmpLegacy */
        c->ecx |= amd && vcpus > 1 ? BIT(1) : 0;
        break;
    case 0x80000007:
        c->eax = c->ebx = c->ecx = 0;
        c->edx &= BIT(8); /* invariant TSC */
        break;
    case 0x80000008: c->ecx = amd ? shift << 12 | (vcpus - 1) : 0; break;
    case 0x8000001e: c->eax = c->ebx = c->ecx = c->edx = 0; break;
    default: break;
    }
}

static int add(struct cpu_id *id, struct kvm_cpuid_entry2 leaf, struct err *e)
{
    if (id->nent == CPU_LEAVES)
        return err_set(e, ENOSPC, "cpu: more CPUID leaves than %d", CPU_LEAVES);
    id->entry[id->nent++] = leaf;
    return 0;
}

/* Leaf 0xb: one thread a core, every core in one package. */
static int add_topology(struct cpu_id *id, unsigned vcpus, struct err *e)
{
    const struct kvm_cpuid_entry2 thread = {
        .function = 0xb, .index = 0, .flags = 1, .eax = 0, .ebx = 1, .ecx = 1u << 8
    };
    const struct kvm_cpuid_entry2 core = { .function = 0xb,
                                           .index = 1,
                                           .flags = 1,
                                           .eax = log2_up(vcpus),
                                           .ebx = vcpus,
                                           .ecx = 2u << 8 | 1 };
    int err = add(id, thread, e);

    return err ? err : add(id, core, e);
}

/* The highest leaf of a range is the last one that says anything: fewer to ask for. */
static void set_highest(struct cpu_id *id, uint32_t range)
{
    struct kvm_cpuid_entry2 *first = find(id, range);

    if (!first)
        return;
    first->eax = range;
    for (uint32_t i = 0; i < id->nent; i++) {
        const struct kvm_cpuid_entry2 *c = &id->entry[i];

        if (c->function >> 16 == range >> 16 && c->function > first->eax &&
            (c->eax | c->ebx | c->ecx | c->edx))
            first->eax = c->function;
    }
}

int cpu_shape(struct cpu_id *id, unsigned vcpus, struct err *e)
{
    const struct kvm_cpuid_entry2 *vendor = find(id, 0);
    bool amd;
    int err;

    if (!vendor || !find(id, 1))
        return err_set(e, ENODEV, "cpu: KVM reports no CPUID leaves");
    /* "AuthenticAMD", "HygonGenuine": by the last four letters, in ecx. */
    amd = vendor->ecx == 0x444d4163 || vendor->ecx == 0x656e6975;

    drop_leaves(id);
    for (uint32_t i = 0; i < id->nent; i++)
        shape_leaf(&id->entry[i], vcpus, amd);
    err = add_topology(id, vcpus, e);
    set_highest(id, 0);
    set_highest(id, 0x80000000);
    return err;
}

void cpu_number(struct cpu_id *id, unsigned apic_id)
{
    for (uint32_t i = 0; i < id->nent; i++) {
        struct kvm_cpuid_entry2 *c = &id->entry[i];

        switch (c->function) {
        case 0x1: c->ebx = (c->ebx & 0x00ffffff) | apic_id << 24; break;
        case 0xb: c->edx = apic_id; break;
        case 0x8000001e:
            c->eax = apic_id;
            c->ebx = (c->ebx & ~0xffu) | apic_id;
            break;
        default: break;
        }
    }
}

unsigned cpu_address_bits(const struct cpu_id *id)
{
    for (uint32_t i = 0; i < id->nent; i++)
        if (id->entry[i].function == 0x80000008)
            return id->entry[i].eax & 0xff;
    return 36; /* what every 64-bit CPU has */
}

#define CR0_PE    BIT(0)
#define CR0_ET    BIT(4)
#define CR0_PG    BIT(31)
#define CR4_PAE   BIT(5)
#define EFER_LME  BIT(8)
#define EFER_LMA  BIT(10)
#define APIC_BSP  BIT(8)
#define APIC_ON   BIT(11)
#define APIC_BASE 0xfee00000u

static int set_registers(int vcpu, const struct boot_entry *entry, struct err *e)
{
    bool wide = !entry->pvh;
    struct kvm_segment code = { .limit = 0xffffffff,
                                .selector = 0x10,
                                .type = 0xb,
                                .present = 1,
                                .db = !wide,
                                .s = 1,
                                .l = wide,
                                .g = 1 };
    struct kvm_segment data = {
        .limit = 0xffffffff, .selector = 0x18, .type = 0x3, .present = 1, .db = 1, .s = 1, .g = 1
    };
    struct kvm_sregs s = {
        .cs = code,
        .ds = data,
        .es = data,
        .fs = data,
        .gs = data,
        .ss = data,
        .tr = { .limit = 0x67, .type = 0xb, .present = 1 },
        .ldt = { .unusable = 1 },
        .gdt = { .base = wide ? BOOT_GDT : 0, .limit = wide ? 31 : 0 },
        .cr0 = CR0_PE | CR0_ET | (wide ? CR0_PG : 0),
        .cr3 = wide ? BOOT_PAGES : 0,
        .cr4 = wide ? CR4_PAE : 0,
        .efer = wide ? EFER_LME | EFER_LMA : 0,
        .apic_base = APIC_BASE | APIC_ON | APIC_BSP,
    };
    struct kvm_regs r = {
        .rip = entry->ip, .rflags = 2, .rbx = wide ? 0 : entry->arg, .rsi = wide ? entry->arg : 0
    };

    if (ioctl(vcpu, KVM_SET_SREGS, &s) || ioctl(vcpu, KVM_SET_REGS, &r))
        return err_sys(e, "kvm: boot registers");
    return 0;
}

#define MSR_MTRR_DEF_TYPE 0x2ffu
#define MSR_MISC_ENABLE   0x1a0u

/* What firmware would have left: memory is write-back, string instructions are fast. */
static int set_msrs(int vcpu, struct err *e)
{
    /* struct kvm_msrs with its flexible array given a size. */
    struct {
        uint32_t nmsrs, pad;
        struct kvm_msr_entry entry[2];
    } m = { .nmsrs = 2,
            .entry = { { .index = MSR_MTRR_DEF_TYPE, .data = 0x806 },
                       /* fast strings; no branch trace store, no PEBS */
                       { .index = MSR_MISC_ENABLE, .data = BIT(0) | BIT(11) | BIT(12) } } };

    /* The second is Intel's; a host without it stops after the first. */
    return ioctl(vcpu, KVM_SET_MSRS, &m) < 1 ? err_sys(e, "kvm: boot MSRs") : 0;
}

int cpu_start(int vcpu, const struct cpu_id *id, const struct boot_entry *entry, struct err *e)
{
    int err;

    if (ioctl(vcpu, KVM_SET_CPUID2, id))
        return err_sys(e, "kvm: CPUID");
    err = set_msrs(vcpu, e);
    return err || !entry ? err : set_registers(vcpu, entry, e);
}
