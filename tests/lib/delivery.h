/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A world for profiler/upload/delivery.h in which time is simulated, and a server that answers as a test wants. */
#ifndef KILN_TESTS_DELIVERY_H
#define KILN_TESTS_DELIVERY_H

#include "profiler/base/clock.h"
#include "profiler/base/hash.h"
#include "profiler/upload/delivery.h"
#include "tests/lib/fixture.h"
#include "tests/lib/store.h"

#define MAX_REQUESTS 8
#define PARTS	     3 /* requests of a window, at most */
#define WINDOW_NS    (10 * NS_PER_S)

/* What a server does with a request. */
struct sim_answer {
	uint64_t delay_ns;
	int err;       /* as struct net_answer has it */
	bool is_taken; /* although there is no answer */
	long status;
	int64_t retry_after_s; /* 0: none */
	const char *body;
};

/* Nobody cuts the power here: stores and cursors need not wait for the disk. */
int fsync(int fd)
{
	(void)fd;
	return 0;
}

int fdatasync(int fd)
{
	(void)fd;
	return 0;
}

struct sim;
struct sim_server {
	const char *name;
	void (*answer)(struct sim *s, struct sim_server *v, struct sim_answer *out);
	uint64_t requests, failures;
	int64_t asked;		     /* window of the last request */
	uint64_t taken[1000][PARTS]; /* how often, by window and part */
	int64_t last;		     /* window that was taken for the first time */
	bool is_unordered;
	uint64_t busy; /* requests at once, at most */
	uint64_t bytes, first_ns, last_ns;
};

struct net_transfer {
	struct sim_server *server;
	net_done *done;
	void *ctx;
	uint64_t due_ns;
	int64_t window;
	int part;
	size_t len;
	struct sim_answer answer;
};

struct sim {
	uint64_t now_ns, seed;
	int64_t unix_offset_ns;
	uint64_t slept_ns; /* of the machine: not in CLOCK_MONOTONIC */
	struct sim_server servers[4];
	struct net_transfer transfers[MAX_REQUESTS];
	int parts; /* of each window; 0: some */
	size_t body_bytes;
};

static inline uint64_t sim_chance(void *ctx)
{
	struct sim *s = ctx;

	return hash_u64(s->seed += 0x9e3779b97f4a7c15);
}

static inline uint64_t sim_monotonic(void *ctx)
{
	return ((struct sim *)ctx)->now_ns;
}

static inline uint64_t sim_boottime(void *ctx)
{
	return ((struct sim *)ctx)->now_ns + ((struct sim *)ctx)->slept_ns;
}

static inline int64_t sim_unix(void *ctx)
{
	struct sim *s = ctx;

	return T0 + s->unix_offset_ns + (int64_t)(s->now_ns + s->slept_ns);
}

/* The URL is "NAME WINDOW PART". */
static inline int sim_start(void *ctx, const struct net_request *r, net_done *done, void *done_ctx,
			    struct net_transfer **out)
{
	struct sim *s = ctx;
	uint64_t busy = 0;
	char name[32];

	for (int i = 0; i < MAX_REQUESTS; i++) {
		struct net_transfer *t = &s->transfers[i];
		const char *url = strrchr(r->url, '/') ? strrchr(r->url, '/') + 1 : r->url;

		if (t->done)
			continue;
		*t = (struct net_transfer){.done = done, .ctx = done_ctx, .len = r->len};
		assert_int_equal(sscanf(url, "%31[^,],%ld,%d", name, &t->window, &t->part), 3);
		for (int j = 0; j < 4 && !t->server; j++)
			if (s->servers[j].name && !strcmp(s->servers[j].name, name))
				t->server = &s->servers[j];
		assert_non_null(t->server);
		t->server->requests++;
		t->server->asked = t->window;
		t->answer.status = 200;
		if (t->server->answer)
			t->server->answer(s, t->server, &t->answer);
		t->due_ns = s->now_ns + t->answer.delay_ns;
		for (int j = 0; j < MAX_REQUESTS; j++)
			busy += s->transfers[j].done && s->transfers[j].server == t->server;
		if (busy > t->server->busy)
			t->server->busy = busy;
		*out = t;
		return 0;
	}
	fail_msg("too many requests at once");
	return -ENOMEM;
}

static inline void sim_cancel(void *ctx, struct net_transfer *t)
{
	(void)ctx;
	*t = (struct net_transfer){0};
}

static inline void sim_take(struct sim *s, const struct net_transfer *t)
{
	struct sim_server *v = t->server;

	v->taken[t->window][t->part]++;
	v->bytes += t->len;
	v->first_ns = v->first_ns ?: s->now_ns;
	v->last_ns = s->now_ns;
	if (v->taken[t->window][t->part] > 1)
		return;
	v->is_unordered |= t->window < v->last;
	v->last = t->window;
}

static inline void sim_finish(struct sim *s, struct net_transfer *transfer)
{
	struct net_transfer t = *transfer;
	struct net_answer a = {.err = t.answer.err,
			       .status = t.answer.status,
			       .retry_after_s = t.answer.retry_after_s ?: -1,
			       .grpc_status = -1,
			       .sent = t.len};
	bool is_good = !a.err && (a.status == 200 || a.status == 206);

	*transfer = (struct net_transfer){0};
	if (is_good || t.answer.is_taken)
		sim_take(s, &t);
	t.server->failures += !is_good;
	snprintf(a.why, sizeof(a.why), "it went wrong");
	buf_str(&a.body, t.answer.body ?: "");
	t.done(t.ctx, &a);
	buf_release(&a.body);
}

/* Nothing but time passes until the next answer. */
static inline int sim_turn(void *ctx, int timeout_ms, int fd)
{
	struct sim *s = ctx;
	uint64_t until_ns = s->now_ns + (uint64_t)timeout_ms * 1000000;
	bool any = false;

	(void)fd;
	for (int i = 0; i < MAX_REQUESTS; i++)
		if (s->transfers[i].done && s->transfers[i].due_ns < until_ns)
			until_ns = s->transfers[i].due_ns;
	s->now_ns = until_ns;
	for (int i = 0; i < MAX_REQUESTS; i++)
		if (s->transfers[i].done && s->transfers[i].due_ns <= s->now_ns) {
			sim_finish(s, &s->transfers[i]);
			any = true;
		}
	s->now_ns += !any && !timeout_ms ? 1000 : 0;
	return 0;
}

static inline struct delivery_world sim_world(struct sim *s)
{
	return (struct delivery_world){s,	 sim_start,	sim_cancel,
				       sim_turn, sim_monotonic, sim_boottime,
				       sim_unix, sim_chance};
}

/* --- a kind of store -------------------------------------------------------------------------------- */

static struct sim *sim_of_kind; /* whose windows are packed */

static inline int sim_pack(const struct upload_target *t, const struct upload_item *item,
			   struct upload_requests *out, struct why *why)
{
	int64_t window = (item->profile->time_ns - T0) / (10 * SECOND);
	int parts = sim_of_kind->parts ?: (int)(window % PARTS) + 1;

	(void)why;
	for (int i = 0; i < parts; i++) {
		struct upload_request r = {.method = "POST", .samples = 10};

		assert_true(asprintf(&r.url, "%s/%s,%ld,%d", t->base, t->name, window, i) > 0);
		for (size_t n = 0; n < sim_of_kind->body_bytes; n += 64)
			buf_str(&r.body,
				"0123456789012345678901234567890123456789012345678901234567890123");
		assert_int_equal(vec_push(&out->v, r), 0);
	}
	return 0;
}

static inline void sim_judge(const struct upload_target *t, const struct net_answer *a,
			     struct upload_judgement *out)
{
	(void)t;
	out->verdict = a->body.len	  ? UPLOAD_AGAIN_FEW
		       : a->status == 200 ? UPLOAD_DELIVERED
		       : a->status == 206 ? UPLOAD_PARTIAL
		       : a->status == 207 ? UPLOAD_PARTIAL
		       : a->status == 401 ? UPLOAD_WRONG
		       : a->status == 400 ? UPLOAD_REFUSED
		       : a->status == 500 ? UPLOAD_AGAIN_FEW
					  : UPLOAD_AGAIN;
	out->retry_after_s = a->retry_after_s;
	out->rejected = a->status == 206 ? 3 : a->status == 207 ? INT64_MAX : 0;
	why_say(&out->why, 0, "%ld it went wrong", a->status);
}

static const struct upload_kind sim_kind = {.name = "sim", .pack = sim_pack, .judge = sim_judge};
static const struct upload_kind sim_hour_kind = {
	.name = "sim", .pack = sim_pack, .judge = sim_judge, .max_age_ns = 3600 * NS_PER_S};

static inline struct upload_target *sim_target(const struct upload_kind *kind, const char *name)
{
	struct upload_target *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	t->kind = kind;
	t->name = strdup(name);
	t->base = strdup("http://h");
	t->path = strdup("");
	t->query = strdup("");
	t->shown = strdup("sim+http://h");
	t->headers = calloc(1, sizeof(*t->headers));
	t->ca_fd = t->cert_fd = t->key_fd = -1;
	return t;
}

/* --- a delivery in that world ------------------------------------------------------------------------ */

static const struct store_opts writing = {.access = STORE_WRITE};

struct test {
	struct sim sim;
	struct store *store;
	struct delivery *delivery;
	const struct upload_kind *kind;
	const char *names[4];
	struct delivery_bounds bounds;
	bool (*has_begun)(void *ctx, const char *name);
	const char *const *labels;
	int64_t written;	    /* windows */
	struct delivery_stats past; /* of deliveries before this one */
};

static FIXTURE_UNUSED void append(struct test *t, int64_t i)
{
	struct window w = random_window((uint64_t)i % 50, T0 + i * 10 * SECOND, WINDOW_NS);

	assert_int_equal(append_window(t->store, &w), 0);
	window_release(&w);
}

static FIXTURE_UNUSED int start_delivery(struct test *t)
{
	const struct delivery_opts o = {
		.world = sim_world(&t->sim),
		.store_path = "store",
		.cursor_dir = "store/upload",
		.host = "h",
		.labels = t->labels,
		.has_begun = t->has_begun,
		.window_ns = WINDOW_NS,
	};
	struct why why = {""};
	int err = delivery_new(&t->delivery, &o, &why);

	for (int i = 0; i < 4 && t->names[i] && !err; i++)
		err = delivery_add(t->delivery, sim_target(t->kind ?: &sim_kind, t->names[i]),
				   &t->bounds, &why);
	return err;
}

/* The process is gone, and another one comes. */
static FIXTURE_UNUSED void crash(struct test *t)
{
	delivery_free(t->delivery);
	t->delivery = NULL;
	assert_int_equal(start_delivery(t), 0);
}

static FIXTURE_UNUSED void begin(struct test *t)
{
	sim_of_kind = &t->sim;
	t->sim.now_ns = NS_PER_S;
	for (int i = 0; i < 4 && t->names[i]; i++)
		t->sim.servers[i].name = t->names[i];
	t->store = open_store("store", &writing);
	assert_int_equal(start_delivery(t), 0);
}

static FIXTURE_UNUSED void end(struct test *t)
{
	delivery_free(t->delivery);
	store_close(t->store);
}

/* As time passes, windows are written. */
static FIXTURE_UNUSED void turn(struct test *t, int64_t most)
{
	assert_int_equal(delivery_turn(t->delivery, 1000, -1), 0);
	while (t->written < most && t->written * (int64_t)WINDOW_NS <= (int64_t)t->sim.now_ns)
		append(t, t->written++);
}

static FIXTURE_UNUSED void run_until(struct test *t, uint64_t ns, int64_t most)
{
	while (t->sim.now_ns < ns)
		turn(t, most);
}

static FIXTURE_UNUSED struct delivery_stats stats_of(struct test *t, size_t i)
{
	struct delivery_stats s;

	delivery_stats(t->delivery, i, &s);
	return s;
}

/* How many of the first n windows a server has whole; *twice: parts that came again. */
static FIXTURE_UNUSED uint64_t count_taken(const struct test *t, int server, int64_t n,
					   uint64_t *twice)
{
	uint64_t taken = 0;

	*twice = 0;
	for (int64_t i = 0; i < n; i++) {
		int parts = t->sim.parts ?: (int)(i % PARTS) + 1;
		bool all = true;

		for (int p = 0; p < parts; p++) {
			uint64_t times = t->sim.servers[server].taken[i][p];

			all &= times > 0;
			*twice += times > 1 ? times - 1 : 0;
		}
		taken += all;
	}
	return taken;
}

static FIXTURE_UNUSED void assert_all_taken(const struct test *t, int server, int64_t n)
{
	uint64_t twice;

	assert_int_equal(count_taken(t, server, n, &twice), n);
	assert_int_equal(twice, 0);
	assert_false(t->sim.servers[server].is_unordered);
	assert_true(t->sim.servers[server].busy <= 1);
}

#endif
