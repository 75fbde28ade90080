// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "profiler/profile/commands.h"
#include "profiler/profile/processes.h"
#include "tests/lib/profiles.h"

static void label(struct profile *p, struct profile_label *labels, uint32_t *n, const char *key,
		  const char *text, int64_t number)
{
	if (text && !*text)
		return;
	labels[(*n)++] = (struct profile_label){
		.key = str_id(p, key), .str = text ? str_id(p, text) : PROFILE_NONE, .num = number};
}

/* pid or tid 0: no such label. Returns the label set. */
static uint32_t add(struct profile *p, const char *host, int64_t pid, int64_t tid, const char *comm,
		    const char *exe, int64_t value)
{
	struct profile_label labels[5];
	uint32_t n = 0, set, stack;

	label(p, labels, &n, "host", host, 0);
	label(p, labels, &n, LABEL_COMM, comm, 0);
	label(p, labels, &n, LABEL_EXECUTABLE, exe, 0);
	if (pid)
		label(p, labels, &n, LABEL_PID, NULL, pid);
	if (tid)
		label(p, labels, &n, LABEL_TID, NULL, tid);
	MUST(profile_labelset(p, labels, n, &set));
	MUST(profile_stack(p, NULL, 0, &stack));
	MUST(profile_add(p, stack, set, (int64_t[]){value, value * 10}));
	return set;
}

static struct profile *new_profile(void)
{
	struct profile *p = profile_new();

	assert_non_null(p);
	MUST(profile_init_cpu(p, 10));
	return p;
}

static void check(const struct profile *p, uint32_t set, const char *process, const char *command)
{
	struct processes s;

	assert_int_equal(processes_load(&s, p), 0);
	assert_string_equal(s.names[set].process, process);
	assert_string_equal(s.names[set].command, command);
	processes_release(&s);
}

static void threads_are_of_their_main_thread(void **state)
{
	struct profile *p = new_profile();
	uint32_t gc = add(p, "", 7, 9, "GC Thread#0", "", 900);
	uint32_t c2 = add(p, "", 7, 10, "C2 CompilerThre", "", 500);
	uint32_t main_set = add(p, "", 7, 7, "java", "", 1);
	uint32_t other = add(p, "", 8, 9, "x", "", 1);

	(void)state;
	check(p, gc, "java", "java");
	check(p, c2, "java", "java");
	check(p, main_set, "java", "java");
	check(p, other, "x", "x");
	profile_free(p);
}

/* One that only changes its name: the process is what it was for longest, and each command gets its own. */
static void main_thread_that_changes_its_name(void **state)
{
	struct profile *p = new_profile();
	uint32_t first = add(p, "", 7, 7, "node", "/bin/node", 3);
	uint32_t later = add(p, "", 7, 7, "MainThread", "/bin/node", 90);
	uint32_t worker = add(p, "", 7, 8, "w", "/bin/node", 500);

	(void)state;
	check(p, first, "MainThread", "node");
	check(p, later, "MainThread", "MainThread");
	check(p, worker, "MainThread", "MainThread");
	profile_free(p);
}

/* A shell becomes a compiler, or its number is given to another: threads are of the program that they are in. */
static void programs_of_one_pid(void **state)
{
	struct profile *p = new_profile();
	uint32_t sh = add(p, "", 7, 7, "sh", "/bin/sh", 900);
	uint32_t go = add(p, "", 7, 7, "go", "/usr/bin/go", 5);
	uint32_t worker = add(p, "", 7, 8, "go-w", "/usr/bin/go", 90);
	uint32_t java = add(p, "", 7, 9, "GC", "/usr/bin/java", 9);
	uint32_t unknown = add(p, "", 7, 10, "GC", "", 9000);

	(void)state;
	check(p, sh, "sh", "sh");
	check(p, go, "go", "go");
	check(p, worker, "go", "go");
	check(p, java, "java", "java");
	check(p, unknown, "sh", "sh");
	profile_free(p);
}

/* Two files of two pid namespaces, summed up: nothing but names tells their programs apart. */
static void programs_without_executables(void **state)
{
	struct profile *p = new_profile();
	uint32_t less = add(p, "", 2, 2, "less", "", 40), gcc = add(p, "", 2, 2, "gcc", "", 90);
	uint32_t of_less = add(p, "", 2, 8, "less", "", 500),
		 pool = add(p, "", 2, 9, "pool", "", 9);
	uint32_t alias = add(p, "", 2, 2, "alias", "", 1);

	(void)state;
	check(p, less, "less", "less");
	check(p, gcc, "gcc", "gcc");
	check(p, alias, "alias", "alias");
	check(p, of_less, "less", "less");
	check(p, pool, "gcc", "gcc");
	profile_free(p);
}

static void without_the_main_thread(void **state)
{
	struct profile *p = new_profile();
	uint32_t a = add(p, "", 7, 8, "worker-1", "/usr/bin/java", 5);
	uint32_t b = add(p, "", 7, 9, "worker-2", "", 50);
	uint32_t c = add(p, "", 3, 4, "pool", "", 5), d = add(p, "", 3, 5, "io", "", 3);
	uint32_t no_tid = add(p, "", 4, 0, "io", "", 3), more = add(p, "", 4, 0, "cpu", "", 9);

	(void)state;
	check(p, a, "java", "java");
	check(p, b, "java", "java");
	check(p, c, "pool", "pool");
	check(p, d, "pool", "pool");
	check(p, no_tid, "cpu", "cpu");
	check(p, more, "cpu", "cpu");
	profile_free(p);
}

static void same_pid_on_two_hosts(void **state)
{
	struct profile *p = new_profile();
	uint32_t a = add(p, "web1", 7, 8, "x", "", 5), b = add(p, "web2", 7, 7, "nginx", "", 5);

	(void)state;
	check(p, a, "x", "x");
	check(p, b, "nginx", "nginx");
	profile_free(p);
}

/* What a difference has less of weighs as much; a path that ends in a slash has no other name. */
static void odd_values_and_paths(void **state)
{
	struct profile *p = new_profile();
	uint32_t less = add(p, "", 7, 7, "gcc", "", -90), more = add(p, "", 7, 7, "sh", "", 3);
	uint32_t worker = add(p, "", 7, 8, "w", "", 3);
	uint32_t dir = add(p, "", 8, 9, "w", "/opt/app/", 1);

	(void)state;
	check(p, less, "gcc", "gcc");
	check(p, more, "sh", "sh");
	check(p, worker, "gcc", "gcc");
	check(p, dir, "/opt/app/", "/opt/app/");
	profile_free(p);
}

/* Lost samples are of no command. */
static void several_commands(void **state)
{
	struct profile *p = new_profile();
	struct processes s;
	uint32_t lost, stack, none;

	(void)state;
	add(p, "", 7, 7, "java", "", 5);
	add(p, "", 7, 9, "GC", "", 5);
	MUST(profile_plain_location(p, MAPPING_KILN, FRAME_LOST, &lost));
	MUST(profile_stack(p, &lost, 1, &stack));
	MUST(profile_labelset(p, NULL, 0, &none));
	MUST(profile_add(p, stack, none, (int64_t[]){2, 20}));
	MUST(processes_load(&s, p));
	assert_false(processes_have_commands(&s, p));
	processes_release(&s);
	add(p, "", 8, 8, "sh", "", 5);
	MUST(processes_load(&s, p));
	assert_true(processes_have_commands(&s, p));
	processes_release(&s);
	profile_free(p);
}

static void commands_count_processes_of_each_host(void **state)
{
	struct profile *p = new_profile();
	struct commands c;

	(void)state;
	add(p, "web1", 7, 7, "nginx", "", 5);
	add(p, "web1", 7, 8, "nginx", "", 5);
	add(p, "web2", 7, 7, "nginx", "", 5);
	assert_int_equal(commands_build(&c, p, 0), 0);
	assert_int_equal(c.rows.len, 1);
	assert_int_equal(c.rows.data[0].n_processes, 2);
	commands_release(&c);
	profile_free(p);
}

/* A JVM's main thread does nothing. */
static void workers_do_not_name_their_process(void **state)
{
	struct profile *p = new_profile();
	uint32_t worker = add(p, "", 7, 8, "GC Thread#0", "", 50);
	uint32_t other = add(p, "", 7, 9, "java", "", 5), only = add(p, "", 20, 21, "w-1", "", 5);
	uint32_t digits = add(p, "", 30, 31, "python3", "", 5);

	(void)state;
	add(p, "", 30, 32, "w-1", "", 50);
	check(p, worker, "java", "java");
	check(p, other, "java", "java");
	check(p, only, "w-1", "w-1");
	check(p, digits, "python3", "python3");
	profile_free(p);
}

static void of_no_process(void **state)
{
	struct profile *p = new_profile();
	uint32_t comm = add(p, "", 0, 7, "only", "", 5), none = add(p, "", 0, 0, "", "", 5);
	uint32_t pid = add(p, "", 7, 7, "", "", 5);

	(void)state;
	check(p, comm, "only", "only");
	check(p, none, "", "");
	check(p, pid, "", "");
	profile_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_are_of_their_main_thread),
		cmocka_unit_test(main_thread_that_changes_its_name),
		cmocka_unit_test(programs_of_one_pid),
		cmocka_unit_test(programs_without_executables),
		cmocka_unit_test(without_the_main_thread),
		cmocka_unit_test(same_pid_on_two_hosts),
		cmocka_unit_test(odd_values_and_paths),
		cmocka_unit_test(several_commands),
		cmocka_unit_test(commands_count_processes_of_each_host),
		cmocka_unit_test(workers_do_not_name_their_process),
		cmocka_unit_test(of_no_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
