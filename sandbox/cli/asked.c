/* asked.c - see asked.h. */
#include "sandbox/cli/asked.h"

#include "base/launch.h"
#include "sandbox/cli/env.h"
#include "sandbox/cli/size.h"
#include "sandbox/cli/tty.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIB            (1ull << 20)
#define DEFAULT_MEMORY (512 * MIB)
#define DEFAULT_GRACE  10000u
#define DISK_MIN       (4 * MIB)
#define DISK_MAX       (64ull << 40)

static int copy_text(char **to, const char *from, struct err *e)
{
    if (!from)
        return 0;
    free(*to);
    *to = strdup(from);
    return *to ? 0 : err_set(e, ENOMEM, "out of memory");
}

static int copy_list(char ***to, char *const *from, struct err *e)
{
    size_t n = 0;

    while (from && from[n])
        n++;
    if (n == 0)
        return 0;
    *to = calloc(n + 1, sizeof(**to));
    for (size_t i = 0; *to && i < n; i++) {
        (*to)[i] = strdup(from[i]);
        if (!(*to)[i])
            return err_set(e, ENOMEM, "out of memory");
    }
    return *to ? 0 : err_set(e, ENOMEM, "out of memory");
}

int asked_argv(struct box_config *cfg, char *const *argv, struct err *e)
{
    env_free(cfg->argv);
    cfg->argv = NULL;
    return copy_list(&cfg->argv, argv, e);
}

int asked_duration(const struct command_line *a, enum opt_id id, uint32_t *ms, struct err *e)
{
    const char *text = args_text(a, id);

    if (text && duration_parse(text, ms))
        return err_set(e, EINVAL, "--%s: not a time: \"%s\" (like 250ms, 30s, 5m, 2h)",
                       opt_by_id(id)->name, text);
    return 0;
}

/* A size in whole MiB. */
static int asked_size(const struct command_line *a, enum opt_id id, uint64_t min, uint64_t max,
                      uint64_t *bytes, char hint[HINT_MAX], struct err *e)
{
    const char *text = args_text(a, id), *name = opt_by_id(id)->name;
    char low[24], high[24];

    if (!text)
        return 0;
    if (size_parse(text, bytes))
        return err_set(e, EINVAL, "--%s: not a size: \"%s\" (like 512M, 2G)", name, text);
    if (*bytes < min || *bytes > max) {
        if (text[strspn(text, "0123456789")] == '\0' && *bytes)
            snprintf(hint, HINT_MAX, "a plain number is bytes: did you mean --%s %sM?", name, text);
        return err_set(e, EINVAL, "--%s: %s is not between %s and %s", name, text,
                       size_text(min, low, sizeof(low)), size_text(max, high, sizeof(high)));
    }
    if (*bytes % MIB)
        return err_set(e, EINVAL, "--%s: %s is not a whole number of MiB", name, text);
    return 0;
}

int asked_env(const struct command_line *a, char ***env, struct err *e)
{
    int err = 0;

    for (size_t i = 0; i < a->nvalues && !err; i++) {
        if (a->values[i].id == OPT_ENV)
            err = env_pass(env, a->values[i].text, e);
        else if (a->values[i].id == OPT_ENV_FILE)
            err = env_load(env, a->values[i].text, e);
    }
    return err;
}

static int asked_labels(const struct command_line *a, struct box_config *cfg, struct err *e)
{
    const char *text;
    size_t at = 0;

    while ((text = args_next(a, OPT_LABEL, &at))) {
        size_t klen = strcspn(text, "=");
        struct box_label *grown, *l = NULL;

        if (klen == 0)
            return err_set(e, EINVAL, "--label: \"%s\" is not KEY=VALUE", text);
        for (size_t i = 0; i < cfg->nlabels; i++)
            if (strlen(cfg->labels[i].key) == klen && !memcmp(cfg->labels[i].key, text, klen))
                l = &cfg->labels[i];
        if (!l) {
            grown = realloc(cfg->labels, (cfg->nlabels + 1) * sizeof(*grown));
            if (!grown)
                return err_set(e, ENOMEM, "out of memory");
            cfg->labels = grown;
            l = &cfg->labels[cfg->nlabels++];
            *l = (struct box_label){ .key = strndup(text, klen) };
        }
        free(l->value);
        l->value = strdup(text[klen] ? text + klen + 1 : "");
        if (!l->key || !l->value)
            return err_set(e, ENOMEM, "out of memory");
    }
    return 0;
}

int asked_session(const struct command_line *a, bool detached, const struct asked_stdio *io,
                  bool json, struct asked_session *s, struct err *e)
{
    if (args_has(a, OPT_TTY) && args_has(a, OPT_NO_TTY))
        return err_set(e, EINVAL, "--tty and --no-tty exclude each other");
    s->tty = args_has(a, OPT_TTY) || (!args_has(a, OPT_NO_TTY) && !detached && !json &&
                                      io->in_terminal && io->out_terminal);
    if (detached)
        s->forward_stdin = args_has(a, OPT_INTERACTIVE);
    else
        s->forward_stdin =
            args_has(a, OPT_INTERACTIVE) || io->in_piped || (s->tty && io->in_terminal);
    return 0;
}

static int asked_name(const struct command_line *a, struct box_config *cfg, struct err *e)
{
    const char *name = args_text(a, OPT_NAME);

    if (!name)
        return 0;
    if (strlen(name) > BOX_NAME_MAX || *name == '\0')
        return err_set(e, EINVAL,
                       "--name: \"%s\" is not a name: [a-z0-9][a-z0-9_.-]*, at most %d characters",
                       name, BOX_NAME_MAX);
    memcpy(cfg->name, name, strlen(name) + 1);
    return 0;
}

static int asked_lifetime(const struct command_line *a, bool create, struct box_config *cfg,
                          struct err *e)
{
    bool rm = args_has(a, OPT_RM), keep = args_has(a, OPT_KEEP);

    if (rm && keep)
        return err_set(e, EINVAL, "--rm and --keep exclude each other");
    cfg->ephemeral = rm || (!create && !keep && !args_has(a, OPT_NAME));
    return 0;
}

/* The image by name, or by the absolute form of a path: the keeper has a working directory of its
 * own. */
static int asked_image(const struct command_line *a, struct box_config *cfg, struct err *e)
{
    const char *image = a->operands[0];

    if (!strchr(image, '/'))
        return copy_text(&cfg->image, image, e);
    cfg->image = realpath(image, NULL);
    return cfg->image ? 0 : err_sys(e, "image %s", image);
}

static int asked_machine(const struct command_line *a, struct box_config *cfg, char hint[HINT_MAX],
                         struct err *e)
{
    const char *cpus = args_text(a, OPT_CPUS), *kernel = args_text(a, OPT_KERNEL);
    int err;

    cfg->mem_bytes = DEFAULT_MEMORY;
    cfg->vcpus = 1;
    err = asked_size(a, OPT_MEMORY, VMM_MEM_MIN, VMM_MEM_MAX, &cfg->mem_bytes, hint, e);
    if (!err)
        err = asked_size(a, OPT_DISK, DISK_MIN, DISK_MAX, &cfg->disk_bytes, hint, e);
    if (err)
        return err;
    if (cpus && count_parse(cpus, 1, VMM_VCPUS_MAX, &cfg->vcpus))
        return err_set(e, EINVAL, "--cpus: \"%s\" is not a number from 1 to %u", cpus,
                       VMM_VCPUS_MAX);
    if (!kernel)
        kernel = getenv("CARREL_KERNEL");
    if (kernel && *kernel)
        err = copy_text(&cfg->kernel, kernel, e);
    return err ? err : copy_text(&cfg->engine, args_text(a, OPT_ENGINE), e);
}

int asked_config(const struct command_line *a, bool detached, const struct asked_stdio *io,
                 bool json, struct box_config *cfg, struct asked_session *s, char hint[HINT_MAX],
                 struct err *e)
{
    const char *cwd = args_text(a, OPT_WORKDIR);
    bool create = a->verb->id == VERB_CREATE;
    int err;

    memset(cfg, 0, sizeof(*cfg));
    hint[0] = '\0';
    cfg->stop_grace_ms = DEFAULT_GRACE;
    if (cwd && *cwd != '/')
        return err_set(e, EINVAL, "--workdir: \"%s\" is not an absolute path", cwd);
    if (args_has(a, OPT_DETACH_KEYS)) {
        uint8_t keys[TTY_KEYS_MAX];

        if (tty_parse_keys(args_text(a, OPT_DETACH_KEYS), keys) < 0)
            return err_set(e, EINVAL, "--detach-keys: not keys: \"%s\" (like ctrl-p,ctrl-q)",
                           args_text(a, OPT_DETACH_KEYS));
    }
    err = asked_name(a, cfg, e);
    if (!err)
        err = asked_lifetime(a, create, cfg, e);
    if (!err)
        err = asked_machine(a, cfg, hint, e);
    if (!err)
        err = asked_session(a, detached, io, json, s, e);
    if (!err)
        err = asked_duration(a, OPT_TIMEOUT, &cfg->timeout_ms, e);
    if (!err)
        err = asked_duration(a, OPT_STOP_TIMEOUT, &cfg->stop_grace_ms, e);
    if (!err)
        err = asked_image(a, cfg, e);
    if (!err)
        err = asked_labels(a, cfg, e);
    if (!err)
        err = asked_env(a, &cfg->env, e);
    if (!err)
        err = copy_text(&cfg->cwd, cwd, e);
    if (!err)
        err = copy_text(&cfg->user, args_text(a, OPT_USER), e);
    if (!err)
        err = copy_list(&cfg->argv, a->operands + 1, e);
    cfg->tty = s->tty;
    cfg->stdin_open = s->forward_stdin;
    return err;
}

/* The image's entrypoint before what it is given: COMMAND, or the image's own. */
static int enter(struct box_config *cfg, const struct image *img, struct err *e)
{
    char *const *given = cfg->argv ? cfg->argv : img->cmd;
    size_t n = 0, m = 0;

    while (img->entrypoint && img->entrypoint[n])
        n++;
    while (given && given[m])
        m++;
    if (n == 0)
        return cfg->argv ? 0 : copy_list(&cfg->argv, img->cmd, e);

    char **all = calloc(n + m + 1, sizeof(*all));

    if (!all)
        return err_set(e, ENOMEM, "out of memory");
    memcpy(all, img->entrypoint, n * sizeof(*all));
    if (m)
        memcpy(all + n, given, m * sizeof(*all));

    char **old = cfg->argv;

    cfg->argv = NULL;

    int err = copy_list(&cfg->argv, all, e);

    env_free(old);
    free(all);
    return err;
}

int asked_entrypoint(const struct command_line *a, struct image *img, struct err *e)
{
    const char *program = args_text(a, OPT_ENTRYPOINT);
    char *const list[] = { (char *)program, NULL };

    if (!program)
        return 0;
    env_free(img->entrypoint);
    env_free(img->cmd);
    img->entrypoint = img->cmd = NULL;
    return *program ? copy_list(&img->entrypoint, list, e) : 0;
}

int asked_image_defaults(struct box_config *cfg, const struct image *img, struct err *e)
{
    char **env = NULL;
    int err = env_set_all(&env, img->env, e);

    if (!err)
        err = env_set_all(&env, cfg->env, e);
    if (!err && cfg->tty && !env_has(env, "TERM")) {
        const char *term = getenv("TERM");
        char assignment[80];

        snprintf(assignment, sizeof(assignment), "TERM=%s", term && *term ? term : "xterm");
        err = env_set(&env, assignment, e);
    }
    env_free(cfg->env);
    cfg->env = env;
    if (!err && !cfg->cwd)
        err = copy_text(&cfg->cwd, img->cwd, e);
    if (!err && !cfg->user)
        err = copy_text(&cfg->user, img->user, e);
    return err ? err : enter(cfg, img, e);
}

void asked_exec(struct msg_builder *b, const struct asked_command *cmd,
                const struct asked_session *s)
{
    uint16_t rows = 24, cols = 80;

    msg_begin(b, MSG_EXEC);
    for (size_t i = 0; cmd->argv[i]; i++)
        msg_add_text(b, MSG_ARG, cmd->argv[i]);
    for (size_t i = 0; cmd->env && cmd->env[i]; i++)
        msg_add_text(b, MSG_ENV, cmd->env[i]);
    if (cmd->cwd)
        msg_add_text(b, MSG_CWD, cmd->cwd);
    if (cmd->user)
        msg_add_text(b, MSG_USER, cmd->user);
    if (cmd->timeout_ms)
        msg_add_u32(b, MSG_TIMEOUT, cmd->timeout_ms);
    msg_add_u32(b, MSG_FLAGS,
                cmd->flags | (s->tty ? MSG_F_TTY : 0u) | (s->forward_stdin ? MSG_F_STDIN : 0u));
    if (s->tty) {
        if (!tty_size(STDOUT_FILENO, &rows, &cols))
            rows = 24;
        msg_add_u16(b, MSG_ROWS, rows);
        msg_add_u16(b, MSG_COLS, cols);
    }
}
