// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Windows of a recording, named one after the other: their shares of what was counted, what they say of
 * themselves, and what one of them has to learn from another. There is no sampler, and no server of debug
 * files: this file stands in for them.
 */
#include "tests/lib/named_files.h"

#include <errno.h>

#include "profiler/collect/collector.h"
#include "profiler/collect/window_naming.h"
#include "profiler/debuginfod/debuginfod.h"
#include "profiler/profile/quality.h"
#include "profiler/unwind/unwind_feed.h"
#include "tests/lib/aggregates.h"
#include "tests/lib/proc_table.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

#define PERIOD_NS 1000

/* --- who is not there ---------------------------------------------------------------------------- */

static struct debuginfod_stats server;
static uint64_t waited_ns; /* for the server, at most */

struct profile_bpf *sampler_skeleton(struct sampler *s)
{
	(void)s;
	return NULL;
}

int unwind_feed_table_error(const struct unwind_feed *f, uint32_t file)
{
	(void)f, (void)file;
	return 0;
}

bool debuginfod_settle(struct debuginfod *d, uint64_t timeout_ns, bool (*tick)(void *ctx),
		       void *tick_ctx)
{
	(void)d, (void)tick, (void)tick_ctx;
	waited_ns = timeout_ns;
	return true;
}

void debuginfod_stats(struct debuginfod *d, struct debuginfod_stats *out)
{
	(void)d;
	*out = server;
}

void named_window_release(struct named_window *w)
{
	profile_free(w->profile);
	quality_release(&w->quality);
	*w = (struct named_window){0};
}

/* --- a recording --------------------------------------------------------------------------------- */

static struct named_files nf;
static struct window_naming *naming;
static struct window_naming_opts opts;
static struct window_sums sums;
static uint32_t prog;
static uint64_t shown;

static int begin(void **state)
{
	(void)state;
	memset(&server, 0, sizeof(server));
	memset(&sums, 0, sizeof(sums));
	named_open(&nf, NULL, false);
	prog = named_file(&nf, "prog");
	shown = file_off_of_symbol("prog", "shown");
	opts = (struct window_naming_opts){.symbolizer = nf.symbolizer,
					   .files = nf.files,
					   .ksyms = nf.ksyms,
					   .event = "cpu-clock",
					   .period_ns = PERIOD_NS,
					   .freq_hz = 99};
	return window_naming_new(&naming, &opts);
}

static int end(void **state)
{
	(void)state;
	window_naming_free(naming);
	window_naming_free(NULL);
	named_close(&nf);
	return 0;
}

/* One window: so many samples are in it, and so many were lost for lack of memory. */
static struct named_window name(uint64_t samples, uint64_t lost, bool last)
{
	struct named_window w = {.begin_unix_ns = 1700000000000000000, .duration_ns = 5000};
	struct aggregate a = {.lost_memory = lost};
	struct window_sums now = sums;

	if (samples)
		agg_count(&a,
			  agg_stack_of(&a, UNWIND_END_ROOT, 0, AGG_FRAMES({AT_FILE, prog, shown})),
			  1, "x", samples);
	assert_int_equal(window_name(naming, &a, &now, last, &w), 0);
	aggregate_clear(&a);
	return w;
}

/* Since the last window so many periods passed: idle, recorded, and lost in the kernel. */
static void pass(uint64_t idle, uint64_t recorded, uint64_t full)
{
	sums.totals.expected += idle + recorded + full;
	sums.totals.idle += idle;
	sums.totals.counters[KILN_CTR_recorded] += recorded;
	sums.totals.counters[KILN_CTR_map_full] += full;
}

/* Samples named otherwise than "shown" are losses. */
static int64_t losses_in(const struct profile *p)
{
	int64_t lost = 0;

	for (size_t i = 0; i < p->samples.len; i++)
		if (!strcmp(strrchr(stack_text(p, i), ';') ?: "", ";" FRAME_LOST))
			lost += p->values.data[p->samples.data[i].first_value];
	return lost;
}

static bool has_comment(const struct profile *p, const char *prefix)
{
	for (size_t i = 0; i < p->comments.len; i++)
		if (!strncmp(profile_text(p, p->comments.data[i]), prefix, strlen(prefix)))
			return true;
	return false;
}

TEST(test_a_window_says_what_it_is)
{
	struct named_window w;

	pass(10, 5, 0);
	sums.read_back = 5;
	w = name(5, 0, true);
	assert_int_equal(w.profile->time_ns, 1700000000000000000);
	assert_int_equal(w.profile->duration_ns, 5000);
	assert_int_equal(w.profile->period, PERIOD_NS);
	assert_string_equal(stack_text(w.profile, 0), "shown:3");
	assert_int_equal(total_of_type(w.profile, 1), 5 * PERIOD_NS);
	assert_true(has_comment(w.profile, "kiln.event=cpu-clock"));
	assert_true(has_comment(w.profile, "kiln.freq_hz=99"));
	assert_true(has_comment(w.profile, "kiln.kernel="));
	assert_false(has_comment(w.profile, "kiln.expected"));
	assert_int_equal(w.quality.user_complete, 5);
	assert_int_equal(w.quality.walked_fp, 5); /* there is no feed */
	named_window_release(&w);
}

TEST(test_windows_have_their_shares)
{
	static const struct {
		uint64_t idle, recorded, full; /* since the one before */
		uint64_t read_back, samples, memory, not_read;
	} windows[] = {
		{20, 50, 3, 50, 40, 10, 0}, /* ten found no memory */
		{5, 30, 0, 30, 30, 0, 0},   /* losses of the one before are not this one's */
		{0, 0, 0, 0, 0, 0, 0},	    /* nothing at all */
		{7, 20, 1, 15, 15, 0, 5},   /* five could not be read back */
		{1, 10, 0, 14, 14, 0, 0},   /* ... of which four came in the end */
	};
	struct quality total = {0};

	for (size_t i = 0; i < 5; i++) {
		struct named_window w;

		pass(windows[i].idle, windows[i].recorded, windows[i].full);
		sums.read_back += windows[i].read_back;
		w = name(windows[i].samples, windows[i].memory, i == 4);
		assert_int_equal(w.quality.recorded, windows[i].samples);
		assert_int_equal(w.quality.idle, windows[i].idle);
		assert_int_equal(w.quality.lost[LOSS_memory], windows[i].memory);
		assert_int_equal(w.quality.lost[LOSS_map_full], windows[i].full);
		assert_int_equal(w.quality.lost[LOSS_drain_failed], windows[i].not_read);
		if (i < 4)
			assert_int_equal(quality_unaccounted(&w.quality), 0);
		assert_int_equal(losses_in(w.profile), quality_lost(&w.quality));
		assert_int_equal(total_of_type(w.profile, 0),
				 windows[i].samples + quality_lost(&w.quality));
		quality_add(&total, &w.quality);
		named_window_release(&w);
	}
	assert_int_equal(total.recorded, 40 + 30 + 15 + 14);
	assert_int_equal(total.lost[LOSS_map_full], 4);
	assert_int_equal(quality_unaccounted(&total), 0);
}

/* What was drained and waits for its names is no loss, and no sample yet. */
TEST(test_samples_that_wait_are_not_lost)
{
	struct named_window w;

	pass(0, 50, 0);
	sums.read_back = 50;
	w = name(30, 0, false);
	assert_int_equal(w.quality.recorded, 30);
	assert_int_equal(quality_lost(&w.quality), 0);
	named_window_release(&w);
	pass(0, 10, 0);
	sums.read_back = 60;
	w = name(30, 0, true);
	assert_int_equal(w.quality.recorded, 30);
	assert_int_equal(quality_unaccounted(&w.quality), 0);
	named_window_release(&w);
}

/* --- debug files that arrive meanwhile ----------------------------------------------------------- */

TEST(test_a_server_is_waited_for_at_the_end_only)
{
	struct named_window w;

	window_naming_free(naming);
	opts.debuginfod = (struct debuginfod *)&server;
	assert_int_equal(window_naming_new(&naming, &opts), 0);
	w = name(1, 0, false);
	assert_int_equal(waited_ns, 0);
	named_window_release(&w);
	w = name(1, 0, true);
	assert_in_range(waited_ns, 100000000, 1000000000);
	named_window_release(&w);
}

static bool has_come;

static int find_debug(void *ctx, const struct build_id *id)
{
	(void)ctx, (void)id;
	return has_come ? open("stripped.debug", O_RDONLY | O_CLOEXEC) : -ENOENT;
}

/* The next window is named by what has come since; without news it is named as the one before. */
TEST(test_windows_after_a_debug_file_came)
{
	struct symbolizer_opts symbolizer = {.debug_dirs = (const char *const[]){"nowhere", NULL},
					     .find_debug = find_debug};
	static const char *const want[] = {"stripped+sub_", "stripped+sub_", "shown:3", "shown:3"};

	window_naming_free(naming);
	symbolizer_free(nf.symbolizer);
	assert_int_equal(symbolizer_new(&nf.symbolizer, &symbolizer), 0);
	opts.symbolizer = nf.symbolizer;
	opts.debuginfod = (struct debuginfod *)&server;
	assert_int_equal(window_naming_new(&naming, &opts), 0);
	prog = named_file(&nf, "stripped");
	shown = file_off_of_symbol("whole", "shown") + 2;
	has_come = false;
	for (int i = 0; i < 4; i++) {
		struct named_window w;

		if (i == 2) {
			has_come = true;
			server.came++;
		}
		w = name(1, 0, i == 3);
		assert_non_null(strstr(stack_text(w.profile, 0), want[i]));
		named_window_release(&w);
	}
}

/* --- code made at run time ----------------------------------------------------------------------- */

#define LIVES                                                                                      \
	1000001 /* processes that cannot be there: pids end at 2^22, but not on this machine */
#define DIED  1000002
#define EMPTY 1000003 /* writes its perf map through a buffer */
#define NAMED 1000004

TEST(test_code_that_nothing_names_yet_waits)
{
	struct procs *procs = new_table(NULL);
	struct aggregate now = {0}, next = {0};
	char empty[64], path[64];

	for (pid_t tgid = LIVES; tgid <= NAMED; tgid++) {
		const struct proc_image *im;

		map(procs, 1 * SEC, tgid, 0x9000, 0x1000, 0, FILE_NONE);
		im = procs_image(procs, tgid, 2 * SEC);
		assert_int_equal(vec_push(&now.images, (struct agg_image){im->id, tgid, 0, getuid(),
									  FILE_NONE, FILE_NONE}),
				 0);
		agg_count(&now,
			  agg_stack_of(&now, UNWIND_ON, 0,
				       AGG_FRAMES({AT_ANON, (uint32_t)(tgid - LIVES), 0x9010})),
			  (uint32_t)tgid, "x", 10);
	}
	procs_exit(procs, 3 * SEC, DIED, DIED);
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", NAMED);
	fixture_write(path, "9000 10 f\n");
	snprintf(empty, sizeof(empty), "/tmp/perf-%d.map", EMPTY);
	fixture_write(empty, "");
	window_hold_back(naming, procs, &now, &next);
	assert_int_equal(next.samples.len, 2);
	assert_int_equal(next.samples.data[0].tgid, LIVES);
	assert_int_equal(next.samples.data[1].tgid, EMPTY);
	assert_int_equal(next.recorded, 20);
	assert_int_equal(now.recorded, 20);
	/* it runs another program by now */
	aggregate_clear(&now);
	now = next;
	next = (struct aggregate){0};
	fixture_write(empty, "9000 10 f\n");
	procs_comm(procs, 4 * SEC, LIVES, LIVES, "execed", true);
	window_hold_back(naming, procs, &now, &next);
	assert_int_equal(next.samples.len, 0);
	assert_int_equal(now.recorded, 20);
	unlink(path);
	unlink(empty);
	aggregate_clear(&now);
	aggregate_clear(&next);
	procs_free(procs);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(test_a_window_says_what_it_is),
		T(test_windows_have_their_shares),
		T(test_samples_that_wait_are_not_lost),
		T(test_a_server_is_waited_for_at_the_end_only),
		T(test_windows_after_a_debug_file_came),
		T(test_code_that_nothing_names_yet_waits),
	};

	return cmocka_run_group_tests_name("window_naming", tests, named_files_setup,
					   fixture_teardown);
}
