// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Samples that are not walked to their end in the kernel: registers and stack come to user space, which is woken for
 * them. Nobody tells the walk here what the processes have mapped, but where a test does. Needs root and BPF.
 */
#include "tests/lib/sampler_run.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <bpf/libbpf.h>

#include "bpf/abi.h"
#include "bpf/profile.skel.h"
#include "profiler/base/io.h"
#include "profiler/unwind/unwind_maps.h"
#include "tests/lib/fixture.h"

#define PAGE	 4096
#define ENOUGH	 20    /* samples */
#define PATIENCE 30000 /* milliseconds until a busy machine has run everybody */

/* --- who is sampled ------------------------------------------------------------------------------- */

/* Code that nothing describes. Each piece ends with a jump to itself, or to its beginning. */
enum { FRAMED, CHAINLESS = 16, CALLS = 32, CALLED = CALLS + 2, ASKS = 48, ASKED = ASKS + 7 };
static uint8_t *code;

static int setup(void **state)
{
	static const uint8_t framed[] = {0x55, 0x48, 0x89, 0xe5, 0xeb, 0xfe}; /* push, mov, jmp */
	static const uint8_t chainless[] = {0x31, 0xed, 0xeb, 0xfe};	      /* xor ebp, jmp */
	static const uint8_t calls[] = {0x0f, 0x05, 0xeb, 0xfe};	      /* syscall, jmp */
	/* mov $SYS_getppid, %eax; syscall; jmp to the mov */
	static const uint8_t asks[] = {0xb8, SYS_getppid, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7};

	(void)state;
	code = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0);
	if (code == MAP_FAILED)
		return -1;
	memcpy(code + FRAMED, framed, sizeof(framed));
	memcpy(code + CHAINLESS, chainless, sizeof(chainless));
	memcpy(code + CALLS, calls, sizeof(calls));
	memcpy(code + ASKS, asks, sizeof(asks));
	return 0;
}

/* A child that stops, and is a target of the sampler from then on; false in the child when it goes on. */
static bool fork_target(struct run *r, pid_t *pid)
{
	*pid = fork();
	assert_true(*pid >= 0);
	if (!*pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		raise(SIGSTOP);
		return false;
	}
	waitpid(*pid, NULL, WUNTRACED);
	assert_int_equal(sampler_add_target(r->sampler, *pid), 0);
	return true;
}

static pid_t fork_in_code(struct run *r, int at)
{
	void (*fn)(void);
	uint8_t *place = code + at;
	pid_t pid;

	if (fork_target(r, &pid))
		return pid;
	memcpy(&fn, &place, sizeof(fn));
	for (;;)
		fn();
}

static pid_t fork_as(struct run *r, uid_t real, uid_t effective, uid_t saved)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		if (setresuid(real, effective, saved))
			_exit(127);
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* forgotten when the user changes */
		raise(SIGSTOP);
		for (;;)
			;
	}
	waitpid(pid, NULL, WUNTRACED);
	assert_int_equal(sampler_add_target(r->sampler, pid), 0);
	return pid;
}

/* A child that spins with this stack pointer. It has let go of so many pages, and touches no stack any more. */
static pid_t fork_with_stack(struct run *r, uint64_t sp, uint64_t gone, uint64_t n_gone)
{
	pid_t pid;

	if (fork_target(r, &pid))
		return pid;
	for (uint64_t at = sp & ~4095ull; at < gone; at += PAGE)
		*(volatile char *)(uintptr_t)at += 0; /* it is there */
	__asm__ volatile("mov %0, %%rsp\n\tjmp *%1"
			 :
			 : "r"(sp), "r"(code + CALLS), "a"(SYS_madvise), "D"(gone),
			   "S"(n_gone * PAGE), "d"(MADV_DONTNEED)
			 : "memory");
	__builtin_unreachable();
}

static void stop_process(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* --- the sampler ---------------------------------------------------------------------------------- */

static void begin_walks(struct run *r)
{
	struct sampler_opts opts = defaults();

	opts.unwind = MODE_AUTO;
	opts.kernel = false;
	opts.filter_tgids = true;
	begin(r, &opts);
	if (sampler_uses_tables(r->sampler))
		return;
	release(r);
	print_message("SKIP: no unwind tables in this kernel\n");
	skip();
}

static void end_walks(struct run *r)
{
	sampler_stop(r->sampler);
	release(r);
}

/* The next sample of a process. pc: which hit this instruction; 0: any. */
static struct raw_sample *next_raw(struct run *r, pid_t pid, uint64_t pc)
{
	struct raw_sample *raw;

	for (int i = 0; i < PATIENCE / 10; i++) {
		while ((raw = raw_queue_next(drain_raw(r->drain)))) {
			if (raw->tgid == (uint32_t)pid &&
			    (!pc || (raw->regs[UNWIND_RIP] == pc && !raw->in_kernel)))
				return raw;
			free(raw);
		}
		usleep(10000);
		assert_int_equal(drain_stacks(r->drain), 0);
	}
	fail_msg("no sample");
	return NULL;
}

/* --- the tests ------------------------------------------------------------------------------------ */

/* Who has read is woken again, and need not look at the clock. */
static void each_reading_is_woken_for(void **state)
{
	struct pollfd fd = {.events = POLLIN};
	struct run r;
	pid_t pid;

	(void)state;
	begin_walks(&r);
	pid = fork_in_code(&r, FRAMED);
	start(&r);
	kill(pid, SIGCONT);
	fd.fd = drain_fd(r.drain);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(poll(&fd, 1, PATIENCE), 1);
		assert_int_equal(drain_stacks(r.drain), 0);
	}
	stop_process(pid);
	end_walks(&r);
}

/* The linker's: the code of this program. */
extern const char __executable_start[], etext[];

/* What the walk knows of a process: the code, and that this program has no table. */
static void tell_mappings(struct unwind_maps *maps, pid_t pid)
{
	uint64_t begin = (uintptr_t)__executable_start & ~4095ull;
	struct unwind_region regions[] = {
		{(uintptr_t)code, PAGE, 0, UNWIND_SLOT_JIT},
		{begin, (((uintptr_t)etext - begin) | 4095) + 1, 0, UNWIND_SLOT_NONE},
	};

	assert_int_equal(unwind_maps_set(maps, pid, 0, regions, 2), 0);
}

/* Each walk counts as one of three: to its end, along frame pointers, or sent to user space. */
static void walks_are_counted_once(void **state)
{
	const uint64_t *c, *walks;
	struct unwind_maps *maps;
	struct profile_bpf *k;
	struct run r;
	pid_t pids[2];

	(void)state;
	begin_walks(&r);
	k = sampler_skeleton(r.sampler);
	c = r.totals.counters;
	walks = r.totals.walk_end;
	assert_int_equal(unwind_maps_new(&maps, bpf_map__fd(k->maps.kiln_unw_small),
					 bpf_map__fd(k->maps.kiln_unw_medium),
					 bpf_map__fd(k->maps.kiln_unw_large)),
			 0);
	pids[0] = fork_in_code(&r, FRAMED);
	pids[1] = fork_in_code(&r, CHAINLESS);
	for (int i = 0; i < 2; i++)
		tell_mappings(maps, pids[i]);
	start(&r);
	for (int i = 0; i < 2; i++)
		kill(pids[i], SIGCONT);
	for (int i = 0; i < PATIENCE / 50 &&
			(walks[UNWIND_END_NO_TABLE] < ENOUGH || walks[UNWIND_END_CHAIN] < ENOUGH);
	     i++) {
		usleep(50000);
		assert_int_equal(drain_stacks(r.drain), 0);
		assert_int_equal(sampler_totals(r.sampler, &r.totals), 0);
	}
	for (int i = 0; i < 2; i++)
		stop_process(pids[i]);
	end(&r, NULL, NULL);
	assert_true(walks[UNWIND_END_NO_TABLE] >= ENOUGH && walks[UNWIND_END_CHAIN] >= ENOUGH);
	assert_int_equal(c[KILN_CTR_raw] + c[KILN_CTR_raw_full],
			 walks[UNWIND_END_NO_TABLE] + walks[UNWIND_END_NO_MAPPING]);
	assert_in_range(c[KILN_CTR_walk_fp], walks[UNWIND_END_CHAIN],
			walks[UNWIND_END_CHAIN] + c[KILN_CTR_raw_full]);
	unwind_maps_free(maps);
	release(&r);
}

/* Whoever is shown a stack sees secrets of the user whose process it is: the kernel says who that is. */
static void stacks_have_an_owner(void **state)
{
	static const struct {
		uid_t real, effective, saved;
		uint32_t owner;
	} cases[] = {
		{0, 0, 0, 0},
		{4242, 4242, 4242, 4242},
		{4242, 0, 0, KILN_OWNER_MIXED},	   /* a program that is set-user-id */
		{4242, 4242, 0, KILN_OWNER_MIXED}, /* it has put its privileges aside */
	};
	struct raw_sample *raw;
	pid_t pids[4];
	struct run r;

	(void)state;
	begin_walks(&r);
	for (int i = 0; i < 4; i++)
		pids[i] = fork_as(&r, cases[i].real, cases[i].effective, cases[i].saved);
	start(&r);
	for (int i = 0; i < 4; i++) {
		kill(pids[i], SIGCONT);
		raw = next_raw(&r, pids[i], 0);
		assert_int_equal(raw->owner, cases[i].owner);
		free(raw);
		stop_process(pids[i]);
	}
	end_walks(&r);
}

/* Registers are the user's also where the kernel was hit, and are those behind the call then. */
static void samples_in_the_kernel_say_so(void **state)
{
	unsigned seen = 0;
	struct run r;
	pid_t pid;

	(void)state;
	begin_walks(&r);
	pid = fork_in_code(&r, ASKS);
	start(&r);
	kill(pid, SIGCONT);
	for (int i = 0; i < 2000 && seen != 3; i++) {
		struct raw_sample *raw = next_raw(&r, pid, 0);
		uint64_t at = raw->regs[UNWIND_RIP] - (uintptr_t)code;

		if (at < PAGE) { /* it has got there */
			seen |= raw->in_kernel ? 1 : 2;
			assert_true(!raw->in_kernel || at == ASKED);
		}
		free(raw);
	}
	assert_int_equal(seen, 3);
	stop_process(pid);
	end_walks(&r);
}

/* Where the stack began (proc(5), field 28 of stat). It is the same in children. */
static uint64_t start_of_stack(void)
{
	char *text, *at;
	uint64_t start;
	size_t len;

	assert_int_equal(io_read_file("/proc/self/stat", 4096, &text, &len), 0);
	at = strrchr(text, ')');
	for (int field = 2; field < 28; field++)
		at = strchr(at, ' ') + 1;
	start = strtoull(at, NULL, 10);
	free(text);
	return start;
}

/* The bytes are those that the process has there. */
static void check_copy(const struct raw_sample *raw, pid_t pid)
{
	uint8_t *there = malloc(raw->stack_len + 1);
	char path[64];
	int fd;

	assert_non_null(there);
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = fixture_open(path);
	assert_int_equal(pread(fd, there, raw->stack_len, (off_t)raw->base), raw->stack_len);
	assert_memory_equal(raw->stack, there, raw->stack_len);
	close(fd);
	free(there);
}

/* All of the stack, or as much of it as is in memory: what is behind a page that is not there comes, too. */
static void stacks_are_copied(void **state)
{
	uint64_t top = start_of_stack(), top_page = top & ~4095ull, end = top + KILN_RED_ZONE;
	uint64_t page_end = ((end - 1) | 4095) + 1;
	uint64_t there_end = page_end > top_page + PAGE ? page_end : top_page;
	bool in_one_page = KILN_RAW_BASE(top - 64) >= page_end - PAGE;
	const struct {
		uint64_t sp, n_gone, end;
	} cases[] = {
		{top - 64, 0, in_one_page ? end : page_end},
		{top_page - 3 * PAGE - 8, 0, page_end},
		{top_page - 64, 1, there_end},
		{top_page - 2 * PAGE - 64, 1, there_end},
	};
	struct raw_sample *raw;
	struct run r;
	pid_t pid;

	(void)state;
	begin_walks(&r);
	start(&r);
	for (int i = 0; i < 4; i++) {
		pid = fork_with_stack(&r, cases[i].sp, top_page, cases[i].n_gone);
		kill(pid, SIGCONT);
		raw = next_raw(&r, pid, (uintptr_t)code + CALLED);
		assert_int_equal(raw->regs[UNWIND_RSP], cases[i].sp);
		assert_int_equal(raw->base, KILN_RAW_BASE(cases[i].sp));
		assert_int_equal(raw->base + raw->stack_len, cases[i].end);
		check_copy(raw, pid);
		free(raw);
		stop_process(pid);
	}
	end_walks(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_reading_is_woken_for),
		cmocka_unit_test(walks_are_counted_once),
		cmocka_unit_test(stacks_have_an_owner),
		cmocka_unit_test(samples_in_the_kernel_say_so),
		cmocka_unit_test(stacks_are_copied),
	};

	return cmocka_run_group_tests_name("raw_samples", tests, setup, NULL);
}
