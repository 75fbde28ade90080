// SPDX-License-Identifier: GPL-2.0-or-later
/* The door. It chooses between the worker and the lookup in this process. */
#include "symbolizer/symbolizer.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/log.h"
#include "symbolizer/files/debug_files.h"
#include "symbolizer/lines/line_jobs.h"
#include "symbolizer/lookup/lookup.h"
#include "symbolizer/opener/opener.h"
#include "symbolizer/query/elf_facts.h"
#include "symbolizer/worker/table_read.h"
#include "symbolizer/worker/worker_set.h"

struct symbolizer {
	struct lookup *lookup;
	struct worker_set *workers; /* NULL: the lookup answers */
	struct line_jobs *jobs;	    /* NULL: no tables */
	bool names_only;
	int (*find_debug)(void *ctx, const struct build_id *id);
	void *find_ctx;
	struct opener *opener; /* owned */
	pid_t pid;	       /* creator; the worker is a child of this process */
};

DEFINE_CLEANUP(symbolizer, symbolizer_free)

static int start_worker(struct symbolizer *s, struct opener *opener)
{
	struct worker_opts opts = {
		.lookup = s->lookup,
		.names_only = s->names_only,
		.find_debug = s->find_debug,
		.find_ctx = s->find_ctx,
		.lines = s->jobs ? line_jobs_store(s->jobs) : NULL,
		.opener = opener,
	};

	return worker_set_new(&s->workers, &opts);
}

int symbolizer_new(struct symbolizer **out, const struct symbolizer_opts *opts)
{
	_cleanup_(symbolizer_freep) struct symbolizer *s = calloc(1, sizeof(*s));
	int err = s ? lookup_new(&s->lookup, opts) : -ENOMEM;

	if (err)
		return err;
	s->pid = getpid();
	s->names_only = opts->names_only;
	s->find_debug = opts->find_debug;
	s->find_ctx = opts->find_ctx;
	err = opts->table_dir && !s->names_only ? line_jobs_new(&s->jobs, opts->table_dir) : 0;
	if (!err && s->jobs)
		lookup_set_lines(s->lookup, line_jobs_store(s->jobs));
	if (!err && opts->sandbox)
		err = start_worker(s, opts->opener);
	if (err)
		return err;
	s->opener = opts->opener;
	*out = steal_ptr(s);
	return 0;
}

void symbolizer_free(struct symbolizer *s)
{
	if (!s)
		return;
	worker_set_free(s->workers);
	lookup_free(s->lookup);
	line_jobs_free(s->jobs);
	opener_free(s->opener);
	free(s);
}

void symbolizer_give_up(struct symbolizer *s)
{
	if (s->workers)
		worker_set_cancel(s->workers);
}

void symbolizer_forget(struct symbolizer *s)
{
	lookup_forget(s->lookup);
	if (s->workers)
		worker_set_forget(s->workers);
}

void symbolizer_rest(struct symbolizer *s)
{
	lookup_rest(s->lookup);
	if (s->workers)
		worker_set_rest(s->workers);
}

static struct worker *worker_for(struct symbolizer *s, const struct sym_file *file)
{
	return worker_set_for(s->workers, file);
}

static int resolve(struct symbolizer *s, const struct sym_query *q, sym_result_fn fn, void *ctx)
{
	int err;

	if (s->jobs)
		line_jobs_at(s->jobs, q->file);
	err = s->workers ? worker_resolve(worker_for(s, q->file), q, fn, ctx)
			 : lookup_resolve(s->lookup, q, fn, ctx);
	if (s->jobs)
		line_jobs_at(s->jobs, NULL);
	return err;
}

int symbolizer_resolve(struct symbolizer *s, const struct sym_file *file, const uint64_t *file_off,
		       size_t n, sym_result_fn fn, void *ctx)
{
	struct sym_query q = {.file = file, .offsets = true, .addr = file_off, .n = n};

	return resolve(s, &q, fn, ctx);
}

int symbolizer_resolve_va(struct symbolizer *s, const struct sym_file *file, const uint64_t *elf_va,
			  size_t n, sym_result_fn fn, void *ctx)
{
	struct sym_query q = {.file = file, .addr = elf_va, .n = n};

	return resolve(s, &q, fn, ctx);
}

int symbolizer_resolve_jit(struct symbolizer *s, const struct sym_file *file,
			   const struct jit_places *at, sym_result_fn fn, void *ctx)
{
	struct sym_query q = {
		.kind = at->in_dump ? QUERY_JITDUMP : QUERY_PERFMAP,
		.file = file,
		.addr = at->va,
		.as_of = at->as_of,
		.n = at->n,
	};

	if (!at->n)
		return 0;
	return s->workers ? worker_resolve(worker_for(s, file), &q, fn, ctx)
			  : lookup_resolve(s->lookup, &q, fn, ctx);
}

int symbolizer_segment(struct symbolizer *s, const struct sym_file *file, uint64_t elf_va,
		       struct elf_segment *seg)
{
	return s->workers ? worker_segment(worker_for(s, file), file, elf_va, seg)
			  : lookup_segment(s->lookup, file, elf_va, seg);
}

/* What the file itself is. `own` may be where it is put. 0 or -errno. */
static int ask_facts(struct symbolizer *s, const struct sym_file *file, struct elf_facts *own,
		     const struct elf_facts **facts)
{
	int err = 0;

	if (s->workers) {
		err = worker_ask(worker_for(s, file), QUERY_ELF, file, facts, NULL);
	} else {
		table_read(QUERY_ELF, file->fd, NULL, own, NULL, NULL);
		*facts = own;
	}
	return err ?: (*facts)->err;
}

int symbolizer_has_debug_info(struct symbolizer *s, const struct sym_file *file, bool *has)
{
	const struct elf_facts *facts;
	struct elf_facts own;
	int err = ask_facts(s, file, &own, &facts);

	if (!err)
		*has = facts->has_debug_info;
	return err;
}

int symbolizer_has_symbols(struct symbolizer *s, const struct sym_file *file, bool *has)
{
	const struct elf_facts *facts;
	struct elf_facts own;
	int err = ask_facts(s, file, &own, &facts);

	if (!err)
		*has = facts->has_symbols;
	return err;
}

int symbolizer_is_replaced(struct symbolizer *s, const struct sym_file *file, bool *is)
{
	const struct elf_facts *facts;
	struct elf_facts own;
	int err = ask_facts(s, file, &own, &facts);

	if (!err)
		*is = file->build_id && !build_id_equal(file->build_id, &facts->build_id);
	return err;
}

void symbolizer_stats(const struct symbolizer *s, struct symbolizer_stats *out)
{
	if (s->workers)
		worker_set_stats(s->workers, out);
	else
		lookup_stats(s->lookup, out);
}

/* --- line tables ------------------------------------------------------------------------------- */

static void no_result(void *ctx, size_t index, const struct sym_result *r)
{
	(void)ctx;
	(void)index;
	(void)r;
}

static uint64_t files_failed(const struct symbolizer *s)
{
	struct symbolizer_stats stats = {0};

	symbolizer_stats(s, &stats);
	return stats.files_failed;
}

static bool build_one(void *ctx, const struct sym_file *file)
{
	struct symbolizer *s = ctx;
	struct sym_query q = {.file = file, .kind = QUERY_LINES};
	uint64_t failed = files_failed(s);

	if (!s->workers) {
		int err = lookup_build(s->lookup, &q);

		log_debug("line table of %s: %s", file->path, err ? strerror(-err) : "built");
		return false; /* lookup_build() itself records failures that are final */
	}
	worker_resolve(worker_for(s, file), &q, no_result, NULL);
	return files_failed(s) > failed;
}

/* Called in a forked child. The worker ends with the parent. The caller's find_debug may need
 * threads that this process does not have. 0 or -errno. */
static int leave_parent(struct symbolizer *s)
{
	const struct debug_opener none = {0};

	s->find_debug = NULL;
	lookup_set_opener(s->lookup, &none);
	if (!s->workers)
		return 0;
	worker_set_abandon(s->workers);
	s->workers = NULL;
	return start_worker(s, NULL);
}

void symbolizer_build_tables(struct symbolizer *s)
{
	if (!s->jobs)
		return;
	if (s->pid != getpid() && leave_parent(s))
		return;
	line_jobs_run(s->jobs, build_one, s);
}

void symbolizer_claim_files(struct symbolizer *s)
{
	if (s->jobs)
		line_jobs_claim(s->jobs);
}

size_t symbolizer_tables_due(const struct symbolizer *s)
{
	return s->jobs ? line_jobs_count(s->jobs) : 0;
}

void symbolizer_table_stats(const struct symbolizer *s, struct line_cache_stats *out)
{
	*out = (struct line_cache_stats){0};
	if (s->jobs)
		line_jobs_stats(s->jobs, out);
}
