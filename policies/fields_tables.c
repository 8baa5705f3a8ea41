/*
 * fields_tables.c - the language, key by key. Scales run from strict to wide, so that narrower is
 * always "not larger" (C_LEAST) unless the field says C_MOST.
 */
#include "policies/fields.h"

#include "policies/words.h"

#define KIB        (1ull << 10)
#define MIB        (1ull << 20)
#define GIB        (1ull << 30)
#define TIB        (1ull << 40)
#define SEC        1000ull
#define MIN        (60 * SEC)
#define HOUR       (60 * MIN)
#define DAY        (24 * HOUR)
#define PER_SECOND 86400ull

#define AT(S, m) .offset = (uint16_t)offsetof(struct S, m)

#define NUM(S, m, k, T, C, G, lo, hi, d, s)                                                        \
    {                                                                                              \
        .key = (k), .type = (T), .combine = (C), .grade = (G), AT(S, m), .min = (lo), .max = (hi), \
        .def = (d), .says = (s)                                                                    \
    }
#define FLAG(S, m, k, C, G, d, s)                                                                 \
    {                                                                                             \
        .key = (k), .type = F_BOOL, .combine = (C), .grade = (G), AT(S, m), .max = 1, .def = (d), \
        .words = words_bool, .says = (s)                                                          \
    }
#define WORD(S, m, k, W, C, G, d, s)                                                               \
    {                                                                                              \
        .key = (k), .type = F_ENUM, .combine = (C), .grade = (G), AT(S, m), .max = 63, .def = (d), \
        .words = words_##W, .says = (s)                                                            \
    }
#define SET(S, m, k, W, C, G, d, s)                                                    \
    {                                                                                  \
        .key = (k), .type = F_SET, .combine = (C), .grade = (G), AT(S, m), .def = (d), \
        .words = words_##W, .says = (s)                                                \
    }
#define BITSET(S, m, k, B, C, G, s)                                                       \
    {                                                                                     \
        .key = (k), .type = F_BITS, .combine = (C), .grade = (G), AT(S, m), .bits = &(B), \
        .says = (s)                                                                       \
    }
#define TEXT(S, m, k, K, C, G, req, s)                                                         \
    {                                                                                          \
        .key = (k), .type = F_TEXT, .combine = (C), .grade = (G), .required = (req), AT(S, m), \
        .text_class = (K), .says = (s)                                                         \
    }
#define TEXTS(S, m, k, K, C, G, d, s)                                                           \
    {                                                                                           \
        .key = (k), .type = F_TEXTS, .combine = (C), .grade = (G), AT(S, m), .text_class = (K), \
        .def_text = (d), .says = (s)                                                            \
    }
#define OTHER(S, m, k, T, C, G, d, s)                                                     \
    {                                                                                     \
        .key = (k), .type = (T), .combine = (C), .grade = (G), AT(S, m), .def_text = (d), \
        .says = (s)                                                                       \
    }
#define PART(S, m, k, t, s)                                                       \
    {                                                                             \
        .key = (k), .type = F_OBJECT, .combine = C_PARTS, .grade = 'H', AT(S, m), \
        .table = &table_##t, .says = (s)                                          \
    }
#define LIST(S, m, k, t, C, G, s)                                                                \
    {                                                                                            \
        .key = (k), .type = F_LIST, .combine = (C), .grade = (G), AT(S, m), .table = &table_##t, \
        .says = (s)                                                                              \
    }
#define TABLE(t, S, sh)                                                                  \
    static const struct table table_##t = { #t, (sh), fields_##t, array_len(fields_##t), \
                                            sizeof(struct S) }

static const struct bit_names bits_syscalls = { "system call", syscall_number, syscall_name };
static const struct bit_names bits_caps = { "capability", capability_number, capability_name };

/* clang-format off */
static const struct field fields_require[] = {
    WORD(policy_require, landlock, "landlock", require, C_LEAST, 'H', REQUIRE_PREFERRED, "Whether the host's processes of this sandbox must be confined by Landlock."),
    WORD(policy_require, seccomp, "seccomp", require, C_LEAST, 'H', REQUIRE_REQUIRED, "Whether they must be confined by seccomp filters."),
    WORD(policy_require, userns, "userns", require, C_LEAST, 'H', REQUIRE_PREFERRED, "Whether they must run in a user namespace of their own."),
    WORD(policy_require, core_sched, "core_sched", require, C_LEAST, 'H', REQUIRE_PREFERRED, "Whether no other tenant may share a physical core at the same time."),
};
TABLE(require, policy_require, NULL);

static const struct field fields_cpu[] = {
    NUM(policy_cpu, vcpus, "vcpus", F_COUNT, C_LEAST, 'H', 1, 32, 1, "Virtual CPUs."),
    NUM(policy_cpu, quota, "quota", F_PERCENT, C_LEAST, 'H', 1, 3200, 100, "Processor time a second, in percent of one CPU."),
    FLAG(policy_cpu, nested, "nested", C_LEAST, 'H', 0, "Whether the guest sees virtualisation instructions."),
};
TABLE(cpu, policy_cpu, NULL);

static const struct field fields_memory[] = {
    NUM(policy_memory, max, "max", F_BYTES, C_LEAST, 'H', 64 * MIB, TIB, 512 * MIB, "Guest memory."),
    FLAG(policy_memory, balloon, "balloon", C_LEAST, 'H', 1, "Whether idle guest memory is given back to the host."),
    WORD(policy_memory, hugepages, "hugepages", hugepages, C_LEAST, 'H', 0, "Size of the reserved huge pages that back guest memory."),
    NUM(policy_memory, swap, "swap", F_BYTES, C_LEAST, 'H', 0, TIB, 0, "Host swap that guest memory may use."),
};
TABLE(memory, policy_memory, NULL);

static const struct field fields_limits[] = {
    NUM(policy_limits, wall, "wall", F_TIME, C_LEAST, 'H', SEC, 365 * DAY, HOUR, "Time from start to end, running or not."),
    NUM(policy_limits, idle, "idle", F_TIME, C_LEAST, 'H', SEC, 365 * DAY, 10 * MIN, "Time without any work after which the sandbox ends."),
    NUM(policy_limits, pids, "pids", F_COUNT, C_LEAST, 'G', 1, 4194304, 256, "Processes and threads in the guest."),
    NUM(policy_limits, open_files, "open_files", F_COUNT, C_LEAST, 'G', 16, 1048576, 1024, "Open files of one process."),
    NUM(policy_limits, console, "console", F_BYTES, C_LEAST, 'H', 0, GIB, 8 * MIB, "Console and log output that is kept."),
};
TABLE(limits, policy_limits, NULL);

static const struct field fields_budget[] = {
    NUM(policy_budget, cpu, "cpu", F_TIME, C_LEAST, 'H', 0, 3650 * DAY, HOUR, "Processor time in all."),
    NUM(policy_budget, egress, "egress", F_BYTES, C_LEAST, 'H', 0, 1024 * TIB, 100 * MIB, "Bytes sent out in all."),
    NUM(policy_budget, tool_calls, "tool_calls", F_COUNT, C_LEAST, 'H', 0, 1000000000, 10000, "Commands, host tools and MCP calls in all."),
    NUM(policy_budget, forks, "forks", F_COUNT, C_LEAST, 'H', 0, 100000, 0, "Forks of the sandbox in all; a fork shares what is left of every budget."),
    NUM(policy_budget, tokens, "tokens", F_COUNT, C_LEAST, 'H', 0, 1000000000000, 1000000, "Model tokens in all, both ways."),
};
TABLE(budget, policy_budget, NULL);

static const struct field fields_kernel[] = {
    TEXT(policy_kernel, sha256, "sha256", TEXT_DIGEST, C_SAME, 'H', false, "Hash of the kernel; no other boots."),
};
TABLE(kernel, policy_kernel, NULL);

static const struct field fields_image[] = {
    TEXT(policy_image, name, "name", TEXT_NAME, C_SAME, 'H', false, "Name of the image in the store."),
    TEXT(policy_image, sha256, "sha256", TEXT_DIGEST, C_SAME, 'H', false, "Hash of the image; no other is opened."),
    FLAG(policy_image, verity, "verity", C_MOST, 'G', 0, "Whether the guest checks every block it reads (dm-verity)."),
    PART(policy_image, kernel, "kernel", kernel, "The kernel that may boot."),
};
TABLE(image, policy_image, NULL);

static const struct field fields_snapshot[] = {
    FLAG(policy_snapshot, save, "save", C_LEAST, 'H', 0, "Whether the sandbox may be saved."),
    FLAG(policy_snapshot, restore, "restore", C_LEAST, 'H', 0, "Whether it may be started from a saved state."),
    NUM(policy_snapshot, max_age, "max_age", F_TIME, C_LEAST, 'H', SEC, 3650 * DAY, DAY, "Oldest saved state that may be restored."),
    WORD(policy_snapshot, reseed, "reseed", require, C_LEAST, 'H', REQUIRE_REQUIRED, "Whether a restored guest must renew its randomness before it runs."),
};
TABLE(snapshot, policy_snapshot, NULL);

static const struct field fields_argv_rule[] = {
    OTHER(argv_rule, allow, "allow", F_ARGV, C_OWN, 'G', NULL, "The whole argument list may look like this."),
    OTHER(argv_rule, deny, "deny", F_ARGV, C_OWN, 'G', NULL, "Nowhere in the argument list may these arguments stand in a row."),
};
TABLE(argv_rule, argv_rule, NULL);

static const struct field fields_exec[] = {
    TEXT(exec_file, path, "path", TEXT_EXEC, C_SAME, 'G', true, "The program: an absolute path, or a pattern over paths."),
    FLAG(exec_file, shell, "shell", C_LEAST, 'G', 0, "Whether it may be started through a shell's command line."),
    TEXT(exec_file, sha256, "sha256", TEXT_DIGEST, C_SAME, 'G', false, "Hash of its content: the image's file by this path, no pattern, runs only if it has it."),
};
TABLE(exec, exec_file, NULL);

static const struct field fields_env[] = {
    TEXTS(exec_env, allow, "allow", TEXT_ENV, C_MEET, 'G', NULL, "Environment variables that the caller may set."),
    OTHER(exec_env, set, "set", F_PAIRS, C_SAME, 'G', NULL, "Environment variables that are always set to these values."),
};
TABLE(env, exec_env, NULL);

static const struct field fields_syscalls[] = {
    WORD(exec_syscalls, base, "base", syscall_base, C_LEAST, 'G', SYSCALLS_TOOL_DEFAULT, "The set of system calls to begin with."),
    BITSET(exec_syscalls, add, "add", bits_syscalls, C_MEET, 'G', "System calls allowed as well."),
    BITSET(exec_syscalls, remove, "remove", bits_syscalls, C_UNION, 'G', "System calls taken away."),
};
TABLE(syscalls, exec_syscalls, NULL);

static const struct field fields_rlimits[] = {
    NUM(exec_rlimits, cpu, "cpu", F_TIME, C_LEAST, 'G', SEC, 365 * DAY, HOUR, "Processor time of one process."),
    NUM(exec_rlimits, as, "as", F_BYTES, C_LEAST, 'G', MIB, TIB, TIB, "Address space of one process."),
    NUM(exec_rlimits, fsize, "fsize", F_BYTES, C_LEAST, 'G', 0, TIB, GIB, "Largest file that it may write."),
};
TABLE(rlimits, exec_rlimits, NULL);

static const struct field fields_paths[] = {
    TEXTS(exec_paths, ro, "ro", TEXT_DIR, C_MEET, 'G', NULL, "Trees that the program may read."),
    TEXTS(exec_paths, rw, "rw", TEXT_DIR, C_MEET, 'G', NULL, "Trees that it may read and write."),
};
TABLE(paths, exec_paths, NULL);

static const struct field fields_command[] = {
    TEXT(command, id, "id", TEXT_ID, C_OWN, 'G', true, "Name of the rule."),
    PART(command, exec, "exec", exec, "Which program."),
    LIST(command, argv, "argv", argv_rule, C_SAME, 'G', "Which argument lists; none means: no arguments."),
    PART(command, env, "env", env, "Its environment."),
    NUM(command, user, "user", F_COUNT, C_SAME, 'G', 0, 65533, 1000, "User id in the guest."),
    WORD(command, broker, "broker", broker, C_LEAST, 'G', BROKER_GUEST, "Who starts it: host makes the decision survive a hostile guest."),
    BITSET(command, capabilities, "capabilities", bits_caps, C_MEET, 'G', "Linux capabilities in the guest."),
    PART(command, syscalls, "syscalls", syscalls, "System calls in the guest."),
    PART(command, rlimits, "rlimits", rlimits, "Resource limits in the guest."),
    PART(command, paths, "paths", paths, "File trees in the guest (Landlock)."),
    TEXTS(command, network, "network", TEXT_ID, C_MEET, 'G', NULL, "Network rules that this program may use."),
    TEXTS(command, spawn, "spawn", TEXT_ID, C_MEET, 'G', NULL, "Commands that it may start."),
};
TABLE(command, command, NULL);

static const struct field fields_host_tool[] = {
    TEXT(host_tool, id, "id", TEXT_ID, C_OWN, 'H', true, "Name of the rule."),
    OTHER(host_tool, command, "command", F_ARGV, C_SAME, 'H', NULL, "The program's path on the host and its arguments."),
    TEXT(host_tool, cwd, "cwd", TEXT_ID, C_SAME, 'H', false, "The mount in which it runs."),
    WORD(host_tool, approve, "approve", approve, C_LEAST, 'H', 0, "Whether a person approves each call, the first one, or none."),
};
TABLE(host_tool, host_tool, NULL);

static const struct field fields_mcp_tool[] = {
    TEXT(mcp_tool, tool, "tool", TEXT_NAME_GLOB, C_SAME, 'H', true, "Name of the tool, or a pattern over names."),
    OTHER(mcp_tool, args, "args", F_MATCHERS, C_SAME, 'H', NULL, "What these arguments must look like; they must be there."),
};
TABLE(mcp_tool, mcp_tool, "tool");

static const struct field fields_mcp[] = {
    TEXT(mcp_server, id, "id", TEXT_ID, C_OWN, 'H', true, "Name of the server."),
    OTHER(mcp_server, server, "server", F_ARGV, C_SAME, 'H', NULL, "The command that starts it."),
    TEXT(mcp_server, pin, "pin", TEXT_PIN, C_SAME, 'H', false, "Hash of its tools' names, descriptions and schemas; a change is a denial."),
    LIST(mcp_server, allow, "allow", mcp_tool, C_SAME, 'H', "Tools that may be called."),
    NUM(mcp_server, max_body, "max_body", F_BYTES, C_LEAST, 'H', 0, GIB, MIB, "Largest request."),
};
TABLE(mcp, mcp_server, NULL);

static const struct field fields_tools[] = {
    WORD(policy_tools, default_, "default", deny, C_LEAST, 'H', 0, "What happens to a tool that no rule names: always deny."),
    LIST(policy_tools, commands, "commands", command, C_BY_ID, 'G', "Programs that may run in the guest."),
    LIST(policy_tools, host, "host", host_tool, C_BY_ID, 'H', "Programs that the host runs for the agent."),
    LIST(policy_tools, mcp, "mcp", mcp, C_BY_ID, 'H', "MCP servers and their tools."),
};
TABLE(tools, policy_tools, NULL);

static const struct field fields_quota[] = {
    NUM(quota, bytes, "bytes", F_BYTES, C_LEAST, 'H', 0, 1024 * TIB, GIB, "Bytes in all."),
    NUM(quota, inodes, "inodes", F_COUNT, C_LEAST, 'H', 0, 1000000000, 100000, "Files and directories in all."),
};
TABLE(quota, quota, NULL);

static const struct field fields_root[] = {
    WORD(root_disk, mode, "mode", root, C_LEAST, 'H', ROOT_READ_ONLY, "Whether the guest's own file system takes writes (which are thrown away)."),
    PART(root_disk, quota, "quota", quota, "How much it takes."),
};
TABLE(root, root_disk, NULL);

static const struct field fields_links[] = {
    WORD(mount_links, symlink, "symlink", symlink, C_LEAST, 'H', SYMLINK_INSIDE, "Symbolic links that may be made."),
    WORD(mount_links, hardlink, "hardlink", grant, C_LEAST, 'H', 0, "Hard links."),
    WORD(mount_links, device, "device", grant, C_LEAST, 'H', 0, "Device nodes, FIFOs and sockets."),
    WORD(mount_links, setuid, "setuid", grant, C_LEAST, 'H', 0, "Setuid and setgid bits."),
};
TABLE(links, mount_links, NULL);

static const struct field fields_export[] = {
    WORD(mount_export, mode, "mode", export, C_LEAST, 'H', 1, "What leaves the sandbox at its end."),
    SET(mount_export, review, "review", review, C_UNION, 'H', 0, "Kinds of new files that a person must look at first."),
};
TABLE(export, mount_export, NULL);

static const struct field fields_mount[] = {
    TEXT(mount, id, "id", TEXT_ID, C_OWN, 'H', true, "Name of the mount."),
    TEXT(mount, source, "source", TEXT_SOURCE, C_SAME, 'H', true, "Directory on the host: absolute, ./ or ${variable} of the caller."),
    TEXT(mount, target, "target", TEXT_DIR, C_SAME, 'H', true, "Where the guest sees it."),
    WORD(mount, access, "access", access, C_LEAST, 'H', ACCESS_RO, "Reading, or reading and writing."),
    WORD(mount, share, "share", share, C_LEAST, 'H', SHARE_COPY, "A copy that is taken at the start, or the directory itself: either side sees at once what the other does."),
    PART(mount, quota, "quota", quota, "How much may be written."),
    TEXTS(mount, deny_write, "deny_write", TEXT_REL_GLOB, C_UNION, 'H', NULL, "Paths in it that are never created, changed, removed or linked."),
    TEXTS(mount, deny_read, "deny_read", TEXT_REL_GLOB, C_UNION, 'H', NULL, "Paths in it that are never read, linked to, moved or removed."),
    PART(mount, links, "links", links, "Special files that may be made."),
    PART(mount, export, "export", export, "What comes out of it."),
};
TABLE(mount, mount, NULL);

static const struct field fields_volume[] = {
    TEXT(memory_volume, id, "id", TEXT_ID, C_OWN, 'H', true, "Name of the volume."),
    TEXT(memory_volume, target, "target", TEXT_DIR, C_SAME, 'H', true, "Where the guest sees it."),
    WORD(memory_volume, access, "access", memory, C_LEAST, 'H', MEMORY_NONE, "What the agent may do with its memory."),
    NUM(memory_volume, quota, "quota", F_BYTES, C_LEAST, 'H', 0, TIB, 64 * MIB, "Bytes in all, old versions included."),
    { .key = "keep", .type = F_COUNT, .combine = C_LEAST, .grade = 'H', AT(memory_volume, keep), .min = 1, .max = 1000000, .def = 30, .unit = "versions", .says = "Old versions of a file that stay." },
    NUM(memory_volume, retain, "retain", F_TIME, C_LEAST, 'H', SEC, 3650 * DAY, 90 * DAY, "How long an old version stays readable."),
};
TABLE(volume, memory_volume, NULL);

static const struct field fields_storage[] = {
    WORD(policy_storage, on_full, "on_full", on_full, C_LEAST, 'H', 0, "What a full quota does: an error in the guest, or a pause of the sandbox."),
    PART(policy_storage, root, "root", root, "The guest's own file system."),
    LIST(policy_storage, mounts, "mounts", mount, C_BY_ID, 'H', "Directories of the host."),
    LIST(policy_storage, memory, "memory", volume, C_BY_ID, 'H', "What the agent remembers across tasks."),
};
TABLE(storage, policy_storage, NULL);

static const struct field fields_net_limits[] = {
    NUM(net_limits, up_per_request, "up_per_request", F_BYTES, C_LEAST, 'H', 0, TIB, 10 * MIB, "Largest request body."),
    NUM(net_limits, rate, "rate", F_RATE, C_LEAST, 'H', 0, 1000000 * PER_SECOND, 50 * PER_SECOND, "Requests, or connections where requests are not seen."),
};
TABLE(net_limits, net_limits, NULL);

static const struct field fields_net_rule[] = {
    TEXT(net_rule, id, "id", TEXT_ID, C_OWN, 'H', true, "Name of the rule."),
    TEXTS(net_rule, hosts, "hosts", TEXT_HOST, C_MEET, 'H', NULL, "Host names; *.x is one label in front, **.x one or more."),
    FLAG(net_rule, any_host, "any_host", C_LEAST, 'H', 0, "Every host name, in place of hosts."),
    TEXTS(net_rule, addresses, "addresses", TEXT_CIDR, C_MEET, 'H', NULL, "Networks that the name may resolve to; when absent, every public address."),
    OTHER(net_rule, ports, "ports", F_PORTS, C_MEET, 'H', "443", "Ports and ranges such as 8000..8099."),
    WORD(net_rule, protocol, "protocol", protocol, C_LEAST, 'H', PROTO_HTTPS, "https (each request is seen), tls (only the name is seen) or tcp."),
    SET(net_rule, methods, "methods", method, C_MEET, 'H', 3, "HTTP methods."),
    TEXTS(net_rule, paths, "paths", TEXT_HTTP_GLOB, C_MEET, 'H', "/**", "Paths of requests."),
    PART(net_rule, limits, "limits", net_limits, "How much."),
};
TABLE(net_rule, net_rule, NULL);

static const struct field fields_publish[] = {
    NUM(publish, guest, "guest", F_COUNT, C_SAME, 'H', 1, 65535, 0, "Port in the guest."),
    TEXT(publish, host, "host", TEXT_LISTEN, C_SAME, 'H', true, "Address and port on the host."),
};
TABLE(publish, publish, NULL);

static const struct field fields_network[] = {
    WORD(policy_network, default_, "default", deny, C_LEAST, 'H', 0, "What happens to a connection that no rule allows: always deny."),
    LIST(policy_network, allow, "allow", net_rule, C_BY_ID, 'H', "What may be reached."),
    LIST(policy_network, deny, "deny", net_rule, C_UNION, 'H', "What may not, whatever is allowed."),
    LIST(policy_network, publish, "publish", publish, C_OWN, 'H', "Guest ports that the host listens for."),
};
TABLE(network, policy_network, NULL);

static const struct field fields_from[] = {
    TEXT(secret_source, file, "file", TEXT_FILE, C_SAME, 'H', false, "A file on the host."),
    TEXT(secret_source, env, "env", TEXT_ENV, C_SAME, 'H', false, "A variable in the environment of the caller."),
};
TABLE(from, secret_source, NULL);

static const struct field fields_inject[] = {
    TEXT(secret_inject, rule, "rule", TEXT_ID, C_SAME, 'H', true, "The network rule whose requests get it."),
    TEXT(secret_inject, header, "header", TEXT_HEADER, C_SAME, 'H', true, "The header that carries it."),
    TEXT(secret_inject, format, "format", TEXT_FORMAT, C_SAME, 'H', true, "The header's value, with {} for the secret."),
};
TABLE(inject, secret_inject, NULL);

static const struct field fields_secret[] = {
    TEXT(secret, id, "id", TEXT_ID, C_OWN, 'H', true, "Name of the secret."),
    PART(secret, from, "from", from, "Where the host finds it; the guest never sees it."),
    PART(secret, inject, "inject", inject, "Where it goes."),
};
TABLE(secret, secret, NULL);

static const struct field fields_model_budget[] = {
    NUM(model_budget, input_tokens, "input_tokens", F_COUNT, C_LEAST, 'H', 0, 1000000000000, 1000000, "Tokens sent in all."),
    NUM(model_budget, output_tokens, "output_tokens", F_COUNT, C_LEAST, 'H', 0, 1000000000000, 100000, "Tokens received in all."),
    NUM(model_budget, per_minute, "per_minute", F_COUNT, C_LEAST, 'H', 0, 1000000, 60, "Calls a minute."),
};
TABLE(model_budget, model_budget, NULL);

static const struct field fields_model[] = {
    TEXT(model, id, "id", TEXT_ID, C_OWN, 'H', true, "Name of the rule."),
    TEXT(model, endpoint, "endpoint", TEXT_URL, C_SAME, 'H', true, "Base URL of the inference service."),
    TEXTS(model, names, "names", TEXT_NAME_GLOB, C_MEET, 'H', NULL, "Models that may be asked for."),
    PART(model, budget, "budget", model_budget, "How much."),
};
TABLE(model, model, NULL);

static const struct field fields_match[] = {
    WORD(device_match, vendor, "vendor", vendor, C_SAME, 'H', 0, "Maker of the device."),
    WORD(device_match, class, "class", class, C_SAME, 'H', 1, "PCI class of the device."),
    TEXTS(device_match, ids, "ids", TEXT_PCI_ID, C_MEET, 'H', NULL, "Only these vendor:device pairs."),
};
TABLE(match, device_match, NULL);

static const struct field fields_iommu[] = {
    FLAG(device_iommu, exclusive_group, "exclusive_group", C_MOST, 'H', 1, "Whether nothing else may be in the device's IOMMU group."),
    WORD(device_iommu, interrupt_remapping, "interrupt_remapping", require, C_LEAST, 'H', 0, "Whether the host must remap the device's interrupts."),
};
TABLE(iommu, device_iommu, NULL);

static const struct field fields_reset[] = {
    SET(device_reset, methods, "methods", reset, C_MEET, 'H', 3, "Ways of resetting the device that are good enough."),
    WORD(device_reset, between_tenants, "between_tenants", between, C_LEAST, 'H', 0, "What happens before another sandbox gets it."),
};
TABLE(reset, device_reset, NULL);

static const struct field fields_accelerator[] = {
    TEXT(accelerator, id, "id", TEXT_ID, C_OWN, 'H', true, "Name of the rule."),
    WORD(accelerator, attach, "attach", attach, C_SAME, 'H', ATTACH_MODEL, "model (no device: an endpoint), vhost-user (an external process), passthrough (VFIO)."),
    PART(accelerator, match, "match", match, "Which devices."),
    NUM(accelerator, count, "count", F_COUNT, C_LEAST, 'H', 1, 64, 1, "How many."),
    PART(accelerator, iommu, "iommu", iommu, "What the IOMMU must guarantee."),
    PART(accelerator, reset, "reset", reset, "How it is cleaned."),
};
TABLE(accelerator, accelerator, NULL);

static const struct field fields_audit[] = {
    WORD(policy_audit, level, "level", audit, C_LEAST, 'H', 0, "What is recorded."),
    NUM(policy_audit, checkpoint, "checkpoint", F_TIME, C_LEAST, 'H', SEC, HOUR, 10 * SEC, "Longest time between two signed checkpoints."),
    WORD(policy_audit, on_fail, "on_fail", on_fail, C_LEAST, 'H', 1, "What happens when nothing can be recorded."),
    NUM(policy_audit, retain, "retain", F_TIME, C_MOST, 'H', 0, 3650 * DAY, 90 * DAY, "How long records stay."),
};
TABLE(audit, policy_audit, NULL);

static const struct field fields_policy[] = {
    { .key = "carrel", .type = F_COUNT, .combine = C_OWN, .grade = 'H', .required = true, AT(policy, carrel), .min = 1, .max = 1, .def = 1, .says = "Version of the language: 1." },
    TEXT(policy, name, "name", TEXT_NAME, C_OWN, 'A', true, "Name of the policy."),
    TEXT(policy, owner, "owner", TEXT_LINE, C_OWN, 'A', false, "Who answers for it."),
    TEXTS(policy, extends, "extends", TEXT_REF, C_OWN, 'H', NULL, "Policies above it, pinned: name@sha256:hash. What they do not allow, this one cannot."),
    WORD(policy, mode, "mode", mode, C_LEAST, 'H', 0, "enforce; audit (denials are recorded, not made); learn."),
    PART(policy, require, "require", require, "Confinement without which nothing starts."),
    PART(policy, cpu, "cpu", cpu, "Processors."),
    PART(policy, memory, "memory", memory, "Guest memory."),
    PART(policy, limits, "limits", limits, "Limits at any moment."),
    PART(policy, budget, "budget", budget, "Limits on the sum."),
    PART(policy, image, "image", image, "What boots."),
    PART(policy, snapshot, "snapshot", snapshot, "Saved states."),
    PART(policy, tools, "tools", tools, "What may run."),
    PART(policy, storage, "storage", storage, "Files."),
    PART(policy, network, "network", network, "Names that may be reached; there is no network card."),
    LIST(policy, secrets, "secrets", secret, C_BY_ID, 'H', "Credentials that the host puts into requests."),
    LIST(policy, models, "models", model, C_BY_ID, 'H', "Model calls that the host makes for the agent."),
    LIST(policy, accelerators, "accelerators", accelerator, C_BY_ID, 'H', "Devices."),
    PART(policy, audit, "audit", audit, "Records."),
};
/* clang-format on */

const struct table policy_table = { "policy", NULL, fields_policy, array_len(fields_policy),
                                    sizeof(struct policy) };
