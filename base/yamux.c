/* yamux.c - see yamux.h. */
#include "base/yamux.h"
