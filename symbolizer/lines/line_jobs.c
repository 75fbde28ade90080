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
#include "symbolizer/opener/kept_file.h"
#include "symbolizer/query/answer.h"

/* Each holds two descriptors to the end of the run. Further files wait for the next run. */
#define JOBS_MAX 64

struct job {
	struct kept_file file;
	struct build_id id;
	struct file_identity identity;
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

static int dup_fd(int fd)
{
	return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

/* Adds the current file to the files whose tables are due. */
static int add_job(struct line_jobs *j, const struct build_id *id)
{
	struct job job = {KEPT_FILE_NONE, *id, {{0}}};
	int err;

	sym_file_identity(j->at, &job.identity);
	for (size_t i = 0; i < j->jobs.len; i++)
		if (file_identity_equal(&j->jobs.data[i].identity, &job.identity))
			return 1;
	if (j->jobs.len >= JOBS_MAX || !sym_file_is_open(j->at))
		return 0;
	err = kept_file_take(&job.file, j->at) ?: vec_push(&j->jobs, job);
	if (!err)
		return 1;
	kept_file_release(&job.file);
	return -ENOMEM;
}

static int ask(void *ctx, enum line_wish wish, const struct build_id *id)
{
	struct line_jobs *j = ctx;
	const struct build_id *own = j->at ? j->at->build_id : NULL;
	struct file_identity identity;
	int result;

	if (!j->at || !sym_file_identity(j->at, &identity) ||
	    (own && own->len && !build_id_equal(own, id)))
		return -EPERM;
	if (wish == LINE_CREATE && (!j->building || j->writing >= 0))
		return -EPERM;
	result = line_cache_ask(j->cache, wish, &identity);
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
		kept_file_release(&j->jobs.data[i].file);
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
	struct sym_file file = kept_file_sym(&job->file);

	file.build_id = &job->id;
	file.identity = &job->identity;
	j->building = true;
	line_jobs_at(j, &file);
	if (build(ctx, &file) && j->writing >= 0)
		refuse(j, &job->id);
	line_jobs_at(j, NULL);
	j->building = false;
	cleanup_close_fd(&j->writing);
	j->writing = -1;
}

/* The parent's opener ends with the parent, so what cannot be had now waits for the next run. */
void line_jobs_claim(struct line_jobs *j)
{
	size_t kept = 0;

	for (size_t i = 0; i < j->jobs.len; i++)
		if (!kept_file_claim(&j->jobs.data[i].file))
			j->jobs.data[kept++] = j->jobs.data[i];
	j->jobs.len = kept;
}

void line_jobs_run(struct line_jobs *j, line_build_fn build, void *ctx)
{
	while (j->jobs.len) {
		struct job job = j->jobs.data[--j->jobs.len];

		run_job(j, &job, build, ctx);
		kept_file_release(&job.file);
	}
}
