// SPDX-License-Identifier: GPL-2.0-or-later
/* The process, and a conversation with it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/log.h"
#include "symbolizer/broker.h"
#include "symbolizer/line_cache.h"
#include "symbolizer/sandbox.h"
#include "symbolizer/worker_priv.h"

#define STALL_CPU_NS 100000000ull /* computing; a tenth of it is what reading 1 GB costs */
/* What one query may cost in CPU time: inflating 2 GB of debug sections, and units of the largest
 * programs for every address. Ten times what was seen. */
#define WORK_NS		    60000000000ull
#define WORK_NS_PER_ADDRESS 5000000ull
#define CHECK_MS	    100 /* how often these are looked at */
#define REAP_MS		    1000 /* waiting for a killed process: longer only in the hands of a server */
/* What reading one file may have opened: every address may be in a split unit of its own, each is
 * looked for in up to eight places. */
#define OPENS_BASE	  256
#define OPENS_PER_ADDRESS 8

/* --- the process ------------------------------------------------------------------------------ */

void worker_reap(struct worker *w)
{
	size_t kept = 0;

	for (size_t i = 0; i < w->unreaped.len; i++)
		if (waitpid(w->unreaped.data[i], NULL, WNOHANG) == 0)
			w->unreaped.data[kept++] = w->unreaped.data[i];
	w->unreaped.len = kept;
}

int worker_stop(struct worker *w)
{
	int status = 0;
	pid_t got;

	if (!w->pid)
		return 0;
	close(steal_fd(&w->sock));
	/* If it died of something itself, that is what to tell. */
	got = waitpid(w->pid, &status, WNOHANG);
	if (!got)
		kill(w->pid, SIGKILL);
	for (int ms = 0; !got && ms < REAP_MS; ms++) {
		usleep(1000);
		got = waitpid(w->pid, &status, WNOHANG);
	}
	if (!got && vec_push(&w->unreaped, w->pid))
		log_debug("a process that does not end is forgotten");
	w->pid = 0;
	w->past.lookups += w->current.lookups;
	w->past.cache_hits += w->current.cache_hits;
	w->past.files_opened += w->current.files_opened;
	w->past.evictions += w->current.evictions;
	w->past.limit_hits += w->current.limit_hits;
	if (w->past.bytes_peak < w->current.bytes_peak)
		w->past.bytes_peak = w->current.bytes_peak;
	w->current = (struct symbolizer_stats){0};
	return got > 0 ? status : 0;
}

static int fork_worker(struct worker *w)
{
	_cleanup_close_ int ours = -1, theirs = -1;
	pid_t parent = getpid(), pid;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	ours = pair[0];
	theirs = pair[1];
	if (fcntl(ours, F_SETFL, O_NONBLOCK))
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		close(ours);
		_exit(-w->opts.serve(theirs, parent, w->opts.local) & 0xff);
	}
	if (clock_getcpuclockid(pid, &w->cpu_clock))
		w->cpu_clock = CLOCK_MONOTONIC;
	w->pid = pid;
	w->sock = steal_fd(&ours);
	return 0;
}

/* Its first words: what it has given up. It says nothing when it could not give up enough. */
static int await_hello(struct worker *w)
{
	struct pollfd p = {.fd = w->sock, .events = POLLIN};
	int ms = (int)(w->opts.stall_ns / 1000000), status;
	struct wire_hello hello;
	ssize_t len = 0;

	while (poll(&p, 1, ms) < 0 && errno == EINTR)
		;
	if (p.revents & POLLIN)
		len = wire_recv(w->sock, w->msg, NULL);
	memcpy(&hello, w->msg, sizeof(hello));
	if (len != sizeof(hello) || hello.type != WIRE_HELLO) {
		status = worker_stop(w);
		return WIFEXITED(status) && WEXITSTATUS(status) ? -WEXITSTATUS(status) : -EPROTO;
	}
	w->sandbox_parts = hello.sandbox_parts;
	for (int i = 0; i < SANDBOX_PART_COUNT; i++)
		if (!(w->sandbox_parts & 1u << i))
			log_debug("reading files in a process of its own: %s: not in force here",
				  sandbox_part_text(i));
	return 0;
}

static int start(struct worker *w)
{
	worker_reap(w);
	return fork_worker(w) ?: await_hello(w);
}

/* What died between queries died of none of them. */
int worker_ensure(struct worker *w)
{
	struct pollfd p = {.fd = w->sock};

	if (w->pid && poll(&p, 1, 0) >= 0 && !(p.revents & (POLLHUP | POLLERR)))
		return 0;
	if (w->pid) {
		worker_stop(w);
		w->restarts++;
	}
	return start(w);
}

/* --- a conversation --------------------------------------------------------------------------- */

static void note_progress(struct worker *w, struct ask *a)
{
	a->moved_ns = clock_ns(CLOCK_MONOTONIC);
	a->moved_cpu_ns = clock_ns(w->cpu_clock);
}

static bool is_overdue(struct worker *w, struct ask *a)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC), cpu = clock_ns(w->cpu_clock);

	if (cpu - a->begun_cpu_ns > WORK_NS + a->reader.n * WORK_NS_PER_ADDRESS)
		return true;
	if (now - a->moved_ns < w->opts.stall_ns)
		return false;
	if (cpu - a->moved_cpu_ns < STALL_CPU_NS)
		return true;
	note_progress(w, a);
	return false;
}

static int wait_for(struct worker *w, struct ask *a, short events)
{
	for (;;) {
		struct pollfd p = {.fd = w->sock, .events = events};
		int n = poll(&p, 1, CHECK_MS);

		if (n > 0)
			return 0; /* or it is gone, as the next call will tell */
		if (n < 0 && errno != EINTR)
			return -errno;
		if (is_overdue(w, a))
			return -ETIMEDOUT;
	}
}

static int tell(struct worker *w, struct ask *a, const void *head, size_t head_len,
		const void *body, size_t body_len, int fd)
{
	int err;

	while ((err = wire_send2(w->sock, head, head_len, body, body_len, fd)) == -EAGAIN) {
		err = wait_for(w, a, POLLOUT);
		if (err)
			return err;
	}
	return err;
}

static int tell_query(struct worker *w, struct ask *a)
{
	const struct sym_file *file = a->q->file;
	const char *path = file->path ?: "";
	struct wire_head head = {.type = WIRE_ADDRS};
	struct wire_query q;
	uint64_t addr[WIRE_ADDRS_MAX];
	size_t path_len = strnlen(path, WIRE_STRING_MAX);
	int err;

	memset(&q, 0, sizeof(q));
	q.type = WIRE_QUERY;
	q.n = (uint32_t)a->reader.n;
	q.offsets = a->q->offsets;
	q.names_only = a->names_only;
	q.has_root = file->root_fd >= 0;
	q.can_find = w->opts.find_debug != NULL;
	q.build = a->q->build;
	q.has_lines = w->opts.lines != NULL;
	if (file->build_id)
		q.build_id = *file->build_id;
	err = tell(w, a, &q, sizeof(q), path, path_len + 1, file->fd);
	for (size_t from = 0; from < a->reader.n && !err; from += head.n) {
		size_t left = a->reader.n - from;

		head.n = (uint32_t)(left < WIRE_ADDRS_MAX ? left : WIRE_ADDRS_MAX);
		for (size_t i = 0; i < head.n; i++)
			addr[i] = a->q->addr[a->index[from + i]];
		err = tell(w, a, &head, sizeof(head), addr, head.n * sizeof(*addr), -1);
	}
	return err;
}

/* Takes the descriptor, or -errno. */
static int hand_over(struct worker *w, struct ask *a, int fd_or_err)
{
	struct wire_opened opened = {.type = WIRE_OPENED, .err = fd_or_err < 0 ? fd_or_err : 0};
	_cleanup_close_ int fd = fd_or_err;

	return tell(w, a, &opened, sizeof(opened), NULL, 0, fd);
}

static bool may_open(struct ask *a)
{
	return ++a->opens <= OPENS_BASE + OPENS_PER_ADDRESS * a->reader.n;
}

/* Opens for it what it asks for. */
static int serve_open(struct worker *w, struct ask *a, size_t len)
{
	const char *path = w->msg + sizeof(struct wire_open);
	struct wire_open open;
	int fd;

	if (len <= sizeof(open) || w->msg[len - 1] || !may_open(a))
		return -EBADMSG;
	memcpy(&open, w->msg, sizeof(open));
	open.in_root = !!open.in_root;
	if (a->hung[open.in_root] || (open.in_root && a->q->file->root_fd < 0))
		fd = -ENOENT;
	else
		fd = broker_open(w->broker, open.in_root ? a->q->file->root_fd : -1, path);
	a->hung[open.in_root] |= fd == -ETIMEDOUT;
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
	return tell(w, a, &opened, sizeof(opened), NULL, 0, fd);
}

static int serve_done(struct worker *w, struct ask *a, size_t len)
{
	struct wire_done done;
	int err = wire_read_done(w->msg, len, &done, w->segs);

	if (err)
		return err;
	if (done.err == -ENOMEM)
		return -ENOBUFS; /* its memory, not ours */
	if (done.err || a->reader.n_answered < a->reader.n || (a->reader.n && done.n_segments))
		return -EBADMSG;
	if (!a->reader.n)
		w->n_segs = done.n_segments;
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

	note_progress(w, a);
	a->begun_cpu_ns = a->moved_cpu_ns;
	err = tell_query(w, a);
	while (!err && !a->done) {
		err = wait_for(w, a, POLLIN) ?: take_message(w, a, fn, ctx);
		if (!err && !a->done && is_overdue(w, a))
			err = -ETIMEDOUT;
		note_progress(w, a);
	}
	return err;
}
