/* test_acpi.c - the tables as a guest walks them; disassembled by iasl where it is installed. */
#include "vmm/x86/acpi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define BASE 0xe0000u

static uint8_t out[ACPI_BYTES_MAX];
static unsigned used;

static void make(unsigned vcpus, bool serial)
{
    const struct acpi_machine m = { .vcpus = vcpus,
                                    .serial = serial,
                                    .ecam_base = 0xe0000000,
                                    .ecam_size = 0x100000,
                                    .mmio_base = 0xc0000000,
                                    .mmio_size = 0x20000000 };

    memset(out, 0xee, sizeof(out));
    used = acpi_make(&m, BASE, out);
}

static uint32_t le32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint64_t le64(const uint8_t *at)
{
    return le32(at) | (uint64_t)le32(at + 4) << 32;
}

static uint8_t sum(const uint8_t *at, uint32_t len)
{
    uint8_t s = 0;

    while (len--)
        s = (uint8_t)(s + *at++);
    return s;
}

/* The table at a guest address, whole and with a right checksum. */
static const uint8_t *table(uint64_t gpa, const char *signature)
{
    const uint8_t *t = out + (gpa - BASE);

    assert_true(gpa >= BASE && gpa - BASE < used && gpa % 16 == 0);
    assert_memory_equal(t, signature, 4);
    assert_true(le32(t + 4) <= used - (gpa - BASE));
    assert_int_equal(sum(t, le32(t + 4)), 0);
    return t;
}

/* Through RSDP and XSDT, as a kernel does. */
static const uint8_t *find(const char *signature)
{
    const uint8_t *xsdt = table(le64(out + 24), "XSDT");

    for (uint32_t i = 36; i < le32(xsdt + 4); i += 8)
        if (!memcmp(out + (le64(xsdt + i) - BASE), signature, 4))
            return table(le64(xsdt + i), signature);
    fail_msg("no %s", signature);
    return NULL;
}

static void root_pointer(void **state)
{
    (void)state;
    make(1, true);
    assert_memory_equal(out, "RSD PTR ", 8);
    assert_int_equal(sum(out, 20), 0);
    assert_int_equal(sum(out, 36), 0);
    assert_int_equal(out[15], 2);
    assert_int_equal(out[used], 0xee); /* nothing behind what it says it used */
}

static void every_cpu_has_an_apic(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 32; n++) {
        make(n, true);

        const uint8_t *t = find("APIC");

        assert_int_equal(le32(t + 4), 44 + 8 * n);
        assert_int_equal(le32(t + 36), 0xfee00000);
        assert_int_equal(le32(t + 40), 0);
        for (unsigned i = 0; i < n; i++) {
            const uint8_t entry[] = { 0, 8, (uint8_t)i, (uint8_t)i, 1, 0, 0, 0 };

            assert_memory_equal(t + 44 + 8ul * i, entry, 8);
        }
    }
}

static void fixed_hardware(void **state)
{
    const uint8_t *t;

    (void)state;
    make(2, false);
    t = find("FACP");
    assert_int_equal(le32(t + 4), 276);
    assert_true(le32(t + 112) & 1u << 20); /* hardware-reduced */
    assert_true(le32(t + 112) & 1u << 10); /* reset register */
    assert_int_equal(t[109] & 2, 0);       /* no keyboard controller */
    assert_int_equal(t[109] & 0x20, 0x20); /* no clock chip */
    assert_int_equal(t[116], 1);
    assert_true(le64(t + 120) == ACPI_PORT_RESET);
    assert_int_equal(t[128], ACPI_RESET_VALUE);
    assert_true(le64(t + 248) == ACPI_PORT_SLEEP);
    assert_true(le64(t + 260) == ACPI_PORT_SLEEP + 1);
    assert_true(le64(t + 140) == le32(t + 40));
    table(le64(t + 140), "DSDT");
}

static void configuration_space(void **state)
{
    const uint8_t *t;

    (void)state;
    make(1, true);
    t = find("MCFG");
    assert_int_equal(le32(t + 4), 60);
    assert_true(le64(t + 44) == 0xe0000000);
    assert_true(le64(t + 52) == 0); /* segment 0, buses 0 to 0 */
}

static bool dsdt_has(const char *bytes, size_t len)
{
    const uint8_t *t = table(le64(find("FACP") + 140), "DSDT");

    return memmem(t, le32(t + 4), bytes, len) != NULL;
}

static void serial_is_named_only_where_it_is(void **state)
{
    (void)state;
    make(1, true);
    assert_true(dsdt_has("COM1", 4));
    assert_true(dsdt_has("\x41\xd0\x05\x01", 4)); /* PNP0501 */
    assert_true(dsdt_has("QEMU0001", 9));
    assert_true(dsdt_has("\x41\xd0\x0a\x08", 4)); /* PNP0A08 */
    make(1, false);
    assert_false(dsdt_has("COM1", 4));
    assert_true(dsdt_has("QEMU0001", 9));
}

/* The exit status of a shell command. */
static int sh(const char *command)
{
    pid_t pid = fork();
    int status;

    if (!pid) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* A compiler by somebody else reads our bytes, and can compile what it read. */
static void disassembled_by_iasl(void **state)
{
    char dir[] = "/tmp/acpi.XXXXXX", cmd[512];
    FILE *f;

    (void)state;
    if (sh("command -v iasl >/dev/null 2>&1")) {
        print_message("no iasl: skipped\n");
        skip();
    }
    make(32, true);
    assert_non_null(mkdtemp(dir));
    for (const char *const *name = (const char *const[]){ "FACP", "APIC", "MCFG", "DSDT", NULL };
         *name; name++) {
        const uint8_t *t =
            strcmp(*name, "DSDT") ? find(*name) : table(le64(find("FACP") + 140), "DSDT");

        snprintf(cmd, sizeof(cmd), "%s/%s.aml", dir, *name);
        f = fopen(cmd, "w");
        assert_non_null(f);
        assert_int_equal(fwrite(t, 1, le32(t + 4), f), le32(t + 4));
        assert_int_equal(fclose(f), 0);
        snprintf(cmd, sizeof(cmd),
                 "cd %s && iasl -d %s.aml >log 2>&1 && ! grep -qiE 'error|warning' log %s.dsl", dir,
                 *name, *name);
        assert_int_equal(sh(cmd), 0);
    }
    snprintf(cmd, sizeof(cmd), "cd %s && iasl DSDT.dsl 2>&1 | grep -q ' 0 Errors, 0 Warnings'",
             dir);
    assert_int_equal(sh(cmd), 0);
    snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
    assert_int_equal(sh(cmd), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(root_pointer),
        cmocka_unit_test(every_cpu_has_an_apic),
        cmocka_unit_test(fixed_hardware),
        cmocka_unit_test(configuration_space),
        cmocka_unit_test(serial_is_named_only_where_it_is),
        cmocka_unit_test(disassembled_by_iasl),
    };

    return cmocka_run_group_tests_name("acpi", tests, NULL, NULL);
}
