/*
 * vcpu.h - one virtual CPU: runs guest code and turns its exits into bus accesses.
 *
 * A vCPU knows the two buses and nothing else of the machine. vcpu_run returns only for a reason:
 * the guest ended, the host failed, or vcpu_kick asked.
 */
#ifndef VMM_VCPU_H
#define VMM_VCPU_H

#include "base/err.h"
#include "base/launch.h"
#include "vmm/device.h"

#include <linux/kvm.h>
#include <signal.h>

/* Interrupts KVM_RUN; the handler does nothing. Not blocked in any thread. */
#define VCPU_SIGNAL SIGUSR1

struct vcpu {
    int fd;              /* owned */
    struct kvm_run *run; /* owned mapping */
    size_t run_len;
    struct bus *pio, *mmio; /* borrowed from the machine */
};

/* Why a guest ended, in the words of the report. */
struct vcpu_end {
    enum vmm_reason reason;
    uint64_t detail;
    const char *text; /* static */
};

/* v->fd is -1 and v->run NULL before; run_len is KVM_GET_VCPU_MMAP_SIZE. */
must_check int vcpu_open(struct vcpu *v, int vm, unsigned id, size_t run_len, struct err *e);
void vcpu_close(struct vcpu *v);

/*
 * Runs the guest until vcpu_kick (false) or until it can run no further (true, and *end says why).
 * One thread at a time.
 */
must_check bool vcpu_run(struct vcpu *v, struct vcpu_end *end);

/*
 * Makes vcpu_run return false soon, between two instructions, also when it is called later. The
 * caller also sends VCPU_SIGNAL to the thread that runs it. Any thread, async-signal-safe.
 */
void vcpu_kick(struct vcpu *v);

#endif
