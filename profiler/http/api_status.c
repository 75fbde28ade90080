// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <microhttpd.h>

#include "profiler/http/server.h"

/* The text of openapi.json, with a NUL: tools/build.mk knows that this file needs it. */
__asm__(".section .rodata\n"
	".balign 16\n"
	".global kiln_openapi\n"
	"kiln_openapi:\n"
	".incbin \"profiler/http/openapi.json\"\n"
	".byte 0\n"
	".previous\n");
extern const char kiln_openapi[];

void answer_metrics(struct server *s, const struct request *r, struct answer *a)
{
	(void)r;
	a->type = "text/plain; version=0.0.4; charset=utf-8";
	metrics_render(s->opts.metrics, &a->body);
}

void answer_healthy(struct server *s, const struct request *r, struct answer *a)
{
	(void)s;
	(void)r;
	a->type = TYPE_TEXT;
	buf_str(&a->body, "healthy\n");
}

static void say_not_ready(const struct metrics *m, struct answer *a)
{
	uint64_t free_bytes = metrics_get(m, METRIC_store_free_bytes),
		 min_bytes = metrics_get(m, METRIC_store_min_free_bytes);

	if (!metrics_get(m, METRIC_sampling))
		answer_error(a, MHD_HTTP_SERVICE_UNAVAILABLE, "sampling has not started yet");
	else if (free_bytes < min_bytes)
		answer_error(a, MHD_HTTP_SERVICE_UNAVAILABLE,
			     "windows cannot be stored: %" PRIu64
			     " bytes are free on the store's file system, and store.min_free keeps "
			     "%" PRIu64 " free",
			     free_bytes, min_bytes);
	else
		answer_error(a, MHD_HTTP_SERVICE_UNAVAILABLE,
			     "the store is not open yet, or cannot be written: the log says more");
}

void answer_ready(struct server *s, const struct request *r, struct answer *a)
{
	const struct metrics *m = s->opts.metrics;

	(void)r;
	a->type = TYPE_TEXT;
	if (metrics_get(m, METRIC_sampling_left_out) && metrics_get(m, METRIC_store_open))
		buf_str(&a->body,
			"ready, and does not sample: sampling.hosts leaves this host out\n");
	else if (metrics_get(m, METRIC_sampling) && metrics_get(m, METRIC_store_open))
		buf_str(&a->body, "ready\n");
	else
		say_not_ready(m, a);
}

void answer_openapi(struct server *s, const struct request *r, struct answer *a)
{
	(void)s;
	(void)r;
	buf_str(&a->body, kiln_openapi);
}
