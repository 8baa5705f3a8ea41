/* lint_servers.c - rules about what the host runs for the agent: its own tools, MCP servers. */
#include "policies/lint_rules.h"
#include "policies/words.h"

#include <string.h>

#define BODY_LARGE (16ull << 20)

static const char *first_word(const struct argv_pattern *p)
{
    return p->n && p->v[0].kind == TOKEN_WORDS && p->v[0].words.n ? p->v[0].words.v[0] : "";
}

static void unapproved(struct linter *l, const void *object)
{
    const struct host_tool *h = object;

    if (h->approve == 2) /* words_approve: never */
        lint_say(l, "approve", "nobody looks at a call");
}

static void approved_once(struct linter *l, const void *object)
{
    const struct host_tool *h = object;

    if (h->approve == 1) /* once */
        lint_say(l, "approve", "only the first call is looked at");
}

static void open_arguments(struct linter *l, const void *object)
{
    const struct host_tool *h = object;

    for (uint32_t i = 0; i < h->command.n; i++) {
        const struct token *t = &h->command.v[i];

        if (t->kind != TOKEN_WORDS) {
            lint_say(l, "command", "argument %u is %s", i,
                     t->kind == TOKEN_PREFIX ? "free after its first bytes" : "free");
            return;
        }
    }
}

static void host_shell(struct linter *l, const void *object)
{
    static const char *const programs[] = {
        "sh",   "bash", "dash", "zsh",       "ksh",         "fish",    "env",     "xargs",   "find",
        "sudo", "su",   "doas", "ssh",       "docker",      "podman",  "nerdctl", "kubectl", "perl",
        "ruby", "lua",  "awk",  "systemctl", "systemd-run", "nsenter", "chroot",  "busybox"
    };
    const struct host_tool *h = object;
    const char *which = lint_program(first_word(&h->command), programs, array_len(programs));

    if (which)
        lint_say(l, "command", "%s can run anything on the host", which);
}

static const struct mount *mount_of(const struct linter *l, const char *id)
{
    for (uint32_t i = 0; id && i < l->p->storage.mounts.n; i++) {
        const struct mount *m = l->p->storage.mounts.v[i];

        if (strcmp(m->id, id) == 0)
            return m;
    }
    return NULL;
}

static void runs_agent_code(struct linter *l, const void *object)
{
    static const char *const builders[] = {
        "make",  "gmake",  "cmake",  "ninja", "npm",    "npx", "yarn",     "pnpm",
        "node",  "python", "pytest", "pip",   "tox",    "uv",  "cargo",    "go",
        "mvn",   "gradle", "bazel",  "rake",  "bundle", "php", "composer", "just",
        "meson", "dotnet", "deno",   "bun",   "tsc",
    };
    const struct host_tool *h = object;
    const struct mount *m = mount_of(l, h->cwd);
    const char *which = lint_program(first_word(&h->command), builders, array_len(builders));

    if (m && m->access == ACCESS_RW && which)
        lint_say(l, "cwd", "%s runs on the host what the agent wrote into mount %s", which, m->id);
}

static void host_git(struct linter *l, const void *object)
{
    static const char *const git[] = { "git" };
    const struct host_tool *h = object;
    const struct mount *m = mount_of(l, h->cwd);

    if (m && lint_program(first_word(&h->command), git, 1) &&
        (lint_may(l, m, ".git/config", FILE_WRITE) || lint_may(l, m, ".git/hooks/x", FILE_CREATE)))
        lint_say(l, "cwd", "the guest can write the git configuration or hooks of mount %s", m->id);
}

static void unpinned(struct linter *l, const void *object)
{
    const struct mcp_server *m = object;

    if (!m->pin)
        lint_say(l, "pin", "its tools may change from one start to the next");
}

/* Does one of the words name a fixed version: x@1.2, x==1.2, x@sha256:…? */
static bool fixed_version(const struct argv_pattern *p)
{
    for (uint32_t i = 1; i < p->n; i++) {
        const char *w = p->v[i].kind == TOKEN_WORDS && p->v[i].words.n ? p->v[i].words.v[0] : "";
        const char *at = *w ? strchr(w + 1, '@') : NULL;

        if (strstr(w, "==") || strstr(w, "@sha256:") || (at && at[1] >= '0' && at[1] <= '9'))
            return true;
    }
    return false;
}

static void fetched(struct linter *l, const void *object)
{
    static const char *const fetchers[] = { "npx",    "bunx",   "pnpx", "npm", "pnpm",
                                            "yarn",   "bun",    "uvx",  "uv",  "pipx",
                                            "docker", "podman", "deno", "go" };
    const struct mcp_server *m = object;
    const char *which = lint_program(first_word(&m->server), fetchers, array_len(fetchers));

    if (which && !fixed_version(&m->server))
        lint_say(l, "server", "%s fetches whatever version is newest", which);
}

static void every_tool(struct linter *l, const void *object)
{
    const struct mcp_server *m = object;

    for (uint32_t i = 0; i < m->allow.n; i++) {
        const struct mcp_tool *t = m->allow.v[i];

        if (strcmp(t->tool, "*") == 0 && !t->args.n)
            lint_say(l, "allow", "every tool of the server, with any arguments");
    }
}

static void search_path(struct linter *l, const void *object)
{
    const struct mcp_server *m = object;
    const char *program = first_word(&m->server);

    if (*program != '/')
        lint_say(l, "server", "%s is looked for in PATH", program);
}

static void server_shell(struct linter *l, const void *object)
{
    static const char *const shells[] = { "sh",   "bash", "dash", "zsh", "ksh",
                                          "fish", "env",  "sudo", "ssh" };
    const struct mcp_server *m = object;
    const char *which = lint_program(first_word(&m->server), shells, array_len(shells));

    if (which)
        lint_say(l, "server", "starts through %s", which);
}

static void large_body(struct linter *l, const void *object)
{
    const struct mcp_server *m = object;

    if (m->max_body > BODY_LARGE)
        lint_say(l, "max_body", "one call may carry more than 16 MiB");
}

static void no_tools(struct linter *l, const void *object)
{
    const struct mcp_server *m = object;

    if (!m->allow.n)
        lint_say(l, "allow", "starts, and none of its tools may be called");
}

/* clang-format off */
static const struct lint_check checks[] = {
    { { "CR351", "host-unapproved", LINT_WARNING, "What runs on the host runs with your rights; a person who sees the call is the last check.", "Use approve: each." }, EACH_HOST_TOOL, unapproved },
    { { "CR352", "host-approved-once", LINT_NOTE, "The second call may have other arguments than the one that was looked at.", "Use approve: each, or fix every argument." }, EACH_HOST_TOOL, approved_once },
    { { "CR353", "host-open-arguments", LINT_WARNING, "An argument that the agent chooses can be an option, a path or a program.", "List the words: {enum: [...]}." }, EACH_HOST_TOOL, open_arguments },
    { { "CR354", "host-shell", LINT_ERROR, "A program that runs others gives the agent the host.", "Name the program that does the one thing." }, EACH_HOST_TOOL, host_shell },
    { { "CR355", "host-runs-agent-code", LINT_ERROR, "Builds and tests run what is in the directory: the agent's code leaves its machine.", "Run it as a command of the guest (tools.commands)." }, EACH_HOST_TOOL, runs_agent_code },
    { { "CR356", "host-git-hooks", LINT_ERROR, "Git runs hooks and programs that its configuration names, on the host, with your rights.", "Put **/.git/hooks/** and **/.git/config into deny_write of the mount." }, EACH_HOST_TOOL, host_git },
    { { "CR361", "mcp-unpinned", LINT_WARNING, "A server that changes a tool's description after it was reviewed steers the agent.", "Add pin: sha256:... of what it offers today." }, EACH_MCP, unpinned },
    { { "CR362", "mcp-fetched", LINT_WARNING, "Whoever takes over the package runs code on the host at the next start.", "Install it, or name the version: package@1.2.3." }, EACH_MCP, fetched },
    { { "CR363", "mcp-every-tool", LINT_WARNING, "Tools that the server gets later are allowed as well.", "List the tools." }, EACH_MCP, every_tool },
    { { "CR364", "mcp-search-path", LINT_NOTE, "Another program of that name, earlier in PATH, would be started.", "Write the absolute path." }, EACH_MCP, search_path },
    { { "CR365", "mcp-shell", LINT_WARNING, "A shell or another host between Carrel and the server hides what really runs.", "Start the server's program itself." }, EACH_MCP, server_shell },
    { { "CR366", "mcp-large-body", LINT_NOTE, "A tool's arguments are words; megabytes are data on their way out.", "Lower max_body." }, EACH_MCP, large_body },
    { { "CR367", "mcp-no-tools", LINT_NOTE, "A server of which no tool may be called is a process for nothing.", "List the tools, or remove the server." }, EACH_MCP, no_tools },
};
/* clang-format on */

const struct lint_checks lint_servers = { checks, array_len(checks) };
