// SPDX-License-Identifier: GPL-2.0-or-later
/* Whom to trust how much, and the door. */
#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/log.h"
#include "symbolizer/broker.h"
#include "symbolizer/worker_priv.h"

/* Failures within the window after which lines, and then names, are given up until its end: someone
 * makes files to this end. */
#define WINDOW_NS	   600000000000ull
#define FAILURES_LINES_MAX 16
#define FAILURES_NAMES_MAX 64
/* Files remembered as bad, and for how long: it may have been the machine's memory, not the file. */
#define BAD_FILES_MAX 1024
#define BAD_NS	      3600000000000ull

/* --- whom to trust ---------------------------------------------------------------------------- */

void id_of_file(const struct sym_file *file, struct file_id *id)
{
	memset(id, 0, sizeof(*id));
	if (file->build_id && file->build_id->len)
		id->build_id = *file->build_id;
	else
		sym_file_key(file->fd, &id->key);
}

static bool same_file(const struct file_id *a, const struct file_id *b)
{
	if (a->build_id.len || b->build_id.len)
		return a->build_id.len == b->build_id.len &&
		       !memcmp(a->build_id.data, b->build_id.data, a->build_id.len);
	return !memcmp(&a->key, &b->key, sizeof(a->key));
}

static struct bad_file *find_bad(struct worker *w, const struct file_id *id)
{
	for (size_t i = 0; i < w->bad.len; i++)
		if (same_file(&w->bad.data[i].id, id))
			return &w->bad.data[i];
	return NULL;
}

static enum trust trust_in(struct worker *w, const struct file_id *id)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	struct bad_file *bad = find_bad(w, id);
	enum trust trust = ALL;

	if (bad && now - bad->since_ns > BAD_NS) {
		*bad = vec_last(&w->bad);
		w->bad.len--;
		bad = NULL;
	}
	if (bad)
		trust = bad->trust;
	if (now - w->window_ns > WINDOW_NS) {
		w->window_ns = now;
		w->failures = 0;
	}
	if (w->failures > FAILURES_NAMES_MAX)
		return NO_NAMES;
	return w->failures > FAILURES_LINES_MAX && trust == ALL ? NO_LINES : trust;
}

/* After a failure with this much trust there is less. 0 or -ENOMEM. */
static int distrust(struct worker *w, const struct file_id *id, enum trust had)
{
	struct bad_file *bad = find_bad(w, id);
	struct bad_file new = {
		.id = *id,
		.trust = had == ALL && !w->opts.names_only ? NO_LINES : NO_NAMES,
		.since_ns = clock_ns(CLOCK_MONOTONIC),
	};

	w->failures++;
	if (bad) {
		*bad = new;
		return 0;
	}
	w->files_failed++;
	if (w->bad.len >= BAD_FILES_MAX) {
		w->bad.len--;
		memmove(w->bad.data, w->bad.data + 1, w->bad.len * sizeof(*w->bad.data));
	}
	return vec_push(&w->bad, new);
}

static const char *what_happened(int err, int status, char *buf, size_t size)
{
	if (err == -ETIMEDOUT)
		return "did not finish";
	if (err == -EBADMSG)
		return "gave a senseless answer";
	if (err == -ENOBUFS)
		return "ran out of memory";
	if (WIFSIGNALED(status))
		snprintf(buf, size, "was ended by signal %d", WTERMSIG(status));
	else
		snprintf(buf, size, "ended (%d)", WEXITSTATUS(status));
	return buf;
}

/* The worker failed on this file: away with it. */
static int give_up(struct worker *w, const struct sym_file *file, const struct file_id *id,
		   enum trust had, int err)
{
	int status = worker_stop(w);
	char buf[64];

	w->restarts++;
	w->segs_of = (struct file_id){0};
	w->n_segs = 0;
	log_warning("what reads the debug information of %s %s; going on %s",
		    file->path ?: "a file", what_happened(err, status, buf, sizeof(buf)),
		    had == ALL && !w->opts.names_only ? "without lines" : "without its names");
	return distrust(w, id, had);
}

/* --- queries ---------------------------------------------------------------------------------- */

struct part { /* of a query: as much as one conversation is about */
	struct sym_query q;
	size_t from; /* where it begins in the caller's */
	uint32_t index[WIRE_QUERY_MAX];
	size_t n; /* addresses that are not answered yet: q.addr[index[0..n)] */
	sym_result_fn fn;
	void *ctx;
};

static void pass_on(void *ctx, size_t i, const struct sym_result *r)
{
	struct part *p = ctx;

	p->fn(p->ctx, p->from + p->index[i], r);
}

static int answer_bare(struct part *p)
{
	_cleanup_(buf_release) struct buf module = {0};
	int err = sym_module_name(&module, p->q.file->path);

	for (size_t i = 0; i < p->n && !err; i++)
		err = sym_answer_bare(p->from + p->index[i], p->q.addr[p->index[i]], SYM_CRASHED,
				      buf_cstr(&module), p->fn, p->ctx);
	return err;
}

/* Asks for what is not answered, and forgets what then is. */
static int ask(struct worker *w, struct part *p, bool names_only)
{
	struct ask a = {.q = &p->q, .names_only = names_only, .index = p->index};
	int err = wire_reader_init(&a.reader, p->n);
	size_t left = 0;

	if (err)
		return err;
	err = worker_converse(w, &a, pass_on, p);
	for (size_t i = 0; i < p->n; i++)
		if (!a.reader.answered[i])
			p->index[left++] = p->index[i];
	p->n = left;
	wire_reader_release(&a.reader);
	return err;
}

static int resolve_part(struct worker *w, struct part *p)
{
	struct file_id id;

	id_of_file(p->q.file, &id);
	for (;;) {
		enum trust trust = trust_in(w, &id);
		int err;

		if (trust == NO_NAMES || worker_ensure(w))
			return answer_bare(p);
		err = ask(w, p, trust == NO_LINES);
		if (!err || err == -ENOMEM) {
			if (err) /* what it would still say belongs to nobody */
				worker_stop(w);
			return err;
		}
		err = give_up(w, p->q.file, &id, trust, err);
		if (err)
			return err;
	}
}

int worker_resolve(struct worker *w, const struct sym_query *q, sym_result_fn fn, void *ctx)
{
	_cleanup_free_ struct part *p = malloc(sizeof(*p));
	int err = 0;

	if (!p)
		return -ENOMEM;
	p->fn = fn;
	p->ctx = ctx;
	for (size_t from = 0; (from < q->n || !from) && !err; from += WIRE_QUERY_MAX) {
		p->q = *q;
		p->from = from;
		p->q.addr = q->addr + from;
		p->n = q->n - from < WIRE_QUERY_MAX ? q->n - from : WIRE_QUERY_MAX;
		for (size_t i = 0; i < p->n; i++)
			p->index[i] = (uint32_t)i;
		err = resolve_part(w, p);
	}
	return err;
}

static void no_result(void *ctx, size_t index, const struct sym_result *r)
{
	(void)ctx;
	(void)index;
	(void)r;
}

int worker_segment(struct worker *w, const struct sym_file *file, uint64_t elf_va,
		   struct elf_segment *seg)
{
	struct sym_query q = {.file = file};
	struct file_id id;
	int err;

	id_of_file(file, &id);
	if (!same_file(&w->segs_of, &id)) {
		w->segs_of = (struct file_id){0};
		w->n_segs = 0;
		err = worker_resolve(w, &q, no_result, NULL);
		if (err)
			return err;
		w->segs_of = id;
	}
	for (size_t i = 0; i < w->n_segs; i++) {
		if (elf_va - w->segs[i].va < w->segs[i].mem_len) {
			*seg = w->segs[i];
			return 0;
		}
	}
	return -ENOENT;
}

/* --- life ------------------------------------------------------------------------------------- */

int worker_new(struct worker **out, const struct worker_opts *opts)
{
	struct worker *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	w->opts = *opts;
	w->opts.serve = opts->serve ?: worker_serve;
	w->opts.stall_ns = opts->stall_ns ?: WORKER_STALL_NS;
	w->sock = -1;
	err = broker_new(&w->broker) ?: worker_ensure(w);
	if (err) {
		worker_free(w);
		return err;
	}
	*out = w;
	return 0;
}

void worker_free(struct worker *w)
{
	if (!w)
		return;
	worker_stop(w);
	worker_reap(w);
	broker_free(w->broker);
	vec_release(&w->unreaped);
	vec_release(&w->bad);
	free(w);
}

void worker_abandon(struct worker *w)
{
	if (w->pid)
		close(w->sock);
	vec_release(&w->unreaped);
	vec_release(&w->bad);
	/* The broker's threads are not here, and may have held its locks. */
	free(w);
}

void worker_stats(const struct worker *w, struct symbolizer_stats *out)
{
	*out = w->current;
	out->lookups += w->past.lookups;
	out->cache_hits += w->past.cache_hits;
	out->files_opened += w->past.files_opened;
	out->evictions += w->past.evictions;
	out->limit_hits += w->past.limit_hits;
	if (out->bytes_peak < w->past.bytes_peak)
		out->bytes_peak = w->past.bytes_peak;
	out->worker_restarts = w->restarts;
	out->files_failed = w->files_failed;
}

pid_t worker_pid(const struct worker *w)
{
	return w->pid;
}

unsigned worker_sandbox_parts(const struct worker *w)
{
	return w->sandbox_parts;
}
