/* table.c - see table.h. */
#include "sandbox/cli/table.h"

#include <stdio.h>
#include <string.h>

/* clang-format off */
static const struct opt opts[OPT_COUNT] = {
    [OPT_HELP]         = { OPT_HELP, 'h', "help", WORD_NOTHING, NULL, NULL, "show help and exit" },
    [OPT_JSON]         = { OPT_JSON, 0, "json", WORD_NOTHING, NULL, NULL, "machine-readable output: one JSON value, or one a line for streams" },
    [OPT_COLOR]        = { OPT_COLOR, 0, "color", WORD_ONE_OF, "WHEN", "auto always never", "colour: auto (default), always or never" },
    [OPT_QUIET]        = { OPT_QUIET, 'q', "quiet", WORD_NOTHING, NULL, NULL, "no progress messages" },
    [OPT_DETACH]       = { OPT_DETACH, 'd', "detach", WORD_NOTHING, NULL, NULL, "run in the background and print the name" },
    [OPT_INTERACTIVE]  = { OPT_INTERACTIVE, 'i', "interactive", WORD_NOTHING, NULL, NULL, "forward standard input also from a terminal" },
    [OPT_TTY]          = { OPT_TTY, 't', "tty", WORD_NOTHING, NULL, NULL, "give the command a terminal (default: when stdin and stdout are terminals)" },
    [OPT_NO_TTY]       = { OPT_NO_TTY, 'T', "no-tty", WORD_NOTHING, NULL, NULL, "give the command no terminal" },
    [OPT_RM]           = { OPT_RM, 0, "rm", WORD_NOTHING, NULL, NULL, "remove the sandbox when it ends, also when it has a name" },
    [OPT_KEEP]         = { OPT_KEEP, 0, "keep", WORD_NOTHING, NULL, NULL, "keep the sandbox when it ends, also when it has no name" },
    [OPT_NAME]         = { OPT_NAME, 0, "name", WORD_TEXT, "NAME", NULL, "name of the sandbox (default: two words)" },
    [OPT_LABEL]        = { OPT_LABEL, 'l', "label", WORD_TEXT, "KEY=VALUE", NULL, "attach a label; may be repeated" },
    [OPT_ENV]          = { OPT_ENV, 'e', "env", WORD_TEXT, "NAME[=VALUE]", NULL, "set an environment variable, or pass on your own; may be repeated" },
    [OPT_ENV_FILE]     = { OPT_ENV_FILE, 0, "env-file", WORD_FILE, "FILE", NULL, "read environment variables from a file of NAME=VALUE lines" },
    [OPT_WORKDIR]      = { OPT_WORKDIR, 'w', "workdir", WORD_TEXT, "DIR", NULL, "working directory, an absolute path in the guest" },
    [OPT_USER]         = { OPT_USER, 'u', "user", WORD_TEXT, "USER[:GROUP]", NULL, "user, by name or number (default: the image's)" },
    [OPT_MAX_SIZE]     = { OPT_MAX_SIZE, 0, "max-size", WORD_TEXT, "SIZE", NULL, "stop when more than this would come out (default: the sandbox's memory and disk, or 16G if that is more)" },
    [OPT_MEMORY]       = { OPT_MEMORY, 'm', "memory", WORD_TEXT, "SIZE", NULL, "memory, e.g. 512M or 2G (default: 512M)" },
    [OPT_CPUS]         = { OPT_CPUS, 'c', "cpus", WORD_TEXT, "N", NULL, "number of CPUs, 1 to 32 (default: 1)" },
    [OPT_DISK]         = { OPT_DISK, 0, "disk", WORD_TEXT, "SIZE", NULL, "keep what the guest writes on a disk of this size, not in its memory" },
    [OPT_TIMEOUT]      = { OPT_TIMEOUT, 0, "timeout", WORD_TEXT, "DURATION", NULL, "end the command after e.g. 30s, 5m or 1h; the exit status is then 124" },
    [OPT_STOP_TIMEOUT] = { OPT_STOP_TIMEOUT, 0, "stop-timeout", WORD_TEXT, "DURATION", NULL, "time between asking the command to stop and killing it (default: 10s)" },
    [OPT_KERNEL]       = { OPT_KERNEL, 0, "kernel", WORD_KERNEL, "NAME", NULL, "guest kernel (default: $CARREL_KERNEL, or the one marked as default)" },
    [OPT_ENGINE]       = { OPT_ENGINE, 0, "engine", WORD_ONE_OF, "ENGINE", "kvm qemu", "kvm or qemu (default: the faster one that works here)" },
    [OPT_DETACH_KEYS]  = { OPT_DETACH_KEYS, 0, "detach-keys", WORD_TEXT, "KEYS", NULL, "keys that leave the sandbox running (default: ctrl-p,ctrl-q)" },
    [OPT_POLICY]       = { OPT_POLICY, 'p', "policy", WORD_POLICY, "POLICY", NULL, "what the sandbox may do: a file, or a name of the library (default: locked)" },
    [OPT_ALLOW]        = { OPT_ALLOW, 0, "allow", WORD_TEXT, "HOST[:PORT]", NULL, "one more name that may be reached; may be repeated" },
    [OPT_ON_BEHALF]    = { OPT_ON_BEHALF, 0, "parent", WORD_RUNNING, "NAME", NULL, "on behalf of this sandbox: never more than it may, out of its budgets (default policy: its own)" },
    [OPT_WALL]         = { OPT_WALL, 0, "wall", WORD_TEXT, "DURATION", NULL, "end the sandbox after this time, whatever it does (default: the policy's)" },
    [OPT_IDLE]         = { OPT_IDLE, 0, "idle-timeout", WORD_TEXT, "DURATION", NULL, "end the sandbox after this time without a command (default: the policy's)" },
    [OPT_DRY_RUN]      = { OPT_DRY_RUN, 0, "dry-run", WORD_NOTHING, NULL, NULL, "show the plan, with every number final, and start nothing" },
    [OPT_ALL]          = { OPT_ALL, 'a', "all", WORD_NOTHING, NULL, NULL, "also those that do not run, as ls does" },
    [OPT_IDS]          = { OPT_IDS, 'q', "quiet", WORD_NOTHING, NULL, NULL, "names only" },
    [OPT_FILTER]       = { OPT_FILTER, 'l', "label", WORD_TEXT, "KEY[=VALUE]", NULL, "only sandboxes with this label; may be repeated" },
    [OPT_FORMAT]       = { OPT_FORMAT, 0, "format", WORD_TEXT, "COLUMNS", NULL, "columns to show, e.g. name,id,state" },
    [OPT_FOLLOW]       = { OPT_FOLLOW, 'f', "follow", WORD_NOTHING, NULL, NULL, "go on until the sandbox ends" },
    [OPT_SOURCE]       = { OPT_SOURCE, 0, "source", WORD_ONE_OF, "SOURCE", "output console keeper", "output (of the command, default), console (guest kernel) or keeper" },
    [OPT_TAIL]         = { OPT_TAIL, 0, "tail", WORD_TEXT, "N", NULL, "only the last N lines" },
    [OPT_RAW]          = { OPT_RAW, 0, "raw", WORD_NOTHING, NULL, NULL, "do not neutralise terminal escapes" },
    [OPT_GRACE]        = { OPT_GRACE, 't', "time", WORD_TEXT, "DURATION", NULL, "time to end before being killed (default: the sandbox's, 10s)" },
    [OPT_SIGNAL]       = { OPT_SIGNAL, 's', "signal", WORD_SIGNAL, "SIGNAL", NULL, "send this signal to the main command (default: end the machine at once)" },
    [OPT_FORCE]        = { OPT_FORCE, 'f', "force", WORD_NOTHING, NULL, NULL, "also when it runs; not an error when it does not exist" },
    [OPT_REBUILD]      = { OPT_REBUILD, 'f', "force", WORD_NOTHING, NULL, NULL, "build again even when it is there" },
    [OPT_MODULES]      = { OPT_MODULES, 0, "modules", WORD_DIR, "DIR", NULL, "its modules, like /lib/modules/VERSION" },
    [OPT_PACKAGE]      = { OPT_PACKAGE, 0, "package", WORD_TEXT, "PACKAGE", NULL, "package to take it from (default: linux-image-cloud-amd64)" },
    [OPT_VERIFY]       = { OPT_VERIFY, 0, "verify", WORD_NOTHING, NULL, NULL, "check the digest of the whole image" },
    [OPT_TAG]          = { OPT_TAG, 0, "tag", WORD_TEXT, "TAG", NULL, "which image, of a layout or archive that has several" },
    [OPT_MAX_BYTES]    = { OPT_MAX_BYTES, 0, "max-size", WORD_TEXT, "SIZE", NULL, "refuse more contents than this, unpacked (default: 64G)" },
    [OPT_ENTRYPOINT]   = { OPT_ENTRYPOINT, 0, "entrypoint", WORD_TEXT, "PROGRAM", NULL, "what COMMAND is given to, in place of the image's; \"\": nothing" },
    [OPT_FAIL_ON]      = { OPT_FAIL_ON, 0, "fail-on", WORD_ONE_OF, "SEVERITY", "error warning note", "the mildest finding that makes the exit status 1: error, warning (default) or note" },
    [OPT_IGNORE]       = { OPT_IGNORE, 0, "ignore", WORD_TEXT, "RULE", NULL, "leave out what this rule finds, by number or name; may be repeated" },
    [OPT_BASELINE]     = { OPT_BASELINE, 0, "baseline", WORD_FILE, "FILE", NULL, "findings that are accepted: lines of RULE SUBJECT reason (default: NAME.lint beside NAME.yaml; \"\": none)" },
    [OPT_SARIF]        = { OPT_SARIF, 0, "sarif", WORD_NOTHING, NULL, NULL, "print SARIF 2.1.0, for code hosts and editors" },
    [OPT_RULES]        = { OPT_RULES, 0, "rules", WORD_NOTHING, NULL, NULL, "list the rules, and read no policy" },
    [OPT_LOG]          = { OPT_LOG, 0, "log", WORD_FILE, "LOG", NULL, "what was asked for: the directory of an audit log, or a file of requests, one a line" },
    [OPT_PARENT]       = { OPT_PARENT, 0, "parent", WORD_POLICY, "POLICY", NULL, "the policy that the new one stays inside of" },
    [OPT_POLICY_NAME]  = { OPT_POLICY_NAME, 0, "name", WORD_TEXT, "NAME", NULL, "name of the new policy (default: learned)" },
    [OPT_COVERAGE]     = { OPT_COVERAGE, 0, "coverage", WORD_TEXT, "PERCENT", NULL, "fail when the cases reach fewer of the rules" },
    [OPT_MUTANTS]      = { OPT_MUTANTS, 0, "mutants", WORD_TEXT, "PERCENT", NULL, "fail when the cases notice fewer of the changes to rules" },
    [OPT_KEY]          = { OPT_KEY, 0, "key", WORD_FILE, "FILE", NULL, "public key to check with (default: this host's, audit/key.pub of its state)" },
    [OPT_CHECKPOINT]   = { OPT_CHECKPOINT, 0, "checkpoint", WORD_FILE, "FILE", NULL, "checkpoints that were kept elsewhere: the log must still hold all that they signed for" },
    [OPT_DECISION]     = { OPT_DECISION, 0, "decision", WORD_ONE_OF, "DECISION", "allow deny event", "only allow, deny or event" },
    [OPT_KIND]         = { OPT_KIND, 0, "kind", WORD_TEXT, "KIND", NULL, "only this kind: exec, file, connect, sandbox.start; \"file\" is also \"file.put\"" },
    [OPT_RULE]         = { OPT_RULE, 0, "rule", WORD_TEXT, "RULE", NULL, "only what this rule decided; \"network\" is also \"network/pypi\"" },
    [OPT_SINCE]        = { OPT_SINCE, 0, "since", WORD_TEXT, "TIME", NULL, "only from this moment on: 2026-11-23, 2026-11-23T15:04:05Z, or an age: 15m, 2h, 7d" },
    [OPT_UNTIL]        = { OPT_UNTIL, 0, "until", WORD_TEXT, "TIME", NULL, "only until this moment, or age" },
    [OPT_GREP]         = { OPT_GREP, 0, "grep", WORD_TEXT, "TEXT", NULL, "only records with this text in what was asked for, or by whom" },
    [OPT_LINES]        = { OPT_LINES, 'n', "lines", WORD_TEXT, "N", NULL, "only the last N" },
    [OPT_OUTPUT]       = { OPT_OUTPUT, 'o', "output", WORD_FILE, "FILE", NULL, "write to this file (default: standard output, unless it is a terminal)" },
    [OPT_EXPORT_FORMAT] = { OPT_EXPORT_FORMAT, 0, "format", WORD_ONE_OF, "FORMAT", "ocsf jsonl", "ocsf (default), or jsonl: the log's own lines" },
    [OPT_OLDER]        = { OPT_OLDER, 0, "older-than", WORD_TEXT, "AGE", NULL, "keep logs at least this long, e.g. 90d (default: what the policy on record says, or 90d)" },
    [OPT_PREVIEW]      = { OPT_PREVIEW, 0, "dry-run", WORD_NOTHING, NULL, NULL, "say what would be done, and do nothing" },
    [OPT_PRIVATE_KEY]  = { OPT_PRIVATE_KEY, 0, "key", WORD_FILE, "FILE", NULL, "private key to sign with (policy keygen)" },
    [OPT_ROLE]         = { OPT_ROLE, 0, "role", WORD_TEXT, "NAME", NULL, "role of the trust document in which the key speaks" },
    [OPT_RELEASE]      = { OPT_RELEASE, 0, "version", WORD_TEXT, "N", NULL, "version of the policy, rising (default: the one that others signed, or the next)" },
    [OPT_FROM]         = { OPT_FROM, 0, "from", WORD_TEXT, "MOMENT", NULL, "not valid before, e.g. 2026-11-23T15:02:06Z (default: now)" },
    [OPT_EXPIRES]      = { OPT_EXPIRES, 0, "expires", WORD_TEXT, "WHEN", NULL, "valid for a time, e.g. 12h or 30d, or until a moment (default: signatures 90d, grants 1h)" },
    [OPT_WIDEN]        = { OPT_WIDEN, 0, "widen", WORD_TEXT, "YAML", NULL, "one rule or one number, as in a policy: 'budget: {egress: 1GiB}'" },
    [OPT_BELOW]        = { OPT_BELOW, 0, "below", WORD_FILE, "FILE", NULL, "hand on part of this grant, which names your key" },
    [OPT_DELEGATE]     = { OPT_DELEGATE, 0, "delegate", WORD_TEXT, "KEY", NULL, "public key that may hand on part of this grant" },
    [OPT_DEPTH]        = { OPT_DEPTH, 0, "depth", WORD_TEXT, "N", NULL, "how often it can be handed on (default: 1)" },
    [OPT_ID]           = { OPT_ID, 0, "id", WORD_TEXT, "NAME", NULL, "name of the grant (default: from the time)" },
    [OPT_GRANT]        = { OPT_GRANT, 0, "grant", WORD_FILE, "FILE", NULL, "widened by this signed grant; may be repeated" },
    [OPT_RECORD]       = { OPT_RECORD, 0, "record", WORD_NOTHING, NULL, NULL, "remember the versions: older ones are refused from now on" },
    [OPT_OUT]          = { OPT_OUT, 'o', "output", WORD_FILE, "FILE", NULL, "write the bundle to this file" },
    [OPT_OUT_DIR]      = { OPT_OUT_DIR, 0, "out", WORD_DIR, "DIR", NULL, "write bundle, plan and every filter into this directory" },
    [OPT_YES]          = { OPT_YES, 'y', "yes", WORD_NOTHING, NULL, NULL, "take the changes without asking" },
    [OPT_TO]           = { OPT_TO, 0, "to", WORD_DIR, "DIR", NULL, "write all there is to this directory, not the changes to where it came from" },
    [OPT_OVERWRITE]    = { OPT_OVERWRITE, 'f', "force", WORD_NOTHING, NULL, NULL, "also over what has changed on the host meanwhile" },
    [OPT_BUNDLE]       = { OPT_BUNDLE, 0, "bundle", WORD_FILE, "FILE", NULL, "check what was compiled instead: is it what the policy means?" },
};

#define BOX_OPTS                                                                                   \
    OPT_NAME, OPT_LABEL, OPT_ENV, OPT_ENV_FILE, OPT_WORKDIR, OPT_USER, OPT_MEMORY, OPT_CPUS,       \
        OPT_DISK, OPT_TIMEOUT, OPT_STOP_TIMEOUT, OPT_KERNEL, OPT_ENGINE, OPT_POLICY, OPT_ALLOW,    \
        OPT_GRANT, OPT_ON_BEHALF, OPT_WALL, OPT_IDLE, OPT_DRY_RUN, OPT_ENTRYPOINT

const struct verb verbs[VERB_COUNT] = {
    [VERB_RUN] = { VERB_RUN, "run", "IMAGE [--] [COMMAND...]", "run a command in a new sandbox",
        "Boots a micro-VM from IMAGE, runs COMMAND in it (default: the image's), passes on its\n"
        "output and exit status. Without a name the sandbox is removed when the command ends.\n"
        "INT and TERM go to COMMAND; a second one stops the sandbox, a third ends it at once.",
        VERB_COUNT, 1, ANY_MANY, true, true, WORD_IMAGE, WORD_COMMAND,
        { OPT_DETACH, OPT_INTERACTIVE, OPT_TTY, OPT_NO_TTY, OPT_RM, OPT_KEEP, BOX_OPTS,
          OPT_DETACH_KEYS, OPT_QUIET } },
    [VERB_CREATE] = { VERB_CREATE, "create", "IMAGE [--] [COMMAND...]", "make a sandbox without starting it",
        "Prints the name. `carrel start` boots it; it is kept when it ends, unless --rm is given.",
        VERB_COUNT, 1, ANY_MANY, true, true, WORD_IMAGE, WORD_COMMAND,
        { OPT_INTERACTIVE, OPT_TTY, OPT_NO_TTY, OPT_RM, BOX_OPTS, OPT_QUIET } },
    [VERB_START] = { VERB_START, "start", "NAME...", "boot sandboxes that were created or have ended",
        "Prints each name once its machine is booting. `carrel attach` joins its command.",
        VERB_COUNT, 1, ANY_MANY, false, true, WORD_BOX, WORD_BOX, { OPT_QUIET } },
    [VERB_EXEC] = { VERB_EXEC, "exec", "NAME [--] COMMAND...", "run another command in a running sandbox", NULL,
        VERB_COUNT, 2, ANY_MANY, true, true, WORD_RUNNING, WORD_COMMAND,
        { OPT_DETACH, OPT_INTERACTIVE, OPT_TTY, OPT_NO_TTY, OPT_ENV, OPT_ENV_FILE, OPT_WORKDIR, OPT_USER,
          OPT_TIMEOUT, OPT_QUIET } },
    [VERB_SHELL] = { VERB_SHELL, "shell", "NAME", "open a shell in a running sandbox",
        "Runs bash, or sh where there is none.",
        VERB_COUNT, 1, 1, false, true, WORD_RUNNING, WORD_NOTHING,
        { OPT_ENV, OPT_ENV_FILE, OPT_WORKDIR, OPT_USER, OPT_QUIET } },
    [VERB_ATTACH] = { VERB_ATTACH, "attach", "NAME", "join the main command of a running sandbox",
        "Shows its output from now on and, when it was made with -i or a terminal, sends it your\n"
        "input. The detach keys, ctrl-p ctrl-q, leave it running.",
        VERB_COUNT, 1, 1, false, true, WORD_RUNNING, WORD_NOTHING,
        { OPT_DETACH_KEYS, OPT_QUIET } },
    [VERB_PS] = { VERB_PS, "ps", "", "list running sandboxes", NULL,
        VERB_COUNT, 0, 0, false, false, WORD_NOTHING, WORD_NOTHING,
        { OPT_ALL, OPT_IDS, OPT_FILTER, OPT_FORMAT } },
    [VERB_LS] = { VERB_LS, "ls", "", "list all sandboxes", NULL,
        VERB_COUNT, 0, 0, false, false, WORD_NOTHING, WORD_NOTHING,
        { OPT_IDS, OPT_FILTER, OPT_FORMAT } },
    [VERB_LOGS] = { VERB_LOGS, "logs", "NAME", "show what a sandbox printed",
        "On a terminal, escapes in what the guest printed are made visible instead of obeyed.",
        VERB_COUNT, 1, 1, false, false, WORD_BOX, WORD_NOTHING,
        { OPT_FOLLOW, OPT_SOURCE, OPT_TAIL, OPT_RAW } },
    [VERB_CP] = { VERB_CP, "cp", "SRC DST", "copy files into and out of a running sandbox",
        "One of SRC and DST is NAME:PATH, the other a path of yours, or - for a tar stream on stdin\n"
        "or stdout. SRC ending in /. means a directory's contents. Files become owned by the user\n"
        "on the receiving side; devices, set-user-ID bits and extended attributes are not copied.",
        VERB_COUNT, 2, 2, false, false, WORD_COPY, WORD_COPY, { OPT_USER, OPT_MAX_SIZE, OPT_QUIET } },
    [VERB_EXPORT] = { VERB_EXPORT, "export", "NAME [ID]", "take what a sandbox made of its workspace",
        "Lists every file that was added, changed or deleted, marks those that deserve a look, asks,\n"
        "and writes them to the directory they came from. Nothing that the policy denies is written.",
        VERB_COUNT, 1, 2, false, false, WORD_BOX, WORD_NOTHING, { OPT_YES, OPT_TO, OPT_OVERWRITE, OPT_QUIET } },
    [VERB_STOP] = { VERB_STOP, "stop", "NAME...", "stop sandboxes: ask, wait, then kill", NULL,
        VERB_COUNT, 1, ANY_MANY, false, false, WORD_RUNNING, WORD_RUNNING, { OPT_GRACE, OPT_QUIET } },
    [VERB_KILL] = { VERB_KILL, "kill", "NAME...", "end sandboxes at once, or send a signal to their command", NULL,
        VERB_COUNT, 1, ANY_MANY, false, false, WORD_RUNNING, WORD_RUNNING, { OPT_SIGNAL, OPT_QUIET } },
    [VERB_RM] = { VERB_RM, "rm", "NAME...", "remove sandboxes and all they wrote",
        "With --force also one that runs, or whose keeper is stopped or does not answer.",
        VERB_COUNT, 1, ANY_MANY, false, false, WORD_BOX, WORD_BOX, { OPT_FORCE, OPT_QUIET } },
    [VERB_WAIT] = { VERB_WAIT, "wait", "NAME...", "wait until sandboxes end and print their exit status", NULL,
        VERB_COUNT, 1, ANY_MANY, false, false, WORD_BOX, WORD_BOX, { OPT_NONE } },
    [VERB_INSPECT] = { VERB_INSPECT, "inspect", "NAME...", "show all that is known of sandboxes, as JSON", NULL,
        VERB_COUNT, 1, ANY_MANY, false, false, WORD_BOX, WORD_BOX, { OPT_NONE } },
    [VERB_GC] = { VERB_GC, "gc", "", "end and remove what crashes left behind",
        "What a living sandbox, or a command at work, holds is not touched. May be repeated.",
        VERB_COUNT, 0, 0, false, false, WORD_NOTHING, WORD_NOTHING, { OPT_PREVIEW, OPT_QUIET } },
    [VERB_ATTEST] = { VERB_ATTEST, "attest", "NAME", "compare a machine's process with what it was locked into",
        "Reads the living process back from the host's kernel: exit status 1 when anything differs.",
        VERB_COUNT, 1, 1, false, false, WORD_BOX, WORD_BOX, { OPT_NONE } },

    [VERB_IMAGE] = { VERB_IMAGE, "image", "VERB ...", "images: what sandboxes boot from", NULL,
        VERB_COUNT, 0, 0, false, false, WORD_NOTHING, WORD_NOTHING, { OPT_NONE } },
    [VERB_IMAGE_LS] = { VERB_IMAGE_LS, "ls", "", "list images", NULL,
        VERB_IMAGE, 0, 0, false, false, WORD_NOTHING, WORD_NOTHING, { OPT_IDS, OPT_FORMAT } },
    [VERB_IMAGE_IMPORT] = { VERB_IMAGE_IMPORT, "import", "NAME SOURCE", "make an image from a directory, a tar file or an OCI image",
        "SOURCE is a directory, a tar file, an OCI image layout (either of them) or what `docker save`\n"
        "wrote; plain or compressed. Every digest is verified. Nothing is unpacked to disk.",
        VERB_IMAGE, 2, 2, false, false, WORD_TEXT, WORD_FILE, { OPT_TAG, OPT_MAX_BYTES, OPT_QUIET } },
    [VERB_IMAGE_PULL] = { VERB_IMAGE_PULL, "pull", "REF NAME", "make an image of what a registry has, by skopeo",
        "REF is like docker.io/library/debian:12. Needs skopeo(1); what it fetches is then imported.",
        VERB_IMAGE, 2, 2, false, false, WORD_TEXT, WORD_TEXT, { OPT_MAX_BYTES, OPT_QUIET } },
    [VERB_IMAGE_BUILD] = { VERB_IMAGE_BUILD, "build", "NAME", "build a shipped image: mini or base", NULL,
        VERB_IMAGE, 1, 1, false, false, WORD_IMAGE, WORD_NOTHING, { OPT_REBUILD, OPT_QUIET } },
    [VERB_IMAGE_RM] = { VERB_IMAGE_RM, "rm", "NAME...", "remove images", NULL,
        VERB_IMAGE, 1, ANY_MANY, false, false, WORD_IMAGE, WORD_IMAGE, { OPT_FORCE, OPT_QUIET } },
    [VERB_IMAGE_INSPECT] = { VERB_IMAGE_INSPECT, "inspect", "NAME...", "show all that is known of images, as JSON", NULL,
        VERB_IMAGE, 1, ANY_MANY, false, false, WORD_IMAGE, WORD_IMAGE, { OPT_VERIFY } },

    [VERB_KERNEL] = { VERB_KERNEL, "kernel", "VERB ...", "guest kernels", NULL,
        VERB_COUNT, 0, 0, false, false, WORD_NOTHING, WORD_NOTHING, { OPT_NONE } },
    [VERB_KERNEL_LS] = { VERB_KERNEL_LS, "ls", "", "list guest kernels", NULL,
        VERB_KERNEL, 0, 0, false, false, WORD_NOTHING, WORD_NOTHING, { OPT_IDS, OPT_FORMAT } },
    [VERB_KERNEL_ADD] = { VERB_KERNEL_ADD, "add", "NAME FILE", "add a kernel: a vmlinuz or an ELF vmlinux",
        "It is unpacked here, once. Give --modules unless all it needs is built in.",
        VERB_KERNEL, 2, 2, false, false, WORD_TEXT, WORD_FILE, { OPT_MODULES, OPT_QUIET } },
    [VERB_KERNEL_FETCH] = { VERB_KERNEL_FETCH, "fetch", "[NAME]", "download a distribution's kernel and add it",
        "Takes it from a package of your distribution without installing it. NAME is \"debian\"\n"
        "when not given.",
        VERB_KERNEL, 0, 1, false, false, WORD_TEXT, WORD_NOTHING, { OPT_PACKAGE, OPT_QUIET } },
    [VERB_KERNEL_DEFAULT] = { VERB_KERNEL_DEFAULT, "default", "[NAME]", "show or choose the default kernel", NULL,
        VERB_KERNEL, 0, 1, false, false, WORD_KERNEL, WORD_NOTHING, { OPT_QUIET } },
    [VERB_KERNEL_RM] = { VERB_KERNEL_RM, "rm", "NAME...", "remove kernels", NULL,
        VERB_KERNEL, 1, ANY_MANY, false, false, WORD_KERNEL, WORD_KERNEL, { OPT_FORCE, OPT_QUIET } },

    [VERB_POLICY] = { VERB_POLICY, "policy", "VERB ...", "policies: what a sandbox may do",
        "POLICY is a file, or a name of the library (`carrel policy ls`). Exit status: 0 yes, 1 no.",
        VERB_COUNT, 0, 0, false, false, WORD_NOTHING, WORD_NOTHING, { OPT_NONE } },
    [VERB_POLICY_LS] = { VERB_POLICY_LS, "ls", "", "list the policies of the library", NULL,
        VERB_POLICY, 0, 0, false, false, WORD_NOTHING, WORD_NOTHING, { OPT_NONE } },
    [VERB_POLICY_LINT] = { VERB_POLICY_LINT, "lint", "POLICY...", "say what is wrong with policies, and what is unwise",
        "Each finding has a place, the number of its rule, and a remedy. The exit status is 1 when one\n"
        "is as severe as --fail-on says, or a document is wrong.",
        VERB_POLICY, 0, ANY_MANY, false, false, WORD_POLICY, WORD_POLICY,
        { OPT_FAIL_ON, OPT_IGNORE, OPT_BASELINE, OPT_SARIF, OPT_RULES, OPT_QUIET } },
    [VERB_POLICY_SHOW] = { VERB_POLICY_SHOW, "show", "POLICY", "show a policy with all its layers and defaults",
        "With --json: the canonical form, which is what is hashed and compared.",
        VERB_POLICY, 1, 1, false, false, WORD_POLICY, WORD_NOTHING, { OPT_NONE } },
    [VERB_POLICY_CHECK] = { VERB_POLICY_CHECK, "check", "POLICY REQUEST...", "would a policy allow this?",
        "REQUEST is what a sandbox would ask for, for example\n"
        "    connect api.github.com:443\n"
        "    http pypi.org GET /simple/x\n"
        "    exec /usr/bin/git -- push origin main\n"
        "    file write /workspace/.git/config\n"
        "    resource memory.max 2GiB\n"
        "The exit status is 0 when it is allowed and 1 when it is denied.",
        VERB_POLICY, 2, ANY_MANY, true, false, WORD_POLICY, WORD_TEXT, { OPT_NONE } },
    [VERB_POLICY_EXPLAIN] = { VERB_POLICY_EXPLAIN, "explain", "POLICY REQUEST...", "as check, with what would change the answer", NULL,
        VERB_POLICY, 2, ANY_MANY, true, false, WORD_POLICY, WORD_TEXT, { OPT_NONE } },
    [VERB_POLICY_DIFF] = { VERB_POLICY_DIFF, "diff", "BEFORE AFTER", "what becomes allowed, and what denied",
        "Each with a request that shows it. The exit status is 1 when AFTER allows anything more.",
        VERB_POLICY, 2, 2, false, false, WORD_POLICY, WORD_POLICY, { OPT_NONE } },
    [VERB_POLICY_NARROWER] = { VERB_POLICY_NARROWER, "narrower", "CHILD PARENT", "prove that CHILD allows nothing that PARENT denies",
        "Or show a request that disproves it; the exit status is then 1.",
        VERB_POLICY, 2, 2, false, false, WORD_POLICY, WORD_POLICY, { OPT_NONE } },
    [VERB_POLICY_TEST] = { VERB_POLICY_TEST, "test", "POLICY", "run the cases beside a policy",
        "They are in NAME.cases.yaml beside NAME.yaml. Says which rules no case reaches, and which\n"
        "could be lost, turned round, or made wider or narrower by one element without a case\n"
        "noticing. The exit status is 1 when a case fails or a threshold is not met.",
        VERB_POLICY, 1, 1, false, false, WORD_POLICY, WORD_NOTHING, { OPT_COVERAGE, OPT_MUTANTS } },
    [VERB_POLICY_SCHEMA] = { VERB_POLICY_SCHEMA, "schema", "[KEY]", "JSON Schema for editors, or the meaning of one key",
        "KEY is written with dots: network.allow.ports.",
        VERB_POLICY, 0, 1, false, false, WORD_TEXT, WORD_NOTHING, { OPT_NONE } },
    [VERB_POLICY_COMPILE] = { VERB_POLICY_COMPILE, "compile", "POLICY", "make filters, masks and limits from a policy",
        "Says what was made of it for each of Carrel's own processes and each tool, and the hash of all\n"
        "of it together. The same policy makes the same bytes.",
        VERB_POLICY, 1, 1, false, false, WORD_POLICY, WORD_NOTHING, { OPT_OUT, OPT_OUT_DIR, OPT_ENGINE } },
    [VERB_POLICY_SECCOMP] = { VERB_POLICY_SECCOMP, "seccomp", "import FILE | export POLICY TOOL", "seccomp profiles of Docker and OCI runtimes",
        "import prints the syscalls section that says the same, and what it cannot say; the exit status\n"
        "is then 1. export prints the filter of one command.",
        VERB_POLICY, 2, 3, false, false, WORD_TEXT, WORD_FILE, { OPT_NONE } },
    [VERB_POLICY_KEYGEN] = { VERB_POLICY_KEYGEN, "keygen", "FILE", "make a key to sign with",
        "FILE gets the private key, FILE.pub the public one, which is printed.",
        VERB_POLICY, 1, 1, false, false, WORD_FILE, WORD_NOTHING, { OPT_NONE } },
    [VERB_POLICY_SIGN] = { VERB_POLICY_SIGN, "sign", "POLICY|GRANT", "sign a policy, or a grant that others signed",
        "The signature of NAME.yaml goes to NAME.yaml.sig, beside those of others. A file that ends\n"
        "in .grant gets one more signature itself.",
        VERB_POLICY, 1, 1, false, false, WORD_POLICY, WORD_NOTHING,
        { OPT_PRIVATE_KEY, OPT_ROLE, OPT_RELEASE, OPT_FROM, OPT_EXPIRES, OPT_QUIET } },
    [VERB_POLICY_APPLY] = { VERB_POLICY_APPLY, "apply", "NAME POLICY", "put a running sandbox under another policy",
        "The policy may only narrow what is in force, but for signed grants. What it denies ends within\n"
        "a second. One that is wider is refused; one that is neither, or is not sound, leaves the\n"
        "sandbox without any permission until a sound one is applied. What the machine is made of\n"
        "(memory, CPUs, image, disks) stays as it is.",
        VERB_POLICY, 2, 2, false, false, WORD_RUNNING, WORD_POLICY, { OPT_GRANT, OPT_QUIET } },
    [VERB_POLICY_VERIFY] = { VERB_POLICY_VERIFY, "verify", "POLICY", "check who signed a policy and those above it",
        "The trust document of this host says whose signatures are needed. The exit status is 1 when\n"
        "one is missing, expired or revoked, or when a newer version was used here.",
        VERB_POLICY, 1, 1, false, false, WORD_POLICY, WORD_NOTHING, { OPT_GRANT, OPT_RECORD, OPT_BUNDLE } },
    [VERB_POLICY_GRANT] = { VERB_POLICY_GRANT, "grant", "POLICY", "permit one rule or number more, for a time",
        "Prints a signed grant. It holds for this policy as it is written now, and is worth as much as\n"
        "the trust document lets its role grant.",
        VERB_POLICY, 1, 1, false, false, WORD_POLICY, WORD_NOTHING,
        { OPT_PRIVATE_KEY, OPT_ROLE, OPT_WIDEN, OPT_EXPIRES, OPT_FROM, OPT_ID, OPT_DELEGATE, OPT_DEPTH, OPT_BELOW,
          OPT_OUTPUT, OPT_QUIET } },
    [VERB_POLICY_SIMULATE] = { VERB_POLICY_SIMULATE, "simulate", "POLICY", "decide again what happened",
        "Every request of the log is decided by POLICY: what was allowed and would be denied now, and\n"
        "what was denied and would be allowed. The exit status is 0 when nothing that was allowed\n"
        "would be denied, and 1 otherwise, also when a request cannot be read.",
        VERB_POLICY, 1, 1, false, false, WORD_POLICY, WORD_NOTHING, { OPT_LOG } },
    [VERB_POLICY_LEARN] = { VERB_POLICY_LEARN, "learn", "", "write the smallest policy that allows what happened",
        "Inside the policy of --parent, which it extends: proved before it is printed. What the parent\n"
        "denies, and every use of a secret, is listed as a comment and not proposed.",
        VERB_POLICY, 0, 0, false, false, WORD_NOTHING, WORD_NOTHING, { OPT_PARENT, OPT_LOG, OPT_POLICY_NAME } },

    [VERB_AUDIT] = { VERB_AUDIT, "audit", "VERB ...", "what sandboxes asked for, and what was decided",
        "NAME is a sandbox's name or id, or a directory with a log in it. Logs survive their sandbox.",
        VERB_COUNT, 0, 0, false, false, WORD_NOTHING, WORD_NOTHING, { OPT_NONE } },
    [VERB_AUDIT_LS] = { VERB_AUDIT_LS, "ls", "", "list audit logs",
        "State: closed, live (being written), cut (neither), broken. It is what both ends of a log\n"
        "show; `audit verify` reads all of it.",
        VERB_AUDIT, 0, 0, false, false, WORD_NOTHING, WORD_NOTHING, { OPT_IDS, OPT_FORMAT, OPT_KEY } },
    [VERB_AUDIT_VERIFY] = { VERB_AUDIT_VERIFY, "verify", "[NAME...]", "prove that logs are what was written",
        "All logs when none is named. The exit status is 1 when one of them is not sound.",
        VERB_AUDIT, 0, ANY_MANY, false, false, WORD_LOG, WORD_LOG, { OPT_KEY, OPT_CHECKPOINT, OPT_QUIET } },
    [VERB_AUDIT_QUERY] = { VERB_AUDIT_QUERY, "query", "NAME", "show records of a log",
        "Only records that are proved. When the log does not verify, it says where it stopped, and\n"
        "the exit status is 1.",
        VERB_AUDIT, 1, 1, false, false, WORD_LOG, WORD_NOTHING,
        { OPT_DECISION, OPT_KIND, OPT_RULE, OPT_SINCE, OPT_UNTIL, OPT_GREP, OPT_LINES, OPT_KEY, OPT_QUIET } },
    [VERB_AUDIT_TAIL] = { VERB_AUDIT_TAIL, "tail", "NAME", "show the last records of a log, and new ones as they come",
        "The last ten unless -n says otherwise.",
        VERB_AUDIT, 1, 1, false, false, WORD_LOG, WORD_NOTHING, { OPT_FOLLOW, OPT_LINES, OPT_KEY, OPT_QUIET } },
    [VERB_AUDIT_REPORT] = { VERB_AUDIT_REPORT, "report", "NAME", "make a page of what a sandbox did",
        "One HTML file without scripts or links: timeline, destinations, grants of the policy that\n"
        "were used, never used or only denied, and the denials. With --json the same as data.",
        VERB_AUDIT, 1, 1, false, false, WORD_LOG, WORD_NOTHING, { OPT_OUTPUT, OPT_KEY, OPT_QUIET } },
    [VERB_AUDIT_EXPORT] = { VERB_AUDIT_EXPORT, "export", "NAME", "print all records for another system",
        "One JSON object a line: OCSF 1.1.0 events, or the records as they were hashed.",
        VERB_AUDIT, 1, 1, false, false, WORD_LOG, WORD_NOTHING, { OPT_EXPORT_FORMAT, OPT_KEY, OPT_QUIET } },
    [VERB_AUDIT_PRUNE] = { VERB_AUDIT_PRUNE, "prune", "", "remove logs that are old enough",
        "A log stays while its sandbox does, for as long as its policy says, and when it does not\n"
        "verify.",
        VERB_AUDIT, 0, 0, false, false, WORD_NOTHING, WORD_NOTHING, { OPT_OLDER, OPT_PREVIEW, OPT_KEY, OPT_QUIET } },

    [VERB_MEMORY] = { VERB_MEMORY, "memory", "VERB ...", "what agents remember across sandboxes", NULL,
        VERB_COUNT, 0, 0, false, false, WORD_NOTHING, WORD_NOTHING, { OPT_NONE } },
    [VERB_MEMORY_LS] = { VERB_MEMORY_LS, "ls", "", "list memory volumes", NULL,
        VERB_MEMORY, 0, 0, false, false, WORD_NOTHING, WORD_NOTHING, { OPT_IDS } },
    [VERB_MEMORY_SHOW] = { VERB_MEMORY_SHOW, "show", "NAME [VERSION]", "list a volume's versions, or what one holds", NULL,
        VERB_MEMORY, 1, 2, false, false, WORD_TEXT, WORD_NOTHING, { OPT_NONE } },
    [VERB_MEMORY_DIFF] = { VERB_MEMORY_DIFF, "diff", "NAME [OLD [NEW]]", "list what differs between two versions",
        "Without versions the newest two; without NEW the newest one.",
        VERB_MEMORY, 1, 3, false, false, WORD_TEXT, WORD_NOTHING, { OPT_NONE } },
    [VERB_MEMORY_ROLLBACK] = { VERB_MEMORY_ROLLBACK, "rollback", "NAME VERSION", "make an old version the newest again",
        "As a version of its own: nothing in between is forgotten.",
        VERB_MEMORY, 2, 2, false, false, WORD_TEXT, WORD_NOTHING, { OPT_QUIET } },
    [VERB_MEMORY_EXPORT] = { VERB_MEMORY_EXPORT, "export", "NAME DIR [VERSION]", "write what a volume holds to a new directory", NULL,
        VERB_MEMORY, 2, 3, false, false, WORD_TEXT, WORD_DIR, { OPT_QUIET } },
    [VERB_MEMORY_RM] = { VERB_MEMORY_RM, "rm", "NAME...", "remove memory volumes with all their versions", NULL,
        VERB_MEMORY, 1, ANY_MANY, false, false, WORD_TEXT, WORD_TEXT, { OPT_QUIET } },
    [VERB_DOCTOR] = { VERB_DOCTOR, "doctor", "", "check this host and say what is missing",
        "The exit status is 1 when something that is required is missing.",
        VERB_COUNT, 0, 0, false, false, WORD_NOTHING, WORD_NOTHING, { OPT_NONE } },
    [VERB_VERSION] = { VERB_VERSION, "version", "", "show the version", NULL,
        VERB_COUNT, 0, 0, false, false, WORD_NOTHING, WORD_NOTHING, { OPT_NONE } },
    [VERB_COMPLETION] = { VERB_COMPLETION, "completion", "bash|zsh|fish", "print a completion script for a shell", NULL,
        VERB_COUNT, 1, 1, false, false, WORD_TEXT, WORD_NOTHING, { OPT_NONE } },
    [VERB_HELP] = { VERB_HELP, "help", "[VERB...]", "show the manual of a verb", NULL,
        VERB_COUNT, 0, 2, false, false, WORD_VERB, WORD_NOTHING, { OPT_NONE } },
};
/* clang-format on */

static const enum opt_id everywhere[] = { OPT_JSON, OPT_COLOR, OPT_HELP };

const struct opt *opt_by_id(enum opt_id id)
{
    return &opts[id];
}

bool verb_takes(const struct verb *v, enum opt_id id)
{
    for (size_t i = 0; i < sizeof(everywhere) / sizeof(everywhere[0]); i++)
        if (everywhere[i] == id)
            return true;
    for (size_t i = 0; v && i < VERB_OPTS && v->opts[i]; i++)
        if (v->opts[i] == id)
            return true;
    return false;
}

const char *verb_path(const struct verb *v, char *buf, size_t len)
{
    if (v->parent != VERB_COUNT)
        snprintf(buf, len, "%s %s", verbs[v->parent].name, v->name);
    else
        snprintf(buf, len, "%s", v->name);
    return buf;
}

bool verb_is_group(const struct verb *v)
{
    for (size_t i = 0; i < VERB_COUNT; i++)
        if (verbs[i].parent == v->id)
            return true;
    return false;
}

const struct verb *verb_find(const struct verb *parent, const char *name)
{
    enum verb_id under = parent ? parent->id : VERB_COUNT;

    for (size_t i = 0; i < VERB_COUNT; i++)
        if (verbs[i].parent == under && strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}
