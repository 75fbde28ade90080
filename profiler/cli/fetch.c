// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "profiler/base/buf.h"
#include "profiler/base/log.h"
#include "profiler/cli/command.h"
#include "profiler/cli/fetch.h"
#include "profiler/debuginfod/debuginfod.h"

int fetch_begin(struct debuginfod **out, const char *urls)
{
	const struct debuginfod_opts opts = {.urls = urls};
	const char *why = "";

	if (!debuginfod_new(out, &opts, &why))
		return EXIT_OK;
	log_error("--debuginfod: %s", why);
	return EXIT_ERROR;
}

void fetch_advise(const char *what)
{
	const char *urls = getenv("DEBUGINFOD_URLS");

	log_info("%s: --debuginfod%s asks servers for it", what,
		 urls && *urls ? "" : "=URL, or DEBUGINFOD_URLS and --debuginfod,");
}

static bool show_progress(void *ctx)
{
	struct debuginfod_stats s;

	debuginfod_stats(ctx, &s);
	fprintf(stderr, "\rwaiting for debug files: %" PRIu64 " of %" PRIu64 " ",
		s.asked - s.waiting, s.asked);
	fflush(stderr);
	return true;
}

bool fetch_wait(struct debuginfod *d, uint64_t timeout_ns)
{
	bool show = isatty(STDERR_FILENO) && log_level() != LOG_QUIET;
	struct debuginfod_stats before, after;

	debuginfod_stats(d, &before);
	debuginfod_settle(d, timeout_ns, show ? show_progress : NULL, d);
	debuginfod_stats(d, &after);
	if (show && after.asked)
		fputs("\r\033[K", stderr);
	return after.came > before.came || (before.came && after.came);
}

static void add_count(struct buf *b, uint64_t n, const char *what)
{
	if (n)
		buf_printf(b, ", %" PRIu64 " %s", n, what);
}

void fetch_end(struct debuginfod *d)
{
	struct debuginfod_stats s;
	struct buf b = {0};

	if (!d)
		return;
	debuginfod_stats(d, &s);
	if (s.asked) {
		buf_printf(&b, "debuginfod: %" PRIu64 " of %" PRIu64 " debug files came", s.came,
			   s.asked);
		add_count(&b, s.missing, "are not there");
		add_count(&b, s.failed, "failed");
		add_count(&b, s.bad, "were something else");
		add_count(&b, s.given_up, "not asked for any more");
		add_count(&b, s.waiting, "did not come in time");
		if (*debuginfod_last_error(d))
			buf_printf(&b, " (%s)", debuginfod_last_error(d));
		log_info("%s", buf_cstr(&b));
	}
	buf_release(&b);
	debuginfod_free(d);
}
