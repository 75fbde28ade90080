// SPDX-License-Identifier: GPL-2.0-or-later
/* Objects of S3 from a server that answers as a test wants: net.h is played here. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/formats/compress.h"
#include "profiler/net/net.h"
#include "profiler/net/net_answer.h"
#include "profiler/remote/fleet.h"
#include "profiler/upload/target.h"
#include "tests/lib/fixture.h"

#define ID "0123456789abcdef0123456789abcdef"

/* --- the server ---------------------------------------------------------------------------------- */

struct waiting {
	net_done *done;
	void *ctx;
	struct net_answer answer;
};

/* What it says of the second of its three objects. */
static struct {
	int err;
	long status;
	const char *body;
} second;

/* A list that never ends: of pages that differ, or of one. */
static bool is_endless, is_loop;
static unsigned n_pages;
/* What the second object is instead. */
static const struct buf *bombed;

static struct waiting queue[64];
static size_t n_queue, most_bytes;

int net_new(struct net **out, const char *soname, struct why *why)
{
	(void)soname;
	(void)why;
	*out = NULL;
	return 0;
}

void net_free(struct net *n)
{
	(void)n;
}

void net_cancel(struct net *n, struct net_transfer *t)
{
	(void)n;
	(void)t;
	fail();
}

size_t net_running(const struct net *n)
{
	(void)n;
	return n_queue;
}

int net_fetch(const struct net_request *r, const char *soname, struct net_answer *out)
{
	(void)r;
	(void)soname;
	(void)out;
	return -ENOSYS;
}

int net_start(struct net *n, const struct net_request *r, net_done *done, void *ctx,
	      struct net_transfer **out)
{
	struct waiting *w = &queue[n_queue++];
	struct net_answer *a = &w->answer;

	(void)n;
	(void)out;
	assert_true(n_queue < 64);
	*w = (struct waiting){.done = done, .ctx = ctx};
	net_answer_init(a);
	a->status = 200;
	if (strstr(r->url, "delimiter=")) {
		buf_str(&a->body, "<ListBucketResult><CommonPrefixes><Prefix>h/</Prefix>"
				  "</CommonPrefixes></ListBucketResult>");
	} else if (is_endless && strstr(r->url, "list-type=")) {
		buf_printf(&a->body,
			   "<ListBucketResult><NextContinuationToken>%u"
			   "</NextContinuationToken></ListBucketResult>",
			   is_loop ? 7 : n_pages);
		n_pages++;
	} else if (strstr(r->url, "list-type=")) {
		buf_str(&a->body, "<ListBucketResult>");
		for (int i = 1; i < 4; i++)
			buf_printf(&a->body, "<Key>h/1970/01/01/00000%d.000Z-" ID ".pb.gz</Key>",
				   i);
		buf_str(&a->body, "</ListBucketResult>");
	} else if (strstr(r->url, "/000002.000Z-")) {
		most_bytes = r->max_bytes;
		a->err = second.err;
		a->status = second.status;
		snprintf(a->why, sizeof(a->why), "%s", second.body);
		buf_str(&a->body, second.body);
		if (bombed)
			buf_add(&a->body, bombed->data, bombed->len);
	}
	return 0;
}

/* One answer a turn. */
int net_turn(struct net *n, int timeout_ms, int fd)
{
	struct waiting w = queue[0];

	(void)n;
	(void)timeout_ms;
	(void)fd;
	assert_true(n_queue > 0);
	memmove(queue, queue + 1, --n_queue * sizeof(*queue));
	w.done(w.ctx, &w.answer);
	net_answer_release(&w.answer);
	return 0;
}

/* --- questions ----------------------------------------------------------------------------------- */

static int ask(struct why *why)
{
	struct fleet_query q = {.until_ns = 3600000000000};
	struct upload_target *t = NULL;
	struct profile *p = NULL;
	int err;

	*why = (struct why){""};
	fixture_write("secret", "secret-of-some-length\n");
	fixture_run("chmod 600 secret");
	err = upload_target_new(&t,
				&(struct upload_target_opts){.url = "s3+http://server/bucket",
							     .username = "me",
							     .password_file = "secret"},
				why);
	if (err)
		fail_msg("%s", why->text);
	q.target = t;
	err = fleet_profile(&p, &q, why);
	assert_null(p);
	assert_int_equal(n_queue, 0);
	upload_target_free(t);
	return err;
}

/* The others are no answer without it. */
static void an_object_that_cannot_be_read_is_an_error(void **state)
{
	static const struct {
		int err;
		long status;
		const char *body, *why;
		int wanted;
	} cases[] = {
		{0, 403, "no", "403 Forbidden: no", -EACCES},
		{0, 500, "no", "500 Internal Server Error: no", -EBUSY},
		{0, 200, "garbage", "object h/1970/01/01/000002.000Z-" ID, -EBADMSG},
		{-EIO, 0, "it broke", "it broke", -EIO},
		{-EFBIG, 0, "the answer is larger", "the answer is larger", -EFBIG},
		{-ENOMEM, 0, "out of memory", "out of memory", -ENOMEM},
		/* It has gone since it was listed. */
		{0, 404, "gone", "holds nothing of that", -ENODATA},
		{0, 200, "", "holds nothing of that", -ENODATA},
	};
	struct why why;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		second.err = cases[i].err;
		second.status = cases[i].status;
		second.body = cases[i].body;
		int err = ask(&why);

		if (err != cases[i].wanted || !strstr(why.text, cases[i].why))
			fail_msg("%zu: %d, %s", i, err, why.text);
	}
}

static void a_list_without_end_is_an_error(void **state)
{
	struct why why;

	(void)state;
	is_endless = true;
	assert_int_equal(ask(&why), -EFBIG);
	assert_non_null(strstr(why.text, "more than 12000 pages of lists"));
	is_loop = true;
	n_pages = 0;
	assert_int_equal(ask(&why), -EBADMSG);
	assert_non_null(strstr(why.text, "its list of objects has no end"));
	assert_int_equal(n_pages, 2);
	is_endless = is_loop = false;
}

/* Eight of them come side by side, and what a server says to have packed is unpacked. */
static void objects_have_their_bound(void **state)
{
	struct buf raw = {0}, bomb = {0};
	struct why why;

	(void)state;
	second.status = 200;
	second.err = 0;
	second.body = "";
	assert_int_equal(ask(&why), -ENODATA);
	assert_true(most_bytes && most_bytes <= 32u << 20);
	assert_non_null(buf_room(&raw, 257u << 20));
	memset(raw.data, 0, 257u << 20);
	assert_int_equal(compress_gzip_fast(&bomb, raw.data, 257u << 20), 0);
	buf_release(&raw);
	bombed = &bomb;
	assert_int_equal(ask(&why), -EFBIG);
	bombed = NULL;
	buf_release(&bomb);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(an_object_that_cannot_be_read_is_an_error),
		CASE(a_list_without_end_is_an_error),
		CASE(objects_have_their_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
