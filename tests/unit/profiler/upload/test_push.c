// SPDX-License-Identifier: GPL-2.0-or-later
/* What becomes of an item that is pushed: with a server whose answers the path of a request chooses. */
#include <errno.h>

#include "profiler/base/clock.h"
#include "profiler/upload/push.h"
#include "tests/lib/net_server.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

/* --- a kind of store, and an item of it ------------------------------------------------------------ */

static const char *const *urls; /* of the item's requests, NULL-terminated */
static int pack_err;
static char *first_url; /* of the request, which may be changed */

static int pack(const struct upload_target *t, const struct upload_item *item,
		struct upload_requests *out, struct why *why)
{
	(void)t;
	(void)item;
	if (pack_err)
		return why_say(why, pack_err, "this cannot be sent");
	for (size_t i = 0; urls[i]; i++) {
		struct upload_request r = {.method = "POST", .samples = 10};

		r.url = strdup(urls[i]);
		assert_non_null(r.url);
		buf_str(&r.body, "body");
		assert_int_equal(vec_push(&out->v, r), 0);
	}
	first_url = out->v.data[0].url;
	return 0;
}

static void judge(const struct upload_target *t, const struct net_answer *a,
		  struct upload_judgement *out)
{
	(void)t;
	out->verdict = a->status == 200	  ? UPLOAD_DELIVERED
		       : a->status == 206 ? UPLOAD_PARTIAL
		       : a->status == 207 ? UPLOAD_PARTIAL
		       : a->status == 401 ? UPLOAD_WRONG
		       : a->status == 400 ? UPLOAD_REFUSED
		       : a->status == 500 ? UPLOAD_AGAIN_FEW
					  : UPLOAD_AGAIN;
	out->rejected = a->status == 206 ? 3 : a->status == 207 ? INT64_MAX : 0;
	out->retry_after_s = a->retry_after_s;
	why_say(&out->why, 0, "it says %ld", a->status);
}

static const struct upload_kind kind = {.name = "test", .pack = pack, .judge = judge};
static char *no_headers[] = {NULL};
static const struct upload_target target = {.kind = &kind,
					    .name = "t",
					    .base = "",
					    .path = "",
					    .query = "",
					    .shown = "t",
					    .headers = no_headers};

/* --- one push ---------------------------------------------------------------------------------------- */

struct pushed {
	int err;
	struct upload_judgement j;
	struct push_stats stats;
	unsigned waits;
	const char *then; /* becomes the end of the first URL in the first wait */
	uint64_t took_ns;
};

static void on_wait(void *ctx, const struct upload_judgement *j, uint64_t wait_ns)
{
	struct pushed *p = ctx;

	assert_true(j->verdict == UPLOAD_AGAIN || j->verdict == UPLOAD_AGAIN_FEW);
	assert_true(wait_ns <= 20000000);
	p->waits++;
	if (p->then)
		memcpy(first_url + strlen(first_url) - strlen(p->then), p->then, strlen(p->then));
}

/* The item has a request for each path. */
static struct pushed push_for(uint64_t timeout_ms, const char *then, const char *const *paths)
{
	struct pushed r = {.then = then};
	const struct push_opts opts = {
		.timeout_ns = timeout_ms * 1000000,
		.few = 3,
		.backoff_least_ns = 1000000,
		.backoff_most_ns = 20000000,
		.on_wait = on_wait,
		.ctx = &r,
	};
	const char *list[8] = {NULL};
	struct push *p = NULL;
	struct why why = {""};

	for (size_t i = 0; paths[i]; i++)
		list[i] = paths[i][0] == '/' ? net_server_url("http", paths[i])
					     : net_server_url(paths[i], "/");
	urls = list;
	if (push_new(&p, &target, &opts, &why))
		fail_msg("%s", why.text);
	r.took_ns = monotonic_ns();
	r.err = push_send(p, &(struct upload_item){0}, &r.j);
	r.took_ns = monotonic_ns() - r.took_ns;
	push_stats(p, &r.stats);
	push_free(p);
	return r;
}
#define PUSH(ms, then, ...) push_for(ms, then, (const char *const[]){__VA_ARGS__, NULL})

static void assert_counted(const struct pushed *r, uint64_t requests, uint64_t retries,
			   uint64_t samples, uint64_t rejected)
{
	assert_int_equal(r->stats.requests, requests);
	assert_int_equal(r->stats.retries, retries);
	assert_int_equal(r->waits, retries);
	assert_int_equal(r->stats.samples, samples);
	assert_int_equal(r->stats.rejected, rejected);
}

TEST(all_of_it_is_taken)
{
	struct pushed r = PUSH(5000, NULL, "/status/200", "/ok", "/status/200");

	assert_int_equal(r.err, 0);
	assert_int_equal(r.j.verdict, UPLOAD_DELIVERED);
	assert_counted(&r, 3, 0, 30, 0);
	assert_in_range(r.stats.bytes, 3 * strlen("body") + 1, 3000); /* with headers */
}

/* What comes after it would fare no better, or is half of something that was refused. */
TEST(the_first_that_is_not_taken_is_the_last)
{
	struct pushed r = PUSH(5000, NULL, "/status/200", "/status/400", "/status/200");

	assert_int_equal(r.err, -EINVAL);
	assert_int_equal(r.j.verdict, UPLOAD_REFUSED);
	assert_string_equal(r.j.why.text, "it says 400");
	assert_counted(&r, 2, 0, 10, 0);
	r = PUSH(5000, NULL, "/status/401", "/status/200");
	assert_int_equal(r.err, -EACCES);
	assert_int_equal(r.j.verdict, UPLOAD_WRONG);
	assert_counted(&r, 1, 0, 0, 0);
}

TEST(what_is_taken_in_part_is_never_sent_again)
{
	struct pushed r = PUSH(5000, NULL, "/status/206", "/status/200", "/status/206");

	assert_int_equal(r.err, 0);
	assert_int_equal(r.j.verdict, UPLOAD_PARTIAL);
	assert_int_equal(r.j.rejected, 6);
	assert_counted(&r, 3, 0, 30, 6);
	/* No server rejects more than it was sent. */
	r = PUSH(5000, NULL, "/status/207", "/status/200", "/status/207");
	assert_int_equal(r.j.rejected, 20);
	assert_counted(&r, 3, 0, 30, 20);
}

TEST(what_may_be_the_datas_fault_is_tried_a_few_times)
{
	struct pushed r = PUSH(5000, NULL, "/status/500", "/status/200");

	assert_int_equal(r.err, -EINVAL);
	assert_int_equal(r.j.verdict, UPLOAD_AGAIN_FEW);
	assert_counted(&r, 3, 2, 0, 0);
}

TEST(a_server_that_is_away_is_tried_until_the_time_is_over)
{
	struct pushed r = PUSH(300, NULL, "/status/503");

	assert_int_equal(r.err, -ETIMEDOUT);
	assert_int_equal(r.j.verdict, UPLOAD_AGAIN);
	assert_string_equal(r.j.why.text, "it says 503");
	assert_true(r.stats.requests >= 5);
	assert_int_equal(r.stats.retries, r.stats.requests - 1);
	assert_in_range(r.took_ns / 1000000, 250, 2000);
	r = PUSH(200, NULL, "nobody");
	assert_int_equal(r.err, -ETIMEDOUT);
	assert_true(r.stats.requests >= 2);
}

TEST(one_that_comes_back_gets_all)
{
	struct pushed r = PUSH(5000, "200", "/status/503", "/status/200");

	assert_int_equal(r.err, 0);
	assert_int_equal(r.j.verdict, UPLOAD_DELIVERED);
	assert_counted(&r, 3, 1, 20, 0);
}

/* It says that the wait is longer than there is time: nobody waits for that. */
TEST(a_wait_that_is_too_long_is_not_begun)
{
	struct pushed r = PUSH(3000, NULL, "/seconds");

	assert_int_equal(r.err, -ETIMEDOUT);
	assert_int_equal(r.j.retry_after_s, 17);
	assert_counted(&r, 1, 0, 0, 0);
	assert_true(r.took_ns < 2000000000);
}

/* A server that takes a request and says nothing holds it up no longer than the time that there is. */
TEST(a_server_that_says_nothing)
{
	struct pushed r = PUSH(300, NULL, "/never");

	assert_int_equal(r.err, -ETIMEDOUT);
	assert_true(r.took_ns < 5000000000);
}

TEST(what_cannot_be_packed)
{
	struct pushed r;

	pack_err = -EFBIG;
	r = PUSH(1000, NULL, "/ok");
	assert_int_equal(r.err, -EINVAL);
	assert_int_equal(r.j.verdict, UPLOAD_REFUSED);
	assert_string_equal(r.j.why.text, "this cannot be sent");
	assert_counted(&r, 0, 0, 0, 0);
	pack_err = -ENOMEM;
	r = PUSH(1000, NULL, "/ok");
	assert_int_equal(r.err, -ENOMEM);
	pack_err = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_it_is_taken),
		cmocka_unit_test(the_first_that_is_not_taken_is_the_last),
		cmocka_unit_test(what_is_taken_in_part_is_never_sent_again),
		cmocka_unit_test(what_may_be_the_datas_fault_is_tried_a_few_times),
		cmocka_unit_test(a_server_that_is_away_is_tried_until_the_time_is_over),
		cmocka_unit_test(one_that_comes_back_gets_all),
		cmocka_unit_test(a_wait_that_is_too_long_is_not_begun),
		cmocka_unit_test(a_server_that_says_nothing),
		cmocka_unit_test(what_cannot_be_packed),
	};

	return cmocka_run_group_tests_name("push", tests, net_server_setup, net_server_teardown);
}
