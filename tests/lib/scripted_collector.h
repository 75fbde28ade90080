/* SPDX-License-Identifier: GPL-2.0-or-later */
/* In the collector's place: one that does as the test has it in `script`, and writes down what it is asked. */
#ifndef KILN_TESTS_SCRIPTED_COLLECTOR_H
#define KILN_TESTS_SCRIPTED_COLLECTOR_H

#include "tests/lib/fixture.h"

#include <errno.h>
#include <signal.h>

#include "profiler/base/buf.h"
#include "profiler/base/clock.h"
#include "profiler/collect/collector.h"
#include "profiler/profile/profile.h"
#include "symbolizer/symbolizer.h"
#include "tests/lib/profiles.h"

struct collector {
	struct buf log;
	uint64_t start_ns;
	unsigned turns, windows, tries;
	pid_t child;
};

/* What it is to do; all-zero: nothing out of the ordinary. */
static struct {
	int open_err, start_err, window_err;
	unsigned wants_windows;	       /* so many, one at each turn */
	unsigned fail_turn;	       /* number of the turn that fails */
	unsigned fail_window;	       /* number of the window that fails */
	unsigned signal_turn;	       /* in which a signal comes */
	int signal;		       /* this one; 0: SIGTERM */
	unsigned gone_turn;	       /* at which the targets are gone */
	pid_t missing;		       /* no such process */
	unsigned samples;	       /* in each window, of stacks of their own */
	void (*on_start)(pid_t child); /* as sampling begins */
} script;

static struct collector *current;

/* What it was asked, in its words; turns are left out. */
static char said[1024];

static void say(struct collector *c, const char *fmt, ...)
{
	va_list ap;

	if (c->log.len)
		buf_char(&c->log, ' ');
	va_start(ap, fmt);
	buf_vprintf(&c->log, fmt, ap);
	va_end(ap);
}

int collector_open(struct collector **out, const struct collector_opts *opts, const char **why)
{
	*why = "it does not open";
	if (script.open_err)
		return script.open_err;
	*out = current = calloc(1, sizeof(*current));
	assert_true(opts->waits_for_names);
	say(current, "open(%s)", opts->scope == COLLECT_TARGETS ? "targets" : "all");
	return 0;
}

void collector_close(struct collector *c)
{
	if (!c)
		return;
	say(c, "close");
	snprintf(said, sizeof(said), "%s", buf_cstr(&c->log));
	buf_release(&c->log);
	free(c);
	current = NULL;
}

int collector_watch(struct collector *c, pid_t tgid, const char **why)
{
	*why = "no such process";
	if (tgid == script.missing)
		return -ESRCH;
	say(c, "watch(%d)", tgid);
	return 0;
}

int collector_add(struct collector *c, pid_t tgid, const char **why)
{
	(void)why;
	say(c, "add");
	c->child = tgid;
	return 0;
}

bool collector_targets_gone(const struct collector *c)
{
	return script.gone_turn && c->turns >= script.gone_turn;
}

void collector_used(struct collector *c, uint64_t used_ns)
{
	(void)c;
	(void)used_ns;
}

size_t collector_targets(struct collector *c, pid_t *out, size_t max)
{
	(void)c;
	(void)out;
	(void)max;
	return 0;
}

int collector_scan(struct collector *c, pid_t tgid, const char **why)
{
	*why = "cannot scan";
	say(c, "scan(%d)", tgid);
	return 0;
}

int collector_start(struct collector *c, const char **why)
{
	*why = "it does not start";
	if (script.on_start)
		script.on_start(c->child);
	say(c, "start");
	c->start_ns = boottime_ns();
	return script.start_err;
}

void collector_stop(struct collector *c)
{
	say(c, "stop");
}

int collector_turn(struct collector *c, int timeout_ms)
{
	assert_in_range(timeout_ms, 0, 50);
	usleep(1000);
	c->turns++;
	if (c->turns == script.signal_turn)
		raise(script.signal ?: SIGTERM);
	return c->turns == script.fail_turn ? -EIO : 0;
}

bool collector_wants_window(const struct collector *c)
{
	return c->windows < script.wants_windows;
}

int collector_end_window(struct collector *c, bool last, struct named_window *out)
{
	uint32_t frame, stack, labels;

	say(c, last ? "last_window" : "window");
	if (script.window_err)
		return script.window_err;
	if (++c->tries == script.fail_window)
		return -ENOMEM;
	*out = (struct named_window){.profile = profile_new(), .duration_ns = 1};
	MUST(profile_init_cpu(out->profile, 1000));
	for (unsigned i = 0; i < script.samples; i++) {
		frame = location_id(out->profile, PROFILE_NONE, 1 + i + c->windows * script.samples,
				    NULL);
		MUST(profile_stack(out->profile, &frame, 1, &stack));
		MUST(profile_labelset(out->profile, NULL, 0, &labels));
		MUST(profile_add(out->profile, stack, labels, (int64_t[]){1, 1000}));
	}
	out->quality.recorded = script.samples;
	c->windows++;
	return 0;
}

void named_window_release(struct named_window *w)
{
	profile_free(w->profile);
	quality_release(&w->quality);
	*w = (struct named_window){0};
}

void collector_progress(struct collector *c, struct collector_progress *out)
{
	*out = (struct collector_progress){.samples = c->turns};
}

const char *collector_event(const struct collector *c)
{
	(void)c;
	return "cpu-clock";
}

size_t collector_cpus(const struct collector *c)
{
	(void)c;
	return 3;
}

uint64_t collector_start_ns(const struct collector *c)
{
	return c->start_ns;
}

struct symbolizer *collector_take_symbolizer(struct collector *c)
{
	struct symbolizer_opts opts = {0};
	struct symbolizer *s;

	(void)c;
	MUST(symbolizer_new(&s, &opts));
	return s;
}

#endif
