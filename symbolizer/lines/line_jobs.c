// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/lines/line_jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/vec.h"
#include "symbolizer/lines/line_table.h"
#include "symbolizer/query/answer.h"

/* Each holds two descriptors to the end of the run. Further files wait for the next run. */
#define JOBS_MAX 64

struct job {
	int fd, root_fd;
	char *path;
	struct build_id id;
};

struct line_jobs {
	struct line_cache *cache;
	struct line_store store;
	const struct sym_file *at;
	int writing; /* descriptor of the table being built; -1: none requested */
	bool building;
	VEC(struct job) jobs;
};

DEFINE_CLEANUP(line_jobs, line_jobs_free)

static void job_release(struct job *job)
{
	cleanup_close_fd(&job->fd);
	cleanup_close_fd(&job->root_fd);
	free(job->path);
}

static int dup_fd(int fd)
{
	return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

/* Adds the current file to the files whose tables are due. */
static int add_job(struct line_jobs *j, const struct build_id *id)
{
	struct job job = {-1, -1, NULL, *id};

	for (size_t i = 0; i < j->jobs.len; i++)
		if (build_id_equal(&j->jobs.data[i].id, id))
			return 1;
	if (j->jobs.len >= JOBS_MAX || j->at->fd < 0)
		return 0;
	job.fd = dup_fd(j->at->fd);
	job.root_fd = dup_fd(j->at->root_fd);
	job.path = strdup(j->at->path ?: "");
	if (job.fd >= 0 && job.path && !vec_push(&j->jobs, job))
		return 1;
	job_release(&job);
	return -ENOMEM;
}

static int ask(void *ctx, enum line_wish wish, const struct build_id *id)
{
	struct line_jobs *j = ctx;
	const struct build_id *own = j->at ? j->at->build_id : NULL;
	int result;

	if (!j->at || (own && own->len && !build_id_equal(own, id)))
		return -EPERM;
	if (wish == LINE_CREATE && (!j->building || j->writing >= 0))
		return -EPERM;
	result = line_cache_ask(j->cache, wish, id);
	if (wish == LINE_CREATE && result >= 0)
		j->writing = dup_fd(result);
	return wish == LINE_SEEN && result == 1 ? add_job(j, id) : result;
}

int line_jobs_new(struct line_jobs **out, const char *dir)
{
	_cleanup_(line_jobs_freep) struct line_jobs *j = calloc(1, sizeof(*j));
	int err = j ? line_cache_open(&j->cache, dir, 0) : -ENOMEM;

	if (err)
		return err;
	j->writing = -1;
	j->store = (struct line_store){ask, j};
	*out = steal_ptr(j);
	return 0;
}

void line_jobs_free(struct line_jobs *j)
{
	if (!j)
		return;
	for (size_t i = 0; i < j->jobs.len; i++)
		job_release(&j->jobs.data[i]);
	vec_release(&j->jobs);
	line_cache_close(j->cache);
	free(j);
}

void line_jobs_stats(const struct line_jobs *j, struct line_cache_stats *out)
{
	line_cache_stats(j->cache, out);
}

const struct line_store *line_jobs_store(const struct line_jobs *j)
{
	return &j->store;
}

void line_jobs_at(struct line_jobs *j, const struct sym_file *file)
{
	j->at = file;
}

size_t line_jobs_count(const struct line_jobs *j)
{
	return j->jobs.len;
}

/* Without a refusal, every run would try again. */
static void refuse(const struct line_jobs *j, const struct build_id *id)
{
	struct line_source source = {.build_id = *id};
	struct line_table *t;
	int err = line_table_open(&t, j->writing, id);

	if (!err)
		line_table_free(t);
	else if (err != -ENODATA && !ftruncate(j->writing, 0))
		line_table_refuse(&source, j->writing, -ECANCELED);
}

static void run_job(struct line_jobs *j, const struct job *job, line_build_fn build, void *ctx)
{
	struct sym_file file = {job->fd, job->root_fd, job->path, &job->id};

	j->building = true;
	line_jobs_at(j, &file);
	if (build(ctx, &file) && j->writing >= 0)
		refuse(j, &job->id);
	line_jobs_at(j, NULL);
	j->building = false;
	cleanup_close_fd(&j->writing);
	j->writing = -1;
}

void line_jobs_run(struct line_jobs *j, line_build_fn build, void *ctx)
{
	while (j->jobs.len) {
		struct job job = j->jobs.data[--j->jobs.len];

		run_job(j, &job, build, ctx);
		job_release(&job);
	}
}
