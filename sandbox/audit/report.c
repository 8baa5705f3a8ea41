/* report.c - the page; see report.h. Everything that comes from a record goes through page_text().
 */
#include "sandbox/audit/report.h"

#include "sandbox/audit/page.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char style[] =
    "<style>"
    ":root{--ink:#1d2733;--dim:#66758a;--line:#dfe5ec;--paper:#fff;--back:#f4f6f9;--ok:#2f7d5b;"
    "--no:#c0392b;--event:#5b7db1}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e4e9f0;--dim:#93a1b5;--line:#323d4c;"
    "--paper:#1b222c;--back:#12171e;--ok:#58b48a;--no:#ef6f61;--event:#86a8dc}}"
    "*{box-sizing:border-box}body{margin:0;background:var(--back);color:var(--ink);"
    "font:14px/1.5 system-ui,sans-serif}main{max-width:1080px;margin:0 auto;padding:24px}"
    "h1{font-size:22px;margin:0}h2{font-size:15px;margin:0 0 12px}p{margin:4px 0}"
    "section{background:var(--paper);border:1px solid var(--line);border-radius:8px;padding:16px;"
    "margin-top:16px}.dim{color:var(--dim)}.cards{display:flex;flex-wrap:wrap;gap:12px;"
    "margin-top:16px}.card{flex:1 1 120px;background:var(--paper);border:1px solid var(--line);"
    "border-radius:8px;padding:12px 16px}.card b{display:block;font-size:22px}"
    ".ok{color:var(--ok)}.no{color:var(--no)}table{border-collapse:collapse;width:100%}"
    "th{text-align:left;color:var(--dim);font-weight:500}td,th{padding:4px 12px 4px 0;"
    "border-bottom:1px solid var(--line);vertical-align:top;white-space:nowrap}"
    "td.w{white-space:normal;overflow-wrap:anywhere;min-width:14em}"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}"
    "code{font:12px ui-monospace,monospace;overflow-wrap:anywhere}"
    ".tag{border:1px solid var(--line);border-radius:4px;padding:0 4px;font-size:11px;"
    "color:var(--dim)}.wide{overflow-x:auto}"
    "svg{display:block;width:100%;min-width:860px;height:auto}svg text{fill:var(--dim);font:11px "
    "system-ui,"
    "sans-serif}.a{fill:var(--ok)}.d{fill:var(--no)}.e{fill:var(--event)}"
    ".grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(230px,1fr));gap:6px}"
    ".cell{border:1px solid var(--line);border-left:4px solid var(--dim);border-radius:4px;"
    "padding:4px "
    "8px}.cell.used{border-left-color:var(--ok)}.cell.denied{border-left-color:var(--no)}"
    ".cell.never{border-left-style:dotted}.cell.unseen{border-left-style:dashed}"
    ".legend{display:flex;flex-wrap:wrap;gap:8px;margin-top:12px}</style>";

static void card(FILE *out, const char *name, uint64_t n, const char *class)
{
    fprintf(out, "<div class=card><span class=dim>%s</span><b class=\"%s\">", name, class);
    page_count(out, n);
    fputs("</b></div>", out);
}

/* "3 allowed, 1 denied" */
static void decided(FILE *out, uint64_t allowed, uint64_t denied, const char *between)
{
    page_count(out, allowed);
    fprintf(out, " allowed%s", between);
    page_count(out, denied);
    fputs(" denied", out);
}

static void head(FILE *out, const struct tally *t, const struct report_proof *p)
{
    fputs("<!doctype html><html lang=en><meta charset=utf-8>"
          "<meta name=viewport content=\"width=device-width\"><title>Audit of ",
          out);
    page_text(out, p->name[0] ? p->name : t->sandbox);
    fprintf(out, "</title>%s<main><h1>Audit of ", style);
    if (p->name[0]) {
        page_text(out, p->name);
        fputs(" <code class=dim>", out);
    } else {
        fputs("<code style=\"font-size:inherit\">", out);
    }
    page_text(out, t->sandbox);
    fputs("</code></h1><p class=dim>", out);
    if (t->records) {
        page_time(out, t->first_ns);
        fputs(" to ", out);
        page_time(out, t->last_ns);
        fputs(" UTC &middot; ", out);
        page_span(out, t->last_mono - t->first_mono);
    }
    if (t->policy[0]) {
        char begins[17];

        snprintf(begins, sizeof(begins), "%.16s", t->policy);
        fputs(" &middot; policy <code>", out);
        page_text(out, begins);
        fputs("</code>", out);
    }
    fprintf(out, "</p><p><b class=%s>%s</b> ", p->sound ? "ok" : "no",
            p->sound ? "&#10004; The log verifies:" : "&#10008; The log does not verify:");
    page_text(out, p->said);
    if (!p->sound)
        fputs(" <b>What follows is only the part that is proved.</b>", out);
    fputs("</p><div class=cards>", out);
    card(out, "records", t->records, "");
    card(out, "allowed", t->allowed, "ok");
    card(out, "denied", t->denied, t->denied ? "no" : "");
    card(out, "events", t->events, "");
    fputs("</div>", out);
}

/* ---- timeline: a lane each; height of a bar = how much happened, denials on top with a cross ----
 */

enum { LEFT = 70, LANE = 36, WIDTH = 1040 };

static double log2_of(uint32_t n)
{
    double v = 0;

    while (n > 1) {
        v++;
        n /= 2;
    }
    return v;
}

static uint32_t happened(const struct tally_tick *k)
{
    return k->allowed + k->denied + k->events;
}

static double bar(FILE *out, const char *class, double x, double y, double h, double w)
{
    fprintf(out, "<rect class=%s x=%.1f y=%.1f width=%.1f height=%.1f />", class, x, y - h, w, h);
    return y - h;
}

/* As high as the logarithm of what happened; its parts in proportion, none too thin to be seen. */
static void timeline_bar(FILE *out, const struct tally_tick *k, double x, double y, double w,
                         uint32_t most)
{
    enum { LOW = 5, HIGH = LANE - 6, THIN = 3 };
    const uint32_t n = happened(k);
    const double h = LOW + (HIGH - LOW) * (most > 1 ? log2_of(n) / log2_of(most) : 0);
    const uint32_t part[] = { k->allowed, k->events, k->denied };
    static const char *const class[] = { "a", "e", "d" };

    fprintf(out, "<g><title>%u allowed, %u denied, %u events</title>", k->allowed, k->denied,
            k->events);
    for (size_t i = 0; i < array_len(part); i++) {
        double high = h * part[i] / n;

        if (part[i])
            y = bar(out, class[i], x, y, high < THIN ? THIN : high, w);
    }
    fputs("</g>", out);
}

static void timeline_lane(FILE *out, const struct tally *t, unsigned lane, unsigned used,
                          uint32_t most)
{
    const double w = (double)(WIDTH - LEFT) / used;
    const double base = (lane + 1) * LANE;

    fprintf(out,
            "<text x=0 y=%.0f>%s</text><line x1=%d x2=%d y1=%.1f y2=%.1f "
            "stroke=\"currentColor\" stroke-opacity=.15 />",
            base - 6, tally_lane_name((enum tally_lane)lane), LEFT, WIDTH, base, base);
    for (unsigned i = 0; i < used; i++)
        if (happened(&t->tick[lane][i]))
            timeline_bar(out, &t->tick[lane][i], LEFT + i * w, base, w < 2 ? 2 : w * 0.85, most);
}

static void timeline(FILE *out, const struct tally *t)
{
    uint64_t span = t->last_mono - t->first_mono;
    unsigned used = (unsigned)(span / t->tick_ns) + 1;
    uint32_t most = 1;

    if (!t->records)
        return;
    for (unsigned l = 0; l < TALLY_LANES; l++)
        for (unsigned i = 0; i < used; i++)
            if (happened(&t->tick[l][i]) > most)
                most = happened(&t->tick[l][i]);
    fprintf(out,
            "<section><h2>Timeline</h2><div class=wide><svg viewBox=\"0 0 %d %d\" role=img "
            "aria-label=\"what happened when\">",
            WIDTH, (int)(TALLY_LANES * LANE + 24));
    for (unsigned l = 0; l < TALLY_LANES; l++)
        timeline_lane(out, t, l, used, most);
    for (unsigned i = 0; i <= 4; i++) {
        fprintf(out, "<text x=%d y=%d text-anchor=%s>", LEFT + (int)i * (WIDTH - LEFT) / 4,
                (int)(TALLY_LANES * LANE + 18),
                i == 0   ? "start"
                : i == 4 ? "end"
                         : "middle");
        page_span(out, (uint64_t)used * t->tick_ns * i / 4);
        fputs("</text>", out);
    }
    fputs("</svg></div><p class=dim><span class=ok>&#9632;</span> allowed <span "
          "class=no>&#9632;</span> "
          "denied <span style=\"color:var(--event)\">&#9632;</span> events; bars grow with the "
          "logarithm</p></section>",
          out);
}

/* ---- egress: sandbox -> destinations ---- */

static int by_weight(const void *a, const void *b)
{
    const struct tally_host *x = *(const struct tally_host *const *)a;
    const struct tally_host *y = *(const struct tally_host *const *)b;
    uint64_t wx = x->bytes + x->allowed + x->denied, wy = y->bytes + y->allowed + y->denied;

    return wx < wy ? 1 : wx > wy ? -1 : strcmp(x->name, y->name);
}

static void egress(FILE *out, const struct tally *t)
{
    enum { SHOWN = 24, ROW = 26 };
    const struct tally_host *host[TALLY_HOSTS];
    unsigned n = t->nhosts < SHOWN ? t->nhosts : SHOWN;
    double mid;

    fputs("<section><h2>Egress</h2>", out);
    if (!t->nhosts) {
        fputs("<p class=dim>No connection was asked for.</p></section>", out);
        return;
    }
    for (unsigned i = 0; i < t->nhosts; i++)
        host[i] = &t->host[i];
    /* They are pointers. NOLINTNEXTLINE(bugprone-sizeof-expression) */
    qsort(host, t->nhosts, sizeof(host[0]), by_weight);
    mid = n * ROW / 2.0;
    fprintf(
        out,
        "<div class=wide><svg viewBox=\"0 0 %d %u\" role=img aria-label=\"where data could go\">"
        "<text x=0 y=%.0f style=\"fill:var(--ink)\">sandbox</text>",
        WIDTH, n * ROW, mid + 4);
    for (unsigned i = 0; i < n; i++) {
        const struct tally_host *h = host[i];
        double y = i * ROW + ROW / 2.0, w = 1 + log2_of((uint32_t)(h->bytes >> 10)) * 0.7;

        fprintf(out,
                "<path d=\"M60 %.1f C240 %.1f 240 %.1f 420 %.1f\" fill=none stroke=\"var(--%s)\" "
                "stroke-width=%.1f %s/><text x=430 y=%.1f style=\"fill:var(--ink)\">",
                mid, mid, y, y, h->allowed ? "ok" : "no", w,
                h->allowed ? "" : "stroke-dasharray=\"4 4\" ", y + 4);
        page_text(out, h->name);
        fprintf(out, "</text><text x=%d y=%.1f text-anchor=end>", WIDTH, y + 4);
        page_bytes(out, h->bytes);
        fputs(" &#183; ", out);
        decided(out, h->allowed, h->denied, " &#183; ");
        fputs(" &#183; ", out);
        page_text(out, h->rule[0] ? h->rule : "no rule");
        fputs("</text>", out);
    }
    fputs("</svg></div>", out);
    if (t->nhosts > n || t->other_hosts)
        fprintf(out, "<p class=dim>and %u more destinations</p>",
                t->nhosts - n + (t->other_hosts ? 1 : 0));
    fputs("</section>", out);
}

/* ---- least privilege: every grant, and what became of it ---- */

static const struct tally_rule *find_rule(const struct tally *t, const char *id)
{
    for (unsigned i = 0; i < t->nrules; i++)
        if (!strcmp(t->rule[i].id, id))
            return &t->rule[i];
    return NULL;
}

static void cell(FILE *out, const char *class, const char *id, const char *what, uint64_t allowed,
                 uint64_t denied)
{
    fprintf(out, "<div class=\"cell %s\"><code>", class);
    page_text(out, id);
    fputs("</code><br>", out);
    if (what) {
        page_text(out, what);
        fputs("<br>", out);
    }
    fputs("<span class=dim>", out);
    if (allowed || denied)
        decided(out, allowed, denied, ", ");
    else
        fputs(strcmp(class, "never") != 0 ? "not seen by the host" : "never used", out);
    fputs("</span></div>", out);
}

static bool is_grant(const struct report_policy *p, const char *id)
{
    for (size_t i = 0; i < p->n; i++)
        if (!strcmp(p->grants[i].rule, id))
            return true;
    return false;
}

const char *report_use(const struct tally *t, const struct report_grant *g)
{
    const struct tally_rule *r = find_rule(t, g->rule);

    if (r && r->allowed)
        return "used";
    if (r && r->denied)
        return "denied";
    return g->seen ? "never" : "unseen";
}

static void grants(FILE *out, const struct tally *t, const struct report_policy *p)
{
    size_t never = 0;

    for (size_t i = 0; i < p->n; i++)
        never += !strcmp(report_use(t, &p->grants[i]), "never");
    if (never)
        fprintf(out,
                "<p>%zu of %zu grants were never used in this run: remove them, or learn from "
                "more runs.</p>",
                never, p->n);
    if (t->other_rules)
        fprintf(out, "<p class=dim>%llu records name rules beyond the first %u.</p>",
                (unsigned long long)t->other_rules, TALLY_RULES);
    fputs("<div class=grid>", out);
    for (size_t i = 0; i < p->n; i++) {
        const struct tally_rule *r = find_rule(t, p->grants[i].rule);

        cell(out, report_use(t, &p->grants[i]), p->grants[i].rule, p->grants[i].text,
             r ? r->allowed : 0, r ? r->denied : 0);
    }
}

static void privilege(FILE *out, const struct tally *t, const struct report_policy *p)
{
    fputs("<section><h2>Least privilege</h2>", out);
    if (p->note) {
        fputs("<p class=dim>Grants that were never used cannot be listed: ", out);
        page_text(out, p->note);
        fputs(". These are the rules that decided something.</p>", out);
    }
    grants(out, t, p);
    /* Rules that decided and are no grants: denials, limits, or all, without the policy. */
    for (unsigned i = 0; i < t->nrules; i++)
        if (!is_grant(p, t->rule[i].id))
            cell(out, t->rule[i].allowed ? "used" : "denied", t->rule[i].id, NULL,
                 t->rule[i].allowed, t->rule[i].denied);
    fputs("</div>", out);
    if (!p->n && !t->nrules)
        fputs("<p class=dim>No rule decided anything.</p>", out);
    else
        fputs("<p class=legend><span class=\"cell used\">used</span> "
              "<span class=\"cell never\">never used</span> "
              "<span class=\"cell unseen\">in the guest, not seen by the host</span> "
              "<span class=\"cell denied\">only denied</span></p>",
              out);
    fputs("</section>", out);
}

static void denials(FILE *out, const struct tally *t)
{
    uint64_t shown = t->nlatest < TALLY_LATEST ? t->nlatest : TALLY_LATEST;

    fputs("<section><h2>Denials</h2>", out);
    if (!shown)
        fputs("<p class=dim>Nothing was denied.</p>", out);
    else
        fputs("<p class=dim><span class=tag>guest</span> marks words that the guest chose.</p>"
              "<div class=wide><table><tr><th class=n>#<th>time (UTC)<th>what<th>object<th>rule"
              "<th>grade",
              out);
    for (uint64_t i = 0; i < shown; i++) {
        const struct audit_record *r = &t->latest[(t->nlatest - 1 - i) % TALLY_LATEST];

        fputs("<tr><td class=n>", out);
        page_count(out, r->seq);
        fputs("<td>", out);
        page_time(out, r->time_ns);
        fputs("<td>", out);
        page_text(out, r->kind);
        fputs("<td class=w><code>", out);
        page_text(out, r->object);
        fprintf(out, "</code>%s<td><code>", r->untrusted ? " <span class=tag>guest</span>" : "");
        page_text(out, r->rule[0] ? r->rule : "no rule");
        fputs("</code><td>", out);
        page_text(out, (const char[]){ r->grade, '\0' });
    }
    if (shown)
        fputs("</table></div>", out);
    if (t->nlatest > shown)
        fprintf(out, "<p class=dim>the last %u of %llu</p>", TALLY_LATEST,
                (unsigned long long)t->nlatest);
    fputs("</section>", out);
}

int report_write(FILE *out, const struct tally *t, const struct report_policy *policy,
                 const struct report_proof *proof)
{
    head(out, t, proof);
    timeline(out, t);
    egress(out, t);
    privilege(out, t, policy);
    denials(out, t);
    fputs("</main></html>\n", out);
    return fflush(out) || ferror(out) ? -(errno ? errno : EIO) : 0;
}
