// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "profiler/base/buf.h"
#include "profiler/base/hash.h"
#include "profiler/profile/calltree.h"
#include "tests/lib/calltree_oracle.h"
#include "tests/lib/profiles.h"

/* --- building profiles ------------------------------------------------------------------------- */

static uint64_t rng_state;

static uint64_t rng(uint64_t below)
{
	return hash_u64(rng_state += 0x9e3779b97f4a7c15ull) % below;
}

static uint32_t map_id(struct profile *p, const char *file)
{
	return mapping_id(p, file, "", true);
}

/* A location of one mapping with these functions, innermost inlined call first. */
static uint32_t location(struct profile *p, uint32_t map, uint64_t address, size_t n,
			 const char *const *names)
{
	struct profile_line lines[8];
	uint32_t id;

	for (size_t i = 0; i < n; i++)
		lines[i] =
			(struct profile_line){function_id(p, names[i], "src/a.c"), (int64_t)i + 7};
	assert_int_equal(profile_location(p, map, address, lines, n, &id), 0);
	return id;
}

static struct profile_label text_label(struct profile *p, const char *key, const char *value)
{
	return (struct profile_label){.key = str_id(p, key), .str = str_id(p, value)};
}

static struct profile_label number_label(struct profile *p, const char *key, int64_t value)
{
	return (struct profile_label){.key = str_id(p, key), .str = PROFILE_NONE, .num = value};
}

static void add(struct profile *p, const uint32_t *locations, size_t n,
		const struct profile_label *labels, size_t n_labels, int64_t value)
{
	int64_t values[2] = {value, value * 10};
	uint32_t stack, set;

	assert_int_equal(profile_stack(p, locations, n, &stack), 0);
	assert_int_equal(profile_labelset(p, labels, n_labels, &set), 0);
	assert_int_equal(profile_add(p, stack, set, values), 0);
}

static struct profile *new_profile(void)
{
	struct profile *p = profile_new();

	assert_non_null(p);
	assert_int_equal(profile_init_cpu(p, 10), 0);
	return p;
}

#define N_LOCATIONS 24

static struct profile *small_profile(uint64_t seed)
{
	static const char *const names[] = {"main", "a", "b", "c<int>", "d;e", "f"};
	static const char *const files[] = {"/usr/lib/x.so", "/bin/y", MAPPING_KERNEL, MAPPING_JIT};
	struct profile *p = new_profile();
	uint32_t locations[N_LOCATIONS];

	rng_state = seed;
	for (size_t i = 0; i < N_LOCATIONS; i++) {
		const char *lines[3] = {names[rng(6)], names[rng(6)], names[rng(6)]};
		uint32_t map = rng(8) ? map_id(p, files[rng(4)]) : PROFILE_NONE;

		locations[i] = location(p, map, 16 * rng(5), rng(4), lines);
	}
	for (size_t i = 0, n = rng(60); i < n; i++) {
		uint32_t stack[12];
		size_t depth = rng(13);
		struct profile_label labels[] = {
			text_label(p, LABEL_COMM, rng(2) ? "one" : "two"),
			number_label(p, LABEL_PID, (int64_t)rng(2) + 7),
			number_label(p, LABEL_TID, (int64_t)rng(3) + 7),
		};

		for (size_t k = 0; k < depth; k++)
			stack[k] = locations[rng(N_LOCATIONS)];
		add(p, stack, depth, labels, rng(4) ? 3 : 0, (int64_t)rng(9) - 1);
	}
	return p;
}

/* --- properties ---------------------------------------------------------------------------------- */

static void check_shape(const struct calltree *t, bool inverted)
{
	int64_t self = 0;
	uint32_t deepest = 0;

	assert_int_equal(t->nodes[0].subtree_len, t->n_nodes);
	assert_int_equal(t->nodes[0].total, t->total);
	assert_string_equal(calltree_text(t, t->nodes[0].name), "all");
	for (size_t i = 0; i < t->n_nodes; i++) {
		const struct calltree_node *n = &t->nodes[i];
		int64_t own = n->self < 0 ? -n->self : n->self, children = 0, before = INT64_MAX;
		size_t end = i + n->subtree_len, c = i + 1;

		self += own;
		deepest = n->depth > deepest ? n->depth : deepest;
		assert_true(end <= t->n_nodes);
		for (; c < end; c += t->nodes[c].subtree_len) {
			const char *name = calltree_text(t, t->nodes[c].name);

			assert_int_equal(t->nodes[c].parent, i);
			assert_int_equal(t->nodes[c].depth, n->depth + 1);
			assert_true(t->nodes[c].total <= before || strstr(name, " hidden"));
			before = t->nodes[c].total;
			children += t->nodes[c].total;
		}
		assert_int_equal(c, end);
		assert_true(children <= n->total && own <= n->total);
		assert_true(!inverted || n->depth == 1 || !i || !n->self);
		assert_true(inverted || children + own == n->total);
	}
	assert_true(inverted ? self <= t->total : self == t->total);
	assert_int_equal(deepest, t->max_depth);
}

static struct calltree *build(const struct profile *p, struct calltree_opts o)
{
	struct calltree *t = NULL;

	assert_int_equal(calltree_build(&t, p, &o), 0);
	check_shape(t, o.inverted);
	return t;
}

static void test_random_profiles_match_oracle(void **state)
{
	static const char *const through[] = {NULL, "a", "c<int>", "[x.so]+0x10", "nowhere"};
	static const enum calltree_roots roots[] = {ROOTS_COMM, ROOTS_NONE, ROOTS_GROUP};

	(void)state;
	for (uint64_t seed = 0; seed < 40; seed++) {
		struct profile *p = small_profile(seed * 1000003);

		for (int k = 0; k < 30; k++) {
			struct calltree_opts o = {
				.value = k & 1,
				.inverted = k & 1,
				.roots = roots[k / 2 % 3],
				.by = TABLE_THREAD,
				.through = through[k / 6],
			};
			struct calltree *t = build(p, o);

			check_against_oracle(t, p, &o);
			calltree_free(t);
		}
		profile_free(p);
	}
}

static bool same_tree(const struct calltree *a, const struct calltree *b)
{
	if (a->n_nodes != b->n_nodes)
		return false;
	for (size_t i = 0; i < a->n_nodes; i++) {
		const struct calltree_node *x = &a->nodes[i], *y = &b->nodes[i];

		if (strcmp(calltree_text(a, x->name), calltree_text(b, y->name)) ||
		    strcmp(calltree_text(a, x->module), calltree_text(b, y->module)) ||
		    x->total != y->total || x->self != y->self || x->depth != y->depth ||
		    x->kind != y->kind || x->inlined != y->inlined)
			return false;
	}
	return true;
}

static void test_order_of_samples_does_not_matter(void **state)
{
	struct calltree_opts o = {0};

	(void)state;
	for (uint64_t seed = 100; seed < 130; seed++) {
		struct profile *p = small_profile(seed);
		struct calltree *a = build(p, o), *b;

		for (size_t i = p->samples.len; i > 1; i--) {
			size_t k = rng(i);
			struct profile_sample tmp = p->samples.data[i - 1];

			p->samples.data[i - 1] = p->samples.data[k];
			p->samples.data[k] = tmp;
		}
		b = build(p, o);
		assert_true(same_tree(a, b));
		calltree_free(a);
		calltree_free(b);
		profile_free(p);
	}
}

static const struct calltree_node *find(const struct calltree *t, const char *name)
{
	for (size_t i = 0; i < t->n_nodes; i++)
		if (!strcmp(calltree_text(t, t->nodes[i].name), name))
			return &t->nodes[i];
	fail_msg("no node %s", name);
	return NULL;
}

static void test_inverted_total_is_the_same(void **state)
{
	(void)state;
	for (uint64_t seed = 200; seed < 230; seed++) {
		struct profile *p = small_profile(seed);
		struct calltree *t = build(p, (struct calltree_opts){0});
		struct calltree *leaf_first = build(p, (struct calltree_opts){.inverted = true});

		assert_int_equal(t->total, leaf_first->total);
		calltree_free(t);
		calltree_free(leaf_first);
		profile_free(p);
	}
}

static void test_small_nodes_are_summed_up_as_hidden(void **state)
{
	(void)state;
	for (uint64_t seed = 300; seed < 340; seed++) {
		struct profile *p = small_profile(seed);
		struct calltree *all = build(p, (struct calltree_opts){0});
		struct calltree *t = build(p, (struct calltree_opts){.min_share = 0.04});
		int64_t least = (int64_t)(0.04 * (double)t->total);
		size_t hidden = 0, n_rests = 0, n_heavy = 0;
		unsigned n;

		assert_int_equal(t->total, all->total);
		for (size_t i = 1; i < t->n_nodes; i++) {
			const char *name = calltree_text(t, t->nodes[i].name);

			if (sscanf(name, "+%u hidden", &n) == 1) {
				hidden += n;
				n_rests++;
				assert_int_equal(t->nodes[i].kind, FRAME_SYNTHETIC);
				/* The last of its parent's children. */
				assert_int_equal(t->nodes[i].subtree_len, 1);
				assert_int_equal(i + 1,
						 t->nodes[i].parent +
							 t->nodes[t->nodes[i].parent].subtree_len);
			} else {
				assert_true(t->nodes[i].total >= least);
			}
		}
		assert_int_equal(t->n_nodes - n_rests + hidden, all->n_nodes);
		for (size_t i = 0; i < all->n_nodes; i++)
			n_heavy += all->nodes[i].total >= least;
		assert_int_equal(t->n_nodes - n_rests, n_heavy);
		calltree_free(all);
		calltree_free(t);
		profile_free(p);
	}
}

/* --- single cases -------------------------------------------------------------------------------- */

static void check_kind(const struct calltree *t, const char *name, const char *module, int kind)
{
	const struct calltree_node *n = find(t, name);

	assert_string_equal(calltree_text(t, n->module), module);
	assert_int_equal(n->kind, kind);
}

static void test_frames_without_names(void **state)
{
	struct profile *p = new_profile();
	uint32_t stack[] = {
		location(p, map_id(p, "/usr/lib/libx.so.6"), 0x1290, 0, NULL),
		location(p, map_id(p, MAPPING_KERNEL), 0, 0, NULL),
		location(p, PROFILE_NONE, 0x55550000, 0, NULL),
		location(p, map_id(p, MAPPING_JIT), 0, 0, NULL),
		location(p, map_id(p, MAPPING_KILN), 0, 1, (const char *[]){FRAME_TRUNCATED}),
	};
	struct calltree *t;

	(void)state;
	add(p, stack, 5, NULL, 0, 3);
	t = build(p, (struct calltree_opts){0});
	assert_int_equal(t->n_nodes, 6);
	check_kind(t, "[libx.so.6]+0x1290", "libx.so.6", FRAME_NATIVE);
	check_kind(t, "[kernel]", "[kernel]", FRAME_KERNEL);
	check_kind(t, "[unknown]", "[unknown]", FRAME_UNKNOWN);
	check_kind(t, "[jit]", "[jit]", FRAME_JIT);
	check_kind(t, FRAME_TRUNCATED, MAPPING_KILN, FRAME_SYNTHETIC);
	assert_int_equal(find(t, "[libx.so.6]+0x1290")->self, 3);
	calltree_free(t);
	profile_free(p);
}

static void test_lost_samples_add_up(void **state)
{
	struct profile *p = new_profile();
	uint32_t main_loc = location(p, map_id(p, "/bin/y"), 16, 1, (const char *[]){"main"});
	uint32_t lost = location(p, map_id(p, MAPPING_KILN), 0, 1, (const char *[]){FRAME_LOST});
	uint32_t cut =
		location(p, map_id(p, MAPPING_KILN), 0, 1, (const char *[]){FRAME_TRUNCATED});
	struct calltree *t;

	(void)state;
	add(p, &main_loc, 1, NULL, 0, 90);
	add(p, &lost, 1, NULL, 0, 10);
	t = build(p, (struct calltree_opts){0});
	assert_int_equal(t->total, 100);
	assert_int_equal(find(t, FRAME_LOST)->total, 10);
	assert_int_equal(find(t, FRAME_LOST)->kind, FRAME_SYNTHETIC);
	calltree_free(t);
	/* A frame the tree has for its own use is found all the same. */
	add(p, (uint32_t[]){main_loc, cut}, 2, NULL, 0, 7);
	t = build(p, (struct calltree_opts){.through = FRAME_TRUNCATED});
	assert_int_equal(t->total, 7);
	assert_int_equal(t->n_nodes, 3);
	calltree_free(t);
	profile_free(p);
}

static void test_lines_and_inlined_calls(void **state)
{
	struct profile *p = new_profile();
	uint32_t loc = location(p, map_id(p, "/bin/y"), 16, 2, (const char *[]){"in", "out"});
	struct calltree *t;

	(void)state;
	add(p, &loc, 1, NULL, 0, 1);
	t = build(p, (struct calltree_opts){.detail = DETAIL_LINE});
	assert_int_equal(t->n_nodes, 3);
	assert_string_equal(calltree_text(t, t->nodes[1].name), "out (a.c:8)");
	assert_false(t->nodes[1].inlined);
	assert_string_equal(calltree_text(t, t->nodes[2].name), "in (a.c:7)");
	assert_true(t->nodes[2].inlined);
	calltree_free(t);
	t = build(p, (struct calltree_opts){.detail = DETAIL_LINE, .through = "in"});
	assert_int_equal(t->n_nodes, 2);
	calltree_free(t);
	profile_free(p);
}

static void test_functions_of_two_files(void **state)
{
	struct profile *p = new_profile();
	struct profile_line b = {function_id(p, "init", "src/b.c"), 3};
	uint32_t map = map_id(p, "/bin/y"), loc[2];
	struct calltree *t;

	(void)state;
	assert_int_equal(profile_location(p, map, 32, &b, 1, &loc[0]), 0);
	loc[1] = location(p, map, 16, 1, (const char *[]){"init"});
	add(p, &loc[0], 1, NULL, 0, 5);
	add(p, &loc[1], 1, NULL, 0, 5);
	t = build(p, (struct calltree_opts){0});
	assert_int_equal(t->n_nodes, 2);
	assert_string_equal(calltree_text(t, t->nodes[1].file), "");
	calltree_free(t);
	/* In an order that does not depend on which came first. */
	t = build(p, (struct calltree_opts){.with_files = true});
	assert_int_equal(t->n_nodes, 3);
	assert_string_equal(calltree_text(t, t->nodes[1].file), "src/a.c");
	assert_string_equal(calltree_text(t, t->nodes[2].file), "src/b.c");
	calltree_free(t);
	profile_free(p);
}

static void check_root(const struct profile *p, enum calltree_roots roots, enum table_by by,
		       const char *outer, const char *inner)
{
	struct calltree *t =
		build(p, (struct calltree_opts){.roots = roots, .by = by, .label = LABEL_UNIT});

	assert_string_equal(calltree_text(t, t->nodes[1].name), outer);
	assert_string_equal(calltree_text(t, t->nodes[2].name), inner);
	assert_int_equal(t->nodes[1].kind,
			 roots == ROOTS_NONE ? (int)FRAME_NATIVE : FRAME_ROOT_KIND);
	calltree_free(t);
}

static void test_roots(void **state)
{
	struct profile *p = new_profile();
	const char *names[] = {"leaf", "main"};
	uint32_t loc = location(p, map_id(p, "/bin/y"), 16, 2, names);
	struct profile_label labels[] = {
		text_label(p, LABEL_COMM, "nginx"),
		number_label(p, LABEL_PID, 12),
		number_label(p, LABEL_TID, 13),
		text_label(p, LABEL_CGROUP, "/system.slice/nginx.service"),
	};
	char set[16];

	(void)state;
	add(p, &loc, 1, labels, 4, 1);
	snprintf(set, sizeof(set), "%u", p->samples.data[0].labelset);
	check_root(p, ROOTS_COMM, 0, "nginx", "main");
	check_root(p, ROOTS_NONE, 0, "main", "leaf");
	check_root(p, ROOTS_GROUP, TABLE_PROCESS, "nginx-12", "main");
	check_root(p, ROOTS_GROUP, TABLE_COMMAND, "nginx", "main");
	check_root(p, ROOTS_GROUP, TABLE_THREAD, "nginx-12/13", "main");
	check_root(p, ROOTS_GROUP, TABLE_CGROUP, "/system.slice/nginx.service", "main");
	check_root(p, ROOTS_GROUP, TABLE_LABEL, "[no unit]", "main");
	check_root(p, ROOTS_LABELSET, 0, set, "main");
	profile_free(p);
}

static void test_cgroup_root_prefers_the_unit(void **state)
{
	struct profile *p = new_profile();
	uint32_t loc = location(p, map_id(p, "/bin/y"), 16, 1, (const char *[]){"main"});
	struct profile_label labels[] = {
		text_label(p, LABEL_CGROUP, "/system.slice/nginx.service"),
		text_label(p, LABEL_UNIT, "nginx.service"),
	};

	(void)state;
	add(p, &loc, 1, labels, 2, 1);
	check_root(p, ROOTS_GROUP, TABLE_CGROUP, "nginx.service", "main");
	profile_free(p);
}

/* A stack as no unwinder makes it, and as any file can claim. */
static void test_very_deep_stack_keeps_both_ends(void **state)
{
	enum { DEPTH = 100000 };
	struct profile *p = new_profile();
	uint32_t *stack = calloc(DEPTH, sizeof(*stack));
	uint32_t map = map_id(p, "/bin/y");
	struct calltree *t;

	(void)state;
	for (size_t i = 0; i < DEPTH; i++)
		stack[i] = location(p, map, 16, 1, (const char *[]){"recurse"});
	stack[0] = location(p, map, 32, 1, (const char *[]){"leaf"});
	stack[DEPTH - 1] = location(p, map, 48, 1, (const char *[]){"main"});
	add(p, stack, DEPTH, NULL, 0, 5);
	t = build(p, (struct calltree_opts){0});
	assert_int_equal(t->max_depth, 4097);
	assert_string_equal(calltree_text(t, t->nodes[1].name), "main");
	assert_string_equal(calltree_text(t, t->nodes[2049].name), FRAME_TRUNCATED);
	assert_string_equal(calltree_text(t, t->nodes[4097].name), "leaf");
	assert_int_equal(t->nodes[4097].self, 5);
	calltree_free(t);
	free(stack);
	profile_free(p);
}

static void test_refusals(void **state)
{
	struct profile *p = new_profile();
	uint32_t loc = location(p, map_id(p, "/bin/y"), 16, 1, (const char *[]){"main"});
	struct calltree *t = NULL;

	(void)state;
	add(p, &loc, 1, NULL, 0, 1);
	assert_int_equal(calltree_build(&t, p, &(struct calltree_opts){.value = 2}), -EINVAL);
	assert_int_equal(calltree_build(&t, p, &(struct calltree_opts){.min_share = 1}), -EINVAL);
	add(p, NULL, 0, NULL, 0, INT64_MAX / 10);
	p->values.data[p->samples.data[1].first_value] = INT64_MAX;
	assert_int_equal(calltree_build(&t, p, &(struct calltree_opts){0}), -EOVERFLOW);
	assert_null(t);
	profile_free(p);
}

/* Of a heap's delta: what grew, with equal stacks added up over their labels. */
static void test_values_below_zero(void **state)
{
	struct profile *p = new_profile();
	uint32_t map = map_id(p, "/bin/app");
	uint32_t top = location(p, map, 1, 1, (const char *[]){"top"});
	uint32_t grew = location(p, map, 2, 1, (const char *[]){"grew"});
	uint32_t shrank = location(p, map, 3, 1, (const char *[]){"shrank"});
	struct profile_label sizes[2] = {number_label(p, "bytes", 16),
					 number_label(p, "bytes", 32)};
	struct calltree *t;

	(void)state;
	add(p, (uint32_t[]){grew, top}, 2, &sizes[0], 1, 100);
	add(p, (uint32_t[]){grew, top}, 2, &sizes[1], 1, -30);
	add(p, (uint32_t[]){shrank, top}, 2, NULL, 0, -200);
	add(p, (uint32_t[]){grew, shrank, top}, 3, NULL, 0, 5);
	add(p, (uint32_t[]){top, shrank, top}, 3, NULL, 0, -5);
	t = build(p, (struct calltree_opts){0});
	assert_int_equal(t->total, 75);
	assert_int_equal(t->n_nodes, 5);
	assert_int_equal(find(t, "top")->total, 75);
	assert_int_equal(find(t, "grew")->self, 70);
	assert_int_equal(find(t, "shrank")->self, 0);
	assert_int_equal(find(t, "shrank")->total, 5);
	calltree_free(t);
	/* Or as wide as it changed. */
	t = build(p, (struct calltree_opts){.with_less = true});
	assert_int_equal(t->total, 280);
	assert_int_equal(t->n_nodes, 6);
	assert_int_equal(t->nodes[2].self, -200);
	assert_int_equal(t->nodes[2].total, 210);
	assert_ptr_equal(&t->nodes[2], find(t, "shrank"));
	assert_int_equal(t->nodes[5].self, 70); /* the widest first */
	assert_string_equal(calltree_text(t, t->nodes[5].name), "grew");
	calltree_free(t);
	profile_free(p);
}

static void test_empty_profile(void **state)
{
	struct profile *p = new_profile();
	struct calltree *t = build(p, (struct calltree_opts){.inverted = true});

	(void)state;
	assert_int_equal(t->n_nodes, 1);
	assert_int_equal(t->total, 0);
	calltree_free(t);
	profile_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_profiles_match_oracle),
		cmocka_unit_test(test_order_of_samples_does_not_matter),
		cmocka_unit_test(test_inverted_total_is_the_same),
		cmocka_unit_test(test_small_nodes_are_summed_up_as_hidden),
		cmocka_unit_test(test_frames_without_names),
		cmocka_unit_test(test_lost_samples_add_up),
		cmocka_unit_test(test_lines_and_inlined_calls),
		cmocka_unit_test(test_functions_of_two_files),
		cmocka_unit_test(test_roots),
		cmocka_unit_test(test_cgroup_root_prefers_the_unit),
		cmocka_unit_test(test_very_deep_stack_keeps_both_ends),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_values_below_zero),
		cmocka_unit_test(test_empty_profile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
