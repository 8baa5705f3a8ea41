/*
 * probe.h - what /dev/kvm is good for here, and what to do when it is good for nothing.
 */
#ifndef SANDBOX_ENGINE_PROBE_H
#define SANDBOX_ENGINE_PROBE_H

#include "sandbox/engine/engine.h"

/* Why /dev/kvm did not open, and what is known about the host: enough to say what to do. */
struct kvm_facts {
    int error;          /* errno of open(2), or of KVM_CREATE_VM with opened */
    bool opened;        /* the device opened; making a machine failed */
    bool cpu_can;       /* vmx or svm in /proc/cpuinfo */
    bool in_vm;         /* "hypervisor" there: this host is a guest itself */
    char group[32];     /* the device's group; "" = none that has a name */
    bool group_may;     /* the group has read and write permission */
    bool in_group_file; /* the user is in that group, says the system's database … */
    bool in_group_now;  /* … and this process is */
};

/* The sentence in *e, the remedy in hint. Pure. Returns -f->error. */
int kvm_explain(const struct kvm_facts *f, char hint[240], struct err *e);

/* Opens /dev/kvm, the caller's; else as kvm_explain. */
must_check int kvm_open(char hint[240], struct err *e);

#endif
