/* oci_args.c - see oci_args.h. */
#include "sandbox/confine/oci_args.h"

#include <errno.h>
#include <string.h>

static const char *const op_names[OPS] = {
    [OP_NE] = "SCMP_CMP_NE",
    [OP_LT] = "SCMP_CMP_LT",
    [OP_LE] = "SCMP_CMP_LE",
    [OP_EQ] = "SCMP_CMP_EQ",
    [OP_GE] = "SCMP_CMP_GE",
    [OP_GT] = "SCMP_CMP_GT",
    [OP_MASKED_EQ] = "SCMP_CMP_MASKED_EQ",
};

static int number(const json_t *object, const char *key, uint64_t *out, struct err *e)
{
    const json_t *v = json_object_get(object, key);

    if (v && (!json_is_integer(v) || json_integer_value(v) < 0))
        return err_set(e, EINVAL, "seccomp profile: %s of an argument is no number", key);
    *out = v ? (uint64_t)json_integer_value(v) : 0;
    return 0;
}

static int condition(const json_t *arg, struct oci_condition *c, struct err *e)
{
    const char *op = json_string_value(json_object_get(arg, "op"));
    uint64_t index = 0;
    int err = number(arg, "index", &index, e);

    if (!err)
        err = number(arg, "value", &c->a, e);
    if (!err)
        err = number(arg, "valueTwo", &c->b, e);
    if (err)
        return err;
    if (index >= SECCOMP_ARGS)
        return err_set(e, EINVAL, "seccomp profile: an argument's index is not 0 to 5");
    c->index = (unsigned)index;
    for (c->op = 0; op && c->op < OPS; c->op++)
        if (!strcmp(op, op_names[c->op]))
            return 0;
    return err_set(e, EINVAL, "seccomp profile: an unknown comparison: %.60s", op ? op : "none");
}

int oci_conditions(const json_t *args, struct oci_condition c[SECCOMP_ARGS], unsigned *n,
                   struct err *e)
{
    unsigned seen = 0;

    *n = 0;
    if (args && !json_is_null(args) && !json_is_array(args))
        return err_set(e, EINVAL, "seccomp profile: args is not a list");
    if (json_array_size(args) > SECCOMP_ARGS)
        return err_set(e, EINVAL, "seccomp profile: more than six conditions");
    for (size_t i = 0; i < json_array_size(args); i++) {
        int err = condition(json_array_get(args, i), &c[i], e);

        if (err)
            return err;
        if (seen >> c[i].index & 1)
            return err_set(e, EINVAL,
                           "seccomp profile: two conditions on one argument: runtimes disagree "
                           "whether both must hold");
        seen |= 1u << c[i].index;
        (*n)++;
    }
    return 0;
}
