// SPDX-License-Identifier: GPL-2.0-or-later
/* kiln fleet status: who sends, how well, and what it takes. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/base/json.h"
#include "profiler/base/log.h"
#include "profiler/base/text.h"
#include "profiler/cli/fleet.h"
#include "profiler/cli/fleet_target.h"
#include "profiler/clickhouse/ch_schema.h"
#include "profiler/clickhouse/ch_text.h"
#include "profiler/upload/clickhouse.h"

#define SINCE_NS     (86400ull * NS_PER_S)
#define MIN_SINCE_NS (60 * NS_PER_S)
#define MAX_SINCE_NS (36500ull * 86400 * NS_PER_S)
#define MAX_HOSTS    100000
#define AHEAD_S	     60 /* of the server's clock: then a host's is wrong */
#define DAY_NS	     (86400.0 * NS_PER_S)

enum { OPT_SINCE, OPT_JSON, OPT_CONFIG, OPT_TARGET /* and above: enum target_arg */ };

static const struct option_spec options[] = {
	{"since", 0, "TIME", "windows of how long (24h)", OPT_SINCE},
	{"json", 0, NULL, "print JSON", OPT_JSON},
	{"config", 'c', "FILE", "the configuration (/etc/kiln/kiln.yaml)", OPT_CONFIG},
	TARGET_OPTIONS(OPT_TARGET, "file with the bearer token"),
	{0},
};

struct status {
	const struct command *cmd;
	struct push_target_args to;
	unsigned long long since_ns;
	bool json;
	char server[64], cluster[80];
	int64_t now_s; /* by the server's clock */
	struct ch_answer hosts;
	uint64_t n_hosts, bytes, rows, parts, covered_ns; /* of all that is there, but n_hosts */
};

static int handle(const struct options *o, int id, struct status *s)
{
	switch (id) {
	case OPT_SINCE:
		if (option_duration_ns(o, "--since", &s->since_ns))
			return -EINVAL;
		if (s->since_ns >= MIN_SINCE_NS && s->since_ns <= MAX_SINCE_NS)
			return 0;
		usage_error(o->cmd, "--since: from a minute on, such as 7d");
		return -EINVAL;
	case OPT_JSON:
		s->json = true;
		return 0;
	case OPT_CONFIG:
		s->to.config = o->arg;
		return 0;
	default:
		target_args_set(&s->to.args, id - OPT_TARGET, o->arg);
		return 0;
	}
}

/* --- questions ------------------------------------------------------------------------------------ */

/* The first block that has rows, with a column of this name; NULL: there is none. */
static const struct ch_column *first(const struct ch_answer *a, const char *name, enum ch_type type)
{
	for (size_t i = 0; i < a->blocks.len; i++)
		if (a->blocks.data[i].n_rows)
			return ch_column(&a->blocks.data[i], name, type, false);
	return NULL;
}

static uint64_t first_uint(const struct ch_answer *a, const char *name)
{
	const struct ch_column *c = first(a, name, CH_UINT64);

	return c ? ch_uint(c, 0) : 0;
}

static void first_text(const struct ch_answer *a, const char *name, char *out, size_t size)
{
	const struct ch_column *c = first(a, name, CH_STRING);
	_cleanup_free_ char *clean = NULL;
	const char *text;
	size_t len;

	*out = '\0';
	if (!c)
		return;
	text = ch_text(c, 0, &len);
	clean = text_clean_dup(text, len);
	snprintf(out, size, "%s", clean ? clean : "");
}

static int ask_server(struct status *s, const struct ch_server *server, struct why *why)
{
	struct ch_answer a = {0};
	int err = ch_ask(server,
			 "SELECT version() AS server, toUInt64(schema) AS schema, cluster, "
			 "toUInt64(toUnixTimestamp(now())) AS now FROM kiln_schema",
			 &a, why);

	if (!err && first_uint(&a, "schema") != CH_SCHEMA)
		err = why_say(why, -EINVAL,
			      "its schema is version %" PRIu64 ", and this kiln knows %d: %s",
			      first_uint(&a, "schema"), CH_SCHEMA,
			      first_uint(&a, "schema") > CH_SCHEMA ? "upgrade kiln"
								   : "kiln fleet init upgrades it");
	first_text(&a, "server", s->server, sizeof(s->server));
	first_text(&a, "cluster", s->cluster, sizeof(s->cluster));
	s->now_s = (int64_t)first_uint(&a, "now");
	ch_answer_release(&a);
	return err;
}

/* Each window once, whether its parts are merged or not. */
static int ask_hosts(struct status *s, const struct ch_server *server, struct why *why)
{
	int64_t since_ns = (s->now_s - (int64_t)(s->since_ns / NS_PER_S)) * (int64_t)NS_PER_S;
	struct buf sql = {0};
	int err;

	buf_str(&sql,
		"SELECT host, toUInt64(count()) AS windows, toInt64(min(b)) AS first_ns, "
		"toInt64(max(b + toInt64(d))) AS last_ns, toUInt64(sum(d)) AS covered_ns, "
		"toUInt64(sum(e)) AS expected, toUInt64(sum(l)) AS lost, toUInt64(sum(r)) AS rows, "
		"toInt64(max(intDiv(b + toInt64(d), 1000000000) - toInt64(at))) AS ahead_s, "
		"max(k) AS kiln\nFROM (SELECT host, time, id, any(begin_ns) AS b, "
		"any(duration_ns) AS d, any(expected) AS e, any(lost) AS l, any(rows) AS r, "
		"any(kiln) AS k, min(toUnixTimestamp(received)) AS at\n\tFROM windows WHERE time "
		">= ");
	ch_add_time(&sql, since_ns);
	buf_printf(&sql, " GROUP BY host, time, id) AS w\nGROUP BY host ORDER BY host LIMIT %d",
		   MAX_HOSTS);
	err = sql.err ? why_say(why, sql.err, "out of memory")
		      : ch_ask(server, buf_cstr(&sql), &s->hosts, why);
	buf_release(&sql);
	s->n_hosts = s->hosts.n_rows;
	return err;
}

static int ask_sizes(struct status *s, const struct ch_server *server, struct why *why)
{
	struct ch_answer a = {0};
	struct buf sql = {0};
	int err;

	buf_str(&sql, "SELECT toUInt64(sum(bytes_on_disk)) AS bytes, toUInt64(sum(rows)) AS n, "
		      "toUInt64(count()) AS parts FROM system.parts WHERE active AND database = ");
	ch_add_text(&sql, server->database);
	err = sql.err ? why_say(why, sql.err, "out of memory")
		      : ch_ask(server, buf_cstr(&sql), &a, why);
	buf_release(&sql);
	s->bytes = first_uint(&a, "bytes");
	s->rows = first_uint(&a, "n");
	s->parts = first_uint(&a, "parts");
	ch_answer_release(&a);
	/* Not everybody may see it. */
	if (err == -EACCES) {
		log_debug("no sizes: %s", why->text);
		err = 0;
	}
	return err;
}

static int ask_covered(struct status *s, const struct ch_server *server, struct why *why)
{
	struct ch_answer a = {0};
	int err = ch_ask(server,
			 "SELECT toUInt64(sum(d)) AS covered_ns FROM (SELECT host, time, id, "
			 "any(duration_ns) AS d FROM windows GROUP BY host, time, id) AS w",
			 &a, why);

	s->covered_ns = first_uint(&a, "covered_ns");
	ch_answer_release(&a);
	return err;
}

/* --- rows ----------------------------------------------------------------------------------------- */

struct host {
	char name[256];
	char kiln[64];
	uint64_t windows, covered_ns, expected, lost, rows;
	int64_t first_ns, last_ns, ahead_s;
};

static void host_text(const struct ch_block *b, const char *name, size_t row, char *out,
		      size_t size)
{
	const struct ch_column *c = ch_column(b, name, CH_STRING, false);
	_cleanup_free_ char *clean = NULL;
	const char *text;
	size_t len;

	*out = '\0';
	if (!c)
		return;
	text = ch_text(c, row, &len);
	clean = text_clean_dup(text, len);
	snprintf(out, size, "%s", clean ? clean : "");
	out[text_utf8_run(out, strlen(out))] = '\0';
}

static uint64_t host_uint(const struct ch_block *b, const char *name, size_t row)
{
	const struct ch_column *c = ch_column(b, name, CH_UINT64, false);

	return c ? ch_uint(c, row) : 0;
}

static int64_t host_int(const struct ch_block *b, const char *name, size_t row)
{
	const struct ch_column *c = ch_column(b, name, CH_INT64, false);

	return c ? ch_int(c, row) : 0;
}

static void get_host(const struct ch_block *b, size_t row, struct host *h)
{
	host_text(b, "host", row, h->name, sizeof(h->name));
	host_text(b, "kiln", row, h->kiln, sizeof(h->kiln));
	h->windows = host_uint(b, "windows", row);
	h->covered_ns = host_uint(b, "covered_ns", row);
	h->expected = host_uint(b, "expected", row);
	h->lost = host_uint(b, "lost", row);
	h->rows = host_uint(b, "rows", row);
	h->first_ns = host_int(b, "first_ns", row);
	h->last_ns = host_int(b, "last_ns", row);
	h->ahead_s = host_int(b, "ahead_s", row);
}

static uint64_t lag_ns(const struct status *s, const struct host *h)
{
	int64_t now_ns = s->now_s * (int64_t)NS_PER_S;

	return now_ns > h->last_ns ? (uint64_t)(now_ns - h->last_ns) : 0;
}

/* Of the time between the first window and the last: in none of them. Negative: in two. */
static int64_t gap_ns(const struct host *h)
{
	return h->last_ns - h->first_ns - (int64_t)h->covered_ns;
}

static bool overlaps(const struct host *h)
{
	return gap_ns(h) < -(int64_t)NS_PER_S;
}

/* Less tells of stacks that are new, not of a day. */
static bool has_host_day(const struct status *s)
{
	return s->covered_ns >= DAY_NS;
}

static double bytes_a_host_day(const struct status *s)
{
	return (double)s->bytes / ((double)s->covered_ns / DAY_NS);
}

/* --- output --------------------------------------------------------------------------------------- */

static void each_host(const struct status *s, void (*show)(void *ctx, const struct host *h),
		      void *ctx)
{
	struct host h;

	for (size_t b = 0; b < s->hosts.blocks.len; b++) {
		for (size_t row = 0; row < s->hosts.blocks.data[b].n_rows; row++) {
			get_host(&s->hosts.blocks.data[b], row, &h);
			show(ctx, &h);
		}
	}
}

struct json_hosts {
	const struct status *s;
	struct json *j;
};

static void add_host(void *ctx, const struct host *h)
{
	struct json_hosts *o = ctx;
	struct json *j = o->j;

	json_line(j);
	json_open(j, '{');
	json_key_text(j, "host", h->name);
	json_key_uint(j, "windows", h->windows);
	json_key_int(j, "first_ns", h->first_ns);
	json_key_int(j, "last_ns", h->last_ns);
	json_key_uint(j, "lag_ns", lag_ns(o->s, h));
	json_key_int(j, "gap_ns", gap_ns(h));
	json_key_uint(j, "covered_ns", h->covered_ns);
	json_key_uint(j, "expected", h->expected);
	json_key_uint(j, "lost", h->lost);
	json_key_uint(j, "rows", h->rows);
	json_key_int(j, "clock_ahead_s", h->ahead_s > 0 ? h->ahead_s : 0);
	json_key_text(j, "kiln", h->kiln);
	json_close(j, '}');
}

static void print_json(const struct status *s, const struct upload_target *t)
{
	struct buf b = {0};
	struct json j = {.out = &b};
	struct json_hosts hosts = {s, &j};

	json_open(&j, '{');
	json_key_text(&j, "url", t->shown);
	json_key_text(&j, "server", s->server);
	json_key_text(&j, "cluster", s->cluster);
	json_key_uint(&j, "schema", CH_SCHEMA);
	json_key_uint(&j, "since_ns", s->since_ns);
	json_key_uint(&j, "bytes", s->bytes);
	json_key_uint(&j, "rows", s->rows);
	json_key_uint(&j, "parts", s->parts);
	json_key_uint(&j, "covered_ns", s->covered_ns);
	if (has_host_day(s))
		json_key_uint(&j, "bytes_a_host_day", (uint64_t)bytes_a_host_day(s));
	json_key_open(&j, "hosts", '[');
	each_host(s, add_host, &hosts);
	json_line(&j);
	json_close(&j, ']');
	json_close(&j, '}');
	puts(buf_cstr(&b));
	buf_release(&b);
}

static void print_host(void *ctx, const struct host *h)
{
	const struct status *s = ctx;
	char lag[32], gap[32];
	double lost = h->expected ? 100.0 * (double)h->lost / (double)h->expected : 0;

	printf("%-24s %8" PRIu64 " %10s %10s %6.2f%%  %s", h->name, h->windows,
	       text_format_ns(lag_ns(s, h), lag, sizeof(lag)),
	       text_format_ns(gap_ns(h) > 0 ? (uint64_t)gap_ns(h) : 0, gap, sizeof(gap)), lost,
	       h->kiln);
	if (overlaps(h))
		printf("  windows overlap: two hosts of this name?");
	if (h->ahead_s > AHEAD_S)
		printf("  its clock is %" PRId64 " s ahead", h->ahead_s);
	putchar('\n');
}

static void print_text(const struct status *s, const struct upload_target *t)
{
	char n[32], rows[32], parts[32], since[32];

	printf("%s: ClickHouse %s, schema %d%s%s\n", t->shown, s->server, CH_SCHEMA,
	       *s->cluster ? ", cluster " : "", s->cluster);
	printf("%.1f MB in %s row%s and %s part%s%s", (double)s->bytes / 1e6,
	       text_format_count(s->rows, rows, sizeof(rows)), text_s(s->rows),
	       text_format_count(s->parts, parts, sizeof(parts)), text_s(s->parts),
	       *s->cluster ? " on this server" : "");
	if (has_host_day(s))
		printf(", %.2f MB a host-day", bytes_a_host_day(s) / 1e6);
	printf("\n\n");
	if (!s->n_hosts) {
		printf("no windows in the last %s\n",
		       text_format_ns(s->since_ns, since, sizeof(since)));
		return;
	}
	printf("%-24s %8s %10s %10s %7s  %s\n", "HOST", "WINDOWS", "LAG", "GAPS", "LOST", "KILN");
	each_host(s, print_host, (void *)s);
	printf("\n%s host%s\n", text_format_count(s->n_hosts, n, sizeof(n)),
	       s->n_hosts == 1 ? "" : "s");
}

static int show(struct status *s)
{
	_cleanup_(upload_target_freep) struct upload_target *t = NULL;
	struct why why = {""};
	struct ch_server server;
	int err, code = fleet_target_open(&t, &server, s->cmd, &s->to);

	if (code != EXIT_OK)
		return code;
	err = ask_server(s, &server, &why);
	err = err ?: ask_hosts(s, &server, &why);
	err = err ?: ask_covered(s, &server, &why);
	err = err ?: ask_sizes(s, &server, &why);
	if (err) {
		log_error("%s: %s", t->shown, why.text);
		return err == -EACCES ? EXIT_NOT_PERMITTED : EXIT_ERROR;
	}
	if (s->json)
		print_json(s, t);
	else
		print_text(s, t);
	return EXIT_OK;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct options o = {.cmd = self, .argc = argc, .argv = argv};
	struct status s = {.cmd = self, .since_ns = SINCE_NS};
	int id, n, code = EXIT_USAGE;
	char **operands;

	while ((id = options_next(&o)) >= 0 && !handle(&o, id, &s))
		;
	operands = options_operands(&o, &n);
	if (id == OPTIONS_HELP)
		code = EXIT_OK;
	else if (id == OPTIONS_END && n > 1)
		code = usage_error(self, "one URL at a time");
	else if (id == OPTIONS_END) {
		s.to.option = "URL";
		s.to.to = n ? operands[0] : NULL;
		code = show(&s);
	}
	ch_answer_release(&s.hosts);
	options_release(&o);
	return code;
}

const struct command command_fleet_status = {
	.name = "fleet status",
	.summary = "which hosts send, how well, and what it takes",
	.synopsis = "[URL] [options]",
	.examples = "  kiln fleet status clickhouse+http://db:8123/kiln\n"
		    "  kiln fleet status --since 7d --json        of the configured destination\n",
	.options = options,
	.run = run,
};
