// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "profiler/agent/config.h"
#include "profiler/agent/held_secrets.h"
#include "profiler/agent/log_setup.h"
#include "profiler/agent/supervisor_priv.h"
#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/io.h"
#include "profiler/base/log.h"
#include "profiler/base/text.h"
#include "profiler/http/http.h"
#include "profiler/metrics/metrics.h"

bool reload_goes_on(const struct supervisor *s)
{
	for (int i = 0; i < ROLE_COUNT; i++)
		if (s->restarting[i])
			return true;
	return false;
}

bool reload_is_under_way(const struct supervisor *s)
{
	return s->trial.config || s->trial.reads || s->fresh || s->is_told;
}

static int config_file(const struct config *c)
{
	_cleanup_close_ int fd = memfd_create("kiln-config", MFD_CLOEXEC);
	struct buf text = {0};
	int err;

	if (fd < 0)
		return -errno;
	config_print(&text, c, true);
	err = text.err ?: io_pwrite(fd, text.data, text.len, 0);
	buf_release(&text);
	return err ?: steal_fd(&fd);
}

void reload_done(struct supervisor *s, int sampler_err)
{
	const char *changes = buf_cstr(&s->changes);

	log_set_answering(true);
	if (sampler_err)
		log_error("the sampler's configuration stays as it was: %s",
			  strerror(-sampler_err));
	else if (changes[0])
		log_info("the configuration was read again: changed: %s", changes);
	else
		log_info("the configuration was read again: no key has changed");
	log_set_answering(false);
	reload_end(s);
}

void reload_end(struct supervisor *s)
{
	s->is_told = false;
	notify_send(&s->notifier, "READY=1");
	supervisor_tell_status(s);
}

/* The sampler is the last: all others have it. */
static void tell_sampler(struct supervisor *s)
{
	const struct control_msg m = {.kind = CONTROL_CONFIG};
	struct child *c = &s->children[ROLE_SAMPLER];
	_cleanup_close_ int fd = config_file(s->config);

	if (fd >= 0 && c->state == CHILD_READY && !control_send(c->control, &m, fd)) {
		s->is_told = true;
		return;
	}
	/* The next one starts with it. */
	if (child_runs(c))
		child_kill(c);
	reload_done(s, 0);
}

/* The server may not remove what it has listened on. */
void supervisor_remove_socket(const struct config *c)
{
	if (!c->http_socket)
		return;
	confine_raise(true);
	http_remove_unix(c->http_socket);
	confine_raise(false);
}

void reload_take(struct supervisor *s)
{
	buf_release(&s->changes);
	s->changes = (struct buf){0};
	config_changes(&s->changes, s->config, s->fresh);
	if (!text_same(s->config->http_socket, s->fresh->http_socket))
		supervisor_remove_socket(s->config);
	config_free(s->config);
	s->config = steal_ptr(s->fresh);
	log_setup(s->config);
	supervisor_say_share(s);
	tell_sampler(s);
}

static bool needs_restart(const struct supervisor *s, enum role_id id)
{
	const struct role *r = &roles[id];

	return r->needs_restart && r->needs_restart(s->config, s->fresh);
}

static void give_up_fresh(struct supervisor *s)
{
	config_free(s->fresh);
	s->fresh = NULL;
	memset(s->restarting, 0, sizeof(s->restarting));
	log_set_answering(true);
	log_error("the configuration stays as it was");
	log_set_answering(false);
	reload_end(s);
}

/* Who has it already goes back. */
void reload_refuse(struct supervisor *s)
{
	for (int i = 0; i < ROLE_COUNT; i++)
		if (child_runs(&s->children[i]) && s->children[i].state != CHILD_ENDING &&
		    needs_restart(s, (enum role_id)i))
			child_end(&s->children[i]);
	give_up_fresh(s);
}

static void restart_for_fresh(struct supervisor *s)
{
	for (int i = 0; i < ROLE_COUNT; i++) {
		struct child *c = &s->children[i];

		s->restarting[i] = c->state == CHILD_READY && needs_restart(s, (enum role_id)i);
		if (s->restarting[i])
			child_end(c);
		if (c->state == CHILD_GONE && c->role->run && role_is_wanted(c->role, s->fresh)) {
			s->restarting[i] = true;
			c->retry_ns = 0;
			child_set_state(c, CHILD_OFF);
		}
		if (c->state == CHILD_OFF)
			child_try_soon(c);
	}
}

void reload_begin(struct supervisor *s)
{
	if (s->phase != PHASE_RUNNING || reload_is_under_way(s) || !supervisor_all_ready(s))
		return; /* later */
	s->reload_requested = false;
	notify_send(&s->notifier, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, monotonic_ns() / 1000);
	trial_read(s);
}

/* Its files answer. */
static void load_fresh(struct supervisor *s)
{
	struct config *fresh = NULL;
	int err;

	/* The file may be another user's. */
	confine_raise(true);
	log_set_answering(true);
	err = s->opts->load(s->opts->load_ctx, &fresh);
	err = err ?: held_secrets_put(fresh, s->secrets_seed);
	if (err)
		log_error("the configuration is wrong and stays as it was");
	log_set_answering(false);
	confine_raise(false);
	metrics_set(s->metrics, METRIC_config_reload_successful, !err);
	if (err) {
		config_free(fresh);
		reload_end(s);
		return;
	}
	trial_begin(s, fresh);
}

void reload_look(struct supervisor *s)
{
	bool is_good = s->trial.result == TRIAL_GOOD;

	if (s->trial.result == TRIAL_NONE)
		return;
	s->trial.result = TRIAL_NONE;
	if (s->trial.reads && is_good) {
		s->trial.reads = false;
		if (s->phase == PHASE_RUNNING)
			load_fresh(s);
		return;
	}
	s->trial.reads = false;
	s->fresh = steal_ptr(s->trial.config);
	if (s->phase != PHASE_RUNNING)
		return; /* it is freed in the end */
	if (!is_good) {
		metrics_set(s->metrics, METRIC_config_reload_successful, 0);
		give_up_fresh(s);
		return;
	}
	restart_for_fresh(s);
	if (!reload_goes_on(s))
		reload_take(s);
}
