// SPDX-License-Identifier: GPL-2.0-or-later
/* Whose stacks and files a reader for walks gets to see. Its stacks are made up: it looks for the words of a stack in
 * all that it was ever shown. */
#include "symbolizer/worker/walk_set.h"

#include <fcntl.h>
#include <signal.h>

#include "bpf/unwind_abi.h"
#include "profiler/base/log.h"
#include "tests/lib/served.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static struct walk_set *set;
static int file_fd;

static int begin(void **state)
{
	struct walk_worker_opts opts = {.sandbox = true};

	(void)state;
	log_set_level(LOG_QUIET);
	file_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	return walk_set_new(&set, &opts);
}

static int end(void **state)
{
	(void)state;
	walk_set_free(set);
	close(file_fd);
	return 0;
}

/* --- a walk ------------------------------------------------------------------------------------ */

struct walk {
	struct walk_worker *w;
	uint32_t file; /* number of the file that it maps */
	uint64_t stack[8], regs[CFI_WALK_REGS];
	struct walk_region region;
	unsigned n_done;
};

static void prepare(void *ctx, size_t i, struct walk_sample *s)
{
	struct walk *walk = ctx;

	(void)i;
	if (!walk_worker_knows(walk->w, walk->file))
		assert_int_equal(walk_worker_add(walk->w, walk->file, SYM_FILE_OF(file_fd)), 0);
	s->captured = (struct captured_stack){walk->regs, (const uint8_t *)walk->stack,
					      sizeof(walk->stack), 0};
	s->regions = &walk->region;
	s->n_regions = s->n_live = 1;
}

static void done(void *ctx, size_t i, const uint64_t *frames, size_t n, enum cfi_walk_end end)
{
	(void)i, (void)frames, (void)n, (void)end;
	((struct walk *)ctx)->n_done++;
}

/* Has a sample of an owner's process walked, with `secret` on its stack. The pid of the reader; 0: there is none. */
static pid_t walk_as(uint32_t owner, uint32_t file, uint64_t secret)
{
	struct walk walk = {.w = walk_set_for(set, owner), .file = file};

	if (!walk.w)
		return 0;
	walk.region = (struct walk_region){0x10000, 0x1000, 0, 0, file, 0};
	for (size_t i = 0; i < 8; i++)
		walk.stack[i] = secret;
	walk.regs[7] = 0x7000;	 /* rsp */
	walk.regs[16] = 0x10010; /* rip */
	walk_worker_run(walk.w, 1, prepare, done, &walk);
	assert_int_equal(walk.n_done, 1);
	assert_true(walk_worker_pid(walk.w) > 0);
	return walk_worker_pid(walk.w);
}

/* A sanitizer's shadow of the whole address space is larger. */
#define MAPPING_MAX (1ull << 32)

/* Whether a process has this word twice in a row in its memory, as a stack has it. */
static bool has_seen(pid_t pid, uint64_t secret)
{
	static char chunk[1 << 20];
	char path[64], line[512];
	uint64_t twice[2] = {secret, secret}, from, to;
	bool found = false;
	FILE *maps;
	int mem;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	assert_true(mem >= 0 && maps);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx rw", &from, &to) == 2 && strstr(line, " rw") &&
		    to - from <= MAPPING_MAX)
			for (; from < to; from += sizeof(chunk)) {
				ssize_t n = pread(mem, chunk, sizeof(chunk), (off_t)from);

				found |= n > 0 && memmem(chunk, (size_t)n, twice, sizeof(twice));
			}
	fclose(maps);
	close(mem);
	return found;
}

static bool is_gone(pid_t pid)
{
	for (int i = 0; i < 100 && !kill(pid, 0); i++)
		usleep(10000);
	return kill(pid, 0) && errno == ESRCH;
}

/* --- cases ------------------------------------------------------------------------------------- */

#define ROOTS  0x5ec2e70000000001ull
#define THEIRS 0x5ec2e70000000002ull

/* These words are in this process's memory, too, and a reader starts as a copy of it: so they are made late. */
static uint64_t secret_of(uint64_t base)
{
	static volatile uint64_t step = 0x1111;

	return base * 3 + step;
}

TEST(test_nobody_sees_anothers_stacks)
{
	pid_t root = walk_as(0, 1, secret_of(ROOTS)), other = walk_as(1001, 1, secret_of(THEIRS));
	pid_t mixed = walk_as(UINT32_MAX, 1, secret_of(ROOTS));

	assert_true(root != other && root != mixed && other != mixed);
	assert_int_equal(walk_as(0, 1, secret_of(ROOTS)), root);
	assert_int_equal(walk_as(1001, 1, secret_of(THEIRS)), other);
	if (geteuid())
		skip(); /* whoever is not root may not look into a reader's memory */
	assert_true(has_seen(root, secret_of(ROOTS)) && !has_seen(root, secret_of(THEIRS)));
	assert_true(has_seen(other, secret_of(THEIRS)) && !has_seen(other, secret_of(ROOTS)));
}

/* The reader that was not used for the longest time ends, with all that it has seen; root's stays. */
TEST(test_few_readers)
{
	pid_t root = walk_as(0, 1, 0), first = walk_as(1001, 1, 0), second = walk_as(1002, 1, 0);
	pid_t third = walk_as(1003, 1, 0), fourth;

	assert_int_equal(walk_as(1001, 1, 0), first);
	fourth = walk_as(1004, 1, 0);
	assert_true(is_gone(second));
	assert_true(fourth != root && fourth != first && fourth != third);
	assert_int_equal(walk_as(0, 1, 0), root);
	assert_int_equal(walk_as(1001, 1, 0), first);
}

/* Whoever has many user ids cannot have kiln do nothing else than start readers. */
TEST(test_owners_in_a_storm)
{
	unsigned without = 0;
	pid_t root = walk_as(0, 1, 0);

	for (uint32_t uid = 1001; uid < 1021; uid++)
		without += !walk_as(uid, 1, 0);
	assert_in_range(without, 12, 16);
	usleep(300000);
	assert_true(walk_as(2001, 1, 0) > 0);
	assert_int_equal(walk_as(0, 1, 0), root);
}

/* A user whose program has the reader fail on libc.so does not take it away from others. */
TEST(test_distrust_is_each_owners_own)
{
	struct walk_worker *w[4];

	for (uint32_t i = 0; i < 4; i++) {
		walk_as(i ? 1000 + i : 0, 1, 0);
		w[i] = walk_set_for(set, i ? 1000 + i : 0);
	}
	assert_true(w[0] != w[1] && w[1] != w[2] && w[2] != w[3]);
	assert_true(walk_worker_knows(w[1], 1));
	assert_ptr_equal(walk_set_for(set, 1004),
			 w[1]); /* the same place, and nothing is left there */
	assert_false(walk_worker_knows(w[1], 1));
	assert_true(walk_worker_knows(w[2], 1));
}

/* A reader writes down which file it reads, in memory that is kiln's: it cannot make that larger or smaller. */
TEST(test_the_note_has_its_size)
{
	unsigned notes = 0;
	char path[64], name[64] = "";

	walk_as(0, 1, 0);
	for (int fd = 0; fd < 256; fd++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (readlink(path, name, sizeof(name) - 1) < 0 || !strstr(name, "kiln-note"))
			continue;
		notes++;
		assert_int_equal(ftruncate(fd, 1 << 20), -1);
		assert_int_equal(ftruncate(fd, 0), -1);
		assert_int_equal(pwrite(fd, "x", 1, 4096), -1);
		assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE),
				 -1); /* it stays what it is */
	}
	assert_int_equal(notes, 1);
}

/* In kiln itself there is nobody to be told apart. */
TEST(test_without_a_sandbox)
{
	struct walk_worker_opts opts = {.sandbox = false};
	struct walk_set *here;

	assert_int_equal(walk_set_new(&here, &opts), 0);
	assert_ptr_equal(walk_set_for(here, 0), walk_set_for(here, 1001));
	walk_set_free(here);
	walk_set_free(NULL);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(test_nobody_sees_anothers_stacks), T(test_few_readers),
		T(test_owners_in_a_storm),	     T(test_distrust_is_each_owners_own),
		T(test_the_note_has_its_size),	     T(test_without_a_sandbox),
	};

	return cmocka_run_group_tests_name("walk_set", tests, NULL, NULL);
}
