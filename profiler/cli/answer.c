// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/param.h>

#include "profiler/base/saturate.h"
#include "profiler/base/text.h"
#include "profiler/cli/answer.h"
#include "profiler/cli/line.h"
#include "profiler/cli/share.h"
#include "profiler/formats/describe.h"
#include "profiler/profile/rates.h"
#include "profiler/profile/table.h"

/* Ends a line that is made, and empties it. */
static void put_line(struct buf *out, struct buf *line, size_t indent, const struct term *t)
{
	line_wrap(out, buf_cstr(line), indent, t);
	buf_char(out, '\n');
	buf_clear(line);
}

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

/* "39.20 s CPU, 15.70 s less than the base's 54.90 s (-28.6 %)"; where the base is not marked the change alone. */
static void add_difference(struct buf *line, const struct profile *p, size_t value)
{
	int64_t net = profile_total(p, value), base;
	struct share_scale scale = {.is_change = true};
	struct measure m;

	measure_of(&m, p, value);
	buf_str(line, ": a difference: ");
	if (profile_base_total(p, value, &base)) {
		scale.whole = base;
		measure_add_value(line, &m, saturating_sum(base, net));
		buf_str(line, ", ");
		m.name[0] = '\0'; /* once is enough */
	}
	/* What would be "<0.1 %", as the nanoseconds that --normalize rounds away. */
	if (scale.whole && net > -base / 2000 && net < base / 2000 + !base) {
		buf_str(line, "as much as the base");
		return;
	}
	measure_add_value(line, &m, net < 0 ? saturating_difference(0, net) : net);
	buf_str(line, net < 0 ? " less" : " more");
	if (!scale.whole)
		return;
	buf_str(line, " than the base's ");
	measure_add_value(line, &m, base);
	buf_str(line, " (");
	share_text(line, &scale, net);
	buf_char(line, ')');
}

/* A profile that does not count samples has no number of them. */
static void add_samples(struct buf *line, const struct profile *p, size_t value)
{
	int samples = profile_count_type(p);
	int64_t lost = samples < 0 ? 0 : count_lost(p, (size_t)samples);
	int64_t n_samples =
		samples < 0 ? (int64_t)p->stacks.len : profile_total(p, (size_t)samples) - lost;
	struct measure m;
	char text[32];

	buf_printf(line, ": %s %s%s",
		   text_format_count(n_samples < 0 ? 0 : (uint64_t)n_samples, text, sizeof(text)),
		   samples < 0 ? "stack" : "sample", text_s((uint64_t)n_samples));
	answer_lost(line, lost > 0 ? (uint64_t)lost : 0);
	add_rates(line, p);
	if ((int)value == samples)
		return;
	measure_of(&m, p, value);
	buf_str(line, ", ");
	measure_add_value(line, &m, profile_total(p, value));
}

int answer_header(struct buf *out, const struct profile *p, size_t value, const struct term *t)
{
	struct buf line = {0}, when = {0};
	int err = describe_title(&line, p);

	if (profile_is_difference(p, value))
		add_difference(&line, p, value);
	else
		add_samples(&line, p, value);
	describe_time(&when, p);
	if (when.len)
		buf_printf(&line, "; %s", buf_cstr(&when));
	put_line(out, &line, LINE_COLUMNS, t);
	buf_release(&line);
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

static void add_stacks(struct buf *out, const struct quality *q, uint64_t stacks,
		       const struct term *t)
{
	buf_str(out, "Stacks   ");
	add_graded(out, t, q->user_complete, stacks, " complete");
	add_part(out, q->user_truncated - MIN(q->ends_leaf, q->user_truncated), stacks,
		 "truncated");
	add_part(out, q->ends_leaf, stacks, "perhaps without the leaf's caller");
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
	fits = line_width(buf_cstr(&left)) + strlen("; names ") + line_width(buf_cstr(&right)) <=
	       line_columns(t);
	if (stacks && !fits)
		put_line(out, &left, LINE_COLUMNS, t);
	if (q->frames && left.len)
		buf_str(&left, "; names ");
	else if (q->frames)
		buf_printf(&left, LINE_TITLE, "Names");
	buf_str(&left, buf_cstr(&right));
	if (left.len)
		put_line(out, &left, LINE_COLUMNS, t);
	buf_release(&left);
	buf_release(&right);
}

static void add_loss(struct buf *line, const struct quality *q, enum loss_reason r,
		     const struct term *t)
{
	char text[32];

	term_style(t, line, STYLE_BAD);
	buf_str(line, "Lost");
	term_style(t, line, STYLE_END);
	buf_printf(line, "     %s sample%s (", text_format_count(q->lost[r], text, sizeof(text)),
		   q->lost[r] == 1 ? "" : "s");
	add_percent(line, q->lost[r], q->recorded + quality_lost(q));
	buf_printf(line, "): %s. Cure: %s", loss_text(r), loss_cure(r));
}

void answer_losses(struct buf *out, const struct quality *q, const struct term *t)
{
	const struct {
		uint64_t n;
		const char *what;
	} others[] = {
		{q->windows_lost, "windows that the agent could not store or finish"},
		{q->sideband_lost, "process events: some frames may lack names"},
		{q->frames_short, "frames' names: kiln ran out of memory"},
		{q->files_failed, "files' lines or names: the reader process failed on them"},
		{q->tables_failed,
		 "files' stacks: the reader of their call frame information failed on them"},
		{q->files_hung, "openings of files: their file server did not answer"},
		{q->full_files,
		 "mappings of more files than kiln can know: frames in them lack names"},
		{q->full_processes,
		 "programs and threads forgotten early, for lack of room: frames may lack names"},
		{q->full_mappings,
		 "mappings forgotten early, for lack of room: frames in them may lack names"},
	};
	int64_t unaccounted = quality_unaccounted(q);
	struct buf line = {0};
	char text[32];

	for (int r = 0; r < LOSS_COUNT; r++) {
		if (!q->lost[r])
			continue;
		add_loss(&line, q, (enum loss_reason)r, t);
		put_line(out, &line, LINE_COLUMNS, t);
	}
	if (q->unsampled_ms) {
		buf_printf(&line, "Lost     %.1f s in which the agent's sampler was away",
			   (double)q->unsampled_ms / 1e3);
		put_line(out, &line, LINE_COLUMNS, t);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		if (!others[i].n)
			continue;
		buf_printf(&line, LINE_TITLE "%s %s", "Lost",
			   text_format_count(others[i].n, text, sizeof(text)), others[i].what);
		put_line(out, &line, LINE_COLUMNS, t);
	}
	if (unaccounted) {
		buf_printf(&line,
			   "note: %" PRId64 " sample%s unaccounted for (expected minus counted)",
			   unaccounted, unaccounted == 1 ? "" : "s");
		put_line(out, &line, LINE_COLUMNS, t);
	}
	buf_release(&line);
}

void answer_scope(struct buf *out, const struct profile *p, const struct term *t)
{
	const char *where = quality_where(p);
	struct buf line = {0};

	if (!where)
		return;
	buf_printf(&line, LINE_TITLE, "Where");
	text_add_clean(&line, where, strlen(where));
	buf_str(&line,
		"; what follows of stacks, symbols and losses is of everything recorded then");
	put_line(out, &line, LINE_COLUMNS, t);
	buf_release(&line);
}

void answer_rootless(struct buf *out, const struct profile *p, const struct quality *q,
		     const struct term *t)
{
	struct buf line = {0};

	if (!quality_rootless(p))
		return;
	buf_printf(&line, LINE_TITLE, "Rootless");
	quality_rootless_text(&line, p, q);
	put_line(out, &line, LINE_COLUMNS, t);
	buf_release(&line);
}
