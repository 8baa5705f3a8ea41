/* lint_storage.c - rules about directories of the host and what the agent remembers. */
#include "policies/lint_rules.h"
#include "policies/words.h"

#include <string.h>

#define DAY        86400000ull
#define QUOTA_HUGE (1ull << 40)

/* A directory that is a person's home, or all of them. */
static bool is_home(const char *s)
{
    static const char *const parents[] = { "/home/", "/Users/", "/var/home/" };
    static const char *const exact[] = { "/root", "/home", "/Users", "/var/home", "${home}" };

    for (size_t i = 0; i < array_len(parents); i++) {
        size_t n = strlen(parents[i]);

        if (strncmp(s, parents[i], n) == 0 && !strchr(s + n, '/'))
            return true;
    }
    return lint_one_of(s, exact, array_len(exact));
}

static bool at_or_below(const char *s, const char *const *roots, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (lint_below(roots[i], s))
            return true;
    return false;
}

static void whole_host(struct linter *l, const void *object)
{
    const struct mount *m = object;

    if (strcmp(m->source, "/") == 0)
        lint_say(l, "source", "the whole host");
}

static void home(struct linter *l, const void *object)
{
    const struct mount *m = object;

    if (m->access == ACCESS_RW && is_home(m->source))
        lint_say(l, "source", "%s is a home directory, and the guest writes it", m->source);
}

static void home_read(struct linter *l, const void *object)
{
    const struct mount *m = object;

    if (m->access == ACCESS_RO && is_home(m->source))
        lint_say(l, "source", "%s is a home directory", m->source);
}

static void system_tree(struct linter *l, const void *object)
{
    static const char *const trees[] = { "/etc",   "/usr",  "/bin",     "/sbin",      "/lib",
                                         "/lib64", "/boot", "/var/lib", "/var/spool", "/opt" };
    const struct mount *m = object;

    if (m->access == ACCESS_RW && at_or_below(m->source, trees, array_len(trees)))
        lint_say(l, "source", "%s belongs to the host's own programs, and the guest writes it",
                 m->source);
}

static void kernel_tree(struct linter *l, const void *object)
{
    static const char *const trees[] = { "/proc", "/sys", "/dev", "/run", "/var/run" };
    const struct mount *m = object;

    if (at_or_below(m->source, trees, array_len(trees)))
        lint_say(l, "source", "%s holds devices, kernel switches or the sockets of daemons",
                 m->source);
}

static void credentials(struct linter *l, const void *object)
{
    static const char *const names[] = {
        "/.ssh",           "/.aws",       "/.gnupg",           "/.kube",
        "/.docker",        "/.azure",     "/.netrc",           "/.password-store",
        "/.config/gcloud", "/.config/gh", "/.mozilla",         "/.config/google-chrome",
        "/.npmrc",         "/.pypirc",    "/.git-credentials",
    };
    const struct mount *m = object;

    for (size_t i = 0; i < array_len(names); i++) {
        const char *at = strstr(m->source, names[i]);
        const char *next = at ? at + strlen(names[i]) : "x";

        if (*next == '/' || *next == '\0') {
            lint_say(l, "source", "%s holds credentials", m->source);
            return;
        }
    }
}

struct file_probe {
    const char *path;
    uint64_t op;
};

/* At the top and in a directory below, where a repository may be, too. */
static void probes(struct linter *l, const struct file_probe *v, size_t n, const char *key,
                   const char *what)
{
    const struct mount *m = l->object;

    for (size_t i = 0; i < n; i++) {
        char below[96] = "a/";

        memcpy(below + 2, v[i].path, strlen(v[i].path) + 1);
        if (lint_may(l, m, v[i].path, v[i].op) || lint_may(l, m, below, v[i].op)) {
            lint_say(l, key, "%s/%s %s", m->target,
                     lint_may(l, m, v[i].path, v[i].op) ? v[i].path : below, what);
            return;
        }
    }
}

static void git_hooks(struct linter *l, const void *object)
{
    static const struct file_probe files[] = { { ".git/hooks/pre-commit", FILE_CREATE },
                                               { ".git/config", FILE_WRITE } };

    (void)object;
    probes(l, files, array_len(files), "deny_write", "can be written");
}

static bool hidden_reviewed(const struct mount *m)
{
    return m->export.mode == 0 || (m->export.review & 1u << 1); /* words_review: hidden */
}

static void run_on_open(struct linter *l, const void *object)
{
    static const struct file_probe files[] = {
        { ".envrc", FILE_CREATE },
        { ".vscode/tasks.json", FILE_CREATE },
        { ".claude/settings.json", FILE_CREATE },
        { ".mcp.json", FILE_CREATE },
        { ".github/workflows/x.yml", FILE_CREATE },
        { ".husky/pre-commit", FILE_CREATE },
        { ".idea/workspace.xml", FILE_CREATE },
    };
    const struct mount *m = object;

    if (!hidden_reviewed(m))
        probes(l, files, array_len(files), "deny_write", "can be written, and nobody must look");
}

static void env_file(struct linter *l, const void *object)
{
    static const struct file_probe files[] = { { ".env", FILE_READ } };

    (void)object;
    probes(l, files, array_len(files), "deny_read", "can be read");
}

static void private_key(struct linter *l, const void *object)
{
    static const struct file_probe files[] = { { "id_ed25519", FILE_READ },
                                               { "id_rsa", FILE_READ } };

    (void)object;
    probes(l, files, array_len(files), "deny_read", "can be read");
}

static void other_secret_files(struct linter *l, const void *object)
{
    static const struct file_probe files[] = { { ".env.local", FILE_READ },
                                               { "server.key", FILE_READ },
                                               { "server.pem", FILE_READ } };

    (void)object;
    probes(l, files, array_len(files), "deny_read", "can be read");
}

static void link_hard(struct linter *l, const void *object)
{
    const struct mount *m = object;

    if (m->links.hardlink)
        lint_say(l, "links.hardlink", "hard links are allowed");
}

static void link_device(struct linter *l, const void *object)
{
    const struct mount *m = object;

    if (m->links.device)
        lint_say(l, "links.device", "device nodes, FIFOs and sockets are allowed");
}

static void link_setuid(struct linter *l, const void *object)
{
    const struct mount *m = object;

    if (m->links.setuid)
        lint_say(l, "links.setuid", "setuid and setgid bits are allowed");
}

static void link_outside(struct linter *l, const void *object)
{
    const struct mount *m = object;

    if (m->links.symlink == SYMLINK_ALLOW)
        lint_say(l, "links.symlink", "symbolic links may point anywhere");
}

static void export_all(struct linter *l, const void *object)
{
    const struct mount *m = object;

    if (m->access == ACCESS_RW && m->export.mode == 2) /* words_export: all */
        lint_say(l, "export.mode", "everything that the agent wrote is taken over");
}

static void unreviewed(struct linter *l, const void *object)
{
    const struct mount *m = object;

    if (m->access == ACCESS_RW && m->export.mode && !(m->export.review & 1)) /* executable */
        lint_say(l, "export.review", "new programs come out without a look");
}

static void no_quota(struct linter *l, const void *object)
{
    const struct mount *m = object;

    if (m->access == ACCESS_RW && m->quota.bytes >= QUOTA_HUGE)
        lint_say(l, "quota.bytes", "the guest may write 1 TiB or more");
}

static void two_doors(struct linter *l, const void *object)
{
    const struct mount *m = object;

    for (uint32_t i = 0; i < l->p->storage.mounts.n; i++) {
        const struct mount *other = l->p->storage.mounts.v[i];

        if (other != m && other->access == ACCESS_RW && m->access == ACCESS_RO &&
            (lint_below(other->source, m->source) || lint_below(m->source, other->source)))
            lint_say(l, "access", "read-only, but mount %s lets the guest write %s of it",
                     other->id, lint_below(other->source, m->source) ? "all" : "a part");
    }
}

static void over_programs(struct linter *l, const void *object)
{
    static const char *const trees[] = { "/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc" };
    const struct mount *m = object;

    if (at_or_below(m->target, trees, array_len(trees)))
        lint_say(l, "target", "%s takes the place of the image's programs or settings", m->target);
}

static void memory_rewritten(struct linter *l, const void *object)
{
    const struct memory_volume *m = object;

    if (m->access == MEMORY_WRITE)
        lint_say(l, "access", "the agent can rewrite what it remembers");
}

static void memory_short(struct linter *l, const void *object)
{
    const struct memory_volume *m = object;

    if (m->access >= MEMORY_APPEND && (m->retain < 7 * DAY || m->keep < 3))
        lint_say(l, m->keep < 3 ? "keep" : "retain", "old versions are gone before anybody looks");
}

/* clang-format off */
static const struct lint_check checks[] = {
    { { "CR401", "mount-host-root", LINT_ERROR, "Every file of the host is then the guest's to read.", "Mount the directory of the task." }, EACH_MOUNT, whole_host },
    { { "CR402", "mount-home-write", LINT_ERROR, "A home directory holds keys, and start-up files that run at the next login.", "Mount the directory of the task." }, EACH_MOUNT, home },
    { { "CR403", "mount-home-read", LINT_WARNING, "A home directory holds keys, tokens, histories and mail.", "Mount the directory of the task." }, EACH_MOUNT, home_read },
    { { "CR404", "mount-system-write", LINT_ERROR, "What is written there runs on the host, as root.", "Mount it read-only, or a copy." }, EACH_MOUNT, system_tree },
    { { "CR405", "mount-control", LINT_ERROR, "A daemon's socket (docker, containerd, ssh-agent) is the host itself.", "Do not mount it; let the host run the one command that is needed (tools.host)." }, EACH_MOUNT, kernel_tree },
    { { "CR406", "mount-credentials", LINT_ERROR, "The guest sees the credentials themselves.", "Use secrets: the host puts the value into requests." }, EACH_MOUNT, credentials },
    { { "CR411", "git-hooks-writable", LINT_WARNING, "Hooks and configuration of a repository run programs on the host when you next use git there.", "Add deny_write: [\"**/.git/hooks/**\", \"**/.git/config\"]." }, EACH_MOUNT, git_hooks },
    { { "CR412", "run-on-open", LINT_WARNING, "Editors, shells and CI run these files without being asked.", "Add them to deny_write, or hidden to export.review." }, EACH_MOUNT, run_on_open },
    { { "CR413", "env-file-readable", LINT_WARNING, "An .env file is where tokens are, and what an agent reads it can repeat.", "Add deny_read: [\"**/.env\"]." }, EACH_MOUNT, env_file },
    { { "CR414", "private-key-readable", LINT_WARNING, "A private key that was read once is not private any more.", "Add deny_read: [\"**/id_*\"]." }, EACH_MOUNT, private_key },
    { { "CR415", "secret-files-readable", LINT_NOTE, "Keys and variants of .env are secrets in most directories; certificates, which are not, have such names too.", "Add deny_read: [\"**/.env.*\", \"**/*.key\", \"**/*.pem\"] where nothing needs them." }, EACH_MOUNT, other_secret_files },
    { { "CR421", "hard-links", LINT_WARNING, "A second name for a file passes by denials that go by name.", "Leave links.hardlink out." }, EACH_MOUNT, link_hard },
    { { "CR422", "device-nodes", LINT_ERROR, "A device node in a directory of the host is a way to the device.", "Leave links.device out." }, EACH_MOUNT, link_device },
    { { "CR423", "setuid-files", LINT_ERROR, "A setuid program that the guest made waits for somebody on the host to run it.", "Leave links.setuid out." }, EACH_MOUNT, link_setuid },
    { { "CR424", "links-outside", LINT_WARNING, "A link that points out of the directory is followed by whoever uses it on the host.", "Use links: {symlink: inside}." }, EACH_MOUNT, link_outside },
    { { "CR425", "export-all", LINT_WARNING, "Nobody sees what changed.", "Use export: {mode: diff}." }, EACH_MOUNT, export_all },
    { { "CR426", "export-unreviewed", LINT_NOTE, "New executable files are what somebody will run.", "Add review: [executable, hidden, symlink]." }, EACH_MOUNT, unreviewed },
    { { "CR427", "huge-quota", LINT_WARNING, "A limit above the size of most disks fills the disk.", "Set quota: {bytes: ...} to what the task needs." }, EACH_MOUNT, no_quota },
    { { "CR428", "read-only-not", LINT_WARNING, "The same files can be written through another mount.", "Mount it once, or the other one read-only as well." }, EACH_MOUNT, two_doors },
    { { "CR429", "over-programs", LINT_WARNING, "Rules that name programs mean other files then.", "Mount it somewhere of its own." }, EACH_MOUNT, over_programs },
    { { "CR441", "memory-rewritten", LINT_NOTE, "One poisoned session replaces what was true in all later ones.", "Use access: append." }, EACH_MEMORY, memory_rewritten },
    { { "CR442", "memory-short", LINT_WARNING, "What was there before a bad session must be readable when it is noticed.", "Set retain to 7d or more and keep to 3 or more." }, EACH_MEMORY, memory_short },
};
/* clang-format on */

const struct lint_checks lint_storage = { checks, array_len(checks) };
