/* vmm.c - see vmm.h. */
#include "sandbox/confine/vmm.h"

#include "base/fd.h"
#include "base/io.h"
#include "sandbox/confine/profile.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

unsigned vmm_uses(const struct vmm_launch *l)
{
    unsigned uses = l->nports ? USE_PORTS : 0u;

    if (l->files_fd != -1)
        uses |= USE_LIVE;
    if (l->flags & VMM_F_SERIAL)
        uses |= USE_SERIAL;
    if (l->flags & VMM_F_RNG)
        uses |= USE_RNG;
    if (l->flags & VMM_F_BALLOON)
        uses |= USE_BALLOON;
    for (uint32_t i = 0; i < l->ndisks && i < VMM_DISKS_MAX; i++) {
        uses |= USE_DISK;
        if (!(l->disks[i].flags & VMM_DISK_READONLY))
            uses |= USE_DISK_WRITE;
        if (l->disks[i].bytes_per_s || l->disks[i].ops_per_s)
            uses |= USE_RATE;
    }
    return uses;
}

int vmm_filters_open(const struct vmm_launch *l, struct err *e)
{
    static const char *const names[VMM_FILTERS] = {
        [VMM_FILTER_VCPU] = "vmm-vcpu", [VMM_FILTER_IO] = "vmm-io"
    };
    struct vmm_filters head = { .magic = VMM_FILTERS_MAGIC, .version = VMM_LAUNCH_VERSION };
    struct bpf_insn prog[BPF_INSNS_MAX];
    auto_fd int fd = memfd_create("filters", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0 || lseek(fd, sizeof(head), SEEK_SET) < 0)
        return err_sys(e, "filters");
    for (unsigned i = 0; i < VMM_FILTERS; i++) {
        int err = confine_profile(names[i], vmm_uses(l), prog, &head.len[i], e);

        if (err)
            return err;
        err = io_write_full(fd, prog, head.len[i] * sizeof(*prog));
        if (err)
            return err_set(e, -err, "filters: %s", strerror(-err));
    }
    if (pwrite(fd, &head, sizeof(head), 0) != sizeof(head) ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE))
        return err_sys(e, "filters");
    return fd_steal(&fd);
}
