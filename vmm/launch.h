/*
 * launch.h - the launch record on arrival: read once, believed in nothing.
 *
 * launch_check is pure; launch_check_fds looks at the descriptors themselves. What passes both may
 * be used without another look: every number is in range, every text is terminated, every
 * descriptor is of the right kind and named once.
 */
#ifndef VMM_LAUNCH_H
#define VMM_LAUNCH_H

#include "base/err.h"
#include "base/launch.h"

#include <stdbool.h>

/* kvm, kernel, initrd, serial, filters, report, files, and one for every disk, port and spare. */
#define LAUNCH_FDS_MAX (7u + VMM_DISKS_MAX + VMM_PORTS_MAX + VMM_SPARES_MAX)

/* Standard error stays ours; a record may not name it, nor what is below. */
#define LAUNCH_FD_FIRST 3

/* Reads the record; EINVAL when it is shorter or is not one of this version. */
must_check int launch_read(int fd, struct vmm_launch *l, struct err *e);

/* Every field that can be judged without asking the kernel. */
must_check int launch_check(const struct vmm_launch *l, struct err *e);

/* The descriptors named: open, of the right kind, open for what they are for. */
must_check int launch_check_fds(const struct vmm_launch *l, struct err *e);

/* Can a report go to report_fd, whatever else is wrong with the record? A pipe or socket can. */
must_check bool launch_can_report(const struct vmm_launch *l);

/* The descriptors named, ascending: how many. For a record that passed launch_check. */
unsigned launch_fds(const struct vmm_launch *l, int fds[LAUNCH_FDS_MAX]);

#endif
