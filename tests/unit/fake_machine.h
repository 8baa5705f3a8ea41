/*
 * fake_machine.h - an engine whose machine is a child process, for tests of keepers.
 *
 * It forks like a real engine (gate, pidfd) and runs a guest that speaks yamux and msg on the port,
 * well or badly, as the first argument of each command says: see on_exec in fake_machine.c.
 */
#ifndef TESTS_UNIT_FAKE_MACHINE_H
#define TESTS_UNIT_FAKE_MACHINE_H

#include "sandbox/keeper/keeper.h"

/* How the machine behaves before any command. To be set before the keeper starts. */
extern enum boot { UP, NEVER_UP, SETUP_FAILS, SETUP_GARBAGE, PORT_GARBAGE, CRASHES, NO_PING } boot;

extern const struct engine fake_machine;

/* What the command "spill" says at once, in frames: more than a client's socket and the keeper's
 * buffer for it hold, by less than one frame's room. */
#define SPILL_BYTES  100
#define SPILL_FRAMES 1760

#endif
