// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/upload/check.h"

#include <errno.h>
#include <stdlib.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/hash.h"
#include "profiler/profile/profile.h"
#include "profiler/upload/target.h"

#define WAIT_MS 10000

static int add_sample(struct profile *p, uint64_t period_ns)
{
	/* The least that a store takes: nothing that it is added to becomes another. */
	static const int64_t values[] = {1, 1};
	struct profile_label label = {0};
	uint32_t location, stack, labels;
	int err = profile_init_cpu(p, period_ns);

	err = err ?: profile_plain_location(p, MAPPING_KILN, CHECK_FRAME, &location);
	err = err ?: profile_stack(p, &location, 1, &stack);
	err = err ?: profile_string(p, LABEL_SERVICE, &label.key);
	err = err ?: profile_string(p, CHECK_SERVICE, &label.str);
	err = err ?: profile_string(p, "", &label.num_unit);
	err = err ?: profile_labelset(p, &label, 1, &labels);
	return err ?: profile_add(p, stack, labels, values);
}

DEFINE_CLEANUP(profile, profile_free)

static int make_profile(struct profile **out, uint64_t period_ns)
{
	_cleanup_(profile_freep) struct profile *p = profile_new();
	int err = p ? add_sample(p, period_ns) : -ENOMEM;

	if (err)
		return err;
	p->time_ns = unix_ns() - (int64_t)NS_PER_S;
	p->duration_ns = (int64_t)NS_PER_S;
	*out = steal_ptr(p);
	return 0;
}

/* *repack: what is sent depends on the answer. */
static int send_one(const struct upload_target *t, const struct upload_request *r, bool *repack,
		    struct why *why)
{
	struct upload_judgement j = {.retry_after_s = -1};
	struct net_request request;
	struct net_answer answer = {0};
	_cleanup_free_ const char **headers = NULL;
	int err = upload_target_request(t, r, &request, &headers);

	if (err)
		return why_say(why, err, "out of memory");
	request.connect_ms = request.total_ms = WAIT_MS;
	net_fetch(&request, NULL, &answer);
	upload_target_settle(t, r, &answer, &j);
	net_answer_release(&answer);
	*repack = j.repack;
	if (j.verdict == UPLOAD_DELIVERED)
		return 0;
	return why_say(why, -EIO, "%s", j.why.text);
}

static int send_item(const struct upload_target *t, const struct upload_item *item, bool *repack,
		     struct why *answer)
{
	struct upload_requests requests = {0};
	int err = t->kind->pack(t, item, &requests, answer);

	*repack = false;
	for (size_t i = 0; i < requests.v.len && !err && !*repack; i++)
		err = send_one(t, &requests.v.data[i], repack, answer);
	upload_requests_release(&requests);
	return err;
}

int upload_check(const struct upload_target *t, const char *host, uint64_t period_ns,
		 struct why *answer)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	struct upload_item item = {.host = host, .id = {hash_random_seed(), hash_random_seed()}};
	bool repack;
	int err = make_profile(&p, period_ns);

	if (err)
		return why_say(answer, err, "out of memory");
	item.profile = p;
	do
		err = send_item(t, &item, &repack, answer);
	while (!err && repack);
	if (!err)
		why_say(answer, 0, "it took the profile (%s)", t->shown);
	return err;
}
