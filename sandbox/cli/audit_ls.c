/* audit_ls.c - audit ls: the logs of this host, by a look at both ends of each. */
#include "base/fd.h"
#include "sandbox/cli/audit_named.h"
#include "sandbox/cli/listing.h"
#include "sandbox/cli/size.h"
#include "sandbox/cli/verbs.h"

#include <stdlib.h>

static const char *const columns[] = { "name",  "id",   "state", "records", "size",
                                       "first", "last", "why",   NULL };

static void look_at(const struct audit_host *h, const char *id, struct log_look *look)
{
    struct err e = ERR_INIT;
    auto_fd int fd = logs_open_one(h->logs, id, &e);

    if (fd >= 0) {
        log_look(fd, id, h->key, look);
        return;
    }
    *look = (struct log_look){ .state = LOG_BROKEN };
    snprintf(look->why, sizeof(look->why), "%.90s", e.msg);
}

static const char *moment(uint64_t ns, char *buf, size_t len)
{
    return ns && ns < INT64_MAX ? time_text((int64_t)ns, buf, len) : "-";
}

static void list_one(const struct audit_host *h, struct listing *l, const char *id)
{
    struct log_look look;
    char buf[48];

    look_at(h, id, &look);
    if (l->array) {
        json_array_append_new(
            l->array,
            json_pack("{s:s, s:o, s:s, s:I, s:I, s:o, s:o, s:o}", "id", id, "name",
                      look.name[0] ? cli_json_text(look.name) : json_null(), "state",
                      log_state_name(look.state), "records", (json_int_t)look.records, "bytes",
                      (json_int_t)look.bytes, "first", audit_json_time(look.first_ns), "last",
                      audit_json_time(look.last_ns), "why",
                      look.why[0] ? cli_json_text(look.why) : json_null()));
        return;
    }
    if (listing_name(l, id))
        return;
    grid_add(&l->grid, look.name[0] ? look.name : "-");
    grid_add(&l->grid, id);
    grid_add(&l->grid, log_state_name(look.state));
    snprintf(buf, sizeof(buf), "%llu", (unsigned long long)look.records);
    grid_add(&l->grid, buf);
    grid_add(&l->grid, size_text(look.bytes, buf, sizeof(buf)));
    grid_add(&l->grid, moment(look.first_ns, buf, sizeof(buf)));
    grid_add(&l->grid, moment(look.last_ns, buf, sizeof(buf)));
    grid_add(&l->grid, look.why[0] ? look.why : "-");
}

int verb_audit_ls(struct cli *c)
{
    struct err e = ERR_INIT;
    struct audit_host h;
    struct listing l;
    char **ids = NULL;
    size_t n = 0;
    bool there;
    int status = listing_begin(&l, c, columns, "name,id,state,records,size,first,last,why");

    if (status)
        return status;
    there = audit_host_open(c, &h, &status);
    if (there && h.logs >= 0 && logs_list(h.logs, &ids, &n, &e))
        status = cli_fail(c, "audit", &e, NULL);
    for (size_t i = 0; i < n; i++) {
        list_one(&h, &l, ids[i]);
        free(ids[i]);
    }
    free(ids);
    audit_host_close(&h);
    return listing_end(&l, there, status);
}
