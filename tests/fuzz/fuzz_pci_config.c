/*
 * fuzz_pci_config.c - reads and writes of any width to configuration space and BARs of a bus with
 * two devices, in any order.
 */
#include "tests/fuzz/machine.h"

#include "vmm/virtio/balloon.h"
#include "vmm/virtio/rng.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each step: op and width, a 24-bit place, a 32-bit value. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_machine m;

    fuzz_open(&m);
    if (virtio_pci_add(m.root, rng_new(&m.host, 0, NULL), NULL) ||
        virtio_pci_add(m.root, balloon_new(&m.host, NULL), NULL) || pci_root_start(m.root, NULL))
        abort();
    for (; size >= 8; data += 8, size -= 8) {
        uint64_t at = data[1] | (uint64_t)data[2] << 8 | (uint64_t)data[3] << 16, v = 0;
        unsigned len = 1u << (data[0] & 3);

        memcpy(&v, data + 4, 4);
        v |= v << 32;
        if (data[0] & 4) { /* BARs, near where they were put */
            at = FUZZ_MMIO + at % FUZZ_LEN;
        } else if (data[0] & 8) { /* mostly the functions that exist */
            at = FUZZ_ECAM + at % 0x3100;
        } else {
            at = FUZZ_ECAM + at % (PCI_ECAM_SIZE + 16);
        }
        if (data[0] & 16)
            bus_read(&m.mmio, at, &v, len);
        else
            bus_write(&m.mmio, at, &v, len);
        if (data[0] & 32)
            fuzz_rounds(&m, 2);
    }
    bus_read(&m.mmio, FUZZ_ECAM + 0x1000, &size, 4);
    if ((uint32_t)size != 0x10441af4)
        abort(); /* it is still what it was */
    fuzz_close(&m);
    return 0;
}
