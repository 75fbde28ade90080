// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/upload_role.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/agent/config.h"
#include "profiler/agent/role_env.h"
#include "profiler/agent/store_owner.h"
#include "profiler/agent/upload_metrics.h"
#include "profiler/agent/upload_targets.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/log.h"
#include "profiler/base/text.h"
#include "profiler/net/net.h"
#include "profiler/upload/check.h"
#include "profiler/upload/delivery.h"
#include "profiler/upload/series.h"

#define LOOK_MS	   1000
#define COUNT_NS   (2 * NS_PER_S) /* how often metrics are set */
#define HOST_BYTES (HOST_NAME_MAX + 1)

bool upload_role_is_wanted(const struct config *c)
{
	return c->upload.len;
}

int upload_role_dir(const struct config *c, char *out, size_t size)
{
	int n = snprintf(out, size, "%s/" STORE_OWNER_CURSORS, c->store_path);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

/* --- destinations --------------------------------------------------------------------------------- */

int upload_role_check_files(const struct config *c, bool is_lenient)
{
	int err = 0;

	for (size_t i = 0; i < c->upload.len; i++) {
		_cleanup_(upload_target_freep) struct upload_target *t = NULL;
		const struct config_place *at = &c->upload.data[i].at;
		struct why why = {""};
		int failed = upload_targets_make(&t, &c->upload.data[i], &why);

		if (!failed)
			continue;
		log_error("%s:%u:%u: upload \"%s\": %s", at->source ?: "default", at->line,
			  at->column, c->upload.data[i].name, why.text);
		if (failed != -EACCES || !is_lenient)
			err = err ?: failed;
	}
	return err;
}

int upload_role_check(const struct config_upload *u, uint64_t frequency_hz, struct why *answer)
{
	_cleanup_(upload_target_freep) struct upload_target *t = NULL;
	char host[HOST_BYTES] = "";
	int err = upload_targets_make(&t, u, answer);

	gethostname(host, sizeof(host) - 1);
	return err ?: upload_check(t, host, NS_PER_S / frequency_hz, answer);
}

/* --- while there are privileges ------------------------------------------------------------------ */

static bool is_any(const struct config_upload *u)
{
	(void)u;
	return true;
}

int upload_role_prepare(struct role_env *env)
{
	struct upload_targets *t = NULL;
	int err = upload_targets_prepare(&t, env->config, is_any, true);

	env->prepared = t;
	return err;
}

/* --- afterwards ----------------------------------------------------------------------------------- */

struct uploader {
	const char *labels[SERIES_MAX_MORE + 1]; /* the configuration's, for series */
	struct role_env *env;
	struct delivery *delivery;
	uint64_t before[CONFIG_MAX_UPLOADS]
		       [DELIVERY_METRICS]; /* counted by uploaders before this one */
	uint64_t counted_ns;
};

static bool is_configured(void *ctx, const char *name)
{
	const struct config *c = ctx;

	for (size_t i = 0; i < c->upload.len; i++)
		if (!strcmp(c->upload.data[i].name, name))
			return true;
	return false;
}

static void stats_of(struct uploader *u, size_t i, uint64_t out[DELIVERY_METRICS])
{
	struct delivery_stats s;
	size_t n = 0;

	delivery_stats(u->delivery, i, &s);
#define X(id, ...) out[n++] = s.id;
	DELIVERY_STATS(X)
#undef X
}

static bool has_begun(void *ctx, const char *name)
{
	return metrics_look(ctx, name) >= 0;
}

/* Counters are of the agent's life. */
static void begin_counting(struct uploader *u)
{
	struct metrics *m = u->env->metrics;

	metrics_keep(m, is_configured, u->env->config);
	for (size_t i = 0; i < delivery_count(u->delivery); i++) {
		int thing = metrics_find(m, delivery_name(u->delivery, i));

		for (size_t s = 0; s < DELIVERY_METRICS; s++)
			if (!strcmp(upload_metrics.about[s].kind, "counter"))
				u->before[i][s] = metrics_get_of(m, thing, s);
	}
}

static void count(struct uploader *u)
{
	struct metrics *m = u->env->metrics;
	uint64_t now_ns = monotonic_ns(), stats[DELIVERY_METRICS];

	if (u->counted_ns && now_ns - u->counted_ns < COUNT_NS)
		return;
	u->counted_ns = now_ns;
	for (size_t i = 0; i < delivery_count(u->delivery); i++) {
		int thing = metrics_find(m, delivery_name(u->delivery, i));

		stats_of(u, i, stats);
		for (size_t s = 0; s < DELIVERY_METRICS; s++)
			metrics_set_of(m, thing, s, u->before[i][s] + stats[s]);
	}
}

static int add_destinations(struct uploader *u, struct upload_targets *t)
{
	const struct config *c = u->env->config;
	struct why why = {""};
	int err = 0;

	for (size_t i = 0; i < c->upload.len && !err; i++) {
		const struct delivery_bounds bounds = {c->upload.data[i].max_age_ns,
						       c->upload.data[i].max_bytes,
						       c->upload.data[i].batch_ns};

		err = t->v[i] ? delivery_add(u->delivery, t->v[i], &bounds, &why)
			      : delivery_know(u->delivery, c->upload.data[i].name);
		if (!err)
			t->v[i] = NULL;
	}
	if (err)
		log_error("nothing can be uploaded: %s", why.text[0] ? why.text : strerror(-err));
	return err;
}

/* Who sets them has few values, and asks for them. */
static void choose_labels(struct uploader *u)
{
	const struct config *c = u->env->config;
	size_t n = c->labels.list.len;

	for (size_t i = 0; i < n && i < SERIES_MAX_MORE; i++)
		u->labels[i] = c->labels.list.data[i].name;
	if (n > SERIES_MAX_MORE)
		log_warning("labels: Pyroscope and Parca get the first %d of %zu", SERIES_MAX_MORE,
			    n);
}

static int open_delivery(struct uploader *u, struct upload_targets *t)
{
	const struct config *c = u->env->config;
	char host[HOST_BYTES] = "", dir[PATH_MAX];
	struct delivery_opts o = {
		.world = delivery_real_world(t->net),
		.store_path = c->store_path,
		.cursor_dir = dir,
		.host = host,
		.has_begun = has_begun,
		.begun_ctx = u->env->metrics,
		.labels = u->labels,
		.window_ns = c->window_ns,
	};
	struct why why = {""};
	int err = upload_role_dir(c, dir, sizeof(dir));

	gethostname(host, sizeof(host) - 1);
	choose_labels(u);
	err = err ?: delivery_new(&u->delivery, &o, &why);
	if (err)
		log_error("nothing can be uploaded: %s", why.text[0] ? why.text : strerror(-err));
	return err ?: add_destinations(u, t);
}

/* False: it is time to end. */
static bool take_control(struct role_env *env)
{
	struct control_msg m;
	int r = control_recv(env->control, &m, NULL);

	return r != -ECONNRESET && (r <= 0 || m.kind != CONTROL_END);
}

static int deliver(struct uploader *u)
{
	struct role_env *env = u->env;
	uint64_t beat_ms = env->beat_ns / 1000000;
	int err = 0;

	begin_counting(u);
	role_ready(env);
	do {
		count(u);
		err = delivery_turn(u->delivery, beat_ms < LOOK_MS ? (int)beat_ms : LOOK_MS,
				    env->control);
		role_beat(env, monotonic_ns());
	} while (!err && take_control(env));
	if (err)
		log_error("nothing can be uploaded: %s", strerror(-err));
	delivery_leave(u->delivery);
	u->counted_ns = 0;
	count(u);
	return err;
}

int upload_role_run(struct role_env *env)
{
	_cleanup_(upload_targets_freep) struct upload_targets *t = env->prepared;
	struct uploader u = {.env = env};
	int err = open_delivery(&u, t) ?: deliver(&u);

	delivery_free(u.delivery);
	config_free(env->config);
	return err;
}

/* --- another configuration ------------------------------------------------------------------------ */

/* Files may hold something else by now. */
static bool has_files(const struct config_upload *u)
{
	return u->token_file || u->password_file || u->ca_file || u->cert_file || u->key_file ||
	       text_has_prefix(u->url, "s3+");
}

bool upload_role_differs(const struct config *a, const struct config *b)
{
	for (size_t i = 0; i < b->upload.len; i++)
		if (has_files(&b->upload.data[i]))
			return true;
	return CONFIG_DIFFERS(a, b, CONFIG_KEY_upload, CONFIG_KEY_store_path, CONFIG_KEY_window_ns,
			      CONFIG_KEY_labels, CONFIG_KEY_log_level, CONFIG_KEY_log_format);
}
