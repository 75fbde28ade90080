// SPDX-License-Identifier: GPL-2.0-or-later
/* Profiles out of profiles: merged, filtered, without a label. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>

#include "profiler/profile/profile.h"
#include "profiler/profile/quality.h"
#include "profiler/profile/rates.h"
#include "tests/lib/profiles.h"

static struct profile *new_cpu(void)
{
	struct profile *p = profile_new();

	assert_non_null(p);
	assert_int_equal(profile_init_cpu(p, 1000), 0);
	return p;
}

static struct profile *merged(const struct profile *const *parts, size_t n)
{
	struct profile *p = profile_new();
	const char *why;

	assert_non_null(p);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(profile_merge(p, parts[i], &why), 0);
	return p;
}

static void merging_into_nothing_copies(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct profile *a = random_profile(seed, 50);
		struct profile *copy = merged((const struct profile *[]){a}, 1);
		char *want = print_profile(a), *got = print_profile(copy);

		assert_string_equal(got, want);
		free(want);
		free(got);
		profile_free(a);
		profile_free(copy);
	}
}

static void merging_is_associative(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct profile *a = random_profile(3 * seed, 40), *b = random_profile(3 * seed, 60);
		struct profile *c = random_profile(3 * seed + 2, 30);
		struct profile *ab = merged((const struct profile *[]){a, b}, 2);
		struct profile *bc = merged((const struct profile *[]){b, c}, 2);
		struct profile *left = merged((const struct profile *[]){ab, c}, 2);
		struct profile *right = merged((const struct profile *[]){a, bc}, 2);
		char *l, *r;

		l = print_profile(left);
		r = print_profile(right);
		assert_string_equal(strstr(l, "\n#"), strstr(r, "\n#"));
		assert_int_equal(total_of_type(left, 0),
				 total_of_type(a, 0) + total_of_type(b, 0) + total_of_type(c, 0));
		/* a's samples are b's first ones: they must have met, not stand side by side */
		assert_true(ab->samples.len < a->samples.len + b->samples.len);
		free(l);
		free(r);
		for (struct profile **p = (struct profile *[]){a, b, c, ab, bc, left, right, NULL};
		     *p; p++)
			profile_free(*p);
	}
}

static void merged_time_spans_both(void **state)
{
	static const struct {
		int64_t t1, d1, t2, d2, time, duration;
	} cases[] = {
		{100, 10, 110, 10, 100, 20}, /* one after the other */
		{110, 10, 100, 10, 100, 20}, /* in whatever order */
		{100, 10, 150, 10, 100, 20}, /* the gap is not covered */
		{100, 10, 105, 10, 100, 15}, /* overlapping */
		{100, 50, 110, 10, 100, 50}, /* inside */
		{0, 10, 110, 10, 110, 20},   /* start unknown */
		{100, 10, 0, 10, 100, 20},
	};
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct profile *a = new_cpu(), *b = new_cpu();

		a->time_ns = cases[i].t1;
		a->duration_ns = cases[i].d1;
		b->time_ns = cases[i].t2;
		b->duration_ns = cases[i].d2;
		assert_int_equal(profile_merge(a, b, &why), 0);
		assert_int_equal(a->time_ns, cases[i].time);
		assert_int_equal(a->duration_ns, cases[i].duration);
		profile_free(a);
		profile_free(b);
	}
}

static void merged_time_does_not_depend_on_the_order(void **state)
{
	static const struct {
		int64_t t[4], d[4], time, duration;
	} cases[] = {
		{{100, 150, 110, 120}, {10, 10, 10, 10}, 100, 40}, /* the gap is filled later */
		{{150, 100, 110, 500}, {10, 10, 30, 5}, 100, 55},
		{{100, 200, 105, 195}, {10, 10, 100, 1}, 100, 110}, /* one joins two */
		{{100, 150, 0, 110}, {10, 10, 7, 10}, 100, 37},	    /* one of unknown time */
	};
	static const int orders[][4] = {
		{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}, {2, 0, 3, 1}, {1, 0, 3, 2}};
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (size_t k = 0; k < sizeof(orders) / sizeof(*orders); k++) {
			struct profile *all = new_cpu();

			for (int j = 0; j < 4; j++) {
				struct profile *p = new_cpu();

				p->time_ns = cases[i].t[orders[k][j]];
				p->duration_ns = cases[i].d[orders[k][j]];
				assert_int_equal(profile_merge(all, p, &why), 0);
				profile_free(p);
			}
			assert_int_equal(all->time_ns, cases[i].time);
			assert_int_equal(all->duration_ns, cases[i].duration);
			profile_free(all);
		}
	}
}

static void many_spans_close_their_gaps(void **state)
{
	struct spans s = {0};

	(void)state;
	for (int64_t i = 1; i <= SPANS_MAX; i++)
		assert_int_equal(spans_add(&s, 100 * i, 10), 0);
	assert_int_equal(spans_total(&s), 10 * SPANS_MAX);
	assert_int_equal(spans_add(&s, 115, 10), 0); /* 5 behind the first, 75 before the second */
	assert_int_equal(s.v.len, SPANS_MAX);
	assert_int_equal(s.gaps_closed, 1);
	assert_int_equal(spans_total(&s), 10 * SPANS_MAX + 15);
	spans_release(&s);
}

static void spans_of_impossible_times_are_no_negative_ones(void **state)
{
	struct spans s = {0};

	(void)state;
	assert_int_equal(spans_add(&s, INT64_MIN + 5, INT64_MAX), 0);
	assert_int_equal(spans_add(&s, -100, INT64_MAX), 0);
	assert_int_equal(s.v.len, 1);
	assert_int_equal(spans_total(&s), INT64_MAX);
	spans_release(&s);
}

static void different_types_do_not_merge(void **state)
{
	struct profile *a = new_cpu(), *b = profile_new(), *c = new_cpu();
	const char *why = NULL;

	(void)state;
	MUST(profile_add_sample_type(b, "alloc", "bytes"));
	assert_int_equal(profile_merge(a, b, &why), -EINVAL);
	assert_string_equal(why, "the profiles have different sample types");
	c->period_type.type = str_id(c, "cycles");
	assert_int_equal(profile_merge(a, c, &why), -EINVAL);
	assert_string_equal(why, "the profiles were sampled by different events");
	profile_free(a);
	profile_free(b);
	profile_free(c);
}

static bool keep_some(void *ctx, const struct profile *src, size_t sample)
{
	(void)src;
	return (sample % 3 == 0) == *(bool *)ctx;
}

static void a_filter_and_its_complement_make_the_whole(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct profile *p = random_profile(seed, 60), *some, *rest, *both;
		char *want, *got;
		bool yes = true, no = false;

		assert_int_equal(profile_filter(&some, p, keep_some, &yes), 0);
		assert_int_equal(profile_filter(&rest, p, keep_some, &no), 0);
		assert_int_equal(some->samples.len, (p->samples.len + 2) / 3);
		assert_int_equal(some->samples.len + rest->samples.len, p->samples.len);
		both = merged((const struct profile *[]){some, rest}, 2);
		want = print_profile(p);
		got = print_profile(both);
		assert_string_equal(got, want);
		free(want);
		free(got);
		profile_free(p);
		profile_free(some);
		profile_free(rest);
		profile_free(both);
	}
}

static void without_a_label_samples_become_one(void **state)
{
	struct profile *p = new_cpu(), *q;
	uint32_t l = location_id(p, PROFILE_NONE, 1, "f"), stack, other, set;
	char *want, *got;

	(void)state;
	MUST(profile_stack(p, &l, 1, &stack));
	MUST(profile_stack(p, NULL, 0, &other));
	MUST(profile_comment(p, "kept"));
	p->time_ns = 100;
	p->duration_ns = 10;
	for (int64_t pid = 1; pid <= 3; pid++) {
		struct profile_label labels[] = {
			{str_id(p, "pid"), PROFILE_NONE, pid, 0},
			{str_id(p, "comm"), str_id(p, pid == 3 ? "pid" : "x"), 0, 0},
		};

		MUST(profile_labelset(p, labels, 2, &set));
		MUST(profile_add(p, stack, set, (int64_t[]){pid, 10 * pid}));
		MUST(profile_add(p, other, set, (int64_t[]){100 * pid, 0}));
	}
	assert_int_equal(profile_without_label(&q, p, "pid"), 0);
	/* of either stack: x, whose counts add up, and one whose comm has the key's name */
	assert_int_equal(q->samples.len, 4);
	for (size_t i = 0; i < 4; i++) {
		const struct profile_sample *s = &q->samples.data[i];
		uint32_t depth = q->stacks.data[s->stack].len;

		assert_null(profile_find_label(q, s->labelset, "pid"));
		assert_non_null(profile_find_label(q, s->labelset, "comm"));
		/* 1 + 2 of the one, 3 of the other */
		assert_int_equal(q->values.data[s->first_value], depth ? 3 : 300);
		assert_int_equal(q->values.data[s->first_value + 1], depth ? 30 : 0);
	}
	assert_int_equal(q->time_ns, 100);
	assert_int_equal(q->duration_ns, 10);
	assert_string_equal(profile_text(q, q->comments.data[0]), "kept");
	profile_free(q);
	/* a key that no label has */
	want = print_profile(p);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(profile_without_label(&q, p, i ? "kept" : "nowhere"), 0);
		got = print_profile(q);
		assert_string_equal(got, want);
		free(got);
		profile_free(q);
	}
	free(want);
	profile_free(p);
}

/* The same file, named better in one window than in the other, is one mapping of the sum. */
static void merging_joins_mappings(void **state)
{
	struct profile *parts[2], *all;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct profile_mapping m = {.start = 0x1000, .limit = 0x2000};
		uint32_t mapping, location, stack, set;

		parts[i] = new_cpu();
		m.file = str_id(parts[i], "/bin/x");
		m.build_id = str_id(parts[i], "aa");
		m.has_line_numbers = i;
		m.has_inline_frames = !i;
		MUST(profile_mapping(parts[i], &m, &mapping));
		location = location_id(parts[i], mapping, 0x1100, "f");
		MUST(profile_stack(parts[i], &location, 1, &stack));
		MUST(profile_labelset(parts[i], NULL, 0, &set));
		MUST(profile_add(parts[i], stack, set, (int64_t[]){1, 1}));
	}
	all = merged((const struct profile *const *)parts, 2);
	assert_int_equal(all->mappings.len, 1);
	assert_int_equal(all->samples.len, 1);
	assert_true(all->mappings.data[0].has_line_numbers);
	assert_true(all->mappings.data[0].has_inline_frames);
	profile_free(parts[0]);
	profile_free(parts[1]);
	profile_free(all);
}

static void add_blame(struct quality *q, const char *module, const char *hint, uint64_t unnamed)
{
	struct quality_blame b = {.module = strdup(module),
				  .frames = 1000,
				  .unnamed = unnamed,
				  .hint = hint ? strdup(hint) : NULL};

	MUST(vec_push(&q->blame, b));
}

/* --- detail given up ------------------------------------------------------------------------------ */

/* A stack of these addresses, leaf first, each in "f<address / 16>"; address 0: not there. */
static uint32_t deep_stack(struct profile *p, const uint64_t *addresses, uint32_t n)
{
	uint32_t mapping = mapping_id(p, "/bin/x", "aa", true), frames[8], stack;

	for (uint32_t i = 0; i < n; i++) {
		struct profile_line line = {.line = (int64_t)addresses[i]};
		char name[32];

		snprintf(name, sizeof(name), "f%d", (int)(addresses[i] / 16));
		line.function = function_id(p, name, "x.c");
		MUST(profile_location(p, mapping, addresses[i], &line, 1, &frames[i]));
	}
	MUST(profile_stack(p, frames, n, &stack));
	return stack;
}

static void add_stack(struct profile *p, const uint64_t *addresses, uint32_t n, int64_t count)
{
	uint32_t set;

	MUST(profile_labelset(p, NULL, 0, &set));
	MUST(profile_add(p, deep_stack(p, addresses, n), set, (int64_t[]){count, 1000 * count}));
}

#define ADDRESSES(...)                                                                             \
	(const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t)

/* "f1@10:16;f2..." of each sample, "= count", sorted. */
static char *folded_text(const struct profile *p)
{
	char **lines = calloc(p->samples.len + 1, sizeof(*lines));
	struct buf all = {0};

	for (size_t i = 0; i < p->samples.len; i++) {
		const struct profile_sample *s = &p->samples.data[i];
		const struct profile_stack *stack = &p->stacks.data[s->stack];
		struct buf b = {0};

		for (uint32_t k = 0; k < stack->len; k++) {
			const struct profile_location *l =
				&p->locations.data[p->frames.data[stack->first + k]];
			const struct profile_line *line = &p->lines.data[l->first_line];

			buf_printf(&b, "%s%s", k ? ";" : "",
				   profile_text(p, p->functions.data[line->function].name));
			if (l->address || line->line)
				buf_printf(&b, "@%" PRIx64 ":%" PRId64, l->address, line->line);
		}
		buf_printf(&b, " = %" PRId64, p->values.data[s->first_value]);
		lines[i] = buf_take(&b);
	}
	qsort(lines, p->samples.len, sizeof(*lines), compare_lines_of_text);
	for (size_t i = 0; i < p->samples.len; i++) {
		buf_printf(&all, "%s\n", lines[i]);
		free(lines[i]);
	}
	free(lines);
	return buf_take(&all);
}

/* Folds it into *p: how many samples lost something. */
static uint64_t fold(struct profile **p, int how, uint32_t depth, const char *want)
{
	struct profile_fold opts = {how, depth, profile_weight(*p) / 10000 + 1};
	struct profile *folded;
	uint64_t n = 12345;
	char *text;

	assert_int_equal(profile_fold(&folded, *p, &opts, &n), 0);
	for (size_t type = 0; type < 2; type++)
		assert_int_equal(total_of_type(folded, type), total_of_type(*p, type));
	text = folded_text(folded);
	assert_string_equal(text, want);
	free(text);
	profile_free(*p);
	*p = folded;
	return n;
}

/* Of 20,000 samples a location with less than 3 is rare; it may be so in several stacks. */
static void rare_locations_lose_their_lines(void **state)
{
	const char *want = "f1;f2@20:32 = 1\n" /* of two addresses in f1 */
			   "f1@12:18;f2@20:32 = 3\n"
			   "f3@30:48 = 1\n"
			   "f3@30:48;f2@20:32 = 2\n"
			   "f4@40:64;f2@20:32 = 20000\n";
	struct profile *p = new_cpu();

	(void)state;
	p->time_ns = 77;
	add_stack(p, ADDRESSES(0x40, 0x20), 20000);
	add_stack(p, ADDRESSES(0x10, 0x20), 1);
	add_stack(p, ADDRESSES(0x12, 0x20), 3);
	add_stack(p, ADDRESSES(0x30, 0x20), 2);
	add_stack(p, ADDRESSES(0x30), 1);
	assert_int_equal(fold(&p, FOLD_LINES, 0, want), 1);
	assert_int_equal(p->time_ns, 77);
	/* what has lost them already does not lose them again */
	add_stack(p, ADDRESSES(0x11, 0x20), 1);
	want = "f1;f2@20:32 = 2\n"
	       "f1@12:18;f2@20:32 = 3\n"
	       "f3@30:48 = 1\n"
	       "f3@30:48;f2@20:32 = 2\n"
	       "f4@40:64;f2@20:32 = 20000\n";
	assert_int_equal(fold(&p, FOLD_LINES, 0, want), 1);
	profile_free(p);
}

static void rare_stacks_lose_their_callers(void **state)
{
	const char *want = "f1@10:16;f2@20:32;[folded callers] = 2\n"
			   "f3@30:48;f2@20:32;f1@10:16 = 2\n" /* one mark for one frame: no gain */
			   "f4@40:64;f2@20:32;f1@10:16;f1@10:16;f1@10:16 = 20000\n"
			   "f5@50:80 = 1\n"
			   "f6@60:96;f2@20:32;f1@10:16;f2@20:32 = 3\n";
	struct profile *p = new_cpu();

	(void)state;
	add_stack(p, ADDRESSES(0x40, 0x20, 0x10, 0x10, 0x10), 20000);
	add_stack(p, ADDRESSES(0x60, 0x20, 0x10, 0x20), 3);
	add_stack(p, ADDRESSES(0x10, 0x20, 0x30, 0x40), 1);
	add_stack(p, ADDRESSES(0x10, 0x20, 0x30, 0x40, 0x50), 1);
	add_stack(p, ADDRESSES(0x30, 0x20, 0x10), 2);
	add_stack(p, ADDRESSES(0x50), 1);
	assert_int_equal(fold(&p, FOLD_CALLERS, 2, want), 2);
	/* what has the mark already loses nothing, until it is cut deeper */
	assert_int_equal(fold(&p, FOLD_CALLERS, 2, want), 0);
	want = "f1@10:16;[folded callers] = 2\n"
	       "f3@30:48;[folded callers] = 2\n"
	       "f4@40:64;f2@20:32;f1@10:16;f1@10:16;f1@10:16 = 20000\n"
	       "f5@50:80 = 1\n"
	       "f6@60:96;f2@20:32;f1@10:16;f2@20:32 = 3\n";
	assert_int_equal(fold(&p, FOLD_CALLERS, 1, want), 4);
	profile_free(p);
}

/* Whatever there is: the sums stay, in every type. */
static void folding_keeps_all_values(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct profile *p = random_profile(seed, 200), *folded;
		uint64_t n;

		for (int how = FOLD_LINES; how <= FOLD_CALLERS; how++) {
			struct profile_fold opts = {how, 1, profile_weight(p) / 100};

			assert_int_equal(profile_weight(p), total_of_type(p, 0));
			assert_int_equal(profile_fold(&folded, p, &opts, &n), 0);
			assert_int_equal(total_of_type(folded, 0), total_of_type(p, 0));
			assert_int_equal(total_of_type(folded, 1), total_of_type(p, 1));
			assert_true(n <= (uint64_t)total_of_type(p, 0));
			profile_free(folded);
		}
		profile_free(p);
	}
}

static void merging_adds_quality(void **state)
{
	struct profile *a = new_cpu(), *b = new_cpu(), *plain = new_cpu(), *all;
	struct quality q = {.expected = 10, .recorded = 10}, got = {0};

	(void)state;
	add_blame(&q, "x", "do", 5);
	add_blame(&q, "y", NULL, 4);
	MUST(quality_store(a, &q));
	q.blame.data[1].unnamed = 40;
	q.blame.data[1].hint = strdup("later");
	q.lost[LOSS_cpu_gap] = 2;
	MUST(quality_store(b, &q));
	all = merged((const struct profile *[]){a, plain, b}, 3);
	assert_int_equal(quality_load(&got, all), 0);
	assert_int_equal(got.expected, 20);
	assert_int_equal(got.lost[LOSS_cpu_gap], 2);
	assert_int_equal(got.blame.len, 2);
	assert_string_equal(got.blame.data[0].module, "y");
	assert_int_equal(got.blame.data[0].unnamed, 44);
	assert_string_equal(got.blame.data[0].hint, "later");
	assert_string_equal(got.blame.data[1].hint, "do");
	assert_int_equal(all->comments.len, 5);
	quality_release(&got);
	quality_release(&q);
	profile_free(a);
	profile_free(b);
	profile_free(plain);
	profile_free(all);
}

static void periods_are_told_apart(void **state)
{
	static const int64_t periods[][3] = {
		{10, 20, 30}, {30, 20, 10}, {20, 30, 10}, {20, 10, 30}};
	struct rates r;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct profile *p[4] = {new_cpu(), new_cpu(), new_cpu(), new_cpu()}, *all;

		for (size_t j = 0; j < 3; j++)
			p[j]->period = periods[i][j];
		p[3]->period = 0; /* not known */
		all = merged((const struct profile *const *)p, 4);
		rates_load(&r, all);
		assert_int_equal(r.least_period_ns, 10);
		assert_int_equal(r.most_period_ns, 30);
		assert_int_equal(all->period, 30);
		assert_int_equal(all->comments.len, 1);
		profile_free(all);
		p[1]->period = p[2]->period = p[0]->period;
		all = merged((const struct profile *const *)p, 3);
		assert_int_equal(all->comments.len, 0);
		profile_free(all);
		for (size_t j = 0; j < 4; j++)
			profile_free(p[j]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(merging_into_nothing_copies),
		cmocka_unit_test(merging_is_associative),
		cmocka_unit_test(merged_time_spans_both),
		cmocka_unit_test(merged_time_does_not_depend_on_the_order),
		cmocka_unit_test(many_spans_close_their_gaps),
		cmocka_unit_test(spans_of_impossible_times_are_no_negative_ones),
		cmocka_unit_test(different_types_do_not_merge),
		cmocka_unit_test(periods_are_told_apart),
		cmocka_unit_test(a_filter_and_its_complement_make_the_whole),
		cmocka_unit_test(without_a_label_samples_become_one),
		cmocka_unit_test(merging_joins_mappings),
		cmocka_unit_test(merging_adds_quality),
		cmocka_unit_test(rare_locations_lose_their_lines),
		cmocka_unit_test(rare_stacks_lose_their_callers),
		cmocka_unit_test(folding_keeps_all_values),
	};

	return cmocka_run_group_tests_name("merge", tests, NULL, NULL);
}
