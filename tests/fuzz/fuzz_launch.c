/* fuzz_launch.c - any bytes as a launch record: what is accepted is in range, whatever it says. */
#include "vmm/launch.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vmm_launch l = { 0 };
    int fds[LAUNCH_FDS_MAX];

    memcpy(&l, data, size < sizeof(l) ? size : sizeof(l));
    if (launch_check(&l, NULL))
        return 0;
    if (l.vcpus - 1 >= VMM_VCPUS_MAX || l.mem_bytes < VMM_MEM_MIN || l.mem_bytes > VMM_MEM_MAX ||
        !memchr(l.cmdline, 0, sizeof(l.cmdline)) || l.ndisks > VMM_DISKS_MAX ||
        l.nports > VMM_PORTS_MAX)
        abort();
    for (uint32_t i = 0; i < l.nports; i++)
        if (!memchr(l.ports[i].name, 0, VMM_PORT_NAME))
            abort();
    for (unsigned i = launch_fds(&l, fds); i--;)
        if (fds[i] < LAUNCH_FD_FIRST || (i && fds[i] == fds[i - 1]))
            abort();
    return 0;
}
