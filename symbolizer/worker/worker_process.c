// SPDX-License-Identifier: GPL-2.0-or-later
/* The reader process: its start and end. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/log.h"
#include "symbolizer/sandbox/sandbox.h"
#include "symbolizer/sandbox/spawner.h"
#include "symbolizer/worker/worker_priv.h"

/* Entering the sandbox takes milliseconds, unless the machine is overloaded. */
#define START_MS 10000
/* Wait for a killed process. It may take longer because of a file server, or to free gigabytes. */
#define REAP_MS 200

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
	/* If it ended by itself, report that. */
	got = waitpid(w->pid, &status, WNOHANG);
	if (!got)
		kill(w->pid, SIGKILL);
	for (int ms = 0; !got && ms < REAP_MS; ms++) {
		usleep(1000);
		got = waitpid(w->pid, &status, WNOHANG);
	}
	if (!got && vec_push(&w->unreaped, w->pid))
		log_debug("a reader does not end; no longer waiting for it");
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

int worker_serve_in(void *ctx, int sock, pid_t parent)
{
	struct worker *w = ctx;

	return w->opts.serve(sock, parent, w->opts.lookup);
}

static int spawn(struct worker *w)
{
	int err = spawner_spawn(w->spawner, &w->pid, &w->sock);

	if (err) {
		w->pid = 0;
		return err;
	}
	if (clock_getcpuclockid(w->pid, &w->cpu_clock))
		w->cpu_clock = CLOCK_MONOTONIC;
	return 0;
}

/* The reader's first message says which privileges it gave up. If it could not give up enough,
 * it sends none. */
static int await_hello(struct worker *w)
{
	struct pollfd p = {.fd = w->sock, .events = POLLIN};
	int status;
	struct wire_hello hello;
	ssize_t len = 0;

	while (poll(&p, 1, START_MS) < 0 && errno == EINTR)
		;
	if (p.revents & POLLIN)
		len = wire_recv(w->sock, w->msg, NULL);
	memcpy(&hello, w->msg, sizeof(hello));
	if (len != sizeof(hello) || hello.type != WIRE_HELLO) {
		status = worker_stop(w);
		return WIFEXITED(status) && WEXITSTATUS(status) ? -WEXITSTATUS(status) : -EPROTO;
	}
	w->greeted = true;
	w->sandbox_parts = hello.sandbox_parts;
	for (int i = 0; i < SANDBOX_PART_COUNT; i++)
		if (!(w->sandbox_parts & 1u << i))
			log_debug("sandbox of a reader: %s: not possible here",
				  sandbox_part_text(i));
	return 0;
}

int worker_start(struct worker *w)
{
	worker_reap(w);
	w->greeted = false;
	return spawn(w);
}

/* A reader that ended between queries failed on none of them. */
int worker_ensure(struct worker *w)
{
	struct pollfd p = {.fd = w->sock};
	int err = 0;

	if (w->pid && w->greeted && (poll(&p, 1, 0) < 0 || p.revents & (POLLHUP | POLLERR))) {
		worker_stop(w);
		w->restarts++;
	}
	if (!w->pid)
		err = worker_start(w);
	return err || w->greeted ? err : await_hello(w);
}
