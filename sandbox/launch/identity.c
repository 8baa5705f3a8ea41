/* identity.c - who the program is, and that it can never be anybody else; see launch.h. */
#include "sandbox/launch/launch.h"

#include <errno.h>
#include <grp.h>
#include <linux/securebits.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

/* uid 0 means nothing, nothing is kept or fixed up, nothing can be raised: and so for ever. */
#define SECUREBITS                                                          \
    (SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP_LOCKED | \
     SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)

/* The sets that survive a change of user; needs a capability itself, so it comes before that. */
static int empty_bounds(struct err *e)
{
    for (cap_value_t c = 0; CAP_IS_SUPPORTED(c); c++)
        if (cap_drop_bound(c))
            return err_sys(e, "capability bounding set");
    /* Not believed: libcap asks the kernel once how many there are, and may be told wrong. */
    for (int c = 0; c < 64; c++)
        if (prctl(PR_CAPBSET_READ, c, 0, 0, 0) == 1)
            return err_set(e, EPERM, "capability bounding set: %d stays", c);
    if (cap_reset_ambient() || cap_set_secbits(SECUREBITS))
        return err_sys(e, "securebits");
    return 0;
}

/* As root: from the host's root to a uid that nobody else has. In a user namespace it has one. */
int layer_user(const struct jail_record *r, struct err *e)
{
    uid_t a, b, c;

    if (r->made[0] == 0)
        return 0;
    if (!r->uid || geteuid() != 0)
        return err_set(e, r->made[0], "a user of its own");
    if (setgroups(0, NULL) || setresgid(r->gid, r->gid, r->gid) ||
        setresuid(r->uid, r->uid, r->uid))
        return err_sys(e, "becoming uid %u", r->uid);
    if (getresuid(&a, &b, &c) || a != r->uid || b != r->uid || c != r->uid)
        return err_set(e, EPERM, "becoming uid %u", r->uid);
    return 0;
}

/* In two halves round layer_user: what bounds the sets, then the sets themselves. */
int layer_caps(const struct jail_record *r, struct err *e)
{
    static bool bounded;
    cap_t none;
    int err;

    (void)r;
    if (!bounded) {
        err = empty_bounds(e);
        bounded = !err;
        return err;
    }
    none = cap_init();
    err = !none || cap_set_proc(none) ? err_sys(e, "capabilities") : 0;
    cap_free(none);
    return err;
}
