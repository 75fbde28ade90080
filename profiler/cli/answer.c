// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "profiler/base/saturate.h"
#include "profiler/base/text.h"
#include "profiler/cli/answer.h"
#include "profiler/cli/share_list.h"
#include "profiler/formats/describe.h"
#include "profiler/profile/rates.h"
#include "profiler/profile/table.h"

/* --- the header -------------------------------------------------------------------------------- */

/* Samples per second and CPU, where the period is a time. */
static void add_rates(struct buf *out, const struct profile *p)
{
	struct rates r;

	rates_load(&r, p);
	if (r.most_period_ns <= 0)
		return;
	buf_printf(out, " at %.4g", 1e9 / (double)r.most_period_ns);
	if (r.least_period_ns != r.most_period_ns)
		buf_printf(out, " to %.4g", 1e9 / (double)r.least_period_ns);
	buf_str(out, " Hz");
	if (r.throttled_ns && p->duration_ns > 0)
		buf_printf(out, " (throttled for %.3g %% of the time)",
			   100 * (double)r.throttled_ns / (double)p->duration_ns);
}

void answer_lost(struct buf *out, uint64_t n)
{
	char text[32];

	if (n)
		buf_printf(out, " and %s lost", text_format_count(n, text, sizeof(text)));
}

/* Samples that the profile has a place for, and nothing else. */
static int64_t count_lost(const struct profile *p, size_t samples)
{
	int64_t n = 0;

	for (size_t i = 0; i < p->samples.len; i++)
		if (profile_stack_is_lost(p, p->samples.data[i].stack))
			n = saturating_sum(
				n, p->values.data[p->samples.data[i].first_value + samples]);
	return n;
}

int answer_header(struct buf *out, const struct profile *p, size_t value)
{
	int samples = measure_sample_type(p), err = describe_title(out, p);
	int64_t lost = samples < 0 ? 0 : count_lost(p, (size_t)samples);
	int64_t n_samples =
		samples < 0 ? (int64_t)p->stacks.len : profile_total(p, (size_t)samples) - lost;
	struct buf when = {0};
	struct measure m;
	char text[32];

	/* A profile that does not count samples has no number of them. */
	buf_printf(out, ": %s %s",
		   text_format_count(n_samples < 0 ? 0 : (uint64_t)n_samples, text, sizeof(text)),
		   samples < 0 ? "stacks" : "samples");
	answer_lost(out, lost > 0 ? (uint64_t)lost : 0);
	add_rates(out, p);
	if ((int)value != samples) {
		measure_of(&m, p, value);
		buf_str(out, ", ");
		measure_add_value(out, &m, profile_total(p, value));
	}
	describe_time(&when, p);
	if (when.len)
		buf_printf(out, "; %s", buf_cstr(&when));
	buf_char(out, '\n');
	buf_release(&when);
	return err;
}

/* --- quality ----------------------------------------------------------------------------------- */

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

/* Counts are exact, whatever shares of them say of more. */
static void add_percent(struct buf *out, uint64_t part, uint64_t whole)
{
	struct share_scale scale = {.whole = whole > INT64_MAX ? INT64_MAX : (int64_t)whole};

	share_text(out, &scale, part > INT64_MAX ? INT64_MAX : (int64_t)part);
}

/* Green, amber or red for good, usable and bad. */
static void add_graded(struct buf *out, const struct term *t, uint64_t part, uint64_t whole,
		       const char *what)
{
	double share = percent(part, whole);

	term_style(t, out, share >= 95 ? STYLE_GOOD : share >= 80 ? STYLE_HOT : STYLE_BAD);
	add_percent(out, part, whole);
	term_style(t, out, STYLE_END);
	buf_str(out, what);
}

static void add_part(struct buf *out, uint64_t part, uint64_t whole, const char *what)
{
	if (!part)
		return;
	buf_str(out, ", ");
	add_percent(out, part, whole);
	buf_printf(out, " %s", what);
}

/* Columns of a line without the escapes of colour. */
static size_t visible_columns(struct buf *line)
{
	size_t columns = text_columns(buf_cstr(line));

	for (const char *c = buf_cstr(line); (c = strchr(c, '\033')); c++)
		columns -= strcspn(c, "m") + 1;
	return columns;
}

static void add_stacks(struct buf *out, const struct quality *q, uint64_t stacks,
		       const struct term *t)
{
	buf_str(out, "Stacks   ");
	add_graded(out, t, q->user_complete, stacks, " complete");
	add_part(out, q->user_truncated, stacks, "truncated");
	add_part(out, q->user_missing, stacks, "missing");
	add_part(out, q->kernel_missing, q->recorded, "without kernel stack");
}

void answer_quality(struct buf *out, const struct quality *q, const struct term *t)
{
	uint64_t stacks = q->user_complete + q->user_truncated + q->user_missing;
	struct buf left = {0}, right = {0};
	bool fits;

	if (stacks)
		add_stacks(&left, q, stacks, t);
	if (q->frames) {
		add_graded(&right, t, q->frames_named, q->frames, "");
		add_part(&right, q->frames_fde, q->frames, "by function start only");
	}
	fits = visible_columns(&left) + strlen("; names ") + visible_columns(&right) <=
	       line_columns(t);
	buf_str(out, buf_cstr(&left));
	if (q->frames && stacks && fits)
		buf_str(out, "; names ");
	else if (q->frames)
		buf_printf(out, "%sNames    ", stacks ? "\n" : "");
	buf_str(out, buf_cstr(&right));
	if (stacks || q->frames)
		buf_char(out, '\n');
	buf_release(&left);
	buf_release(&right);
}

void answer_losses(struct buf *out, const struct quality *q, const struct term *t)
{
	int64_t unaccounted = quality_unaccounted(q);
	char text[32];

	for (int r = 0; r < LOSS_COUNT; r++) {
		if (!q->lost[r])
			continue;
		term_style(t, out, STYLE_BAD);
		buf_str(out, "Lost");
		term_style(t, out, STYLE_END);
		buf_printf(out, "     %s sample%s (",
			   text_format_count(q->lost[r], text, sizeof(text)),
			   q->lost[r] == 1 ? "" : "s");
		add_percent(out, q->lost[r], q->recorded + quality_lost(q));
		buf_printf(out, "): %s. Cure: %s\n", loss_text(r), loss_cure(r));
	}
	if (q->windows_lost)
		buf_printf(out, "Lost     %s windows that the agent could not store or finish\n",
			   text_format_count(q->windows_lost, text, sizeof(text)));
	if (q->unsampled_ms)
		buf_printf(out, "Lost     %.1f s in which the agent's sampler was away\n",
			   (double)q->unsampled_ms / 1e3);
	if (q->sideband_lost)
		buf_printf(out, "Lost     %s process events: some frames may lack names\n",
			   text_format_count(q->sideband_lost, text, sizeof(text)));
	if (q->files_failed)
		buf_printf(
			out,
			"Lost     lines or names of %s files: the reader process failed on them\n",
			text_format_count(q->files_failed, text, sizeof(text)));
	if (q->tables_failed)
		buf_printf(out,
			   "Lost     stacks through %s files: the reader of their call frame "
			   "information failed on them\n",
			   text_format_count(q->tables_failed, text, sizeof(text)));
	if (q->files_hung)
		buf_printf(out, "Lost     %s openings of files: their file server did not answer\n",
			   text_format_count(q->files_hung, text, sizeof(text)));
	if (unaccounted)
		buf_printf(out,
			   "note: %" PRId64
			   " samples are unaccounted for (expected minus counted)\n",
			   unaccounted);
}

void answer_scope(struct buf *out, const struct profile *p)
{
	const char *where = quality_where(p);

	if (!where)
		return;
	buf_str(out, "Where    ");
	text_add_clean(out, where, strlen(where));
	buf_str(out,
		"; what follows of stacks, symbols and losses is of everything recorded then\n");
}

void answer_rootless(struct buf *out, const struct profile *p, const struct quality *q)
{
	if (!quality_rootless(p))
		return;
	buf_str(out, "Rootless ");
	quality_rootless_text(out, p, q);
	buf_char(out, '\n');
}
