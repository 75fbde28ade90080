// SPDX-License-Identifier: GPL-2.0-or-later
/* kiln push: files and stored windows to a profile store. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/json.h"
#include "profiler/base/log.h"
#include "profiler/base/text.h"
#include "profiler/cli/load.h"
#include "profiler/cli/push_item.h"
#include "profiler/cli/push_source.h"
#include "profiler/cli/push_target.h"
#include "profiler/upload/push.h"

#define TIMEOUT_NS     (60 * NS_PER_S)
#define MAX_TIMEOUT_NS (86400 * NS_PER_S)
#define MAX_SAID       10 /* what is refused: the rest is counted */
#define PROGRESS_NS    (NS_PER_S / 5)

enum {
	OPT_TO,
	OPT_CONFIG,
	OPT_SERVICE,
	OPT_LABEL,
	OPT_TIMEOUT,
	OPT_MERGE,
	OPT_JSON,
	OPT_SINCE,
	OPT_UNTIL,
	OPT_WHERE,
	OPT_TARGET, /* and above: enum target_arg */
};

static const struct option_spec options[] = {
	{"to", 0, "NAME|URL", "where to: a name in the configuration's upload, or a URL", OPT_TO},
	{"config", 'c', "FILE", "the configuration (/etc/kiln/kiln.yaml)", OPT_CONFIG},
	{"service", 0, "NAME", "service_name of samples that have none", OPT_SERVICE},
	{"label", 0, "KEY=VALUE", "a label of samples that have none of it; may be repeated",
	 OPT_LABEL},
	LOAD_RANGE_OPTIONS(OPT_SINCE),
	{"merge", 0, NULL, "what a store has as one profile, instead of window by window",
	 OPT_MERGE},
	{"timeout", 0, "TIME", "how long a request is tried again (60s)", OPT_TIMEOUT},
	TARGET_OPTIONS(OPT_TARGET, "file with the bearer token"),
	{"json", 0, NULL, "print what was sent as JSON", OPT_JSON},
	{0},
};

struct pushing {
	const struct command *cmd;
	struct push_target_args to;
	struct load_range range;
	struct push_item_opts item;
	struct push_source source;
	unsigned long long timeout_ns;
	bool json, shows;
	uint64_t shown_ns;
	struct upload_target *target;
	struct push *push;
	uint64_t taken, refused, too_old;
};

/* --- options -------------------------------------------------------------------------------------- */

static int set_timeout(const struct options *o, struct pushing *p)
{
	int err = option_duration_ns(o, "--timeout", &p->timeout_ns);

	if (err || (p->timeout_ns >= NS_PER_S && p->timeout_ns <= MAX_TIMEOUT_NS))
		return err;
	usage_error(o->cmd, "--timeout: from a second to a day");
	return -EINVAL;
}

static int set_label(const struct options *o, struct pushing *p)
{
	struct why why = {""};
	int err = push_item_label(&p->item, o->arg, &why);

	if (err)
		usage_error(o->cmd, "--label: %s", why.text);
	return err;
}

static int handle(const struct options *o, int id, struct pushing *p)
{
	switch (id) {
	case OPT_TO:
		p->to.to = o->arg;
		return 0;
	case OPT_CONFIG:
		p->to.config = o->arg;
		return 0;
	case OPT_SERVICE:
		p->item.service = o->arg;
		return 0;
	case OPT_LABEL:
		return set_label(o, p);
	case OPT_TIMEOUT:
		return set_timeout(o, p);
	case OPT_MERGE:
		p->source.merge = true;
		return 0;
	case OPT_JSON:
		p->json = true;
		return 0;
	case OPT_SINCE:
	case OPT_UNTIL:
	case OPT_WHERE:
		load_range_set(&p->range, id - OPT_SINCE, o->arg);
		return 0;
	default:
		target_args_set(&p->to.args, id - OPT_TARGET, o->arg);
		return 0;
	}
}

/* --- sending -------------------------------------------------------------------------------------- */

static void clear_line(const struct pushing *p)
{
	if (p->shows)
		fputs("\r\033[K", stderr);
}

static void show_progress(struct pushing *p, bool is_last)
{
	uint64_t now_ns = monotonic_ns(), n = p->taken + p->refused + p->too_old;

	if (!p->shows || (!is_last && now_ns - p->shown_ns < PROGRESS_NS))
		return;
	p->shown_ns = now_ns;
	fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 " profile%s sent ", n, p->source.windows,
		text_s(p->source.windows));
	fflush(stderr);
}

static void on_wait(void *ctx, const struct upload_judgement *j, uint64_t wait_ns)
{
	struct pushing *p = ctx;
	char text[32];

	clear_line(p);
	log_debug("%s: %s: again in %s", p->target->name, j->why.text,
		  text_format_ns(wait_ns, text, sizeof(text)));
}

/* Says one of many that are alike. */
static void say_refused(struct pushing *p, const char *name, const char *why)
{
	clear_line(p);
	if (p->refused + p->too_old <= MAX_SAID)
		log_error("%s: %s: %s", p->target->name, name, why);
}

static int is_too_old(struct pushing *p, const struct profile *profile, const char *name)
{
	uint64_t most_ns = p->target->kind->max_age_ns;
	char limit[32];
	struct why why;

	if (!most_ns || unix_ns() - profile->time_ns <= (int64_t)most_ns)
		return false;
	p->too_old++;
	why_say(&why, 0,
		"not sent: %s takes nothing older than 1 h, so kiln sends it nothing that "
		"began more than %s ago",
		p->target->kind->name, text_format_ns(most_ns, limit, sizeof(limit)));
	say_refused(p, name, why.text);
	return true;
}

static int note_result(struct pushing *p, int err, const struct upload_judgement *j,
		       const char *name)
{
	char text[32];

	if (!err) {
		p->taken++;
		if (j->verdict == UPLOAD_PARTIAL)
			log_warning("%s: %s: taken in part: %s", p->target->name, name,
				    j->why.text);
		return EXIT_OK;
	}
	p->refused++;
	if (err == -EINVAL) {
		say_refused(p, name, j->why.text);
		return EXIT_OK; /* others may be taken */
	}
	clear_line(p);
	if (err == -ETIMEDOUT)
		log_error("%s: %s: given up, as another try would end after --timeout %s: %s",
			  p->target->name, name, text_format_ns(p->timeout_ns, text, sizeof(text)),
			  j->why.text);
	else
		log_error("%s: %s: %s", p->target->name, name, j->why.text);
	return EXIT_ERROR;
}

static int send_item(struct pushing *p, const struct push_item *item, const char *name)
{
	struct upload_judgement j;
	int err;

	if (is_too_old(p, item->profile, name))
		return EXIT_OK;
	err = push_send(p->push, &item->upload, &j);
	show_progress(p, false);
	return note_result(p, err, &j, name);
}

static int take(void *ctx, struct profile *profile, const char *name)
{
	struct pushing *p = ctx;
	struct push_item item;
	int err = push_item_make(&item, &p->item, profile), code;

	if (err) {
		log_error("%s: %s", name, strerror(-err));
		return EXIT_ERROR;
	}
	code = send_item(p, &item, name);
	push_item_release(&item);
	return code;
}

/* --- all ------------------------------------------------------------------------------------------ */

static void print_json(const struct pushing *p, const struct push_stats *s)
{
	struct buf b = {0};
	struct json j = {.out = &b};

	json_open(&j, '{');
	json_key_text(&j, "destination", p->target->name);
	json_key_uint(&j, "profiles", p->taken);
	json_key_uint(&j, "refused", p->refused);
	json_key_uint(&j, "too_old", p->too_old);
	json_key_uint(&j, "samples", s->samples);
	json_key_uint(&j, "rejected", s->rejected);
	json_key_uint(&j, "requests", s->requests);
	json_key_uint(&j, "retries", s->retries);
	json_key_uint(&j, "bytes", s->bytes);
	json_close(&j, '}');
	puts(buf_cstr(&b));
	buf_release(&b);
}

static void print_summary(const struct pushing *p)
{
	char n[32], requests[32], samples[32], bytes[32];
	struct push_stats s;

	push_stats(p->push, &s);
	if (p->json) {
		print_json(p, &s);
		return;
	}
	if (log_level() == LOG_QUIET && !s.rejected && !p->refused && !p->too_old)
		return;
	printf("%s: %s profile%s taken: %s sample%s in %s request%s, %s bytes", p->target->name,
	       text_format_count(p->taken, n, sizeof(n)), text_s(p->taken),
	       text_format_count(s.samples, samples, sizeof(samples)), text_s(s.samples),
	       text_format_count(s.requests, requests, sizeof(requests)), text_s(s.requests),
	       text_format_count(s.bytes, bytes, sizeof(bytes)));
	if (s.retries)
		printf(", %" PRIu64 " of them again", s.retries);
	if (s.rejected)
		printf("; %" PRIu64 " rejected in part", s.rejected);
	if (p->refused)
		printf("; %" PRIu64 " not taken", p->refused);
	if (p->too_old)
		printf("; %" PRIu64 " too old", p->too_old);
	putchar('\n');
}

static int send_all(struct pushing *p)
{
	const struct push_opts o = {.timeout_ns = p->timeout_ns, .on_wait = on_wait, .ctx = p};
	struct why why = {""};
	int code;

	if (push_new(&p->push, p->target, &o, &why)) {
		log_error("%s", why.text);
		return EXIT_ERROR;
	}
	code = push_source_run(&p->source);
	clear_line(p);
	if (p->refused + p->too_old > MAX_SAID)
		log_error("%s: %" PRIu64 " more like that", p->target->name,
			  p->refused + p->too_old - MAX_SAID);
	print_summary(p);
	return code == EXIT_OK && p->refused + p->too_old ? EXIT_ERROR : code;
}

static int open_and_send(struct pushing *p, char **paths, int n)
{
	_cleanup_free_ char *configured = NULL;
	char *store[2] = {NULL, NULL};
	int code = EXIT_OK;

	if (!p->to.to)
		return usage_error(p->cmd, "where to? --to NAME|URL");
	if (!n && !load_range_is_set(&p->range) && !p->source.merge)
		return usage_error(p->cmd, "nothing to send: give a FILE, a STORE or --since");
	code = push_target_open(&p->target, p->cmd, &p->to, n ? NULL : &configured);
	if (code != EXIT_OK)
		return code;
	store[0] = configured;
	p->source.paths = n ? paths : store;
	p->source.n = n ?: 1;
	p->shows = isatty(STDERR_FILENO) && log_level() != LOG_QUIET;
	return send_all(p);
}

static int run(const struct command *self, int argc, char **argv)
{
	struct options o = {.cmd = self, .argc = argc, .argv = argv};
	struct pushing p = {.cmd = self, .timeout_ns = TIMEOUT_NS};
	int id, n, code = EXIT_USAGE;
	char **paths;

	p.to.option = "--to";
	p.source = (struct push_source){.cmd = self, .range = &p.range, .take = take, .ctx = &p};
	while ((id = options_next(&o)) >= 0 && !handle(&o, id, &p))
		;
	paths = options_operands(&o, &n);
	if (id == OPTIONS_HELP)
		code = EXIT_OK;
	else if (id == OPTIONS_END)
		code = open_and_send(&p, paths, n);
	push_free(p.push);
	upload_target_free(p.target);
	push_item_opts_release(&p.item);
	options_release(&o);
	return code;
}

const struct command command_push = {
	.name = "push",
	.summary = "send profiles to Pyroscope, Parca, OTLP, S3 or another store",
	.synopsis = "[options] FILE|STORE... --to NAME|URL",
	.examples =
		"  kiln push app.pb.gz --to pyroscope+http://HOST:4040 --service app\n"
		"  kiln push app.pb.gz --to otlp+grpc://COLLECTOR:4317 --label team=web\n"
		"  kiln push --since 1h --to central          what kiln agent has stored, to a\n"
		"                                             destination of its configuration\n"
		"  kiln push /var/lib/kiln --since 2d --to s3+https://HOST/BUCKET/PREFIX\n",
	.operands = "FILE",
	.options = options,
	.run = run,
};
