// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Stacks through code that is made while it runs and keeps no frame pointers. This program records itself; as a
 * command (argument "jit") it is the compiler. Needs root and BPF.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>
#include <cmocka.h>

#include <sys/mman.h>
#include <time.h>

#include "profiler/profile/profile.h"
#include "profiler/profile/quality.h"
#include "profiler/record/session.h"
#include "symbolizer/symbolizer.h"
#include "tests/lib/fixture.h"
#include "tests/lib/jitdump_write.h"

#define BURN_MS 700
#define FREQ_HZ 499
/* A jitdump without code is looked at again after half a second, and its table is used two turns later. */
#define LATE_BURSTS 4

/* --- the compiler ----------------------------------------------------------------------------- */

typedef void (*made_fn)(void (*)(void));

static volatile unsigned sink;

static uint64_t clock_of(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

#if __has_attribute(noclone) /* clang makes no clones */
#define IN_ONE_PLACE __attribute__((noinline, noclone))
#else
#define IN_ONE_PLACE __attribute__((noinline))
#endif

/* rbp is no frame pointer in here, as in most code. */
IN_ONE_PLACE static void burn_below(void)
{
	for (unsigned i = 0; i < 100000; i++)
		sink = sink * 3 + i;
	__asm__ volatile("" ::: "rbp");
}

IN_ONE_PLACE static void call_made_code(made_fn fn)
{
	uint64_t end = clock_of(CLOCK_PROCESS_CPUTIME_ID) + BURN_MS * 1000000ull;

	while (clock_of(CLOCK_PROCESS_CPUTIME_ID) < end) {
		__asm__ volatile("mov %%rsp, %%rbp; add $4096, %%rbp" ::: "rbp");
		fn(burn_below);
	}
}

static int append(int fd, struct buf *b)
{
	bool ok = write(fd, b->data, b->len) == (ssize_t)b->len;

	buf_clear(b);
	return ok ? 0 : 1;
}

/* sub $frame, %rsp; call *%rdi; [nop;] add $frame, %rsp; ret. */
static uint32_t make_code(uint8_t *at, uint8_t frame, bool returns_at_once)
{
	uint8_t code[] = {0x48, 0x83, 0xec, frame, 0xff, 0xd7, 0x90, 0x48, 0x83, 0xc4, frame, 0xc3};

	if (returns_at_once) {
		memmove(code + 6, code + 7, 5);
		code[11] = 0xcc;
	}
	memcpy(at, code, sizeof(code));
	return sizeof(code) - returns_at_once;
}

static int describe(int fd, uint64_t start, uint32_t len, uint8_t frame, const char *name)
{
	struct buf b = {0};
	int err;

	jit_frames(&b, clock_of(CLOCK_MONOTONIC), len, 16, frame);
	jit_load(&b, clock_of(CLOCK_MONOTONIC), start, len, frame, name);
	err = append(fd, &b);
	buf_release(&b);
	return err;
}

static int begin_dump(void)
{
	struct buf b = {0};
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "jit-%d.dump", getpid());
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED)
		return -1;
	jit_header(&b, 0);
	if (append(fd, &b))
		return -1;
	buf_release(&b);
	return fd;
}

static int be_a_compiler(const char *how)
{
	uint8_t *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool returns_at_once = !strcmp(how, "returns-at-once");
	int fd = returns_at_once ? -1 : begin_dump();
	made_fn fn;
	uint32_t len;

	if (at == MAP_FAILED || (fd < 0 && !returns_at_once))
		return 1;
	memcpy(&fn, &at, sizeof(fn));
	len = make_code(at, 8, returns_at_once);
	if (!strcmp(how, "late")) /* this part has broken stacks */
		call_made_code(fn);
	if (fd >= 0 && describe(fd, (uint64_t)at, len, 8, "first_made"))
		return 1;
	call_made_code(fn);
	for (int i = 1; i < LATE_BURSTS && !strcmp(how, "late"); i++)
		call_made_code(fn);
	if (strcmp(how, "replaced") != 0)
		return 0;
	len = make_code(at, 0x58, false);
	if (describe(fd, (uint64_t)at, len, 0x58, "second_made"))
		return 1;
	call_made_code(fn);
	return 0;
}

/* --- the test --------------------------------------------------------------------------------- */

/*
 * Samples wait for tables as long as their window: a second is enough on a busy machine. A jitdump that had no code is
 * looked at again in a later turn, and while all is walked in the kernel a turn is a window.
 */
static struct profile *record(const char *how, struct quality *q)
{
	uint64_t window_ms = !strcmp(how, "late") ? 200 : 1000;
	char *const argv[] = {"/proc/self/exe", "jit", (char *)how, NULL};
	struct session_opts opts = {.sampler = {.freq_hz = FREQ_HZ,
						.window_ns = window_ms * 1000000,
						.event = EVENT_CPU_CLOCK,
						.unwind = MODE_DWARF,
						.user = true},
				    .argv = argv};
	struct session_result result;
	const char *why = "";

	if (session_run(&opts, &result, q, &why))
		fail_msg("%s", why);
	assert_int_equal(result.exit_code, 0);
	symbolizer_free(result.symbolizer);
	return result.profile;
}

static const char *name_of(const struct profile *p, uint32_t location)
{
	const struct profile_location *l = &p->locations.data[location];
	const struct profile_function *f =
		&p->functions.data[p->lines.data[l->first_line].function];

	return profile_text(p, f->name);
}

/* Samples of burn_below() called by made code, and those whose stack goes on to call_made_code(). made NULL: code
 * without a name. */
static void count(const struct profile *p, const char *made, int64_t *all, int64_t *whole)
{
	*all = *whole = 0;
	for (size_t i = 0; i < p->samples.len; i++) {
		const struct profile_sample *s = &p->samples.data[i];
		const struct profile_stack *stack = &p->stacks.data[s->stack];
		const uint32_t *frames = p->frames.data + stack->first;
		int64_t n = p->values.data[s->first_value];

		if (stack->len < 2 || strcmp(name_of(p, frames[0]), "burn_below") != 0 ||
		    (made && strcmp(name_of(p, frames[1]), made) != 0))
			continue;
		*all += n;
		if (stack->len > 3 && !strcmp(name_of(p, frames[2]), "call_made_code"))
			*whole += n;
	}
}

/* The first samples of a program come before kiln knows it. */
static void assert_whole(const struct profile *p, const char *made, int64_t burn_ms)
{
	int64_t all, whole, least = FREQ_HZ * burn_ms / 1000 / 2;

	count(p, made, &all, &whole);
	if (all < least || whole * 100 < all * 90)
		fail_msg("%s: %lld samples, %lld of them whole", made ?: "code without a name",
			 (long long)all, (long long)whole);
}

static void test_described(void **state)
{
	struct quality q = {0};
	struct profile *p = record("plain", &q);

	(void)state;
	assert_whole(p, "first_made", BURN_MS);
	assert_int_equal(q.jit_refused, 0);
	if (q.user_complete * 100 < q.recorded * 90)
		fail_msg("%llu of %llu are complete", (unsigned long long)q.user_complete,
			 (unsigned long long)q.recorded);
	quality_release(&q);
	profile_free(p);
}

/* Each frame size by its own description, at one address. */
static void test_replaced(void **state)
{
	struct quality q = {0};
	struct profile *p = record("replaced", &q);

	(void)state;
	assert_whole(p, NULL, 2 * BURN_MS);
	quality_release(&q);
	profile_free(p);
}

/* Before it is described, code has a name (of later) and no caller; soon after, it has one. */
static void test_described_later(void **state)
{
	int64_t all, whole, each = FREQ_HZ * BURN_MS / 1000;
	struct quality q = {0};
	struct profile *p = record("late", &q);

	(void)state;
	count(p, NULL, &all, &whole);
	if (all < each * LATE_BURSTS || whole < each || whole > each * LATE_BURSTS + each / 4)
		fail_msg("%lld samples, %lld whole of some %lld that can be", (long long)all,
			 (long long)whole, (long long)each * LATE_BURSTS);
	assert_true(q.user_truncated > 0);
	quality_release(&q);
	profile_free(p);
}

/*
 * As CPython's trampolines: nothing says anything of this code, and its next two instructions are enough. User space,
 * which walks the first samples of a program, does not see them.
 */
static void test_returns_at_once(void **state)
{
	struct quality q = {0};
	struct profile *p = record("returns-at-once", &q);

	(void)state;
	assert_whole(p, NULL, BURN_MS);
	quality_release(&q);
	profile_free(p);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_described),
		cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_described_later),
		cmocka_unit_test(test_returns_at_once),
	};

	if (argc == 3 && !strcmp(argv[1], "jit"))
		return be_a_compiler(argv[2]);
	if (geteuid()) {
		printf("skipped: needs root\n");
		return 0;
	}
	return cmocka_run_group_tests_name("jit_unwind", tests, fixture_setup, fixture_teardown);
}
