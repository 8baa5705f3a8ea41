/*
 * box_json.c - config.json and state.json: one table of fields each, read strictly.
 *
 * A file that misses a field, has one too many or one of another type is refused with its name: it
 * is damaged or of another version, and guessing would be worse.
 */
#include "sandbox/store.h"

#include "base/io.h"
#include "base/own.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_MAX (4u << 20) /* arguments and environment may be large */
#define STATE_MAX  (64u << 10)

static const char *const phases[] = {
    [BOX_CREATED] = "created",   [BOX_BOOTING] = "booting", [BOX_RUNNING] = "running",
    [BOX_STOPPING] = "stopping", [BOX_ENDED] = "ended",
};

const char *box_phase_name(enum box_phase p)
{
    return (size_t)p < array_len(phases) ? phases[p] : "unknown";
}

static void strings_free(char **list)
{
    for (size_t i = 0; list && list[i]; i++)
        free(list[i]);
    free(list);
}

void box_config_fini(struct box_config *c)
{
    free(c->image);
    free(c->kernel);
    free(c->engine);
    free(c->policy);
    free(c->cwd);
    free(c->user);
    strings_free(c->argv);
    strings_free(c->env);
    for (size_t i = 0; i < c->nlabels; i++) {
        free(c->labels[i].key);
        free(c->labels[i].value);
    }
    free(c->labels);
    *c = (struct box_config){ 0 };
}

/* ---- to JSON ---- */

/* NULL for what JSON cannot hold: text that is not UTF-8. */
static json_t *text_or_null(const char *s)
{
    return s ? json_string(s) : json_null();
}

static json_t *strings_to_json(char *const *list)
{
    if (!list)
        return json_null();

    json_t *a = json_array();

    for (size_t i = 0; list[i]; i++) {
        if (json_array_append_new(a, json_string(list[i]))) {
            json_decref(a);
            return NULL;
        }
    }
    return a;
}

static json_t *labels_to_json(const struct box_config *c)
{
    json_t *o = json_object();

    for (size_t i = 0; i < c->nlabels; i++) {
        if (json_object_set_new(o, c->labels[i].key, json_string(c->labels[i].value))) {
            json_decref(o);
            return NULL;
        }
    }
    return o;
}

static int put(json_t *o, const char *key, json_t *value, struct err *e)
{
    if (json_object_set_new(o, key, value))
        return err_set(e, EILSEQ, "%s: not valid UTF-8, or out of memory", key);
    return 0;
}

static int put_int(json_t *o, const char *key, uint64_t v, struct err *e)
{
    if (v > INT64_MAX)
        return err_set(e, ERANGE, "%s: too large", key);
    return put(o, key, json_integer((json_int_t)v), e);
}

static json_t *config_to_json(const struct box_config *c, struct err *e)
{
    json_t *o = json_object();

    if (!o) {
        err_set(e, ENOMEM, "out of memory");
        return NULL;
    }
    if (put(o, "id", json_string(c->id), e) || put(o, "name", json_string(c->name), e) ||
        put(o, "ephemeral", json_boolean(c->ephemeral), e) ||
        put(o, "image", text_or_null(c->image), e) ||
        put(o, "kernel", text_or_null(c->kernel), e) ||
        put(o, "engine", text_or_null(c->engine), e) ||
        put(o, "policy", text_or_null(c->policy), e) ||
        put(o, "policy_hash", json_string(c->policy_hash), e) ||
        put_int(o, "mem_bytes", c->mem_bytes, e) || put_int(o, "vcpus", c->vcpus, e) ||
        put_int(o, "disk_bytes", c->disk_bytes, e) || put(o, "argv", strings_to_json(c->argv), e) ||
        put(o, "env", strings_to_json(c->env), e) || put(o, "cwd", text_or_null(c->cwd), e) ||
        put(o, "user", text_or_null(c->user), e) || put(o, "tty", json_boolean(c->tty), e) ||
        put(o, "stdin_open", json_boolean(c->stdin_open), e) ||
        put_int(o, "timeout_ms", c->timeout_ms, e) ||
        put_int(o, "stop_grace_ms", c->stop_grace_ms, e) || put_int(o, "wall_ms", c->wall_ms, e) ||
        put_int(o, "idle_ms", c->idle_ms, e) || put(o, "labels", labels_to_json(c), e) ||
        put(o, "created_ns", json_integer(c->created_ns), e)) {
        json_decref(o);
        return NULL;
    }
    return o;
}

/* Who vouches for the exit code: a guest may claim any, so nothing is ever decided by it. */
static const char *exit_code_by(const struct box_state *s)
{
    if (s->exit_code < 0)
        return NULL;
    return !strcmp(s->reason, "killed") ? "host" : "guest";
}

/* Words of another process about an end: made printable ASCII, so that they can always be kept. */
static json_t *plain_text(const char *s)
{
    char out[sizeof(((struct box_state *)0)->text)];
    size_t n = strnlen(s, sizeof(out) - 1);

    for (size_t i = 0; i < n; i++)
        out[i] = (char)(s[i] >= ' ' && s[i] <= '~' ? s[i] : '?');
    out[n] = '\0';
    return json_string(out);
}

static json_t *state_to_json(const struct box_state *s, struct err *e)
{
    json_t *o = json_object();

    if (!o) {
        err_set(e, ENOMEM, "out of memory");
        return NULL;
    }
    if (put(o, "phase", json_string(box_phase_name(s->phase)), e) ||
        put(o, "engine", json_string(s->engine), e) ||
        put(o, "keeper_pid", json_integer(s->keeper_pid), e) ||
        put(o, "vmm_pid", json_integer(s->vmm_pid), e) ||
        put_int(o, "keeper_start", s->keeper_start, e) ||
        put_int(o, "vmm_start", s->vmm_start, e) ||
        put(o, "started_ns", json_integer(s->started_ns), e) ||
        put(o, "ready_ns", json_integer(s->ready_ns), e) ||
        put(o, "ended_ns", json_integer(s->ended_ns), e) ||
        put(o, "exit_code", s->exit_code < 0 ? json_null() : json_integer(s->exit_code), e) ||
        put(o, "exit_code_by", text_or_null(exit_code_by(s)), e) ||
        put(o, "reason", plain_text(s->reason), e) || put(o, "text", plain_text(s->text), e)) {
        json_decref(o);
        return NULL;
    }
    return o;
}

static char *dump(json_t *o, size_t flags, struct err *e)
{
    char *text = json_dumps(o, flags);

    if (!text)
        err_set(e, ENOMEM, "out of memory");
    return text;
}

char *box_state_to_json(const struct box_state *st, struct err *e)
{
    json_auto_t *o = state_to_json(st, e);

    return o ? dump(o, JSON_COMPACT, e) : NULL;
}

char *box_to_json(const struct box_config *c, const struct box_state *s, struct err *e)
{
    json_auto_t *config = config_to_json(c, e);
    json_auto_t *state = config ? state_to_json(s, e) : NULL;
    json_auto_t *both = state ? json_pack("{sOsO}", "config", config, "state", state) : NULL;

    return both ? dump(both, JSON_INDENT(2), e) : NULL;
}

/* ---- from JSON ---- */

/* One file being read; the first field that is wrong is remembered. */
struct reader {
    json_t *root;
    size_t seen;
    const char *wrong;
};

static json_t *field(struct reader *r, const char *key)
{
    json_t *j = json_object_get(r->root, key);

    r->seen++;
    if (!j && !r->wrong)
        r->wrong = key;
    return j;
}

static void blame(struct reader *r, const char *key)
{
    if (!r->wrong)
        r->wrong = key;
}

static int64_t get_int(struct reader *r, const char *key, int64_t max)
{
    const json_t *j = field(r, key);

    if (j && (!json_is_integer(j) || json_integer_value(j) < 0 || json_integer_value(j) > max)) {
        blame(r, key);
        return 0;
    }
    return json_integer_value(j);
}

static bool get_bool(struct reader *r, const char *key)
{
    const json_t *j = field(r, key);

    if (j && !json_is_boolean(j))
        blame(r, key);
    return json_is_true(j);
}

static void get_fixed(struct reader *r, const char *key, char *out, size_t room)
{
    const json_t *j = field(r, key);
    const char *s = json_string_value(j);

    if (!s || strlen(s) >= room) {
        blame(r, key);
        return;
    }
    memcpy(out, s, strlen(s) + 1);
}

static char *get_text(struct reader *r, const char *key)
{
    const json_t *j = field(r, key);
    char *s;

    if (json_is_null(j))
        return NULL;
    s = json_is_string(j) ? strdup(json_string_value(j)) : NULL;
    if (!s)
        blame(r, key);
    return s;
}

static char **get_strings(struct reader *r, const char *key)
{
    const json_t *a = field(r, key);

    if (json_is_null(a))
        return NULL;

    size_t n = json_array_size(a);
    char **list = json_is_array(a) ? calloc(n + 1, sizeof(*list)) : NULL;

    for (size_t i = 0; list && i < n; i++) {
        const char *s = json_string_value(json_array_get(a, i));

        list[i] = s ? strdup(s) : NULL;
        if (!list[i]) {
            strings_free(list);
            list = NULL;
        }
    }
    if (!list)
        blame(r, key);
    return list;
}

static void get_labels(struct reader *r, struct box_config *c)
{
    json_t *o = field(r, "labels");
    const char *key;
    json_t *value;

    if (!json_is_object(o)) {
        blame(r, "labels");
        return;
    }
    if (json_object_size(o) == 0)
        return;
    c->labels = calloc(json_object_size(o), sizeof(*c->labels));
    if (!c->labels) {
        blame(r, "labels");
        return;
    }
    json_object_foreach(o, key, value)
    {
        struct box_label *l = &c->labels[c->nlabels++];

        l->key = strdup(key);
        l->value = json_is_string(value) ? strdup(json_string_value(value)) : NULL;
        if (!l->key || !l->value)
            blame(r, "labels");
    }
}

static int check_reader(const struct reader *r, struct err *e)
{
    if (r->wrong)
        return err_set(e, EBADMSG, "field \"%s\" is missing or has the wrong type", r->wrong);
    if (json_object_size(r->root) != r->seen)
        return err_set(e, EBADMSG, "has a field that this version does not know");
    return 0;
}

static json_t *parse_object(const char *text, size_t len, struct err *e)
{
    json_error_t why;
    json_t *o = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);

    if (!o || !json_is_object(o)) {
        err_set(e, EBADMSG, "damaged: %s", o ? "not an object" : why.text);
        json_decref(o);
        return NULL;
    }
    return o;
}

static void read_config(struct reader *r, struct box_config *c)
{
    get_fixed(r, "id", c->id, sizeof(c->id));
    get_fixed(r, "name", c->name, sizeof(c->name));
    c->ephemeral = get_bool(r, "ephemeral");
    c->image = get_text(r, "image");
    c->kernel = get_text(r, "kernel");
    c->engine = get_text(r, "engine");
    c->policy = get_text(r, "policy");
    get_fixed(r, "policy_hash", c->policy_hash, sizeof(c->policy_hash));
    c->mem_bytes = (uint64_t)get_int(r, "mem_bytes", INT64_MAX);
    c->vcpus = (uint32_t)get_int(r, "vcpus", UINT32_MAX);
    c->disk_bytes = (uint64_t)get_int(r, "disk_bytes", INT64_MAX);
    c->argv = get_strings(r, "argv");
    c->env = get_strings(r, "env");
    c->cwd = get_text(r, "cwd");
    c->user = get_text(r, "user");
    c->tty = get_bool(r, "tty");
    c->stdin_open = get_bool(r, "stdin_open");
    c->timeout_ms = (uint32_t)get_int(r, "timeout_ms", UINT32_MAX);
    c->stop_grace_ms = (uint32_t)get_int(r, "stop_grace_ms", UINT32_MAX);
    c->wall_ms = (uint64_t)get_int(r, "wall_ms", INT64_MAX);
    c->idle_ms = (uint64_t)get_int(r, "idle_ms", INT64_MAX);
    get_labels(r, c);
    c->created_ns = get_int(r, "created_ns", INT64_MAX);
}

int box_load_config(int dirfd, struct box_config *out, struct err *e)
{
    size_t len;
    auto_str char *text = io_load(dirfd, "config.json", CONFIG_MAX, &len, e);

    *out = (struct box_config){ 0 };
    if (!text)
        return e ? -e->code : -EIO;

    json_auto_t *o = parse_object(text, len, e);

    if (!o)
        return err_wrap(e, "config.json");

    struct reader r = { .root = o };

    read_config(&r, out);
    if (check_reader(&r, e)) {
        box_config_fini(out);
        return err_wrap(e, "config.json");
    }
    return 0;
}

static void read_state(struct reader *r, struct box_state *s)
{
    char phase[16] = "";
    const json_t *code;

    get_fixed(r, "phase", phase, sizeof(phase));
    s->phase = BOX_ENDED + 1;
    for (size_t i = 0; i < array_len(phases); i++)
        if (!strcmp(phase, phases[i]))
            s->phase = (enum box_phase)i;
    if (s->phase > BOX_ENDED)
        blame(r, "phase");
    get_fixed(r, "engine", s->engine, sizeof(s->engine));
    s->keeper_pid = (pid_t)get_int(r, "keeper_pid", INT32_MAX);
    s->vmm_pid = (pid_t)get_int(r, "vmm_pid", INT32_MAX);
    s->keeper_start = (uint64_t)get_int(r, "keeper_start", INT64_MAX);
    s->vmm_start = (uint64_t)get_int(r, "vmm_start", INT64_MAX);
    s->started_ns = get_int(r, "started_ns", INT64_MAX);
    s->ready_ns = get_int(r, "ready_ns", INT64_MAX);
    s->ended_ns = get_int(r, "ended_ns", INT64_MAX);
    code = json_object_get(r->root, "exit_code");
    if (json_is_null(code)) {
        s->exit_code = -1;
        r->seen++;
    } else {
        s->exit_code = (int)get_int(r, "exit_code", 255);
    }
    free(get_text(r, "exit_code_by")); /* follows from the reason */
    get_fixed(r, "reason", s->reason, sizeof(s->reason));
    get_fixed(r, "text", s->text, sizeof(s->text));
}

int box_state_parse(const char *text, size_t len, struct box_state *out, struct err *e)
{
    json_auto_t *o = parse_object(text, len, e);

    *out = (struct box_state){ 0 };
    if (!o)
        return -EBADMSG;

    struct reader r = { .root = o };

    read_state(&r, out);
    return check_reader(&r, e);
}

int box_load_state(int dirfd, struct box_state *out, struct err *e)
{
    size_t len;
    auto_str char *text = io_load(dirfd, "state.json", STATE_MAX, &len, e);

    if (!text)
        return e ? -e->code : -EIO;
    return box_state_parse(text, len, out, e) ? err_wrap(e, "state.json") : 0;
}

int box_save_state(int dirfd, const struct box_state *st, bool durable, struct err *e)
{
    auto_str char *text = box_state_to_json(st, e);

    if (!text)
        return -EIO;
    return durable ? io_store(dirfd, "state.json", text, strlen(text), 0600, e)
                   : io_replace(dirfd, "state.json", text, strlen(text), 0600, e);
}

int box_save_config(int dirfd, const struct box_config *c, struct err *e)
{
    json_auto_t *o = config_to_json(c, e);
    auto_str char *text = o ? dump(o, JSON_INDENT(2), e) : NULL;

    return text ? io_store(dirfd, "config.json", text, strlen(text), 0600, e) : -EILSEQ;
}
