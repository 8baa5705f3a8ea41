/* test_cpu.c - the CPUID a guest sees, made from what an Intel-like and an AMD-like host report. */
#include "vmm/x86/cpu.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

#define ALL 0xffffffffu

static const struct kvm_cpuid_entry2 intel[] = {
    { .function = 0, .eax = 0x1f, .ebx = 0x756e6547, .ecx = 0x6c65746e, .edx = 0x49656e69 },
    { .function = 1, .eax = 0x806f8, .ebx = 0x07100800, .ecx = ALL, .edx = ALL },
    { .function = 4, .index = 0, .flags = 1, .eax = 0xfc004121 },
    { .function = 4, .index = 2, .flags = 1, .eax = 0xfc004143 },
    { .function = 4, .index = 3, .flags = 1, .eax = 0xfc1fc163 },
    { .function = 4, .index = 4, .flags = 1 },
    { .function = 7, .index = 0, .flags = 1, .ebx = ALL, .ecx = ALL, .edx = 1 },
    { .function = 0xa, .eax = 0x08300805 },
    { .function = 0xb, .index = 0, .flags = 1, .ebx = 99 },
    { .function = 0xd, .index = 0, .flags = 1, .eax = 7 },
    { .function = 0x12, .eax = 1 },
    { .function = 0x14, .eax = 1 },
    { .function = 0x1f, .index = 0, .flags = 1, .ebx = 99 },
    { .function = 0x40000000, .eax = 0x40000001, .ebx = 0x4b4d564b },
    { .function = 0x40000001, .eax = 0x01007efb },
    { .function = 0x80000000, .eax = 0x80000008 },
    { .function = 0x80000001, .ecx = ALL, .edx = ALL },
    { .function = 0x80000007, .eax = 5, .edx = ALL },
    { .function = 0x80000008, .eax = 0x392e, .ecx = 0x7777 },
};

static const struct kvm_cpuid_entry2 amd[] = {
    { .function = 0, .eax = 0x10, .ebx = 0x68747541, .ecx = 0x444d4163, .edx = 0x69746e65 },
    { .function = 1, .eax = 0x800f12, .ebx = 0x07100800, .ecx = ALL, .edx = ALL },
    { .function = 0xd, .index = 0, .flags = 1, .eax = 7 },
    { .function = 0x10, .eax = 7 },
    { .function = 0x80000000, .eax = 0x80000026 },
    { .function = 0x80000001, .ecx = ALL, .edx = ALL },
    { .function = 0x80000008, .eax = 0x3030, .ecx = 0x7007 },
    { .function = 0x8000000a, .eax = 1, .ebx = 8, .edx = ALL },
    { .function = 0x8000001d, .index = 0, .flags = 1, .eax = 0x4121 },
    { .function = 0x8000001d, .index = 3, .flags = 1, .eax = 0x1c163 },
    { .function = 0x8000001e, .eax = 7, .ebx = 0x103, .ecx = 0x300 },
    { .function = 0x8000001f, .eax = ALL },
    { .function = 0x80000022, .eax = 1 },
    { .function = 0x80000026, .eax = 1 },
};

static struct cpu_id from(const struct kvm_cpuid_entry2 *e, unsigned n, unsigned vcpus)
{
    struct cpu_id id = { .nent = n };

    memcpy(id.entry, e, n * sizeof(*e));
    assert_int_equal(cpu_shape(&id, vcpus, NULL), 0);
    return id;
}

#define FROM(host, vcpus) from(host, sizeof(host) / sizeof((host)[0]), vcpus)

static const struct kvm_cpuid_entry2 *find(const struct cpu_id *id, uint32_t function,
                                           uint32_t index)
{
    const struct kvm_cpuid_entry2 *found = NULL;

    for (uint32_t i = 0; i < id->nent; i++) {
        if (id->entry[i].function == function && id->entry[i].index == index) {
            assert_null(found); /* KVM takes the first of two */
            found = &id->entry[i];
        }
    }
    return found;
}

/* One that must be there. */
static const struct kvm_cpuid_entry2 *leaf(const struct cpu_id *id, uint32_t function,
                                           uint32_t index)
{
    static const struct kvm_cpuid_entry2 none;
    const struct kvm_cpuid_entry2 *found = find(id, function, index);

    assert_non_null(found);
    return found ? found : &none;
}

static void a02_no_nested_virtualization(void **state)
{
    struct cpu_id i = FROM(intel, 1), a = FROM(amd, 1);

    (void)state;
    assert_int_equal(leaf(&i, 1, 0)->ecx & 1u << 5, 0);                       /* VMX */
    assert_int_equal(leaf(&i, 1, 0)->ecx & 1u << 6, 0);                       /* SMX */
    assert_int_equal(leaf(&a, 0x80000001, 0)->ecx & (1u << 2 | 1u << 12), 0); /* SVM, SKINIT */
    assert_null(find(&a, 0x8000000a, 0));
    assert_null(find(&a, 0x8000001f, 0));
}

static void host_only_features_are_gone(void **state)
{
    struct cpu_id i = FROM(intel, 1), a = FROM(amd, 1);

    (void)state;
    assert_null(find(&i, 0xa, 0));
    assert_null(find(&i, 0x12, 0));
    assert_null(find(&i, 0x14, 0));
    assert_null(find(&i, 0x1f, 0));
    assert_null(find(&a, 0x10, 0));
    assert_null(find(&a, 0x80000022, 0));
    assert_int_equal(leaf(&i, 7, 0)->ebx & (1u << 2 | 1u << 25), 0); /* SGX, processor trace */
    assert_int_equal(leaf(&i, 7, 0)->ecx & 1u << 30, 0);
    assert_int_equal(leaf(&i, 7, 0)->ebx & 1u << 5, 1u << 5); /* AVX2 stays */
    assert_int_equal(leaf(&i, 7, 0)->edx, 1);
    assert_int_equal(leaf(&i, 1, 0)->ecx & (1u << 3 | 1u << 15), 0); /* MONITOR, PDCM */
    assert_int_equal(leaf(&a, 0x80000001, 0)->ecx & (7u << 23 & ~(1u << 25)), 0); /* counters */
    assert_int_equal(leaf(&i, 0x80000007, 0)->eax, 0);
    assert_int_equal(leaf(&i, 0x80000007, 0)->edx, 1u << 8);
}

static void what_kvm_leaves_to_us_is_there(void **state)
{
    struct kvm_cpuid_entry2 poor[] = { { .function = 0, .eax = 1 }, { .function = 1 } };
    struct cpu_id id = FROM(poor, 1), i = FROM(intel, 1);
    const uint32_t want = 1u << 21 | 1u << 24 | 1u << 31; /* x2APIC, TSC deadline, hypervisor */

    (void)state;
    assert_int_equal(leaf(&id, 1, 0)->ecx, want);
    assert_non_null(leaf(&id, 0xb, 0));
    assert_int_equal(leaf(&i, 0x40000001, 0)->eax, 0x01007efb);
    assert_int_equal(leaf(&i, 0x40000000, 0)->eax, 0x40000001);
}

static void highest_leaves_are_the_last_that_say_something(void **state)
{
    struct cpu_id i = FROM(intel, 2), a = FROM(amd, 2);

    (void)state;
    assert_int_equal(leaf(&i, 0, 0)->eax, 0xd);
    assert_int_equal(leaf(&i, 0x80000000, 0)->eax, 0x80000008);
    assert_int_equal(leaf(&a, 0x80000000, 0)->eax, 0x8000001d);
}

static void topology_of_every_size(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 32; n++) {
        struct cpu_id i = FROM(intel, n), a = FROM(amd, n);
        uint32_t shift = leaf(&i, 0xb, 1)->eax;

        assert_true((1u << shift) >= n && (n == 1 ? shift == 0 : (1u << (shift - 1)) < n));
        assert_int_equal(leaf(&i, 0xb, 0)->eax, 0);
        assert_int_equal(leaf(&i, 0xb, 0)->ebx, 1);
        assert_int_equal(leaf(&i, 0xb, 0)->ecx, 0x100);
        assert_int_equal(leaf(&i, 0xb, 1)->ebx, n);
        assert_int_equal(leaf(&i, 0xb, 1)->ecx, 0x201);
        assert_int_equal(leaf(&i, 1, 0)->ebx >> 16 & 0xff, n);
        assert_int_equal(leaf(&i, 1, 0)->ebx & 0xff00, 0x800); /* the cache line stays */
        assert_int_equal(leaf(&i, 1, 0)->edx >> 28 & 1, n > 1);
        /* A core's own caches; one third level for all. */
        assert_int_equal(leaf(&i, 4, 0)->eax, ((1u << shift) - 1) << 26 | 0x121);
        assert_int_equal(leaf(&i, 4, 2)->eax, ((1u << shift) - 1) << 26 | 0x143);
        assert_int_equal(leaf(&i, 4, 3)->eax,
                         ((1u << shift) - 1) << 26 | ((1u << shift) - 1) << 14 | 0x163);
        assert_int_equal(leaf(&i, 4, 4)->eax, 0);
        assert_int_equal(leaf(&i, 0x80000008, 0)->ecx, 0);
        assert_int_equal(leaf(&a, 0x80000008, 0)->ecx, shift << 12 | (n - 1));
        assert_int_equal(leaf(&a, 0x80000001, 0)->ecx >> 1 & 1, n > 1);
        assert_int_equal(leaf(&a, 0x8000001d, 0)->eax, 0x121);
        assert_int_equal(leaf(&a, 0x8000001d, 3)->eax, ((1u << shift) - 1) << 14 | 0x163);
        for (unsigned k = 0; k < n; k++) {
            cpu_number(&i, k);
            cpu_number(&a, k);
            assert_int_equal(leaf(&i, 1, 0)->ebx >> 24, k);
            assert_int_equal(leaf(&i, 0xb, 0)->edx, k);
            assert_int_equal(leaf(&i, 0xb, 1)->edx, k);
            assert_int_equal(leaf(&a, 0x8000001e, 0)->eax, k);
            assert_int_equal(leaf(&a, 0x8000001e, 0)->ebx, k);
        }
    }
}

static void odd_hosts(void **state)
{
    struct kvm_cpuid_entry2 e[CPU_LEAVES] = { { .function = 0 }, { .function = 1 } };
    struct cpu_id id = { 0 };
    struct cpu_id i = FROM(intel, 1);

    (void)state;
    assert_int_equal(cpu_shape(&id, 1, NULL), -ENODEV);
    assert_int_equal(cpu_address_bits(&i), 0x2e);
    assert_int_equal(cpu_address_bits(&id), 36);
    for (unsigned k = 2; k < CPU_LEAVES; k++)
        e[k].function = 0xd;
    memcpy(id.entry, e, sizeof(e));
    id.nent = CPU_LEAVES - 1;
    assert_int_equal(cpu_shape(&id, 1, NULL), -ENOSPC);
    memcpy(id.entry, e, sizeof(e));
    id.nent = CPU_LEAVES - 2;
    assert_int_equal(cpu_shape(&id, 1, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a02_no_nested_virtualization),
        cmocka_unit_test(host_only_features_are_gone),
        cmocka_unit_test(what_kvm_leaves_to_us_is_there),
        cmocka_unit_test(highest_leaves_are_the_last_that_say_something),
        cmocka_unit_test(topology_of_every_size),
        cmocka_unit_test(odd_hosts),
    };

    return cmocka_run_group_tests_name("cpu", tests, NULL, NULL);
}
