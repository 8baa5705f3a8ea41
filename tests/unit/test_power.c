/* test_power.c - which writes end the machine, and that no other does. */
#include "vmm/power.h"
#include "vmm/x86/acpi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static unsigned reason;

static void note(struct power *p, enum vmm_reason r, const char *text)
{
    (void)p;
    assert_true(text[0]);
    assert_int_equal(reason, 0);
    reason = r;
}

static unsigned wanted(uint64_t port, uint8_t v)
{
    if (port == ACPI_PORT_SLEEP)
        return v == 0x34 ? VMM_POWEROFF : 0; /* type 5, enable */
    if (port == ACPI_PORT_RESET)
        return v == ACPI_RESET_VALUE ? VMM_REBOOT : 0;
    if (port == 0x64)
        return v == 0xfe ? VMM_REBOOT : 0;
    return port == ACPI_PORT_PVPANIC && v & 1 ? VMM_PANIC : 0;
}

static void a01_every_value_at_every_port(void **state)
{
    struct power p;
    struct bus pio = { 0 };

    (void)state;
    power_init(&p, note);
    assert_int_equal(power_add(&p, &pio), 0);
    assert_true(power_add(&p, &pio) < 0);
    for (uint64_t port = 0; port < 0x10000; port++) {
        bool near = port < 0x80 || (port >= 0x500 && port < 0x610);

        for (unsigned v = 0; v < (near ? 256u : 2u); v++) {
            reason = 0;
            bus_write(&pio, port, &(uint8_t){ (uint8_t)v }, 1);
            assert_int_equal(reason, wanted(port, (uint8_t)v));
        }
    }
}

static void reads_keep_pollers_short(void **state)
{
    struct power p;
    struct bus pio = { 0 };
    uint32_t v;

    (void)state;
    power_init(&p, note);
    assert_int_equal(power_add(&p, &pio), 0);
    v = ~0u;
    bus_read(&pio, 0x64, &v, 1);
    assert_int_equal(v & 0xff, 0); /* ready for a command */
    bus_read(&pio, ACPI_PORT_PVPANIC, &v, 1);
    assert_int_equal(v & 0xff, 3);
    bus_read(&pio, ACPI_PORT_SLEEP + 1, &v, 1);
    assert_int_equal(v & 0xff, 0);
    bus_read(&pio, ACPI_PORT_SLEEP, &v, 2);
    assert_int_equal(v & 0xffff, 0);
    bus_read(&pio, ACPI_PORT_SLEEP, &v, 4); /* wider than the registers */
    assert_int_equal(v, ~0u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a01_every_value_at_every_port),
        cmocka_unit_test(reads_keep_pollers_short),
    };

    return cmocka_run_group_tests_name("power", tests, NULL, NULL);
}
