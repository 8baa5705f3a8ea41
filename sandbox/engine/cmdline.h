/* cmdline.h - the kernel command line, the one place where it is put together. */
#ifndef SANDBOX_ENGINE_CMDLINE_H
#define SANDBOX_ENGINE_CMDLINE_H

#include "base/launch.h"
#include "sandbox/engine/engine.h"

/* -E2BIG when it does not fit, -EINVAL when cmdline_extra is not printable ASCII. */
must_check int cmdline_make(const struct engine_spec *spec, char out[VMM_CMDLINE_MAX],
                            struct err *e);

#endif
