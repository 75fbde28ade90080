// SPDX-License-Identifier: GPL-2.0-or-later
/* A conversation with the reader. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "symbolizer/lines/line_cache.h"
#include "symbolizer/opener/opener.h"
#include "symbolizer/worker/broker.h"
#include "symbolizer/worker/worker_priv.h"

#define STALL_CPU_SHARE 100 /* a reader that works computes more than this part of the time */
/* Over a long time it is more. Messages prove nothing: a reader that was taken over can send them for ever. */
#define LONG_STALLS    8
#define LONG_CPU_SHARE 50
/* CPU time of one query: inflating 2 GB of debug sections, and units of the largest programs for
 * every address. Ten times the largest measured. */
#define WORK_NS		    60000000000ull
#define WORK_NS_PER_ADDRESS 5000000ull
/* Compiling the unwind table of the largest libraries costs a second. */
#define TABLE_NS 15000000000ull
#define CHECK_MS 100 /* how often limits are checked */
/* Files that reading one file may open. Every address may be in a split unit of its own, and
 * each unit is searched in up to eight places. */
#define OPENS_BASE	  256
#define OPENS_PER_ADDRESS 8

/* --- a conversation --------------------------------------------------------------------------- */

void worker_note_progress(struct worker *w, struct ask *a)
{
	a->moved_ns = monotonic_ns();
	a->moved_cpu_ns = clock_ns(w->cpu_clock);
}

/* True if the reader waits for a CPU. An overloaded machine is no hung file server. */
static bool wants_cpu(const struct worker *w)
{
	char path[64], line[512];
	const char *state;

	snprintf(path, sizeof(path), "/proc/%d/stat", w->pid);
	if (io_read_line(path, line, sizeof(line)))
		return false;
	state = strrchr(line, ')');
	return state && state[1] == ' ' && state[2] == 'R';
}

void worker_begin(struct worker *w, struct ask *a)
{
	worker_note_progress(w, a);
	a->begun_cpu_ns = a->moved_cpu_ns;
	a->since_ns = a->moved_ns;
	a->since_cpu_ns = a->moved_cpu_ns;
}

int worker_overdue(struct worker *w, struct ask *a)
{
	uint64_t now = monotonic_ns(), cpu = clock_ns(w->cpu_clock), all = now - a->since_ns;

	if (cpu - a->begun_cpu_ns > a->work_ns)
		return -ETIMEDOUT;
	if (all > LONG_STALLS * a->stall_ns && cpu - a->since_cpu_ns < all / LONG_CPU_SHARE &&
	    !wants_cpu(w))
		return -ETIME;
	if (now - a->moved_ns < a->stall_ns)
		return 0;
	if (cpu - a->moved_cpu_ns < a->stall_ns / STALL_CPU_SHARE && !wants_cpu(w))
		return -ETIME;
	worker_note_progress(w, a);
	return 0;
}

int worker_wait(struct worker *w, struct ask *a, short events)
{
	for (;;) {
		struct pollfd p = {.fd = w->sock, .events = events};
		int n = poll(&p, 1, CHECK_MS), err;

		if (n > 0)
			return 0; /* or it has ended, which the next call reports */
		if (n < 0 && errno != EINTR)
			return -errno;
		if (worker_is_stopped(w))
			return -ECANCELED;
		err = worker_overdue(w, a);
		if (err)
			return err;
	}
}

int worker_send(struct worker *w, struct ask *a, const void *head, size_t head_len,
		const void *body, size_t body_len, int fd)
{
	int err;

	while ((err = wire_send2(w->sock, head, head_len, body, body_len, fd)) == -EAGAIN) {
		err = worker_wait(w, a, POLLOUT);
		if (err)
			return err;
	}
	return err;
}

int worker_send_file(struct worker *w, struct ask *a, const void *head, size_t head_len,
		     const void *body, size_t body_len, const struct sym_file *file)
{
	const struct opener_mail mail = {w->sock, head, body, head_len, body_len};
	int err;

	if (!file->held)
		return worker_send(w, a, head, head_len, body, body_len, file->fd);
	while ((err = opener_give(file->held, &mail)) == -EAGAIN) {
		err = worker_wait(w, a, POLLOUT);
		if (err)
			return err;
	}
	worker_note_progress(w, a);
	if (!err || err == -EPIPE || err == -ECONNRESET)
		return err;
	a->refused = err;
	return -ECANCELED;
}

/* Sends the numbers of the requested addresses out of the caller's array. */
static int send_numbers(struct worker *w, struct ask *a, const uint64_t *from_all)
{
	struct wire_head head = {.type = WIRE_ADDRS};
	uint64_t some[WIRE_ADDRS_MAX];
	int err = 0;

	for (size_t from = 0; from < a->reader.n && !err; from += head.n) {
		size_t left = a->reader.n - from;

		head.n = (uint32_t)(left < WIRE_ADDRS_MAX ? left : WIRE_ADDRS_MAX);
		for (size_t i = 0; i < head.n; i++)
			some[i] = from_all[a->index[from + i]];
		err = worker_send(w, a, &head, sizeof(head), some, head.n * sizeof(*some), -1);
	}
	return err;
}

static bool has_root(const struct sym_file *file)
{
	return file->held ? file->held->root != 0 : file->root_fd >= 0;
}

static int tell_query(struct worker *w, struct ask *a)
{
	const struct sym_file *file = a->q->file;
	const char *path = file->path ?: "";
	struct wire_query q;
	size_t path_len = strnlen(path, WIRE_STRING_MAX);
	int err;

	memset(&q, 0, sizeof(q));
	q.type = WIRE_QUERY;
	q.n = (uint32_t)a->reader.n;
	q.kind = (uint8_t)a->q->kind;
	q.offsets = a->q->offsets;
	q.names_only = a->names_only;
	q.has_root = has_root(file);
	q.can_find = w->opts.find_debug != NULL;
	q.has_lines = w->opts.lines != NULL;
	if (file->build_id)
		q.build_id = *file->build_id;
	sym_file_identity(file, &q.identity);
	err = worker_send_file(w, a, &q, sizeof(q), path, path_len + 1, file);
	if (!err)
		err = send_numbers(w, a, a->q->addr);
	if (!err && query_has_as_of(a->q->kind))
		err = send_numbers(w, a, a->q->as_of);
	return err;
}

/* Sends the descriptor, which is taken, or -errno. */
static int hand_over(struct worker *w, struct ask *a, int fd_or_err)
{
	struct wire_opened opened = {.type = WIRE_OPENED, .err = fd_or_err < 0 ? fd_or_err : 0};
	_cleanup_close_ int fd = fd_or_err;

	return worker_send(w, a, &opened, sizeof(opened), NULL, 0, fd);
}

static bool may_open(struct ask *a)
{
	return ++a->opens <= OPENS_BASE + OPENS_PER_ADDRESS * a->reader.n;
}

/* Has a debug file opened and handed over. */
static int open_there(struct worker *w, struct ask *a, bool in_root, const char *path)
{
	const struct wire_opened opened = {.type = WIRE_OPENED};
	const struct opener_mail mail = {
		.sock = w->sock, .head = &opened, .head_len = sizeof(opened)};
	const struct held_file *held = a->q->file->held;
	uint64_t dev = 0;
	int err = opener_give_elf(w->opts.opener, in_root ? held->root : 0, path, &mail, &dev);

	a->opened_dev = dev ?: a->opened_dev;
	a->hung[in_root] |= err == -ETIMEDOUT;
	return err ? hand_over(w, a, err) : 0;
}

/* Opens a debug file on request. */
static int serve_open(struct worker *w, struct ask *a, size_t len)
{
	const char *path = w->msg + sizeof(struct wire_open);
	struct wire_open open;
	int fd;

	if (len <= sizeof(open) || w->msg[len - 1] || !may_open(a))
		return -EBADMSG;
	memcpy(&open, w->msg, sizeof(open));
	open.in_root = !!open.in_root;
	if (a->hung[open.in_root] || (open.in_root && !has_root(a->q->file)))
		fd = -ENOENT;
	else if (w->opts.opener)
		return open_there(w, a, open.in_root, path);
	else
		fd = broker_open(w->broker, open.in_root ? a->q->file->root_fd : -1, path);
	a->hung[open.in_root] |= fd == -ETIMEDOUT;
	a->opened_dev = fd >= 0 ? stalls_dev_of(SYM_FILE_OF(fd)) : a->opened_dev;
	if (fd >= 0 && stalls_on(&w->stalls, a->opened_dev, monotonic_ns())) {
		close(fd);
		fd = -ETIMEDOUT;
	}
	return hand_over(w, a, fd);
}

static int serve_find(struct worker *w, struct ask *a, size_t len)
{
	struct wire_find find;

	if (len != sizeof(find) || !w->opts.find_debug || !may_open(a))
		return -EBADMSG;
	memcpy(&find, w->msg, sizeof(find));
	if (find.build_id.len > BUILD_ID_MAX)
		return -EBADMSG;
	return hand_over(w, a, w->opts.find_debug(w->opts.find_ctx, &find.build_id));
}

static int serve_lines(struct worker *w, struct ask *a, size_t len)
{
	const struct line_store *store = w->opts.lines;
	struct wire_opened opened = {.type = WIRE_OPENED};
	_cleanup_close_ int fd = -1;
	struct wire_lines lines;
	int got;

	if (len != sizeof(lines) || !store || !may_open(a))
		return -EBADMSG;
	memcpy(&lines, w->msg, sizeof(lines));
	if (lines.wish >= LINE_WISH_COUNT || lines.build_id.len > BUILD_ID_MAX)
		return -EBADMSG;
	got = store->ask(store->ctx, lines.wish, &lines.build_id);
	if (got >= 0 && (lines.wish == LINE_GET || lines.wish == LINE_CREATE))
		fd = got;
	opened.err = fd >= 0 ? 0 : got;
	return worker_send(w, a, &opened, sizeof(opened), NULL, 0, fd);
}

static int serve_done(struct worker *w, struct ask *a, size_t len)
{
	struct wire_done done;
	struct elf_facts facts;
	int err = wire_read_done(w->msg, len, &done, &facts);

	if (err)
		return err;
	if (done.err == -ENOMEM)
		return -ENOBUFS; /* the reader's memory, not ours */
	if (done.err || a->reader.n_answered < a->reader.n || (a->reader.n && done.n_segments))
		return -EBADMSG;
	if (!a->reader.n)
		w->facts = facts;
	w->current = done.stats;
	a->done = true;
	return 0;
}

static int take_message(struct worker *w, struct ask *a, sym_result_fn fn, void *ctx)
{
	ssize_t len = wire_recv(w->sock, w->msg, NULL);
	uint32_t type;

	if (len == -EAGAIN)
		return 0;
	if (len <= 0)
		return len == -EBADMSG ? -EBADMSG : -ECONNABORTED;
	if (len < (ssize_t)sizeof(type))
		return -EBADMSG;
	memcpy(&type, w->msg, sizeof(type));
	switch (type) {
	case WIRE_ANSWERS:
		return wire_read_answers(&a->reader, w->msg, (size_t)len, fn, ctx);
	case WIRE_BLOB:
		return a->q->kind == QUERY_TABLE ? wire_read_blob(&w->blob, w->msg, (size_t)len)
						 : -EBADMSG;
	case WIRE_OPEN:
		return serve_open(w, a, (size_t)len);
	case WIRE_FIND:
		return serve_find(w, a, (size_t)len);
	case WIRE_LINES:
		return serve_lines(w, a, (size_t)len);
	case WIRE_DONE:
		return serve_done(w, a, (size_t)len);
	default:
		return -EBADMSG;
	}
}

int worker_converse(struct worker *w, struct ask *a, sym_result_fn fn, void *ctx)
{
	int err;

	a->work_ns = a->q->kind == QUERY_TABLE ? TABLE_NS : WORK_NS;
	a->work_ns += a->reader.n * WORK_NS_PER_ADDRESS;
	worker_begin(w, a);
	buf_release(&w->blob);
	err = tell_query(w, a);
	while (!err && !a->done) {
		err = worker_wait(w, a, POLLIN) ?: take_message(w, a, fn, ctx);
		if (!err && !a->done)
			err = worker_overdue(w, a);
		worker_note_progress(w, a);
	}
	return err;
}
