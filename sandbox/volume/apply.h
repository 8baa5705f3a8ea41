/*
 * apply.h - changes come true on the host: below one directory, through no link, each file whole
 * under its name or not at all.
 */
#ifndef SANDBOX_VOLUME_APPLY_H
#define SANDBOX_VOLUME_APPLY_H

#include "sandbox/volume/changes.h"

struct apply_ask {
    int dirfd;  /* borrowed */
    int stage;  /* borrowed: where new contents are */
    bool force; /* what the host has is no reason */
    /* Told of each change that came true, or that did not after all (why; else NULL). */
    void (*told)(void *arg, const struct change *x, const char *why);
    void *arg;
    size_t done, failed; /* out */
};

/*
 * Applies every change whose fate is CHANGE_GOES; those that came true become CHANGE_DONE, those
 * that the host has changed under our hands CHANGE_CONFLICT. Goes on after a failure; the first is
 * in *e.
 */
must_check int apply(struct apply_ask *ask, struct changes *c, struct err *e);

#endif
