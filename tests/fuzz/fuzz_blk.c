/*
 * fuzz_blk.c - the disk's queue, and RAM around it, as the fuzzer likes them: read-only, writable,
 * with and without flush. The file never changes its size, and a read-only one not at all.
 */
#include "tests/fuzz/machine.h"

#include "vmm/virtio/blk.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define DISK 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Byte 0: options; then RAM from the queue's page on. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t sum[DISK], zero[DISK];
    struct vmm_launch_disk disk = { .serial = "fuzz" };
    struct fuzz_machine m;
    struct stat st;
    int fd;

    if (size < 2)
        return 0;
    fd = memfd_create("disk", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, DISK))
        abort();
    disk.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    disk.flags = data[0] & 1;
    fuzz_open(&m);
    if (virtio_pci_add(m.root, blk_new(&m.host, &disk, NULL), NULL) || pci_root_start(m.root, NULL))
        abort();
    memcpy(m.mem.region[0].host + 0x1000, data + 1,
           size - 1 < FUZZ_RAM - 0x1000 ? size - 1 : FUZZ_RAM - 0x1000);
    fuzz_start(&m,
               (data[0] & 2 ? 1ull << 9 : 0) | (data[0] & 4 ? VIRTIO_F_INDIRECT_DESC : 0) |
                   (data[0] & 8 ? VIRTIO_F_EVENT_IDX : 0),
               1);
    fuzz_ring(&m);
    fuzz_close(&m);
    if (fstat(fd, &st) || st.st_size != DISK)
        abort();
    if ((data[0] & 1) && (pread(fd, sum, DISK, 0) != DISK || memcmp(sum, zero, DISK)))
        abort();
    close(fd);
    return 0;
}
