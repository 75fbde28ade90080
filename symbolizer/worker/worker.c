// SPDX-License-Identifier: GPL-2.0-or-later
/* Trust in files, and the functions of worker.h. */
#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/log.h"
#include "symbolizer/opener/opener.h"
#include "symbolizer/sandbox/spawner.h"
#include "symbolizer/worker/broker.h"
#include "symbolizer/worker/worker_priv.h"

/* After so many failures within the window lines, and then names, are given up until its end. A
 * user may make such files on purpose. */
#define FAILURES_LINES_MAX 16
#define FAILURES_NAMES_MAX 64
/* How long a file is remembered as bad. The machine may have been out of memory. */
#define BAD_NS 3600000000000ull

/* --- whom to trust ---------------------------------------------------------------------------- */

static enum trust trust_in(struct worker *w, const struct file_id *id)
{
	uint64_t now = monotonic_ns();
	enum trust trust = stalls_trust(&w->stalls, id, now);
	unsigned failures = stalls_failures(&w->stalls, now);

	if (failures > FAILURES_NAMES_MAX)
		return NO_NAMES;
	return failures > FAILURES_LINES_MAX && trust == ALL ? NO_LINES : trust;
}

static unsigned stalls_there(struct worker *w, uint64_t dev)
{
	return stalls_on(&w->stalls, dev, monotonic_ns());
}

/* --- queries ---------------------------------------------------------------------------------- */

static const char *what_happened(int err, int status, char *buf, size_t size)
{
	if (err == -ETIMEDOUT)
		return "did not finish";
	if (err == -ETIME)
		return "got no answer from its file system";
	if (err == -EBADMSG)
		return "gave an invalid answer";
	if (err == -ENOBUFS)
		return "ran out of memory";
	if (WIFSIGNALED(status))
		snprintf(buf, size, "was ended by signal %d", WTERMSIG(status));
	else
		snprintf(buf, size, "ended with status %d", WEXITSTATUS(status));
	return buf;
}

struct part { /* part of a query, for one conversation */
	struct sym_query q;
	size_t from; /* index of its first address in the caller's array */
	uint32_t index[WIRE_QUERY_MAX];
	size_t n;	 /* addresses without an answer: q.addr[index[0..n)] */
	int refused;	 /* by the opener */
	bool was_killed; /* a reader that had it */
	struct file_id id;
	uint64_t dev, opened_dev; /* of the file, and of the debug file that was opened last */
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

/* Asks for the addresses without an answer, and drops those that got one. */
static int ask(struct worker *w, struct part *p, bool names_only)
{
	struct ask a = {.q = &p->q, .names_only = names_only, .index = p->index};
	int err = wire_reader_init(&a.reader, p->n);
	size_t left = 0;

	if (err)
		return err;
	a.stall_ns = w->opts.stall_ns >> stalls_there(w, p->dev);
	err = worker_converse(w, &a, pass_on, p);
	p->opened_dev = a.opened_dev;
	p->refused = a.refused;
	for (size_t i = 0; i < p->n; i++)
		if (!a.reader.answered[i])
			p->index[left++] = p->index[i];
	p->n = left;
	wire_reader_release(&a.reader);
	return err;
}

/*
 * What may be asked of a file after a failure. Only names can be asked for with and without lines.
 */
static enum trust trust_left(const struct worker *w, const struct part *p, enum trust had, int err)
{
	bool lines = p->q.kind == QUERY_NAMES || p->q.kind == QUERY_JITDUMP;
	bool own_server = err == -ETIME && (!p->opened_dev || p->opened_dev == p->dev);

	return had == ALL && lines && !w->opts.names_only && !own_server ? NO_LINES : NO_NAMES;
}

static const char *what_is_lost(const struct part *p, enum trust left)
{
	switch (p->q.kind) {
	case QUERY_ELF:
	case QUERY_TABLE:
	case QUERY_FRAMES:
		return "its unwind table";
	case QUERY_LINES:
		return "its line table";
	default:
		return left == NO_LINES ? "its lines" : "its names";
	}
}

/* The opener could not pass the file on. If its server hung, it is not tried again. */
static int leave_alone(struct worker *w, struct part *p)
{
	if (p->refused == -ETIMEDOUT) {
		log_warning("reading %s: opening it got no answer from its file system; continuing "
			    "without %s",
			    p->q.file->path ?: "a file", what_is_lost(p, NO_NAMES));
		return stalls_distrust(&w->stalls, &p->id, NO_NAMES, monotonic_ns());
	}
	return 0;
}

/* The reader failed on this file: ends the reader and notes the failure. */
static int give_up(struct worker *w, struct part *p, enum trust had, int err)
{
	enum trust left = trust_left(w, p, had, err);
	int status = worker_stop(w), oom = 0;
	uint64_t now;
	char buf[64];

	w->restarts++;
	w->facts_of = (struct file_id){0};
	if (worker_was_killed(err, status) && !p->was_killed) {
		p->was_killed = true;
		log_warning("reading %s: the reader process was killed, perhaps for want of "
			    "memory: reading it again",
			    p->q.file->path ?: "a file");
		return 0;
	}
	log_warning("reading %s: the reader process %s; continuing without %s",
		    p->q.file->path ?: "a file", what_happened(err, status, buf, sizeof(buf)),
		    what_is_lost(p, left));
	now = monotonic_ns();
	if (err == -ETIME)
		oom = stalls_note(&w->stalls, p->opened_dev ?: p->dev, now);
	if (err == -ETIME && w->opts.opener)
		opener_note_stall(w->opts.opener, p->opened_dev ?: p->dev);
	stalls_note_failure(&w->stalls);
	return oom ?: stalls_distrust(&w->stalls, &p->id, left, now);
}

/* No reader has seen the file, which is not to be blamed for it. */
static int answer_unasked(struct worker *w, struct part *p, int err)
{
	w->facts.err = err == -EMFILE || err == -ENFILE || err == -ETIMEDOUT || err == -EHOSTDOWN
			       ? err
			       : -ENOTCONN;
	return answer_bare(p);
}

static int resolve_part(struct worker *w, struct part *p)
{
	file_id_of(p->q.file, &p->id);
	p->dev = stalls_dev_of(p->q.file);
	for (;;) {
		enum trust trust = trust_in(w, &p->id);
		int err;

		if (trust == NO_NAMES || worker_is_stopped(w))
			return answer_bare(p);
		if (stalls_there(w, p->dev) >= WORKER_STALLS_MAX)
			return answer_unasked(w, p, -EHOSTDOWN);
		err = worker_ensure(w);
		if (err)
			return answer_unasked(w, p, err);
		err = ask(w, p, trust == NO_LINES);
		if (err == -ECANCELED && p->refused)
			return leave_alone(w, p) ?: answer_unasked(w, p, p->refused);
		if (err == -ECANCELED) {
			worker_stop(w);
			return answer_bare(p);
		}
		if (!err || err == -ENOMEM) {
			if (err) /* later messages would have no question */
				worker_stop(w);
			return err;
		}
		err = give_up(w, p, trust, err);
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
	p->was_killed = false;
	for (size_t from = 0; (from < q->n || !from) && !err; from += WIRE_QUERY_MAX) {
		p->q = *q;
		p->from = from;
		p->q.addr = q->addr + from;
		p->q.as_of = q->as_of ? q->as_of + from : NULL;
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

int worker_ask(struct worker *w, enum query_kind kind, const struct sym_file *file,
	       const struct elf_facts **facts, const struct buf **table)
{
	struct sym_query q = {.kind = kind, .file = file};
	int err;

	w->facts_of = (struct file_id){0};
	w->facts = (struct elf_facts){.err = -ECONNABORTED};
	err = worker_resolve(w, &q, no_result, NULL);
	*facts = &w->facts;
	if (table)
		*table = &w->blob;
	return err;
}

/* Asks for segments. A reader that knows the file needs no descriptor, which costs a question to
 * the opener. */
static int ask_segments(struct worker *w, const struct sym_file *file,
			const struct file_identity *identity, const struct elf_facts **facts)
{
	struct sym_file bare = *file;
	int err;

	if (!file->held)
		return worker_ask(w, QUERY_NAMES, file, facts, NULL);
	bare.held = NULL;
	bare.fd = bare.root_fd = -1;
	bare.identity = identity;
	err = worker_ask(w, QUERY_NAMES, &bare, facts, NULL);
	if (err || (*facts)->n_segs)
		return err;
	return worker_ask(w, QUERY_NAMES, file, facts, NULL);
}

int worker_segment(struct worker *w, const struct sym_file *file, uint64_t elf_va,
		   struct elf_segment *seg)
{
	const struct elf_facts *facts = &w->facts;
	struct file_id id;
	int err;

	file_id_of(file, &id);
	if (!file_id_equal(&w->facts_of, &id)) {
		err = ask_segments(w, file, &id.file, &facts);
		if (err)
			return err;
		w->facts_of = id;
	}
	for (size_t i = 0; i < facts->n_segs; i++) {
		if (elf_va - facts->segs[i].va < facts->segs[i].mem_len) {
			*seg = facts->segs[i];
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
	w->stalls.keep_ns = BAD_NS;
	w->sock = -1;
	err = broker_new(&w->broker);
	if (opts->like)
		w->spawner = opts->like->spawner;
	else
		err = err ?: spawner_new(&w->spawner, worker_serve_in, w);
	if (!err)
		err = opts->lazy ? worker_start(w) : worker_ensure(w);
	if (err) {
		worker_free(w);
		return err;
	}
	*out = w;
	return 0;
}

static void release_memory(struct worker *w)
{
	vec_release(&w->unreaped);
	stalls_release(&w->stalls);
	buf_release(&w->blob);
	free(w);
}

void worker_free(struct worker *w)
{
	if (!w)
		return;
	worker_stop(w);
	worker_reap(w);
	if (!w->opts.like)
		spawner_free(w->spawner);
	broker_free(w->broker);
	release_memory(w);
}

void worker_forget(struct worker *w)
{
	worker_stop(w);
}

void worker_cancel(struct worker *w)
{
	atomic_store(&w->cancelled, true);
}

void worker_abandon(struct worker *w)
{
	if (w->pid)
		close(w->sock);
	if (!w->opts.like)
		spawner_free(w->spawner);
	/* A forked child does not have the broker's threads, and its locks may be held. */
	release_memory(w);
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
	out->files_failed = w->stalls.files_failed;
}

pid_t worker_pid(const struct worker *w)
{
	return w->pid;
}

unsigned worker_sandbox_parts(const struct worker *w)
{
	return w->sandbox_parts;
}
