/*
 * payload_attack.c - inside a locked-down carrel-vmm, everything an attacker would try next: each
 * attempt is refused by name and ends the machine (h16).
 */
#include "payload.h"

#include "sandbox/confine/vmm.h"
#include "tests/payload/attack.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct payload_result attack(unsigned n, unsigned port, bool bare)
{
    uint8_t code[32];
    size_t len = attack_code(code, n, port);
    struct payload p;

    payload_init(&p, (const char *)code, (const char *)code + len, true);
    p.vmm = "carrel-vmm-attack";
    p.bare = bare;
    return payload_run(&p);
}

static void every_attack_on(unsigned port)
{
    unsigned wrong = 0;

    for (unsigned n = 0; n < ATTACKS_ALL; n++) {
        struct payload_result r = attack(n, port, false);
        bool killed = !r.reported && WIFSIGNALED(r.status) && WTERMSIG(r.status) == SIGSYS;
        bool named = r.reported && r.r.reason == VMM_FORBIDDEN &&
                     r.r.detail == (uint64_t)attack_number(n) && WIFEXITED(r.status);

        /* Nothing came back to the attacker: neither a success nor another error. */
        if (r.serial_len || !(n < ATTACKS ? named : killed)) {
            print_error("%s: reason %u, detail %llu, status %#x, said \"%s\"\n", attack_name(n),
                        r.r.reason, (unsigned long long)r.r.detail, r.status, r.serial);
            wrong++;
        }
    }
    print_message("%u attacks, %u not refused\n", ATTACKS_ALL, wrong);
    assert_int_equal(wrong, 0);
}

static void h16_attacks_of_a_vcpu_thread(void **state)
{
    (void)state;
    every_attack_on(ATTACK_VCPU);
}

static void h16_attacks_of_the_io_thread(void **state)
{
    (void)state;
    every_attack_on(ATTACK_IO);
}

/* Without filters the same program does them: the tests above do not pass by accident. */
static void attacks_work_where_nothing_stops_them(void **state)
{
    static const unsigned work[] = { ATTACK_openat, ATTACK_mmap_exec, ATTACK_kill, ATTACK_uname };

    (void)state;
    for (size_t i = 0; i < sizeof(work) / sizeof(work[0]); i++)
        for (unsigned port = ATTACK_VCPU; port <= ATTACK_IO; port++) {
            struct payload_result r = attack(work[i], port, true);

            assert_true(r.reported);
            assert_int_equal(r.r.reason, VMM_POWEROFF);
            if (work[i] == ATTACK_openat) /* also without: no new descriptor is to be had */
                assert_string_equal(r.serial, "-1 24\n");
            else
                assert_true(r.serial_len && r.serial[0] != '-');
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(h16_attacks_of_a_vcpu_thread),
        cmocka_unit_test(h16_attacks_of_the_io_thread),
        cmocka_unit_test(attacks_work_where_nothing_stops_them),
    };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    fprintf(stderr, "skipped: a sanitizer makes system calls of its own, under any filter\n");
    return 77;
#endif
    if (access("/dev/kvm", R_OK | W_OK)) {
        perror("skipped: /dev/kvm");
        return 77;
    }
    signal(SIGPIPE, SIG_IGN);
    payload_filters = vmm_filters_open;
    return cmocka_run_group_tests_name("attack", tests, NULL, NULL);
}
