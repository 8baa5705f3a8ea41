/*
 * modules.h - the drivers that this kernel has as modules.
 *
 * /modules/order names one file a line, dependencies first, parameters after a space, MODULE_VERITY
 * before those that only a checked image needs; it is absent when everything is built in.
 */
#ifndef GUEST_MODULES_H
#define GUEST_MODULES_H

#include <stdbool.h>

/* A module that cannot be loaded is reported and passed over: what needs it will say so. */
void modules_load(bool verity);

#endif
