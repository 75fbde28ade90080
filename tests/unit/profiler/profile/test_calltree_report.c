// SPDX-License-Identifier: GPL-2.0-or-later
/* What a report asks of call trees: callers, and groups as nodes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "profiler/profile/calltree.h"
#include "profiler/profile/calltree_fold.h"
#include "profiler/profile/table.h"
#include "tests/lib/profiles.h"

/* Adds a sample whose stack is "root;middle+inlined;leaf". "@name" is of a library, "[" of kiln itself. */
static void add(struct profile *p, const char *stack, int64_t value)
{
	char text[256], *frame, *rest = text, *name;
	uint32_t frames[16], n = 16, id, set;

	snprintf(text, sizeof(text), "%s", stack);
	while ((frame = strsep(&rest, ";"))) {
		const char *file = *frame == '@'   ? "/lib/libc.so.6"
				   : *frame == '[' ? MAPPING_KILN
						   : "/bin/app";
		struct profile_line lines[4];
		size_t first = 4;

		while ((name = strsep(&frame, "+")))
			if (*name != '@')
				lines[--first] =
					(struct profile_line){function_id(p, name, "src/a.c"), 0};
		MUST(profile_location(p, mapping_id(p, file, "", true), 0, lines + first, 4 - first,
				      &frames[--n]));
	}
	MUST(profile_stack(p, frames + n, 16 - n, &id));
	MUST(profile_labelset(p, NULL, 0, &set));
	MUST(profile_add(p, id, set, (int64_t[]){value, value * 10}));
}

/* "name total/self" of all nodes but the root in order, with dots for the depth. */
static void check(const struct profile *p, struct calltree_opts o, const char *expected)
{
	struct buf b = {0};
	struct calltree *t;

	o.roots = ROOTS_NONE;
	assert_int_equal(calltree_build(&t, p, &o), 0);
	for (size_t i = 1; i < t->n_nodes; i++)
		buf_printf(&b, "%s%.*s%s %d/%d", i > 1 ? " " : "", (int)t->nodes[i].depth - 1,
			   "..........", calltree_text(t, t->nodes[i].name), (int)t->nodes[i].total,
			   (int)t->nodes[i].self);
	assert_string_equal(buf_cstr(&b), expected);
	buf_release(&b);
	calltree_free(t);
}

static struct profile *new_profile(void)
{
	struct profile *p = profile_new();

	assert_non_null(p);
	MUST(profile_init_cpu(p, 10));
	return p;
}

/* Callers have no time of their own below what they call; it has its own, also where it calls itself. */
static void own_time_in_a_tree_of_callers(void **state)
{
	struct profile *p = new_profile();

	(void)state;
	add(p, "main;a;f", 5);
	add(p, "main;a;f;b", 7);
	add(p, "main;f;b;f", 11);
	add(p, "main;b", 100);
	check(p, (struct calltree_opts){.inverted = true, .through = "f"},
	      "f 23/16 .a 12/0 ..main 12/0 .main 11/0");
	check(p, (struct calltree_opts){.through = "f"}, "f 23/5 .b 18/7 ..f 11/11");
	check(p, (struct calltree_opts){.inverted = true},
	      "b 107/107 .main 100/0 .f 7/0 ..a 7/0 ...main 7/0 "
	      "f 16/16 .b 11/0 ..f 11/0 ...main 11/0 .a 5/0 ..main 5/0");
	profile_free(p);
}

/* Frames of one module that call each other are one node, for each time that they are entered. */
static void groups_are_one_node(void **state)
{
	struct profile *p = new_profile();

	(void)state;
	add(p, "main+in;work;work", 1);
	add(p, "main+in;@;@;work", 2);
	add(p, "main+in;work;@;@", 4);
	add(p, "[lost samples];[cpu_gap", 50);
	check(p,
	      (struct calltree_opts){
		      .detail = DETAIL_GROUP, .by = TABLE_MODULE, .without_lost = true},
	      "app 7/1 .libc.so.6 6/4 ..app 2/2");
	check(p, (struct calltree_opts){.detail = DETAIL_GROUP, .by = TABLE_MODULE},
	      "[kiln] 50/50 app 7/1 .libc.so.6 6/4 ..app 2/2");
	check(p,
	      (struct calltree_opts){
		      .detail = DETAIL_GROUP, .by = TABLE_DIRECTORY, .without_lost = true},
	      "src 7/1 .libc.so.6 6/4 ..src 2/2");
	profile_free(p);
}

static const struct calltree_node *node_called(const struct calltree *t, const char *name)
{
	for (size_t i = 0; i < t->n_nodes; i++)
		if (!strcmp(calltree_text(t, t->nodes[i].name), name))
			return &t->nodes[i];
	fail_msg("no node is called %s", name);
	return NULL;
}

/* A function that calls itself is one node, which tells how often it does. */
static void calls_of_itself_are_joined(void **state)
{
	struct profile *p = new_profile();
	struct calltree_opts o = {.join_calls = true, .inlined_alike = true};
	struct calltree *t;

	(void)state;
	add(p, "main;f;f;f;g", 5);
	add(p, "main;f;g", 7);
	add(p, "main;f;f", 3);
	add(p, "main;f;g;f", 1);
	check(p, o, "main 16/0 .f 16/3 ..g 13/12 ...f 1/1");
	assert_int_equal(calltree_build(&t, p, &o), 0);
	assert_int_equal(node_called(t, "f")->n_calls, 3);
	assert_int_equal(node_called(t, "g")->n_calls, 1);
	calltree_free(t);
	profile_free(p);
}

static void assert_cycle(const struct calltree *t, const char *name, unsigned nodes, unsigned times)
{
	assert_int_equal(node_called(t, name)->cycle.n_nodes, nodes);
	assert_int_equal(node_called(t, name)->cycle.n_times, times);
}

/* Functions that call each other in turn are nodes once. What is left of a turn stays. */
static void calls_in_turn_are_joined(void **state)
{
	struct profile *p = new_profile();
	struct calltree_opts o = {.join_calls = true, .inlined_alike = true};
	struct calltree *t;

	(void)state;
	add(p, "main;a;b;a;b;a;b;leaf", 5);
	add(p, "main;a;b;a;b", 2);
	add(p, "main;a;b;a;leaf", 7);
	add(p, "main;a;a;b;a;b;c;x;y;z;x;y;z;x;y;z", 1);
	check(p, o,
	      "main 15/0 .a 15/0 ..b 15/2 ...a 7/0 ....leaf 7/7 ...leaf 5/5 ...c 1/0 ....x 1/0 "
	      ".....y 1/0 ......z 1/1");
	assert_int_equal(calltree_build(&t, p, &o), 0);
	assert_int_equal(node_called(t, "a")->n_calls, 2);
	assert_cycle(t, "a", 0, 0);
	assert_cycle(t, "b", 2, 3);
	assert_cycle(t, "z", 3, 3);
	calltree_free(t);
	o.inverted = true; /* told where the last of it comes */
	assert_int_equal(calltree_build(&t, p, &o), 0);
	assert_cycle(t, "x", 3, 3);
	assert_cycle(t, "z", 0, 0);
	calltree_free(t);
	o.through = "a"; /* callers of the outermost: the turn is not on the way */
	assert_int_equal(calltree_build(&t, p, &o), 0);
	assert_cycle(t, "a", 0, 0);
	calltree_free(t);
	profile_free(p);
}

/* What a turn is told of has itself to be in it: who calls whom, and how much time each has, stays. */
static void joined_calls_keep_all_time(void **state)
{
	static const char *const names[] = {"a", "b", "c"};
	struct calltree_opts o = {.join_calls = true, .inlined_alike = true};
	unsigned seed = 1;

	(void)state;
	for (int round = 0; round < 200; round++) {
		struct profile *p = new_profile();
		struct table_opts by_self = {0};
		struct calltree *t;
		struct table *want;

		for (int i = 0; i < 10; i++) {
			char stack[64] = "main";

			for (int n = 1 + rand_r(&seed) % 14; n; n--) {
				strcat(stack, ";");
				strcat(stack, names[rand_r(&seed) % 3]);
			}
			add(p, stack, 1 + rand_r(&seed) % 9);
		}
		assert_int_equal(calltree_build(&t, p, &o), 0);
		assert_int_equal(table_build(&want, p, &by_self), 0);
		for (size_t r = 0; r < want->rows.len; r++) {
			const char *name = table_text(want, want->rows.data[r].name);
			int64_t self = 0, total = 0;

			for (uint32_t i = 1; i < t->n_nodes; i++) {
				uint32_t up = t->nodes[i].parent;

				if (strcmp(calltree_text(t, t->nodes[i].name), name) != 0)
					continue;
				self += t->nodes[i].self;
				while (up && t->nodes[up].name != t->nodes[i].name)
					up = t->nodes[up].parent;
				total += up ? 0 : t->nodes[i].total;
				assert_int_not_equal(t->nodes[t->nodes[i].parent].name,
						     t->nodes[i].name);
			}
			assert_int_equal(self, want->rows.data[r].self);
			assert_int_equal(total, want->rows.data[r].total);
		}
		table_free(want);
		calltree_free(t);
		profile_free(p);
	}
}

/* Ceremony in which nothing branches is one node. */
static void ceremony_is_folded(void **state)
{
	struct profile *p = new_profile();
	struct calltree_opts o = {0};
	struct calltree *t;
	const struct calltree_node *main;

	(void)state;
	add(p, "_start;__libc_start_main;main;a;main", 5);
	add(p, "_start;__libc_start_main;main;b", 3);
	add(p, "clone;c", 1);
	assert_int_equal(calltree_build(&t, p, &o), 0);
	assert_int_equal(calltree_fold_ceremony(t), 0);
	assert_int_equal(t->n_nodes, 7);
	main = node_called(t, "_start > __libc_start_main > main");
	assert_true(main->is_chain);
	assert_int_equal(main->parent, 0);
	assert_int_equal(main->total, 8);
	assert_int_equal(main->subtree_len, 4);
	assert_int_equal(node_called(t, "b")->parent, main - t->nodes);
	assert_int_equal(node_called(t, "c")->parent, node_called(t, "clone") - t->nodes);
	assert_int_equal(t->max_depth, 3);
	calltree_free(t);
	profile_free(p);
}

static void inlined_or_not(void **state)
{
	struct profile *p = new_profile();

	(void)state;
	add(p, "main+a;b", 1);
	add(p, "main;a;b", 2);
	check(p, (struct calltree_opts){0}, "main 3/0 .a 2/0 ..b 2/2 .a 1/0 ..b 1/1");
	check(p, (struct calltree_opts){.inlined_alike = true}, "main 3/0 .a 3/0 ..b 3/3");
	profile_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_time_in_a_tree_of_callers),
		cmocka_unit_test(groups_are_one_node),
		cmocka_unit_test(calls_of_itself_are_joined),
		cmocka_unit_test(calls_in_turn_are_joined),
		cmocka_unit_test(joined_calls_keep_all_time),
		cmocka_unit_test(ceremony_is_folded),
		cmocka_unit_test(inlined_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
