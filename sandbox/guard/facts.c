/* facts.c - see facts.h. */
#include "sandbox/guard/facts.h"

#include "sandbox/confine/host.h"

#include <unistd.h>

#include <sys/sysinfo.h>

#define BIT(f) (1ull << FEATURE_##f)

struct host_facts facts_of(const char *engine, bool cgroups)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    struct sysinfo si = { 0 };

    (void)sysinfo(&si);
    return (struct host_facts){
        .engine = engine,
        /* The engines have a balloon, and the guest a hash tree over its image or no start
         * (sandbox/keeper/begin.c); a mount is a disk that was filled, and is exported, under the
         * policy, and so is a memory volume; carrel-init makes the overlay and applies what the
         * keeper decided about a command; the keeper decides, and writes the log. */
        .features = BIT(BALLOON) | BIT(COMMANDS) | BIT(BROKER) | BIT(OVERLAY) | BIT(MOUNTS) |
                    BIT(VOLUMES) | BIT(AUDIT) | BIT(VERITY) | (cgroups ? BIT(CPU_QUOTA) : 0),
        .landlock = host_has_landlock(),
        .userns = host_has_users(),
        .seccomp = true, /* QEMU's own filter, or ours in carrel-vmm */
        .cpus = cpus > 0 ? (uint64_t)cpus : 1,
        .memory = (uint64_t)si.totalram * si.mem_unit,
    };
}
