/* lint_tools.c - rules about the programs of the guest. */
#include "policies/lint_rules.h"
#include "policies/words.h"

#include <string.h>

#define ARGS_MANY 16u

static const char *const shells[] = { "sh",  "bash", "dash", "ash",  "zsh",  "ksh",
                                      "csh", "tcsh", "fish", "mksh", "yash", "busybox" };

static const char *shell_of(const struct command *c)
{
    return lint_program(c->exec.path, shells, array_len(shells));
}

/* May this command be started as program with these arguments? */
static bool runs(const struct linter *l, const char *program, const char *const *argv, uint32_t n)
{
    struct request r;

    request_init(&r, SPACE_EXEC);
    request_text(&r, EXEC_PATH, program);
    request_list(&r, EXEC_ARGV, argv, n);
    return lint_allowed(l, &r, l->subject);
}

struct trick {
    const char *program, *args[3];
};

/* Calls with each path that the rule has for a program of the table. */
static bool any_trick(struct linter *l, const struct command *c, const struct trick *v, size_t n,
                      const char *what)
{
    static const char *const dirs[] = { "/usr/bin/", "/bin/", "/usr/local/bin/" };

    for (size_t i = 0; i < n; i++) {
        const char *one[] = { v[i].program };
        struct arena a = ARENA_INIT;
        uint32_t args = 0;
        bool found = false;

        while (args < array_len(v[i].args) && v[i].args[args])
            args++;
        if (lint_program(c->exec.path, one, 1))
            found = runs(l, c->exec.path, v[i].args, args);
        for (size_t d = 0; d < array_len(dirs) && !found && strpbrk(c->exec.path, "*?"); d++)
            found = runs(l, arena_printf(&a, "%s%s", dirs[d], v[i].program), v[i].args, args);
        arena_fini(&a);
        if (found) {
            lint_say(l, "argv", "%s %s%s%s: %s", v[i].program, v[i].args[0], args > 1 ? " " : "",
                     args > 1 ? v[i].args[1] : "", what);
            return true;
        }
    }
    return false;
}

static void inline_code(struct linter *l, const void *object)
{
    static const struct trick tricks[] = {
        { "python", { "-c", "x" } },
        { "pypy", { "-c", "x" } },
        { "perl", { "-e", "x" } },
        { "perl", { "-E", "x" } },
        { "ruby", { "-e", "x" } },
        { "node", { "-e", "x" } },
        { "node", { "--eval", "x" } },
        { "node", { "--eval=x" } },
        { "node", { "-p", "x" } },
        { "node", { "-pe", "x" } },
        { "node", { "--print=x" } },
        { "node", { "--import=data:x" } },
        { "nodejs", { "-e", "x" } },
        { "deno", { "eval", "x" } },
        { "bun", { "-e", "x" } },
        { "php", { "-r", "x" } },
        { "lua", { "-e", "x" } },
        { "Rscript", { "-e", "x" } },
        { "julia", { "-e", "x" } },
        { "tclsh", { "-c", "x" } },
        { "awk", { "x" } },
        { "gawk", { "x" } },
        { "mawk", { "x" } },
        { "sh", { "-c", "x" } },
        { "bash", { "-c", "x" } },
        { "dash", { "-c", "x" } },
        { "zsh", { "-c", "x" } },
        { "ksh", { "-c", "x" } },
        { "busybox", { "sh", "-c", "x" } },
    };
    const struct command *c = object;

    if (!lint_any_program(c))
        any_trick(l, c, tricks, array_len(tricks), "code can be given in an argument");
}

static void launcher(struct linter *l, const void *object)
{
    static const struct trick tricks[] = {
        { "env", { "x" } },
        { "xargs", { "x" } },
        { "nice", { "x" } },
        { "nohup", { "x" } },
        { "timeout", { "1", "x" } },
        { "setsid", { "x" } },
        { "stdbuf", { "-o0", "x" } },
        { "sudo", { "x" } },
        { "su", { "-c", "x" } },
        { "find", { "/", "-exec", "x" } },
        { "git", { "-c", "core.pager=x" } },
        { "git", { "--exec-path=x" } },
        { "tar", { "--checkpoint-action=exec=x" } },
        { "tar", { "--to-command=x" } },
        { "rsync", { "-e", "x" } },
        { "ssh", { "-oProxyCommand=x" } },
        { "vim", { "-c", "x" } },
        { "strace", { "x" } },
        { "gdb", { "-ex", "x" } },
        { "npm", { "exec", "x" } },
        { "npx", { "x" } },
        { "uvx", { "x" } },
        { "pipx", { "run", "x" } },
        { "make", { "--eval=x" } },
    };
    const struct command *c = object;

    if (!lint_any_program(c))
        any_trick(l, c, tricks, array_len(tricks), "it starts whatever program it is told to");
}

static void shell(struct linter *l, const void *object)
{
    const struct command *c = object;
    const char *which = shell_of(c);

    if (which)
        lint_say(l, "exec.path", "%s is a shell", which);
}

static void shell_with_network(struct linter *l, const void *object)
{
    const struct command *c = object;

    if (c->network.n && (c->exec.shell || shell_of(c)))
        lint_say(l, "network", "a shell's command line can use network rule %s%s", c->network.v[0],
                 c->network.n > 1 ? " and others" : "");
}

static void spawns_shell(struct linter *l, const void *object)
{
    const struct command *c = object;

    for (uint32_t i = 0; i < c->spawn.n; i++)
        for (uint32_t k = 0; k < l->p->tools.commands.n; k++) {
            const struct command *other = l->p->tools.commands.v[k];

            if (strcmp(other->id, c->spawn.v[i]) == 0 && (shell_of(other) || other->exec.shell))
                lint_say(l, "spawn", "%s is, or may be started by, a shell", other->id);
        }
}

static void free_arguments(struct linter *l, const void *object)
{
    const struct command *c = object;
    const struct argv_rule *open = NULL;

    for (uint32_t i = 0; i < c->argv.n; i++) {
        const struct argv_rule *r = c->argv.v[i];
        const struct token *t = r->allow.n == 1 ? r->allow.v : NULL;

        if (r->deny.n)
            return;
        if (t && t->kind == TOKEN_ANY && t->lo == 0 && t->hi >= ARGS_MANY &&
            t->max >= ARG_BYTES_MAX)
            open = r;
    }
    if (open && !lint_any_program(c))
        lint_say(l, "argv", "up to %u arguments of any kind", open->allow.v[0].hi);
}

static void as_root(struct linter *l, const void *object)
{
    const struct command *c = object;

    if (c->user == 0)
        lint_say(l, "user", "runs as root of the guest");
}

static void caps(struct linter *l, const char *const *names, size_t n, const char *what)
{
    const struct command *c = l->object;

    for (size_t i = 0; i < n; i++) {
        int nr = capability_number(names[i]);

        if (nr >= 0 && bits_has(&c->capabilities, (unsigned)nr))
            lint_say(l, "capabilities", "%s %s", names[i], what);
    }
}

static void root_capability(struct linter *l, const void *object)
{
    static const char *const names[] = { "cap_sys_admin", "cap_sys_module", "cap_sys_rawio",
                                         "cap_bpf",       "cap_sys_ptrace", "cap_sys_boot",
                                         "cap_mac_admin", "cap_setfcap" };

    (void)object;
    caps(l, names, array_len(names), "is as good as root");
}

static void owner_capability(struct linter *l, const void *object)
{
    static const char *const names[] = { "cap_dac_override", "cap_dac_read_search", "cap_chown",
                                         "cap_fowner",       "cap_setuid",          "cap_setgid",
                                         "cap_mknod",        "cap_linux_immutable" };

    (void)object;
    caps(l, names, array_len(names), "passes over file permissions, or changes who it is");
}

static void network_capability(struct linter *l, const void *object)
{
    static const char *const names[] = { "cap_net_admin", "cap_net_raw" };

    (void)object;
    caps(l, names, array_len(names), "is of no use where there is no network card");
}

static void all_syscalls(struct linter *l, const void *object)
{
    const struct command *c = object;

    if (c->syscalls.base == SYSCALLS_ALL)
        lint_say(l, "syscalls.base", "begins with every system call");
}

static void kernel_surface(struct linter *l, const void *object)
{
    static const char *const names[] = {
        "io_uring_setup",    "bpf",        "userfaultfd",     "keyctl",
        "add_key",           "ptrace",     "perf_event_open", "mount",
        "process_vm_writev", "kexec_load", "init_module",     "finit_module",
        "unshare",           "setns",      "fsopen",          "open_by_handle_at",
    };
    const struct command *c = object;
    struct text t = TEXT_INIT;

    for (size_t i = 0; i < array_len(names); i++) {
        int nr = syscall_number(names[i]);
        bool in = nr >= 0 &&
                  (c->syscalls.base == SYSCALLS_ALL || bits_has(&c->syscalls.add, (unsigned)nr));

        if (in && !bits_has(&c->syscalls.remove, (unsigned)nr))
            text_add(&t, "%s%s", t.len ? ", " : "", names[i]);
    }
    if (t.len)
        lint_say(l, "syscalls", "has %s", text_str(&t));
    text_fini(&t);
}

static void rewrites_programs(struct linter *l, const void *object)
{
    static const char *const trees[] = { "/",          "/usr", "/usr/bin", "/usr/lib",
                                         "/usr/local", "/bin", "/sbin",    "/lib",
                                         "/lib64",     "/etc", "/boot",    "/opt" };
    const struct command *c = object;

    for (uint32_t i = 0; i < c->paths.rw.n; i++)
        if (lint_one_of(c->paths.rw.v[i], trees, array_len(trees)))
            lint_say(l, "paths.rw", "%s holds the guest's own programs and their settings",
                     c->paths.rw.v[i]);
}

static void guest_decides(struct linter *l, const void *object)
{
    const struct command *c = object;

    if (c->broker == BROKER_GUEST && c->network.n)
        lint_say(l, "network", "the guest alone says which program uses network rule %s",
                 c->network.v[0]);
}

static void writable_program(struct linter *l, const void *object)
{
    const struct command *c = object;

    for (uint32_t i = 0; i < l->p->storage.mounts.n && !lint_any_program(c); i++) {
        const struct mount *m = l->p->storage.mounts.v[i];

        if (m->access == ACCESS_RW && lint_below(m->target, c->exec.path))
            lint_say(l, "exec.path", "lies in mount %s, which the guest writes", m->id);
    }
}

static void loader(struct linter *l, const void *object)
{
    static const char *const names[] = {
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
        "LD_AUDIT",
        "PYTHONSTARTUP",
        "PYTHONPATH",
        "NODE_OPTIONS",
        "PERL5OPT",
        "RUBYOPT",
        "JAVA_TOOL_OPTIONS",
        "BASH_ENV",
        "ENV",
        "GIT_SSH_COMMAND",
        "GIT_EXTERNAL_DIFF",
        "GIT_PAGER",
        "GIT_CONFIG_COUNT",
        "EDITOR",
        "PAGER",
    };
    const struct command *c = object;

    for (uint32_t i = 0; i < c->env.allow.n && !lint_any_program(c); i++) {
        struct arena a = ARENA_INIT;
        struct glob g;
        const char *found = NULL;

        if (!glob_parse(&a, GLOB_ENV, NULL, c->env.allow.v[i], &g))
            for (size_t k = 0; k < array_len(names) && !found; k++)
                if (glob_matches(&g, names[k], strlen(names[k])))
                    found = names[k];
        arena_fini(&a);
        if (found) {
            lint_say(l, "env.allow", "\"%s\" lets the caller set %s", c->env.allow.v[i], found);
            return;
        }
    }
}

/* Another rule has the same program by this path without a hash. */
static void idle_pin(struct linter *l, const void *object)
{
    const struct command *c = object;

    for (uint32_t i = 0; i < l->p->tools.commands.n && c->exec.sha256; i++) {
        const struct command *other = l->p->tools.commands.v[i];
        struct arena a = ARENA_INIT;
        struct glob g;
        bool same = other != c && other->user == c->user && !other->exec.sha256 &&
                    !glob_parse(&a, GLOB_PATH, NULL, other->exec.path, &g) &&
                    glob_matches(&g, c->exec.path, strlen(c->exec.path));

        arena_fini(&a);
        if (same)
            lint_say(l, "exec.sha256", "%s allows %s whatever it holds", other->id, c->exec.path);
    }
}

static void pin_of_a_mount(struct linter *l, const void *object)
{
    const struct command *c = object;

    for (uint32_t i = 0; i < l->p->storage.mounts.n && c->exec.sha256; i++) {
        const struct mount *m = l->p->storage.mounts.v[i];

        if (lint_below(m->target, c->exec.path))
            lint_say(l, "exec.sha256", "%s lies in mount %s, not in the image", c->exec.path,
                     m->id);
    }
}

static void nothing_runs(struct linter *l, const void *object)
{
    const struct policy *p = object;

    if (!p->tools.commands.n)
        lint_say(l, "tools.commands", "no program may run in the guest");
}

/* clang-format off */
static const struct lint_check checks[] = {
    { { "CR301", "inline-code", LINT_WARNING, "An interpreter that takes code from its arguments makes all other rules about its arguments pointless.", "Deny these options, or allow only -m and the scripts that are meant." }, EACH_COMMAND, inline_code },
    { { "CR302", "launcher", LINT_WARNING, "A program that starts others passes on what it was granted to programs that no rule names.", "Allow the program itself, or the arguments that do not start anything." }, EACH_COMMAND, launcher },
    { { "CR303", "shell", LINT_WARNING, "Through a shell every program of the guest runs under one rule.", "Allow the programs that the task needs." }, EACH_COMMAND, shell },
    { { "CR304", "shell-with-network", LINT_WARNING, "One line, taken from a web page or an issue, is enough to read a file and send it.", "Give network rules to commands with shell: false and known arguments." }, EACH_COMMAND, shell_with_network },
    { { "CR305", "spawns-shell", LINT_WARNING, "A command that may start a shell may start everything that the shell may.", "Leave the shell out of spawn." }, EACH_COMMAND, spawns_shell },
    { { "CR306", "free-arguments", LINT_WARNING, "A rule that takes any arguments names the program, but not what it is to do.", "Say the first arguments, bound the rest, or deny the dangerous ones." }, EACH_COMMAND, free_arguments },
    { { "CR307", "guest-root", LINT_WARNING, "Root of the guest may change what enforces the rules of grade G.", "Leave user out (1000), and give single capabilities where needed." }, EACH_COMMAND, as_root },
    { { "CR308", "root-capability", LINT_ERROR, "With one of these a program takes the rest of root's rights, and with them all rules of grade G.", "Remove the capability; do the one privileged step in the image." }, EACH_COMMAND, root_capability },
    { { "CR309", "owner-capability", LINT_WARNING, "It reads or takes over files of other users of the guest.", "Give the files the right owner in the image." }, EACH_COMMAND, owner_capability },
    { { "CR310", "network-capability", LINT_NOTE, "It widens what a program can ask of the kernel and gains nothing here.", "Remove it." }, EACH_COMMAND, network_capability },
    { { "CR311", "all-syscalls", LINT_WARNING, "Most ways to root on public record go through calls that few programs need.", "Use base: tool-default and add the ones that are missing." }, EACH_COMMAND, all_syscalls },
    { { "CR312", "kernel-surface", LINT_WARNING, "These calls are where sandboxes were left most often, or pass by filters of the others.", "Leave them out of add, or put them into remove." }, EACH_COMMAND, kernel_surface },
    { { "CR313", "rewrites-programs", LINT_WARNING, "Who can change programs and settings decides what every later command does.", "Give rw to the working directory and /tmp." }, EACH_COMMAND, rewrites_programs },
    { { "CR314", "guest-decides", LINT_NOTE, "A rule that is bound to a program by the guest (grade G) holds for the whole machine once its kernel is lost.", "Use broker: host, or keep the network rule narrow enough for the whole machine." }, EACH_COMMAND, guest_decides },
    { { "CR315", "writable-program", LINT_WARNING, "The rule names a path, and the agent decides what stands there.", "Keep the program in the image, or mount it read-only." }, EACH_COMMAND, writable_program },
    { { "CR316", "loader-variable", LINT_WARNING, "Such a variable makes a program run code that its arguments do not show.", "List the variables by name, without this one." }, EACH_COMMAND, loader },
    { { "CR317", "nothing-runs", LINT_NOTE, "Without commands a sandbox starts nothing, which is seldom meant outside of a layer.", "Add tools.commands." }, EACH_POLICY, nothing_runs },
    { { "CR318", "idle-pin", LINT_WARNING, "A hash holds for its own rule; where another has the program without one, any content runs under that.", "Pin it in each rule that has it, or keep it out of the other's pattern." }, EACH_COMMAND, idle_pin },
    { { "CR319", "pin-of-a-mount", LINT_WARNING, "Only a file of the image is ever taken for the pinned one, so this rule allows nothing.", "Keep the program in the image, or leave the hash out." }, EACH_COMMAND, pin_of_a_mount },
};
/* clang-format on */

const struct lint_checks lint_tools = { checks, array_len(checks) };
