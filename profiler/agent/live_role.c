// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/live_role.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/cgroups/cgroups.h"
#include "profiler/formats/export.h"
#include "profiler/http/live.h"
#include "profiler/profile/quality.h"
#include "profiler/record/session.h"
#include "profiler/sampler/glob.h"

#define DRAIN_NS 5000000000ull

struct target {
	pid_t pid;
	char *cgroup[2]; /* NULL-terminated */
};

static int say(struct live_reply *reply, int err, const char *text)
{
	snprintf(reply->text, sizeof(reply->text), "%s", text);
	return err;
}

static int find_unit(const char *unit, struct target *t, struct live_reply *reply)
{
	struct cgroups *c;
	uint64_t id;
	int err = cgroups_new(&c);

	if (err)
		return say(reply, err, "no cgroup file system is mounted");
	err = cgroups_by_unit(c, unit, &t->cgroup[0], &id);
	cgroups_free(c);
	return err ? say(reply, err, "there is no such unit") : 0;
}

static int choose(const struct live_request *req, struct session_opts *opts, struct target *t,
		  struct live_reply *reply)
{
	struct glob glob;

	switch ((enum live_scope)req->scope) {
	case LIVE_PID:
		t->pid = (pid_t)req->pid;
		opts->tgids = &t->pid;
		opts->n_tgids = 1;
		return 0;
	case LIVE_UNIT:
		opts->sampler.cgroups = t->cgroup;
		return find_unit(req->name, t, reply);
	case LIVE_COMM:
		opts->sampler.comm_glob = req->name;
		if (glob_compile(&glob, req->name))
			return say(reply, -EBADRQC, "comm: not a pattern such as redis-*");
		return 0;
	default:
		opts->everything = true;
		return 0;
	}
}

static int write_profile(struct session_result *r, struct quality *q, int *memfd)
{
	struct buf out = {0};
	int err = quality_store(r->profile, q);

	err = err ?: export_profile(&out, r->profile, EXPORT_PPROF_GZ, NULL);
	if (!err) {
		*memfd = memfd_create("kiln-live", MFD_CLOEXEC);
		err = *memfd < 0 ? -errno : io_pwrite(*memfd, out.data, out.len, 0);
	}
	buf_release(&out);
	return err;
}

static int record(const struct live_request *req, struct live_reply *reply, int *memfd)
{
	struct session_opts opts = {
		.sampler = {.freq_hz = LIVE_HZ,
			    .window_ns = DRAIN_NS,
			    .user = true,
			    .kernel = true},
		.duration_ns = req->seconds * 1000000000ull,
	};
	struct session_result result = {0};
	struct quality q = {0};
	struct target target = {0};
	const char *why = "";
	int err = choose(req, &opts, &target, reply);

	if (!err) {
		err = session_run(&opts, &result, &q, &why);
		if (err)
			say(reply, err, err == -ESRCH ? "there is no such process" : why);
		else
			err = write_profile(&result, &q, memfd);
		quality_release(&q);
		session_result_release(&result);
	}
	free(target.cgroup[0]);
	return err;
}

/* Nobody waits for the profile any more: the kernel takes back what recording holds. */
static void *await_hangup(void *fd)
{
	struct pollfd p = {.fd = (int)(intptr_t)fd};

	while (poll(&p, 1, -1) <= 0)
		;
	_exit(EXIT_FAILURE);
}

int live_role_run(int fd)
{
	_cleanup_close_ int memfd = -1;
	struct live_request req;
	struct live_reply reply = {0};
	pthread_t hangup;
	int err = live_take(fd, &req);

	if (err)
		return err;
	err = -pthread_create(&hangup, NULL, await_hangup, (void *)(intptr_t)fd);
	if (err)
		return err;
	reply.err = record(&req, &reply, &memfd);
	return live_answer(fd, &reply, reply.err ? -1 : memfd);
}
