/* engine.c - which engine, and why in one sentence. */
#include "sandbox/engine/engine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct engine *named(const char *name, char why[240], char hint[240], struct err *e)
{
    static const struct engine *const all[] = { &engine_kvm, &engine_qemu };

    for (size_t i = 0; i < array_len(all); i++) {
        if (strcmp(name, all[i]->name) != 0)
            continue;
        snprintf(why, 240, "%s was asked for by name", name);
        return all[i]->check(hint, e) ? NULL : all[i];
    }
    snprintf(hint, 240, "engines are: kvm, qemu");
    err_set(e, EINVAL, "there is no engine \"%s\"", name);
    return NULL;
}

const struct engine *engine_choose(const char *name, char why[240], char hint[240], struct err *e)
{
    struct err no_kvm = ERR_INIT, no_qemu = ERR_INIT;
    char kvm_hint[240] = "", qemu_hint[240] = "";
    enum kvm_speed speed = KVM_SLOW;
    double mips = 0;

    why[0] = hint[0] = '\0';
    if (name)
        return named(name, why, hint, e);

    int err = kvm_probe(&speed, &mips, kvm_hint, &no_kvm);

    if (!err && speed == KVM_NATIVE)
        err = engine_kvm.check(kvm_hint, &no_kvm);
    if (!err && speed == KVM_NATIVE) {
        snprintf(why, 240, "/dev/kvm runs 64-bit supervisor code at %.0f million instructions/s",
                 mips);
        return &engine_kvm;
    }
    if (err)
        snprintf(why, 240, "%s", no_kvm.msg);
    else
        snprintf(why, 240,
                 "/dev/kvm interprets 64-bit supervisor code (%.1f million instructions/s)", mips);
    if (engine_qemu.check(qemu_hint, &no_qemu) == 0) {
        snprintf(hint, 240, "%s", kvm_hint);
        return &engine_qemu;
    }
    /* Neither: kvm is the better one to mend. */
    err_set(e, no_qemu.code, "no engine works here: %.100s; and %.100s", why, no_qemu.msg);
    snprintf(hint, 240, "%s", err ? kvm_hint : qemu_hint);
    return NULL;
}
