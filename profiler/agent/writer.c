// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/writer.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "profiler/agent/config.h"
#include "profiler/agent/keep_windows.h"
#include "profiler/agent/role_env.h"
#include "profiler/agent/store_sink.h"
#include "profiler/agent/window_wire.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/log.h"
#include "profiler/metrics/metrics.h"
#include "profiler/store/query.h"
#include "profiler/store/store.h"

struct writer {
	struct role_env *env;
	struct window_sink *sink;
	int channel; /* -1: no sampler */
	bool ends;
	bool is_astray; /* the store is no more where it was opened */
};

/* --- windows ------------------------------------------------------------------------------------ */

/* A writer before this one may have stored it without living to say so. */
static bool is_stored(const struct writer *w, const struct window_head *h)
{
	struct store_opts opts = {.access = STORE_READ};
	struct store_query q = {
		.since_ns = h->begin_unix_ns,
		.until_ns = h->begin_unix_ns + 1,
		.without_stacks = true,
	};
	struct store_result result = {0};
	struct why why = {""};
	struct store *s;
	bool yes;

	if (store_open(&s, w->env->config->store_path, &opts, &why))
		return false;
	yes = !store_query(s, &q, &result, &why) && result.windows;
	store_result_release(&result);
	store_close(s);
	return yes;
}

static int store_window(struct writer *w, const struct arrived_window *in)
{
	const struct window_head *h = &in->head;
	int err;

	if (h->again && is_stored(w, h))
		return 0;
	err = w->sink->append(w->sink, in->profile, &in->quality, h->begin_unix_ns, h->duration_ns);
	if (!err)
		metrics_add(w->env->metrics, METRIC_windows_stored, 1);
	return err;
}

static void leave_channel(struct writer *w)
{
	if (w->channel >= 0)
		close(steal_fd(&w->channel));
}

static void take_window(struct writer *w)
{
	struct arrived_window in;
	struct window_ack ack;
	int r = window_recv(w->channel, &in);

	if (r == 0)
		return;
	ack = (struct window_ack){.seq = in.head.seq, .err = r < 0 ? r : store_window(w, &in)};
	window_release(&in);
	malloc_trim(0); /* a profile is many small blocks, which glibc would keep until the next */
	/* What nobody has acknowledged the next writer gets again. */
	w->is_astray = ack.err == -ESTALE;
	if (r == -ECONNRESET || w->is_astray || window_ack_send(w->channel, &ack))
		leave_channel(w);
}

/* --- the supervisor ----------------------------------------------------------------------------- */

static void take_control(struct writer *w)
{
	struct control_msg m;
	int fd = -1, r = control_recv(w->env->control, &m, &fd);

	if (r == -ECONNRESET || (r > 0 && m.kind == CONTROL_END)) {
		w->ends = true;
	} else if (r > 0 && m.kind == CONTROL_CHANNEL) {
		leave_channel(w);
		w->channel = steal_fd(&fd);
	}
	cleanup_close_fd(&fd);
}

static int turn(struct writer *w)
{
	struct pollfd p[] = {
		{.fd = w->env->control, .events = POLLIN},
		{.fd = w->channel, .events = POLLIN},
	};

	if (poll(p, 2, (int)(w->env->beat_ns / 1000000)) < 0 && errno != EINTR)
		return -errno;
	if (p[1].revents)
		take_window(w);
	if (p[0].revents)
		take_control(w);
	role_beat(w->env, monotonic_ns());
	if (!w->is_astray)
		return 0;
	log_warning("%s is gone, or is another directory than it was: the store is opened again",
		    w->env->config->store_path);
	return -ESTALE;
}

/* What the sampler sent before it ended is in the socket still. */
static void take_rest(struct writer *w)
{
	struct pollfd p = {.fd = w->channel, .events = POLLIN};

	while (w->channel >= 0 && poll(&p, 1, 0) > 0) {
		take_window(w);
		p.fd = w->channel;
	}
}

static int open_sink(struct writer *w)
{
	struct why why = {""};
	int err = store_sink_open(&w->sink, w->env->config, w->env->metrics, &why);

	if (err)
		log_error("%s%s", why.text,
			  err == -EBUSY || err == -ENOMEM ? "" : "; store.path says where else");
	return err ?: keep_windows(&w->sink);
}

int writer_run(struct role_env *env)
{
	struct writer w = {.env = env, .channel = -1};
	int err = open_sink(&w);

	if (!err) {
		metrics_set(env->metrics, METRIC_store_open, 1);
		role_ready(env);
		while (!err && !w.ends)
			err = turn(&w);
		take_rest(&w);
		w.sink->close(w.sink);
	}
	leave_channel(&w);
	config_free(env->config);
	return err;
}
