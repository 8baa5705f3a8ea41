/* judge.c - what the policy says about a place; what it denies, the keeper hears of. */
#include "sandbox/files/server.h"

#include <errno.h>

static struct request about(const struct place *p, enum file_op op)
{
    struct request r;

    request_init(&r, SPACE_FILE);
    request_text(&r, FILE_PATH, p->full);
    request_number(&r, FILE_OP, op);
    return r;
}

static int answer(struct server *s, const struct place *p, enum file_op op,
                  const struct decision *d)
{
    if (d->allowed)
        return 0;
    report_denial(&s->reporter, op, d->rule ? d->rule->id : "", p->full);
    return -EACCES;
}

int judge(struct server *s, const struct place *p, enum file_op op)
{
    const struct request r = about(p, op);
    const struct decision d = decide(s->rules, &r);

    return answer(s, p, op, &d);
}

int judge_leaf(struct server *s, const struct place *p, enum file_op op)
{
    const struct request r = about(p, op);
    const struct decision d = decide_leaf(s->rules, &r);

    return answer(s, p, op, &d);
}

int judge_rename(struct server *s, const struct place *from, const struct place *to, bool dir)
{
    const struct decision d = decide_rename(s->rules, from->full, to->full, dir, 0, 0);
    int err = answer(s, d.allowed ? from : to, FILE_CREATE, &d);

    return err || dir ? err : judge_leaf(s, to, FILE_CREATE);
}

bool judge_visible(struct server *s, const struct place *p)
{
    const struct request r = about(p, FILE_READ);

    return decide(s->rules, &r).allowed;
}
