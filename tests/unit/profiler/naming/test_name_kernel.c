// SPDX-License-Identifier: GPL-2.0-or-later
/* Names of this kernel's addresses, compared with what its /proc/kallsyms says. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "profiler/base/log.h"
#include "profiler/naming/name_kernel.h"
#include "symbolizer/symbolizer.h"
#include "symbolizer/symbols/kallsyms.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

#define N 64

static struct kallsyms *syms; /* NULL: this user may not see them */
static uint64_t addr[N];

static int setup(void **state)
{
	uint64_t at;

	(void)state;
	log_set_level(LOG_QUIET);
	if (kallsyms_load(&syms))
		syms = NULL;
	at = syms ? kallsyms_stext(syms) : 0xffffffff81000000;
	/* ascending, but for the last ones, which are nowhere */
	for (int i = 0; i < N - 2; i++)
		addr[i] = at + (uint64_t)i * 4099;
	addr[N - 2] = 0x1000;
	addr[N - 1] = UINT64_MAX;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	kallsyms_free(syms);
	return 0;
}

struct seen {
	unsigned times[N], lines;
	int err;
};

static int check(void *ctx, size_t index, const struct kernel_answer *a)
{
	const char *name = NULL, *module = "";
	struct seen *s = ctx;
	uint64_t start;

	assert_true(index < N);
	s->times[index]++;
	if (syms && kallsyms_find(syms, addr[index], &name, &module, &start))
		name = NULL, module = "";
	assert_int_equal(!a->name, !name);
	if (name)
		assert_string_equal(a->name, name);
	assert_string_equal(a->module, module);
	s->lines += a->n_frames > 0;
	for (size_t i = 0; i < a->n_frames; i++)
		assert_non_null(a->frames[i].name);
	return s->err;
}

static void resolve_all(struct symbolizer *symbolizer)
{
	struct seen s = {.lines = 0};
	struct kernel_names *k;

	assert_int_equal(kernel_names_open(&k, symbolizer), 0);
	assert_false(kernel_names_stale(k));
	assert_int_equal(kernel_names_resolve(k, addr, N, check, &s), 0);
	for (int i = 0; i < N; i++)
		assert_int_equal(s.times[i], 1);
	if (!symbolizer)
		assert_int_equal(s.lines, 0);
	kernel_names_close(k);
}

TEST(test_names)
{
	resolve_all(NULL);
}

/* With lines where debug files of this kernel are installed: the names are the same. */
TEST(test_names_with_lines)
{
	struct symbolizer_opts opts = {0};
	struct symbolizer *s;

	assert_int_equal(symbolizer_new(&s, &opts), 0);
	resolve_all(s);
	symbolizer_free(s);
}

TEST(test_an_error_of_the_caller_ends_it)
{
	struct seen s = {.err = -ENOMEM};
	struct kernel_names *k;
	unsigned calls = 0;

	assert_int_equal(kernel_names_open(&k, NULL), 0);
	assert_int_equal(kernel_names_resolve(k, addr, N, check, &s), -ENOMEM);
	for (int i = 0; i < N; i++)
		calls += s.times[i];
	assert_int_equal(calls, 1);
	assert_int_equal(kernel_names_resolve(k, addr, 0, check, &s), 0);
	kernel_names_close(k);
	kernel_names_close(NULL);
}

/* For lack of descriptors there are no names; when there are some again it is worth another try. */
TEST(test_no_descriptors)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct rlimit before, none;
	struct kernel_names *k;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){.rlim_cur = (rlim_t)fd, .rlim_max = before.rlim_max};
	close(fd);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(kernel_names_open(&k, NULL), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_true(kernel_names_stale(k));
	kernel_names_close(k);
	resolve_all(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_names_with_lines),
		cmocka_unit_test(test_an_error_of_the_caller_ends_it),
		cmocka_unit_test(test_no_descriptors),
	};

	return cmocka_run_group_tests_name("name_kernel", tests, setup, teardown);
}
