/* attack.h - how a guest tells carrel-vmm-attack what to do: by ports that a machine does not have.
 */
#ifndef TESTS_PAYLOAD_ATTACK_H
#define TESTS_PAYLOAD_ATTACK_H

#include <stddef.h>
#include <stdint.h>

#define ATTACK_VCPU   0x7f0u /* an attack's number: made by the vCPU's thread */
#define ATTACK_IO     0x7f1u /* … by the I/O thread */
#define ATTACK_TARGET 0x7f4u /* 32 bits: the process that is not the VMM's */

enum attack {
#define ATTACK(name, nr, a, b, c, d, e, f) ATTACK_##name,
#include "tests/payload/attack.def"
#undef ATTACK
    ATTACKS,
    ATTACK_i386 = ATTACKS, /* by int $0x80 */
    ATTACK_x32,
    ATTACKS_ALL,
};

/* attempt.c, in the program that is attacked: makes attempt n, and says what came of it, with
 * errno. Those that concern a process are made at attack_target. */
long attack_attempt(unsigned n);
extern uint32_t attack_target;

/* attack_guest.c, in the test. */

/* A guest that tells the VMM our pid, orders attack n by a port (ATTACK_VCPU, ATTACK_IO), and
 * powers off: its length. */
size_t attack_code(uint8_t code[32], unsigned n, unsigned port);
const char *attack_name(unsigned n);
/* The system call that is tried. */
long attack_number(unsigned n);

#endif
