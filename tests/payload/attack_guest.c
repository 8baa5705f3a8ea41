/* attack_guest.c - the guest that orders an attack; see attack.h. */
#include "tests/payload/attack.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

static const struct {
    const char *name;
    long nr;
} attacks[ATTACKS_ALL] = {
#define ATTACK(name, nr, a, b, c, d, e, f) { #name, nr },
#include "tests/payload/attack.def"
#undef ATTACK
    { "i386", 0 },
    { "x32", 0 },
};

/* clang-format off */
#define DX(port) 0x66, 0xba, (port) & 255, (port) >> 8 /* mov $port,%dx */
static const uint8_t template[] = {
    DX(ATTACK_TARGET), 0xb8, 0, 0, 0, 0, 0xef, /* mov $PID,%eax; out %eax,%dx */
    DX(ATTACK_VCPU), 0xb0, 0, 0xee,            /* mov $N,%al; out %al,%dx */
    DX(0x600), 0xb0, 0x34, 0xee, 0xf4, 0xeb, 0xfd, /* power off */
};
/* clang-format on */
enum { AT_PID = 5, AT_PORT = 12, AT_NUMBER = 15 };

size_t attack_code(uint8_t code[32], unsigned n, unsigned port)
{
    const pid_t pid = getpid();
    const uint16_t word = (uint16_t)port;

    _Static_assert(sizeof(template) <= 32, "code");
    memcpy(code, template, sizeof(template));
    memcpy(code + AT_PID, &pid, sizeof(pid));
    memcpy(code + AT_PORT, &word, sizeof(word));
    code[AT_NUMBER] = (uint8_t)n;
    return sizeof(template);
}

const char *attack_name(unsigned n)
{
    return n < ATTACKS_ALL ? attacks[n].name : "?";
}

long attack_number(unsigned n)
{
    return n < ATTACKS_ALL ? attacks[n].nr : -1;
}
