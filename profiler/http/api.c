// SPDX-License-Identifier: GPL-2.0-or-later
/* Profiles of the store: as pprof, as a table, as a page; and what there is. */
#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/base/text.h"
#include "profiler/formats/describe.h"
#include "profiler/formats/export.h"
#include "profiler/formats/report_json.h"
#include "profiler/http/range.h"
#include "profiler/profile/difference.h"
#include "profiler/profile/label_keys.h"
#include "profiler/profile/profile.h"
#include "profiler/store/overview.h"

#define MAX_ROWS     100000
#define DEFAULT_ROWS 1000
#define DAY_S	     86400
#define MAX_WIDTH_NS (366ull * DAY_S * NS_PER_S)

static void out_of_memory(struct answer *a, int err)
{
	answer_error(a, MHD_HTTP_INTERNAL_SERVER_ERROR, "%s", strerror(-err));
}

struct asked {
	struct store_query range, base;
	bool has_base;
};

static bool asked_of(const struct request *r, struct asked *asked, struct answer *a)
{
	*asked = (struct asked){.has_base = request_param(r, "base")};
	return range_of(r, &asked->range, a) &&
	       (!asked->has_base || range_base(r, &asked->range, &asked->base, a));
}

/* What is there of a range. The quality is of all that was sampled then, whatever `where` says. */
static bool query_one(struct server *s, const struct store_query *q, struct store_result *out,
		      struct answer *a)
{
	int err;

	if (!range_query(s, q, out, a))
		return false;
	err = quality_store(out->profile, &out->quality);
	if (!err && out->windows)
		return true;
	if (err)
		out_of_memory(a, err);
	else
		answer_error(a, MHD_HTTP_NOT_FOUND,
			     "nothing is stored of that: see /api/v1/list for what is");
	store_result_release(out);
	return false;
}

#define BASE "base: "

/* Makes a difference of the range, as `kiln report --diff-base` does. */
static bool subtract(struct server *s, const struct store_query *q, struct store_result *from,
		     struct answer *a)
{
	struct store_result base;
	const char *why = NULL;
	int err;

	if (!query_one(s, q, &base, a)) {
		if (a->status == MHD_HTTP_NOT_FOUND)
			answer_error(a, MHD_HTTP_NOT_FOUND, BASE "nothing is stored of that");
		return false;
	}
	err = profile_subtract(from->profile, base.profile, false, &why);
	store_result_release(&base);
	quality_release(&from->quality);
	err = err ?: quality_load(&from->quality, from->profile);
	if (err)
		answer_error(a, range_status(err), BASE "%s", why ?: strerror(-err));
	return !err;
}

static bool whole_query(struct server *s, const struct asked *asked, struct store_result *out,
			struct answer *a)
{
	bool ok;

	if (!query_one(s, &asked->range, out, a))
		return false;
	ok = !asked->has_base || subtract(s, &asked->base, out, a);
	if (ok && (out->profile->samples.len || !asked->range.where))
		return true;
	if (ok)
		answer_error(a, MHD_HTTP_NOT_FOUND,
			     "nothing is stored of that: see /api/v1/list for what is");
	store_result_release(out);
	return false;
}

void answer_profile(struct server *s, const struct request *r, struct answer *a)
{
	struct store_result result;
	struct asked asked;
	int err;

	if (!asked_of(r, &asked, a) || !whole_query(s, &asked, &result, a))
		return;
	err = export_profile(&a->body, result.profile, EXPORT_PPROF_GZ, NULL);
	store_result_release(&result);
	a->type = TYPE_PROTO;
	a->name = "profile.pb.gz";
	if (err)
		out_of_memory(a, err);
}

/* --- report ------------------------------------------------------------------------------------ */

static bool choice(const struct request *r, const char *key, const char *words, int *n,
		   struct answer *a)
{
	const char *text = request_param(r, key);

	*n = text ? place_of_word(text, words) : 0;
	if (*n >= 0)
		return true;
	answer_error(a, MHD_HTTP_BAD_REQUEST, "%s: one of %s", key, words);
	return false;
}

static bool number(const struct request *r, const char *key, uint64_t most, uint64_t *n,
		   struct answer *a)
{
	const char *text = request_param(r, key);

	if (!text || !text_parse_u64(text, most, n))
		return true;
	answer_error(a, MHD_HTTP_BAD_REQUEST, "%s: a number from 0 to %llu", key,
		     (unsigned long long)most);
	return false;
}

static bool table_of(const struct request *r, struct report *rep, struct answer *a)
{
	uint64_t n = DEFAULT_ROWS;
	const char *text = request_param(r, "by");
	int by = text ? place_of_word(text, TABLE_BY_WORDS) : 0, sort;

	if (!choice(r, "sort", TABLE_SORT_WORDS, &sort, a) || !number(r, "n", MAX_ROWS, &n, a))
		return false;
	rep->table.by = by < 0 ? TABLE_LABEL : (enum table_by)by;
	rep->table.label = by < 0 ? label_key_of_word(text) : NULL;
	rep->table.sort = (enum table_sort)sort;
	rep->n_rows = (size_t)n;
	return true;
}

static bool value_of(const struct request *r, struct report *rep, struct answer *a)
{
	const char *type = request_param(r, "value");
	const struct profile *p = rep->p;

	rep->table.value = profile_default_type(p);
	for (size_t i = 0; type && i < p->sample_types.len; i++) {
		if (strcmp(profile_text(p, p->sample_types.data[i].type), type) != 0)
			continue;
		rep->table.value = i;
		return true;
	}
	if (type)
		answer_error(a, MHD_HTTP_BAD_REQUEST, "value: there is no such sample type");
	return !type;
}

static bool has_label(const struct report *rep, struct answer *a)
{
	struct buf text = {0};

	if (!rep->table.label || label_key_is_there(rep->p, rep->table.label))
		return true;
	label_key_missing(&text, rep->p, rep->table.label, TABLE_BY_WORDS);
	answer_error(a, MHD_HTTP_BAD_REQUEST, "by: %s", buf_cstr(&text));
	buf_release(&text);
	return false;
}

void answer_report(struct server *s, const struct request *r, struct answer *a)
{
	struct store_result result;
	struct report rep = {0};
	struct asked asked;
	int err = 0;

	if (!table_of(r, &rep, a) || !asked_of(r, &asked, a) || !whole_query(s, &asked, &result, a))
		return;
	rep.p = rep.whole = result.profile;
	rep.quality = &result.quality;
	if (has_label(&rep, a) && value_of(r, &rep, a))
		err = report_json(&a->body, &rep);
	store_result_release(&result);
	if (err)
		out_of_memory(a, err);
}

/* --- list -------------------------------------------------------------------------------------- */

/* Seconds, or a time such as 10s and 5m; 0: some dozens of rows. */
static bool step_of(const struct request *r, int64_t *width_ns, struct answer *a)
{
	const char *text = request_param(r, "step");
	uint64_t ns = 0;

	if (text && (text_parse_duration_ns(text, &ns) || ns > MAX_WIDTH_NS)) {
		answer_error(a, MHD_HTTP_BAD_REQUEST, "step: a time such as 10m, a year at most");
		return false;
	}
	*width_ns = (int64_t)(ns / NS_PER_S * NS_PER_S);
	return true;
}

static bool utc_offset_of(const struct request *r, int64_t *phase_ns, struct answer *a)
{
	const char *text = request_param(r, "utc_offset");
	bool negative = text && *text == '-';
	uint64_t seconds = 0;

	if (text && text_parse_u64(text + negative, DAY_S, &seconds)) {
		answer_error(a, MHD_HTTP_BAD_REQUEST, "utc_offset: seconds, a day at most");
		return false;
	}
	*phase_ns = (negative ? 1 : -1) * (int64_t)(seconds * NS_PER_S);
	return true;
}

static bool overview_of(const struct request *r, struct overview_query *q, struct answer *a)
{
	struct store_query range = {0};
	const char *text = request_param(r, "by");
	int by = text ? place_of_word(text, OVERVIEW_BY_WORDS) : 0;

	if (!range_of(r, &range, a) || !step_of(r, &q->width_ns, a) ||
	    !utc_offset_of(r, &q->phase_ns, a))
		return false;
	q->since_ns = range.since_ns;
	q->until_ns = range.until_ns;
	q->where = range.where;
	q->by = by < 0 ? OVERVIEW_LABEL : (enum overview_by)by;
	q->label = by < 0 ? label_key_of_word(text) : NULL;
	return true;
}

static void list(struct store *store, const struct overview_query *q, struct answer *a)
{
	struct why why = {""};
	struct overview all = {0};
	int err = overview_make(store, q, &all, &why);

	if (err)
		answer_error(a, range_status(err), "%s", why.text);
	else if (overview_json(&a->body, &all))
		out_of_memory(a, -ENOMEM);
	overview_release(&all);
}

/* What `kiln list --json` prints. */
void answer_list(struct server *s, const struct request *r, struct answer *a)
{
	struct overview_query q = {0};
	struct store *store;

	if (!overview_of(r, &q, a) || !server_begin_query(s, a))
		return;
	store = range_open(s, a);
	if (store)
		list(store, &q, a);
	store_close(store);
	server_end_query(s);
}

/* --- the page ---------------------------------------------------------------------------------- */

/* The page says what it may load, by hashes of its own script and style: the header says it, too. */
static void take_policy(struct answer *a)
{
	static const char key[] = "http-equiv=\"Content-Security-Policy\" content=\"";
	const char *at = memmem(a->body.data, a->body.len, key, sizeof(key) - 1), *end;

	at = at ? at + sizeof(key) - 1 : NULL;
	end = at ? memchr(at, '"', a->body.len - (size_t)(at - (char *)a->body.data)) : NULL;
	if (end && (size_t)(end - at) + 32 < sizeof(a->csp))
		snprintf(a->csp, sizeof(a->csp), "%.*s; frame-ancestors 'none'", (int)(end - at),
			 at);
}

#define TYPE_HTML "text/html; charset=utf-8"

static void add_field(struct buf *out, const struct request *r, const char *name, const char *label,
		      const char *usual)
{
	const char *text = request_param(r, name);

	buf_printf(out, "<p><label>%s <input name=\"%s\" placeholder=\"%s\" value=\"", label, name,
		   usual);
	text_add_html(out, text ?: "");
	buf_str(out, "\"></label>\n");
}

/* For who opens the address in a browser: what is wrong, as HTML in `why`, and how to ask for another range. */
static void form_page(const struct request *r, const char *title, struct buf *why, struct answer *a)
{
	struct buf *out = &a->body;

	buf_clear(out);
	a->type = TYPE_HTML;
	buf_printf(out,
		   "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">"
		   "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
		   "<meta name=\"color-scheme\" content=\"light dark\">"
		   "<title>kiln: %s</title>\n<style>body{font:15px/1.5 "
		   "system-ui,sans-serif;max-width:44em;"
		   "margin:2em auto;padding:0 "
		   "1em}input{font:inherit;width:20em}</style>\n<h1>%s</h1>\n<p>",
		   title, title);
	snprintf(a->csp, sizeof(a->csp),
		 "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
	buf_str(out, buf_cstr(why));
	buf_str(out, ".</p>\n<p>The last <a href=\"/?since=5m\">5 minutes</a>, "
		     "<a href=\"/?since=1h\">hour</a>, <a href=\"/?since=24h\">24 hours</a>; "
		     "<a href=\"/api/v1/list?since=30d\">what is there</a> (JSON).</p>\n<form>\n");
	add_field(out, r, "since", "From", "1h");
	add_field(out, r, "until", "To", "now");
	add_field(out, r, "where", "Where", "comm=x");
	add_field(out, r, "base", "Compare with", "before");
	buf_str(out, "<p><button>Show</button></p>\n</form>\n</html>\n");
	buf_release(why);
}

static void wrong_page(const struct request *r, struct answer *a)
{
	struct buf why = {0};

	text_add_html(&why, a->why);
	form_page(r, "That cannot be asked for", &why, a);
}

static void empty_page(const struct request *r, const struct asked *asked, struct answer *a)
{
	const struct store_query *q = &asked->range;
	struct buf why = {0};

	buf_str(&why, "Asked for: ");
	describe_range(&why, q->since_ns, q->until_ns);
	if (asked->has_base) {
		buf_str(&why, ", compared with ");
		describe_range(&why, asked->base.since_ns, asked->base.until_ns);
	}
	if (q->where) {
		buf_str(&why, ", where ");
		text_add_html(&why, q->where);
	}
	form_page(r,
		  text_has_prefix(a->why, BASE) ? "Nothing is stored of what it is compared with"
						: "Nothing is stored of that",
		  &why, a);
}

static int add_page(struct buf *out, const struct profile *p, const struct asked *asked)
{
	struct export_opts opts = {.asks = true};
	struct buf base = {0};
	int err;

	if (asked->has_base) {
		describe_range(&base, asked->base.since_ns, asked->base.until_ns);
		opts.base = buf_cstr(&base);
	}
	err = base.err ?: export_profile(out, p, EXPORT_HTML, &opts);
	buf_release(&base);
	return err;
}

void answer_page(struct server *s, const struct request *r, struct answer *a)
{
	struct store_result result;
	struct asked asked;
	int err;

	if (!asked_of(r, &asked, a)) {
		wrong_page(r, a);
		return;
	}
	if (!whole_query(s, &asked, &result, a)) {
		if (a->status == MHD_HTTP_NOT_FOUND)
			empty_page(r, &asked, a);
		else if (a->status == MHD_HTTP_BAD_REQUEST)
			wrong_page(r, a);
		return;
	}
	err = add_page(&a->body, result.profile, &asked);
	store_result_release(&result);
	a->type = TYPE_HTML;
	if (err)
		out_of_memory(a, err);
	else
		take_policy(a);
}
