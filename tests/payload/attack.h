/* attack.h - how a guest tells carrel-vmm-attack what to do: by ports that a machine does not have.
 */
#ifndef TESTS_PAYLOAD_ATTACK_H
#define TESTS_PAYLOAD_ATTACK_H

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

#endif
