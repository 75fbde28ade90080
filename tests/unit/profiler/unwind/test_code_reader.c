// SPDX-License-Identifier: GPL-2.0-or-later
/* Code of processes that live, that have ended, and of nobody. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/unwind/code_reader.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static uint64_t code[] = {0x1122334455667788, 0x99aabbccddeeff00};

TEST(test_own_memory)
{
	_cleanup_(code_reader_freep) struct code_reader *r = code_reader_new();
	uint64_t value = 0;

	assert_non_null(r);
	assert_true(code_reader_read(r, getpid(), (uint64_t)code, &value));
	assert_true(value == code[0]);
	assert_true(code_reader_read(r, getpid(), (uint64_t)code + 4, &value));
	assert_true(value == 0xddeeff0011223344);
	assert_false(code_reader_read(r, getpid(), 8, &value));
	assert_false(code_reader_read(r, getpid(), UINT64_MAX - 4, &value));
}

/* Nobody waits for a page: it may be on a server that does not answer. */
TEST(test_memory_that_is_not_there)
{
	_cleanup_(code_reader_freep) struct code_reader *r = code_reader_new();
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *p =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t value;

	assert_true(p != MAP_FAILED);
	madvise(p, 2 * page, MADV_NOHUGEPAGE);
	p[0] = 1;
	assert_true(code_reader_read(r, getpid(), (uint64_t)p + page - 8, &value));
	assert_false(code_reader_read(r, getpid(), (uint64_t)p + page - 7, &value));
	assert_false(code_reader_read(r, getpid(), (uint64_t)p + page, &value));
	p[page] = 1;
	assert_true(code_reader_read(r, getpid(), (uint64_t)p + page - 7, &value));
	assert_int_equal(value, 1ull << 56);
	munmap(p, 2 * page);
}

TEST(test_a_process_that_ends)
{
	_cleanup_(code_reader_freep) struct code_reader *r = code_reader_new();
	uint64_t value = 0;
	pid_t child;

	*(volatile uint64_t *)code = code[0]; /* so that the child has this page, too */
	child = fork();

	if (!child)
		for (;;)
			pause();
	assert_true(child > 0);
	assert_true(code_reader_read(r, child, (uint64_t)code, &value));
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	value = 0;
	assert_true(code_reader_read(r, child, (uint64_t)code, &value));
	assert_true(value == code[0]);
	assert_false(code_reader_read(r, child, (uint64_t)&code[1], &value));
	code_reader_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_memory),
		cmocka_unit_test(test_memory_that_is_not_there),
		cmocka_unit_test(test_a_process_that_ends),
	};

	return cmocka_run_group_tests_name("code_reader", tests, NULL, NULL);
}
