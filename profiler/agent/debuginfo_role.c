// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/debuginfo_role.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/agent/config_data.h"
#include "profiler/agent/role_env.h"
#include "profiler/agent/upload_metrics.h"
#include "profiler/agent/upload_targets.h"
#include "profiler/base/clock.h"
#include "profiler/base/hash.h"
#include "profiler/base/log.h"
#include "profiler/base/text.h"
#include "profiler/base/vec.h"
#include "profiler/collect/file_offer.h"
#include "profiler/net/net.h"
#include "profiler/upload/debuginfo.h"
#include "profiler/upload/target.h"
#include "symbolizer/sandbox/message.h"

#define ANSWERED_MAX                                                                               \
	8192 /* build ids of a day that a destination has answered: as many as are offered, twice */
#define DAY_NS	     (86400 * NS_PER_S)
#define SAY_AGAIN_NS (3600 * NS_PER_S)

struct place { /* a destination */
	const struct config_upload *config;
	struct upload_target *target; /* NULL: it cannot be used */
	VEC(uint64_t) answered; /* hashes of build ids that it need not be asked for again today */
	uint64_t said_ns;	/* 0: never */
};

struct giver {
	struct role_env *env;
	struct net *net;
	struct place places[CONFIG_MAX_UPLOADS];
	size_t n;
	uint64_t seed, day_ns, day_bytes;
	int channel; /* to the sampler; -1: none */
	/* The file under way. */
	int fd; /* -1: there is none */
	struct file_offer offer;
	struct debuginfo_file file;
	size_t at;		  /* the place that gets it now, or next */
	bool is_orphan;		  /* who has offered it is gone */
	bool is_put_off;	  /* some place is to get it later */
	struct debuginfo *upload; /* NULL: not begun at this place */
	bool is_sending;
	enum debuginfo_outcome outcome; /* of the last request */
	struct why why;
};

bool debuginfo_role_sends_to(const struct config_upload *u)
{
	return u->debuginfo != DEBUGINFO_NONE;
}

bool debuginfo_role_is_wanted(const struct config *c)
{
	for (size_t i = 0; i < c->upload.len; i++)
		if (debuginfo_role_sends_to(&c->upload.data[i]))
			return true;
	return false;
}

/* The uploader says what is wrong with a destination. */
int debuginfo_role_prepare(struct role_env *env)
{
	struct upload_targets *t = NULL;
	int err = upload_targets_prepare(&t, env->config, debuginfo_role_sends_to, false);

	env->prepared = t;
	return err;
}

/* --- what becomes of a file at a place --------------------------------------------------------------- */

static void count(const struct giver *g, const struct place *p, size_t metric, uint64_t n)
{
	struct metrics *m = g->env->metrics;
	int thing = metrics_look(m, p->config->name);

	metrics_set_of(m, thing, metric, metrics_get_of(m, thing, metric) + n);
}

static void say(struct place *p, const struct giver *g, const char *what)
{
	uint64_t now_ns = monotonic_ns();

	if ((p->said_ns && now_ns - p->said_ns < SAY_AGAIN_NS) || !log_has_room())
		return;
	p->said_ns = now_ns;
	log_warning("upload \"%s\" (%s): debug information of %s (%s) %s: %s", p->config->name,
		    p->target->shown, g->offer.name, g->offer.build_id, what, g->why.text);
}

static uint64_t hash_of(const struct giver *g)
{
	return hash_bytes(g->offer.build_id, strlen(g->offer.build_id), g->seed);
}

static bool has_answered(const struct giver *g, const struct place *p)
{
	uint64_t hash = hash_of(g);

	for (size_t i = 0; i < p->answered.len; i++)
		if (p->answered.data[i] == hash)
			return true;
	return false;
}

/* Without memory it is asked once more than needed. */
static void note_answer(const struct giver *g, struct place *p)
{
	if (p->answered.len >= ANSWERED_MAX)
		p->answered.len = 0;
	if (vec_push(&p->answered, hash_of(g)))
		log_debug("out of memory: cannot note an answer");
}

static void settle(struct giver *g, enum debuginfo_outcome outcome)
{
	struct place *p = &g->places[g->at++];

	debuginfo_free(g->upload);
	g->upload = NULL;
	switch (outcome) {
	case DEBUGINFO_SENT:
		count(g, p, DEBUGINFO_METRIC_sent, 1);
		log_debug("upload \"%s\": it has got %s (%s)", p->config->name, g->offer.name,
			  g->offer.build_id);
		break;
	case DEBUGINFO_UNWANTED:
		count(g, p, DEBUGINFO_METRIC_unwanted, 1);
		break;
	case DEBUGINFO_REFUSED:
		count(g, p, DEBUGINFO_METRIC_refused, 1);
		say(p, g, "is refused");
		break;
	default:
		count(g, p, DEBUGINFO_METRIC_put_off, 1);
		g->is_put_off = true;
		say(p, g, "waits");
		return;
	}
	note_answer(g, p);
}

/* --- requests --------------------------------------------------------------------------------------- */

static void done(void *ctx, struct net_answer *a)
{
	struct giver *g = ctx;

	g->is_sending = false;
	g->outcome = debuginfo_answer(g->upload, a, &g->why);
	g->day_bytes += a->sent;
	count(g, &g->places[g->at], DEBUGINFO_METRIC_bytes, a->sent);
}

static void send_next(struct giver *g)
{
	struct net_request r;

	if (g->outcome != DEBUGINFO_NEXT) {
		settle(g, g->outcome);
		return;
	}
	g->is_sending = true;
	if (!debuginfo_request(g->upload, &r, &g->why) && !net_start(g->net, &r, done, g, NULL))
		return;
	g->is_sending = false;
	settle(g, DEBUGINFO_AGAIN);
}

/* Whether this place is to be asked at all. A file of a user, who may claim any build id, is for those that want such. */
static bool is_for(const struct giver *g, const struct place *p)
{
	return p->target && !has_answered(g, p) &&
	       (g->offer.of_root || p->config->debuginfo == DEBUGINFO_ALL);
}

static void begin_place(struct giver *g)
{
	struct place *p = &g->places[g->at];
	int err;

	if (!is_for(g, p)) {
		g->at++;
		return;
	}
	if (g->day_bytes >= DEBUGINFO_DAY_BYTES) {
		why_say(&g->why, 0, "this host has sent %llu GiB of it today",
			DEBUGINFO_DAY_BYTES >> 30);
		settle(g, DEBUGINFO_AGAIN);
		return;
	}
	err = debuginfo_new(&g->upload, p->target, &g->file, &g->why);
	g->outcome = DEBUGINFO_NEXT;
	if (err)
		settle(g, err == -ENOMEM ? DEBUGINFO_AGAIN : DEBUGINFO_REFUSED);
}

/* --- offers ----------------------------------------------------------------------------------------- */

static void leave_channel(struct giver *g)
{
	if (g->channel >= 0)
		close(steal_fd(&g->channel));
}

static void end_file(struct giver *g)
{
	const struct file_offer_answer a = {g->is_put_off ? FILE_OFFER_LATER : FILE_OFFER_DONE};

	debuginfo_free(g->upload);
	g->upload = NULL;
	close(steal_fd(&g->fd));
	if (g->channel >= 0 && !g->is_orphan && wire_send(g->channel, &a, sizeof(a), -1))
		leave_channel(g);
}

static bool is_sound(const struct file_offer *f, ssize_t n)
{
	return n == sizeof(*f) && memchr(f->build_id, '\0', sizeof(f->build_id)) &&
	       memchr(f->name, '\0', sizeof(f->name)) && text_is_clean(f->name, strlen(f->name));
}

static void begin_file(struct giver *g, int fd)
{
	struct stat st;

	g->fd = fd;
	g->at = 0;
	g->is_orphan = false;
	g->is_put_off = false;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		end_file(g);
		return;
	}
	g->file = (struct debuginfo_file){
		.fd = fd,
		.bytes = (uint64_t)st.st_size,
		.build_id = g->offer.build_id,
		.name = g->offer.name,
		.has_code = g->offer.has_code,
	};
}

static void take_offer(struct giver *g)
{
	struct file_offer offer;
	int fd = -1;
	ssize_t n = wire_recv_short(g->channel, &offer, sizeof(offer), &fd);

	if (n == -EAGAIN)
		return;
	if (n == sizeof(g->offer))
		g->offer = offer;
	if (fd >= 0 && is_sound(&g->offer, n)) {
		begin_file(g, fd);
		return;
	}
	cleanup_close_fd(&fd);
	leave_channel(g);
}

/* --- the loop --------------------------------------------------------------------------------------- */

/* False: it is time to end. */
static bool take_control(struct giver *g)
{
	struct control_msg m;
	int fd = -1, r = control_recv(g->env->control, &m, &fd);

	if (r > 0 && m.kind == CONTROL_FILES) {
		leave_channel(g);
		g->is_orphan = true;
		g->channel = steal_fd(&fd);
	}
	cleanup_close_fd(&fd);
	return r != -ECONNRESET && (r <= 0 || m.kind != CONTROL_END);
}

static void begin_day(struct giver *g, uint64_t now_ns)
{
	if (now_ns - g->day_ns < DAY_NS)
		return;
	g->day_ns = now_ns;
	g->day_bytes = 0;
	for (size_t i = 0; i < g->n; i++)
		g->places[i].answered.len = 0;
}

static void await_offer(struct giver *g, int wait_ms)
{
	struct pollfd p[] = {{.fd = g->env->control, .events = POLLIN},
			     {.fd = g->channel, .events = POLLIN}};

	if (poll(p, 2, wait_ms) > 0 && p[1].revents)
		take_offer(g);
}

static int turn(struct giver *g)
{
	int wait_ms = (int)(g->env->beat_ns / 1000000), err = 0;

	begin_day(g, monotonic_ns());
	if (g->fd < 0)
		await_offer(g, wait_ms);
	else if (g->is_sending)
		err = net_turn(g->net, wait_ms, g->env->control);
	else if (g->at >= g->n)
		end_file(g);
	else if (!g->upload)
		begin_place(g);
	else
		send_next(g);
	role_beat(g->env, monotonic_ns());
	return err;
}

static void release(struct giver *g, struct upload_targets *t)
{
	debuginfo_free(g->upload);
	for (size_t i = 0; i < g->n; i++)
		vec_release(&g->places[i].answered);
	cleanup_close_fd(&g->fd);
	leave_channel(g);
	upload_targets_free(t);
	config_free(g->env->config);
}

int debuginfo_role_run(struct role_env *env)
{
	struct upload_targets *t = env->prepared;
	const struct config *c = env->config;
	struct giver g = {.env = env,
			  .net = t->net,
			  .n = c->upload.len,
			  .seed = hash_random_seed(),
			  .day_ns = monotonic_ns(),
			  .channel = -1,
			  .fd = -1};
	int err = 0;

	for (size_t i = 0; i < g.n; i++)
		g.places[i] = (struct place){.config = &c->upload.data[i], .target = t->v[i]};
	role_ready(env);
	while (!err && take_control(&g))
		err = turn(&g);
	if (err)
		log_error("no debug information can be given: %s", strerror(-err));
	release(&g, t);
	return err;
}
